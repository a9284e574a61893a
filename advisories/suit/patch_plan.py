"""What a patch shall say, before it is written: files, components, conditions and words.

The simplest plan is one file for one component; everything else is empty until somebody asks for it,
and :func:`advisories.suit.author.compose` then emits core members only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from advisories.limits import NOTICE_LANGUAGES_MAX, PAYLOAD_BYTES_MAX, URI_BYTES_MAX
from advisories.suit.manifest import COMPONENTS_MAX, ComponentId, component_id
from advisories.versions import Range, Version
from keys.errors import InputError
from keys.limits import VERSION_MAX

COMPONENT: Final[ComponentId] = (b"\x00",)
"""The one component of our simplest devices: the application image."""

SLOTS_MAX: Final = 2  # images of one component, each linked for its own slot
DELTAS_MAX: Final = 8  # base images from which one component can be rebuilt
DEVICES_MAX: Final = 32  # devices that one patch can be meant for by name
_IDENTIFIER_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_HEX_LEVEL: Final = re.compile(r"[0-9a-f]{2}|0x(?:[0-9a-f]{2})+")


def read_component(name: str) -> ComponentId:
    """Read a component's name: levels between slashes, each two hexadecimal digits or words.

    ``00`` is the one byte 0, ``0xc0de`` the two bytes c0 de, ``radio`` the five letters.

    Raises:
        ValueError: when a level is empty.
    """
    levels = name.split("/")
    if not all(levels):
        raise ValueError(f"'{name}' has an empty level")
    return tuple(
        bytes.fromhex(level.removeprefix("0x")) if _HEX_LEVEL.fullmatch(level) else level.encode()
        for level in levels
    )


def component_name(component: ComponentId) -> str:
    """Write a component's name as :func:`read_component` reads it."""
    return "/".join(map(_level, component))


def _level(level: bytes) -> str:
    text = level.decode("ascii", "replace")
    if text.isprintable() and text and "\ufffd" not in text and "/" not in text:
        return f"0x{level.hex()}" if _HEX_LEVEL.fullmatch(text) else text
    return level.hex() if len(level) == 1 else f"0x{level.hex()}"


@dataclass(frozen=True, slots=True)
class File:
    """One file that a device fetches."""

    digest: bytes
    """SHA-256 of its bytes, 32 bytes."""
    size: int
    """Its bytes, 1 to ``PAYLOAD_BYTES_MAX``."""
    uri: str
    """Where it is fetched, 1 to ``URI_BYTES_MAX`` bytes; ``#name`` when it travels in the envelope."""
    content: bytes | None = None
    """Its bytes when it travels in the envelope."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A file from which a device rebuilds the payload, out of the one base image that fits."""

    file: File
    base_digest: bytes
    """SHA-256 of the base image, 32 bytes."""
    base_size: int
    """Bytes of the base image."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What one component holds after the update."""

    files: tuple[File, ...]
    """The one file, or one for each slot that it is linked for, slot 0 first."""
    component: ComponentId = COMPONENT
    version: Version | None = None
    """The version that the component then has; None states none."""
    deltas: tuple[Delta, ...] = ()
    """Tried before the whole file is fetched, in this order; not with files for several slots."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Language tag -> what the component is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchPlan:
    """Everything that a manifest can be made to say."""

    sequence: int
    """Higher than every earlier one of the class; the UTC second will do."""
    vendor_id: bytes
    """16 bytes."""
    class_id: bytes
    """16 bytes."""
    payloads: tuple[Payload, ...]
    """The first one boots, and its version is the promised one."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Language tag -> what the update does, for the owner."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """Language tag -> what the manifest as a whole is about."""
    vendor_name: str = ""
    """Stated for the first component in each language; empty states none."""
    model_name: str = ""
    """As ``vendor_name``."""
    reference_uri: str | None = None
    """Where the manifest can be read in full."""
    # What follows is in no core member: other recipients may refuse a manifest that says it.
    use_before: int | None = None
    """UTC second from which it is not installed any more (update management)."""
    running: Range = (None, None)
    """Versions of what runs now that may be updated (update management)."""
    set_version: Version | None = None
    """Version of the whole, stated in the manifest itself (update management)."""
    devices: tuple[bytes, ...] = ()
    """Device identifiers, 16 bytes each, for which alone it is meant; empty: for the whole class. Core."""


