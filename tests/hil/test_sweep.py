"""The power is cut at every point of a scenario; invariants hold, and every planted bug breaks its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from device_sim.home import Home
from gateway.cli.run import run
from hil.bench.board import Board, Boot, Flash, Power
from hil.bench.session import Session
from hil.errors import BenchError
from hil.sweep import scenario as scenarios
from hil.sweep.points import Cut, Point
from hil.sweep.scenario import Scenario, update, upload
from hil.sweep.sweep import Result, Sweep
from keys.errors import InputError
from tests.device_sim.core.firmware import NEW, image
from tests.device_sim.serial.wire import OLD as OLD_IMAGE
from tests.device_sim.serial.world import SerialWorld
from tests.hil import sim_board
from tests.hil.sim_board import board_at
from tests.hil.sweeping import NEW_FILE, OLD_FILE, WAIT_S

# Real boards: the simulated device, a process that is killed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    sim_board.make_home(tmp_path / "home", OLD_FILE)
    return tmp_path / "home"


def swept(
    board: Board, scenario: Scenario, cut: Cut, number: int | None = None, at: list[Point] | None = None
) -> list[Result]:
    with Session.open(board) as session:
        sweep = Sweep(session, scenario)
        calm = sweep.undisturbed()
        return list(sweep.run(at or sweep.points(cut, calm, number), calm))


def holds(results: list[Result], reached: int | None = None) -> None:
    """Nothing broke; a slow restart has more frames, so the last points of a sweep over frames may come too late."""
    assert [result for result in results if result.broken] == []
    assert all(result.reached for result in results[:reached])
    assert {result.outcome for result in results} == {"old", "new"}


@pytest.mark.usefixtures("left_nothing")
def test_an_upload_survives_a_cut_at_every_frame(home: Path) -> None:
    results = swept(board_at(home), upload(NEW_FILE, OLD_FILE), Cut.FRAMES)
    assert len(results) >= 10
    holds(results, 8)
    assert results[0].outcome == "old"
    assert results[-1].outcome == "new"


@pytest.mark.usefixtures("left_nothing")
def test_an_upload_survives_a_cut_at_every_write_before_torn_and_after(home: Path) -> None:
    results = swept(board_at(home), upload(NEW_FILE, OLD_FILE), Cut.WRITES)
    assert len(results) >= 15
    assert [result.point.when for result in results[:3]] == ["before", "torn", "after"]
    holds(results)


@pytest.mark.usefixtures("left_nothing")
def test_cuts_by_offset_console_and_time(home: Path) -> None:
    scenario, board = upload(NEW_FILE, OLD_FILE), board_at(home)
    (offset,) = swept(board, scenario, Cut.OFFSETS, 1)
    assert (offset.reached, offset.outcome, offset.broken) == (True, "old", {})
    (said,) = swept(board, scenario, Cut.CONSOLE, at=[Point(Cut.CONSOLE, pattern="boot reset, slot 1")])
    assert (said.reached, said.broken) == (True, {})
    waits = Scenario("waits", lambda session, _: session.line.receive(WAIT_S))
    with Session.open(board) as session:
        calm = Sweep(session, Scenario("nothing", lambda *_: None)).undisturbed()
        (timed,) = Sweep(session, waits).run([Point(Cut.SECONDS, 0.05)], calm)
    assert (timed.reached, timed.outcome, timed.broken) == (True, "old", {})


class Recorder(SerialWorld):
    """A fleet's messages, as a gateway and broker send them to one device."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sent: list[tuple[str, bytes]] = []

    def deliver(self, topic: str, payload: bytes) -> None:
        self.sent.append((topic, payload))
        super().deliver(topic, payload)


