"""``tocsin demo --hil`` with the device in C: in QEMU, behind its serial line, it is a device like any other."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from advisories.report import Track
from advisories.states import NoticeState, PatchState
from gateway.cli.demo import refdevice
from gateway.cli.demo.cast import FIRST_BUILD, FIXED_VERSION, draw
from gateway.cli.demo.refdevice import KEPT, braille, drawn_last
from gateway.cli.demo.stage import ADVISORY, prepare
from gateway.operations import fonts
from gateway.store import schema
from gateway.workspace.folder import Workspace
from keys.errors import InputError, UnavailableError
from keys.reasons import Reason
from tests.flow.invariants import ENVIRONMENT, TOCSIN, interrupt, no_anomalies, start
from tests.flow.test_demo_hil import LIMIT_S, LOGGED, until_gone
from tests.gateway.brokers import mosquitto
from tests.hil.conformance.boards import needed

DEVICES, SEED = 7, 3
CAST = draw(DEVICES, SEED, board=True)
BOARD = CAST[-1]
SIZES = ("--devices", str(DEVICES), "--seed", str(SEED))


def tools() -> None:
    """Skip the test where QEMU or the compiler is missing; fail it where CI is true."""
    for program, package in refdevice.TOOLS:
        needed(program, package)
    if not fonts.installed():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            "GNU Unifont is not installed (Debian: apt-get install fonts-unifont)"
        )


def told(*arguments: str | Path, status: int = 0) -> str:
    """What a command prints."""
    done = subprocess.run(
        [*TOCSIN, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def machines(folder: Path) -> list[Path]:
    """Processes of QEMU that run in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = (process / "cmdline").read_bytes().split(b"\0")[0]
            if name == b"qemu-system-arm" and (process / "cwd").readlink() == folder:
                found.append(process)
    return found


def qemu_of(folder: Path, demo: subprocess.Popen[bytes], output: Path) -> Path:
    """QEMU's process, once there is one."""
    end = time.monotonic() + LIMIT_S
    while not (found := machines(folder)):
        assert demo.poll() is None, output.read_text()
        assert time.monotonic() < end, output.read_text()
        time.sleep(0.02)
    return found[0]


def until_dark(folder: Path) -> None:
    """Wait until no process of the demo is left."""
    until_gone(folder)
    end = time.monotonic() + LIMIT_S
    while machines(folder):
        assert time.monotonic() < end
        time.sleep(0.02)


def sockets_of(process: Path, port: int) -> tuple[set[str], set[str]]:
    """Inodes of all sockets that a process has, of any kind; and of those that are TCP on one local port."""
    links = set()
    for handle in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.add(str(handle.readlink()))
    every = {found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))}
    rows = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
    return every, {row[9] for row in rows if int(row[1].rpartition(":")[2], 16) == port}


