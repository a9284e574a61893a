"""Every part of a board file has the line on which it stands."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.bench.boardfile import read
from hil.bench.tomllines import lines_of
from tests.hil.board_text import FULL


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {path}
    if isinstance(value, dict):
        for key, item in value.items():
            found |= paths_of(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            found |= paths_of(item, (*path, index))
    return found


TOMLS = [
    FULL,
    'a.b."c.d".\'e f\' = 1\n"a\\"]=".x = 2\n',
    "a = [\n  1, # ]\n  [2, 3],\n  { b = 4, c.d = [ ] },\n]\nb = {}\n",
    '[[a]]\nx = 1\n[[a]]\ny = 2\n[a.b]\nz = 3\n[[a.c]]\n[[a.c]]\nw = 1\n[ d . "e" ]\n',
    "a = \"\"\"\nx = 1\n[b]\n\"\"\"\nc = '''\n]}\n'''\nd = 1\n",
    'a = """"x"""""\nb = ""\nc = \'\'\nd = "\\\\"\ne = \'\\\'\nf = """\\""""\n',
    "a = 1979-05-27T07:32:00Z\nb = 0x1F\nc = 1e5 # x = 1\nd = [1979-05-27 07:32:00, true]\n",
    "a.b = 1\r\na.c = 2\r\n[x]\r\ny = 1\r\n",
    "1 = 1\n2.3 = 4\n",
    "",
    "# only\n",
]


@pytest.mark.parametrize("text", TOMLS)
def test_every_part_of_a_file_has_a_line(text: str) -> None:
    lines = lines_of(text)
    assert set(lines) == paths_of(tomllib.loads(text))
    for path, line in lines.items():
        if path and isinstance(path[-1], str):
            escaped = path[-1].replace('"', '\\"')
            assert escaped in text.splitlines()[line - 1]


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=4)
_VALUES = st.recursive(
    st.integers(-9, 9) | st.booleans() | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=8,
)


def toml(value: Any, gap: str) -> str:
    """Write a value inline, with what may stand between its parts."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v, gap)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + "".join(f"{gap}{toml(item, gap)}{gap}," for item in value) + "]"
    return json.dumps(value).replace("\x7f", "\\u007f")


@given(st.dictionaries(_WORDS, _VALUES, max_size=5), st.sampled_from(["", " ", "\n", " # ]}\n\t", "\r\n"]))
def test_lines_agree_with_the_parser(tables: dict[str, Any], gap: str) -> None:
    pairs = (f"{json.dumps(key)} = {toml(value, gap)}\n" for key, value in tables.items())
    text = "".join(pairs).replace("\x7f", "\\u007f")
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # JSON writes pairs of half letters, which TOML does not know
        return
    lines = lines_of(text)
    assert set(lines) == paths_of(parsed)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@pytest.mark.parametrize("key", [".".join(["a"] * 900) + " = 1", f"[{'.'.join(['a'] * 5000)}]"])
def test_a_key_of_a_thousand_parts_is_refused(key: str) -> None:
    boards, found = read(key, where="f", folder=Path(), environ={})
    assert boards == {}
    assert "nests too deep" in str(found[0])
