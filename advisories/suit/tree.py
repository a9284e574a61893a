"""Shows an envelope as lines of text, ours or another maker's, verified or not.

Reading is as strict as everywhere; what cannot be read is shown as such and does not hide the rest.
Every text from the envelope is escaped, so that it cannot steer a terminal.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, Final

from advisories.suit import envelope as suit_envelope
from advisories.suit.envelope import Envelope, digest_of
from advisories.suit.interpreter import show_component
from advisories.suit.manifest import Manifest, Step, Steps, parse
from advisories.suit.numbers import Command, EnvelopeKey, Parameter, label
from keys.algorithms import Algorithm
from keys.errors import RefusedError

_INDENT: Final = "  "
_TEXT_CHARACTERS_MAX: Final = 200  # characters of one text that are shown
_KINDS: Final = {17: "COSE_Mac0", 97: "COSE_Mac", 98: "COSE_Sign"}


def tree(envelope: bytes) -> list[str]:
    """Return a readable tree of an encoded envelope, WITHOUT verifying who signed it.

    Raises:
        RefusedError: the outer structure cannot be read.
    """
    decoded = suit_envelope.decode(envelope)
    return list(_envelope(decoded, len(envelope)))


def _envelope(envelope: Envelope, size: int) -> Iterator[str]:
    yield f"SUIT envelope, {size} bytes"
    yield _INDENT + "authentication"
    agrees = "fits" if digest_of(envelope.manifest) == envelope.digest else "DOES NOT FIT"
    yield _INDENT * 2 + f"digest sha-256 {envelope.digest.hex()} ({agrees} the manifest)"
    for block in envelope.blocks:
        yield _INDENT * 2 + _safely(block)
    try:
        manifest = parse(envelope)
    except RefusedError as error:
        yield _INDENT + f"manifest, {len(envelope.manifest)} bytes, cannot be read: {escape(error.message)}"
    else:
        yield from (_INDENT + line for line in _manifest(manifest, len(envelope.manifest)))
    for key, content in envelope.severed.items():
        yield _INDENT + f"severed {label(EnvelopeKey(key))}, {len(content)} bytes"
    for name, content in envelope.payloads.items():
        yield _INDENT + f"payload {escape(name)}, {len(content)} bytes"


def _safely(block: bytes) -> str:
    try:
        return _block(block)
    except RefusedError as error:
        return f"block cannot be read: {escape(error.message)}"


def _block(block: bytes) -> str:
    message = suit_envelope.read_block(block)
    if message is None:
        return "block of another kind than COSE_Sign1"
    signature = message.signatures[0]
    alg = signature.alg
    name = next((known.name for known in Algorithm if known.value == alg), f"algorithm {alg}")
    kid = "no key identifier" if signature.kid is None else f"key {signature.kid.hex()}"
    return f"COSE_Sign1 {name}, {kid}"


def _manifest(manifest: Manifest, size: int) -> Iterator[str]:
    yield f"manifest, {size} bytes, version 1"
    yield _INDENT + f"sequence-number {manifest.sequence}"
    if manifest.reference_uri is not None:
        yield _INDENT + f"reference-uri {escape(manifest.reference_uri)}"
    for index, component in enumerate(manifest.components):
        yield _INDENT + f"component {index}: {show_component(component)}"
    yield from (_INDENT + line for line in _sequence("shared-sequence", manifest.shared))
    for section, steps in manifest.sections.items():
        yield from (_INDENT + line for line in _sequence(label(section), steps))
    for key in sorted(manifest.severed):
        yield _INDENT + f"{label(EnvelopeKey(key))} (cut, only its digest is here)"
    for extension in sorted(manifest.extensions):
        yield _INDENT + f"{label(extension)} (an extension that our devices refuse)"
    for language, text in sorted(manifest.texts.items()):
        yield _INDENT + f"text {escape(language)}"
        yield from (_INDENT * 2 + line for line in _words(text.about))
        for component, about in text.components.items():
            yield _INDENT * 2 + f"component {show_component(component)}"
            yield from (_INDENT * 3 + line for line in _words(about))


def _words(texts: Mapping[Any, str]) -> Iterator[str]:
    for kind, text in texts.items():
        yield f"{label(kind)}: {escape(text)}"


def _sequence(name: str, steps: Steps) -> Iterator[str]:
    yield name
    for step in steps:
        yield from (_INDENT + line for line in _step(step))


def _step(step: Step) -> Iterator[str]:
    name, argument = label(step.command), step.argument
    if step.command in {Command.OVERRIDE_PARAMETERS, Command.SET_PARAMETERS}:
        yield name
        for parameter, value in argument.items():
            yield _INDENT + f"{label(parameter)} {_value(parameter, value)}"
    elif step.command is Command.TRY_EACH:
        yield name
        for number, steps in enumerate(argument, 1):
            yield from (_INDENT + line for line in _sequence(f"alternative {number}", steps))
    elif step.command is Command.RUN_SEQUENCE:
        yield from _sequence(name, argument)
    elif step.command is Command.SET_COMPONENT_INDEX:
        yield f"{name} {'all' if argument is True else argument}"
    else:
        yield name


def _value(parameter: IntEnum, value: Any) -> str:
    if parameter in {Parameter.VENDOR_ID, Parameter.CLASS_ID, Parameter.DEVICE_ID}:
        return str(uuid.UUID(bytes=value))
    return value.hex() if type(value) is bytes else escape(str(value))


def escape(text: str) -> str:
    """Return ``text`` on one line, without control characters, cut after 200 characters."""
    shown = text[:_TEXT_CHARACTERS_MAX]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return safe + ("..." if len(text) > len(shown) else "")
