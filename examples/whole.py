"""Whether all that was written in an example comes out: no output missing, no word cut."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Final

from advisories.channels import CHANNELS
from advisories.facts import Facts
from advisories.languages import is_from_right
from advisories.render import layout

SPACELESS: Final = frozenset({"ja", "zh"})
SCREENED: Final = ("title", "action", "happened")
"""Fields on the small screen."""
CARRIED: Final[Mapping[str, tuple[str, ...]]] = {
    "console.txt": ("title", "action", "happened", "affected", "doing", "contact"),
    "web.html": (
        "title",
        "action",
        "happened",
        "affected",
        "doing",
        "contact",
        "prevention",
        "offer",
        "steps",
    ),
    "letter.txt": ("action", "happened", "affected", "doing", "contact", "steps"),
    "letter.html": ("action", "happened", "affected", "doing", "contact", "steps"),
    "email.txt": ("action", "happened"),
    "faq.html": ("faq",),
    "banner.html": ("title",),
}
"""Output -> fields whose every word must stand in it."""
_PLAIN: Final = str.maketrans("\u2018\u2019\u201c\u201d\u201e\u2013\u2014\u00a0", '\'\'"""-- ')
_SMALL: Final = re.compile(r"small-\d+\.txt")


def missing(facts: Facts, files: Mapping[str, bytes], pictures: Collection[str]) -> list[str]:
    """Return what is not there: an output of a language, or the picture of a page."""
    faults = []
    for language in facts.texts:
        have = {name.partition("/")[2] for name in files if name.startswith(f"{language}/")}
        wanted = {"console.txt", "small-1.txt", *(name for name in CHANNELS if "california" not in name)}
        faults += [f"{language}/{name} is missing" for name in sorted(wanted - have)]
        pages = {name for name in files if _SMALL.fullmatch(name.removeprefix(f"{language}/"))}
        drawn = {name.removesuffix("txt") + "png" for name in pages if name.startswith(f"{language}/")}
        faults += [f"{name} is missing" for name in sorted(drawn - set(pictures))]
    if "led.txt" not in files:
        faults.append("led.txt is missing")
    return faults


def cut(facts: Facts, files: Mapping[str, bytes]) -> list[str]:
    """Return each word that was written and does not stand in an output that carries it."""
    faults = []
    for language, written in facts.texts.items():
        fields = written.fields()
        for output, names in CARRIED.items():
            data = files.get(f"{language}/{output}")
            if data is None:
                continue
            shown = _seen(output, data.decode())
            said = " ".join(text for name, text in fields.items() if name.partition(".")[0] in names)
            turned = output == "console.txt" and is_from_right(language)
            lost = _lost_letters(said, shown) if turned else _lost(said, shown, language)
            if lost:
                faults.append(f"{language}/{output} lacks {' '.join(lost[:8])}")
        faults += _cut_on_screen(files, language, fields)
    return faults


def _seen(name: str, text: str) -> str:
    """Return the words of an output that people see, with what layout put between them taken out."""
    if name.endswith(".html"):
        text = re.sub(r"(?s)<(style|script|title)\b.*?</\1>", " ", text)
        text = html.unescape(re.sub(r"<(?:br|/?(?:p|li|td|th|h\d|div|dd|dt|section))\b[^>]*>", " ", text))
        text = re.sub(r"<[^>]+>", "", text)
    if name == "console.txt":
        text = text.replace("|", " ")
    return _plain(text)


def _plain(text: str) -> str:
    unseen = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFC", unseen).translate(_PLAIN)


def _lost(said: str, shown: str, language: str) -> list[str]:
    """Return the words, or in scripts without spaces the letters, that are said and not shown."""
    if language in SPACELESS:
        return sorted(Counter(_letters(said)) - Counter(_letters(shown)))
    pieces = _whole_words(shown)
    return [word for word in dict.fromkeys(_plain(said).split()) if word not in pieces and word not in shown]


def _lost_letters(said: str, shown: str) -> list[str]:
    """Return letters that are lacking where letters stand joined and lines from right to left."""
    return sorted(Counter(_letters(said)) - Counter(_letters(unicodedata.normalize("NFKC", shown))))


def _whole_words(text: str) -> set[str]:
    """Return the words of lines; one that was broken at its own hyphen stands there in two pieces."""
    words = text.split()
    return {*words, *("".join(pair) for pair in pairwise(words) if pair[0].endswith("-"))}


def _letters(text: str) -> str:
    return "".join(_plain(text).split())


def _cut_on_screen(files: Mapping[str, bytes], language: str, fields: Mapping[str, str]) -> Iterator[str]:
    """Tell what the small screen lacks or breaks inside a word; the bar of each page is left out."""
    pages = sorted(name for name in files if _SMALL.fullmatch(name.removeprefix(f"{language}/")))
    lines = [line for name in pages for line in files[name].decode().splitlines()[1:]]
    shown = _letters("".join(lines))
    for name in SCREENED:
        if _letters(layout.clean(fields[name])) not in shown:
            yield f"the small screen in '{language}' does not say the whole of '{name}'"
    if language in SPACELESS:
        return
    stand = _whole_words(_plain(" ".join(lines)))
    for word in sorted({word for name in SCREENED for word in _plain(fields[name]).split()}):
        if word not in stand:
            yield f"the small screen in '{language}' breaks '{word}'"
