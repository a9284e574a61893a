"""Outputs that contradict the facts: the renderer is broken on purpose, one way after the other."""

import itertools

import pytest

from advisories.checks import RULES
from advisories.checks.frame import Context
from advisories.checks.outputs import contradictions, sections, seen, size
from advisories.compose import outputs_of
from advisories.facts import Facts
from advisories.story import Setting, Story
from tests.advisories.checks.bench import NOW, edited, found, setting

NAMES = sorted(
    name
    for name in outputs_of(Context(edited("vulnerability"), {}).story)
    if name.endswith((".html", ".txt"))
)


def rendered(facts: Facts, name: str, more: str) -> Context:
    """A context in which one output says something more."""

    def make(story: Story) -> dict[str, bytes]:
        made = outputs_of(story)
        return (
            {**made, name: made[name].replace(b"</body>", more.encode() + b"</body>")}
            if name.endswith(".html")
            else {**made, name: made[name] + more.encode()}
        )

    return Context(facts, {}, setting("vulnerability", facts), None, NOW, renderer=make)


SAID_OTHERWISE = [
    *itertools.product(
        ("en/web.html", "de/letter.txt", "en/console.txt", "en/social.txt", "de/email.txt"),
        ("EX-2026-9999", "CVE-2026-4321", "2.3.9", "2026-12-31"),
    ),
    ("en/web.html", "Security notice, severity critical"),
    ("de/letter.txt", "Sicherheitshinweis, Stufe kritisch"),
]


@pytest.mark.parametrize(("name", "strange"), SAID_OTHERWISE)
def test_an_output_that_says_otherwise_is_named(name: str, strange: str) -> None:
    facts = edited("vulnerability")
    context = rendered(facts, name, f" {strange} ")
    assert [(output, what.casefold()) for output, what in contradictions(facts, context)] == [
        (name, strange.casefold())
    ]
    (finding,) = RULES["outputs-differ"](facts, context)
    assert finding.severity == "block"
    assert finding.message.startswith(f"{name} says ")


@pytest.mark.parametrize("base", ["vulnerability", "incident"])
def test_what_is_rendered_from_one_source_agrees(base: str) -> None:
    facts = edited(base)
    context = Context(facts, {}, setting(base, facts), None, NOW)
    assert len(context.outputs) > 10
    assert list(contradictions(facts, context)) == []


def test_the_end_of_a_range_is_no_contradiction() -> None:
    put = {"products.doorbell.affected": ["<=2.2.9"], "texts.en.affected": "Doorbells up to version 2.2.9.",
           "texts.de.affected": "Klingeln bis Version 2.2.9."}  # fmt: skip
    assert found("vulnerability", put) == []


@pytest.mark.parametrize("name", ["en/web.html", "en/letter.txt"])
@pytest.mark.parametrize(
    ("more", "rule"), [("Ring_Handler", "annex-leak"), ("Rosalind Meyer", "credit-named")]
)
def test_what_only_an_output_tells_is_told(name: str, more: str, rule: str) -> None:
    facts = edited("vulnerability")
    (finding,) = RULES[rule](facts, rendered(facts, name, f" {more} "))
    assert name in finding.message


def test_the_words_of_a_page_are_what_people_see() -> None:
    page = "<html><head><title>no</title></head><body><h1>One</h1><p>two <b>three</b></p><script>no</script><h2>Four</h2></body>"
    assert sections("a.html", page) == ("One two three", "Four")
    assert seen("a.txt", page) == page
    assert size("one two three", "en") == 3
    assert size("更新してください v1.4.2", "ja") == 5


def test_words_of_the_annex_match_whole_words_in_any_script() -> None:
    put = {"annex.terms": ["8443", "環状", ""], "annex.details": []}
    assert (
        found(
            "vulnerability",
            {**put, "texts.en.prevention": "We test 18443 of them."}
            | {"texts.de.prevention": "Wir prüfen 18443 davon."},
        )
        == []
    )
    leaks = found("vulnerability", {**put, "texts.en.prevention": "環状"})
    assert "annex-leak" in {one.rule for one in leaks}


def test_the_annex_may_hold_long_details_of_what_nobody_says() -> None:
    facts = edited("vulnerability", {"annex": {"details": ["x"], "terms": []}})
    assert list(RULES["annex-leak"](facts, Context(facts, {}))) == []


def test_a_version_that_was_released_may_be_named() -> None:
    put = {"texts.en.faq.0.a": "No, it takes 5 minutes. Version 1.0.0 too.", "texts.de.faq.0.a": "Nein, es dauert 5 Minuten. Auch 1.0.0.",
           "products.doorbell.affected": [">=2.0.0 <2.3.0"]}  # fmt: skip
    facts = edited("vulnerability", put)
    assert found("vulnerability", put) == []
    unknown = Context(facts, {}, Setting())
    assert {one.rule for one in RULES["version-unknown"](facts, unknown)} == {"version-unknown"}
    huge = edited("vulnerability", {"texts.en.prevention": "Version 999.1.2 is tested."})
    assert {one.line for one in RULES["version-unknown"](huge, unknown)} == {
        huge.line("texts", "en", "prevention")
    }


def test_a_post_may_name_the_next_update() -> None:
    social = "Please update your doorbell. We write again on 24 November 2026, 9:00 UTC."
    assert found("vulnerability", {"texts.en.social": social}) == []
    without = edited("vulnerability", {"texts.en.social": social, "phase": "resolved"}, ["next_update"])
    context = Context(without, {})
    assert [one.rule for one in RULES["post-differs"](without, context)] == ["post-differs"]


def test_every_kind_of_output_is_read() -> None:
    assert {"en/web.html", "en/console.txt", "de/letter.txt"} <= set(NAMES)


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        ("en/console.txt", b"revision 1,", b"revision 7,", "revision 7"),
        ("de/console.txt", b"Fassung 1,", b"Fassung 7,", "revision 7"),
        ("en/csaf.json", b'"version": "1"', b'"version": "7"', "revision 7"),
        ("de/csaf.json", b"HOCH", b"GERING", "GERING"),
    ],
)
def test_a_revision_or_severity_that_an_output_says_otherwise_is_told(
    name: str, old: bytes, new: bytes, what: str
) -> None:
    def make(story: Story) -> dict[str, bytes]:
        made = outputs_of(story)
        assert old in made[name]
        return {**made, name: made[name].replace(old, new)}

    facts = edited("vulnerability")
    context = Context(facts, {}, setting("vulnerability", facts), None, NOW, renderer=make)
    assert list(contradictions(facts, context)) == [(name, what)]
