"""Sentences outside ``texts`` can be translated too, by their place in the file."""

import pytest

from advisories.facts import load_facts
from keys.errors import InputError

STATEMENT = "facts.2.statement"


def german(example_yaml: str, place: str, text: str = "Ob ältere Geräte betroffen sind.") -> str:
    return example_yaml.replace(
        '  de:\n    title: "Bitte', f'  de:\n    elsewhere: {{{place}: "{text}"}}\n    title: "Bitte'
    )


def test_a_translation_names_the_place_of_what_it_translates(example_yaml: str) -> None:
    facts = load_facts(german(example_yaml, STATEMENT), where="a.yaml")
    assert facts.texts["de"].elsewhere == {STATEMENT: "Ob ältere Geräte betroffen sind."}
    assert facts.elsewhere[STATEMENT] == "Whether older products have the same weakness."


@pytest.mark.parametrize(
    "place", ["facts.3.statement", "facts.0.source", "annex.details.0", "timeline.0.what"]
)
def test_a_place_that_owners_do_not_read_is_refused(example_yaml: str, place: str) -> None:
    with pytest.raises(InputError, match="owners read no sentence"):
        load_facts(german(example_yaml, place), where="a.yaml")


def test_the_source_language_translates_nothing(example_yaml: str) -> None:
    text = example_yaml.replace(
        '  en:\n    title: "Please', f'  en:\n    elsewhere: {{{STATEMENT}: "x"}}\n    title: "Please'
    )
    with pytest.raises(InputError, match="source language"):
        load_facts(text, where="a.yaml")


def test_every_sentence_that_owners_read_has_a_place(example_yaml: str) -> None:
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
    facts = load_facts(example_yaml + more, where="a.yaml")
    assert [text for place, text in facts.elsewhere.items() if not place.startswith("facts.")] == [
        "Public", "Done", "Measure", "Offer", "Way", "Hours", "Cause", "Law",
    ]  # fmt: skip
