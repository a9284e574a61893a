"""What a SUIT manifest says, strictly read: components, sequences of steps, and texts.

Reading knows every command of the tables by name, so that a foreign manifest can be shown; which of
them a device carries out is decided by :mod:`advisories.suit.interpreter`. A severed member is
compared with the digest that stayed in the manifest before it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeVar

from advisories.limits import PATCH_BYTES_MAX, URI_BYTES_MAX
from advisories.suit.envelope import Envelope, check_digest, digest_of, read_digest
from advisories.suit.numbers import (
    MANIFEST_SUPPORTED,
    MANIFEST_VERSION,
    REPORT_MAX,
    SEVERABLE,
    Command,
    CommonKey,
    Comparison,
    ComponentTextKey,
    ManifestKey,
    Parameter,
    Section,
    TextKey,
    label,
)
from keys.cbor import decode as decode_cbor
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason

K = TypeVar("K", bound=IntEnum)

ComponentId = tuple[bytes, ...]
"""A component's name: one byte string for each level of its path."""

COMPONENTS_MAX: Final = 16  # components of one manifest
VERSION_NUMBERS_MAX: Final = 8  # numbers of one version
SEQUENCE_DEPTH_MAX: Final = 4  # sequences inside sequences


class Step(NamedTuple):
    """One command with its argument, decoded: steps for a nested sequence, a map for parameters."""

    command: Command
    argument: Any
    offset: int = 0
    """Bytes from the start of its section's sequence to the command, also inside nested sequences."""


Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ComponentText:
    """What one language says of the whole (``about``) and of each component."""

    about: Mapping[TextKey, str]
    components: Mapping[ComponentId, Mapping[ComponentTextKey, str]]


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
    texts: Mapping[str, ComponentText]
    """By language tag; empty when there is none or it was cut."""
    reference_uri: str | None
    version: tuple[int, ...] | None
    """Of the whole, from ``set-version``: a release, then a negative number for what comes before it."""
    extensions: frozenset[ManifestKey]
    """Members that are known by name only; a recipient refuses them."""


def _refuse(what: str) -> Any:
    raise RefusedError(Reason.MALFORMED, what)


def _inner(data: Any, what: str) -> Any:
    """Decode the CBOR inside a byte string."""
    if type(data) is not bytes:
        _refuse(f"{what} is not a byte string")
    return decode_cbor(data, size_max=PATCH_BYTES_MAX)


def _map(value: Any, keys: type[K], what: str) -> dict[K, Any]:
    """Return a map by the members of ``keys``; an unknown number is refused."""
    if not isinstance(value, Mapping):
        _refuse(f"{what} is not a map")
    for key in value:
        if type(key) is not int or key not in keys._value2member_map_:
            raise RefusedError(Reason.UNSUPPORTED, f"{what} has a member {key!r}")
    return {keys(key): item for key, item in value.items()}


def parse(envelope: Envelope) -> Manifest:
    """Read the manifest of an envelope, and the severed members beside it.

    Raises:
        RefusedError: DIGEST_MISMATCH when the manifest or a severed member is not the one named by its
            digest; MALFORMED; UNSUPPORTED for another manifest version or a number not in the tables.
    """
    check_digest(envelope)
    members = _map(_inner(envelope.manifest, "the manifest"), ManifestKey, "the manifest")
    if members.get(ManifestKey.VERSION) != MANIFEST_VERSION:
        raise RefusedError(Reason.UNSUPPORTED, f"manifest version {members.get(ManifestKey.VERSION)!r}")
    severed = _severed(members, envelope)
    sequence = uint(members.get(ManifestKey.SEQUENCE_NUMBER), "the sequence number", VERSION_MAX)
    components, shared = _common(members.get(ManifestKey.COMMON))
    sections = {
        section: steps(members[ManifestKey(section)])
        for section in Section
        if ManifestKey(section) in members and section not in severed
    }
    texts = (
        _texts(members[ManifestKey.TEXT])
        if ManifestKey.TEXT in members and ManifestKey.TEXT not in severed
        else {}
    )
    uri = members.get(ManifestKey.REFERENCE_URI)
    if uri is not None:
        uri = _uri(uri)
    extensions = frozenset(members) - MANIFEST_SUPPORTED
    version = members.get(ManifestKey.SET_VERSION)
    if version is not None:
        version = _numbers(_inner(version, "set-version"))
    return Manifest(sequence, components, shared, sections, severed, texts, uri, version, extensions)


