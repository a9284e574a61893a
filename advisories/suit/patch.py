"""From untrusted bytes to a patch that may be believed: :func:`open_envelope` is the only way.

SUIT knows no threshold; the root's policy row ``patch`` does, and it is enforced here. Whether a
sequence number is new enough is judged by whoever keeps the floor, with :func:`judge_sequence`.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from advisories.suit.envelope import Envelope, block_kids, check_digest, decode, verify_blocks
from advisories.suit.interpreter import Device, Fetch, Match, Operation, execute
from advisories.suit.manifest import ComponentId, Manifest, parse
from advisories.suit.numbers import UPDATE, ComponentTextKey, Section, TextKey
from advisories.versions import Version, parse_version
from keys.algorithms import VERIFIED, Algorithm
from keys.document import require_met
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Root

POLICY_TYPE: Final = "patch"
"""The row of the root's policy that a SUIT manifest must satisfy."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A manifest for one image, and what it comes down to for a device that it fits."""

    digest: bytes
    """The patch digest: SHA-256 of the manifest's byte string, 32 bytes."""
    sequence: int
    vendor_id: bytes
    class_id: bytes
    component: ComponentId
    image_digest: bytes
    """SHA-256 of the whole image, 32 bytes."""
    image_size: int
    """Bytes of the whole image."""
    uri: str
    version: Version | None
    """The promised version, from the text; None where the text was cut or states no version of ours.
    Then the header of the image promises it, once the image has been verified."""
    manifest: Manifest
    signed: tuple[bytes, ...]
    """Thumbprints of the root's keys whose blocks were verified; empty from :func:`peek`."""

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
    usable = [entry.key for entry in root.keys if entry.key.algorithm in algorithms]
    others = {entry.key.thumbprint for entry in root.keys} - {key.thumbprint for key in usable}
    signed = verify_blocks(envelope, usable)
    passed = [kid for kid in block_kids(envelope) if kid in others]
    if not signed:
        raise RefusedError(Reason.UNSUPPORTED if passed else Reason.UNKNOWN_KEY)
    # 4. Policy: enough different holders for every role of the row.
    require_met(root, root.demands(POLICY_TYPE, product), signed, passed)
    # 5. Digest: the manifest is the one that was signed.
    check_digest(envelope)
    # 6. Meaning: version 1, the rest of the manifest, and severed members against their digests.
    # 7. Subset: one image, identified before it is fetched and compared after it.
    return _patch(envelope, signed)


def peek(data: bytes) -> Patch:
    """Return the patch of an envelope WITHOUT verifying who signed it; for showing and signing.

    Raises:
        RefusedError: the envelope is not whole, or beyond our subset.
    """
    return _patch(decode(data), ())


def _patch(envelope: Envelope, signed: tuple[bytes, ...]) -> Patch:
    if envelope.payloads:
        raise RefusedError(Reason.UNSUPPORTED, "integrated payloads")
    manifest = parse(envelope)
    plan = execute(manifest, UPDATE, None)
    fetches = [step for step in plan.operations if isinstance(step, Fetch)]
    counted = (fetches, manifest.components, set(plan.vendor_ids), set(plan.class_ids))
    if any(len(found) != 1 for found in counted):
        raise RefusedError(Reason.UNSUPPORTED, "a patch that is not one image for one class of device")
    fetch = fetches[0]
    if fetch.digest is None or fetch.size is None:
        raise RefusedError(Reason.MALFORMED, "the digest or the size of the image is not stated")
    after = plan.operations[plan.operations.index(fetch) :]
    if Match(fetch.component, fetch.digest, fetch.size) not in after:
        raise RefusedError(Reason.MALFORMED, "the image is not compared after it was fetched")
    return Patch(
        digest=envelope.digest,
        sequence=manifest.sequence,
        vendor_id=plan.vendor_ids[0],
        class_id=plan.class_ids[0],
        component=fetch.component,
        image_digest=fetch.digest,
        image_size=fetch.size,
        uri=fetch.uri,
        version=_version(manifest, fetch.component),
        manifest=manifest,
        signed=signed,
    )


def _version(manifest: Manifest, component: ComponentId) -> Version | None:
    """Return the one version that the texts state; two different ones are refused."""
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
