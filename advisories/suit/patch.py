"""From untrusted bytes to a patch that may be believed: :func:`open_envelope` is the only way.

SUIT knows no threshold; the root's policy row ``patch`` does, and it is enforced here. Whether a
sequence number is new enough is judged by whoever keeps the floor, with :func:`judge_sequence`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from advisories.limits import PAYLOAD_BYTES_MAX
from advisories.suit.arguments import read_arguments
from advisories.suit.envelope import Envelope, check_digest, decode, signers
from advisories.suit.interpreter import execute
from advisories.suit.manifest import ComponentId, Manifest, read
from advisories.suit.numbers import UPDATE, Command, ComponentTextKey, Parameter, Section, TextKey
from advisories.suit.operations import (
    Copy,
    Device,
    Fetch,
    Invoke,
    Match,
    Operation,
    Plan,
    ProcedureError,
    Swap,
    Write,
)
from advisories.versions import Version, parse_version
from keys.algorithms import VERIFIED, Algorithm, PublicKey
from keys.document import require_met
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Root

POLICY_TYPE: Final = "patch"
"""The row of the root's policy that a SUIT manifest must satisfy."""
_VERSION_LIMITS: Final = (2**8, 2**8, 2**16, 2**32)  # numbers of an MCUboot version


@dataclass(frozen=True, slots=True)
class Content:
    """What one component holds once the patch is installed."""

    component: ComponentId
    digest: bytes
    """SHA-256, 32 bytes."""
    size: int
    """Bytes."""
    uri: str
    """Where the whole of it is fetched, ``#name`` in the envelope; empty where it is copied or written."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A manifest, and what it comes down to for a device that it fits."""

    digest: bytes
    """The patch digest: SHA-256 of the manifest's byte string, 32 bytes."""
    sequence: int
    vendor_id: bytes
    class_id: bytes
    payloads: tuple[Content, ...]
    """In the order of the manifest's components; the first one boots. Where there are several ways, this is the
    one that every device can go: the whole image, not a delta; and the image of the first slot."""
    fetches: tuple[Fetch, ...]
    """Everything that may be fetched on the way there, deltas too."""
    version: Version | None
    """The promised version: from ``set-version``, else from the text; None where neither states a version of
    ours, or the text was cut. Then the header of the image promises it, once the image has been verified."""
    manifest: Manifest
    integrated: Mapping[str, bytes]
    """What travels in the envelope, by address (``#name``); bound by the digests in the manifest."""
    signed: tuple[bytes, ...]
    """Thumbprints of the root's keys whose blocks were verified; empty from :func:`peek`."""

    @property
    def component(self) -> ComponentId:
        """The component that boots."""
        return self.payloads[0].component

    @property
    def image_digest(self) -> bytes:
        """SHA-256 of the image that boots, 32 bytes."""
        return self.payloads[0].digest

    @property
    def image_size(self) -> int:
        """Bytes of the image that boots."""
        return self.payloads[0].size

    @property
    def uri(self) -> str:
        """Where the image that boots is fetched."""
        return self.payloads[0].uri

    def text(self, language: str) -> str | None:
        """Return what the update does in ``language`` (or in its main language), or None."""
        for tag in (language, language.partition("-")[0]):
            if tag in self.manifest.texts:
                about = self.manifest.texts[tag].about
                return about.get(TextKey.UPDATE_DESCRIPTION) or about.get(TextKey.MANIFEST_DESCRIPTION)
        return None

    def run(self, procedure: tuple[Section, ...], device: Device) -> tuple[Operation, ...]:
        """Return what ``device`` has to do for a procedure (UPDATE or BOOT), in order.

        Raises:
            RefusedError: as :func:`advisories.suit.interpreter.execute`.
        """
        return execute(self.manifest, procedure, device).operations


