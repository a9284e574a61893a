"""Identity, state, numbers and history of documents."""

import json
from typing import Any

import pytest

from advisories.csaf import csaf_document, read_csaf
from advisories.csaf.tracking import STATES
from tests.advisories.csaf import csaf_case as case


def tracking(phase: str = "initial", past: tuple[str, ...] = (), language: str = "en", **more: Any) -> Any:
    changed = {"en": case.words("en", changed="We know more."), "de": case.words("de")}
    of = case.facts(phase=phase, texts=changed)
    return csaf_document(case.story(of, past=case.past(*past)), language, **more)["document"]["tracking"]


@pytest.mark.parametrize(
    ("past", "phase", "state"),
    [
        ((), "initial", "interim"),
        ((), "resolved", "final"),
        (("initial",), "update", "interim"),
        (("initial",), "correction", "interim"),
        (("initial",), "withdrawn", "final"),
        (("initial", "resolved"), "correction", "final"),
        (("initial", "resolved", "correction"), "correction", "final"),
        (("initial", "resolved"), "update", "interim"),
    ],
)
def test_the_state_follows_the_phases(past: tuple[str, ...], phase: str, state: str) -> None:
    found = tracking(phase, past)
    assert (found["status"], found["version"]) == (state, str(len(past) + 1))


def test_the_history_tells_every_revision_in_the_documents_language() -> None:
    found = tracking("resolved", ("initial", "update"))
    assert [(row["number"], row["summary"]) for row in found["revision_history"]] == [
        ("1", "First notice."),
        ("2", "Update."),
        ("3", "We know more."),
    ]
    assert found["initial_release_date"] == found["revision_history"][0]["date"] == "2026-11-18T09:06:40Z"
    assert found["current_release_date"] == "2026-11-18T11:06:40Z" == found["revision_history"][-1]["date"]
    assert [row["summary"] for row in tracking("update", ("initial",), "de")["revision_history"]] == [
        "Erste Mitteilung.",
        "Neuer Stand.",
    ]


def test_a_change_that_was_told_is_told_again() -> None:
    past = case.past("initial", "update", changed={"en": "More products."})
    found = csaf_document(case.story(case.facts(phase="resolved"), past=past), "en")["document"]["tracking"]
    assert [row["summary"] for row in found["revision_history"]] == [
        "More products.",
        "More products.",
        "Resolved.",
    ]


def test_what_is_not_published_is_a_draft() -> None:
    first, second = tracking(published=False), tracking("update", ("initial",), published=False)
    assert (first["status"], first["version"]) == ("draft", "0")
    assert (second["status"], second["version"]) == ("draft", "2")
    assert tracking(published=False, status="final")["version"] == "1"


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("published", [True, False])
def test_every_state_is_valid(status: str, published: bool) -> None:
    of = case.facts()
    assert case.faults(csaf_document(case.story(of), "en", status=status, published=published)) == []


def source(*history: str, status: str = "final", **more: Any) -> bytes:
    """A document of another maker with a history."""
    rows = [
        {"number": number, "date": f"2025-01-{day:02}T00:00:00Z", "summary": f"{number}.", **more}
        for day, number in enumerate(history, 1)
    ]
    return json.dumps(
        {
            "document": {
                "category": "csaf_base",
                "csaf_version": "2.0",
                "title": "Their notice",
                "publisher": {"category": "vendor", "name": "Them", "namespace": "https://them.example.com"},
                "tracking": {
                    "id": "T 1",
                    "aliases": ["T-ONE"],
                    "status": status,
                    "version": history[-1],
                    "initial_release_date": "2025-01-01T00:00:00Z",
                    "current_release_date": "2025-02-01T00:00:00Z",
                    "revision_history": rows,
                },
            }
        }
    ).encode()


def continued(data: bytes, past: tuple[str, ...] = (), **more: Any) -> Any:
    of = read_csaf(data, where="theirs.json").facts
    story = case.story(of, organisation=case.Organisation(), past=case.past(*past))
    return csaf_document(story, "en", **more)["document"]["tracking"]


def numbers(found: Any) -> list[str]:
    return [row["number"] for row in found["revision_history"]]


def test_what_was_only_taken_over_stays_what_it_was() -> None:
    found = continued(source("1", "2", legacy_version="A"), published=False)
    assert (found["id"], found["version"], found["status"]) == ("T 1", "2", "final")
    assert found["aliases"] == ["T-ONE"]
    assert found["current_release_date"] == "2025-02-01T00:00:00Z"
    assert [row["legacy_version"] for row in found["revision_history"]] == ["A", "A"]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (("1", "2"), ["1", "2", "3", "4"]),
        (("1.0.0", "1.1.0+b"), ["1.0.0", "1.1.0+b", "1.2.0", "1.3.0"]),
        (("0",), ["1", "2"]),
        (("0.1.0", "1.0.0"), ["1.0.0", "1.1.0", "1.2.0"]),
        (("1.0.0-1.0",), ["1", "2"]),
        (("odd",), ["odd", "1", "2"]),
    ],
)
def test_new_revisions_go_on_with_its_numbers(history: tuple[str, ...], expected: list[str]) -> None:
    found = continued(source(*history), past=("initial",))
    assert numbers(found) == expected
    assert found["version"] == expected[-1]
    assert found["initial_release_date"] == "2025-01-01T00:00:00Z"


def test_drafts_of_it_are_in_no_final_history() -> None:
    assert numbers(continued(source("0", "1"), published=False)) == ["1"]
    assert numbers(continued(source("0", status="draft"), published=False)) == ["0"]
    assert numbers(continued(source("0", status="draft"), published=False, status="final")) == ["1"]


def test_under_another_publisher_it_begins_anew() -> None:
    of = read_csaf(source("1", "2"), where="theirs.json").facts
    found = csaf_document(case.story(of), "en")["document"]["tracking"]
    assert (found["id"], found["version"], "aliases" in found) == ("T-1", "1", False)
