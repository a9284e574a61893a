"""What a hostile user does to the command: names that steer terminals, devices for files, kills, rehearsals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway import files
from gateway.cli import homes
from gateway.operations.identity import devices
from gateway.workspace.folder import Workspace, add_artefact
from keys.errors import InputError, UnavailableError
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase, snapshot


@pytest.mark.parametrize("name", ["x\ny", "\x1b[31mred", "a\rb", "\u202eb", "\udcff"])
def test_a_name_that_steers_a_terminal_stays_on_one_line(
    tocsin: Tocsin, workspace: Workspace, name: str
) -> None:
    ran = tocsin("product", "add", name, "-w", workspace.path)
    assert ran.status == 2
    assert ran.err.count("\n") == 1
    assert ran.err.strip().isprintable()


def test_a_name_of_bytes_that_are_no_text_still_gives_one_object(
    process: Tocsin, workspace: Workspace
) -> None:
    ran = process("product", "add", os.fsdecode(b"\xff"), "--json", "-w", workspace.path)
    assert ran.status == 2
    assert ran.json["error"]["code"] == "BAD_ID"


def test_an_encoding_without_the_words_gets_them_escaped(process: Tocsin, workspace: Workspace) -> None:
    env = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    plain = process("advisory", "show", ADVISORY, "-w", workspace.path, env=env)
    assert plain.status == 0, plain.err
    assert "\\u66f4" in plain.out
    ran = process("advisory", "show", ADVISORY, "--json", "-w", workspace.path, env=env)
    assert "更" in ran.json["texts"]["ja"]["title"]


def test_a_device_or_pipe_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UnavailableError) as caught:
        files.write_atomic(pipe, b"x")
    assert caught.value.code == "NOT_A_FILE"
    assert pipe.is_fifo()
    with pytest.raises(UnavailableError):
        files.write_atomic(tmp_path, b"x")


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("old")
    (tmp_path / "link").symlink_to("elsewhere")
    files.write_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "new"


def test_an_endless_file_is_given_up() -> None:
    with pytest.raises(InputError) as caught:
        files.read_bytes(Path("/dev/zero"), what="file", mend="Check the path.")
    assert caught.value.code == "FILE_TOO_BIG"


def test_an_interrupt_that_nobody_can_pass_on_comes_again() -> None:
    code = (
        "import sys, time\n"
        "from gateway.cli.main import _again\n"
        "sys.unraisablehook = _again\n"
        "class Deaf:\n"
        "    def __del__(self):\n"
        "        raise KeyboardInterrupt\n"
        "try:\n"
        "    Deaf()\n"
        "    time.sleep(30)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("_", range(12))
def test_an_interrupt_after_the_work_keeps_the_documented_status(_: int) -> None:
    line = [sys.executable, "-u", "-m", "gateway.cli.main", "--version"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("tocsin ")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) in {(0, ""), (130, "error: Interrupted.\n")}


@pytest.mark.parametrize("option", ["--json", None])
def test_output_that_cannot_be_written_is_told_by_the_status(
    workspace: Workspace, option: str | None
) -> None:
    tocsin = Path(sys.executable).parent / "tocsin"
    line: list[str | Path] = [tocsin, "product", "list", "-w", workspace.path, *([option] if option else [])]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(line, check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


def test_closed_streams_are_no_fault(workspace: Workspace) -> None:
    tocsin = Path(sys.executable).parent / "tocsin"
    line = f"exec {tocsin} product list -w {workspace.path} >&- 2>&-"
    done = subprocess.run(["/bin/sh", "-c", line], check=False, timeout=60)
    assert done.returncode == 0


def test_a_key_left_unlisted_by_a_kill_does_not_block_its_name(tocsin: Tocsin, workspace: Workspace) -> None:
    left = workspace.path / "keys" / "dora.pem"
    left.write_bytes(b"left behind")
    new = ("key", "new", "dora", "--role", "legal", "--holder", "d", "--no-passphrase", "-w", workspace.path)
    assert tocsin(*new).status == 0
    assert (workspace.path / "keys" / "dora.pem.unlisted-1").read_bytes() == b"left behind"
    assert tocsin(*new).status == 2


def test_what_a_killed_write_left_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".file.new").write_bytes(b"half written, and longer than what comes")
    files.write_atomic(tmp_path / "file", b"whole", mode=0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_writers_of_one_file_never_mix(tmp_path: Path) -> None:
    contents = [bytes([65 + i]) * 50_000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda data: files.write_atomic(tmp_path / "file", data), contents * 4))
    assert (tmp_path / "file").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_fleet_gives_one_object(process: Tocsin, workspace: Workspace) -> None:
    ran = process("fleet", "run", "--broker", "mqtt://127.0.0.1:1", "--json", "-w", workspace.path)
    assert ran.status == 4
    assert ran.json["error"]["code"] == "BROKER_UNREACHABLE"


@pytest.mark.parametrize("days", ["-1", "0", "367", "9" * 30])
def test_a_rehearsed_rollout_is_held_to_the_deadline_of_a_real_one(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path, days: str
) -> None:
    _publish_patch(tocsin, workspace, tmp_path)
    before = snapshot(workspace.path)
    for dry in ([], ["--dry-run"]):
        start = ("rollout", "start", "--patch", "thermostat@1.4.2", "--days", days, *dry)
        ran = tocsin(*start, "-w", workspace.path)
        assert ran.status == 2, ran
        assert "deadline" in ran.err
    assert snapshot(workspace.path) == before


def test_a_rehearsal_refuses_what_the_real_command_refuses(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path
) -> None:
    where = ("-w", str(workspace.path))
    _publish_patch(tocsin, workspace, tmp_path)
    start = ("rollout", "start", "--patch", "thermostat@1.4.2", "--name", "spring", *where)
    assert tocsin(*start, "--dry-run").status == 0
    assert tocsin(*start).status == 0
    assert "already" in tocsin(*start, "--dry-run").err
    assert tocsin("rollout", "cancel", "spring", "--dry-run", *where).status == 0
    assert tocsin("rollout", "cancel", "spring", *where).status == 0
    assert "stopped" in tocsin("rollout", "cancel", "spring", "--dry-run", *where).err
    for name in ("engineering", "legal", "communications"):
        assert tocsin("advisory", "approve", ADVISORY, "--key", name, "--yes", *where).status == 0
    made = tocsin("key", "new", "op2", "--role", "operator", "--holder", "x", "--no-passphrase", *where)
    assert made.status == 0
    before = snapshot(workspace.path)
    for dry in ([], ["--dry-run"]):
        ran = tocsin("advisory", "publish", ADVISORY, "--key", "op2", *dry, *where)
        assert ran.status == 3, ran
    assert tocsin("advisory", "publish", ADVISORY, "--key", "operator", "--dry-run", *where).status == 0
    assert snapshot(workspace.path) == before


def _publish_patch(tocsin: Tocsin, workspace: Workspace, folder: Path) -> None:
    where = ("-w", str(workspace.path))
    image = folder / "image.bin"
    for line in (
        ("device", "firmware", image, "--product", "thermostat", "--version", "1.4.2"),
        ("patch", "add", "--product", "thermostat", "--image", image, "--text", "en=x"),
        ("patch", "approve", "thermostat@1.4.2", "--key", "release", "--yes"),
        ("patch", "approve", "thermostat@1.4.2", "--key", "security", "--yes"),
        ("patch", "publish", "thermostat@1.4.2"),
    ):
        ran = tocsin(*line, *where)
        assert ran.status == 0, ran


def test_adding_a_patch_again_mends_a_damaged_image(workspace: Workspace) -> None:
    name = add_artefact(workspace, b"image").hex()
    (workspace.artefacts / name).write_bytes(b"im")
    add_artefact(workspace, b"image")
    assert (workspace.artefacts / name).read_bytes() == b"image"


def test_homes_of_a_killed_command_are_settled_by_what_the_store_says(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two moments of a kill: before the operator's record is committed, and after."""
    before = {row.id for row in devices.rows(workspace)}
    product = workspace.product("thermostat")
    operator = workspace.signer("operator", no_passphrase)
    real = devices.register
    for committed in (False, True):

        def register(*arguments: object, **named: object) -> int:
            if committed:  # noqa: B023 - called within this turn of the loop
                real(*arguments, **named)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(devices, "register", register)
            patch.setattr(homes, "settle", lambda _: None)  # as if killed: nothing is put in order
            with pytest.raises(KeyboardInterrupt):
                homes.make(
                    workspace,
                    homes.wishes(product, 2, version=(1, 4, 1, 0)),
                    operator,
                    now=int(time.time()),
                )
        assert len(_homes(workspace)) == len(before)
        homes.recover(workspace)
        registered = {row.id for row in devices.rows(workspace)}
        assert _homes(workspace) == registered
        assert len(registered) == len(before) + 2 * committed
    homes.recover(workspace)


