"""``tocsin patch add``: files and wishes become an unsigned manifest, kept with everything that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from advisories import suit
from advisories.limits import ENVELOPE_BYTES_MAX, IMAGE_BYTES_MAX, PAYLOAD_BYTES_MAX
from advisories.suit import delta
from advisories.suit.check import Promise, findings
from advisories.suit.manifest import ComponentId
from advisories.suit.patch_plan import COMPONENT, Delta, File, PatchPlan, Payload, component_name
from advisories.versions import Range, Version
from gateway import files
from gateway.core.publication import next_version
from gateway.operations.patches.checking import Checked, counter_floor, refuse
from gateway.operations.patches.payloads import Incoming, Taken, whole
from gateway.operations.patches.views import PatchView, every, path_of, view_of
from gateway.workspace.entries import Product
from gateway.workspace.folder import Workspace
from keys.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a patch is asked for beyond one image; every field is empty where nobody asked."""

    version: Version | None = None
    """Of the first file; an MCUboot image says it itself."""
    image_b: Path | None = None
    """The same image, linked for slot 1."""
    components: Mapping[ComponentId, Path] = field(default_factory=dict)
    """Files for further components."""
    delta_from: tuple[Path, ...] = ()
    """Older images from which devices can rebuild the new one."""
    integrate: bool = False
    """Carry the files in the envelope."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """Language -> what the manifest is about."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Language -> what the first component is."""
    vendor_name: str = ""
    model_name: str = ""
    reference_uri: str | None = None
    use_before: int | None = None
    """UTC seconds."""
    running: Range = (None, None)
    """Versions that may be updated."""
    set_version: bool = False
    """State the version in the manifest too, not only in its text."""
    devices: tuple[bytes, ...] = ()
    """Device identifiers, 16 bytes each."""


_PLAIN: Final = Wishes()


def add(
    workspace: Workspace,
    product: str,
    image: Path,
    *,
    now: int,
    texts: Mapping[str, str] | None = None,
    sequence: int | None = None,
    wishes: Wishes = _PLAIN,
) -> PatchView:
    """Make an unsigned patch of an image, or of any file, and keep both.

    Args:
        workspace: where.
        product: for whose devices.
        image: an MCUboot image, whose header says the version; or any file, whose version ``wishes`` say.
        now: UTC seconds.
        texts: language -> what the patch does, for the owner.
        sequence: rises with every patch of a product; max(last + 1, ``now``) if left out.
        wishes: everything else.

    Raises:
        InputError: NO_PRODUCT, FILE_MISSING, IMAGE_UNREADABLE, IMAGE_TOO_BIG, PATCH_EXISTS; of
            planning (:func:`advisories.suit.patch_plan.check`); or the code of what an image and its manifest
            disagree in (:mod:`advisories.suit.check`).
    """
    entry = workspace.product(product)
    with workspace.lock(), Incoming(workspace.artefacts) as incoming:
        number = next_number(workspace, now, sequence)
        floor = counter_floor(workspace, entry.id)
        envelope = composed(
            entry, incoming, image, number=number, floor=floor, texts=texts or {}, wishes=wishes
        )
        incoming.keep()
        files.write_atomic(path_of(workspace, number), envelope)
    return view_of(workspace, envelope, path_of(workspace, number))


def composed(
    entry: Product,
    incoming: Incoming,
    image: Path,
    *,
    number: int,
    floor: int,
    texts: Mapping[str, str],
    wishes: Wishes,
) -> bytes:
    """Return the unsigned envelope of a patch, with every file that it names taken in."""
    maker = _Maker(entry, incoming, floor, wishes)
    plan = PatchPlan(
        sequence=number,
        vendor_id=entry.vendor_id,
        class_id=entry.class_id,
        payloads=maker.payloads(image),
        texts=texts,
        descriptions=wishes.descriptions,
        vendor_name=wishes.vendor_name,
        model_name=wishes.model_name,
        reference_uri=wishes.reference_uri,
        use_before=wishes.use_before,
        running=wishes.running,
        set_version=maker.version if wishes.set_version else None,
        devices=wishes.devices,
    )
    return suit.compose(plan)


