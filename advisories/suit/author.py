"""Makes SUIT envelopes: core keys only unless more is asked for, so that any recipient can read them.

A patch is laid out as the draft's own templates are (appendix "Examples"): identity, digest and size in
the shared sequence; what is fetched from where in install; the match again in validate. The promised
version stands in the text of the first component (its version member), because ``set-version`` belongs
to an extension that other recipients refuse; what a device then runs is measured, and for an MCUboot
image its header must say the same version.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from advisories import mcuboot
from advisories.suit.arguments import Form, Rebuild
from advisories.suit.envelope import Envelope, add_block, decode, digest_of, encode
from advisories.suit.manifest import ComponentId, parse
from advisories.suit.numbers import (
    MANIFEST_VERSION,
    REPORT_ALL,
    REPORT_FAILURE,
    SHA256,
    Command,
    CommonKey,
    Comparison,
    ComponentTextKey,
    EnvelopeKey,
    ManifestKey,
    Parameter,
    TextKey,
)
from advisories.suit.patch_plan import COMPONENT, File, PatchPlan, Payload, check
from advisories.versions import Version, format_version
from keys.cbor import encode as encode_cbor
from keys.codec import dump
from keys.errors import InputError, RefusedError
from keys.signer import Signer

_LANGUAGE: Final = "en"
"""The tag under which versions stand when there are no words at all."""
_REPORT_SUCCESS: Final = 5
"""Reporting policy of a condition that chooses between alternatives: that it failed is nothing wrong."""
_NO_ARGUMENTS: Final = b""
"""Takes back what a failed alternative said: parameters that it set stay set."""

Steps = tuple[tuple[Command, Any], ...]


def identifiers(domain: str, model: str) -> tuple[bytes, bytes]:
    """Return the vendor and class identifiers, 16 bytes each (draft, "Vendor ID" and "Class ID").

    Args:
        domain: a domain name that the vendor holds, ``example.com``.
        model: the vendor's name of the device class.
    """
    vendor = uuid.uuid5(uuid.NAMESPACE_DNS, domain)
    return vendor.bytes, uuid.uuid5(vendor, model).bytes


def device_identifier(class_id: bytes, device: str) -> bytes:
    """Return what a device-id condition compares: UUIDv5 of a device's id in its class, 16 bytes."""
    return uuid.uuid5(uuid.UUID(bytes=class_id), device).bytes


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
    """Return an unsigned envelope for one MCUboot image, as :func:`compose` makes it.

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
        InputError: PATCH_VERSION, or of :func:`advisories.suit.patch_plan.check`.
        RefusedError: the image is damaged (see :func:`advisories.mcuboot.parse`).
    """
    measured = mcuboot.parse(image)
    if measured.version != version:
        raise InputError(
            "PATCH_VERSION",
            f"The image says version {format_version(measured.version)}, not {format_version(version)}.",
            mend="Give the image that was built as this version.",
        )
    payload = Payload((File(measured.whole, len(image), uri),), component, version)
    return compose(
        PatchPlan(
            sequence=sequence,
            vendor_id=vendor_id,
            class_id=class_id,
            payloads=(payload,),
            texts=texts or {},
        )
    )