def check_summary(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["devices"] == DEVICES + 1
    assert summary["verified"] == DEVICES + 1
    assert summary["shown"] == summary["acknowledged"] == DEVICES + 1
    assert summary["patched"] == DEVICES
    assert summary["reverted"] == 2  # the simulated one that fails its self-test, and the one in C once
    board = summary["refdevice"]
    assert (board["device"], board["language"], board["runs"]) == (BOARD.id, "ja", "1.4.2")
    assert board["shown"]
    assert board["reverted"]
    assert board["pages"] == 3
    assert board["smp_messages"] > 200


def check_store(folder: Path) -> None:
    """It is a device like any other: notice, both patches and a journal without a gap."""
    n, p, j = schema.notice_states, schema.patch_states, schema.journal
    workspace = Workspace.open(folder)
    with workspace.store() as store:
        assert no_anomalies(store) == []
        with store.read() as session:
            ask = session.connection.execute
            notice = ask(sa.select(n).where(n.c.device == BOARD.id, n.c.advisory == ADVISORY)).one()
            assert notice.state == NoticeState.NOT_APPLICABLE  # by now it is patched
            assert None not in {notice.shown, notice.acknowledged, notice.confirmed}
            assert notice.language == "ja"
            states = ask(sa.select(p.c.state).where(p.c.device == BOARD.id)).scalars()
            assert sorted(states) == [PatchState.SUCCEEDED, PatchState.ROLLED_BACK]
            entries = ask(sa.select(j).where(j.c.device == BOARD.id).order_by(j.c.index)).all()
    assert [row._mapping["index"] for row in entries] == list(range(len(entries)))
    steps = [(row.new, row.reason) for row in entries if row.track == Track.PATCH]
    assert (PatchState.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED) in steps
    assert steps[-1] == (PatchState.SUCCEEDED, Reason.OK)
    refused = {row.reason for row in entries if row.track == Track.REFUSAL or row.new == NoticeState.REJECTED}
    assert refused >= {Reason.UNKNOWN_KEY, Reason.REPLAYED}


def check_pages(folder: Path) -> None:
    """The dots on its display are the very pages that were approved, signed and published."""
    with Workspace.open(folder).store() as store, store.read() as session:
        topic = Workspace.open(folder).topics.pages(BOARD.product, "ja", ADVISORY)
        r = schema.retained
        published = session.connection.execute(sa.select(r.c.payload).where(r.c.topic == topic)).scalar_one()
    drawn = drawn_last((folder / refdevice.DISPLAY).read_text(encoding="utf-8"))
    assert b"".join(drawn) == published
    for number, page in enumerate(drawn, 1):
        with Image.open((folder / KEPT).with_name(f"page-{number}.png")) as image:
            assert image.size == (128, 64)
            assert image.convert("1").tobytes() == page
    kept = (folder / KEPT).read_text(encoding="utf-8").splitlines()
    assert kept[0].startswith("--- page 1 of 3 ---")
    assert kept[1:17] == braille(drawn[0])
    assert any(ADVISORY in line for line in kept[51:])
    assert max(map(len, kept)) <= 80  # it fits a terminal of 80 columns
    assert kept[-1] == "Confirmed current."


def check_commands(folder: Path, where: Path) -> None:
    """Status and evidence tell of it what they tell of every device."""
    affected = sum(member.affected and member.product == BOARD.product for member in CAST)
    every = sum(member.product == BOARD.product for member in CAST)
    row = next(line.split() for line in told("status", "-w", folder).splitlines() if "thermostat" in line)
    assert row[:4] == ["thermostat", str(every), str(affected), str(every)]
    listed = next(line for line in told("device", "list", "-w", folder).splitlines() if BOARD.id in line)
    assert FIXED_VERSION[BOARD.product] in listed
    file = where / "evidence.zip"
    told("evidence", "export", ADVISORY, "-o", file, "-w", folder)
    proved = told("verify", file, "--root", folder / "roots" / "1.cose", "--json")
    assert json.loads(proved)
    assert BOARD.id.encode() in b"".join(_members(file))


def _members(file: Path) -> list[bytes]:
    with zipfile.ZipFile(file) as whole:
        return [name.encode() + whole.read(name) for name in whole.namelist()]


@pytest.mark.slow
@pytest.mark.mosquitto
def test_the_device_in_c_is_warned_patched_and_reported_like_any_other(tmp_path: Path) -> None:
    tools()
    folder, output, log = tmp_path / "a, demo", tmp_path / "output.txt", tmp_path / "broker.log"
    with mosquitto(tmp_path, LOGGED.format(log)) as url:
        demo = start("demo", "--hil", *SIZES, "--broker", url, "--workspace", folder, output=output)
        try:
            qemu = qemu_of(folder, demo, output)
            words = (qemu / "cmdline").read_bytes().split(b"\0")
            line = next(word for word in words if word.startswith(b"tcp:127.0.0.1:"))
            serial = int(line.split(b":")[2].split(b",")[0])
            assert words[words.index(b"-nic") + 1] == b"none"
            assert url.rpartition(":")[2].encode() not in b"\0".join(words)
            seen = 0
            while demo.poll() is None and seen < 20:
                try:
                    every, on_the_line = sockets_of(qemu, serial)
                except OSError:  # it ended meanwhile
                    break
                assert every <= on_the_line
                seen += bool(every)
                time.sleep(0.05)
            assert seen == 20
            assert demo.wait(LIMIT_S) == 0, output.read_text()
        finally:
            interrupt(demo, signal.SIGKILL)
    assert re.search(rf" as {BOARD.id} \(p5, c0", log.read_text())
    said = output.read_text()
    assert f"{BOARD.id} is the C program on a Cortex-M3 in QEMU" in said
    assert f"{BOARD.product} {FIRST_BUILD}, goes to board {BOARD.id} alone" in said
    assert f"board {BOARD.id} went back to {BOARD.version} by itself" in said
    assert "Drawn pages: 3" in said
    assert f"{BOARD.id} says over its line that it runs {FIXED_VERSION[BOARD.product]}" in said
    check_summary(folder)
    board = json.loads((folder / "summary.json").read_text())["refdevice"]
    assert board["pressed"] == ["acknowledge", "yes", "yes"]
    assert board["boots"] >= 3  # power-on; the first build, and back at once; the patch
    check_store(folder)
    check_pages(folder)
    check_commands(folder, tmp_path)
    until_dark(folder)


@pytest.mark.slow
def test_the_device_in_c_goes_on_after_ctrl_c_and_after_kill_9(tmp_path: Path) -> None:
    tools()
    folder, output = tmp_path / "demo", tmp_path / "output.txt"
    arguments = ("demo", "--hil", *SIZES, "--workspace", folder)
    for number, mark in (
        (signal.SIGINT, "is the C program"),
        (signal.SIGKILL, "a first build"),
        (signal.SIGINT, "went back to"),
        (signal.SIGKILL, "goes out to"),
    ):
        demo = start(*arguments, output=output)
        end = time.monotonic() + LIMIT_S
        while mark not in output.read_text() and demo.poll() is None:
            assert time.monotonic() < end, output.read_text()
            time.sleep(0.02)
        status = interrupt(demo, number)
        assert status == (-signal.SIGKILL if number is signal.SIGKILL else 130), output.read_text()
        until_dark(folder)
    demo = start(*arguments, output=output)
    try:
        assert demo.wait(LIMIT_S) == 0, output.read_text()
    finally:
        interrupt(demo, signal.SIGKILL)
    assert "Traceback" not in output.read_text()
    check_summary(folder)
    check_store(folder)
    until_dark(folder)


def test_what_the_device_in_c_lacks_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with monkeypatch.context() as nothing:
        nothing.setattr(refdevice, "SOURCES", empty)
        with pytest.raises(UnavailableError, match=r"^Its C sources are not part of this installation\.$"):
            refdevice.build()
    for program, package in refdevice.TOOLS:
        with monkeypatch.context() as nothing:
            found = {name: f"/bin/{name}" for name, _ in refdevice.TOOLS if name != program}
            nothing.setattr(shutil, "which", lambda name, found=found, **_: found.get(name))
            with pytest.raises(UnavailableError) as told_of:
                refdevice.build()
        assert told_of.value.message == f"{program} is not installed (Debian: apt-get install {package})."


def test_a_build_that_fails_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed("make", "make")
    sources = tmp_path / "site" / "hil" / "refdevice"
    sources.mkdir(parents=True)
    (sources / "Makefile").write_text("qemu:\n\t@echo the archive is nowhere; exit 1\n")
    monkeypatch.setattr(refdevice, "SOURCES", sources)
    monkeypatch.setattr(refdevice, "TOOLS", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(UnavailableError) as told_of:
        refdevice.build()
    assert "It cannot be built." in told_of.value.message
    assert "the archive is nowhere" in told_of.value.message
    assert "\n" not in told_of.value.message
    (sources / "Makefile").write_text("qemu:\n\tmkdir -p $(OUT)/qemu; touch $(OUT)/qemu/tocsin-device.elf\n")
    built = refdevice.build()
    assert built.is_file()
    assert built.is_relative_to(tmp_path / "cache")  # nothing is written beside an installed package
    assert sorted(path.name for path in sources.iterdir()) == ["Makefile"]


@pytest.mark.slow
def test_the_sources_of_an_installed_package_are_built_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools()
    installed, cache = tmp_path / "site-packages" / "hil" / "refdevice", tmp_path / "cache"
    shutil.copytree(refdevice.SOURCES, installed)
    before = sorted(path for path in installed.rglob("*"))
    monkeypatch.setattr(refdevice, "SOURCES", installed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    elf = refdevice.build()
    assert elf.is_relative_to(cache)
    assert elf.read_bytes().startswith(b"\x7fELF")
    assert sorted(path for path in installed.rglob("*")) == before


def test_an_unfinished_demo_with_the_device_in_c_is_not_gone_on_with_without_it(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    made = prepare(folder, 6, 1, int(time.time()), board=True)
    assert made.board is not None
    assert prepare(folder, 6, 1, int(time.time()), board=True).cast == made.cast
    with pytest.raises(InputError, match="the device in C takes part") as refused:
        prepare(folder, 6, 1, int(time.time()))
    assert refused.value.code == "DEMO_OTHER"
    other = tmp_path / "other"
    assert prepare(other, 6, 1, int(time.time())).board is None
    assert prepare(other, 6, 1, int(time.time()), board=True).board is None  # it goes on as it began


def test_pages_are_read_from_what_the_display_drew() -> None:
    dark, bright = bytes(1024), b"\xff" * 1024
    corner = b"\x80" + bytes(1023)
    blank, full = "\n".join([" " * 128] * 64), "\n".join(["#" * 128] * 64)
    dotted = "\n".join(["#" + " " * 127, *[" " * 128] * 63])
    assert drawn_last("") == []
    assert drawn_last(f"page\n{full}\npage\n{dotted}\n0 a line\n1 another\n") == [bright, corner]
    # What was drawn before is gone; what is not all there is no page.
    assert drawn_last(f"page\n{full}\n0 a line\npage\n{blank}\n0 a line\n") == [dark]
    assert drawn_last(f"page\n{full}\n0 a line\npage\n{blank[:500]}") == []
    assert braille(dark) == [""] * 16
    assert braille(bright) == ["\u28ff" * 64] * 16
    assert braille(corner) == ["\u2801", *[""] * 15]


def test_the_device_in_c_has_no_part_in_the_others_trouble() -> None:
    for devices in (6, 7, 20, 100):
        for seed in range(10):
            cast = draw(devices, seed, board=True)
            assert [member.board for member in cast] == [False] * devices + [True]
            assert len({member.id for member in cast}) == devices + 1
            assert sum(member.trouble.name != "NONE" for member in cast) == 3
            assert [member.id for member in cast[:-1]] == [member.id for member in draw(devices, seed)]
