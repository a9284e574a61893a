"""What the facts become as a document: valid for both validators in every language, phase and profile."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from advisories.csaf import csaf_document, encode, file_name, render
from advisories.csaf.export import addresses, csaf_path
from advisories.csaf.profiles import CATEGORIES
from advisories.csaf.words import all_phrases
from advisories.facts import Facts
from advisories.languages import words
from keys.errors import InputError
from tests.advisories.csaf import csaf_case as case

PHASES = ("initial", "update", "resolved", "withdrawn", "correction")
RICH: dict[str, Any] = {
    "tlp": "clear",
    "next_update": "2026-11-24T09:00:00Z",
    "fix": {"available": "2026-11-20T09:00:00Z", "page": "https://example.com/fix"},
    "vulnerabilities": [
        {
            "cve": "CVE-2026-10001",
            "cwe": {
                "id": "CWE-306",
                "name": "Missing Authentication for Critical Function",
            },
            "exploited": "active",
            "exploited_since": "2026-11-18",
            "scores": [
                {
                    "products": ["thermostat"],
                    "v2": "AV:N/AC:L/Au:N/C:C/I:C/A:C",
                    "v3": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P",
                }
            ],
            "involvements": [{"party": "vendor", "status": "completed"}],
        },
        {
            "title": "Another weakness",
            "status": {"known-affected": ["thermostat"], "known-not-affected": ["doorbell"]},
            "flags": [{"label": "component_not_present", "products": ["doorbell"]}],
            "remedies": [
                {
                    "category": "mitigation",
                    "details": "Keep it away from the Internet.",
                    "products": ["thermostat"],
                }
            ],
            "notes": [{"category": "details", "text": "Only with the cable."}],
        },
    ],
    "credits": [
        {"names": ["A. Finder"], "organisation": "example.com"},
        {"names": ["Somebody else"], "agreed": False},
    ],
    "references": [{"url": "https://example.com/more", "summary": "More about it"}],
    "notes": [{"category": "other", "title": "History", "text": "It was found in the laboratory."}],
    "legal": {"statements": ["This notice is not an admission."]},
    "annex": {"details": ["The function secret_reset takes no password."]},
}


def made(of: Facts, language: str = "en", **more: Any) -> dict[str, Any]:
    setting = {key: more.pop(key) for key in ("organisation", "past", "exercise") if key in more}
    return csaf_document(case.story(of, **setting), language, **more)


def faq(language: str) -> dict[str, Any]:
    return case.words(
        language,
        workaround="Switch it off.",
        steps=["Press the button.", "Wait."],
        prevention="We test it.",
        offer="We send a technician.",
        faq=[{"q": "Is my data safe?", "a": "Yes."}],
    )


def test_every_language_phase_and_profile_is_valid_for_both(tmp_path: Path) -> None:
    found = {}
    texts = {language: faq(language) for language in case.LANGUAGES}
    for phase, kind in itertools.product(PHASES, ("vulnerability", "incident", "end-of-support")):
        of = case.facts(**RICH | {"phase": phase, "kind": kind, "texts": texts})
        past = case.past("initial") if phase != "initial" else ()
        for language in case.LANGUAGES:
            document = made(of, language, past=past)
            found[f"{phase} {kind} {language}"] = document
            assert (
                document["document"]["category"]
                == {
                    "vulnerability": "csaf_security_advisory",
                    "incident": "csaf_security_incident_response",
                    "end-of-support": "csaf_informational_advisory",
                }[kind]
            )
    for profile, language in itertools.product(CATEGORIES, ("en", "ja")):
        found[f"{profile} {language}"] = made(
            case.facts(**RICH | {"texts": texts}), language, profile=profile, exercise=True
        )
    assert {name: bad for name, document in found.items() if (bad := case.faults(document))} == {}
    opinions = case.second_opinions(tmp_path, found)
    assert {name: errors for name, errors in opinions.items() if errors} == {}


def test_bytes_are_in_order_and_the_same_each_time() -> None:
    first = render(case.story(case.facts(**RICH)), "de")
    assert first == render(case.story(case.facts(**RICH)), "de")
    assert first.startswith('{\n  "document": {\n    "acknowledgments"')
    assert first.endswith("}\n")
    assert encode({"b": 1, "a": "ä"}) == '{\n  "a": "ä",\n  "b": 1\n}\n'.encode()
    assert "***" not in first  # no check code: the digest of the document is approved with the header


def test_what_stays_with_us_is_in_no_document() -> None:
    text = render(case.story(case.facts(**RICH)), "en")
    assert "secret_reset" not in text
    assert "Somebody else" not in text
    assert "exercise-engineering" not in text
    assert "A. Finder" in text


@pytest.mark.parametrize(
    ("tracking_id", "name"),
    [
        ("EX-2026-0001", "ex-2026-0001.json"),
        ("EX-2026-0001-de", "ex-2026-0001-de.json"),
        ("Example Company - 2019-YH3234", "example_company_-_2019-yh3234.json"),
        ("RHBA-2019:0024", "rhba-2019_0024.json"),
        ("2022 #01-A", "2022_01-a.json"),
        ("a+b__C", "a+b_c.json"),
        ("Ärger", "_rger.json"),
    ],
)
def test_a_file_has_the_name_that_the_standard_asks_for(tracking_id: str, name: str) -> None:
    assert file_name(tracking_id) == name


def test_file_names_of_the_official_examples() -> None:
    folder = case.CASES.parents[1] / "filenames" / "data"
    if not folder.exists():
        pytest.skip("the official cases are not there")
    import json

    for path in sorted(folder.rglob("*.json")):
        tracking_id = json.loads(path.read_text("utf-8"))["document"]["tracking"]["id"]
        assert (file_name(tracking_id) == path.name) == (path.parent.name == "valid"), path.name


def test_a_translation_is_a_document_of_its_own() -> None:
    of = case.facts(
        ("en", "de", "ja"),
        texts={k: case.words(k) for k in ("en", "de")} | {"ja": case.words("ja", translated_from="de")},
    )
    source, german, japanese = (made(of, language)["document"] for language in ("en", "de", "ja"))
    assert (source["lang"], "source_lang" in source, source["publisher"]["category"]) == (
        "en",
        False,
        "vendor",
    )
    assert (german["lang"], german["source_lang"]) == ("de", "en")
    assert german["publisher"]["category"] == "translator"
    assert german["tracking"]["id"] == "EX-2026-0001-de"
    assert german["references"][0] == {
        "category": "external",
        "summary": "Das Original dieser Übersetzung",
        "url": "https://example.com/security/.well-known/csaf/white/2026/ex-2026-0001.json",
    }
    assert japanese["source_lang"] == "de"


def test_the_address_says_where_the_document_lies() -> None:
    story = case.story(case.facts())
    assert csaf_path(story, "de") == "white/2026/ex-2026-0001-de.json"
    own = [link for link in made(case.facts())["document"]["references"] if link["category"] == "self"]
    assert own == [{"category": "self", "summary": "This document", "url": addresses(story)["en"]}]
    nobody = made(case.facts(), organisation=case.Organisation())
    assert "references" not in nobody["document"]
    assert nobody["document"]["publisher"] == {
        "category": "vendor",
        "name": "example.com",
        "namespace": "https://example.com",
    }
    assert case.faults(nobody) == []


def test_notes_stand_in_the_order_in_which_owners_read() -> None:
    of = case.facts(
        **RICH
        | {
            "texts": {
                "en": faq("en"),
                "de": case.words("de", elsewhere={"legal.statements.0": "Dies ist kein Eingeständnis."}),
            }
        }
    )
    notes = made(of, exercise=True)["document"]["notes"]
    assert [(note["category"], note.get("title")) for note in notes] == [
        ("general", "EXERCISE"),
        ("summary", "What happened"),
        ("general", "What you must do"),
        ("details", "What is affected"),
        ("details", "What we are doing"),
        ("details", "What keeps it from happening again"),
        ("general", "How we help"),
        ("general", "Next update"),
        ("general", "Contact"),
        ("faq", "Is my data safe?"),
        ("legal_disclaimer", None),
        ("other", "History"),
    ]
    assert notes[2]["text"] == "Please accept the update.\n- Press the button.\n- Wait."
    german = {note.get("title"): note["text"] for note in made(of, "de")["document"]["notes"]}
    assert german[None] == "Dies ist kein Eingeständnis."
    assert german["History (auf English)"] == "It was found in the laboratory."


def test_an_exercise_says_so_in_its_title() -> None:
    assert made(case.facts(exercise=True), "de")["document"]["title"].startswith("ÜBUNG: ")
    title = made(case.facts(), "de", exercise=True)["document"]["title"]
    assert title == "ÜBUNG: Please install the update (de)"
    marked = case.facts(texts={"en": case.words("en"), "de": case.words("de", title=title)})
    assert made(marked, "de", exercise=True)["document"]["title"] == title  # taken over from a document


@pytest.mark.parametrize(
    ("tlp", "label", "text"),
    [
        ("clear", "WHITE", None),
        ("green", "GREEN", None),
        ("amber", "AMBER", None),
        ("amber-strict", "AMBER", "TLP:AMBER+STRICT"),
        ("red", "RED", None),
    ],
)
def test_the_traffic_light_has_the_colours_of_csaf_2_0(tlp: str, label: str, text: str | None) -> None:
    found = made(case.facts(tlp=tlp))["document"]["distribution"]
    assert (found["tlp"]["label"], found.get("text")) == (label, text)


def test_a_profile_that_lacks_something_is_refused_or_becomes_the_base() -> None:
    incident = case.facts(kind="incident")
    alone = made(incident, organisation=case.Organisation())
    assert alone["document"]["category"] == "csaf_base"
    assert case.faults(alone) == []
    with pytest.raises(InputError, match="needs a reference to a page") as caught:
        made(incident, organisation=case.Organisation(), profile="incident")
    assert (caught.value.code, caught.value.where) == ("CSAF_PROFILE", "facts.yaml:1")


def test_every_language_has_every_phrase_with_the_same_gaps() -> None:
    english = all_phrases()["en"]
    assert sorted(all_phrases()) == sorted(case.LANGUAGES)
    for language, phrases in all_phrases().items():
        assert phrases.keys() == english.keys(), language
        for key, phrase in phrases.items():
            for gap in ("{version}", "{product}", "{title}", "{language}"):
                assert (gap in phrase) == (gap in english[key]), (language, key)
        assert words(language).name
