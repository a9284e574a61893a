"""Files as translators' tools really write them, and as somebody who means harm might."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from advisories.facts import Facts
from advisories.translate import po, xliff
from advisories.translate.units import Package, accept, package
from keys.errors import InputError

SEGMENT = re.compile(r"<segment.*?</segment>", re.DOTALL)
SOURCE = re.compile(r"<source[^>]*>(.*?)</source>", re.DOTALL)


def done(facts: Facts, language: str = "sv") -> Package:
    sent = package(facts, language)
    return replace(sent, units=tuple(replace(unit, target=unit.source) for unit in sent.units))


def test_a_language_as_gettext_spells_it_is_the_same_language(example: Facts) -> None:
    text = po.write(done(example, "pt-BR")).decode().replace("Language: pt-BR", "Language: pt_BR")
    assert po.read(text.encode(), where="x") == done(example, "pt-BR")


def split(text: str, *, between: str = "<ignorable><source> </source></ignorable>", last: str = "") -> str:
    """Split each paragraph at its sentences, as translation tools do; ``last`` is the last one's target."""

    def segments(found: re.Match[str]) -> str:
        source = SOURCE.search(found[0])
        assert source is not None
        parts = re.split(r"(?<=\.) (?=[A-Z])", source[1])
        made = [f"<segment><source>{p}</source><target>{p}</target></segment>" for p in parts]
        if last != "same" and len(parts) > 1:
            made[-1] = f"<segment><source>{parts[-1]}</source>{last}</segment>"
        return between.join(made)

    return SEGMENT.sub(segments, text)


@pytest.mark.parametrize(
    "between",
    [
        "<ignorable><source> </source></ignorable>",
        "<ignorable><source> </source><target> </target></ignorable>",
    ],
)
def test_what_stands_between_the_sentences_of_a_split_paragraph_stays(example: Facts, between: str) -> None:
    sent = done(example)
    text = split(xliff.write(sent).decode(), between=between, last="same")
    assert "<ignorable>" in text
    assert accept(example, xliff.read(text.encode(), where="x"), where="x") == {
        unit.key: unit.source for unit in sent.units
    }


@pytest.mark.parametrize("last", ["", "<target/>"])
def test_half_a_paragraph_is_no_translation(example: Facts, last: str) -> None:
    text = split(xliff.write(done(example)).decode(), last=last)
    with pytest.raises(InputError) as caught:
        accept(example, xliff.read(text.encode(), where="x"), where="x")
    assert caught.value.code == "UNFINISHED_TRANSLATION"


def test_marks_without_end_are_refused(example: Facts) -> None:
    deep = '<pc id="a">' * 30_000 + "x" + "</pc>" * 30_000
    text = re.sub(r"<target[^>]*>[^<]*</target>", f"<target>{deep}</target>", xliff.write(done(example)).decode(), count=1)  # fmt: skip
    with pytest.raises(InputError, match="too deep") as caught:
        xliff.read(text.encode(), where="x")
    assert caught.value.code == "TRANSLATION_UNREADABLE"


def test_a_paragraph_that_came_back_twice_is_refused(example: Facts) -> None:
    sent = done(example)
    twice = replace(sent, units=(*sent.units, replace(sent.units[0], target="Other words")))
    with pytest.raises(InputError, match="title") as caught:
        accept(example, twice, where="x")
    assert caught.value.code == "TRANSLATED_TWICE"


@pytest.mark.parametrize("letter", ["\0", "\x1b", "\x7f", "\u202e", "\u202a", "\ud800"])
def test_letters_that_steer_a_screen_are_refused(example: Facts, letter: str) -> None:
    sent = done(example, "ar")
    units = (replace(sent.units[0], target=f"a{letter}b"), *sent.units[1:])
    with pytest.raises(InputError, match="title") as caught:
        accept(example, replace(sent, units=units), where="x")
    assert caught.value.code == "UNSEEN_LETTERS"


@pytest.mark.parametrize("letter", ["\u200f", "\u2067b\u2069", "\u200d", "\u00ad"])
def test_letters_that_a_script_needs_stay(example: Facts, letter: str) -> None:
    sent = done(example, "ar")
    units = (replace(sent.units[0], target=f"a{letter}b"), *sent.units[1:])
    assert accept(example, replace(sent, units=units), where="x")["title"] == f"a{letter}b"
