"""The texts of a SUIT manifest: what it says of itself and of its components, by language.

All of them are judged when the manifest is read: form, order, UTF-8. The words of a language are made
into objects when somebody asks for that language: a manifest has many, and a device shows one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from advisories.suit.numbers import ComponentTextKey, TextKey
from advisories.suit.reading import ARRAY, MAP, TEXT, ComponentId, component, count, key, refuse, text
from keys.errors import RefusedError
from keys.reasons import Reason

_ABOUT: Final = {kind.value: kind for kind in TextKey}
_WORDS: Final = {kind.value: kind for kind in ComponentTextKey}
_LONG: Final = 24  # from here on a length has a byte of its own, announced by this very number
_SHORT_BYTES: Final = 2
_SHORT_TAG: Final = TEXT + _SHORT_BYTES
_FORM: Final = bytes((MAP + 2, TextKey.UPDATE_DESCRIPTION, TEXT + _LONG))
"""Heads of one text of 24 to 255 bytes, in a map of two."""

Components = Mapping[ComponentId, Mapping[ComponentTextKey, str]]


class ComponentText(NamedTuple):
    """What one language says of the whole (``about``) and of each component."""

    about: Mapping[TextKey, str]
    components: Components


class Texts(Mapping[str, ComponentText]):
    """Texts by language tag, each decoded when it is asked for."""

    def __init__(self, data: bytes, places: Mapping[bytes, int], components: tuple[Components, ...]) -> None:
        self._data = data
        self._places = places
        self.components: Final = components
        """What is said of the components, each wording once."""

    def __getitem__(self, tag: str) -> ComponentText:
        """Return what a language says (KeyError where it says nothing)."""
        about, components, _, _ = _language(self._data, self._places[tag.encode()])
        return ComponentText(about, components)

    def __iter__(self) -> Iterator[str]:
        """Yield the language tags in the order of the wire."""
        return (tag.decode() for tag in self._places)

    def __len__(self) -> int:
        """Return how many languages there are."""
        return len(self._places)


NO_TEXTS: Final = Texts(b"", {}, ())


def texts(d: bytes) -> Texts:
    """Read the text member, to its last byte.

    Raises:
        RefusedError: MALFORMED, or UNSUPPORTED for a kind of text that is in no table.
    """
    size, p = count(d, 0, MAP, "the text is not a map of languages")
    places: dict[bytes, int] = {}
    said: dict[bytes, Components] = {}  # what is said of the components, by its bytes
    words: list[bytes] = []
    last = tail = b""
    for _ in range(size):
        # What nearly every language holds: one text, and of the components the same as the language before.
        at = p + 6
        if d[p] == _SHORT_TAG and tail and d[p + 3 : at] == _FORM:
            tag, long = d[p + 1 : p + 3], d[at]
            end = at + 1 + long
            if long >= _LONG and last < tag and len(last) <= _SHORT_BYTES and d.startswith(tail, end):
                places[tag] = p + 3
                words.append(d[at + 1 : end])
                last = tag
                p = end + len(tail)
                continue
        tag, p = _tag(d, p)
        if places and (len(tag), tag) <= (len(last), last):
            refuse("the text: keys twice or out of order")
        last = tag
        places[tag] = p
        _, components, at, p = _language(d, p)
        said[d[at:p]] = components
        tail = d[at:p] if len(components) == 1 else b""
    if p != len(d):
        refuse("the text does not end where its byte string does")
    b"\n".join((*words, *places)).decode()  # all at once: a line end completes no character
    return Texts(d, places, tuple(said.values()))


def _tag(d: bytes, p: int) -> tuple[bytes, int]:
    size = d[p] - TEXT
    if not 0 <= size <= _LONG or (size == _LONG and d[p + 1] < _LONG):
        refuse("the text is not a map of languages")
    start = p + 1
    if size == _LONG:
        size, start = d[start], start + 1
    return d[start : start + size], start + size


def _language(d: bytes, p: int) -> tuple[Mapping[TextKey, str], Components, int, int]:
    """Read one language: about the whole, about components, where the latter begins, and where all ends."""
    size, p = count(d, p, MAP, "a language's text is not a map")
    about: dict[TextKey, str] = {}
    each: dict[ComponentId, Mapping[ComponentTextKey, str]] = {}
    last, first = b"", 0
    for _ in range(size):
        start = p
        named = ARRAY <= d[p] < MAP
        if named:
            name, p = component(d, p)
            first = first or start
        else:
            number, p = key(d, p, -1, "a language's text")
        this = d[start:p]
        if (len(this), this) <= (len(last), last):
            refuse("a language's text: keys twice or out of order")
        last = this
        if named:
            each[name], p = _words(d, p)
        else:
            kind = _ABOUT.get(number)
            if kind is None:
                raise RefusedError(Reason.UNSUPPORTED, f"a language's text has a member {number}")
            about[kind], p = text(d, p)
    return about, each, first or p, p


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