def open_envelope(
    data: bytes, root: Root, *, product: str, algorithms: Container[Algorithm] = VERIFIED
) -> Patch:
    """Verify an envelope against a root and return its patch.

    Args:
        data: untrusted bytes.
        root: the trusted root.
        product: whose policy row counts.
        algorithms: what this reader can verify with; other blocks are passed over.

    Raises:
        RefusedError: with the reason of the first step that failed.
    """
    # 1. Size, before anything is decoded.
    # 2. Structure: the outer map and the authentication wrapper; the manifest stays bytes.
    envelope = decode(data)
    # 3. Signatures over the stated digest: at least one by a key of the root, and none of those wrong.
    #    A block by an unknown key is passed over, a second one by the same key counts once.
    keys = root.by_kid

    def find(kid: bytes) -> PublicKey | None:
        entry = keys.get(kid)
        return entry.key if entry is not None and entry.key.algorithm in algorithms else None

    signed, others = signers(envelope, find)
    passed = [kid for kid in others if kid in keys]
    if not signed:
        raise RefusedError(Reason.UNSUPPORTED if passed else Reason.UNKNOWN_KEY)
    # 4. Policy: enough different holders for every role of the row.
    require_met(root, root.demands(POLICY_TYPE, product), signed, passed)
    # 5. Digest: the manifest is the one that was signed.
    check_digest(envelope)
    # 6. Meaning: version 1, the rest of the manifest, and severed members against their digests.
    # 7. Subset: for one class of device, identified before anything is fetched and compared after it.
    return _patch(envelope, signed)


def peek(data: bytes) -> Patch:
    """Return the patch of an envelope WITHOUT verifying who signed it; for showing and signing.

    Raises:
        RefusedError: the envelope is not whole, or beyond our subset.
    """
    envelope = decode(data)
    check_digest(envelope)
    return _patch(envelope, ())


def _patch(envelope: Envelope, signed: tuple[bytes, ...]) -> Patch:
    manifest = read(envelope)
    plan, fetches = _last_resort(manifest)
    if len(set(plan.vendor_ids)) != 1 or len(set(plan.class_ids)) != 1:
        raise RefusedError(Reason.UNSUPPORTED, "a patch that is not for one class of device")
    payloads = _contents(manifest, plan.operations)
    _require_bound(envelope, manifest, fetches)
    return Patch(
        digest=envelope.digest,
        sequence=manifest.sequence,
        vendor_id=plan.vendor_ids[0],
        class_id=plan.class_ids[0],
        payloads=payloads,
        fetches=fetches,
        version=_version(manifest, payloads[0].component),
        manifest=manifest,
        integrated=envelope.payloads,
        signed=signed,
    )


def _last_resort(manifest: Manifest) -> tuple[Plan, tuple[Fetch, ...]]:
    """Return the plan of a device that holds nothing which would spare it the way, and all fetches passed.

    What a manifest asks about a component before it has put anything there (is the base of a delta there?) is
    answered with no, one question after the other, as long as the manifest knows another way.
    """
    outcomes: list[bool] = []
    plan = execute(manifest, UPDATE, None)
    fetches = dict.fromkeys(step for step in plan.operations if isinstance(step, Fetch))
    while (asked := _first_question(plan.operations, len(outcomes))) is not None:
        outcomes += [True] * (asked - len(outcomes)) + [False]
        try:
            plan = execute(manifest, UPDATE, None, outcomes)
        except ProcedureError:
            break
        fetches.update(dict.fromkeys(step for step in plan.operations if isinstance(step, Fetch)))
    return plan, tuple(fetches)


def _first_question(operations: tuple[Operation, ...], start: int) -> int | None:
    filled: set[ComponentId] = set()
    for number, operation in enumerate(operations):
        if not isinstance(operation, Match | Invoke):
            filled.add(operation.component)
        elif number >= start and operation.component not in filled:
            return number
    return None


def _contents(manifest: Manifest, operations: tuple[Operation, ...]) -> tuple[Content, ...]:
    """Return what the components hold that a plan fills; the plan has compared each of them afterwards."""
    filled: dict[ComponentId, Content] = {}
    for operation in operations:
        if isinstance(operation, Write):
            digest = hashlib.sha256(operation.content).digest()
            filled[operation.component] = Content(operation.component, digest, len(operation.content), "")
        elif isinstance(operation, Fetch | Copy | Swap):
            if operation.digest is None or operation.size is None:
                raise RefusedError(Reason.MALFORMED, "the digest or the size of a payload is not stated")
            if operation.size > PAYLOAD_BYTES_MAX:
                raise RefusedError(
                    Reason.TOO_BIG, f"a payload of {operation.size} bytes, at most {PAYLOAD_BYTES_MAX}"
                )
            uri = operation.uri if isinstance(operation, Fetch) else ""
            filled[operation.component] = Content(operation.component, operation.digest, operation.size, uri)
        elif isinstance(operation, Match) and operation.component in filled:
            held = filled[operation.component]
            if operation.digest != held.digest or operation.size not in {None, held.size}:
                raise RefusedError(Reason.MALFORMED, "a payload is compared with another than is fetched")
    if not filled:
        raise RefusedError(Reason.UNSUPPORTED, "a patch that brings nothing")
    return tuple(filled[component] for component in manifest.components if component in filled)


