"""The sheets as rows of the table of channels: each is approved byte for byte, like what owners read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from advisories.briefings.briefing import QUESTIONS, briefing, empathy
from advisories.story import Story


def _sheet(audience: str) -> Callable[[Story, str], str]:
    return partial(briefing, audience=audience)


SHEETS: Final[Mapping[str, Callable[[Story, str], str]]] = {
    **{f"briefing-{audience}.md": _sheet(audience) for audience in QUESTIONS if audience != "meeting"},
    "meeting.md": _sheet("meeting"),
    "empathy.md": empathy,
}
"""File name below the language's folder -> what makes it."""
