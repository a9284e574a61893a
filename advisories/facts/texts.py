"""What an owner reads, one language beside the other.

The first six fields go to devices (at most 1,024 bytes together) and to every other channel. The rest is for
channels with more room: page, letter, mail, FAQ.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from advisories.facts.parts import Day, Language, Part, Prose

TEXT_FIELDS: Final = ("title", "action", "happened", "affected", "doing", "contact")
"""What every owner reads, in the order of ``Text`` on the wire."""
MORE_FIELDS: Final = ("changed", "workaround", "prevention", "offer", "apology", "social")
"""What channels with more room say beside it; each may be left out."""


class Question(Part):
    """A question that people ask, with its answer, and since when it stands there."""

    q: Prose
    a: Prose
    date: Day | None = None


class Words(Part):
    """What an owner reads in one language."""

    title: Prose
    action: Prose
    happened: Prose
    affected: Prose
    doing: Prose
    contact: Prose
    steps: tuple[Prose, ...] = Field(default=(), strict=False)
    """What to do, one step a line."""
    workaround: Prose | None = None
    """What helps until the fix is there."""
    prevention: Prose | None = None
    """What keeps it from happening again."""
    offer: Prose | None = None
    """How we help those concerned."""
    apology: Prose | None = None
    """The sentence of regret and responsibility with which page and letter begin or end."""
    changed: Prose | None = None
    """What is new since the revision before."""
    social: Prose | None = None
    """A post of at most 280 letters with its link; None: made of title and action."""
    faq: tuple[Question, ...] = Field(default=(), strict=False)
    elsewhere: dict[str, Prose] = Field(default_factory=dict)
    """What the file says outside ``texts`` and owners read too, by its place: ``timeline.0.what``. Only in a
    translation; what is left out stands there in the source language, marked as such."""
    translator: Prose | None = None
    """Who translated it; not for the source language."""
    translated_from: Language | None = None
    """None: from the source language."""
    signed_off: Prose | None = None
    """Who read the translation last, and when."""

    def fields(self) -> dict[str, str]:
        """Return every paragraph that owners may read, by its name in the file (``steps.0``, ``faq.1.a``)."""
        found = {name: getattr(self, name) for name in (*TEXT_FIELDS, *MORE_FIELDS)}
        found |= {f"steps.{number}": step for number, step in enumerate(self.steps)}
        for number, item in enumerate(self.faq):
            found |= {f"faq.{number}.q": item.q, f"faq.{number}.a": item.a}
        return {name: text for name, text in found.items() if text is not None}
