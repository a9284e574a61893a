"""Templates: each reads, speaks English and German, and becomes a file whose gaps the checks find."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.checks import blocking, check
from advisories.facts import load_facts
from advisories.facts.matter import Contact, ContactKind
from advisories.notice import Phase
from advisories.templates import NAMES, Template, phrases, speaks, template
from advisories.templates.writing import Answers, Carried, Concerned, affected, write
from advisories.versions import parse_range
from keys.errors import InputError

WHEN = datetime(2026, 11, 24, 9, tzinfo=UTC)
BARE = Answers(
    id="EX-2026-0042",
    exercise=True,
    holder="exercise-engineering",
    languages=("en",),
    source="en",
    products={"thermostat": Concerned(name="Thermostat")},
    proposed_update=WHEN,
)
TOLD = replace(
    BARE,
    products={
        "thermostat": Concerned(
            name="Thermostat",
            affected=(parse_range(">=1.0.0 <1.4.2"),),
            fixed="1.4.2",
            end=date(2030, 12, 31),
        )
    },
    happened="A weakness could let strangers in your home network change settings.",
    action="Please accept the update when your device offers it.",
    contact="support@example.com, Monday to Friday, 9:00 to 17:00 UTC",
    next_update=WHEN,
)


@pytest.fixture(params=NAMES)
def each(request: pytest.FixtureRequest) -> Template:
    return template(request.param)


def test_every_template_speaks_english_and_german_alike(each: Template) -> None:
    assert set(each.texts) == {"en", "de"}
    english, german = each.texts["en"], each.texts["de"]
    for name, value in english:
        other = getattr(german, name)
        assert (value is None) == (other is None)
        if isinstance(value, str):
            assert value.count("[") == other.count("["), name
            assert value.count("{end}") == other.count("{end}"), name
    assert each.first == (each.phase is not Phase.WITHDRAWN)


@pytest.mark.parametrize("languages", [("en",), ("de",), ("en", "de"), ("de", "ja", "en"), ("de-AT", "ar")])
def test_an_unanswered_template_reads_and_its_gaps_block(each: Template, languages: tuple[str, ...]) -> None:
    source = next(tag for tag in languages if speaks(tag))
    text = write(each, replace(BARE, languages=languages, source=source))
    facts = load_facts(text, where="new.yaml")
    assert text.startswith("# yaml-language-server: $schema=advisory.schema.json\n")
    assert {*facts.texts} == {*languages}
    found = check(facts, languages={"thermostat": frozenset(languages)})
    assert "placeholder" in {finding.rule for finding in blocking(found)}
    for line in text.splitlines():
        if "next_update" in line:
            assert line.startswith("# ")


def test_what_was_answered_stands_where_it_belongs(each: Template) -> None:
    facts = load_facts(write(each, TOLD), where="new.yaml")
    words = facts.texts["en"]
    assert words.happened == facts.facts[0].statement == TOLD.happened
    assert words.action == TOLD.action
    assert words.contact == TOLD.contact
    assert words.affected == "Thermostat from version 1.0.0, before version 1.4.2."
    assert facts.products["thermostat"].affected == (">=1.0.0 <1.4.2",)
    assert facts.next_update == WHEN
    assert (facts.phase, facts.severity, facts.action) == (each.phase, each.severity, each.action)


def test_answered_texts_have_only_gaps_that_people_have_to_fill(each: Template) -> None:
    facts = load_facts(write(each, TOLD), where="new.yaml")
    found = [
        finding
        for finding in blocking(check(facts, languages={"thermostat": frozenset({"en"})}))
        if finding.rule in OF_WORDS
    ]
    assert found == [], found


OF_WORDS = {
    "text-size",
    "empty-field",
    "action-first",
    "contact",
    "jargon",
    "login-link",
    "title-length",
    "word-too-wide",
    "small-overflow",
    "console-overflow",
    "next-update",
    "affected-version",
    "numbers-differ",
}
"""Rules that no sentence of a template may break."""


def test_both_languages_of_a_template_agree_in_numbers_and_fit_the_screens(each: Template) -> None:
    told = replace(TOLD, languages=("en", "de"), happened=None, action=None)
    facts = load_facts(write(each, told), where="new.yaml")
    found = check(facts, languages={"thermostat": frozenset({"en", "de"})})
    assert [f for f in blocking(found) if f.rule in OF_WORDS - {"contact"}] == []
    german = facts.texts["de"]
    assert german.happened == each.texts["de"].happened.replace("{end}", "2030-12-31")
    assert german.contact == f"[translate: {TOLD.contact}]"


def test_another_language_is_told_what_to_translate() -> None:
    told = replace(TOLD, languages=("en", "de", "ja"), happened="Strangers [who?] may listen.")
    facts = load_facts(write(template("data-breach"), told), where="new.yaml")
    assert facts.texts["de"].happened == "[translate: Strangers (who?) may listen.]"
    assert facts.texts["de"].title == "Hinweis zu Ihren Daten"
    assert facts.texts["ja"].title == "[title]"
    assert facts.texts["ja"].doing.startswith("[translate: We have closed")


def test_a_bare_contact_is_the_same_in_every_language() -> None:
    contact = Contact(
        kind=ContactKind.PHONE,
        value="+49 30 23125 000",
        languages=("en", "de"),
        tested=date(2026, 11, 1),
        tested_by="exercise-switchboard",
        hours="always",
    )
    told = replace(TOLD, languages=("en", "de"), contact=contact.value, contacts=(contact,))
    facts = load_facts(write(template("data-breach"), told), where="new.yaml")
    assert facts.texts["de"].contact == facts.texts["en"].contact == contact.value
    assert facts.contacts == (contact,)


@pytest.mark.parametrize(
    ("ranges", "english", "german"),
    [
        (None, "K: [which versions].", "K: [welche Versionen]."),
        ((), "K: no version.", "K: keine Version."),
        (("*",), "K: every version.", "K: jede Version."),
        (("<1.4.2",), "K before version 1.4.2.", "K vor Version 1.4.2."),
        (("<=1.4.1",), "K up to version 1.4.1.", "K bis Version 1.4.1."),
        (("=1.3.0",), "K version 1.3.0.", "K Version 1.3.0."),
        ((">=2.0.0",), "K from version 2.0.0 on.", "K ab Version 2.0.0."),
        ((">=1.0.0 <=1.4.1+2",), "K from version 1.0.0 up to version 1.4.1+2.", None),
        (
            ("<1.0.0", ">=2.0.0 <2.1.0"),
            "K before version 1.0.0. K from version 2.0.0, before version 2.1.0.",
            None,
        ),
    ],
)
def test_versions_in_words(ranges: tuple[str, ...] | None, english: str, german: str | None) -> None:
    found = None if ranges is None else tuple(parse_range(item) for item in ranges)
    assert affected(Concerned(name="K", affected=found), "en") == english
    if german:
        assert affected(Concerned(name="K", affected=found), "de") == german


def test_what_was_carried_over_stands_in_the_file() -> None:
    carried = Carried(
        cves=("CVE-2026-12345", "CVE-2026-12346"),
        references=(("https://example.com/a#1", 'An "advisory": with # signs'),),
        known=(("thermostat 1.4.1 holds libfoo 1.2.", "sboms/thermostat/1.4.1.json"),),
        unknown=("Whether thermostat 1.0.0 holds libfoo: it has no list of parts.",),
    )
    facts = load_facts(write(template("exploited-vulnerability"), replace(TOLD, carried=carried)), where="x")
    assert [(v.cve, v.exploited.value) for v in facts.vulnerabilities] == [
        ("CVE-2026-12345", "active"),
        ("CVE-2026-12346", "active"),
    ]
    assert facts.references[0].summary == 'An "advisory": with # signs'
    assert [fact.status.value for fact in facts.facts] == ["suspected", "confirmed", "unknown"]
    facts = load_facts(write(template("data-breach"), replace(TOLD, carried=carried)), where="x")
    assert [v.cve for v in facts.vulnerabilities] == [*carried.cves]


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=500), st.text(max_size=100), st.sampled_from(NAMES))
def test_whatever_is_answered_reads_back_as_it_was_typed(text: str, name: str, kind: str) -> None:
    typed = text
    product = name or "x"
    told = replace(TOLD, happened=typed, action=typed, contact=typed, products={"k": Concerned(name=product)})
    facts = load_facts(write(template(kind), told), where="x")
    if "".join(typed.split()) and "\u3000" not in typed:
        plain = " ".join(typed.split())
        assert facts.texts["en"].happened.replace(" ", "") == plain.replace(" ", "")
        assert facts.texts["en"].contact.replace(" ", "") == plain.replace(" ", "")


def test_an_unknown_template_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError) as raised:
        template("data-breech")
    assert (raised.value.code, raised.value.mend) == ("NO_TEMPLATE", "Did you mean 'data-breach'?")
    assert phrases("de-AT").end == "[Tag]"
    assert phrases("fr").end == "[day]"
