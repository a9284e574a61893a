import pytest

from advisories.checks import RULES, Level, blocking, check
from advisories.checks.frame import Context, paragraphs, rule, said
from advisories.facts import Facts
from advisories.story import Setting, Story
from keys.errors import InputError
from tests.advisories.checks.bench import FIRST, NOW, edited, found


def test_a_rule_is_registered_once() -> None:
    with pytest.raises(AssertionError, match="twice"):
        rule("jargon", Level.BLOCK, 31)(lambda *_: ())
    assert all(1 <= each.practice <= 57 for each in RULES.values())


def test_checking_changes_nothing_and_gives_the_same_twice(example: Facts) -> None:
    before = example.model_dump()
    first = check(example, languages={}, now=NOW)
    assert example.model_dump() == before
    assert check(example, languages={}, now=NOW) == first


def test_findings_come_in_the_order_of_lines_and_what_blocks_first() -> None:
    findings = found(
        "incident", {"texts.en.action": "TODO", "severity": "medium", "texts.de.happened": "Etwas [x]."}
    )
    order = [(one.line, one.severity != Level.BLOCK) for one in findings]
    assert order == sorted(order)
    assert len({one.line for one in findings}) >= 2
    assert blocking(findings) == [one for one in findings if one.severity == "block"]


def test_without_a_setting_or_a_clock_the_rules_about_them_say_nothing() -> None:
    facts = edited(
        "incident",
        {"next_update": "2026-11-01T09:00:00Z", "offers.0.until": "2026-11-01"},
        ["texts.de.changed"],
    )
    assert {one.rule for one in check(facts, languages={})} == set()
    assert {one.rule for one in check(facts, languages={}, setting=Setting(past=(FIRST,)), now=NOW)} == {
        "phase", "next-update", "offer",
    }  # fmt: skip


def test_the_story_is_the_next_revision_with_stars_for_the_code() -> None:
    facts = edited("incident")
    context = Context(facts, {}, Setting(past=(FIRST,)), None, NOW)
    assert (context.story.notice.revision, context.story.code, context.revised) == (2, "***-***", True)
    assert context.story is context.story
    assert Context(facts, {}).revised is False
    assert Context(facts, {}, previous=facts).revised is True
    assert Context(facts, {}).today is None


def test_outputs_that_cannot_be_made_are_told_once() -> None:
    def broken(_: Story) -> dict[str, bytes]:
        raise InputError("TOO_LONG", "The page has no end.", mend="Shorten it.")

    facts = edited("vulnerability")
    context = Context(facts, {}, renderer=broken)
    (one,) = RULES["outputs"](facts, context)
    assert (one.message, one.mend) == ("The outputs cannot be made: The page has no end.", "Shorten it.")
    assert context.outputs == {}
    assert list(RULES["outputs-differ"](facts, context)) == []


def test_everything_that_may_reach_somebody_is_read() -> None:
    facts = edited(
        "incident",
        {"legal": {"statements": ["Legal says."], "laws": ["A law."]}, "cause.statement": "A cause.",
         "containment": [{"what": "Switched off."}], "texts.en.steps": ["A step."]},
    )  # fmt: skip
    words = {text for _, _, text in said(facts)}
    assert {
        "Legal says.",
        "A law.",
        "A cause.",
        "Switched off.",
        "A step.",
        "9:00 to 17:00 UTC",
        "Call us.",
    } <= words
    assert all(facts.line(*path) > 1 for path, _, _ in said(facts))
    names = [name for _, language, name, _ in paragraphs(facts) if language == "en"]
    assert names[0] == "title"
    assert "faq.0.a" in names
