"""What is said in one breath: the banner of a homepage, and the post on a network."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from advisories.notice import Severity
from advisories.render.channel.html import fill
from advisories.render.channel.plain import one_line
from advisories.render.channel.view import View
from advisories.story import Story

POST_LETTERS_MAX: Final = 280
"""Of a post, counted as people see letters."""
_ENDS: Final = ("!", "?", "\uff01", "\uff1f", "\u061f")
_SENTENCE: Final = re.compile(r"(?<=[。！？])|(?<!\d\.)(?<=[.!?؟])\s+")  # noqa: RUF001 - full-width marks


def banner(story: Story, language: str) -> str:
    """Return a fragment for the homepage, with colours of its own, and a link where the page has one."""
    view = View(story, language)
    grave = view.open and view.notice.severity >= Severity.HIGH
    return fill("banner.j2", v=view, say=view.say, colours=_COLOURS[grave])


_COLOURS: Final = {True: ("#7a1f1f", "#ffffff"), False: ("#0b4f5e", "#ffffff")}
"""Ground and letters, whatever the homepage's own style."""


def social(story: Story, language: str) -> str:
    """Return a post: words, id, check code and address.

    The post that the facts give is taken as it stands. Otherwise it is title and action, and of the action as
    many whole sentences as there is room for. Nothing is cut: what is too long comes back longer.
    """
    view = View(story, language)
    end = " ".join(part for part in (view.notice.id, view.story.code, view.address) if part)
    drill = f"{view.own.exercise}{view.say('date.colon')}" if view.notice.exercise else ""
    if view.written.social:
        return one_line(view, f"{drill}{view.written.social} {end}") + "\n"
    title = view.text.title.rstrip(" .。")
    stop = "" if title.endswith(_ENDS) else view.say("date.stop")
    said = sentences(view.text.action)
    for count in range(len(said), -1, -1):
        parts = [f"{drill}{title}{stop}", *said[:count], end]
        post = one_line(view, " ".join(parts) if view.spaced else f"{''.join(parts[:-1])} {end}")
        if letters(post) <= POST_LETTERS_MAX:
            break
    return f"{post}\n"


def sentences(text: str) -> list[str]:
    """Split into sentences; the dot of a version or of a day does not end one."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def letters(text: str) -> int:
    """Count letters as people see them: marks upon a letter and what is unseen do not count."""
    composed = unicodedata.normalize("NFC", text)
    return sum(
        not unicodedata.combining(letter) and unicodedata.category(letter) != "Cf" for letter in composed
    )