def compose(plan: PatchPlan) -> bytes:
    """Return an unsigned envelope: its authentication wrapper holds only the digest.

    Equal plans give equal bytes.

    Raises:
        InputError: of :func:`advisories.suit.patch_plan.check`; PATCH_TOO_BIG.
        RefusedError: MALFORMED, a component identifier that is not a path of byte strings.
    """
    check(plan)
    text = _text(plan)
    members = {
        ManifestKey.VERSION.value: MANIFEST_VERSION,
        ManifestKey.SEQUENCE_NUMBER.value: plan.sequence,
        ManifestKey.COMMON.value: _common(plan),
        ManifestKey.VALIDATE.value: _encoded(_each(plan, lambda _: ((Command.IMAGE_MATCH, REPORT_ALL),))),
        ManifestKey.INVOKE.value: _encoded((*_select(plan, 0), (Command.INVOKE, REPORT_FAILURE))),
        ManifestKey.INSTALL.value: _encoded((*_conditions(plan), *_each(plan, _install))),
        ManifestKey.TEXT.value: [SHA256, digest_of(text)],
    }
    if plan.reference_uri is not None:
        members[ManifestKey.REFERENCE_URI.value] = plan.reference_uri
    if plan.set_version is not None:
        members[ManifestKey.SET_VERSION.value] = encode_cbor(_numbers(plan.set_version))
    manifest = encode_cbor(members)
    payloads = {file.uri: file.content for file in _files(plan) if file.content is not None}
    severed = {EnvelopeKey.TEXT.value: text}
    try:
        return encode(Envelope(digest_of(manifest), (), manifest, severed, payloads))
    except RefusedError as error:
        raise InputError(
            "PATCH_TOO_BIG",
            f"The patch does not fit an envelope: {error.detail}.",
            mend="Shorten the texts, name fewer deltas, or let files be fetched instead of integrated.",
        ) from None


def authenticate(envelope: bytes, signer: Signer) -> bytes:
    """Return the envelope with one more COSE_Sign1 block; a key that already signed changes nothing.

    The digests of manifest and severed members are checked first: nobody signs what does not fit.

    Raises:
        RefusedError: the envelope is not whole, or this key's block in it is wrong.
    """
    decoded = decode(envelope)
    parse(decoded)
    return encode(add_block(decoded, signer))


def _encoded(steps: Steps) -> bytes:
    return encode_cbor([part for command, argument in steps for part in (command.value, argument)])


def _override(parameters: Mapping[Parameter, Any]) -> tuple[Command, Any]:
    return Command.OVERRIDE_PARAMETERS, {key.value: value for key, value in parameters.items()}


def _try_each(*alternatives: Steps) -> Steps:
    return ((Command.TRY_EACH, [_encoded(steps) for steps in alternatives]),)


def _select(plan: PatchPlan, index: int) -> Steps:
    """Choose a component; a manifest with only one begins there."""
    return ((Command.SET_COMPONENT_INDEX, index),) if len(plan.payloads) > 1 else ()


def _each(plan: PatchPlan, steps: Callable[[Payload], Steps]) -> Steps:
    return tuple(
        step
        for index, payload in enumerate(plan.payloads)
        for step in (*_select(plan, index), *steps(payload))
    )


def _content(file: File) -> dict[Parameter, Any]:
    return {Parameter.IMAGE_DIGEST: encode_cbor([SHA256, file.digest]), Parameter.IMAGE_SIZE: file.size}


def _for_slots(files: tuple[File, ...], parameters: Callable[[File], Mapping[Parameter, Any]]) -> Steps:
    """Set parameters by the slot that is written; with one file there is nothing to choose."""
    if len(files) == 1:
        return (_override(parameters(files[0])),)
    return _try_each(
        *(
            (
                _override({Parameter.COMPONENT_SLOT: slot}),
                (Command.COMPONENT_SLOT, _REPORT_SUCCESS),
                _override(parameters(file)),
            )
            for slot, file in enumerate(files)
        )
    )


def _common(plan: PatchPlan) -> bytes:
    identity = {Parameter.VENDOR_ID: plan.vendor_id, Parameter.CLASS_ID: plan.class_id}
    first, *others = plan.payloads
    shared = list(_select(plan, 0))
    if len(first.files) == 1:
        shared.append(_override({**identity, **_content(first.files[0])}))
    else:
        shared += [_override(identity), *_for_slots(first.files, _content)]
    shared += [(Command.VENDOR_ID, REPORT_ALL), (Command.CLASS_ID, REPORT_ALL), *_devices(plan)]
    for index, payload in enumerate(others, 1):
        shared += [*_select(plan, index), *_for_slots(payload.files, _content)]
    return encode_cbor(
        {
            CommonKey.COMPONENTS.value: [list(payload.component) for payload in plan.payloads],
            CommonKey.SHARED_SEQUENCE.value: _encoded(tuple(shared)),
        }
    )


