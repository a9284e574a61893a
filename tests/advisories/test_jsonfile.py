"""Long files are read as the JSON that they are; both readers come to the same."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories import jsonfile, yamlfile
from keys.errors import InputError

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
    | st.text()
)
VALUES = st.dictionaries(
    st.text(max_size=20),
    st.recursive(
        SCALARS, lambda below: st.lists(below) | st.dictionaries(st.text(max_size=20), below), max_leaves=20
    ),
)


def slow(text: str) -> tuple[Any, dict[Any, int]]:
    """What the reader of YAML makes of a text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonfile, "load", lambda *_: None)
        value, lines = yamlfile.load(text, where="f")
    return value, dict(lines.lines)


@settings(max_examples=60, deadline=None)
@given(
    VALUES,
    st.sampled_from([None, 1, 2]),
    st.sampled_from(["", "# a line\n", "\n  # two\n\n#lines\n"]),
    st.booleans(),
)
def test_both_readers_find_the_same_values_on_the_same_lines(
    value: dict[str, Any], indent: int | None, head: str, ascii_only: bool
) -> None:
    text = head + json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = jsonfile.load(text, yamlfile.DEPTH_MAX)
    if found is None:  # left to the other one, which takes it or tells why not
        return
    assert found.value == value
    expected, lines = slow(text)
    assert expected == value
    assert dict(found.lines) == lines
    assert len(found.lines) == len(lines)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1",
        "[1]",
        "{a: 1}",
        '{"a": 1} # a remark',
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\ud83d\\ude00"}',
        '{"a": "\u2028"}',
        '{"a": "\x7f"}',
        '{"a": 1}\r\n',
        '{"a": ' + "[" * 40 + "]" * 40 + "}",
        '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}",
        '{"a": ' + "9" * 5_000 + "}",
        '{"a": 1',
        "",
    ],
)
def test_whatever_the_two_might_read_differently_is_left_to_the_slow_one(text: str) -> None:
    assert jsonfile.load(text, yamlfile.DEPTH_MAX) is None


@pytest.mark.parametrize("depth", [yamlfile.DEPTH_MAX - 1, yamlfile.DEPTH_MAX])
def test_nesting_has_the_same_limit(depth: int) -> None:
    text = '{"a": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
    value, _ = yamlfile.load(text, where="f")
    assert slow(text)[0] == value
    deep = '{"a": ' + "[" * (yamlfile.DEPTH_MAX + 1) + "]" * (yamlfile.DEPTH_MAX + 1) + "}"
    with pytest.raises(InputError, match="nests deeper"):
        yamlfile.load(deep, where="f")


def test_a_fault_in_a_long_file_is_told_with_its_line() -> None:
    _, lines = yamlfile.load('# head\n{"a":\n [1,\n  {"b": "}{\\"",\n "c": 2}], "d": 3}\n', where="f.yaml")
    assert lines.place(("a",)) == "f.yaml:2"
    assert lines.place(("a", 1, "c")) == "f.yaml:5"
    assert lines.place(("a", 1, "nowhere")) == "f.yaml:4"
    assert lines.line(("d",)) == 5
