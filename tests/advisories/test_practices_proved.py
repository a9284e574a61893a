"""What a practice asks of every output at once, where the test of one renderer cannot say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisories.compose import compose
from advisories.facts import load_facts

RICH = (Path(__file__).parent / "render" / "rich.yaml").read_text("utf-8")
KNOWN = 'with_authorities: ["exercise police office"], since: 2026-11-20, source: letter 3'


def outputs(text: str) -> dict[str, str]:
    facts = load_facts(text, where="rich.yaml")
    made = compose(facts, fleet=bytes(32), issued=1_795_348_800, revision=2, exercise=True, version=1)
    return {name: data.decode() for name, data in made.outputs.items() if not name.endswith(".pbm")}


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
