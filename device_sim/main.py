"""A real device as one process: ``tocsin device run --home DIR``, and its owner's answers to it.

It starts in well under a second and needs little memory, for it imports what the device has and nothing else:
no command line framework, no display but its own, no gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import gc
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from device_sim.control import call
from keys.errors import InputError, UnavailableError

COMMANDS: Final = ("run", "answer", "acknowledge", "status", "reset")
"""What is done here when a command line names ``--home``."""
INTERRUPTED: Final = 130
_LOCK: Final = ".running"
_RESET: Final = ".reset"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError("USAGE", f"{message[:1].upper()}{message[1:]}.", mend="Try --help.")


def _parser() -> _Parser:
    parser = _Parser(prog="tocsin device", add_help=False, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        one = commands.add_parser(name, add_help=False, allow_abbrev=False)
        one.add_argument("--home", type=Path, required=True)
        one.add_argument("--json", action="store_true")
        if name == "run":
            where = one.add_mutually_exclusive_group()
            where.add_argument("--broker")
            where.add_argument("--gateway")
            one.add_argument("--display")
            one.add_argument("--for", dest="seconds", type=float)
        elif name == "answer":
            one.add_argument("word", choices=("yes", "later", "no"))
            one.add_argument("--question")
        elif name == "acknowledge":
            one.add_argument("advisory", nargs="?")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Carry out one command, ``run --home DIR`` for example, and return its exit status.

    Raises:
        TocsinError: whatever is wrong, for the caller to tell.
        KeyboardInterrupt: after Ctrl-C.
    """
    given = _parser().parse_args(arguments)
    match given.command:
        case "run":
            return run(
                given.home,
                broker=given.broker,
                gateway=given.gateway,
                display=given.display,
                seconds=given.seconds,
                as_json=given.json,
            )
        case "answer":
            answered = answer(given.home, given.word, given.question)
            said = f"Answered {given.word} to version {answered['version']}."
        case "acknowledge":
            answered = acknowledge(given.home, given.advisory)
            said = f"Acknowledged {', '.join(answered['acknowledged'])}."
        case "status":
            answered = status(given.home)
            said = json.dumps(answered, indent=2)
        case _:
            answered = reset(given.home)
            said = reset_words(answered)
    sys.stdout.write(f"{json.dumps(answered) if given.json else said}\n")
    return 0


# What an owner says to a device that runs.


def answer(home: Path, word: str, question: str | None = None) -> dict[str, Any]:
    """Answer what the device in this folder asks now (InputError, UnavailableError: NOT_RUNNING)."""
    request = {"do": "answer", "answer": word} | ({"question": question} if question is not None else {})
    return _called(home, request)


def acknowledge(home: Path, advisory: str | None = None) -> dict[str, Any]:
    """Acknowledge what the device in this folder shows (InputError, UnavailableError: NOT_RUNNING)."""
    request = {"do": "acknowledge"} | ({"advisory": advisory} if advisory is not None else {})
    return _called(home, request)


def status(home: Path) -> dict[str, Any]:
    """Return what the device in this folder shows (UnavailableError: NOT_RUNNING)."""
    return _called(home, {"do": "status"})


def reset(home: Path) -> dict[str, Any]:
    """Forget what the owner agreed to, wished and read: now, or when the device starts next.

    Raises:
        InputError: NO_DEVICE.
        UnavailableError: HOME_WRITE.
    """
    _require(home)
    answered = call(home, {"do": "reset"})
    if answered is not None:
        return answered
    try:
        (home / _RESET).touch(mode=0o600)
    except OSError as error:
        raise UnavailableError(
            "HOME_WRITE",
            f"The device's folder cannot be written ({error.strerror}).",
            mend="Check its permissions.",
            where=str(home),
        ) from None
    return {"reset": False}


def reset_words(answered: dict[str, Any]) -> str:
    """Return what to tell of a reset."""
    if answered["reset"]:
        return "Consents, wishes and acknowledgements are forgotten; what protects the device stays."
    return "The device does not run: it will forget consents, wishes and acknowledgements when it starts."


def _called(home: Path, request: dict[str, Any]) -> dict[str, Any]:
    _require(home)
    answered = call(home, request)
    if answered is None:
        message = "The device does not run."
        mend = "Start it with 'tocsin device run --home'."
        raise UnavailableError("NOT_RUNNING", message, mend=mend, where=str(home))
    return answered


def _require(home: Path) -> None:
    if not (home / "device.toml").is_file():
        mend = "Name the folder that holds device.toml."
        raise InputError("NO_DEVICE", "There is no device in this folder.", mend=mend, where=str(home))


# Being a device.


def run(
    path: Path,
    *,
    broker: str | None = None,
    gateway: str | None = None,
    display: str | None = None,
    seconds: float | None = None,
    as_json: bool = False,
) -> int:
    """Be the device of a folder until SIGTERM, Ctrl-C or the end of its time.

    Args:
        path: its folder.
        broker: where it listens, instead of what ``device.toml`` says.
        gateway: where it polls, instead of that.
        display: what it shows on, instead of that.
        seconds: end after so long; None: never.
        as_json: one object on stdout at the end, and nothing else there.

    Raises:
        InputError: what ``device.toml`` or the command line says cannot be.
        UnavailableError: RUNNING_ALREADY, or what the device needs is not there.
        DamagedError: HOME_DAMAGED.
        KeyboardInterrupt: after Ctrl-C.
    """
    _require(path)
    with _only_one(path):
        from device_sim.service import Service  # noqa: PLC0415 - answers need none of it

        service = Service(path, broker=broker, gateway=gateway, display=display, quiet=as_json)
        reset_wanted = (path / _RESET).exists()
        gc.collect()
        gc.freeze()  # what was imported stays; a collection need not look at it again
        got: list[int] = []
        started = time.monotonic()
        again = asyncio.run(_until_ended(service, seconds, got, reset=reset_wanted))
    (path / _RESET).unlink(missing_ok=True)
    if again:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the same program, started anew
    if as_json:
        _sum_up(service.events, time.monotonic() - started)
    if signal.SIGINT in got:
        raise KeyboardInterrupt
    return 0


async def _until_ended(service: Any, seconds: float | None, got: list[int], *, reset: bool) -> bool:
    """Run the device until it is told to end; True when it is to start again."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask(number: int) -> None:
        got.append(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask, number)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    again: bool = await service.run(stop, reset=reset)
    return again and not stop.is_set()


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the folder's lock for as long as the block lasts.

    Raises:
        UnavailableError: RUNNING_ALREADY, HOME_WRITE.
    """
    try:
        handle = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UnavailableError(
            "HOME_WRITE",
            f"The device's folder cannot be written ({error.strerror}).",
            mend="Check its permissions.",
            where=str(home),
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        message = "Another process runs this device already."
        mend = "Use that one, or end it first."
        raise UnavailableError("RUNNING_ALREADY", message, mend=mend, where=str(home)) from None
    finally:
        os.close(handle)


def _sum_up(events: Counter[str], seconds: float) -> None:
    sys.stdout.write(json.dumps({"devices": 1, "events": dict(events), "seconds": round(seconds, 1)}) + "\n")