def check(plan: PatchPlan) -> None:
    """Refuse a plan that no recipient could read, or that contradicts itself.

    Raises:
        InputError: PATCH_SEQUENCE, PATCH_IDENTIFIER, PATCH_COMPONENTS, PATCH_SLOTS, PATCH_DELTA, PATCH_FILE,
            PATCH_URI, PATCH_LANGUAGES, PATCH_DATE, PATCH_RANGE or PATCH_DEVICES.
        RefusedError: MALFORMED, a component identifier that is not a path of byte strings.
    """
    _need(
        (
            0 <= plan.sequence <= VERSION_MAX,
            "PATCH_SEQUENCE",
            f"The sequence number {plan.sequence} is out of range.",
            f"Choose one from 0 to {VERSION_MAX}.",
        )
    )
    _need(
        (
            len(plan.vendor_id) == len(plan.class_id) == _IDENTIFIER_BYTES,
            "PATCH_IDENTIFIER",
            "A vendor or class identifier is not 16 bytes.",
            "Make them with identifiers().",
        )
    )
    named = [component_id(payload.component) for payload in plan.payloads]
    _need(
        (
            1 <= len(named) <= COMPONENTS_MAX and len(set(named)) == len(named),
            "PATCH_COMPONENTS",
            "A patch has no component, too many, or the same one twice.",
            f"Name 1 to {COMPONENTS_MAX} components, each once.",
        )
    )
    inside: dict[str, bytes] = {}
    for payload in plan.payloads:
        _check_payload(payload)
        for file in payload.files:
            if file.content is not None and inside.setdefault(file.uri, file.content) != file.content:
                raise InputError(
                    "PATCH_URI",
                    "Two different files in the envelope have the same name.",
                    mend="Give each a name of its own.",
                )
    if plan.reference_uri is not None:
        _check_uri(plan.reference_uri, "the manifest")
    _check_words(plan)
    _check_conditions(plan)


def _check_payload(payload: Payload) -> None:
    _need(
        (
            1 <= len(payload.files) <= SLOTS_MAX and not (payload.deltas and len(payload.files) > 1),
            "PATCH_SLOTS",
            "A component has no file, too many, or deltas beside files for two slots.",
            "Give one file, or two without deltas.",
        )
    )
    _need(
        (
            len(payload.deltas) <= DELTAS_MAX
            and len({delta.base_digest for delta in payload.deltas}) == len(payload.deltas)
            and all(len(delta.base_digest) == _DIGEST_BYTES for delta in payload.deltas)
            and all(delta.base_digest != payload.files[0].digest for delta in payload.deltas),
            "PATCH_DELTA",
            "There are too many deltas, two from the same base, or one from the new image itself.",
            f"Name at most {DELTAS_MAX} different older images.",
        )
    )
    for file in (*payload.files, *(delta.file for delta in payload.deltas)):
        _check_file(file)


def _check_file(file: File) -> None:
    _need(
        (
            len(file.digest) == _DIGEST_BYTES and 1 <= file.size <= PAYLOAD_BYTES_MAX,
            "PATCH_FILE",
            f"A file of {file.size} bytes cannot be named by a manifest.",
            f"Give one of 1 to {PAYLOAD_BYTES_MAX} bytes.",
        )
    )
    inside = file.content is not None
    if inside != file.uri.startswith("#"):
        raise InputError(
            "PATCH_URI",
            "The address of the image cannot be used.",
            mend=f"Give one of 1 to {URI_BYTES_MAX} bytes; '#name' is for what travels in the envelope.",
        )
    _check_uri(file.uri, "the image")


def _check_uri(uri: str, what: str) -> None:
    _need(
        (
            1 <= len(uri.encode()) <= URI_BYTES_MAX,
            "PATCH_URI",
            f"The address of {what} cannot be used.",
            f"Give one of 1 to {URI_BYTES_MAX} bytes.",
        )
    )


def _check_words(plan: PatchPlan) -> None:
    for words in (plan.texts, plan.descriptions, *(payload.about for payload in plan.payloads)):
        _need(
            (
                len(words) <= NOTICE_LANGUAGES_MAX and all(words),
                "PATCH_LANGUAGES",
                "The texts name no language, or too many.",
                f"Give each text a language tag, at most {NOTICE_LANGUAGES_MAX} of them.",
            )
        )


def _check_conditions(plan: PatchPlan) -> None:
    _need(
        (
            plan.use_before is None or 0 < plan.use_before <= VERSION_MAX,
            "PATCH_DATE",
            "The time before which the patch may be installed is out of range.",
            "Give a time in UTC seconds after 1970.",
        )
    )
    low, high = plan.running
    _need(
        (
            low is None or high is None or low < high,
            "PATCH_RANGE",
            "No running version lies in the range that the patch is for.",
            "Let the first version be below the one at which it ends.",
        )
    )
    distinct = set(plan.devices)
    _need(
        (
            len(distinct) == len(plan.devices) <= DEVICES_MAX
            and all(len(device) == _IDENTIFIER_BYTES for device in distinct),
            "PATCH_DEVICES",
            "The devices are too many, one stands twice, or an identifier is not 16 bytes.",
            f"Name each device once, at most {DEVICES_MAX} of them.",
        )
    )


def _need(rule: tuple[bool, str, str, str]) -> None:
    """Take one rule: does it hold, and else its code, what is wrong, and how to mend it."""
    holds, code, message, mend = rule
    if not holds:
        raise InputError(code, message, mend=mend)
