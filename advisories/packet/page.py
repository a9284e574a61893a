"""The packet as one HTML file: no script, nothing fetched, every word of others escaped.

Three layers keep hostile words in: Jinja2 escapes all that it is given; outputs in HTML stand in frames with
an empty ``sandbox``; and the page's own policy lets nothing load or run, in the frames neither.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from advisories.languages import words
from advisories.packet.model import Packet
from advisories.packet.readings import editions
from advisories.versions import format_range

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of the packet; frames made with ``srcdoc`` inherit it."""
_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e")
_ISOLATES: Final = frozenset("\u2066\u2067\u2068\u2069")
_UNSEEN: Final = re.compile(
    "[\u115f\u1160\u180e\u200b\u2060-\u2064\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Letters without a shape: texts that look the same could differ in them, or hide a text made of them."""
_TEMPLATES: Final = ("packet.html", "parts.html")


def visible(text: object, *, isolates: bool = True) -> str:
    """Write out by number what would turn words around or cannot be seen.

    Args:
        text: words of others.
        isolates: also bidirectional isolates; renderers set them around numbers in Arabic.
    """
    return "".join(f"\u27e8U+{ord(c):04X}\u27e9" if _hidden(c, isolates=isolates) else c for c in str(text))


def _hidden(letter: str, *, isolates: bool) -> bool:
    if letter in "\n\t":
        return False
    if letter in _TURNS or (isolates and letter in _ISOLATES):
        return True
    return unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp", "Co", "Cn"} or bool(_UNSEEN.match(letter))


def when(seconds: float) -> str:
    """Write UTC seconds for people."""
    return words("en").when(int(seconds))


def hexes(digest: bytes | str) -> str:
    """Write a digest in groups of eight digits, so that two people can compare it aloud."""
    text = digest if isinstance(digest, str) else digest.hex()
    return " ".join(text[start : start + 8] for start in range(0, len(text), 8))


def _load(name: str) -> str | None:
    if name.removeprefix("packet/") not in _TEMPLATES:
        return None
    return (resources.files("advisories.packet") / "templates" / name.removeprefix("packet/")).read_text(
        "utf-8"
    )


def environment() -> Environment:
    """Return the templates, which the desk shares: ``packet/parts.html`` has every section as a macro."""
    made = Environment(
        loader=FunctionLoader(_load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "visible": visible,
        "when": when,
        "hexes": hexes,
        "range": format_range,
        "shown": lambda text: visible(text, isolates=False),
    }
    made.globals |= {"editions": editions}
    return made


@cache
def stylesheet() -> str:
    """Return the style of packet and desk."""
    return (resources.files("advisories.packet") / "templates" / "packet.css").read_text("utf-8")


@cache
def _environment() -> Environment:
    return environment()


def make(packet: Packet) -> str:
    """Return the packet as one HTML file."""
    page = _environment().get_template("packet/packet.html")
    # Our own style sheet, in which no word of others stands.
    return page.render(p=packet, css=Markup(stylesheet()), policy=POLICY)  # noqa: S704
