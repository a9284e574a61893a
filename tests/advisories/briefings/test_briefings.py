"""Briefings: everybody says the same, each has questions of its own, and nothing private gets out."""

from __future__ import annotations

import re

import pytest

from advisories.briefings.briefing import FRONT, OUTSIDE, QUESTIONS, _words
from advisories.compose import compose
from advisories.facts import Facts, Question, load_facts
from advisories.facts.matter import Audience

LANGUAGES = ("en", "de", "fr", "es", "it", "pl", "ja", "zh", "ar")


def sheets(facts: Facts) -> dict[str, str]:
    made = compose(facts, fleet=bytes(32), issued=1_795_348_800, revision=1, exercise=True, version=1)
    return {name: data.decode() for name, data in made.outputs.items() if name.endswith(".md")}


def with_more(example_yaml: str) -> Facts:
    own = "  sales:\n    - {q: May we offer a discount?, a: Not before Legal has agreed.}\n"
    text = example_yaml.replace("  sales:\n", own, 1).replace(
        "source_language: en",
        """\
annex: {details: [The door stands open at port 4711.], terms: ["4711"]}
source_language: en""",
        1,
    )
    text = text.replace(
        '    contact: "support@example.com, Monday',
        '    prevention: We look at every door each night.\n    contact: "support@example.com, Monday',
    )
    return load_facts(text, where="a")


def test_every_audience_has_a_sheet_in_every_language(example: Facts) -> None:
    names = {name.partition("/")[2] for name in sheets(example)}
    audiences = {f"briefing-{audience}.md" for audience in QUESTIONS if audience != "meeting"}
    assert names == audiences | {"meeting.md", "empathy.md"}
    assert {name.partition("/")[0] for name in sheets(example)} == {*example.texts}


def test_the_key_messages_are_the_same_words_everywhere(example: Facts) -> None:
    found = sheets(example)
    for language, text in example.texts.items():
        messages = set()
        for audience in QUESTIONS:
            name = "meeting.md" if audience == "meeting" else f"briefing-{audience}.md"
            sheet = found[f"{language}/{name}"]
            head = _words(language).head
            part = sheet.partition(f"## {head['messages']}")[2].partition("\n## ")[0]
            messages.add(part)
            for field in ("action", "happened", "affected", "doing", "contact"):
                assert getattr(text, field) in part
        assert len(messages) == 1


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("<script>x</script>", r"\<script>x\</script>"),
        ("See [our page](javascript:x) \\ `now`", r"See \[our page](javascript:x) \\ \`now\`"),
        ("# Urgent", r"\# Urgent"),
        ("> Not ours", r"\> Not ours"),
        ("~~~ all gone", r"\~~~ all gone"),
        ("---", r"\---"),
        ("- one", r"\- one"),
        ("1. Open the door", r"1\. Open the door"),
        ("+1 555 0100", "+1 555 0100"),
        ("-5 degrees, a_b, 1.4.2", "-5 degrees, a_b, 1.4.2"),
    ],
)
def test_words_never_become_markup(example: Facts, said: str, written: str) -> None:
    words = example.source.model_copy(update=dict.fromkeys(("action", "prevention", "offer"), said))
    item = Question(q=said, a=said)
    facts = example.model_copy(update={"texts": {"en": words}, "briefings": {Audience.SALES: (item,)}})
    found = sheets(facts)
    assert f"**{written}**\n{written}\n" in found["en/briefing-sales.md"]
    assert f"\n1. {written}\n" in found["en/briefing-support.md"]
    assert written in found["en/meeting.md"]
    if said != written:
        pattern = r"(?<!\\)" + re.escape(said)
        assert not any(re.search(pattern, sheet) for sheet in found.values())


def test_each_audience_has_questions_of_its_own(example: Facts) -> None:
    found = sheets(example)
    bodies = {
        name: re.findall(
            r"\*\*(.+)\*\*", text.partition("## Questions that you will hear")[2].partition("\n## ")[0]
        )
        for name, text in found.items()
        if name.startswith("en/briefing-")
    }
    assert all(len(questions) >= 2 for questions in bodies.values())
    assert len({tuple(questions) for questions in bodies.values()}) == len(bodies)


def test_an_answer_that_needs_an_unknown_fact_is_left_out(example: Facts, example_yaml: str) -> None:
    unfixed = load_facts(re.sub(r"\n    fixed: .*", "", example_yaml), where="a")
    assert "May we still sell the product?" in sheets(example)["en/briefing-sales.md"]
    assert "May we still sell the product?" not in sheets(unfixed)["en/briefing-sales.md"]
    assert "We look at every door each night." in sheets(with_more(example_yaml))["en/meeting.md"]
    everything = "\n".join(sheets(example).values())
    assert "{" not in everything
    assert "None" not in everything


@pytest.mark.parametrize(("language", "unknown"), [("en", "Not known yet."), ("ja", "まだ不明。")])
def test_the_five_hard_questions_stand_always(example: Facts, language: str, unknown: str) -> None:
    sheet = sheets(example)[f"{language}/meeting.md"]
    hard = sheet.partition(f"## {_words(language).head['hard']}")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\*\*.+\*\*$", hard, re.MULTILINE)) == 5
    assert f"**{_words(language).q['again']}**\n{unknown}\n" in hard


def test_own_questions_of_the_matter_are_marked_where_they_are_foreign(example_yaml: str) -> None:
    found = sheets(with_more(example_yaml))
    assert "**May we offer a discount?**\nNot before Legal has agreed." in found["en/briefing-sales.md"]
    assert "**May we offer a discount?** (Nur auf English)" in found["de/briefing-sales.md"]
    assert "discount" not in found["en/briefing-support.md"]


def test_what_stays_with_us_stands_on_no_sheet(example_yaml: str) -> None:
    assert not any("4711" in sheet for sheet in sheets(with_more(example_yaml)).values())


@pytest.mark.parametrize("audience", sorted(OUTSIDE))
def test_partners_do_not_read_our_own_rules(example: Facts, audience: str) -> None:
    sheet = sheets(example)[f"en/briefing-{audience}.md"]
    assert "Internal" not in sheet
    assert "Please do not\n" not in sheet
    assert "confidential" in sheet


@pytest.mark.parametrize("audience", sorted(FRONT))
def test_the_front_line_has_the_card_of_the_first_words(example: Facts, audience: str) -> None:
    assert "I am sorry that this happened to you" in sheets(example)[f"en/briefing-{audience}.md"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language: str) -> None:
    mine, english = _words(language), _words("en")
    for part in ("head", "q", "a", "card"):
        assert getattr(mine, part).keys() == getattr(english, part).keys()
        for key, text in getattr(english, part).items():
            gaps = re.findall(r"\{\w+\}", text)
            assert sorted(re.findall(r"\{\w+\}", getattr(mine, part)[key])) == sorted(gaps), (part, key)
    assert _words("pt") is _words("pt")
    assert _words("de-AT").head == _words("de").head
