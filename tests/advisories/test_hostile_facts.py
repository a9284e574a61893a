"""Advisory files written to break the reader: one sentence each, never a traceback, nothing unseen."""

from __future__ import annotations

import pytest

from advisories.checks import check
from advisories.facts import load_facts
from advisories.languages import CALENDAR_END, all_words, words
from keys.errors import InputError
from keys.limits import VERSION_MAX
from tests.advisories.test_examples import EXAMPLES

SOURCE = (EXAMPLES / "EX-2026-0001.yaml").read_text("utf-8")


def with_line(key: str, value: str) -> str:
    """The example with the first value of a key replaced."""
    lines = SOURCE.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
    lines[at] = lines[at][: lines[at].index(":") + 1] + f" {value}\n"
    return "".join(lines)


@pytest.mark.parametrize("key", ["title", "holder", "contact"])
@pytest.mark.parametrize("value", [r'"\ud800"', r'"a\udfffb"'])
def test_half_a_letter_is_refused_where_it_stands(key: str, value: str) -> None:
    with pytest.raises(InputError, match=r"f\.yaml:\d+: This is not a whole letter"):
        load_facts(with_line(key, value), where="f.yaml")


def test_half_a_letter_in_a_key_is_refused() -> None:
    with pytest.raises(InputError, match="not a whole letter"):
        load_facts('"\\ud800": 1\n', where="f.yaml")


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+14:00",
        "1960-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
    ],
)
def test_a_next_update_outside_the_calendar_is_refused(time: str) -> None:
    with pytest.raises(InputError, match="is not between 1971 and 9998"):
        load_facts(with_line("next_update", time), where="f.yaml")


@pytest.mark.parametrize("time", ["1971-01-01T14:00:00+14:00", "9998-12-31T11:59:59-12:00"])
def test_a_next_update_at_the_calendars_ends_has_seconds(time: str) -> None:
    facts = load_facts(with_line("next_update", time), where="f.yaml")
    assert facts.next_update_seconds is not None
    assert 0 < facts.next_update_seconds < VERSION_MAX


@pytest.mark.parametrize("language", sorted(all_words()))
def test_any_second_of_the_wire_has_words(language: str) -> None:
    assert words(language).when(VERSION_MAX) == words(language).when(CALENDAR_END)


@pytest.mark.parametrize("text", [r'"\u200b"', r'"\u00ad"', r'"\u200d \u200c"', r'"\u202e\u2066"'])
@pytest.mark.parametrize(("key", "rule"), [("title", "empty-field"), ("action", "action-first")])
def test_words_that_nobody_sees_count_as_empty(text: str, key: str, rule: str) -> None:
    facts = load_facts(SOURCE, where="f.yaml")
    language = facts.source_language
    unseen = text[1:-1].encode().decode("unicode_escape")
    written = facts.source.model_copy(update={key: unseen})
    broken = facts.model_copy(update={"texts": {**facts.texts, language: written}})
    assert rule in {finding.rule for finding in check(broken, languages={})}


@pytest.mark.parametrize(
    "file",
    [
        '"\\e[2Jkey": 1\n',
        '"\\u202Ekey": 1\n',
        "k" * 100_000 + ": 1\n",
        "id: " + "9" * 100_000,
        "id: !\x85\x1bx 1\n",
    ],
)
def test_a_message_repeats_no_word_that_could_steer_a_terminal_or_fill_it(file: str) -> None:
    with pytest.raises(InputError) as error:
        load_facts(file, where="f.yaml")
    assert len(str(error.value)) < 1_000
    assert str(error.value).isprintable()
