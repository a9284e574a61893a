"""Weaknesses, in the terms of CSAF 2.0 section 3.2.3.

A product reference is a key of ``products`` (its affected or fixed versions follow from there), a key of
``named_products``, or a key of ``groups`` where groups are allowed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from advisories.facts.parts import Day, Instant, Part, words_of
from advisories.facts.vocabulary import (
    Cve,
    Cwe,
    Filled,
    FlagWord,
    InvolvementWord,
    NoteWord,
    PartyWord,
    RemedyWord,
    RestartWord,
    ThreatWord,
    Uri,
    VectorV2,
    VectorV3,
)
from advisories.yamlfile import choice


class Exploitation(StrEnum):
    """Whether somebody has used a weakness."""

    UNKNOWN = "unknown"
    NONE_KNOWN = "none-known"
    SUSPECTED = "suspected"
    ACTIVE = "active"


class ProductStatus(StrEnum):
    """What a weakness means for a product (CSAF 2.0, section 3.2.3.9)."""

    FIRST_AFFECTED = "first-affected"
    FIRST_FIXED = "first-fixed"
    FIXED = "fixed"
    KNOWN_AFFECTED = "known-affected"
    KNOWN_NOT_AFFECTED = "known-not-affected"
    LAST_AFFECTED = "last-affected"
    RECOMMENDED = "recommended"
    UNDER_INVESTIGATION = "under-investigation"


class Link(Part):
    """Where more is said."""

    url: Uri
    summary: Filled
    own: bool = False
    """True: it leads to this same document."""


class Note(Part):
    """Words for a document only; owners do not see them on screens."""

    category: NoteWord
    text: Filled
    title: Filled | None = None
    audience: Filled | None = None


class Credit(Part):
    """Who found or helped (FIRST and ISO/IEC 29147: named only as they wish)."""

    names: tuple[Filled, ...] = Field(default=(), strict=False)
    organisation: Filled | None = None
    summary: Filled | None = None
    urls: tuple[Uri, ...] = Field(default=(), strict=False)
    agreed: bool = True
    """False: they did not agree to be named; no output names them."""


class Identifier(Part):
    """A number of the weakness in another system than CVE."""

    system: Filled
    text: Filled


class Weakness(Part):
    """Kind of weakness by CWE."""

    id: Cwe
    name: Filled


class Score(Part):
    """How bad it is, by CVSS; the numbers are computed from the vector."""

    products: tuple[str, ...] = Field(min_length=1, strict=False)
    v2: VectorV2 | None = None
    v3: VectorV3 | None = None
    """``CVSS:3.0/...`` or ``CVSS:3.1/...``."""


class Restart(Part):
    """What has to be restarted after a remedy."""

    category: RestartWord
    details: Filled | None = None


class Remedy(Part):
    """What can be done about it (CSAF 2.0, section 3.2.3.12)."""

    category: RemedyWord
    details: Filled
    products: tuple[str, ...] = Field(default=(), strict=False)
    groups: tuple[str, ...] = Field(default=(), strict=False)
    url: Uri | None = None
    date: Instant | None = None
    entitlements: tuple[Filled, ...] = Field(default=(), strict=False)
    restart: Restart | None = None


class Threat(Part):
    """What it may do, and to whom."""

    category: ThreatWord
    details: Filled
    products: tuple[str, ...] = Field(default=(), strict=False)
    groups: tuple[str, ...] = Field(default=(), strict=False)
    date: Instant | None = None


class Flag(Part):
    """Why a product is not affected, in a word of VEX."""

    label: FlagWord
    products: tuple[str, ...] = Field(default=(), strict=False)
    groups: tuple[str, ...] = Field(default=(), strict=False)
    date: Instant | None = None


class Involvement(Part):
    """What a party did about it."""

    party: PartyWord
    status: InvolvementWord
    summary: Filled | None = None
    date: Instant | None = None


class Vulnerability(Part):
    """One weakness. Without ``status``, ``products`` says which versions are affected and which mend it."""

    title: Filled | None = None
    cve: Cve | None = None
    ids: tuple[Identifier, ...] = Field(default=(), strict=False)
    cwe: Weakness | None = None
    discovered: Instant | None = None
    released: Instant | None = None
    exploited: Annotated[Exploitation, BeforeValidator(choice(Exploitation)), words_of(Exploitation)] = (
        Exploitation.UNKNOWN
    )
    exploited_since: Day | None = None
    status: dict[
        Annotated[ProductStatus, BeforeValidator(choice(ProductStatus)), words_of(ProductStatus)],
        Annotated[tuple[str, ...], Field(min_length=1, strict=False)],
    ] = Field(default_factory=dict)
    """Status -> references to products; empty: it follows from ``products``."""
    scores: tuple[Score, ...] = Field(default=(), strict=False)
    remedies: tuple[Remedy, ...] = Field(default=(), strict=False)
    threats: tuple[Threat, ...] = Field(default=(), strict=False)
    flags: tuple[Flag, ...] = Field(default=(), strict=False)
    involvements: tuple[Involvement, ...] = Field(default=(), strict=False)
    notes: tuple[Note, ...] = Field(default=(), strict=False)
    references: tuple[Link, ...] = Field(default=(), strict=False)
    credits: tuple[Credit, ...] = Field(default=(), strict=False)
