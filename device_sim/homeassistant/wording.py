"""A device's words as Home Assistant can show them: one line, of limited length, nothing unseen in it."""

from __future__ import annotations

import re
from typing import Final

from advisories.languages import words
from advisories.render.layout import clean
from device_sim.core.status import NoticeView, Status

SUMMARY_CHARACTERS_MAX: Final = 255  # of a release summary; Home Assistant cuts there, wherever that is
WORDS_CHARACTERS_MAX: Final = 600  # any other text; a paragraph of a notice has no more
_MARKS: Final = re.compile(r"([\\`*_\[\]<>#~|&])")
"""What Markdown would take for something else: Home Assistant shows a summary as Markdown."""
_ADDRESS: Final = re.compile(r"https://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[\w./~%?=&+-]*)?", re.ASCII)
_STOPS: Final = (".", "!", "?", "\u3002", "\uff01", "\uff1f", "\u061f")


def short(text: str, characters: int = WORDS_CHARACTERS_MAX) -> str:
    """Return one line, cut where it is too long."""
    line = clean(text)
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"


def summary(text: str) -> str:
    """Return words for a release summary: plain ones even as Markdown, of 255 characters at most."""
    size = SUMMARY_CHARACTERS_MAX
    while len(escaped := _MARKS.sub(r"\\\1", short(text, size))) > SUMMARY_CHARACTERS_MAX:
        size -= 1
    return escaped


def title(view: NoticeView) -> str:
    """Return a notice's title, marked where it is an exercise; empty without a text."""
    if view.text is None:
        return ""
    mark = f"{words(view.text.language).exercise}: " if view.notice.exercise else ""
    return mark + view.text.title


def told(status: Status) -> str:
    """Return what the owner is to know of the patch: the notice that it mends, then what it does."""
    patch, question = status.patch, status.question
    if patch is None or not patch.wanted:
        return ""
    parts = [question.text if question is not None else ""]
    view = status.find(patch.mends)
    if view is not None and view.text is not None:
        parts = [title(view), parts[0] or view.text.action]
    return " ".join(map(_sentence, filter(None, parts)))


def address(status: Status) -> str:
    """Return the web address that the notice behind the patch names for questions; empty without one."""
    patch = status.patch
    view = status.find(patch.mends) if patch is not None and patch.wanted else None
    found = _ADDRESS.search(view.text.contact) if view is not None and view.text is not None else None
    return found.group().rstrip(".") if found is not None else ""


def _sentence(text: str) -> str:
    line = clean(text)
    return line if line.endswith(_STOPS) else f"{line}."
