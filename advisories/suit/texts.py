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
_TAG: Final = TEXT + 2
"""Head of a tag of two letters."""
_ONE_TEXT: Final = bytes((MAP + 2, TextKey.UPDATE_DESCRIPTION, TEXT + _LONG))
"""Heads of a map of two, and of one text of 24 to 255 bytes in it."""
_VERSION: Final = bytes((MAP + 1, ComponentTextKey.COMPONENT_VERSION))
"""Head of what is said of a component when that is its version alone."""

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
    last = b""
    for _ in range(size):
        tag, p = _tag(d, p)
        if places and (len(tag), tag) <= (len(last), last):
            refuse("the text: keys twice or out of order")
        last = tag
        places[tag] = p
        _, components, at, p = _language(d, p)
        said[d[at:p]] = components
    if p != len(d):
        refuse("the text does not end where its byte string does")
    b"\n".join(places).decode()  # all at once: a line end completes no character
    return Texts(d, places, tuple(said.values()))


def ordinary(d: bytes, named: bytes, component: ComponentId) -> Texts | None:
    """Return the texts of a manifest for one component if each language says the usual, else None.

    That is: what the update does, in 24 to 255 bytes, and the version of the component, the same in all.

    Args:
        d: the text member.
        named: the component's identifier in its own bytes.
        component: the same.
    """
    size = d[0] - MAP
    at = d.rfind(named + _VERSION)
    said = d[at:]
    version = said[len(named) + len(_VERSION) :]
    if (
        not 0 < size < _LONG
        or at < 0
        or not 1 < len(version) <= _LONG
        or version[0] != TEXT - 1 + len(version)
    ):
        return None
    places: dict[bytes, int] = {}
    p, more = 1, len(said)
    languages = d[1:-more].split(said)  # whatever has these bytes in its words, too, is not the usual
    for one in languages:
        long = len(one) - 7
        if long < _LONG or one[0] != _TAG or one[6] != long or one[3:6] != _ONE_TEXT:
            return None
        places[one[1:3]] = p + 3
        p += more + 7 + long
    tags = list(places)
    if len(languages) != size or len(tags) != size or tags != sorted(tags):
        return None
    b"\n".join([one[7:] for one in languages] + tags).decode()  # a line end completes no character
    about = {ComponentTextKey.COMPONENT_VERSION: version[1:].decode()}
    return Texts(d, places, ({component: about},))


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
