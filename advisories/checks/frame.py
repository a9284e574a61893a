"""The frame of the checks: what a finding is, what a rule may know, and how it is registered.

A rule is a pure function ``(facts, context) -> points`` with a name, a level and the number of the practice
that it serves (``practices.toml``). It never changes anything and never stops at the first point. Why it is
there, how to mend what it finds, and an example of each stand in ``rules.toml``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

from advisories.compose import header_of, outputs_of, text_of
from advisories.facts import TEXT_FIELDS, Facts
from advisories.phases import CLOSED
from advisories.story import CODE_SLOT, Setting, Story
from advisories.yamlfile import Path
from keys.errors import InputError

__all__ = ["CLOSED", "RULES", "Context", "Finding", "Level", "Point", "Rule", "paragraphs", "rule", "said"]


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
    """Number of the practice served, 1 to 57."""
    line: int


@dataclass(frozen=True)
class Context:
    """What a rule may know beside the facts."""

    facts: Facts
    languages: Mapping[str, AbstractSet[str]]
    """Product -> languages in which its devices want to be told."""
    setting: Setting | None = None
    """In which setting it would be told; None: not known."""
    previous: Facts | None = None
    """Facts of the newest published revision."""
    now: int | None = None
    """UTC seconds; None: rules about time say nothing."""
    extra_terms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Language -> jargon of this fleet with its plain words; an empty text allows a term of the glossary."""
    renderer: Callable[[Story], Mapping[str, bytes]] = outputs_of
    """What makes every output of a story."""

    @property
    def served(self) -> list[str]:
        """The languages that devices of this advisory's products ask for, whatever country they stand in."""
        return sorted({tag for product in self.facts.products for tag in self.languages.get(product, ())})

    @property
    def revised(self) -> bool:
        """Whether a revision was published before this one."""
        return self.previous is not None or bool(self.setting and self.setting.past)

    @property
    def today(self) -> date | None:
        """The day of ``now`` in UTC."""
        return None if self.now is None else datetime.fromtimestamp(self.now, UTC).date()

    @cached_property
    def story(self) -> Story:
        """The revision as every renderer would see it."""
        setting = self.setting or Setting()
        header = header_of(
            self.facts, issued=self.now or 0, revision=setting.past[-1].revision + 1 if setting.past else 1
        )
        texts = {language: text_of(self.facts, language) for language in sorted(self.facts.texts)}
        return Story(facts=self.facts, notice=header, texts=texts, setting=setting, code=CODE_SLOT)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Every output by name, or none where they cannot be made."""
        return {} if self._made[1] else {name: data.decode() for name, data in self._made[0].items()}

    @property
    def unmade(self) -> InputError | None:
        """Why no output could be made."""
        return self._made[1]

    @cached_property
    def _made(self) -> tuple[Mapping[str, bytes], InputError | None]:
        if not all(getattr(one, name).strip() for one in self.facts.texts.values() for name in TEXT_FIELDS):
            return {}, None  # an empty part has its own rule
        try:
            return self.renderer(self.story), None
        except InputError as error:
            return {}, error


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


def paragraphs(facts: Facts) -> Iterator[tuple[Path, str, str, str]]:
    """Yield (path, language, name, words) of every paragraph that owners may read, in the order of reading.

    Names are those of :meth:`advisories.facts.texts.Words.fields`, such as ``action`` or ``faq.1.a``.
    """
    for language, written in facts.texts.items():
        for name, text in written.fields().items():
            yield ("texts", language, *parts(name)), language, name, text


def parts(name: str) -> tuple[str | int, ...]:
    """Return a paragraph's name as a path: ``faq.1.a`` -> ``("faq", 1, "a")``."""
    return tuple(int(part) if part.isdigit() else part for part in name.split("."))


def said(facts: Facts) -> Iterator[tuple[Path, str, str]]:
    """Yield (path, language, words) of everything that may reach somebody: the texts, and what stands behind.

    Left out are notes and titles of documents for machines, and the annex, which reaches nobody.
    """
    for path, language, _, text in paragraphs(facts):
        yield path, language, text
    for place, known in _behind(facts):
        if known:
            yield place, facts.source_language, known


def _behind(facts: Facts) -> Iterator[tuple[Path, str | None]]:
    for number, fact in enumerate(facts.facts):
        yield ("facts", number, "statement"), fact.statement
        yield ("facts", number, "source"), fact.source
    steps: dict[str, Sequence[str]] = {
        "containment": [step.what for step in facts.containment],
        "measures": [step.what for step in facts.measures],
        "timeline": [moment.what for moment in facts.timeline],
    }
    for key, texts in steps.items():
        yield from ((((key, number, "what")), text) for number, text in enumerate(texts))
    for number, one in enumerate(facts.offers):
        yield ("offers", number, "what"), one.what
        yield ("offers", number, "how"), one.how
    for number, contact in enumerate(facts.contacts):
        yield ("contacts", number, "value"), contact.value
        yield ("contacts", number, "hours"), contact.hours
    if facts.cause:
        yield ("cause", "statement"), facts.cause.statement
    if facts.legal:
        for key in ("statements", "laws"):
            yield from ((("legal", key, n), text) for n, text in enumerate(getattr(facts.legal, key)))
    for audience, questions in facts.briefings.items():
        for number, item in enumerate(questions):
            yield ("briefings", audience.value, number, "q"), item.q
            yield ("briefings", audience.value, number, "a"), item.a