@pytest.fixture
async def recorded(tmp_path: Path) -> Path:
    """A folder of the messages of a whole patch, and the device's folder beside it."""
    world = Recorder(tmp_path / "world")
    world.roll_out(world.notice(), data=image(NEW, size=6_000))
    world.start()
    world.pump()
    world.connect()
    world.advance(10)
    world.close()
    folder = tmp_path / "messages"
    folder.mkdir()
    rows = []
    for number, (topic, payload) in enumerate(world.sent):
        (folder / f"{number:03}.bin").write_bytes(payload)
        rows.append(f'[[message]]\nfile = "{number:03}.bin"\ntopic = "{topic}"\n')
    (folder / "messages.toml").write_text("".join(rows))
    key = world.fleet.device(world.profile.id, world.profile.product)
    Home.create(tmp_path / "home", world.profile, key, world.root_1, OLD_IMAGE, durable=False)
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("left_nothing")
def test_a_whole_signed_patch_survives_a_cut_at_every_write(recorded: Path) -> None:
    with Session.open(board_at(recorded.parent / "home")) as session:
        sweep = Sweep(session, update(recorded))
        calm = sweep.undisturbed()
        assert calm.after.device is not None
        assert calm.after.device.installed == "1.4.2"
        assert calm.after.report is not None
        assert calm.known.screens
        assert calm.writes >= 15
        results = list(sweep.run(sweep.points(Cut.WRITES, calm, 3), calm))
    holds(results)
    assert len(results) == 9


@pytest.mark.parametrize("bug", ["whole", "signed", "floors", "counts", "truthful"])
def test_a_planted_bug_is_caught_by_its_invariant(bug: str, home: Path) -> None:
    results = swept(board_at(home, bug), upload(NEW_FILE, OLD_FILE), Cut.FRAMES, at=[Point(Cut.FRAMES, 1)])
    (result,) = results
    assert bug in result.broken
    assert set(result.broken) <= {bug, "truthful"}  # a state that lies differs from an honest report as well


def test_a_board_that_never_answers_again_is_caught_and_ends_the_sweep(home: Path) -> None:
    board = board_at(home, "hangs", boot=Boot(timeout_s=4.0, banner="^tocsin: boot "))
    points = [Point(Cut.FRAMES, n) for n in (1, 2, 3)]
    results = swept(board, upload(NEW_FILE, OLD_FILE), Cut.FRAMES, at=points)
    assert [(one.outcome, list(one.broken)) for one in results] == [("silent", ["answers"])]


def test_what_the_bench_cannot_do_is_told_before_anything_is_cut(home: Path) -> None:
    flash = Flash(command=("true",))
    with Session.open(board_at(home, flash=flash)) as session:
        Sweep(session, upload(NEW_FILE), flash=True)
        alone = Sweep(session, upload(NEW_FILE))
        calm = alone.undisturbed()
        with pytest.raises(BenchError) as caught:
            alone.undisturbed()
        assert caught.value.code == "CANNOT_GO_BACK"
        for cut, number, code in (
            (Cut.OFFSETS, None, "NO_POINTS"),
            (Cut.CONSOLE, 3, "NO_POINTS"),
        ):
            with pytest.raises(InputError) as wish:
                alone.points(cut, calm, number)
            assert wish.value.code == code
        failing = Scenario("fails", lambda session, _: session.smp.img.test(b"x" * 32))
        with pytest.raises(BenchError) as caught:
            Sweep(session, failing).undisturbed()
        assert caught.value.code == "SCENARIO_FAILED"
        wrong = Scenario("wrong image", upload(b"no image at all" * 9).run)
        with pytest.raises(BenchError) as caught:
            Sweep(session, wrong).undisturbed()
        assert caught.value.code == "SCENARIO_FAILED"
    with Session.open(board_at(home, power=Power(driver="none"))) as session:
        with pytest.raises(BenchError) as caught:
            Sweep(session, upload(NEW_FILE))
        assert caught.value.code == "NO_POWER"
    with Session.open(board_at(home)) as session:
        with pytest.raises(BenchError) as caught:
            Sweep(session, upload(NEW_FILE), flash=True)
        assert caught.value.code == "NO_FLASH"


