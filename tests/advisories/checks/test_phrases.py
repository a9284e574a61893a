"""Every pattern of every language finds its phrase, and lets an honest one pass."""

import tomllib

import pytest

from advisories.glossaries import LANGUAGES, glossary, search
from tests.advisories.checks.bench import FOLDER, edited, found

PHRASES: dict[str, list[list[str]]] = tomllib.loads((FOLDER / "phrases.toml").read_text("utf-8"))
ROWS = [(pattern, *row) for pattern, rows in PHRASES.items() for row in rows]


@pytest.mark.parametrize(("pattern", "language", "phrase", "honest"), ROWS)
def test_a_phrase_is_found_and_an_honest_one_is_not(
    pattern: str, language: str, phrase: str, honest: str
) -> None:
    assert search(language, pattern, phrase)
    assert not search(language, pattern, honest)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_pattern_with_a_phrase_and_forty_terms(language: str) -> None:
    assert set(glossary(language).patterns) == set(PHRASES)
    assert all(any(row[0] == language for row in rows) for rows in PHRASES.values())
    assert len(glossary(language).terms) >= 40
    assert set(glossary(language).notes) == {"greeting", "address", "script"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_term_is_found_where_it_stands_and_let_pass_where_it_is_explained(language: str) -> None:
    matcher = glossary(language).matcher({})
    for term, plain in glossary(language).terms.items():
        assert any(one.plain and not one.explained for one in matcher.find(f"x {term}.")), term
        assert all(one.explained for one in matcher.find(f"{term} (y)")), term
        assert plain.strip() == plain


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "We will never ask you to confirm your password."),
        ("en", "Do not give your password to anyone."),
        ("de", "Geben Sie niemandem Ihr Passwort."),
        ("de", "Wir bitten Sie nie, uns Ihr Passwort zu senden."),
    ],
)
def test_a_warning_against_forgers_is_no_forgery(language: str, text: str) -> None:
    findings = found("vulnerability", {f"texts.{language}.prevention": text})
    assert "login-link" not in {one.rule for one in findings}


def test_a_warning_in_another_clause_does_not_make_a_demand_harmless() -> None:
    findings = found("vulnerability", {"texts.en.prevention": "Do not wait: confirm your password."})
    assert "login-link" in {one.rule for one in findings}


@pytest.mark.parametrize("tag", ["fr", "pt"])
def test_languages_come_from_devices_and_never_from_a_country(tag: str) -> None:
    """Practice 37: whoever has a device is told, wherever it stands; no field of the facts names a country."""
    assert "country" not in type(edited("vulnerability")).model_fields
    findings = found("vulnerability", languages={"doorbell": {"en", "de", tag}})
    assert [one.rule for one in findings] == ["language-missing"]
    assert "language-missing" not in {
        one.rule for one in found("vulnerability", languages={"kettle": {tag}, "doorbell": {"en"}})
    }
