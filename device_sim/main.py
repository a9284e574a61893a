"""A real device as one process: ``tocsin device run --home DIR``, and its owner's answers to it.

It starts in well under a second and needs little memory, for it imports what the device has and nothing else:
no command line framework, no display but its own, no gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from device_sim.control import RESET, call
from device_sim.lean import settle
from keys.errors import InputError, UnavailableError

COMMANDS: Final = ("run", "answer", "acknowledge", "status", "reset")
"""What is done here when a command line names ``--home``."""
INTERRUPTED: Final = 130
_LOCK: Final = ".running"


_VALUES: Final = {
    "run": ("--home", "--broker", "--gateway", "--display", "--for"),
    "answer": ("--home", "--question"),
    "acknowledge": ("--home",),
    "status": ("--home",),
    "reset": ("--home",),
}
"""Command -> its options that have a value; each also has ``--json``."""
_WORDS: Final = {"answer": 1, "acknowledge": 1}
"""Command -> how many words it takes beside."""


def main(arguments: Sequence[str]) -> int:
    """Carry out one command, ``run --home DIR`` for example, and return its exit status.

    Raises:
        TocsinError: whatever is wrong, for the caller to tell.
        KeyboardInterrupt: after Ctrl-C.
    """
    command, words, options = _read(arguments)
    home, as_json = Path(options["--home"]), "--json" in options
    match command:
        case "run":
            return run(
                home,
                broker=options.get("--broker"),
                gateway=options.get("--gateway"),
                display=options.get("--display"),
                seconds=_seconds(options.get("--for")),
                as_json=as_json,
            )
        case "answer":
            if not words:
                raise _usage("An answer is missing: yes, later or no.")
            answered = answer(home, words[0], options.get("--question"))
        case "acknowledge":
            answered = acknowledge(home, words[0] if words else None)
        case "status":
            answered = status(home)
        case _:
            answered = reset(home)
    sys.stdout.write(f"{json.dumps(answered) if as_json else spoken(answered)}\n")
    return 0


def _read(arguments: Sequence[str]) -> tuple[str, list[str], dict[str, str]]:
    """Read a command line; argparse would take more memory than what it reads for.

    Raises:
        InputError: USAGE.
    """
    command, *rest = arguments or [""]
    if command not in COMMANDS:
        raise _usage(f"'{command}' takes no --home.")
    words: list[str] = []
    options: dict[str, str] = {}
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if not name.startswith("-"):
            words.append(name + equals + value)
        elif name == "--json" and not equals:
            options[name] = ""
        elif name not in _VALUES[command]:
            raise _usage(f"No such option: {name}.")
        elif not equals and not rest:
            raise _usage(f"Option {name} requires an argument.")
        else:
            options[name] = value if equals else rest.pop(0)
    if len(words) > _WORDS.get(command, 0):
        raise _usage(f"Got unexpected extra argument ({words[-1]}).")
    if "--home" not in options:
        raise _usage("Option --home is missing.")
    return command, words, options


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text) if text is not None else None
    except ValueError:
        seconds = -1.0
    if seconds is not None and not 0 <= seconds < float("inf"):
        raise _usage(f"'{text}' is no number of seconds.")
    return seconds


def _usage(message: str) -> InputError:
    return InputError("USAGE", message, mend="Try --help.")


def spoken(answered: dict[str, Any]) -> str:
    """Return what a device answered, for people."""
    match answered:
        case {"answer": word, "version": version}:
            return f"Answered {word} to version {version}."
        case {"acknowledged": advisories}:
            return f"Acknowledged {', '.join(advisories)}."
        case {"reset": True}:
            return "Consents, wishes and acknowledgements are forgotten; what protects the device stays."
        case {"reset": False}:
            return "The device does not run: it forgets consents, wishes and acknowledgements when it starts."
    return json.dumps(answered, indent=2)


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
        (home / RESET).touch(mode=0o600)
    except OSError as error:
        raise UnavailableError(
            "HOME_WRITE",
            f"The device's folder cannot be written ({error.strerror}).",
            mend="Check its permissions.",
            where=str(home),
        ) from None
    return {"reset": False}


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
        broker: where the broker listens, instead of what ``device.toml`` says.
        gateway: what to poll, instead of that.
        display: what it shows on, instead of that.
        seconds: end after so long; None: never.
        as_json: one object on stdout at the end, and nothing else there.

    Raises:
        InputError: what ``device.toml`` or the command line says cannot be.
        UnavailableError: RUNNING_ALREADY, or what the device needs is not there.
        DamagedError: HOME_DAMAGED.
        KeyboardInterrupt: after Ctrl-C.
    """
    if broker is not None and gateway is not None:
        raise _usage("A device has a broker or polls a gateway, not both.")
    _require(path)
    with _only_one(path):
        settle()  # twice, so that not even for a moment more is held than the limit says
        from device_sim.service import Service  # noqa: PLC0415 - answers need none of it

        settle()
        service = Service(path, broker=broker, gateway=gateway, display=display, quiet=as_json)
        got: list[int] = []
        started = time.monotonic()
        again = asyncio.run(_until_ended(service, seconds, got))
    if again:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the same program, started anew
    if as_json:
        _sum_up(service.events, time.monotonic() - started)
    if signal.SIGINT in got:
        raise KeyboardInterrupt
    return 0


async def _until_ended(service: Any, seconds: float | None, got: list[int]) -> bool:
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
    again: bool = await service.run(stop)
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
