"""The facts of one advisory: the single source of every text, screen and document.

A person writes them as YAML (``examples/advisories/EX-2026-0001.yaml`` teaches how). When it was
issued, and as which revision, is not a fact of the file but an argument of ``compose``.
"""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from advisories import limits, yamlfile
from advisories.facts.matter import (
    Annex,
    Audience,
    Author,
    Cause,
    Contact,
    Data,
    Estimate,
    Fact,
    Fix,
    Investigation,
    Kind,
    Legal,
    Measure,
    Moment,
    Offer,
    Origin,
    Reminder,
    Stakeholder,
    Step,
    Tlp,
)
from advisories.facts.parts import Id, Instant, Language, Name, Part, words_of
from advisories.facts.products import Group, NamedProduct, Product
from advisories.facts.texts import Question, Words
from advisories.facts.vulnerabilities import Credit, Link, Note, Vulnerability
from advisories.notice import Action, Phase, Severity
from advisories.yamlfile import Lines, choice

EXPIRES_DAYS_MAX: Final = 3_650
"""Ten years; a notice that matters longer is issued again."""
VULNERABILITIES_MAX: Final = 2_000
"""Of one advisory; the largest that was published anywhere has about 1,000."""
NAMED_PRODUCTS_MAX: Final = 20_000


