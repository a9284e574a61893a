"""What a practice asks of several rooms or outputs at once, where the test of one cannot say it."""

from __future__ import annotations

from pathlib import Path

import pytest
from icalendar import Calendar, Event

from advisories.clocks.ics import calendar
from advisories.clocks.regimes import builtin
from advisories.clocks.running import Issue, next_updates
from advisories.compose import compose
from advisories.facts import load_facts
from advisories.incident.violations import violations
from tests.advisories.clocks.told import at, incident

RICH = (Path(__file__).parent / "render" / "rich.yaml").read_text("utf-8")
KNOWN = 'with_authorities: ["exercise police office"], since: 2026-11-20, source: letter 3'


def outputs(text: str) -> dict[str, str]:
    facts = load_facts(text, where="rich.yaml")
    made = compose(facts, fleet=bytes(32), issued=1_795_348_800, revision=2, exercise=True, version=1)
    return {name: data.decode() for name, data in made.outputs.items() if not name.endswith(".pbm")}


def test_a_promise_without_an_incident_is_an_entry_that_goes_when_it_is_kept() -> None:
    first = Issue("EX-2026-0001", 1, at("2026-11-20 09:00"), at("2026-11-22 09:00"))
    second = Issue("EX-2026-0001", 2, at("2026-11-21 09:00"))
    entries: list[Event] = []
    for issues in ([first], [first, second]):
        found = next_updates(None, issues, at("2026-11-21 10:00"))
        data = calendar(found, {}, now=at("2026-11-21 10:00"), exercise=False)
        entries += Calendar.from_ical(data).events
    before, after = entries
    assert str(before["uid"]).startswith("next-update.EX-2026-0001.r1@")
    assert before["uid"] == after["uid"]
    assert (before["status"], after["status"]) == ("CONFIRMED", "CANCELLED")
    assert [entry["sequence"] for entry in entries] == [0, 1]
    assert str(before["summary"]) == "Next update of EX-2026-0001, promised in revision 1"


def test_a_call_is_too_early_until_the_approval_and_not_after_it() -> None:
    calls = [(at("2026-11-20 12:00"), "C-1"), (at("2026-11-20 14:00"), "C-2")]
    for approved, early in ((None, ["C-1", "C-2"]), ("2026-11-20 13:00", ["C-1"]), ("2026-11-20 12:00", [])):
        when = at(approved) if approved else None
        found = violations(incident(), builtin(), approved=when, calls=calls)
        assert [each.code for each in found] == ["TOLD_BEFORE_APPROVAL"] * len(early)
        assert all(number in each.message for number, each in zip(early, found, strict=True))


def test_every_notice_leads_to_its_questions() -> None:
    made = outputs(RICH)
    pages = [name for name in made if name.endswith("web.html")]
    assert pages
    for page in pages:
        assert '<a href="faq.html">' in made[page]
        assert made[page.replace("web", "faq")].count("<h2>") >= 5


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (KNOWN, True),
        (KNOWN.replace("since: 2026-11-20, ", ""), False),
        (KNOWN.replace(", source: letter 3", ""), False),
        ("source: letter 3", False),
    ],
    ids=["true", "since when nobody says", "who says so nobody knows", "with nobody"],
)
def test_we_work_with_the_police_only_where_it_is_true(known: str, told: bool) -> None:
    assert KNOWN in RICH
    made = outputs(RICH.replace(KNOWN, known))
    assert ("We are working with" in made["en/web.html"]) is told
    assert any("exercise police office" in text for text in made.values()) is told


def test_help_for_those_concerned_is_on_page_letter_and_mail() -> None:
    made = outputs(RICH)
    for name in ("web.html", "letter.txt", "email.txt", "briefing-support.md"):
        assert "card monitoring" in made[f"en/{name}"], name
