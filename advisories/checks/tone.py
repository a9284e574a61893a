"""Rules about tone: regret and responsibility, no blame, and words just as grave as the matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from advisories.checks.frame import Context, Level, Point, paragraphs, rule
from advisories.facts import Facts
from advisories.facts.matter import Kind
from advisories.glossaries import glossary, search
from advisories.notice import Action, Phase, Severity

_SAID_IN: Final = ("apology", "doing", "happened", "changed", "title")


@rule("apology", Level.ADVICE, 32)
def apology(facts: Facts, _: Context) -> Iterator[Point]:
    """Nobody is sorry, and nobody stands for it."""
    if facts.kind is Kind.END_OF_SUPPORT or facts.severity is Severity.NONE:
        return
    for language, written in facts.texts.items():
        if written.apology or not glossary(language).patterns:
            continue
        if not any(search(language, "apology", getattr(written, name) or "") for name in _SAID_IN):
            yield Point(
                ("texts", language, "doing"),
                "Nobody says sorry, and nobody takes responsibility.",
                "Say so in one plain sentence, here or in 'apology'.",
                Level.BLOCK if facts.severity >= Severity.HIGH else None,
            )


@rule("blame", Level.BLOCK, 32)
def blame(facts: Facts, _: Context) -> Iterator[Point]:
    """Words that put it on the reader."""
    for path, language, _name, text in paragraphs(facts):
        found = search(language, "blame", text)
        if found:
            yield Point(
                path, f"'{found.group()}' blames the reader.", "Say what happened and what we do about it."
            )


@rule("alarm", Level.ADVICE, 32)
def alarm(facts: Facts, _: Context) -> Iterator[Point]:
    """Words that frighten or hurry more than the matter does."""
    calm = facts.severity <= Severity.LOW and facts.action is not Action.ACT_NOW
    for path, language, name, text in paragraphs(facts):
        found = search(language, "alarm", text) if facts.severity < Severity.CRITICAL else None
        if found is None and calm and name != "title":
            found = search(language, "urgent", text)
        if found:
            yield Point(
                path,
                f"'{found.group()}' is stronger than the severity, {facts.severity.name.lower()}.",
                "Say plainly how bad it is.",
            )


@rule("minimising", Level.BLOCK, 32)
def minimising(facts: Facts, _: Context) -> Iterator[Point]:
    """Words that make a grave matter small."""
    if facts.severity < Severity.HIGH or facts.phase in {Phase.RESOLVED, Phase.WITHDRAWN}:
        return
    for path, language, _name, text in paragraphs(facts):
        found = search(language, "minimising", text)
        if found:
            yield Point(
                path,
                f"'{found.group()}' makes it small; the severity is {facts.severity.name.lower()}.",
                "Say plainly how bad it is.",
            )
