"""Why a rule is there: for the command line, and for the page that lists every rule."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from advisories.checks.frame import RULES, Rule
from advisories.glossaries import LANGUAGES, glossary
from advisories.languages import words


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is said of one rule."""

    rule: str
    level: str
    practice: int
    practice_words: str
    finds: str
    """What it finds, in half a sentence."""
    why: str
    mend: str
    bad: str
    good: str


def practices() -> dict[int, str]:
    """Return the 57 practices by number, each in one sentence."""
    return {int(number): words for number, words in _data("practices.toml").items()}


def explain(name: str) -> Explanation:
    """Return what is said of a rule.

    Raises:
        KeyError: there is no such rule.
    """
    rule = RULES[name]
    said: dict[str, str] = _data("rules.toml")[name]
    finds = " ".join((rule.function.__doc__ or "").split())
    return Explanation(rule.name, rule.level.value, rule.practice, practices()[rule.practice], finds, **said)


def checks_page() -> str:
    """Return the reference page of every rule, as Markdown."""
    lines = [
        "# Checks",
        "",
        "<!-- Made from advisories/checks by docs/generate.py; edit the source. -->",
        "",
        "What `tocsin advisory check` looks for. *block* keeps an advisory from being approved; *advice*",
        "leaves it to people. Where a rule is less sure than usual, it only advises.",
        "`tocsin advisory check --explain RULE` says the same with an example of each.",
        "",
        "| rule | level | practice | finds |",
        "| --- | --- | --- | --- |",
        *(
            f"| [`{one.name}`](#{one.name}) | {one.level} | {one.practice} | {_cell(one)} |"
            for one in _sorted()
        ),
    ]
    for rule in _sorted():
        one = explain(rule.name)
        lines += [
            "",
            f"## {one.rule}",
            "",
            f"Practice {one.practice}: {one.practice_words}.",
            "",
            one.why,
            one.mend,
            "",
            f"- bad: {_code(one.bad)}",
            f"- good: {_code(one.good)}",
        ]
    lines += ["", "## How readers are addressed", "", "| language | greeting | form | script |"]
    lines += ["| --- | --- | --- | --- |"]
    for tag in LANGUAGES:
        notes = glossary(tag).notes
        lines.append(
            f"| {words(tag).name} ({tag}) | {notes['greeting']} | {notes['address']} | {notes['script']} |"
        )
    return "\n".join(lines) + "\n"


def _sorted() -> list[Rule]:
    return sorted(RULES.values(), key=lambda one: one.name)


def _cell(rule: Rule) -> str:
    return explain(rule.name).finds.replace("``", "`").replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`"


@cache
def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("advisories.checks").joinpath(name).read_text("utf-8"))
