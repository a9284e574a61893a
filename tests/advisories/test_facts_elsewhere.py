"""Sentences outside ``texts`` can be translated too, by their place in the file."""

import pytest

from advisories.facts import load_facts
from keys.errors import InputError

STATEMENT = "facts.1.statement"


SOURCE = """
id: EX-2026-0041
author: {holder: exercise-engineering, role: engineering}
phase: initial
severity: high
action: act-now
products: {thermostat: {affected: ["<1.4.2"]}}
expires_days: 90
facts:
  - {statement: Strangers can change settings., status: suspected, source: test 17, date: 2026-11-20}
  - {statement: Whether older products have the same weakness., status: unknown}
timeline: [{at: 2026-11-20T09:00:00Z, what: Not public}]
annex: {details: [Secret]}
source_language: en
texts:
"""
TEXT = "  {}: {{title: a, action: b, happened: c, affected: d, doing: e, contact: f, elsewhere: {{{}}}}}\n"


def german(place: str, text: str = "Ob ältere Geräte betroffen sind.") -> str:
    return SOURCE + TEXT.format("en", "") + TEXT.format("de", f'{place}: "{text}"')


def test_a_translation_names_the_place_of_what_it_translates() -> None:
    facts = load_facts(german(STATEMENT), where="a.yaml")
    assert facts.texts["de"].elsewhere == {STATEMENT: "Ob ältere Geräte betroffen sind."}
    assert facts.elsewhere[STATEMENT] == "Whether older products have the same weakness."


@pytest.mark.parametrize(
    "place", ["facts.2.statement", "facts.0.source", "annex.details.0", "timeline.0.what"]
)
def test_a_place_that_owners_do_not_read_is_refused(place: str) -> None:
    with pytest.raises(InputError, match="owners read no sentence"):
        load_facts(german(place), where="a.yaml")


def test_the_source_language_translates_nothing() -> None:
    text = SOURCE + TEXT.format("en", f"{STATEMENT}: x")
    with pytest.raises(InputError, match="source language"):
        load_facts(text, where="a.yaml")


def test_every_sentence_that_owners_read_has_a_place() -> None:
    before = SOURCE.replace("timeline: [{at: 2026-11-20T09:00:00Z, what: Not public}]\n", "")
    more = """
timeline:
  - {at: 2026-11-20T08:00:00Z, what: Public, public: true}
  - {at: 2026-11-20T09:00:00Z, what: Not public}
containment: [{what: Done}]
measures: [{what: Measure, kind: test}]
offers: [{what: Offer, how: Way}]
contacts: [{kind: phone, value: "+1 555 0100", hours: Hours}, {kind: mail, value: a@example.com}]
cause: {status: found, statement: Cause}
legal: {statements: [Law]}
"""
    facts = load_facts(before + TEXT.format("en", "") + more, where="a.yaml")
    assert [text for place, text in facts.elsewhere.items() if not place.startswith("facts.")] == [
        "Public", "Done", "Measure", "Offer", "Way", "Hours", "Cause", "Law",
    ]  # fmt: skip
