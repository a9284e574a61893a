"""Which fields differ between two files of facts, and to whom each belongs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.edits import _differing, changes
from keys.errors import InputError


def found(before: str, after: str) -> list[tuple[str, str]]:
    rows = changes(before.encode(), after.encode(), where_before="old", where_after="new")
    return [(each.path, each.owner) for each in rows]


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ("severity: high", "severity: low", [("severity", "engineering")]),
        (
            "expires_days: 90 ",
            "expires_days: 91 ",
            [("expires_days", "communications")],
        ),
        (
            'affected: [">=1.0.0 <1.4.2"]',
            'affected: [">=1.0.0 <1.4.1", "=1.5.0"]',
            [
                ("products.thermostat.affected.0", "engineering"),
                ("products.thermostat.affected.1", "engineering"),
            ],
        ),
        ("exercise: true", "exercise: true\ntlp: amber", [("tlp", "legal")]),
        (
            "exercise: true",
            "exercise: true\ndata: {types: [name, location], status: suspected}",
            [
                ("data.types.0", "engineering"),
                ("data.types.1", "engineering"),
                ("data.status", "legal"),
            ],
        ),
        ("exercise: true", "exercise: true\nlegal: {statements: []}", [("legal.statements", "legal")]),
        (
            'title: "Please install update"',
            'title: "Please update now"',
            [("texts.en.title", "communications")],
        ),
        ("exercise: true", "exercise: true # a remark", []),
        ("exercise: true", "exercise:     true", []),
    ],
)
def test_each_changed_field_is_named_with_its_owner(
    example_yaml: str, old: str, new: str, paths: list[tuple[str, str]]
) -> None:
    assert old in example_yaml
    after = example_yaml.replace(old, new, 1)
    assert found(example_yaml, after) == paths
    back = found(after, example_yaml)
    assert {path for path, _ in back} == {path for path, _ in paths}


def test_the_line_is_that_of_the_file_that_has_the_field(example_yaml: str) -> None:
    after = example_yaml.replace("severity: high", "severity: low", 1).replace(
        "reminder: {every_hours: 24, at_most: 7}", "", 1
    )
    rows = changes(example_yaml.encode(), after.encode(), where_before="old", where_after="new")
    lines = {each.path: each.where for each in rows}
    number = next(n for n, text in enumerate(after.splitlines(), 1) if text.startswith("severity"))
    assert lines["severity"] == f"new:{number}"
    gone = next(n for n, text in enumerate(example_yaml.splitlines(), 1) if text.startswith("reminder"))
    assert lines["reminder.at_most"] == lines["reminder.every_hours"] == f"old:{gone}"


def test_a_file_that_is_wrong_is_told_with_its_line(example_yaml: str) -> None:
    with pytest.raises(InputError) as raised:
        found(example_yaml, example_yaml.replace("severity: high", "severity: huge", 1))
    assert raised.value.where.startswith("new:")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def exact(value: object) -> str:
    return repr(value)  # tells 1 from True


@given(VALUES, VALUES)
def test_whatever_differs_is_named(old: object, new: object) -> None:
    paths = list(_differing(old, new, ()))
    assert bool(paths) == (exact(old) != exact(new) and not reordered(old, new))


def reordered(old: object, new: object) -> bool:
    def ordered(value: object) -> object:
        if isinstance(value, dict):
            return {key: ordered(value[key]) for key in sorted(value)}
        return [ordered(item) for item in value] if isinstance(value, list) else value

    return exact(ordered(old)) == exact(ordered(new))