def _homes(workspace: Workspace) -> set[str]:
    return {path.name for path in (workspace.path / "devices").iterdir() if path.is_dir()} - {".making"}


def test_kill_9_while_devices_are_made(process: Tocsin, workspace: Workspace) -> None:
    tocsin = Path(sys.executable).parent / "tocsin"
    line: list[str | Path] = [
        tocsin,
        "device",
        "add",
        "--product",
        "thermostat",
        "--count",
        "200",
        "-w",
        workspace.path,
    ]
    making = workspace.path / "devices" / ".making"
    running = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    while running.poll() is None and not (making.is_dir() and len(list(making.iterdir())) > 20):
        os.sched_yield()
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert process("device", "add", "--product", "thermostat", "-w", workspace.path).status == 0
    assert not making.exists()
    listed = json.loads(process("device", "list", "--json", "-w", workspace.path).out)["devices"]
    assert {row["id"] for row in listed} == _homes(workspace)


def test_a_workspace_of_a_newer_program_is_told_as_such(tocsin: Tocsin, workspace: Workspace) -> None:
    settings = workspace.path / "tocsin.toml"
    settings.write_text(settings.read_text().replace("format = 1", "format = 2"))
    ran = tocsin("status", "-w", workspace.path)
    assert ran.status == 2
    assert "tocsin.toml:2" in ran.err
    assert "newer program" in ran.err


