"""Templates of a first notice: what is usually said, with the gaps that only people can fill.

A template is data (``<name>.yaml``); :mod:`advisories.templates.writing` makes a file of facts of it and of
what somebody answered. What nobody answered stays in [brackets], which the checks find.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from advisories import yamlfile
from advisories.facts.matter import Kind, Reminder
from advisories.facts.parts import Long, Part, Prose
from advisories.facts.vulnerabilities import Exploitation
from advisories.languages import primary
from advisories.notice import Action, Phase, Severity
from advisories.phases import FIRST
from advisories.yamlfile import choice
from keys.errors import InputError

NAMES: Final = (
    "exploited-vulnerability",
    "vulnerability-with-fix",
    "vulnerability-without-fix",
    "data-breach",
    "lost-signing-key",
    "end-of-support",
    "false-alarm-withdrawn",
)
"""Every template, in the order in which people are asked."""


class TemplateText(Part):
    """What a template says in one language; ``{end}`` is the product's last day of support."""

    title: Prose
    action: Prose
    happened: Prose
    doing: Prose
    apology: Prose
    changed: Prose | None = None


class Template(Part):
    """One sort of first notice."""

    name: str = ""
    for_: Prose = Field(alias="for")
    """When to take it."""
    kind: Annotated[Kind, BeforeValidator(choice(Kind))]
    phase: Annotated[Phase, BeforeValidator(choice(Phase))]
    severity: Annotated[Severity, BeforeValidator(choice(Severity))]
    action: Annotated[Action, BeforeValidator(choice(Action))]
    expires_days: int
    next_update_hours: int | None = None
    """When owners usually hear again; None: they need not."""
    reminder: Reminder | None = None
    weakness: Annotated[Exploitation, BeforeValidator(choice(Exploitation))] | None = None
    """Whether somebody uses the weakness; None: there is none."""
    mended: bool
    """Whether an update mends it, so that its version is asked for."""
    every_version: bool = False
    """Whether it usually concerns every version."""
    more: Long = ""
    """Further lines of the file of facts."""
    texts: dict[str, TemplateText]

    @property
    def first(self) -> bool:
        """Whether it begins a matter; else it goes on with one that was published."""
        return self.phase in FIRST


class Phrases(Part):
    """What is said in one language about versions, and its gaps."""

    every: str
    none: str
    only: str
    before: str
    through: str
    since: str
    between: str
    from_through: str
    which: str
    contact: str
    end: str


class _AllPhrases(Part):
    en: Phrases
    de: Phrases


@cache
def template(name: str) -> Template:
    """Return a template.

    Raises:
        InputError: NO_TEMPLATE, with the nearest name.
    """
    if name not in NAMES:
        message = f"There is no template '{yamlfile.shown(name)}'."
        raise InputError("NO_TEMPLATE", message, mend=yamlfile.near_miss(name, NAMES))
    found = yamlfile.read(Template, _file(f"{name}.yaml"), where=f"{name}.yaml").model
    return found.model_copy(update={"name": name})


@cache
def phrases(language: str) -> Phrases:
    """Return the phrases of a language that templates speak."""
    both = yamlfile.read(_AllPhrases, _file("words.yaml"), where="words.yaml").model
    return both.de if primary(language) == "de" else both.en


def speaks(language: str) -> bool:
    """Say whether templates are written in a language."""
    return primary(language) in _AllPhrases.model_fields


def _file(name: str) -> str:
    return resources.files("advisories.templates").joinpath(name).read_text("utf-8")
