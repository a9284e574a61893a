"""What C shares with Python is made from it: the headers are what their sources make, and a compiler reads the same numbers."""

from __future__ import annotations

import ctypes
import re
import shutil
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from itertools import product
from pathlib import Path
from types import ModuleType

import pytest

from advisories import limits as said
from advisories import states
from keys import limits as trusted
from keys.reasons import Reason

from . import build

HEADERS = ("tocsin_reasons.h", "tocsin_states.h", "tocsin_limits.h", "tocsin_names.h")


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    loader = SourceFileLoader("c_tables", str(build.ROOT / ".ci/c-tables"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_what_its_source_makes(maker: ModuleType, name: str) -> None:
    assert maker.MADE[name]() == (build.SOURCE / "core" / name).read_text(encoding="utf-8")


def test_what_has_drifted_is_named(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (*maker.LIMITS, maker.RECORD, *(maker.FOLDER / name for name in HEADERS)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(build.ROOT / path, tmp_path / path)
    monkeypatch.setattr(maker, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["c-tables", "--check"])
    assert maker.main() == 0
    other = tmp_path / maker.LIMITS[0]
    other.write_text(other.read_text().replace("SIGNATURES_MAX: Final = 16", "SIGNATURES_MAX: Final = 17"))
    assert maker.main() == 1
    told = capsys.readouterr().err
    assert "tocsin_limits.h: is not what its source makes" in told
    assert "tocsin_states.h" not in told
    monkeypatch.setattr(sys, "argv", ["c-tables"])
    assert maker.main() == 0
    assert "TN_WIRE_SIGNATURES_MAX 17u" in (tmp_path / maker.FOLDER / "tocsin_limits.h").read_text()


def test_numbers_are_those_of_python() -> None:
    found = build.constants()
    for reason in Reason:
        assert found[f"TN_{reason.name}"] == reason
    for state in states.NoticeState:
        assert found[f"TN_NOTICE_{state.name}"] == state
    for state in states.PatchState:
        assert found[f"TN_PATCH_{state.name}"] == state
    for module in (said, trusted):
        for name in (one for one in vars(module) if one.isupper()):
            assert found[f"TN_WIRE_{name}"] == getattr(module, name)
    for name in (
        "NOTICE_DONE",
        "PATCH_ENDED",
        "PATCH_STOPS",
        "PATCH_FAILED",
        "PATCH_ON_TRIAL",
        "PATCH_PROVEN",
    ):
        assert {n for n in range(32) if found[f"TN_SET_{name}"] >> n & 1} == getattr(states, name)


def test_the_device_allows_no_more_than_the_wire() -> None:
    found = build.constants()
    for name in (
        "KEYS",
        "ROLES",
        "SIGNATURES",
        "NOTICE_BYTES",
        "PATCH_BYTES",
        "ROOT_BYTES",
        "REPORT_BYTES",
        "PAGES",
    ):
        wire = {"KEYS": "ROOT_KEYS", "PAGES": "NOTICE_PAGES"}.get(name, name)
        assert found[f"TN_{name}_MAX"] <= found[f"TN_WIRE_{wire}_MAX"], name
    assert found["TN_TEXT_BYTES_MAX"] == found["TN_WIRE_NOTICE_TEXT_BYTES_MAX"]
    assert found["TN_PAGE_BYTES"] == found["TN_WIRE_NOTICE_PAGE_BYTES"]


PROGRAM = """
#include "tocsin_states.h"
bool notice(uint32_t from, uint32_t to);
bool patch(uint32_t from, uint32_t to);
bool notice(uint32_t from, uint32_t to) { return tn_notice_may(from, to); }
bool patch(uint32_t from, uint32_t to) { return tn_patch_may(from, to); }
"""


def test_transitions_are_those_of_python(tmp_path: Path) -> None:
    import ctypes
    import subprocess

    (tmp_path / "t.c").write_text(PROGRAM)
    made = tmp_path / "t.so"
    flags = [
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wconversion",
        "-shared",
        "-fPIC",
        f"-I{build.SOURCE / 'core'}",
    ]
    subprocess.run(["cc", *flags, tmp_path / "t.c", "-o", made], check=True)
    library = ctypes.CDLL(str(made))
    kinds = (
        (library.notice, states.NoticeState, states.NOTICE_TRANSITIONS),
        (library.patch, states.PatchState, states.PATCH_TRANSITIONS),
    )
    for may, kind, table in kinds:
        may.restype = ctypes.c_bool
        for old, new in product(kind, kind):
            assert may(old, new) == (new in table[old]), (old, new)
        assert not may(0, len(kind))
        assert not may(len(kind), 0)
        assert not may(2**32 - 1, 2**32 - 1)


def test_every_name_is_unpacked_as_it_was(core_library: build.Core) -> None:
    text = (build.SOURCE / "core/record.h").read_text(encoding="utf-8")
    names = re.findall(r"X\((\w+)\)", text)
    first = 1 + build.enumerated("record.h", "TN_NAME_NONE")["TN_NAME_NONE"]
    core_library.lib.tn_name.restype = ctypes.c_char_p
    assert [core_library.lib.tn_name(first + i).decode() for i in range(len(names))] == names
    room = re.search(r"^#define TN_NAME_ROOM (\d+)u$", text, re.MULTILINE)
    assert room is not None
    assert max(map(len, names)) < int(room[1])


def test_words_that_are_logged_fit_where_they_are_kept() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted((build.SOURCE / "core").glob("*.c"))]
    said = [words for text in texts for words in re.findall(r'\btn_(?:log|refuse)\([^;]*?"([^"]*)"', text)]
    assert len(said) >= 5
    assert max(map(len, said)) < build.constants()["TN_LOG_ROOM"]