def _require_bound(envelope: Envelope, manifest: Manifest, fetches: tuple[Fetch, ...]) -> None:
    """Refuse an integrated payload that the manifest does not bind: no signature covers it by itself."""
    wanted = {fetch.uri for fetch in fetches if fetch.uri.startswith("#")}
    missing = wanted - set(envelope.payloads)
    if missing:
        raise RefusedError(Reason.MALFORMED, f"the payload {min(missing)} is not in the envelope")
    if not envelope.payloads:
        return
    stated = _stated(manifest)
    for name, content in envelope.payloads.items():
        if name not in stated:
            raise RefusedError(Reason.MALFORMED, f"nothing asks for the payload {name}")
        if hashlib.sha256(content).digest() not in stated:
            raise RefusedError(Reason.DIGEST_MISMATCH, f"the payload {name}")


def _stated(manifest: Manifest) -> set[str | bytes]:
    """Return every address of an integrated payload, and every digest, that any step of the manifest states."""
    found: set[str | bytes] = set()
    ahead = [manifest.shared, *manifest.sections.values()]
    while ahead:
        for step in ahead.pop():
            if step.command is Command.TRY_EACH:
                ahead += step.argument
            elif step.command is Command.RUN_SEQUENCE:
                ahead.append(step.argument)
            elif step.command is Command.OVERRIDE_PARAMETERS:
                found |= {
                    value
                    for key, value in step.argument.items()
                    if key in {Parameter.URI, Parameter.IMAGE_DIGEST}
                }
                if step.argument.get(Parameter.FETCH_ARGS):
                    found.add(read_arguments(step.argument[Parameter.FETCH_ARGS]).digest)
    return found


def _ours(version: tuple[int, ...]) -> Version | None:
    """Return a version of ours, or None for one with more numbers, larger ones, or a mark of a pre-release."""
    padded = (*version, *(0 for _ in range(4 - len(version))))
    if len(padded) > 4 or any(
        not 0 <= number < limit for number, limit in zip(padded, _VERSION_LIMITS, strict=True)
    ):
        return None
    return padded  # type: ignore[return-value]  # four numbers, as was just seen


def _version(manifest: Manifest, component: ComponentId) -> Version | None:
    """Return the version of ours that the manifest promises; the texts must not state two different ones."""
    if manifest.version is not None:
        return _ours(manifest.version)
    stated = {
        text.components[component][ComponentTextKey.COMPONENT_VERSION]
        for text in manifest.texts.values()
        if ComponentTextKey.COMPONENT_VERSION in text.components.get(component, {})
    }
    if len(stated) > 1:
        raise RefusedError(Reason.MALFORMED, "the languages state different versions")
    try:
        return parse_version(stated.pop()) if stated else None
    except ValueError:
        return None


def judge_sequence(floor: tuple[int, bytes] | None, sequence: int, digest: bytes) -> None:
    """Refuse a manifest that is older than the floor, or another one of the same number.

    The draft refuses only a lower number; an equal number with another digest is our rule. The
    same number with the same digest passes: an interrupted update goes on.

    Args:
        floor: sequence number and digest of the last manifest accepted, or None on a new device.
        sequence: of the manifest to judge.
        digest: its patch digest.

    Raises:
        RefusedError: DOWNGRADE_REFUSED or EQUIVOCATION.
    """
    if floor is None:
        return
    if sequence < floor[0]:
        raise RefusedError(Reason.DOWNGRADE_REFUSED, f"sequence {sequence}, floor {floor[0]}")
    if sequence == floor[0] and digest != floor[1]:
        raise RefusedError(Reason.EQUIVOCATION, f"sequence {sequence}")