def test_a_board_is_flashed_before_each_point_where_that_is_wished(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "flash.sh"
    script.write_text(f"rm -rf {home} && cp -r {home}.new {home} && echo once >> {tmp_path / 'flashed'}\n")
    subprocess.run(["cp", "-r", str(home), f"{home}.new"], check=True)
    board = board_at(home, flash=Flash(command=("sh", str(script))), folder=tmp_path)
    with Session.open(board) as session:
        sweep = Sweep(session, upload(NEW_FILE), flash=True)
        calm = sweep.undisturbed()
        results = list(sweep.run([Point(Cut.FRAMES, 10_000), Point(Cut.FRAMES, 1)], calm))
    assert [(one.reached, one.outcome, one.broken) for one in results] == [
        (False, "new", {}),
        (True, "old", {}),
    ]
    assert (tmp_path / "flashed").read_text() == "once\n" * 3


def test_a_device_that_cannot_be_made_new_again_is_not_swept_on(home: Path) -> None:
    with Session.open(board_at(home)) as session:
        version = session.smp.notifier.state().installed
        scenarios.factory_new(session, version)
        session._found = session.capabilities - {"notifier.provision"}
        scenarios.factory_new(session, version)
        with pytest.raises(BenchError) as caught:
            scenarios.factory_new(session, "9.9.9")
        assert caught.value.code == "CANNOT_GO_BACK"


# The command


@pytest.fixture
def bench(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    (tmp_path / "new.bin").write_bytes(NEW_FILE)
    (tmp_path / "old.bin").write_bytes(OLD_FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def write(bug: str = "", *, destructive: bool = True, timeout_s: float = WAIT_S) -> None:
        command = json.dumps(
            [sys.executable, sim_board.__file__, str(home), "{port}", *([bug] if bug else [])]
        )
        (tmp_path / "hil-boards.toml").write_text(f"""
[board.sim1]
link = {{ smp_buf = 512 }}
spawn = {{ driver = "process", command = {command}, serial = ["tcp"] }}
power = {{ driver = "process" }}
reset = {{ by = "smp" }}
boot = {{ ready = "echo", timeout_s = {timeout_s}, banner = "^tocsin: boot " }}
destructive = {json.dumps(destructive)}
""")

    write()
    return write


UPLOAD = ["powersweep", "sim1", "--image", "new.bin", "--back", "old.bin"]


def test_hil_powersweep_prints_a_row_a_point_and_writes_junit_and_trace(
    bench: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [
        "--cut",
        "writes",
        "--at",
        "1:torn",
        "--at",
        "9000:torn",
        "--junitxml",
        "r.xml",
        "--trace",
        "t.pcapng",
    ]
    assert run([*UPLOAD, *more], "hil") == 0
    printed = capsys.readouterr().out
    assert "write 1 torn" in printed
    assert "samples" not in printed
    assert "some of the writes" in printed
    assert "2 of 2 points: 1 new, 1 old; 0 broke an invariant. 1 came too late to cut anything." in printed
    suite = ET.parse(tmp_path / "r.xml").getroot()[0]
    assert [case.get("name") for case in suite] == [
        "write 1 torn",
        "write 9000 torn",
    ]
    assert run(["trace", "check", "t.pcapng"], "hil") == 0
    capsys.readouterr()
    assert run([*UPLOAD, "--points", "2", "--json"], "hil") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["done"], data["complete"], data["broken"]) == (2, True, 0)
    assert "samples of time" in data["claim"]


def test_a_broken_invariant_is_status_one_and_a_bench_that_cannot_is_three(
    bench: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench("signed")
    assert run([*UPLOAD, "--at", "1", "--junitxml", "r.xml"], "hil") == 1
    printed = capsys.readouterr().out
    assert "BROKEN signed: it shows 'EX-FORGED'" in printed
    assert ET.parse(tmp_path / "r.xml").getroot().get("failures") == "1"
    bench(destructive=False)
    assert run(UPLOAD, "hil") == 3
    assert "destructive = true" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["powersweep", "sim1"], "Give --image"),
        (["powersweep", "sim1", "--scenario", "update"], "Give --messages"),
        (["powersweep", "sim1", "--scenario", "nothing:here"], "cannot be found"),
        (["powersweep", "sim1", "--image", "none"], "cannot be read"),
        (["powersweep", "sim1", "--image", "empty"], "0 bytes"),
        ([*UPLOAD, "--points", "0"], "no number of points"),
        ([*UPLOAD, "--points", "some"], "no number of points"),
        ([*UPLOAD, "--at", "x"], "no point"),
    ],
)
@pytest.mark.usefixtures("bench")
def test_wrong_options_are_told_before_the_board_is_touched(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert run(arguments, "hil") == 2
    assert says in capsys.readouterr().err


@pytest.mark.usefixtures("bench")
def test_ctrl_c_ends_a_sweep_with_what_is_known_so_far(tmp_path: Path) -> None:
    code = "from gateway.cli.main import bench; bench()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *UPLOAD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("frame 1 "):
                break
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    assert "The sweep was cut short." in rest
    assert "Interrupted" in err
    left = subprocess.run(["pgrep", "-f", str(tmp_path / "home")], capture_output=True, check=False)
    assert left.stdout == b""
