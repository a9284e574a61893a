"""Makes SUIT envelopes: core keys only, so that any conforming recipient can read them.

One component, fetched from one address into the inactive slot. The promised version stands in the
text of the component (its version member), because ``set-version`` belongs to an extension that
other recipients refuse; what a device then runs is measured from the MCUboot header of the image,
whose digest the manifest binds. :func:`build` refuses when the two differ.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, Final

from advisories import mcuboot
from advisories.limits import NOTICE_LANGUAGES_MAX, URI_BYTES_MAX
from advisories.suit.envelope import Envelope, add_block, decode, digest_of, encode
from advisories.suit.manifest import ComponentId, component_id, parse
from advisories.suit.numbers import (
    MANIFEST_VERSION,
    REPORT_ALL,
    REPORT_FAILURE,
    SHA256,
    Command,
    CommonKey,
    ComponentTextKey,
    EnvelopeKey,
    ManifestKey,
    Parameter,
    TextKey,
)
from advisories.versions import Version, format_version
from keys.cbor import encode as encode_cbor
from keys.errors import InputError
from keys.limits import VERSION_MAX
from keys.signer import Signer

COMPONENT: Final[ComponentId] = (b"\x00",)
"""The one component of our devices: the application image."""

_NO_TEXT: Final[Mapping[str, str]] = {"en": ""}


def identifiers(domain: str, model: str) -> tuple[bytes, bytes]:
    """Return the vendor and class identifiers, 16 bytes each (draft, "Vendor ID" and "Class ID").

    Args:
        domain: a domain name that the vendor holds, ``example.com``.
        model: the vendor's name of the device class.
    """
    vendor = uuid.uuid5(uuid.NAMESPACE_DNS, domain)
    return vendor.bytes, uuid.uuid5(vendor, model).bytes


def build(
    sequence: int,
    vendor_id: bytes,
    class_id: bytes,
    image: bytes,
    *,
    version: Version,
    uri: str,
    texts: Mapping[str, str] | None = None,
    component: ComponentId = COMPONENT,
) -> bytes:
    """Return an unsigned envelope: its authentication wrapper holds only the digest.

    Equal arguments give equal bytes.

    Args:
        sequence: higher than every earlier one of the class; the UTC second will do.
        vendor_id: 16 bytes.
        class_id: 16 bytes.
        image: a whole MCUboot image.
        version: what the device will run, and the image's header must say.
        uri: where the image is fetched, 1 to 255 bytes, not ``#...``.
        texts: language tag -> what the update does, for its owner.
        component: identifier of the component.

    Raises:
        InputError: PATCH_VERSION, PATCH_URI, PATCH_SEQUENCE, PATCH_IDENTIFIER or PATCH_LANGUAGES.
        RefusedError: the image is damaged (see :func:`advisories.mcuboot.parse`), or the envelope TOO_BIG.
    """
    _check(sequence, vendor_id, class_id, uri, texts)
    component_id(component)
    measured = mcuboot.parse(image).version
    if measured != version:
        raise InputError(
            "PATCH_VERSION",
            f"The image says version {format_version(measured)}, not {format_version(version)}.",
            mend="Give the image that was built as this version.",
        )
    text = _text(texts or _NO_TEXT, component, version)
    manifest = encode_cbor(
        {
            ManifestKey.VERSION.value: MANIFEST_VERSION,
            ManifestKey.SEQUENCE_NUMBER.value: sequence,
            ManifestKey.COMMON.value: _common(vendor_id, class_id, image, component),
            ManifestKey.VALIDATE.value: _sequence((Command.IMAGE_MATCH, REPORT_ALL)),
            ManifestKey.INVOKE.value: _sequence((Command.INVOKE, REPORT_FAILURE)),
            ManifestKey.INSTALL.value: _sequence(
                (Command.OVERRIDE_PARAMETERS, {Parameter.URI.value: uri}),
                (Command.FETCH, REPORT_FAILURE),
                (Command.IMAGE_MATCH, REPORT_ALL),
            ),
            ManifestKey.TEXT.value: [SHA256, digest_of(text)],
        }
    )
    return encode(Envelope(digest_of(manifest), (), manifest, {EnvelopeKey.TEXT.value: text}))


def authenticate(envelope: bytes, signer: Signer) -> bytes:
    """Return the envelope with one more COSE_Sign1 block; a key that already signed changes nothing.

    The digests of manifest and severed members are checked first: nobody signs what does not fit.

    Raises:
        RefusedError: the envelope is not whole, or this key's block in it is wrong.
    """
    decoded = decode(envelope)
    parse(decoded)
    return encode(add_block(decoded, signer))


def _sequence(*steps: tuple[Command, Any]) -> bytes:
    return encode_cbor([part for command, argument in steps for part in (command.value, argument)])


def _common(vendor_id: bytes, class_id: bytes, image: bytes, component: ComponentId) -> bytes:
    digest = encode_cbor([SHA256, hashlib.sha256(image).digest()])
    parameters = {
        Parameter.VENDOR_ID.value: vendor_id,
        Parameter.CLASS_ID.value: class_id,
        Parameter.IMAGE_DIGEST.value: digest,
        Parameter.IMAGE_SIZE.value: len(image),
    }
    shared = _sequence(
        (Command.OVERRIDE_PARAMETERS, parameters),
        (Command.VENDOR_ID, REPORT_ALL),
        (Command.CLASS_ID, REPORT_ALL),
    )
    return encode_cbor(
        {CommonKey.COMPONENTS.value: [list(component)], CommonKey.SHARED_SEQUENCE.value: shared}
    )


def _text(texts: Mapping[str, str], component: ComponentId, version: Version) -> bytes:
    languages: dict[str, dict[Any, Any]] = {}
    for language, words in texts.items():
        about = {TextKey.UPDATE_DESCRIPTION.value: words} if words else {}
        stated = {ComponentTextKey.COMPONENT_VERSION.value: format_version(version)}
        languages[language] = {**about, component: stated}
    return encode_cbor(languages)


def _check(
    sequence: int, vendor_id: bytes, class_id: bytes, uri: str, texts: Mapping[str, str] | None
) -> None:
    if not 0 <= sequence <= VERSION_MAX:
        raise InputError(
            "PATCH_SEQUENCE",
            f"The sequence number {sequence} is out of range.",
            mend=f"Choose one from 0 to {VERSION_MAX}.",
        )
    if len(vendor_id) != 16 or len(class_id) != 16:
        raise InputError(
            "PATCH_IDENTIFIER",
            "A vendor or class identifier is not 16 bytes.",
            mend="Make them with identifiers().",
        )
    if not 1 <= len(uri.encode()) <= URI_BYTES_MAX or uri.startswith("#"):
        raise InputError(
            "PATCH_URI",
            "The address of the image cannot be used.",
            mend=f"Give one of 1 to {URI_BYTES_MAX} bytes that does not start with '#'.",
        )
    if texts is not None and (len(texts) > NOTICE_LANGUAGES_MAX or not all(texts)):
        raise InputError(
            "PATCH_LANGUAGES",
            "The texts name no language, or too many.",
            mend=f"Give each text a language tag, at most {NOTICE_LANGUAGES_MAX} of them.",
        )