def _severed(members: dict[ManifestKey, Any], envelope: Envelope) -> frozenset[int]:
    """Put severed members back where their digest stands; return those of which only a digest is here."""
    missing: set[int] = set()
    for key in SEVERABLE:
        present = envelope.severed.get(key)
        value = members.get(ManifestKey(key))
        if not isinstance(value, list):
            if present is not None:
                _refuse(f"the manifest does not name the severed {label(key)}")
            continue
        expected = read_digest(value)
        if present is None:
            missing.add(key.value)
        elif digest_of(present) != expected:
            raise RefusedError(Reason.DIGEST_MISMATCH, f"the severed {label(key)}")
        else:
            members[ManifestKey(key)] = present
    return frozenset(missing)


def _common(value: Any) -> tuple[tuple[ComponentId, ...], Steps]:
    common = _map(_inner(value, "common"), CommonKey, "common")
    if CommonKey.DEPENDENCIES in common:
        raise RefusedError(Reason.UNSUPPORTED, "dependencies")
    listed = common.get(CommonKey.COMPONENTS)
    if not isinstance(listed, list) or not 1 <= len(listed) <= COMPONENTS_MAX:
        _refuse(f"expected 1 to {COMPONENTS_MAX} components")
    components = tuple(component_id(item) for item in common[CommonKey.COMPONENTS])
    shared = common.get(CommonKey.SHARED_SEQUENCE)
    return components, () if shared is None else steps(shared)


def component_id(value: Any) -> ComponentId:
    """Return a component identifier.

    Raises:
        RefusedError: MALFORMED.
    """
    if not isinstance(value, list | tuple) or not value or not all(type(part) is bytes for part in value):
        _refuse("a component identifier is not a list of byte strings")
    return tuple(value)


def steps(data: Any, depth: int = SEQUENCE_DEPTH_MAX) -> Steps:
    """Read a command sequence: a flat list of command, argument, command, argument.

    Raises:
        RefusedError: MALFORMED, or UNSUPPORTED for a command that is in no table.
    """
    if depth == 0:
        _refuse(f"sequences nested deeper than {SEQUENCE_DEPTH_MAX}")
    flat = _inner(data, "a command sequence")
    if not isinstance(flat, list) or len(flat) % 2:
        _refuse("a command sequence is not a list of commands with arguments")
    return tuple(_step(code, argument, depth) for code, argument in zip(flat[::2], flat[1::2], strict=True))


def _step(code: Any, argument: Any, depth: int) -> Step:
    if type(code) is not int or code not in Command._value2member_map_:
        raise RefusedError(Reason.UNSUPPORTED, f"command {code!r}")
    command = Command(code)
    if command in {Command.OVERRIDE_PARAMETERS, Command.SET_PARAMETERS}:
        return Step(command, _parameters(argument))
    if command is Command.TRY_EACH:
        if not isinstance(argument, list) or not argument or None in argument[:-1]:
            _refuse("try-each is not a list of sequences")
        return Step(command, tuple(() if item is None else steps(item, depth - 1) for item in argument))
    if command is Command.RUN_SEQUENCE:
        return Step(command, steps(argument, depth - 1))
    if command is Command.SET_COMPONENT_INDEX:
        return Step(command, _index(argument))
    if command not in {Command.OVERRIDE_MULTIPLE, Command.COPY_PARAMS, Command.WAIT}:
        uint(argument, f"the reporting policy of {label(command)}", REPORT_MAX)
    return Step(command, argument)


def _index(argument: Any) -> Any:
    """One index, true for all of them, or a list of them."""
    if argument is True:
        return argument
    if isinstance(argument, list) and argument:
        return tuple(uint(item, "a component index", COMPONENTS_MAX - 1) for item in argument)
    return uint(argument, "a component index", COMPONENTS_MAX - 1)


