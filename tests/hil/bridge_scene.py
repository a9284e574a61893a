"""A fleet's workspace, a gateway and a board, for tests of the bridge; every part is the real one."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from advisories.states import NoticeState, PatchState
from gateway.cli.demo.cast import FIXED_VERSION, Member
from gateway.cli.demo.measure import Measured, look
from gateway.cli.demo.stage import ADVISORY, no_passphrase, prepare
from gateway.operations import advisories, patches, rollouts
from gateway.operations.trust.choosing import signer_for
from gateway.workspace.folder import Workspace
from hil.bench.board import Board, Boot, Link, Power, Spawn
from hil.bench.session import Session
from hil.bench.spawn import free_port
from hil.bridge.bridge import Bridge
from tests.flow.invariants import ENVIRONMENT, TOCSIN

LIMIT_S = 120.0  # for anything that must happen; a failure, not a measurement


def make_workspace(folder: Path) -> Member:
    """Make a workspace with six devices; return one whose version is the vulnerable one."""
    stage = prepare(folder, 6, 1, int(time.time()))
    return next(member for member in stage.cast if member.affected and member.language == "en")


def publish_advisory(folder: Path) -> None:
    """Publish a notice that every role has signed."""
    workspace, now = Workspace.open(folder), int(time.time())
    for product in ("thermostat", "doorbell"):
        image = folder / "images" / f"{product}-{FIXED_VERSION[product]}.bin"
        patches.add(workspace, product, image, now=now, texts={"en": "Closes the weakness."})
    for role in ("engineering", "legal", "communications"):
        advisories.approve(workspace, advisories.review(workspace, ADVISORY, now=now), role, no_passphrase)
    advisories.publish(workspace, ADVISORY, signer_for(workspace, "operator", no_passphrase), now=now)


def publish_patches(folder: Path) -> None:
    """Publish each product's patch, and offer it to everybody."""
    workspace, now = Workspace.open(folder), int(time.time())
    for view in patches.every(workspace):
        reference = str(view.patch.sequence)
        for role in ("release", "security"):
            patches.approve(
                workspace, reference, role, no_passphrase, digest=view.patch.digest, now=now, by="exercise"
            )
        patches.publish(workspace, reference, signer_for(workspace, "operator", no_passphrase), now=now)
        rollouts.start(workspace, reference, now=now, percents=(100,), success=50, failure=60)


def board_of(folder: Path, device: str, *options: str) -> Board:
    """The board of a device: its program, on a PTY."""
    command = (
        *TOCSIN,
        "device",
        "run",
        device,
        "--serial",
        "pty:{pty}",
        "--workspace",
        str(folder),
        *(options or ("--test-build",)),
    )
    return Board(
        name=f"exercise-{device}",
        link=Link(),
        power=Power(driver="process"),
        boot=Boot(timeout_s=60.0, banner="^tocsin: boot "),
        spawn=Spawn(driver="process", command=command, serial=("pty",)),
        folder=folder,
    )


class Gateway:
    """A gateway with a broker in its process, or on a given one; stopped and started as a test likes."""

    def __init__(self, folder: Path, output: Path, url: str = "") -> None:
        self._folder, self._output = folder, output
        self._given = url
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._given or f"mqtt://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        where = ("--broker", self._given) if self._given else ("--port", str(self.port))
        before = self._told().count("Serving")
        with self._output.open("ab") as stream:
            self._process = subprocess.Popen(
                [*TOCSIN, "serve", *where, "--workspace", str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
            )
        end = time.monotonic() + LIMIT_S
        while self._told().count("Serving") == before:
            assert self._process.poll() is None, self._told()
            assert time.monotonic() < end, self._told()
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(LIMIT_S)

    def kill(self) -> None:
        """``kill -9`` of the gateway, and of the broker in its process."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(LIMIT_S)

    def _told(self) -> str:
        return self._output.read_text() if self._output.exists() else ""


def seen(folder: Path) -> Measured:
    """What the gateway's store says."""
    with Workspace.open(folder).store() as store:
        return look(store)


class Owner:
    """Who looks at the board over the line: reads, acknowledges, agrees."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.lines: tuple[str, ...] = ()
        self.pressed: list[str] = []
        self._read: set[tuple[str | None, int | None]] = set()

    def look(self) -> None:
        notifier = self._session.smp.notifier
        screen = notifier.notice()
        if screen is None:
            return
        which = (screen.id, screen.revision)
        if screen.id and which not in self._read:
            self._read.add(which)
            self.lines = screen.lines
            notifier.press("acknowledge")
            self.pressed.append("acknowledge")
        if screen.asks is not None:
            notifier.press("yes")
            self.pressed.append("yes")


def drive(
    bridge: Bridge,
    done: Callable[[], bool],
    *,
    between: Callable[[], object] = int,
    after: Callable[[], object] = int,
) -> None:
    """Let the bridge work until something is so.

    ``between`` is called whenever it has nothing to do, ``after`` after every step.
    """
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        worked = bridge.step()
        after()
        if not worked:
            between()
            if done():
                return
    raise AssertionError(f"still waiting after {LIMIT_S} s; passed so far: {dict(bridge.counts)}")


def noticed(session: Session, state: NoticeState) -> bool:
    """Whether the board says that the notice has come so far."""
    return any(
        row["id"] == ADVISORY and row["state"] >= state for row in session.smp.notifier.state().notices
    )


def patched(session: Session, member: Member) -> bool:
    """Whether the board says that it runs the fixed version, for good."""
    state = session.smp.notifier.state()
    return state.installed == FIXED_VERSION[member.product] and any(
        row["state"] == PatchState.SUCCEEDED for row in state.patches
    )
