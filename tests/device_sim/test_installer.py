"""The platform's updater as a program: what it may say, and what becomes of one that misbehaves."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from advisories import mcuboot
from device_sim.board import Board
from device_sim.core.measure import Running
from device_sim.core.profile import Platform, Profile
from device_sim.core.slots import STAGING
from device_sim.home import Home
from device_sim.installer import InstallerPlatform, NoticesOnly, RestartError
from device_sim.programs import LINE_CHARACTERS_MAX, LOG_LINES_MAX, ask
from keys.errors import InputError, UnavailableError
from keys.reasons import Reason
from keys.signer import from_seed
from tests.helpers import make_fleet

PROFILE = Profile(
    id="d-1", product="thermostat", vendor_id=bytes(16), class_id=bytes(16), platform=Platform.INSTALLER
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    image = mcuboot.pack(b"code", (1, 4, 1, 0))
    return Home.create(
        tmp_path / "home", PROFILE, from_seed(bytes(32)), make_fleet().root_document, image, durable=False
    )


def program(folder: Path, body: str) -> Path:
    path = folder / "installer"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def platform(home: Home, body: str, seconds: float = 30) -> tuple[InstallerPlatform, list[str]]:
    said: list[str] = []
    return InstallerPlatform(home, program(home.path, body), install_s=seconds, tell=said.append), said


async def ran(made: InstallerPlatform, verb: str, size: int = 0) -> Reason:
    answered: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
    made.run(verb, size, answered.set_result)  # type: ignore[arg-type]
    return await answered


@pytest.mark.parametrize(
    ("says", "runs"),
    [
        ("echo version=1.4.2", (0, Running((1, 4, 2, 0), b""))),
        ("echo version=1.4.2+7; echo slot=1", (1, Running((1, 4, 2, 7), b""))),
        ("echo slot=1; echo trial=yes; echo version=1.4.2", (1, Running((1, 4, 2, 0), b"", trial=True))),
        ("echo version=1.4; echo other=x; echo trial=no", (0, Running((1, 4, 0, 0), b""))),
        ("echo version=1.4.2; exit 1", (0, Reason.UNSUPPORTED)),
        ("echo version=1.4.2; kill -9 $$", (0, Reason.UNSUPPORTED)),
        ("echo version=1.4.2 is new", (0, Reason.UNSUPPORTED)),
        ("echo version=300.0.0", (0, Reason.UNSUPPORTED)),
        ("echo version=1.4.2; echo slot=2", (0, Reason.UNSUPPORTED)),
        ("echo version=1.4.2; echo trial=maybe", (0, Reason.UNSUPPORTED)),
        ("printf 'version=1.4.2\\377'", (0, Reason.UNSUPPORTED)),
        ("echo version=1.4.2; head -c 9999999 /dev/zero", (0, Running((1, 4, 2, 0), b""))),
        (":", (0, Reason.UNSUPPORTED)),
    ],
)
def test_what_a_program_says_of_what_runs(home: Home, says: str, runs: tuple[int, Running | Reason]) -> None:
    assert platform(home, says)[0].boot() == runs


def test_a_program_that_cannot_say_yet_what_runs_ends_the_device_instead_of_a_lie(home: Home) -> None:
    with pytest.raises(UnavailableError) as caught:
        platform(home, "exit 75")[0].boot()
    assert caught.value.code == "INSTALLER_BUSY"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("exit 0", Reason.OK),
        ("exit 75", Reason.BUSY),
        ("sleep 1000 & exit 0", Reason.OK),
        ("setsid sleep 9 & sleep 0.2; exit 75", Reason.BUSY),
        ("exit 1", Reason.UPDATE_FAILED),
        ("kill -9 $$", Reason.UPDATE_FAILED),
        ("head -c 9999999 /dev/zero >&2; head -c 9999999 /dev/zero", Reason.OK),
        ('[ "$1" = install ] && [ $# = 2 ] && [ "$(cat "$2")" = payload ]', Reason.OK),
        ("[ ! -t 0 ] && ! read line", Reason.OK),
        ('[ "$NOTIFY_SOCKET$WATCHDOG_USEC" = "" ]', Reason.OK),
    ],
)
async def test_how_an_install_ends(
    home: Home, body: str, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/ours")
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    made, _ = platform(home, body)
    made.erase(STAGING, 0)
    made.write(STAGING, 0, 0, b"payload and what an earlier one left")
    assert await ran(made, "install", len(b"payload")) is reason


async def test_a_program_that_is_not_there_any_more_is_a_failure(home: Home) -> None:
    made, said = platform(home, "exit 0")
    (home.path / "installer").unlink()
    assert await ran(made, "confirm") is Reason.UPDATE_FAILED
    assert made.boot() == (0, Reason.UNSUPPORTED)
    assert "No such file" in said[0]


async def test_a_program_that_does_not_end_is_killed_with_its_children(home: Home) -> None:
    made, said = platform(home, f"sleep 1000 & echo $! > {home.path}/child; wait", seconds=0.3)
    made.erase(STAGING, 0)
    assert await ran(made, "install") is Reason.UPDATE_FAILED
    assert "did not end" in said[-1]
    await gone(int((home.path / "child").read_text()))


async def test_what_runs_is_killed_when_the_device_ends(home: Home) -> None:
    made, _ = platform(home, f"echo $$ > {home.path}/me; sleep 1000")
    made.erase(STAGING, 0)
    answers: list[Reason] = []
    made.run("install", 0, answers.append)
    while not (home.path / "me").exists() or not (home.path / "me").read_text():
        await asyncio.sleep(0.01)
    await made.close()
    await gone(int((home.path / "me").read_text()))
    assert answers == []


async def test_a_second_run_waits_until_the_first_is_gone(home: Home) -> None:
    body = f'if [ "$1" = install ]; then echo $$ > {home.path}/me; sleep 1000; fi; ! kill -0 $(cat {home.path}/me)'
    made, _ = platform(home, body)
    made.erase(STAGING, 0)
    made.run("install", 0, lambda _: pytest.fail("it was replaced"))
    while not (home.path / "me").exists() or not (home.path / "me").read_text():
        await asyncio.sleep(0.01)
    assert await ran(made, "revert") is Reason.OK


async def gone(process: int) -> None:
    """Wait until a process is dead; whoever adopted it may still have to fetch its status."""
    while Path(f"/proc/{process}").exists():
        if "State:\tZ" in Path(f"/proc/{process}/status").read_text():
            return
        await asyncio.sleep(0.01)


async def test_what_a_program_complains_of_is_bounded_and_cannot_steer_a_terminal(home: Home) -> None:
    made, said = platform(home, "printf '\\033[2J\\377\\n' >&2; for i in $(seq 99); do echo $i$i$i >&2; done")
    assert await ran(made, "confirm") is Reason.OK
    assert said[0] == "installer confirm: \\x1b[2J\\xff"
    assert len(said) == LOG_LINES_MAX
    made, said = platform(home, "head -c 5000 /dev/zero | tr '\\0' x >&2; exit 3")
    assert await ran(made, "confirm") is Reason.UPDATE_FAILED
    assert max(map(len, said)) <= LINE_CHARACTERS_MAX + len("installer confirm: ...")
    assert said[-1] == "installer confirm: exit status 3"


@pytest.mark.parametrize(
    ("body", "only_us"),
    [("exit 75", None), ("exit 0", False), ("echo restart=process", True), ("echo restart=machine", False)],
)
async def test_how_a_machine_restarts(home: Home, body: str, only_us: bool | None) -> None:
    assert await platform(home, body)[0].reboot() is only_us


async def test_a_restart_ends_the_device_and_one_that_fails_is_told(home: Home) -> None:
    made, _ = platform(home, "exit 1")
    with pytest.raises(RestartError):
        made.restart()
    with pytest.raises(UnavailableError) as caught:
        await made.reboot()
    assert caught.value.code == "INSTALLER_FAILED"


def test_an_installer_that_cannot_be_run_is_told_at_the_start(home: Home) -> None:
    for path in (home.path / "nothing", home.path, home.path / "device.toml"):
        with pytest.raises(InputError) as caught:
            InstallerPlatform(home, path, install_s=1, tell=print)
        assert (caught.value.code, caught.value.where) == ("INSTALLER_MISSING", str(path))


def test_an_answer_that_never_ends_is_cut(tmp_path: Path) -> None:
    said: list[str] = []
    status, output = ask(["/bin/sh", "-c", "echo x; exec sleep 1000"], said.append, seconds=0.2)
    assert (status, output) == (-9, "x\n")
    assert said == ["sh: killed, for it did not end within 0.2 s"]
    assert ask([str(tmp_path / "none")], said.append) == (-1, "")
    assert ask(["/bin/sh", "-c", "kill -11 $$"], said.append) == (-11, "")
    assert said[-1] == "sh: ended by signal 11"


@pytest.mark.parametrize(
    ("text", "key", "version"),
    [
        ("1.4.2\n", "", (1, 4, 2, 0)),
        ("12\n", "", (12, 0, 0, 0)),
        ('NAME="x"\nVERSION_ID="12.5"\n', "VERSION_ID", (12, 5, 0, 0)),
        ("VERSION_ID='1.4.2+3'\nVERSION_ID=9", "VERSION_ID", (1, 4, 2, 3)),
        ("OTHER_VERSION_ID=1.4.2\n", "VERSION_ID", None),
        ("rolling\n", "", None),
        ("", "", None),
        ("\0" * 99_999, "", None),
    ],
)
def test_where_somebody_else_installs_the_version_is_read(
    home: Home, text: str, key: str, version: tuple[int, ...] | None
) -> None:
    path = home.path / "release"
    path.write_text(text)
    said: list[str] = []
    board = Board(version_file=path, version_key=key)
    runs = (0, Running(version, b"")) if version else (0, Reason.UNSUPPORTED)  # type: ignore[arg-type]
    assert NoticesOnly(home, board, tell=said.append).boot() == runs
    assert bool(said) == (version is None)


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        (("/bin/echo", "1.4.2"), Running((1, 4, 2, 0), b"")),
        (("/bin/echo", "$HOME"), Reason.UNSUPPORTED),
        (("/bin/false",), Reason.UNSUPPORTED),
        (("/bin/sh", "-c", "echo 1.4.2; exit 1"), Reason.UNSUPPORTED),
        (("/nowhere/program",), Reason.UNSUPPORTED),
    ],
)
def test_a_program_may_know_the_version_too(
    home: Home, command: tuple[str, ...], runs: Running | Reason
) -> None:
    assert NoticesOnly(home, Board(version_command=command), tell=lambda _: None).boot() == (0, runs)


def test_a_version_file_that_is_not_there_is_told_and_no_source_at_all_is_refused(home: Home) -> None:
    said: list[str] = []
    board = Board(version_file=home.path / "none")
    assert NoticesOnly(home, board, tell=said.append).boot() == (0, Reason.UNSUPPORTED)
    assert str(home.path / "none") in said[0]
    with pytest.raises(InputError) as caught:
        NoticesOnly(home, Board(), tell=said.append)
    assert caught.value.code == "NO_VERSION_SOURCE"


def test_an_installer_has_no_banks_of_ours(home: Home) -> None:
    made, _ = platform(home, "exit 0")
    assert made.apply(0, 1, 0, 10) is Reason.UNSUPPORTED
    assert os.access(home.path / "installer", os.X_OK)
