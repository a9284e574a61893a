import re
import string
from datetime import date

import pytest

from advisories.facts.matter import ContactKind, DataType, Delivery, Kind, Status
from advisories.facts.vulnerabilities import Exploitation
from advisories.languages import words
from advisories.notice import Phase, Severity
from advisories.phrases import LANGUAGES, phrases

ENGLISH = phrases("en").table


def gaps(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything_with_the_same_gaps(language: str) -> None:
    table = phrases(language).table
    assert table.keys() == ENGLISH.keys()
    for key, phrase in table.items():
        if key != "date.day":  # some calendars name the month by its number
            assert gaps(phrase) == gaps(ENGLISH[key]), key
        assert phrase == phrase.strip() or key.startswith("date."), key
        assert phrase, key


@pytest.mark.parametrize("language", [tag for tag in LANGUAGES if tag != "en"])
def test_nothing_is_left_in_english(language: str) -> None:
    same = {key for key, phrase in phrases(language).table.items() if phrase == ENGLISH[key]}
    kept = {key for key in same if not key.startswith(("culture.", "date."))}
    assert kept <= {
        "page.date", "page.code", "page.phase", "contact.mail", "contact.phone", "contact.post", "contact.page",
        "letter.date", "data_type.password", "status.confirmed", "page.product", "mail.subject", "phase.correction",
        "page.id", "letter.phone", "range.one",
    }, kept  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_code_and_revision_are_called_as_on_the_device(language: str) -> None:
    on_screen, say = words(language).genuine.lower(), phrases(language)
    assert say("page.code").lower() in on_screen
    assert say("page.revised").lower().removesuffix("次") in on_screen


def test_every_choice_of_the_facts_has_its_words() -> None:
    wanted = {f"data_type.{kind.value}" for kind in DataType}
    wanted |= {f"status.{status.value}" for status in Status} | {f"kind.{kind.value}" for kind in Kind}
    wanted |= {f"delivery.{delivery.value}" for delivery in Delivery}
    wanted |= {f"contact.{kind.value}" for kind in ContactKind} | {
        f"used.{used.value}" for used in Exploitation
    }
    wanted |= {f"{table}.{phase.name.lower()}" for phase in Phase for table in ("phase", "phase_note")}
    wanted |= {f"severity.{severity.name.lower()}" for severity in Severity}
    assert wanted <= ENGLISH.keys()


def test_english_phrases_are_plain() -> None:
    for key, phrase in ENGLISH.items():
        if not key.startswith("culture."):
            for sentence in re.split(r"[.?!:] ", phrase):
                assert len(sentence.split()) <= 20, key


@pytest.mark.parametrize(
    ("language", "day", "number"),
    [
        ("en", "22 November 2026", "12,500"), ("de", "22. November 2026", "12.500"), ("fr", "22 novembre 2026", "12\u202f500"),
        ("es", "22 de noviembre de 2026", "12.500"), ("it", "22 novembre 2026", "12.500"),
        ("pl", "22 listopada 2026", "12\u00a0500"), ("ja", "2026年11月22日", "12,500"), ("zh", "2026年11月22日", "12,500"),
        ("ar", "22 نوفمبر 2026", "12,500"),
    ],
)  # fmt: skip
def test_days_and_numbers_as_the_language_writes_them(language: str, day: str, number: str) -> None:
    say = phrases(language)
    assert say.day(date(2026, 11, 22)) == day
    assert say.number(12_500) == number
    assert say.number(999) == "999"


def test_lists_are_joined_as_people_speak() -> None:
    assert phrases("en").joined([]) == ""
    assert phrases("en").joined(["a"]) == "a"
    assert phrases("en").joined(["a", "b", "c"]) == "a, b and c"
    assert phrases("ja").joined(["a", "b", "c"]) == "a、b、c"


def test_a_language_is_found_by_its_first_part_else_english_stands_in() -> None:
    assert phrases("de-AT").language == "de"
    assert phrases("pt-BR").language == "en"
    assert phrases("ar").rtl
    assert not phrases("zh").rtl


def test_a_value_is_isolated_and_nothing_unseen_stays_in_it() -> None:
    assert phrases("en")("page.numbers", numbers="\u202eCVE\u2069") == (
        "Public numbers of the weakness: \u2068CVE\u2069"
    )
    with pytest.raises(KeyError):
        phrases("en")("page.numbers", other=1)
    with pytest.raises(KeyError):
        phrases("en")("page.nothing")