class Facts(Part):
    """One advisory, as written. Validated: an instance can be composed unless a text is too long."""

    id: Id
    exercise: bool = False
    kind: Annotated[Kind, BeforeValidator(choice(Kind)), words_of(Kind)] = Kind.VULNERABILITY
    incident: Id | None = None
    """Id of the incident's record, where the clocks run."""
    tlp: Annotated[Tlp, BeforeValidator(choice(Tlp)), words_of(Tlp)] = Tlp.CLEAR
    embargo_until: Instant | None = None
    """Nothing leaves on any channel before this moment."""
    author: Author
    phase: Annotated[Phase, BeforeValidator(choice(Phase)), words_of(Phase)]
    severity: Annotated[Severity, BeforeValidator(choice(Severity)), words_of(Severity)]
    action: Annotated[Action, BeforeValidator(choice(Action)), words_of(Action)]
    products: dict[Id, Product] = Field(default_factory=dict, max_length=limits.NOTICE_PRODUCTS_MAX)
    """Our products, which devices have; a notice needs one at least."""
    named_products: dict[str, NamedProduct] = Field(default_factory=dict, max_length=NAMED_PRODUCTS_MAX)
    groups: dict[str, Group] = Field(default_factory=dict, max_length=NAMED_PRODUCTS_MAX)
    vulnerabilities: tuple[Vulnerability, ...] = Field(
        default=(), strict=False, max_length=VULNERABILITIES_MAX
    )
    expires_days: int = Field(ge=1, le=EXPIRES_DAYS_MAX)
    next_update: Instant | None = None
    reminder: Reminder | None = None
    facts: tuple[Fact, ...] = Field(default=(), strict=False)
    data: Data | None = None
    """Personal data; leave it out where none is concerned."""
    estimates: tuple[Estimate, ...] = Field(default=(), strict=False)
    containment: tuple[Step, ...] = Field(default=(), strict=False)
    fix: Fix | None = None
    cause: Cause | None = None
    measures: tuple[Measure, ...] = Field(default=(), strict=False)
    investigation: Investigation | None = None
    offers: tuple[Offer, ...] = Field(default=(), strict=False)
    contacts: tuple[Contact, ...] = Field(default=(), strict=False)
    stakeholders: tuple[Stakeholder, ...] = Field(default=(), strict=False)
    timeline: tuple[Moment, ...] = Field(default=(), strict=False)
    credits: tuple[Credit, ...] = Field(default=(), strict=False)
    references: tuple[Link, ...] = Field(default=(), strict=False)
    notes: tuple[Note, ...] = Field(default=(), strict=False)
    legal: Legal | None = None
    annex: Annex | None = None
    briefings: dict[
        Annotated[Audience, BeforeValidator(choice(Audience)), words_of(Audience)],
        Annotated[tuple[Question, ...], Field(strict=False)],
    ] = Field(default_factory=dict)
    """Audience -> questions and answers of its own, in the source language; the key messages are the same."""
    origin: Origin | None = None
    source_language: Language
    waived_languages: dict[Language, Name] = Field(default_factory=dict)
    """Language that some devices ask for and that is left out -> who decided that."""
    waived_sign_off: Name | None = None
    """Who decided that translations go out without a person's sign-off, for an exercise."""
    texts: dict[Language, Words] = Field(min_length=1, max_length=limits.NOTICE_LANGUAGES_MAX)

    _lines: Lines = PrivateAttr(default_factory=lambda: Lines("advisory", {}))
    _bytes: bytes = PrivateAttr(default=b"")

    @property
    def next_update_seconds(self) -> int | None:
        """UTC seconds by which the owner hears again."""
        return None if self.next_update is None else int(self.next_update.astimezone(UTC).timestamp())

    @property
    def source(self) -> Words:
        """The text that all translations are compared with."""
        return self.texts[self.source_language]

    @property
    def elsewhere(self) -> dict[str, str]:
        """What owners read although it stands outside ``texts``, in the source language, by its place."""
        found = {f"facts.{n}.statement": fact.statement for n, fact in enumerate(self.facts)}
        found |= {
            f"timeline.{n}.what": moment.what for n, moment in enumerate(self.timeline) if moment.public
        }
        found |= {f"containment.{n}.what": step.what for n, step in enumerate(self.containment)}
        found |= {f"measures.{n}.what": measure.what for n, measure in enumerate(self.measures)}
        for n, offer in enumerate(self.offers):
            found |= {f"offers.{n}.what": offer.what, f"offers.{n}.how": offer.how}
        found |= {f"contacts.{n}.hours": way.hours for n, way in enumerate(self.contacts) if way.hours}
        if self.cause and self.cause.statement:
            found["cause.statement"] = self.cause.statement
        statements = self.legal.statements if self.legal else ()
        return found | {f"legal.statements.{n}": statement for n, statement in enumerate(statements)}

    @property
    def file(self) -> bytes:
        """The file's bytes, exactly as they were read."""
        return self._bytes

    def place(self, *path: str | int) -> str:
        """Return ``file:line`` of a part of the file."""
        return self._lines.place(path)

    def line(self, *path: str | int) -> int:
        """Return the line of a part of the file, from 1."""
        return self._lines.line(path)

    @model_validator(mode="after")
    def _whole(self) -> Facts:
        if self.source_language not in self.texts:
            raise ValueError(
                f"source_language is {self.source_language}, but texts has no {self.source_language}"
            )
        self._places_exist()
        both = sorted(set(self.waived_languages) & set(self.texts))
        if both:
            raise ValueError(f"{both[0]} is waived although it has a text")
        if not self.products and not self.named_products and self.origin is None:
            raise ValueError("neither products nor named_products names one")
        return self

    def _places_exist(self) -> None:
        known = self.elsewhere
        for language, written in self.texts.items():
            if written.elsewhere and language == self.source_language:
                raise ValueError(
                    f"texts.{language}.elsewhere translates, but {language} is the source language"
                )
            for place in written.elsewhere:
                if place not in known:
                    raise ValueError(f"texts.{language}.elsewhere: owners read no sentence at '{place}'")


def load_facts(text: str | bytes, *, where: str) -> Facts:
    """Read the facts of one advisory from YAML.

    Args:
        text: untrusted; bytes must be UTF-8.
        where: the file's name, for messages.

    Raises:
        InputError: unknown or misspelt key, wrong type, bad version range, duplicate key, tab, unreadable
            encoding: with ``file:line`` and, where there is one, the nearest key or value.
    """
    return _read(text if isinstance(text, str) else bytes(text), where)


@lru_cache(maxsize=4)  # one command reads the same bytes several times, and frozen facts may be shared
def _read(text: str | bytes, where: str) -> Facts:
    found = yamlfile.read(Facts, text, where=where)
    found.model._lines = found.lines  # noqa: SLF001 - our own private attribute, set once at birth
    found.model._bytes = text.encode() if isinstance(text, str) else text  # noqa: SLF001 - the same
    return found.model


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of facts, for editors (JSON Schema 2020-12)."""
    made = Facts.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tocsin advisory: the facts of one matter",
        **{key: value for key, value in made.items() if key != "title"},
    }
