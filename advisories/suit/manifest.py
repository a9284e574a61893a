"""What a SUIT manifest says, strictly read: components, sequences of steps, and texts.

The bytes are read in place and once; see :mod:`advisories.suit.reading`. A severed member is compared with
the digest that stayed in the manifest before it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from advisories.suit import reading
from advisories.suit.envelope import Envelope, check_digest, digest_of
from advisories.suit.numbers import (
    MANIFEST_SUPPORTED,
    MANIFEST_VERSION,
    SEVERABLE,
    CommonKey,
    ManifestKey,
    Section,
    label,
)
from advisories.suit.reading import ARRAY, COMPONENTS_MAX, MAP, ComponentId, component_id, refuse, uint
from advisories.suit.sequences import SEQUENCE_DEPTH_MAX, Step, Steps, steps
from advisories.suit.texts import NO_TEXTS, ComponentText, Texts, texts
from keys.errors import RefusedError
from keys.reasons import Reason

__all__ = [
    "COMPONENTS_MAX",
    "SEQUENCE_DEPTH_MAX",
    "ComponentId",
    "ComponentText",
    "Manifest",
    "Step",
    "Steps",
    "component_id",
    "parse",
    "read",
    "uint",
]

_Place = tuple[bytes, int, int]
"""Bytes, and where in them a member begins and ends."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, with the severed members that came with it."""

    sequence: int
    """Rises with every manifest; a lower one is refused by a device."""
    components: tuple[ComponentId, ...]
    shared: Steps
    """Run before each section."""
    sections: Mapping[Section, Steps]
    severed: frozenset[int]
    """Members of which only the digest is here."""
    texts: Texts
    """By language tag; empty when there is none or it was cut."""
    reference_uri: str | None
    version: tuple[int, ...] | None
    """Of the whole, from ``set-version``: a release, then a negative number for what comes before it."""
    extensions: frozenset[ManifestKey]
    """Members that are known by name only; a recipient refuses them."""


def parse(envelope: Envelope) -> Manifest:
    """Read the manifest of an envelope, and the severed members beside it.

    Raises:
        RefusedError: DIGEST_MISMATCH when the manifest or a severed member is not the one named by its
            digest; MALFORMED; BAD_URI; UNSUPPORTED for another manifest version, or a number in no table.
    """
    check_digest(envelope)
    return read(envelope)


def read(envelope: Envelope) -> Manifest:
    """Read a manifest that has been compared with its digest already (errors of :func:`parse`)."""
    try:
        return _read(envelope)
    except IndexError:
        refuse("a part of the manifest is cut off")
    except UnicodeDecodeError:
        refuse("a text is not UTF-8")


def _read(envelope: Envelope) -> Manifest:
    d = envelope.manifest
    numbers, places, digests, extensions = _members(d)
    if numbers.get(ManifestKey.VERSION) != MANIFEST_VERSION:
        raise RefusedError(Reason.UNSUPPORTED, f"manifest version {numbers.get(ManifestKey.VERSION)!r}")
    if ManifestKey.SEQUENCE_NUMBER not in numbers:
        refuse("no sequence number")
    if ManifestKey.COMMON not in places:
        refuse("no common block")
    components, shared = _common(*places[ManifestKey.COMMON])
    severed = _severed(envelope, places, digests) if digests or envelope.severed else frozenset()
    sections: dict[Section, Steps] = {}
    for section in _SECTIONS:
        if section in places:
            data, start, end = places[section]
            sections[section] = steps(data, start, end, start)
    place = places.get(ManifestKey.TEXT)
    return Manifest(
        numbers[ManifestKey.SEQUENCE_NUMBER],
        components,
        shared,
        sections,
        severed,
        NO_TEXTS if place is None else texts(place[0][place[1] : place[2]]),
        numbers.get(ManifestKey.REFERENCE_URI),
        numbers.get(ManifestKey.SET_VERSION),
        extensions,
    )


