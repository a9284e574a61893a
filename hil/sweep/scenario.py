"""What is repeated at every point of a sweep."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hil.bench.session import Session
from hil.errors import BenchError, DeviceRebooted, SmpFailure, SmpRefused
from hil.smp.notifier import Screen
from hil.sweep.invariants import names
from hil.sweep.look import drain
from keys.errors import InputError, TocsinError

MESSAGES_FILE: Final = "messages.toml"
MESSAGES_MAX: Final = 10_000
MESSAGE_BYTES_MAX: Final = 1 << 20
TRIALS: Final = 3
"""Restarts until a trial is over: one to begin it, one to end it, and one more."""
RESTART_S: Final = 1.0
"""From the answer to os.reset until a board without a banner must have restarted; Zephyr takes 0.25 s."""
_POLL_S: Final = 0.01
SETTLE_S: Final = 60.0
"""Longest time that a device is waited for after the last message."""
QUIET_S: Final = 1.0
"""A device that says and asks nothing for so long has settled."""

Watch = Callable[[Screen | None], None]
"""Told of what is shown on the way: all of it is genuine in an undisturbed run."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something that a board shall survive.

    Attributes:
        name: as in the result.
        run: does it; whatever it raises of the board is no failure of the sweep, for the power is cut in it.
        prepare: brings the board to where it begins; raises what cannot be.
        images: whole images that may lie in a slot.
    """

    name: str
    run: Callable[[Session, Watch], object]
    prepare: Callable[[Session], object] = lambda _: None
    images: tuple[bytes, ...] = ()


def upload(image: bytes, back: bytes | None = None) -> Scenario:
    """Return: an image is sent, tried, booted and confirmed.

    Args:
        image: the new image.
        back: an image to go back to where the new one runs already; else the board must be flashed anew.
    """

    def prepare(session: Session) -> None:
        _end_trial(session)
        if _runs(session, image):
            if back is None:
                message = f"The board {session.board.name} already runs the new image."
                raise BenchError(
                    "CANNOT_GO_BACK", message, mend="Give the old image with --back, or use --flash."
                )
            _update(session, back)
        with contextlib.suppress(SmpRefused):  # a slot that is empty, or that the board keeps
            session.smp.img.erase()

    return Scenario(
        "upload",
        lambda session, _: _update(session, image),
        prepare,
        (image,) if back is None else (image, back),
    )


def _end_trial(session: Session) -> None:
    """Restart the board until no image is on trial, nor waits for one: it goes back to the confirmed one."""
    for _ in range(TRIALS):
        if not any(slot.pending or (slot.active and not slot.confirmed) for slot in session.smp.img.state()):
            return
        restart(session)


def restart(session: Session) -> None:
    """Restart the board as its file says, and do not wait for one whose power is cut meanwhile."""
    if session.board.reset.by != "smp" or not session.board.boot.banner:
        session.reset()
        return
    since = session.line.mark()
    session.line.event("reset")
    session.smp.os.reset()
    await_restart(session, since)


def await_restart(session: Session, since: int) -> None:
    """Wait until a board that was told to restart has done so: until then it still answers.

    Without a banner in its file that cannot be seen, and it is waited for a moment.

    Args:
        session: the board.
        since: a mark of the line from before.

    Raises:
        DeviceHung: it did not come back.
        DeviceGone: its port did not come back.
    """
    limit = session.board.boot.timeout_s if session.board.boot.banner else RESTART_S
    deadline = time.monotonic() + limit
    while session.line.alive and not session.line.rebooted(since) and time.monotonic() < deadline:
        threading.Event().wait(_POLL_S)
    session.wait_ready()


def _runs(session: Session, image: bytes) -> bool:
    return any(slot.active and names(slot.hash, image) for slot in session.smp.img.state())


def _update(session: Session, image: bytes) -> None:
    img = session.smp.img
    img.upload(image)
    spare = [slot for slot in img.state() if not slot.active and names(slot.hash, image)]
    if not spare:
        raise BenchError(
            "NO_SUCH_IMAGE",
            "The board lists no slot with the image that it was sent.",
            mend="Check that the file is an image for this board.",
        )
    img.test(spare[0].hash)
    restart(session)
    img.confirm()


def update(folder: Path) -> Scenario:
    """Return: recorded messages are delivered in order, and the owner agrees to what is asked.

    Args:
        folder: ``messages.toml`` with ``[[message]]`` tables of ``file`` and ``topic``, and the files.

    Raises:
        InputError: MESSAGES, with the file.
    """
    messages = _messages(folder)

    def run(session: Session, watch: Watch) -> None:
        notifier = session.smp.notifier
        notifier.carrier(True)
        for topic, data in messages:
            notifier.deliver(data, topic)
            _agree(session, watch)
        _settle(session, watch)

    first: list[str] = []  # the version that ran before anything was delivered

    def prepare(session: Session) -> None:
        first.append(session.smp.notifier.state().installed)
        factory_new(session, first[0])

    return Scenario("update", run, prepare)


def _settle(session: Session, watch: Watch) -> None:
    """Wait until the device has said and asked nothing for a while: it may install, and restart."""
    began = heard = time.monotonic()
    while (now := time.monotonic()) < min(heard + QUIET_S, began + SETTLE_S):
        try:
            if _agree(session, watch):
                heard = now
        except (DeviceRebooted, SmpRefused):  # it restarts by itself, and forgets what it was about to say
            heard = now
            session.wait_ready()
            session.smp.notifier.carrier(True)
        threading.Event().wait(_POLL_S)


def _agree(session: Session, watch: Watch) -> bool:
    """Take what is said, press yes where consent is asked; say whether anything happened."""
    said: list[object] = []
    drain(session, said.append)
    screen = session.smp.notifier.notice()
    watch(screen)
    if screen is not None and screen.asks:
        session.smp.notifier.press("yes")
        said.append(screen)
    return bool(said)


def factory_new(session: Session, version: str) -> None:
    """Erase what the device has learnt, and let it run a version again, where its firmware can.

    Raises:
        BenchError: CANNOT_GO_BACK.
    """
    notifier = session.smp.notifier
    if "notifier.provision" in session.capabilities:
        notifier.provision("erase")
        if notifier.state().installed != version:
            notifier.provision("version", version.encode())
        restart(session)
    if notifier.state().installed != version:
        message = f"The board {session.board.name} does not run {version} any more."
        raise BenchError("CANNOT_GO_BACK", message, mend="Use a test build, or --flash.")


def _messages(folder: Path) -> list[tuple[str, bytes]]:
    listed = folder / MESSAGES_FILE
    try:
        table = tomllib.loads(listed.read_text(encoding="utf-8"))
        rows = table.get("message", [])
        if not isinstance(rows, list) or set(table) != {"message"} or not 0 < len(rows) <= MESSAGES_MAX:
            raise ValueError("it needs [[message]] tables, and nothing else")  # noqa: TRY301 - one way to say it
        return [_message(folder, row) for row in rows]
    except OSError as error:
        where, why = error.filename or str(listed), error.strerror or type(error).__name__
        raise InputError(
            "MESSAGES", f"It cannot be read: {why}.", mend="Check the path.", where=where
        ) from None
    except (ValueError, RecursionError) as error:
        mend = "Write file and topic in each."
        raise InputError("MESSAGES", f"This list is wrong: {error}.", mend=mend, where=str(listed)) from None


def _message(folder: Path, row: Any) -> tuple[str, bytes]:
    if not isinstance(row, dict) or set(row) != {"file", "topic"}:
        raise ValueError("a message has file and topic")
    file, topic = row["file"], row["topic"]
    if not isinstance(file, str) or not isinstance(topic, str) or Path(file).name != file:
        raise ValueError("a file is a name in the same folder, and a topic is text")
    data = (folder / file).read_bytes()
    if not 0 < len(data) <= MESSAGE_BYTES_MAX:
        raise ValueError(f"{file} has {len(data)} bytes")
    return topic, data


def named(text: str, path: Sequence[str] = (".",)) -> Scenario:
    """Return a user's own scenario, ``module:function``; the module may have ``prepare`` and ``IMAGES`` too.

    Args:
        text: which function; it is called with the session.
        path: folders in which the module is looked for first.

    Raises:
        InputError: SCENARIO.
    """
    module_name, _, function = text.partition(":")
    sys.path[:0] = path
    try:
        module = importlib.import_module(module_name)
        run = getattr(module, function)
    except Exception as error:  # noqa: BLE001 - a module of the user's may raise whatever it likes
        message = f"The scenario {text!r} cannot be found: {_told(error)}."
        mend = "Write upload, update, or module:function."
        raise InputError("SCENARIO", message, mend=mend) from None
    finally:
        del sys.path[: len(path)]
    begin = getattr(module, "prepare", lambda _: None)

    def prepare(session: Session) -> None:
        try:
            begin(session)
        except TocsinError:
            raise
        except Exception as error:  # noqa: BLE001 - a function of the user's may raise whatever it likes
            message = f"The scenario {text!r} cannot be prepared: {_told(error)}."
            raise BenchError("SCENARIO_FAILED", message, mend="Mend that first.") from None

    return Scenario(text, lambda session, _: run(session), prepare, tuple(getattr(module, "IMAGES", ())))


def attempt(scenario: Scenario, session: Session, watch: Watch = lambda _: None) -> str:
    """Run a scenario in which the power may be cut; return how it ended: empty if it went through."""
    try:
        scenario.run(session, watch)
    except (SmpFailure, SmpRefused) as error:
        return f"{error.code}: {error}"
    except BenchError as error:
        if error.code.startswith(("PORT_", "SPAWN_")):  # the port went with the power
            return f"{error.code}: {error}"
        raise
    except TocsinError:
        raise
    except Exception as error:  # noqa: BLE001 - a function of the user's may raise whatever it likes
        return _told(error)
    return ""


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removeprefix("ModuleNotFoundError: ")