def next_number(workspace: Workspace, now: int, sequence: int | None) -> int:
    """Return the number of the patch that comes next (InputError: PATCH_EXISTS)."""
    last = max((view.patch.sequence for view in every(workspace)), default=None)
    number = next_version(last, now) if sequence is None else sequence
    if last is not None and number <= last:
        raise InputError(
            "PATCH_EXISTS",
            f"The sequence number {number} is not above {last}, the newest one.",
            mend="Leave --sequence out, or choose a higher one.",
        )
    return number


class _Maker:
    """Takes the files of one patch in, and says what each component holds."""

    def __init__(self, entry: Product, incoming: Incoming, floor: int, wishes: Wishes) -> None:
        self._entry, self._incoming, self._floor, self._wishes = entry, incoming, floor, wishes
        self.version: Version | None = None
        """The promised version, once the first file was taken."""

    def payloads(self, image: Path) -> tuple[Payload, ...]:
        wishes = self._wishes
        first = self._take(image)
        self.version = wishes.version or whole(first.found, image).version
        taken = [first, *([self._take(wishes.image_b)] if wishes.image_b else [])]
        for one in taken:
            self._refuse(one, COMPONENT, self.version, boots=True)
        deltas = self._deltas(first) if wishes.delta_from else ()
        main = Payload(
            tuple(self._file(one, COMPONENT) for one in taken),
            version=self.version,
            deltas=deltas,
            about=wishes.about,
        )
        return (main, *(self._other(component, path) for component, path in wishes.components.items()))

    def _other(self, component: ComponentId, path: Path) -> Payload:
        taken = self._take(path)
        version = taken.image.version if taken.image else None
        self._refuse(taken, component, version, boots=False)
        return Payload((self._file(taken, component),), component, version)

    def _take(self, path: Path) -> Taken:
        slot = min(self._entry.slot_bytes, PAYLOAD_BYTES_MAX)
        too_big = f"The image has {{size}} bytes, a slot of '{self._entry.id}' has {self._entry.slot_bytes}."
        return self._incoming.take(path, size_max=slot, too_big=too_big)

    def _refuse(self, taken: Taken, component: ComponentId, version: Version | None, *, boots: bool) -> None:
        found, entry = taken.found, self._entry
        promise = Promise(
            found.digest,
            found.size,
            version,
            entry.vendor_id,
            entry.class_id,
            boots=boots,
            counter_floor=self._floor,
        )
        refuse([Checked(component_name(component), taken.source, findings(promise, found))])

    def _file(self, taken: Taken, component: ComponentId) -> File:
        found = taken.found
        if not self._wishes.integrate:
            return File(found.digest, found.size, f"artefact/{found.digest.hex()}")
        if found.size > ENVELOPE_BYTES_MAX:
            raise InputError(
                "PATCH_TOO_BIG",
                f"A file of {found.size} bytes does not fit the envelope.",
                mend="Leave --integrate out: the file is then fetched.",
                where=str(taken.source),
            )
        return File(found.digest, found.size, f"#{component_name(component)}", taken.path.read_bytes())

    def _deltas(self, new: Taken) -> tuple[Delta, ...]:
        """Make a delta from each base; those that spare nothing are left out."""
        delta.require_size(new.found.size)
        image, made = _in_memory(new.path), []
        for base in self._wishes.delta_from:
            older = _in_memory(base)
            data = delta.make(older, image)
            if len(data) < new.found.size:
                kept = self._incoming.put(data, source=base).found
                file = File(kept.digest, kept.size, f"artefact/{kept.digest.hex()}")
                made.append(Delta(file, hashlib.sha256(older).digest(), len(older)))
        return tuple(made)


def _in_memory(path: Path) -> bytes:
    return files.read_bytes(path, what="image", mend="Leave --delta-from out.", size_max=IMAGE_BYTES_MAX)
