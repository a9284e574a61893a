"""Every output of a release as a page can show it: in a frame, as letters, as a picture."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from advisories.facts.texts import TEXT_FIELDS, Words
from advisories.languages import all_words, primary
from advisories.packet.model import Packet

RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ur"})
_SCREEN: Final = re.compile(r"small-(\d+)\.(txt|pbm)")
_LABELS: Final = {
    "console.txt": "Serial console",
    "web.html": "Web page",
    "faq.html": "Questions and answers",
    "letter.html": "Letter",
    "letter.txt": "Letter, as text",
    "letter-california.html": "Letter, California layout",
    "letter-california.txt": "Letter, California layout, as text",
    "email.txt": "E-mail",
    "banner.html": "Banner",
    "social.txt": "Social post",
    "led.txt": "Lamp",
}
_COLUMNS: Final = frozenset({"console.txt", "led.txt"})
_FRAME_WORDS: Final = ((60, "s"), (250, "m"), (700, "l"))
"""Words of an HTML output up to which a frame has this size; longer ones have the largest."""
_TAG: Final = re.compile(r"<(style|script|title)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """One output."""

    name: str
    """As on the release list."""
    label: str
    kind: str
    """frame, text, picture or bytes."""
    text: str = ""
    source: str = ""
    """Of a picture: its data address."""
    size: str = "m"
    """Of a frame: s, m, l or xl."""
    fixed: bool = False
    """Its lines are columns of a screen and must not be broken."""
    cells: bool = False
    """Its letters stand in the order of the screen's cells: nothing may turn them round again."""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Edition:
    """All outputs in one language."""

    tag: str
    """Empty: in no language, for all."""
    name: str
    right_to_left: bool
    source: bool
    """The others are translated from this one."""
    words: Words | None
    readings: tuple[Reading, ...]

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The six fields that devices show: name, words."""
        if self.words is None:
            return ()
        return tuple((name, getattr(self.words, name)) for name in TEXT_FIELDS)


def editions(packet: Packet) -> tuple[Edition, ...]:
    """Return every output of the release list, the source language first, what is in no language last."""
    facts = packet.facts
    tags = sorted(packet.notice.texts, key=lambda tag: (tag != facts.source_language, tag))
    found = []
    for tag in (*tags, ""):
        readings = tuple(_readings(packet, tag, set(tags)))
        if tag or readings:
            found.append(
                Edition(
                    tag,
                    _language(tag) if tag else "For all languages",
                    primary(tag) in RIGHT_TO_LEFT,
                    tag == facts.source_language,
                    facts.texts.get(tag),
                    readings,
                )
            )
    return tuple(found)


def _language(tag: str) -> str:
    known = all_words()
    own = known.get(tag) or known.get(primary(tag))
    return own.name if own else tag


def _readings(packet: Packet, language: str, languages: set[str]) -> Iterator[Reading]:
    for name, data in sorted(packet.outputs.items(), key=lambda item: _order(item[0])):
        folder, slash, file = name.partition("/")
        if (folder if slash and folder in languages else "") == language:
            yield _reading(packet, name, file if language else name, data)


def _order(name: str) -> tuple[int, str]:
    file = name.rpartition("/")[2]
    files = list(_LABELS)
    page = _SCREEN.fullmatch(file)
    if page:
        return -1 if page.group(2) == "pbm" else -2, name
    return files.index(file) if file in files else len(files), name


def _reading(packet: Packet, name: str, file: str, data: bytes) -> Reading:
    text = data.decode("utf-8", "replace")
    page = _SCREEN.fullmatch(file)
    label = f"Small screen, page {page.group(1)}" if page else _LABELS.get(file, file)
    if page and page.group(2) == "pbm":
        label, text = f"Drawn page {page.group(1)}, for devices without a font", f"Drawn page {page.group(1)}"
    if name in packet.pictures:
        return Reading(name, label, "picture", text, png(packet.pictures[name]), bytes=len(data))
    if file.endswith(".png"):
        return Reading(name, label, "picture", "", png(data), bytes=len(data))
    if file.endswith((".html", ".htm")):
        return Reading(name, label, "frame", text, size=_size(text), bytes=len(data))
    if "\ufffd" in text or "\0" in text:
        return Reading(name, label, "bytes", bytes=len(data))
    fixed = bool(page) or file in _COLUMNS
    return Reading(name, label, "text", text, fixed=fixed, cells=file == "console.txt", bytes=len(data))


def _size(html: str) -> str:
    words = len(_TAG.sub(" ", html).split())
    return next((size for most, size in _FRAME_WORDS if words <= most), "xl")


def png(data: bytes) -> str:
    """Return a picture as an address that holds all of it."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
