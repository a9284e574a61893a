"""Plain text for letter, mail and post: 72 columns, letters in the order in which they are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from advisories.phrases import END, ISOLATE
from advisories.render.channel.view import View
from advisories.render.layout import clean, wrap

COLUMNS: Final = 72
_MARK: Final = "\u200e"
_LATIN: Final = re.compile(r"[A-Za-z0-9*+](?:[!-~ ]*[A-Za-z0-9*/])?")
"""Ids, versions, codes, numbers and addresses in a line that runs from right to left."""

_ADDRESS: Final = re.compile(r"[a-z]+://[!-~]+|[\w.+-]+@[\w.-]+", re.ASCII)
_WHOLE: Final = str.maketrans("/@-", "\ue000\ue001\ue002")
_APART: Final = str.maketrans("\ue000\ue001\ue002", "/@-")
"""A line may end after these; an address of the web or of mail must stay whole to be followed."""


def directed(view: View, line: str) -> str:
    """Set marks round Latin words of a line that runs from right to left: a code is not turned round."""
    return _LATIN.sub(lambda found: f"{_MARK}{found[0]}{_MARK}", line) if view.say.rtl else line


def lines(view: View, text: str, *, indent: str = "", hang: str = "") -> list[str]:
    """Break words into lines; ``indent`` stands before the first, ``hang`` before each other one."""
    whole = _ADDRESS.sub(lambda found: found[0].translate(_WHOLE), text)
    broken = [line.translate(_APART) for line in wrap(whole, COLUMNS - max(len(indent), len(hang)))]
    return [(hang if number else indent) + directed(view, line) for number, line in enumerate(broken)]


def one_line(view: View, text: str) -> str:
    """Return words as one line, cleaned of everything unseen."""
    return directed(view, clean(text.replace(ISOLATE, "").replace(END, "")))


def block(view: View, *paragraphs: str, points: Sequence[str] = (), more: Iterable[str] = ()) -> list[str]:
    """Return paragraphs, points and what follows them, with an empty line below; nothing for nothing."""
    found = [line for text in paragraphs for line in lines(view, text)]
    found += [line for text in points for line in lines(view, text, indent="- ", hang="  ")]
    found += [line for text in more for line in lines(view, text)]
    return [*found, ""] if found else []


def ended(found: Sequence[str]) -> str:
    """Return lines as a text that ends with one line end."""
    return "\n".join(found).rstrip("\n") + "\n"
