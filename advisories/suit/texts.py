"""Reads the texts of a SUIT manifest: what it says of itself and of its components, by language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from advisories.suit.numbers import ComponentTextKey, TextKey
from advisories.suit.reading import ARRAY, MAP, TEXT, ComponentId, component, count, key, refuse, text
from keys.errors import RefusedError
from keys.reasons import Reason


class ComponentText(NamedTuple):
    """What one language says of the whole (``about``) and of each component."""

    about: Mapping[TextKey, str]
    components: Mapping[ComponentId, Mapping[ComponentTextKey, str]]


def texts(d: bytes) -> Mapping[str, ComponentText]:
    """Read the text member: what is said, by language."""
    size, p = count(d, 0, MAP, "the text is not a map of languages")
    found: dict[str, ComponentText] = {}
    last = b""
    for _ in range(size):
        start = p
        if not TEXT <= d[p] < TEXT + 28:
            refuse("the text is not a map of languages")
        tag, p = text(d, p)
        last = _after(last, d[start:p])
        found[tag], p = _language(d, p)
    if p != len(d):
        refuse("the text does not end where its byte string does")
    return found


def _after(last: bytes, this: bytes) -> bytes:
    """Return the key ``this``, which must come after ``last``: shorter ones first, then in their bytes' order."""
    if (len(this), this) <= (len(last), last):
        refuse("the text: keys twice or out of order")
    return this


def _language(d: bytes, p: int) -> tuple[ComponentText, int]:
    size, p = count(d, p, MAP, "a language's text is not a map")
    about: dict[TextKey, str] = {}
    each: dict[ComponentId, Mapping[ComponentTextKey, str]] = {}
    last = b""
    for _ in range(size):
        start = p
        if ARRAY <= d[p] < MAP:
            name, p = component(d, p)
            last = _after(last, d[start:p])
            each[name], p = _words(d, p)
        else:
            number_, p = key(d, p, -1, "a language's text")
            last = _after(last, d[start:p])
            kind = _ABOUT.get(number_)
            if kind is None:
                raise RefusedError(Reason.UNSUPPORTED, f"a language's text has a member {number_}")
            about[kind], p = text(d, p)
    return ComponentText(about, each), p


def _words(d: bytes, p: int) -> tuple[Mapping[ComponentTextKey, str], int]:
    size, p = count(d, p, MAP, "a component's text is not a map")
    found: dict[ComponentTextKey, str] = {}
    last = -1
    for _ in range(size):
        last, p = key(d, p, last, "a component's text")
        kind = _WORDS.get(last)
        if kind is None:
            raise RefusedError(Reason.UNSUPPORTED, f"a component's text has a member {last}")
        found[kind], p = text(d, p)
    return found, p


_ABOUT: Final = {kind.value: kind for kind in TextKey}
_WORDS: Final = {kind.value: kind for kind in ComponentTextKey}
