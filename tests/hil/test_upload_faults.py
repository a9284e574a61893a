"""An image over a faulty line: it arrives whole, or fails soon and says why; nothing ever acts twice."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisories import mcuboot
from hil.bench.board import Board, Link
from hil.bench.line import Line
from hil.bench.session import Session
from hil.errors import DeviceHung, SmpFailure, SmpRefused
from hil.smp.client import SmpClient
from hil.smp.frames import encode
from hil.wire import trace
from hil.wire.faults import FaultPlan, Faults
from hil.wire.record import Direction, Kind
from hil.wire.repeats import repeats
from hil.wire.trace import Trace
from tests.hil import sim_board
from tests.hil.bridge_scene import board_of, make_workspace
from tests.hil.image_peer import ImagePeer
from tests.hil.sim_board import board_at

IMAGE = mcuboot.pack(random.Random(4).randbytes(12_000), (1, 0, 1, 0))
KINDS = ["drop", "flip", "split", "dup", "delay", "noise"]
SECONDS = {"delay": {"seconds": 0.08}, "split": {"seconds": 0.02}}
BOUND_S = 60.0  # generous: no measurement, but the end of waiting


def rules(kind: str, chance: float) -> dict[str, object]:
    return {"kind": kind, "probability": chance, **SECONDS.get(kind, {})}


@contextlib.contextmanager
def upload_line(
    peer: ImagePeer, faults: Faults | None, path: Path, *, retries: int = 5, timeout_s: float = 0.9
) -> Iterator[tuple[Line, SmpClient]]:
    with Trace(path) as tap:
        line = Line.open(peer.url, taps=[tap])
        line.shaper = faults
        try:
            yield line, SmpClient(line, timeout_s=timeout_s, retries=retries)
        finally:
            line.close()


def first_seed(plan: list[dict[str, object]], start: int) -> int:
    """The first seed with which a frame in each direction is hit early: else a case would prove nothing."""
    frame = encode(bytes(60))
    for seed in itertools.count(start):
        faults = Faults(FaultPlan.of(*plan), seed)
        for way in (Direction.TO_BOARD, Direction.FROM_BOARD):
            for _ in range(30):
                faults(way, frame, 0.0)
        if {deed["direction"] for deed in faults.log} == {"to-board", "from-board"}:
            return seed
    raise AssertionError


PLANS = {f"{kind}-{chance:.0%}": [rules(kind, chance)] for kind in KINDS for chance in (0.01, 0.02, 0.05)}
PLANS["everything-1%"] = [rules(kind, 0.01) for kind in KINDS]
CASES = [
    pytest.param(plan, first_seed(plan, n * 100), id=name) for n, (name, plan) in enumerate(PLANS.items())
]


@contextlib.contextmanager
def device(board: Board, path: Path) -> Iterator[Session]:
    with Trace(path) as tap, Session.open(board, taps=[tap]) as session:
        session.smp.timeout_s, session.smp.retries, session.smp.buffer_bytes = 0.9, 5, 384
        yield session


def arrives(session: Session, plan: list[dict[str, object]], seed: int) -> None:
    """Upload over a faulty line, then read back on a good one which image the slot holds."""
    print(f"seed {seed}")
    faults = session.line.shaper = Faults(FaultPlan.of(*plan), seed)
    session.smp.img.upload(IMAGE)
    session.line.shaper = None
    (spare,) = [slot for slot in session.smp.img.state() if not slot.active]
    assert spare.hash == mcuboot.parse(IMAGE).digest
    assert {deed["kind"] for deed in faults.log} <= {str(rule["kind"]) for rule in plan}
    assert {deed["direction"] for deed in faults.log} == {"to-board", "from-board"}


@pytest.mark.parametrize(("plan", "seed"), CASES)
def test_an_image_arrives_whole_over_a_faulty_line(
    plan: list[dict[str, object]], seed: int, tmp_path: Path
) -> None:
    sim_board.make_home(tmp_path / "home", mcuboot.pack(b"old" * 99, (1, 0, 0, 0)), slot_bytes=32_768)
    with device(board_at(tmp_path / "home", link=Link()), tmp_path / "t.pcapng") as session:
        arrives(session, plan, seed)
    assert (tmp_path / "home" / "slot-1.bin").read_bytes()[: len(IMAGE)] == IMAGE
    assert repeats(trace.load(tmp_path / "t.pcapng")) == []


def test_an_image_arrives_whole_at_the_device_as_it_is_shipped(tmp_path: Path) -> None:
    member = make_workspace(tmp_path / "fleet")
    board = board_of(tmp_path / "fleet", member.id)
    with device(board, tmp_path / "t.pcapng") as session:
        arrives(session, PLANS["everything-1%"], first_seed(PLANS["everything-1%"], 7))
    assert repeats(trace.load(tmp_path / "t.pcapng")) == []


def test_an_image_arrives_whole_at_a_server_that_talks_between_its_answers(tmp_path: Path) -> None:
    plan = PLANS["everything-1%"]
    faults = Faults(FaultPlan.of(*plan), first_seed(plan, 5))
    with (
        ImagePeer(noise=b"I: uploading\r\n") as peer,
        upload_line(peer, faults, tmp_path / "t.pcapng") as (_, client),
    ):
        client.img.upload(IMAGE)
        assert bytes(peer.image) == IMAGE
    assert repeats(trace.load(tmp_path / "t.pcapng")) == []


@pytest.mark.parametrize("way", ["to-board", "from-board", "both"])
def test_where_nothing_comes_through_an_upload_ends_soon_and_names_the_last_frame(
    way: str, tmp_path: Path
) -> None:
    everything = Faults(FaultPlan.of({"kind": "drop", "probability": 1.0, "direction": way}), 1)
    began = time.monotonic()
    with (
        ImagePeer() as peer,
        upload_line(peer, None, tmp_path / "t.pcapng", retries=2, timeout_s=0.3) as (line, client),
    ):

        def cut(done: int, _: int) -> None:
            if done > 5_000:
                line.shaper = everything

        with pytest.raises(DeviceHung) as caught:
            client.img.upload(IMAGE, progress=cut)
    assert time.monotonic() - began < BOUND_S
    told = trace.load(tmp_path / "t.pcapng")
    answers = [one.data for one in told if (one.direction, one.kind) == (Direction.FROM_BOARD, Kind.MESSAGE)]
    assert caught.value.last_frame == answers[-1]
    assert "img.upload" in str(caught.value)
    assert repeats(told) == []


def test_where_nothing_ever_came_that_is_said(tmp_path: Path) -> None:
    faults = Faults(FaultPlan.of({"kind": "drop", "probability": 1.0}), 1)
    with (
        ImagePeer() as peer,
        upload_line(peer, faults, tmp_path / "t.pcapng", retries=1, timeout_s=0.3) as (_, client),
    ):
        with pytest.raises(DeviceHung) as caught:
            client.img.upload(IMAGE, erase_s=0.5)
        assert caught.value.last_frame == b""
        assert peer.image == b""


def test_no_command_that_acts_is_ever_sent_twice(tmp_path: Path) -> None:
    """Each is asked once by the test; a third of all frames is lost, and some come late."""
    faults = Faults(
        FaultPlan.of(
            {"kind": "drop", "probability": 0.3}, {"kind": "delay", "probability": 0.3, "seconds": 0.15}
        ),
        7,
    )
    failed = 0
    with ImagePeer() as peer, upload_line(peer, faults, tmp_path / "t.pcapng", retries=1) as (_, client):
        client.timeout_s = 0.1
        asked = [lambda n=n: client.img.test(bytes([n]) * 32) for n in range(5)]
        asked += [lambda n=n: client.img.erase(n) for n in range(2)]
        asked += [client.img.confirm, client.os.reset]
        for ask in asked:
            try:
                ask()
            except (SmpFailure, SmpRefused):
                failed += 1
    assert failed, "the seed was chosen so that something is lost"
    assert len(peer.acted) == len(set(peer.acted))
    assert repeats(trace.load(tmp_path / "t.pcapng")) == []
