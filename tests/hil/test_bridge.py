"""A real board on a PTY, bridged to a real broker and gateway: the whole flow, and whatever fails in it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from advisories.states import NoticeState
from gateway.cli.demo.cast import Member
from hil.bench.line import Line
from hil.bench.session import Session
from hil.bridge.bridge import Bridge
from hil.bridge.effects import Event
from hil.smp.client import SmpClient
from tests.flow.invariants import ENVIRONMENT, TOCSIN, check_nothing_receipted_is_lost
from tests.gateway.brokers import mosquitto
from tests.hil.bridge_scene import (
    LIMIT_S,
    Gateway,
    Owner,
    board_of,
    drive,
    make_workspace,
    noticed,
    patched,
    publish_advisory,
    publish_patches,
    seen,
)

pytestmark = pytest.mark.usefixtures("left_nothing")
HIL = (sys.executable, "-c", "from gateway.cli.main import bench; bench()")
Given = Callable[[Path], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Member]:
    folder = tmp_path_factory.mktemp("made") / "workspace"
    return folder, make_workspace(folder)


@pytest.fixture
def workspace(made: tuple[Path, Member], tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    shutil.copytree(made[0], folder)
    return folder


@pytest.fixture
def member(made: tuple[Path, Member]) -> Member:
    return made[1]


@contextlib.contextmanager
def bridged(
    session: Session, url: str, events: list[Event], on_event: Callable[[Event], object] = repr
) -> Iterator[Bridge]:
    """A bridge that is open; ``on_event`` is told of each event too."""

    def told(event: Event) -> None:
        events.append(event)
        on_event(event)

    bridge = Bridge(session.smp.notifier, url, reopen=lambda: session.connect(0.0), on_event=told)
    try:
        bridge.open()
        yield bridge
    finally:
        bridge.close()


@contextlib.contextmanager
def in_process(_folder: Path) -> Iterator[str]:
    yield ""


@pytest.mark.parametrize(
    "given", [in_process, pytest.param(mosquitto, marks=pytest.mark.mosquitto)], ids=["iotcore", "mosquitto"]
)
def test_a_board_without_a_network_goes_through_the_whole_flow(
    given: Given, workspace: Path, member: Member, tmp_path: Path
) -> None:
    events: list[Event] = []
    with (
        given(tmp_path) as url,
        Gateway(workspace, tmp_path / "gateway.txt", url) as gateway,
        Session.open(board_of(workspace, member.id)) as session,
    ):
        owner = Owner(session)
        with bridged(session, gateway.url, events) as bridge:
            drive(bridge, lambda: member.id in seen(workspace).reporting)
            publish_advisory(workspace)
            drive(bridge, lambda: member.id in seen(workspace).acknowledged, between=owner.look)
            assert any("EX-2026-0001" in line for line in owner.lines)
            assert noticed(session, NoticeState.ACKNOWLEDGED)
            publish_patches(workspace)
            drive(bridge, lambda: member.id in seen(workspace).patched, between=owner.look)
            assert patched(session, member)
            assert owner.pressed == ["acknowledge", "yes"]
        kinds = {event.kind for event in events}
        assert kinds >= {"boot", "broker", "carrier", "to-board", "to-broker", "subscribe", "unsubscribe"}
        assert not [event for event in events if event.kind == "note"], events
        assert bridge.counts["boot"] == 2  # it restarted by itself, into the new version
        own = f"/device/{member.id}/"
        online = [event for event in events if event.topic.endswith(f"{own}online")]
        assert len(online) == bridge.counts["boot"]
        assert not session.smp.notifier.take()  # its carrier is gone: it says nothing more
    assert check_nothing_receipted_is_lost(workspace) > 0


class Trouble:
    """Does something at the first message to each of these topics, once a topic."""

    def __init__(self, acts: dict[str, Callable[[], object]]) -> None:
        self._acts = dict(acts)
        self._due: list[Callable[[], object]] = []

    @property
    def over(self) -> bool:
        return not self._acts and not self._due

    def told(self, event: Event) -> None:
        for leaf in list(self._acts):
            if event.kind == "to-board" and f"/{leaf}" in event.topic:
                self._due.append(self._acts.pop(leaf))

    def act(self) -> None:
        """After a step: the bridge is told of nothing."""
        while self._due:
            self._due.pop()()


def power_cut(session: Session, _gateway: Gateway) -> None:
    session.cut()
    session.power.on()


def broker_killed(_session: Session, gateway: Gateway) -> None:
    gateway.kill()
    gateway.__enter__()


def cable_pulled(session: Session, _gateway: Gateway) -> None:
    session.line.close()


def reset(session: Session, _gateway: Gateway) -> None:
    session.smp.os.reset()


@pytest.mark.parametrize(("first", "second"), [(power_cut, broker_killed), (reset, cable_pulled)])
def test_whatever_fails_in_the_middle_the_board_is_patched_in_the_end(
    first: Callable[[Session, Gateway], None],
    second: Callable[[Session, Gateway], None],
    workspace: Path,
    member: Member,
    tmp_path: Path,
) -> None:
    publish_advisory(workspace)
    events: list[Event] = []
    with (
        Gateway(workspace, tmp_path / "gateway.txt") as gateway,
        Session.open(board_of(workspace, member.id)) as session,
    ):
        owner = Owner(session)
        acts = {"notice": lambda: first(session, gateway), "block": lambda: second(session, gateway)}
        trouble = Trouble(acts)

        def look() -> None:
            # The owner is not there while the board is not.
            if session.line.alive and bridge.connected:
                owner.look()

        with bridged(session, gateway.url, events, trouble.told) as bridge:
            drive(bridge, lambda: member.id in seen(workspace).acknowledged, between=look, after=trouble.act)
            publish_patches(workspace)
            drive(bridge, lambda: member.id in seen(workspace).patched, between=look, after=trouble.act)
            assert patched(session, member)
        assert trouble.over
        assert {"line", "broker", "boot"} & {event.kind for event in events}
    assert check_nothing_receipted_is_lost(workspace) > 0


def bridge_program(folder: Path, url: str, output: Path) -> subprocess.Popen[bytes]:
    with output.open("ab") as stream:
        return subprocess.Popen(
            [*HIL, "bridge", "exercise", "--broker", url, "--wait", "5"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, "XDG_RUNTIME_DIR": str(folder)},
            cwd=folder,
        )


def test_a_bridge_that_is_killed_loses_nothing(workspace: Path, member: Member, tmp_path: Path) -> None:
    publish_advisory(workspace)
    publish_patches(workspace)
    bench, output = tmp_path / "bench", tmp_path / "bridge.txt"
    bench.mkdir()
    (bench / "hil-boards.toml").write_text(f'[board.exercise]\nlink = {{ url = "{tmp_path}/port" }}\n')
    board = [*TOCSIN, "device", "run", member.id, "--serial", f"pty:{tmp_path}/port", "--owner", "auto"]
    kills = ["/notice/", "/block"]
    with Gateway(workspace, tmp_path / "gateway.txt") as gateway:
        device = subprocess.Popen(
            [*board, "--workspace", str(workspace)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        try:
            assert device.stdout is not None
            assert device.stdout.readline().startswith(b"serial port: ")
            process = bridge_program(bench, gateway.url, output)
            try:
                end = time.monotonic() + LIMIT_S
                while member.id not in seen(workspace).patched:
                    assert process.poll() is None, output.read_text()
                    assert time.monotonic() < end, output.read_text()
                    if kills and kills[0] in output.read_text():
                        del kills[0]
                        process.kill()
                        process.wait()
                        process = bridge_program(bench, gateway.url, output)
                    time.sleep(0.02)
            finally:
                process.terminate()
                status = process.wait(LIMIT_S)
            assert status == 0, output.read_text()
            assert not kills
            line = Line.open(f"{tmp_path}/port")
            try:
                assert SmpClient(line).notifier.info().fw == "1.4.2"
            finally:
                line.close()
        finally:
            device.terminate()
            device.wait(LIMIT_S)
            device.stdout.close()
    assert "Traceback" not in output.read_text()
    assert check_nothing_receipted_is_lost(workspace) > 0
