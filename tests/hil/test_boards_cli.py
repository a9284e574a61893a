"""``hil boards`` and ``hil who`` as a person or a script calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.run import run
from hil.bench import boardfile, lock, twister
from hil.bench.board import Board, schema
from keys.errors import InputError

MAP = """\
- connected: true
  id: 000683759358
  platform: nrf52840dk/nrf52840
  product: J-Link
  runner: nrfjprog
  serial: /dev/ttyACM0
- connected: false
  id: '0240'
  platform: frdm_k64f
  product: "DAP \\" ${X} \\u0007"
  runner: pyocd
  serial: null
- platform: frdm_k64f
  serial: /dev/tty$1
  baud: 9600
  runner: openocd
- product: Thing
  serial_pty: script.py
- id: unknown
  serial: /dev/ttyACM2
  baud: fast
  runner: jlink
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("HIL_BOARDS", raising=False)
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = run([*arguments, "--json"], "hil")
    return status, json.loads(capsys.readouterr().out)


def test_boards_are_listed_without_what_may_be_secret(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bench / "hil-boards.toml").write_text(
        '[board.a]\nclass = "k"\ntags = ["t"]\nlink.url = "/dev/ttyX"\nflash.command = ["curl", "token"]\n'
        '[board.b]\nspawn = { driver = "process", command = ["p", "{port}"], env = { K = "token" } }\n'
    )
    assert run(["boards", "list"], "hil") == 0
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()] == ["board", "a", "b"]
    assert "spawned: process" in printed
    status, data = asked(capsys, "boards", "list")
    assert status == 0
    assert [(board["name"], board.get("class")) for board in data["boards"]] == [("a", "k"), ("b", "")]
    assert "token" not in json.dumps(data)


def test_check_tells_every_mistake(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bench / "other.toml"
    path.write_text("[board.a]\nlink = { url = 'x', bauds = 3 }\ntags = [3]\n")
    assert run(["boards", "check", "--boards", "other.toml"], "hil") == 2
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in printed] == ["other.toml:2:", "other.toml:3:", "other.toml:"]
    status, data = asked(capsys, "boards", "check", "--boards", "other.toml")
    assert (status, [row["code"] for row in data["mistakes"]]) == (2, ["BOARD_FILE"] * 2)
    path.write_text("[board.a]\nlink.url = 'x'\n")
    assert run(["boards", "check", "--boards", "other.toml"], "hil") == 0
    assert capsys.readouterr().out == "other.toml: 1 board: a.\n"
    status, data = asked(capsys, "boards", "check", "--boards", "other.toml")
    assert (status, data["boards"], data["mistakes"]) == (0, ["a"], [])


def test_without_a_board_file_the_way_to_one_is_told(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["boards", "list"], "hil") == 2
    assert "hil init PORT" in capsys.readouterr().err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["boards", "schema"], "hil") == 0
    assert json.loads(capsys.readouterr().out) == schema()


def test_a_map_of_zephyr_becomes_boards(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bench / "map.yml").write_text(MAP)
    assert run(["boards", "import-twister", "map.yml"], "hil") == 0
    text = capsys.readouterr().out
    boards, found = boardfile.read(text, where="f", folder=bench, environ={})
    assert found == []
    assert list(boards) == ["nrf52840dk-nrf52840", "frdm_k64f-2", "board"]
    first, second, third = boards.values()
    assert (first.class_, first.link.url, first.link.baud) == ("nrf52840dk/nrf52840", "/dev/ttyACM0", 115200)
    assert first.flash is not None
    assert first.flash.command[-4:] == ("--runner", "nrfjprog", "--dev-id", "000683759358")
    assert (second.link.url, second.link.baud) == ("/dev/tty$1", 9600)
    assert second.flash is not None
    assert second.flash.command[-1] == "openocd"
    assert (third.link.baud, third.flash and third.flash.command[-1]) == (115200, "jlink")
    assert '# frdm_k64f  # product DAP " ${X}, id 0240: the map names no port for it. Add it by hand.' in text
    assert "# Thing  # product Thing: the map starts a program for its line" in text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a: 1", "no list of boards"),
        (b"- 1", "no list of boards"),
        (b"- a: [", "not well-formed"),
        (b"\xff\xfe\xff", "not well-formed"),
        (b"[" * 100_000, "not well-formed"),
        (b" " * (twister.MAP_BYTES_MAX + 1), "more than"),
    ],
)
def test_a_map_that_is_none(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "map.yml"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        twister.read(path)
    assert caught.value.code == "TWISTER_MAP"
    with pytest.raises(InputError, match="cannot be read"):
        twister.read(tmp_path)


def test_who_names_the_holder(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["who"], "hil") == 0
    assert capsys.readouterr().out == "Nobody uses a board.\n"
    with lock.hold(Board(name="a"), ["/dev/ttyX"], purpose="pytest \x1b[1m"):
        assert run(["who"], "hil") == 0
        printed = capsys.readouterr().out
        status, data = asked(capsys, "who")
    assert "pytest ?[1m" in printed
    assert (status, [(one["board"], one["ports"]) for one in data["holders"]]) == (0, [("a", ["/dev/ttyX"])])
