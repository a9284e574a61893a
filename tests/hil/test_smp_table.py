"""One table of commands: what is made from it is what it makes, and it says nothing that contradicts itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import cbor2
import pytest
from smp.error import MGMT_ERR

from advisories import smp
from advisories.smp import COMMANDS, Command, Rc, Retry, fits

ROOT = Path(__file__).parent.parent.parent
TABLE = tomllib.loads((ROOT / "advisories/smp.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    loader = SourceFileLoader("smp_table", str(ROOT / ".ci/smp-table"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


@pytest.mark.parametrize(
    ("make", "path"),
    [
        ("python", "advisories/smp.py"),
        ("header", "hil/refdevice/tocsin_smp.h"),
        ("page", "docs/protocol/serial.md"),
    ],
)
def test_what_is_made_from_the_table_is_what_it_makes(maker: ModuleType, make: str, path: str) -> None:
    assert getattr(maker, make)(TABLE) == (ROOT / path).read_text(encoding="utf-8")


def test_what_has_drifted_is_named(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("advisories/smp.toml", "advisories/smp.py", "docs/protocol/serial.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    monkeypatch.setattr(maker, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["smp-table", "--check"])
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert maker.main() == 1
    said = capsys.readouterr().err
    assert "hil/refdevice/tocsin_smp.h: is not what advisories/smp.toml makes" in said
    assert "smp.py" not in said
    monkeypatch.setattr(sys, "argv", ["smp-table"])
    assert maker.main() == 0
    monkeypatch.setattr(sys, "argv", ["smp-table", "--check"])
    assert maker.main() == 0


def test_the_table_says_nothing_wrong(maker: ModuleType) -> None:
    assert list(maker.faults(TABLE)) == []


ROW: dict[str, Any] = {"id": 0, "op": "W", "retry": "never", "request": {}, "answer": {}, "about": ""}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"more": 1}, "unknown key"),
        ({"op": "X"}, "unknown key, op"),
        ({"build": "release"}, "build"),
        ({"retry": "often"}, "unknown retry"),
        ({"retry": "key"}, "belong together"),
        ({"request": {"key": "uint"}}, "belong together"),
        ({"op": "R"}, "only reads"),
        ({"answer": {"x": "float"}}, "unknown type"),
    ],
)
def test_a_wrong_row_is_named(maker: ModuleType, changes: dict, words: str) -> None:
    table = {"g": {"group": 5, "about": "", "c": {**ROW, **changes}}}
    assert any(words in line and line.startswith("g.c:") for line in maker.faults(table))


def test_two_commands_in_one_place_are_named(maker: ModuleType) -> None:
    table = {"g": {"group": 5, "about": "", "c": ROW, "d": ROW}}
    assert list(maker.faults(table)) == ["g.d: stands in the place of g.c"]


def test_every_row_is_a_command() -> None:
    rows = {f"{group}.{name}": (own["group"], row) for group, own in TABLE.items() if group != "rc"
            for name, row in own.items() if isinstance(row, dict)}  # fmt: skip
    assert set(rows) == set(COMMANDS)
    for name, (group, row) in rows.items():
        assert COMMANDS[name] == Command(
            name=name, group=group, id=row["id"], write=row["op"] == "W", retry=Retry(row["retry"]),
            request=row["request"], answer=row["answer"], test_build="build" in row,
        )  # fmt: skip
        assert getattr(smp, name.replace(".", "_").upper()) is COMMANDS[name]
    assert len(set(COMMANDS.values())) == len(COMMANDS)


def test_error_codes_are_those_of_everybody() -> None:
    theirs = {one.name.removeprefix("UNSUPPORTED_"): one.value for one in MGMT_ERR}
    ours = {one.name: one.value for one in Rc}
    assert sorted(ours.values()) == sorted(theirs.values())
    for name, value in ours.items():
        assert theirs.get(name, theirs.get(f"E{name}")) == value


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("text", ["", "x"], [b"", 1, None]),
        ("bytes", [b"", b"x"], ["", 1, bytearray()]),
        ("uint", [0, 2**64 - 1], [-1, 2**64, True, 1.0, "1"]),
        ("int", [-(2**63), 2**63 - 1], [-(2**63) - 1, 2**63, False, 0.0]),
        ("bool", [True, False], [0, 1, None]),
        ("array", [[], (1,)], ["", {}, b""]),
        ("map", [{}, {"a": 1}], [[], None]),
    ],
)
def test_a_field_fits_its_type(kind: str, good: list, bad: list) -> None:
    for value in good:
        assert fits({"x": kind}, {"x": value, "new": object()}) is None
        assert fits({"x": f"{kind}?"}, {"x": value}) is None
    for value in bad:
        assert fits({"x": kind}, {"x": value}) == f"'x' is no {kind}"
        assert fits({"x": f"{kind}?"}, {"x": value}) == f"'x' is no {kind}"
    assert fits({"x": kind}, {}) == "'x' is missing"
    assert fits({"x": f"{kind}?"}, {}) is None


PROGRAM = """
#include <stdio.h>
#include "tocsin_smp.h"
enum { TEXT, BYTES, UINT, INT, BOOL, ARRAY, MAP };
struct field { const char *name; int type; int optional; };
#define FIELD(name, type, optional) {#name, type, optional},
static const struct field put[] = {TOCSIN_SMP_NOTIFIER_PUT_REQUEST(FIELD)};
#define LINE(upper, name, group, id, write, test) printf("%s %d %d %d %d %d\\n", name, group, id, write, test, TOCSIN_SMP_##upper);
int main(void) {
  TOCSIN_SMP_COMMANDS(LINE)
  for (unsigned i = 0; i < sizeof put / sizeof *put; i++) printf("%s %d %d\\n", put[i].name, put[i].type, put[i].optional);
  printf("%d %d\\n", TOCSIN_SMP_RC_PERUSER, TOCSIN_SMP_GROUP_NOTIFIER);
  printf("%s %08x %s\\n", put[TOCSIN_SMP_NOTIFIER_PUT_AT_LEN].name, TOCSIN_SMP_NOTIFIER_PUT_HEAD, TOCSIN_SMP_NOTIFIER_PUT_TEXT);
  return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_header_is_strict_c99_and_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "all.c").write_text(PROGRAM)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT / 'hil/refdevice'}"]
    subprocess.run(["cc", *flags, "all.c", "-o", "all"], cwd=tmp_path, check=True)
    said = subprocess.run([tmp_path / "all"], capture_output=True, text=True, check=True).stdout.splitlines()
    commands = [
        f"{one.name} {one.group} {one.id} {one.write:d} {one.test_build:d} {one.id}"
        for one in COMMANDS.values()
    ]
    text = cbor2.dumps("put").decode()
    assert said == [*commands, "sha 1 0", "off 2 0", "len 2 1", "data 1 0", "256 400", f"len 01900201 {text}"]


def test_the_page_shows_every_command_and_code() -> None:
    page = (ROOT / "docs/protocol/serial.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `(\w+)`", page, re.MULTILINE)
    assert sorted(shown) == sorted(name.partition(".")[2] for name in COMMANDS)
