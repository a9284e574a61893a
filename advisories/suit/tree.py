"""Shows an envelope as a tree, ours or another maker's, verified or not.

The reader here is lenient where :mod:`advisories.suit.manifest` is strict: whatever is CBOR is shown, what
is in none of our tables by its number, and a part that cannot be read does not hide the others. What our
devices would refuse is marked where it stands; whether they would take the whole is asked of the strict
reader itself. Every text from the envelope is escaped, so that it cannot steer a terminal.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, Final

import cbor2

from advisories.suit.envelope import digest_of
from advisories.suit.interpreter import COMMANDS
from advisories.suit.numbers import (
    MANIFEST_SUPPORTED,
    MANIFEST_VERSION,
    PARAMETERS_SUPPORTED,
    TAG_ENVELOPE,
    Command,
    CommonKey,
    ComponentTextKey,
    EnvelopeKey,
    ManifestKey,
    Parameter,
    TextKey,
    label,
)
from advisories.suit.patch import peek
from advisories.suit.patch_plan import component_name
from advisories.suit.readable import algorithm, digest, escape, inner, numbers, parameter, value
from keys.errors import RefusedError
from keys.reasons import Reason

__all__ = ["Branch", "escape", "lines", "tree"]

BRANCHES_MAX: Final = 20_000  # lines of one tree: an envelope of a megabyte could ask for a million
_DEPTH_MAX: Final = 8  # sequences inside sequences, and envelopes inside envelopes
_ORDER: Final = (
    ManifestKey.TEXT,
    ManifestKey.DEPENDENCY_RESOLUTION,
    ManifestKey.PAYLOAD_FETCH,
    ManifestKey.CANDIDATE_VERIFICATION,
    ManifestKey.INSTALL,
    ManifestKey.VALIDATE,
    ManifestKey.LOAD,
    ManifestKey.INVOKE,
    ManifestKey.UNINSTALL,
)
"""The words first, then the parts as a device comes to them, then whatever else there is."""
_SEQUENCES: Final = frozenset(_ORDER) - {ManifestKey.TEXT}
_NESTING: Final = {Command.OVERRIDE_PARAMETERS, Command.SET_PARAMETERS, Command.TRY_EACH, Command.WAIT}
_KINDS: Final = {17: "COSE_Mac0", 18: "COSE_Sign1", 97: "COSE_Mac", 98: "COSE_Sign"}
_SIGN1, _SIGN, _MAC = 18, 98, 97
_ALG, _KID = 1, 4
_REPORTS: Final = ((1, "success"), (2, "failure"))


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of the tree, and what hangs from it."""

    name: str
    value: str = ""
    refused: str = ""
    """Why our devices refuse this; empty when they do not."""
    children: tuple[Branch, ...] = ()


class _FullError(Exception):
    """There are too many lines."""


_CUT: Final = Branch("...", f"cut after {BRANCHES_MAX} lines")


def tree(envelope: bytes, names: Mapping[bytes, str] | None = None) -> Branch:
    """Return a readable tree of an encoded envelope, WITHOUT verifying who signed it.

    Args:
        envelope: untrusted bytes, at most ``readable.BYTES_MAX``.
        names: whose a key identifier, vendor, class or device identifier is, where that is known.

    Raises:
        RefusedError: TOO_BIG, or MALFORMED when it is no SUIT envelope at all.
    """
    return _Tree(names or {}).envelope(envelope, _DEPTH_MAX)


def lines(branch: Branch, indent: str = "") -> list[str]:
    """Return a tree as lines of text, each level set in by two blanks."""
    mark = f"  <- refused: {branch.refused}" if branch.refused else ""
    found = [f"{indent}{branch.name}{' ' if branch.value else ''}{branch.value}{mark}"]
    for child in branch.children:
        found += lines(child, indent + "  ")
    return found


def _verdict(envelope: bytes) -> Branch:
    try:
        patch = peek(envelope)
    except RefusedError as error:
        why = escape(error.detail or error.reason.means)
        return Branch("our devices", "refuse it", f"{error.reason.name}: {why}")
    return Branch(
        "our devices", f"can carry it out, once it is signed as their root asks; sequence {patch.sequence}"
    )


def _known(keys: type[IntEnum], key: Any) -> Any:
    """Return the member of a table that a key is, or None."""
    return keys(key) if type(key) is int and key in keys._value2member_map_ else None


