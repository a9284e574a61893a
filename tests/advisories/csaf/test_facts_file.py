"""Files of facts that a program writes: read again they say the same, short ones for people, long ones fast."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories import jsonfile, yamlfile
from advisories.csaf import facts_file, read_csaf
from advisories.facts import load_facts
from bench.csaf_case import document
from keys.errors import InputError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.dictionaries(
    TEXTS,
    st.recursive(
        TEXTS | st.booleans() | st.integers(),
        lambda below: (
            st.lists(TEXTS)
            | st.lists(st.dictionaries(TEXTS, below, min_size=1), max_size=3)
            | st.dictionaries(TEXTS, below)
        ),
        max_leaves=15,
    ),
)


@settings(max_examples=60, deadline=None)
@given(VALUES, TEXTS)
def test_what_is_written_is_read_again(value: dict[str, Any], head: str) -> None:
    data = facts_file.write({"id": "x", **value}, head=head)
    assert yamlfile.load(data, where="f")[0] == {"id": "x", **value}


def test_a_short_file_is_for_people() -> None:
    text = facts_file.write(
        {"id": "x", "texts": {"en": {"title": "Hé: #1"}}, "list": [{"a": ["b"]}]}, head="h"
    )
    assert text.decode().splitlines() == [
        "# yaml-language-server: $schema=advisory.schema.json",
        '# "h"',
        "# What stands in [brackets] is for you to write; then run: tocsin advisory check",
        'id: "x"',
        "texts:",
        "  en:",
        '    title: "Hé: #1"',
        "list:",
        '  - a: ["b"]',
    ]


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_long_file_is_json_from_its_limit_on(extra: int) -> None:
    empty = len(facts_file.write({"id": ""}, head="h"))
    data = facts_file.write({"id": "x" * (facts_file.YAML_BYTES_MAX - empty + extra)}, head="h")
    quick = jsonfile.load(data.decode(), yamlfile.DEPTH_MAX) is not None
    assert quick == (extra > 0)


def test_a_long_key_makes_it_json() -> None:
    value = {"k" * 2_000: "v"}
    assert yamlfile.load(facts_file.write(value, head="h"), where="f")[0] == value


def test_a_file_that_nobody_could_read_again_is_not_written() -> None:
    with pytest.raises(InputError) as caught:
        facts_file.write({"id": "x" * yamlfile.FILE_BYTES_MAX}, head="h")
    assert caught.value.code == "CSAF_TOO_BIG"


def test_a_thousand_weaknesses_are_taken_over_whole() -> None:
    found = read_csaf(document(), where="case.json")
    assert (len(found.facts.vulnerabilities), found.losses) == (1_000, ())
    assert load_facts(found.data, where="f").place("vulnerabilities", 999, "cve").startswith("f:")