def _devices(plan: PatchPlan) -> Steps:
    each = [
        (
            _override({Parameter.DEVICE_ID: device}),
            (Command.DEVICE_ID, _REPORT_SUCCESS if plan.devices[1:] else REPORT_ALL),
        )
        for device in plan.devices
    ]
    return _try_each(*each) if len(each) > 1 else tuple(step for steps in each for step in steps)


def _conditions(plan: PatchPlan) -> Steps:
    """What must hold before anything is fetched; not in the shared sequence, for it is run at every boot."""
    steps: list[tuple[Command, Any]] = []
    if plan.use_before is not None:
        steps += [
            _override({Parameter.USE_BEFORE: plan.use_before}),
            (Command.USE_BEFORE, REPORT_ALL),
        ]
    for comparison, bound in zip((Comparison.GREATER_EQUAL, Comparison.LESSER), plan.running, strict=True):
        if bound is not None:
            match = encode_cbor([comparison.value, _numbers(bound)])
            steps += [_override({Parameter.VERSION: match}), (Command.COMPONENT_VERSION, REPORT_ALL)]
    return (*_select(plan, 0), *steps) if steps else ()


def _numbers(version: Version) -> list[int]:
    """Write a version as the extension does; a build of 0 is left out: a shorter list compares as equal."""
    return list(version if version[3] else version[:3])


def _install(payload: Payload) -> Steps:
    fetch = (Command.FETCH, REPORT_FAILURE)
    match = (Command.IMAGE_MATCH, REPORT_ALL)
    if not payload.deltas:
        return (*_for_slots(payload.files, lambda file: {Parameter.URI: file.uri}), fetch, match)
    whole = payload.files[0]
    parameters = {**_content(whole), Parameter.URI: whole.uri, Parameter.FETCH_ARGS: _NO_ARGUMENTS}
    return (*_try_each(*_rebuilt(payload), (_override(parameters), fetch)), match)


def _rebuilt(payload: Payload) -> Iterator[Steps]:
    """Yield one alternative a delta: is the base there? Then fetch what rebuilds the new image from it."""
    for delta in payload.deltas:
        base = {
            Parameter.IMAGE_DIGEST: encode_cbor([SHA256, delta.base_digest]),
            Parameter.IMAGE_SIZE: delta.base_size,
        }
        rebuild = Rebuild(
            form=Form.DETOOLS, size=delta.file.size, digest=delta.file.digest, base=delta.base_digest
        )
        new = {
            **_content(payload.files[0]),
            Parameter.URI: delta.file.uri,
            Parameter.FETCH_ARGS: dump(rebuild),
        }
        yield (
            _override(base),
            (Command.IMAGE_MATCH, _REPORT_SUCCESS),
            _override(new),
            (Command.FETCH, REPORT_FAILURE),
        )


def _files(plan: PatchPlan) -> Iterator[File]:
    for payload in plan.payloads:
        yield from payload.files
        yield from (delta.file for delta in payload.deltas)


def _text(plan: PatchPlan) -> bytes:
    spoken = (plan.texts, plan.descriptions, *(payload.about for payload in plan.payloads))
    tags = sorted({tag for words in spoken for tag in words}) or [_LANGUAGE]
    return encode_cbor({tag: _language(plan, tag) for tag in tags})


def _language(plan: PatchPlan, tag: str) -> dict[Any, Any]:
    said = {
        TextKey.MANIFEST_DESCRIPTION: plan.descriptions.get(tag, ""),
        TextKey.UPDATE_DESCRIPTION: plan.texts.get(tag, ""),
    }
    found: dict[Any, Any] = {key.value: words for key, words in said.items() if words}
    for index, payload in enumerate(plan.payloads):
        stated = {
            ComponentTextKey.VENDOR_NAME: "" if index else plan.vendor_name,
            ComponentTextKey.MODEL_NAME: "" if index else plan.model_name,
            ComponentTextKey.COMPONENT_DESCRIPTION: payload.about.get(tag, ""),
            ComponentTextKey.COMPONENT_VERSION: (
                "" if payload.version is None else format_version(payload.version)
            ),
        }
        words = {key.value: text for key, text in stated.items() if text}
        if words:
            found[payload.component] = words
    return found