class _Tree:
    """Counts its lines; the methods read one part each."""

    def __init__(self, names: Mapping[bytes, str]) -> None:
        self._names = names
        self._count = 0
        self._components: Sequence[str] = ()
        self._placed: frozenset[Any] = frozenset()  # severed members shown where the manifest names them

    def _branch(
        self, name: str, shown: str = "", refused: str = "", children: Iterable[Branch] = ()
    ) -> Branch:
        self._take()
        found: list[Branch] = []
        try:
            found.extend(children)  # what came before it broke is kept
        except _FullError:
            found.append(_CUT)
        return Branch(name, shown, refused, tuple(found))

    def _take(self) -> None:
        self._count += 1
        if self._count > BRANCHES_MAX:
            raise _FullError

    def _safely(self, name: str, content: Any, read: Callable[[Any], Iterable[Branch]]) -> Branch:
        """Read one part; what cannot be read is said, and what was read before it broke is kept."""
        self._take()
        found: list[Branch] = []
        size = f"{_size(content)} bytes"
        try:
            found.extend(read(content))
        except _FullError:
            found.append(_CUT)
        except RefusedError as error:
            why = escape(error.detail or error.reason.means)
            return Branch(name, f"{size}, cannot be read", why, tuple(found))
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
            return Branch(name, f"{size}, cannot be read", "not built as the draft says", tuple(found))
        return Branch(name, size, "", tuple(found))

    def envelope(self, data: bytes, depth: int) -> Branch:
        decoded = inner(data)
        if not isinstance(decoded, cbor2.CBORTag) or decoded.tag != TAG_ENVELOPE:
            raise RefusedError(Reason.MALFORMED, "not a SUIT envelope")
        if not isinstance(decoded.value, Mapping):
            raise RefusedError(Reason.MALFORMED, "a SUIT envelope is a map")
        self._components, self._placed = (), frozenset()
        members = dict(decoded.value)
        return self._branch("SUIT envelope", f"{len(data)} bytes", "", self._members(data, members, depth))

    def _members(self, data: bytes, members: dict[Any, Any], depth: int) -> Iterator[Branch]:
        yield _verdict(data)
        manifest = members.pop(EnvelopeKey.MANIFEST.value, None)
        wrapper = members.pop(EnvelopeKey.AUTHENTICATION.value, None)
        if wrapper is None:
            yield self._branch("authentication", "missing", "nobody can have signed it")
        else:
            yield self._safely("authentication", wrapper, partial(self._wrapper, manifest))
        if manifest is None:
            yield self._branch("manifest", "missing", "there is nothing to carry out")
        else:
            yield self._safely("manifest", manifest, partial(self._manifest, members))
        for key, content in members.items():
            yield from self._beside(key, content, depth)

    def _beside(self, key: Any, content: Any, depth: int) -> Iterator[Branch]:
        """A member beside the manifest: a severed one was shown inside it, the others follow here."""
        if type(key) is str:
            nested = depth > 1 and type(content) is bytes and content[:2] == b"\xd8\x6b"
            children: list[Branch] = []
            if nested:
                outer = self._components, self._placed
                with contextlib.suppress(RefusedError):
                    children = [self.envelope(content, depth - 1)]
                self._components, self._placed = outer
            yield self._branch("payload", f"{escape(key)}, {_size(content)} bytes", "", children)
        elif _known(EnvelopeKey, key) is None:
            yield self._branch(f"member {value(key)}", f"{_size(content)} bytes", "unknown to them")
        elif key not in self._placed:
            yield self._branch(
                label(EnvelopeKey(key)), f"{_size(content)} bytes", "the manifest does not name it"
            )

    def _wrapper(self, manifest: Any, wrapper: Any) -> Iterator[Branch]:
        stated, *blocks = inner(wrapper)
        found = inner(stated)
        fits = type(manifest) is bytes and list(found) == [-16, digest_of(manifest)]
        unlike = "" if fits else "it is not that of the manifest"
        other = found[0] != -16
        agrees = "not compared" if other else "fits the manifest" if fits else "DOES NOT FIT the manifest"
        yield self._branch(
            "digest", f"{digest(found)} ({agrees})", "they know sha-256 only" if other else unlike
        )
        if not blocks:
            yield self._branch("nobody signed it")
        for block in blocks:
            yield self._safely("block", block, self._block)

    def _block(self, block: Any) -> list[Branch]:
        tagged = inner(block)
        kind = _KINDS.get(tagged.tag)
        protected, unprotected, payload, last, *_ = tagged.value
        own = {**unprotected, **(inner(protected) if protected else {})}
        passed = "" if tagged.tag == _SIGN1 else ", passed over by our devices"
        signers: list[Mapping[Any, Any]] = [own]
        if tagged.tag == _SIGN:
            signers = [{**item[1], **(inner(item[0]) if item[0] else {})} for item in last]
        words = ", ".join(
            f"{algorithm(headers.get(_ALG))}, {self._key(headers.get(_KID))}" for headers in signers
        )
        attached = "" if payload is None else "its payload is attached"
        found = [self._branch(kind or f"tag {tagged.tag}", f"{words}{passed}", attached)]
        if tagged.tag == _MAC:
            for recipient in tagged.value[4]:
                headers = {**recipient[1], **(inner(recipient[0]) if recipient[0] else {})}
                shown = f"{algorithm(headers.get(_ALG))}, {self._key(headers.get(_KID))}"
                found.append(self._branch("recipient", shown))
        return found

    def _key(self, kid: Any) -> str:
        if kid is None:
            return "no key identifier"
        name = self._names.get(kid) if type(kid) is bytes else None
        return f"key {kid.hex() if type(kid) is bytes and len(kid) <= 64 else value(kid)}" + (
            f" ({escape(name)})" if name else ""
        )

    def _manifest(self, beside: Mapping[Any, Any], data: Any) -> Iterator[Branch]:
        members = dict(inner(data))
        version = members.pop(ManifestKey.VERSION.value, None)
        other = "" if version == MANIFEST_VERSION else f"they know version {MANIFEST_VERSION}"
        yield self._branch("version", value(version), other)
        yield self._branch("sequence-number", value(members.pop(ManifestKey.SEQUENCE_NUMBER.value, None)))
        for key in (ManifestKey.REFERENCE_URI, ManifestKey.COMPONENT_ID, ManifestKey.SET_VERSION):
            if key.value in members:
                yield self._simple(key, members.pop(key.value))
        common = members.pop(ManifestKey.COMMON.value, None)
        yield self._safely("common", common, self._common)
        for key in sorted(members, key=lambda key: _order(_known(ManifestKey, key))):
            yield self._part(key, members[key], beside.get(key))

    def _simple(self, key: ManifestKey, found: Any) -> Branch:
        refused = "" if key in MANIFEST_SUPPORTED else "an extension that they do not know"
        try:
            shown = {
                ManifestKey.REFERENCE_URI: lambda: escape(found),
                ManifestKey.COMPONENT_ID: lambda: component_name(tuple(found)),
                ManifestKey.SET_VERSION: lambda: numbers(inner(found)),
            }[key]()
        except (RefusedError, TypeError, AttributeError):
            shown = value(found)
        return self._branch(label(key), shown, refused)

    def _part(self, key: Any, content: Any, present: bytes | None) -> Branch:
        known = _known(ManifestKey, key)
        if known is None:
            return self._branch(f"member {value(key)}", value(content), "unknown to them")
        refused = "" if known in MANIFEST_SUPPORTED else "an extension that they do not know"
        name = label(known)
        if isinstance(content, list | tuple):
            if present is None:
                return self._branch(name, f"cut, only its digest is here: {digest(content)}", refused)
            if list(content) != [-16, digest_of(present)]:
                refused = refused or "it is not the one that the manifest names"
            content, self._placed = present, self._placed | {key}
        if known not in _SEQUENCES and known is not ManifestKey.TEXT:
            return self._branch(name, f"{_size(content)} bytes", refused)
        found = self._safely(name, content, self._text if known is ManifestKey.TEXT else self._sequence)
        severed = ", severed" if present is not None else ""
        return Branch(found.name, found.value + severed, found.refused or refused, found.children)

    def _common(self, data: Any) -> Iterator[Branch]:
        common = dict(inner(data))
        listed = common.pop(CommonKey.COMPONENTS.value, None) or ()
        self._components = [_component(item) for item in listed]
        for index, name in enumerate(self._components):
            yield self._branch(f"component {index}", name)
        dependencies = common.pop(CommonKey.DEPENDENCIES.value, None)
        for index, about in (dependencies or {}).items():
            prefix = about.get(1) if isinstance(about, Mapping) else None
            shown = "" if prefix is None else f", prefix {_component(prefix)}"
            yield self._branch("dependency", f"component {value(index)}{shown}", "they know no dependencies")
        shared = common.pop(CommonKey.SHARED_SEQUENCE.value, None)
        if shared is not None:
            yield self._safely("shared-sequence", shared, self._sequence)
        for key, content in common.items():
            yield self._branch(f"member {value(key)}", value(content), "unknown to them")

    def _sequence(self, data: Any, depth: int = _DEPTH_MAX) -> Iterator[Branch]:
        flat = inner(data)
        if not depth:
            yield self._branch("...", "nested deeper than is shown")
            return
        for code, argument in zip(flat[::2], flat[1::2], strict=True):
            command = _known(Command, code)
            if command is None:
                yield self._branch(f"command {value(code)}", value(argument), "unknown to them")
            else:
                refused = "" if command in COMMANDS else "a command that they do not carry out"
                yield self._step(command, argument, refused, depth)

    def _step(self, command: Command, argument: Any, refused: str, depth: int) -> Branch:
        name = label(command)
        if command in {Command.OVERRIDE_PARAMETERS, Command.SET_PARAMETERS} and isinstance(argument, Mapping):
            return self._branch(name, "", refused, self._parameters(argument))
        if command is Command.TRY_EACH and isinstance(argument, list | tuple):
            return self._branch(name, "", refused, self._alternatives(argument, depth))
        if command is Command.RUN_SEQUENCE:
            return self._branch(name, "", refused, self._sequence(argument, depth - 1))
        if command is Command.SET_COMPONENT_INDEX:
            return self._branch(name, self._index(argument), refused)
        if type(argument) is int and command not in _NESTING:
            reports = " and ".join(word for bit, word in _REPORTS if argument & bit)
            return self._branch(name, f"(reports {reports})" if reports else "", refused)
        return self._branch(name, value(argument), refused)

    def _alternatives(self, argument: Sequence[Any], depth: int) -> Iterator[Branch]:
        for number, content in enumerate(argument, 1):
            name = f"alternative {number}"
            if content is None:
                yield self._branch(name, "nothing: none of them need fit")
            else:
                yield self._safely(name, content, partial(self._sequence, depth=depth - 1))

    def _index(self, argument: Any) -> str:
        if argument is True:
            return "all of them"
        listed = argument if isinstance(argument, list | tuple) else (argument,)
        names = [
            self._components[index] if type(index) is int and index < len(self._components) else "?"
            for index in listed
        ]
        return f"{value(argument)} ({', '.join(names)})"

    def _parameters(self, argument: Mapping[Any, Any]) -> Iterator[Branch]:
        for key, found in argument.items():
            known = _known(Parameter, key)
            if known is None:
                yield self._branch(f"parameter {value(key)}", value(found), "unknown to them")
            else:
                refused = "" if known in PARAMETERS_SUPPORTED else "a parameter that they do not know"
                shown = self._index(found) if known is Parameter.SOURCE_COMPONENT else None
                yield self._branch(label(known), shown or parameter(known, found, self._names), refused)

    def _text(self, data: Any) -> Iterator[Branch]:
        for tag, about in inner(data).items():
            yield self._branch("language", escape(tag), "", self._words(about))

    def _words(self, about: Mapping[Any, Any]) -> Iterator[Branch]:
        for key, found in about.items():
            if isinstance(key, tuple):
                words = (self._word(ComponentTextKey, kind, text) for kind, text in found.items())
                yield self._branch("component", _component(key), "", words)
            else:
                yield self._word(TextKey, key, found)

    def _word(self, keys: type[IntEnum], key: Any, found: Any) -> Branch:
        known = _known(keys, key)
        shown = escape(found) if type(found) is str else value(found)
        if known is None:
            return self._branch(f"text {value(key)}", shown, "unknown to them")
        return self._branch(label(known), shown)


def _size(content: Any) -> int:
    return len(content) if type(content) is bytes else 0


def _order(known: ManifestKey | None) -> int:
    return _ORDER.index(known) if known in _ORDER else len(_ORDER)


def _component(found: Any) -> str:
    if isinstance(found, list | tuple) and found and all(type(level) is bytes for level in found):
        return component_name(tuple(found))
    return value(found)
