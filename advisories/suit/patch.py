"""From untrusted bytes to a patch that may be believed: :func:`open_envelope` is the only way.

SUIT knows no threshold; the root's policy row ``patch`` does, and it is enforced here. Whether a
sequence number is new enough is judged by whoever keeps the floor, with :func:`judge_sequence`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from advisories.suit.envelope import Envelope, check_digest, decode, signers
from advisories.suit.interpreter import execute
from advisories.suit.manifest import ComponentId, Manifest, read
from advisories.suit.numbers import ComponentTextKey, Section, TextKey
from advisories.suit.operations import Device, Fetch, Operation
from advisories.suit.ordinary import recognise
from advisories.suit.survey import Content, require_bound, survey
from advisories.suit.texts import Texts
from advisories.versions import Version, parse_version
from keys.algorithms import VERIFIED, Algorithm, PublicKey
from keys.document import require_met
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Root

POLICY_TYPE: Final = "patch"
"""The row of the root's policy that a SUIT manifest must satisfy."""
_VERSIONS_KEPT: Final = 256
_VERSION_LIMITS: Final = (2**8, 2**8, 2**16, 2**32)  # numbers of an MCUboot version


@dataclass(frozen=True)
class Patch:
    """A manifest, and what it comes down to for a device that it fits."""

    digest: bytes
    """The patch digest: SHA-256 of the manifest's byte string, 32 bytes."""
    sequence: int
    vendor_id: bytes
    class_id: bytes
    payloads: tuple[Content, ...]
    """In the order of the manifest's components; the first one boots. Where there are several ways, this is
    the one that every device can go: the whole image, not a delta; and the image of the first slot."""
    fetches: tuple[Fetch, ...]
    """Everything that may be fetched on the way there, deltas too."""
    version: Version | None
    """The promised version: from ``set-version``, else from the text; None where neither states a version of
    ours, or the text was cut. Then the header of the image promises it, once the image has been verified."""
    envelope: Envelope
    signed: tuple[bytes, ...]
    """Thumbprints of the root's keys whose blocks were verified; empty from :func:`peek`."""

    @cached_property
    def manifest(self) -> Manifest:
        """What the manifest says, step by step."""
        return read(self.envelope)

    @property
    def integrated(self) -> Mapping[str, bytes]:
        """What travels in the envelope, by address (``#name``); bound by the digests in the manifest."""
        return self.envelope.payloads

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
    found = recognise(envelope)
    if found is None:
        return judge(envelope, signed)
    return Patch(
        envelope.digest,
        found.sequence,
        found.vendor_id,
        found.class_id,
        (found.content,),
        (found.fetch,),
        _version(None, found.texts, found.content.component),
        envelope,
        signed,
    )


def judge(envelope: Envelope, signed: tuple[bytes, ...]) -> Patch:
    """Return the patch of an envelope whose manifest is the signed one, by reading and running all of it.

    Raises:
        RefusedError: the manifest is not well formed, or beyond our subset.
    """
    manifest = read(envelope)
    plan, payloads, fetches = survey(manifest)
    vendor, class_id = plan.vendor_ids[0], plan.class_ids[0]  # nothing is fetched before both were checked
    if {*plan.vendor_ids} != {vendor} or {*plan.class_ids} != {class_id}:
        raise RefusedError(Reason.UNSUPPORTED, "a patch that is not for one class of device")
    require_bound(envelope.payloads, manifest, fetches)
    version = _version(manifest.version, manifest.texts, payloads[0].component)
    patch = Patch(
        envelope.digest, manifest.sequence, vendor, class_id, payloads, fetches, version, envelope, signed
    )
    vars(patch)["manifest"] = manifest
    return patch


def _ours(version: tuple[int, ...]) -> Version | None:
    """Return a version of ours; None for one with more numbers, larger ones, or a mark of a pre-release."""
    padded = (*version, *(0 for _ in range(4 - len(version))))
    if len(padded) > 4 or any(
        not 0 <= number < limit for number, limit in zip(padded, _VERSION_LIMITS, strict=True)
    ):
        return None
    return padded  # type: ignore[return-value]  # four numbers, as was just seen


def _version(whole: tuple[int, ...] | None, texts: Texts, component: ComponentId) -> Version | None:
    """Return the version of ours that the manifest promises; the texts must not state two different ones."""
    if whole is not None:
        return _ours(whole)
    stated = {
        about[component][ComponentTextKey.COMPONENT_VERSION]
        for about in texts.components
        if ComponentTextKey.COMPONENT_VERSION in about.get(component, {})
    }
    if len(stated) > 1:
        raise RefusedError(Reason.MALFORMED, "the languages state different versions")
    return _parsed(stated.pop()) if stated else None


@lru_cache(maxsize=_VERSIONS_KEPT)
def _parsed(stated: str) -> Version | None:
    try:
        return parse_version(stated)
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
