"""Who speaks: the maker as its notices, letters, pages and documents name it (``organisation.yaml``).

Everything may be left out; the checks say what a channel then lacks.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from advisories import yamlfile
from advisories.facts.matter import Audience, Contact, Publisher
from advisories.facts.parts import Day, Language, Name, Part, Prose, Role, Url, words_of
from advisories.yamlfile import choice


class Approver(Part):
    """A person who approves, and how that person is reached when a matter is urgent."""

    holder: Name
    """As in ``keys.toml``."""
    role: Role
    mail: Prose | None = None
    phone: Prose | None = None
    language: Language = "en"
    tested: Day | None = None
    """When the way to reach them was last tried."""


class Translator(Part):
    """Who translates into which languages, and when that was last tried."""

    name: Name
    languages: tuple[Language, ...] = Field(min_length=1, strict=False)
    mail: Prose | None = None
    tested: Day | None = None


class Authority(Part):
    """An office that has to be told: a CSIRT, a data protection authority, a regulator."""

    name: Name
    regimes: tuple[str, ...] = Field(min_length=1, strict=False)
    """Ids of the regimes under which it is told (``clocks/regimes.toml``)."""
    how: Prose
    """Its form, address or platform."""
    tested: Day | None = None


class Reviewed(Part):
    """When each part of the plan was last looked through."""

    templates: Day | None = None
    contacts: Day | None = None
    plan: Day | None = None
    drill: Day | None = None


class Briefer(Part):
    """Who briefs a team or a group outside."""

    audience: Annotated[Audience, BeforeValidator(choice(Audience)), words_of(Audience)]
    name: Name
    mail: Prose | None = None


class Organisation(Part):
    """The maker."""

    name: Prose = ""
    legal_name: Prose = ""
    address: tuple[Prose, ...] = Field(default=(), strict=False)
    """Lines of the postal address, for letters."""
    site: Url | None = None
    """Base of the public pages that ``tocsin site build`` makes, without a slash at its end."""
    policy: Url | None = None
    """Page that says how weaknesses are reported and treated (RFC 9116, ISO/IEC 29147)."""
    openpgp: Url | None = None
    """The public key for encrypted mail (RFC 9116)."""
    publisher: Publisher | None = None
    contacts: tuple[Contact, ...] = Field(default=(), strict=False)
    """How the public reaches us about security; the first mail or page goes into security.txt."""
    social: dict[str, Prose] = Field(default_factory=dict)
    """Network -> our name there."""
    approvers: tuple[Approver, ...] = Field(default=(), strict=False)
    translators: tuple[Translator, ...] = Field(default=(), strict=False)
    authorities: tuple[Authority, ...] = Field(default=(), strict=False)
    briefers: tuple[Briefer, ...] = Field(default=(), strict=False)
    regimes: tuple[str, ...] = Field(default=(), strict=False)
    """Ids of the legal regimes that Legal says apply to us; their clocks run."""
    customers: Annotated[int, Field(ge=0)] | None = None
    """How many customers there are, for the advice on channels."""
    silence_hours: int = Field(default=24, ge=1, le=720)
    """An incident that is open so long without a word to customers raises an alarm."""
    reviewed: Reviewed = Reviewed()


def load_organisation(text: str | bytes, *, where: str) -> Organisation:
    """Read ``organisation.yaml``.

    Raises:
        InputError: as :func:`advisories.facts.load_facts`.
    """
    return yamlfile.read(Organisation, text, where=where).model