def uint(value: Any, what: str, maximum: int) -> int:
    """Return an unsigned integer of at most ``maximum``.

    Raises:
        RefusedError: MALFORMED.
    """
    if type(value) is not int or not 0 <= value <= maximum:
        _refuse(f"{what} is not an integer from 0 to {maximum}")
    return int(value)


def _uuid(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != 16:
        _refuse("an identifier is not 16 bytes")
    return bytes(value)


def _text(value: Any) -> str:
    return value if type(value) is str else str(_refuse("not a text"))


def _uri(value: Any) -> str:
    if type(value) is not str or not 1 <= len(value.encode()) <= URI_BYTES_MAX:
        raise RefusedError(Reason.BAD_URI, f"expected a text of 1 to {URI_BYTES_MAX} bytes")
    return value


def _flag(value: Any) -> bool:
    return value if type(value) is bool else bool(_refuse("not true or false"))


def _blob(value: Any) -> bytes:
    return value if type(value) is bytes else bytes(_refuse("not a byte string"))


def _number(value: Any) -> int:
    return uint(value, "a number", VERSION_MAX)


def _any_number(value: Any) -> int:
    if type(value) is not int or abs(value) > VERSION_MAX:
        _refuse("a number is out of range")
    return int(value)


def _numbers(value: Any) -> tuple[int, ...]:
    """Read a version: 1 to ``VERSION_NUMBERS_MAX`` integers."""
    if not isinstance(value, list) or not 1 <= len(value) <= VERSION_NUMBERS_MAX:
        _refuse(f"a version is not a list of 1 to {VERSION_NUMBERS_MAX} numbers")
    return tuple(_any_number(item) for item in value)


def _version(value: Any) -> tuple[Comparison, tuple[int, ...]]:
    match = _inner(value, "a version to compare with")
    if not isinstance(match, list) or len(match) != 2 or match[0] not in Comparison._value2member_map_:
        _refuse("a version to compare with is not a comparison and a version")
    return Comparison(match[0]), _numbers(match[1])


_READ: Final[Mapping[Parameter, Callable[[Any], Any]]] = {
    Parameter.VENDOR_ID: _uuid,
    Parameter.CLASS_ID: _uuid,
    Parameter.IMAGE_DIGEST: lambda value: read_digest(_inner(value, "the image digest")),
    Parameter.USE_BEFORE: _number,
    Parameter.COMPONENT_SLOT: _number,
    Parameter.STRICT_ORDER: _flag,
    Parameter.SOFT_FAILURE: _flag,
    Parameter.IMAGE_SIZE: _number,
    Parameter.CONTENT: _blob,
    Parameter.ENCRYPTION_INFO: _blob,
    Parameter.URI: _uri,
    Parameter.SOURCE_COMPONENT: _number,
    Parameter.INVOKE_ARGS: _blob,
    Parameter.DEVICE_ID: _uuid,
    Parameter.FETCH_ARGS: _blob,
    Parameter.MINIMUM_BATTERY: _number,
    Parameter.UPDATE_PRIORITY: _any_number,
    Parameter.VERSION: _version,
    Parameter.WAIT_INFO: _blob,
    Parameter.COMPONENT_METADATA: _blob,
}


def _parameters(value: Any) -> Mapping[Parameter, Any]:
    listed = _map(value, Parameter, "the parameters")
    if not listed:
        _refuse("no parameter is set")
    return {key: _READ[key](item) for key, item in listed.items()}


def _texts(data: Any) -> Mapping[str, ComponentText]:
    languages = _inner(data, "the text")
    if not isinstance(languages, Mapping) or not all(type(tag) is str for tag in languages):
        _refuse("the text is not a map of languages")
    return {tag: _language(value) for tag, value in languages.items()}


def _language(value: Any) -> ComponentText:
    if not isinstance(value, Mapping):
        _refuse("a language's text is not a map")
    about = {key: item for key, item in value.items() if not isinstance(key, tuple)}
    components = {
        component_id(key): {
            kind: _text(text) for kind, text in _map(item, ComponentTextKey, "a component's text").items()
        }
        for key, item in value.items()
        if isinstance(key, tuple)
    }
    known = _map(about, TextKey, "a language's text")
    return ComponentText({kind: _text(text) for kind, text in known.items()}, components)
