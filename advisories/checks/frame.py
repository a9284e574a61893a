"""The frame of the checks: what a finding is, and how a rule is registered.

A rule is a pure function ``(facts, context) -> points`` with a name, a level and the number of the
practice (its number in ``advisories/README.md``) that it serves. It never changes anything and never stops
at the first point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from advisories.facts import TEXT_FIELDS, Facts
from advisories.yamlfile import Path


class Level(StrEnum):
    """What a finding means for publishing."""

    BLOCK = "block"
    """Must be mended before anything is approved."""
    ADVICE = "advice"
    """Should be looked at; people decide."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend, with its place."""

    rule: str
    severity: Level
    where: str
    """``file:line``."""
    message: str
    mend: str
    practice: int
    """Number of the practice served (the table in ``advisories/README.md``)."""
    line: int


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may know beside the facts."""

    languages: Mapping[str, AbstractSet[str]]
    """Product -> languages in which its devices want to be told."""

    def served(self, facts: Facts) -> list[str]:
        """Return the languages that devices of this advisory's products ask for."""
        return sorted({tag for product in facts.products for tag in self.languages.get(product, ())})


@dataclass(frozen=True, slots=True)
class Point:
    """What a rule function yields: the registration adds the rest."""

    path: Path
    message: str
    mend: str
    level: Level | None = None
    """None: the rule's own level."""


Function = Callable[[Facts, Context], Iterable[Point]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A registered rule."""

    name: str
    level: Level
    practice: int
    function: Function

    def __call__(self, facts: Facts, context: Context) -> Iterator[Finding]:
        """Apply the rule."""
        for point in self.function(facts, context):
            yield Finding(
                rule=self.name,
                severity=point.level or self.level,
                where=facts.place(*point.path),
                message=point.message,
                mend=point.mend,
                practice=self.practice,
                line=facts.line(*point.path),
            )


RULES: Final[dict[str, Rule]] = {}
"""Every rule by name, in the order of registration."""


def rule(name: str, level: Level, practice: int) -> Callable[[Function], Rule]:
    """Register a function as a rule."""

    def register(function: Function) -> Rule:
        assert name not in RULES, f"rule {name} is registered twice"
        RULES[name] = Rule(name, level, practice, function)
        return RULES[name]

    return register


def prose(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """Yield (language, field, words) of everything that an owner reads."""
    for language, written in facts.texts.items():
        for field in TEXT_FIELDS:
            yield language, field, getattr(written, field)


def said(facts: Facts) -> Iterator[tuple[Path, str, str]]:
    """Yield (path, language, words) of everything that is said: the texts, and the facts behind them."""
    for language, field, text in prose(facts):
        yield ("texts", language, field), language, text
    for number, fact in enumerate(facts.facts):
        yield ("facts", number, "statement"), facts.source_language, fact.statement
        yield ("facts", number, "source"), facts.source_language, fact.source or ""