@pytest.mark.parametrize("text", ["x\x1b[2Jy", "a\nb", "\u202egnp.exe", "\udcff"])
def test_names_that_others_will_be_shown_hold_no_control_characters(
    tocsin: Tocsin, workspace: Workspace, text: str
) -> None:
    before = snapshot(workspace.path)
    where = ("-w", str(workspace.path))
    made = tocsin("key", "new", "k", "--role", "legal", "--holder", text, "--no-passphrase", *where)
    assert made.status == 2
    assert "control characters" in made.err
    assert tocsin("product", "add", "p", "--name", text, *where).status == 2
    assert snapshot(workspace.path) == before


def test_a_passphrase_of_any_bytes_is_one(tocsin: Tocsin, workspace: Workspace) -> None:
    env = {"TOCSIN_PASSPHRASE": os.fsdecode(b"\xff"), "TOCSIN_WORKSPACE": str(workspace.path)}
    assert tocsin("key", "new", "root-dora", "--role", "root", "--holder", "dora", env=env).status == 0
    assert tocsin("root", "rotate", env=env).status == 0
    assert tocsin("root", "sign", "--key", "root-dora", env=env).status == 0


def test_what_a_second_root_lacks_is_counted_once(tocsin: Tocsin, workspace: Workspace) -> None:
    where = ("-w", str(workspace.path))
    assert tocsin("root", "rotate", "--json", *where).json["missing"] == ["root", "root"]
    assert tocsin("root", "sign", "--key", "root-anna", "--json", *where).json["missing"] == ["root"]
    assert tocsin("root", "sign", "--key", "root-ben", "--json", *where).json["missing"] == []


@pytest.mark.parametrize("command", ["status {}", "rollout pause {}", "advisory publish {}", "patch show {}"])
def test_an_argument_of_bytes_that_are_no_text_is_bad_input(
    tocsin: Tocsin, workspace: Workspace, command: str
) -> None:
    ran = tocsin(*command.format("\udcff").split(), "-w", workspace.path)
    assert ran.status == 2, ran