def _members(
    d: bytes,
) -> tuple[dict[int, Any], dict[int, _Place], dict[int, bytes], frozenset[ManifestKey]]:
    """Read the outer map: plain values, places of byte strings, digests of severed members, extensions."""
    values: dict[int, Any] = {}
    places: dict[int, _Place] = {}
    digests: dict[int, bytes] = {}
    extensions: list[ManifestKey] = []
    size, p = reading.count(d, 0, MAP, "the manifest is not a map")
    last = -1
    for _ in range(size):
        last, p = reading.key(d, p, last, "the manifest")
        if last in _PLAIN:
            values[last], p = _PLAIN[last](d, p)
        elif last in _NESTED:
            if d[p] == ARRAY + 2 and last in SEVERABLE:
                digests[last], p = reading.digest(d, p)
            else:
                start, p = reading.inside(d, p, "a member of the manifest")
                places[last] = (d, start, p)
        elif last in _EXTENSIONS:
            extensions.append(ManifestKey(last))
            if d[p] == ARRAY + 2 and last in SEVERABLE:
                digests[last], p = reading.digest(d, p)
            else:
                _, p = reading.anything(d, p)
        else:
            raise RefusedError(Reason.UNSUPPORTED, f"the manifest has a member {last}")
    if p != len(d):
        refuse("the manifest does not end where its byte string does")
    return values, places, digests, frozenset(extensions)


def _version(d: bytes, p: int) -> tuple[int, int]:
    return reading.number(d, p, "the manifest version")


def _sequence_number(d: bytes, p: int) -> tuple[int, int]:
    return reading.number(d, p, "the sequence number")


def _set_version(d: bytes, p: int) -> tuple[tuple[int, ...], int]:
    start, end = reading.inside(d, p, "set-version")
    numbers, stop = reading.version_numbers(d[:end], start)
    if stop != end:
        refuse("set-version does not end where its byte string does")
    return numbers, end


_PLAIN: Final[Mapping[int, Any]] = {
    ManifestKey.VERSION.value: _version,
    ManifestKey.SEQUENCE_NUMBER.value: _sequence_number,
    ManifestKey.REFERENCE_URI.value: reading.uri,
    ManifestKey.SET_VERSION.value: _set_version,
}
_NESTED: Final = frozenset({ManifestKey.COMMON.value, ManifestKey.TEXT.value, *(s.value for s in Section)})
_SECTIONS: Final = tuple(Section)
_EXTENSIONS: Final = frozenset(key.value for key in set(ManifestKey) - MANIFEST_SUPPORTED)


def _severed(envelope: Envelope, places: dict[int, _Place], digests: Mapping[int, bytes]) -> frozenset[int]:
    """Put severed members where their digest stood; return those of which only a digest is here."""
    for number, content in envelope.severed.items():
        expected = digests.get(number)
        if expected is None:
            refuse(f"the manifest does not name the severed {label(ManifestKey(number))}")
        if digest_of(content) != expected:
            raise RefusedError(Reason.DIGEST_MISMATCH, f"the severed {label(ManifestKey(number))}")
        places[number] = (content, 0, len(content))
    return frozenset(number for number in digests if number not in envelope.severed)


def _common(d: bytes, p: int, end: int) -> tuple[tuple[ComponentId, ...], Steps]:
    components: tuple[ComponentId, ...] = ()
    shared: Steps = ()
    size, p = reading.count(d, p, MAP, "common is not a map")
    last = -1
    for _ in range(size):
        last, p = reading.key(d, p, last, "common")
        if last == CommonKey.COMPONENTS:
            components, p = reading.components(d, p)
        elif last == CommonKey.SHARED_SEQUENCE:
            start, p = reading.inside(d, p, "the shared sequence")
            shared = steps(d, start, p, start)
        elif last == CommonKey.DEPENDENCIES:
            raise RefusedError(Reason.UNSUPPORTED, "dependencies")
        else:
            raise RefusedError(Reason.UNSUPPORTED, f"common has a member {last}")
    if p != end:
        refuse("common does not end where its byte string does")
    if not components:
        refuse(f"expected 1 to {COMPONENTS_MAX} components")
    if len(set(components)) != len(components):
        refuse("a component stands twice")
    return components, shared
