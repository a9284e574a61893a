"""``tocsin patch check``: do the files in place agree with the manifest that names them?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from advisories.suit import Content, Patch, encode, peek
from advisories.suit.check import Finding, Found, Promise, files_named, findings, other_images
from advisories.suit.numbers import ComponentTextKey
from advisories.suit.patch_plan import component_name
from advisories.versions import Version, parse_version
from gateway.operations.afar import Server, operation
from gateway.operations.patches.payloads import measured
from gateway.operations.trust import public
from gateway.workspace.folder import Workspace
from keys.errors import InputError, RefusedError


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one file."""

    component: str
    """The component that it is for."""
    path: Path
    findings: tuple[Finding, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing blocks."""
        return not any(finding.blocks for finding in self.findings)


def check(
    workspace: Workspace | None, product: str | None, patch: Patch, image: Path | None
) -> list[Checked]:
    """Compare the files of a patch with what its manifest says of them.

    Args:
        workspace: where the files lie; None compares ``image`` only.
        product: whose newest published patch sets the security counter's floor; None: nobody's.
        patch: opened or peeked.
        image: a file to compare instead of the one in place; it is for the component that boots.

    Raises:
        InputError: NO_IMAGE without a workspace and a file; FILE_MISSING for a file that was named.
    """
    if workspace is None and image is None:
        raise InputError(
            "NO_IMAGE",
            "There is no file to compare the manifest with.",
            mend="Say --image FILE, or run this in the workspace that holds it.",
        )
    if isinstance(workspace, Server):
        if image is None:
            rows = compare(workspace, encode(patch.envelope))
            return [Checked(row.component, Path(row.file), row.findings) for row in rows]
        floor = 0 if product is None else floor_of(workspace, product)
    else:
        floor = 0 if workspace is None or product is None else counter_floor(workspace, product)
    checked = []
    for number, content in enumerate(patch.payloads):
        promise = _promise(patch, content, boots=number == 0, floor=floor)
        if image is not None and number == 0:
            checked.append(_compared(promise, content, image, measured(image)))
        elif workspace is not None and content.uri and image is None:
            path = workspace.artefacts / content.digest.hex()
            checked.append(_in_place(promise, content, path))
    if workspace is not None and image is None:
        checked += _others(workspace, patch, floor)
    return checked


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one file elsewhere."""

    component: str
    file: str
    """Below the workspace."""
    findings: tuple[Finding, ...]


@operation("POST", "/patch-checks", right="patch:read", raw="envelope")
def compare(workspace: Workspace, envelope: bytes) -> tuple[Compared, ...]:
    """Compare the files that lie in the workspace with the manifest that names them.

    Args:
        workspace: where.
        envelope: untrusted.

    Raises:
        RefusedError: it is no SUIT envelope.
    """
    patch = peek(envelope)
    product = public.classes(workspace).get(patch.class_id)
    return tuple(
        Compared(one.component, str(one.path.relative_to(workspace.path)), one.findings)
        for one in check(workspace, product, patch, None)
    )


@operation("GET", "/products/{product}/security-counter", right="patch:read")
def floor_of(workspace: Workspace, product: str) -> int:
    """Return the security counter of a product's newest published patch; 0 where none is known."""
    return counter_floor(workspace, workspace.product(product).id)


def refuse(checked: Iterable[Checked]) -> None:
    """Refuse files that disagree with their manifest.

    Raises:
        InputError: with the code of the first finding that blocks.
    """
    for one in checked:
        for finding in one.findings:
            if finding.blocks:
                raise InputError(finding.code, finding.message, mend=finding.mend, where=str(one.path))


def counter_floor(workspace: Workspace, product: str) -> int:
    """Return the security counter of a product's newest published patch; 0 where none is known."""
    place = workspace.store_place
    if isinstance(place, Path) and not place.is_file():
        return 0
    with workspace.store() as store, store.read() as session:
        last = session.document("patch", product)
    if last is None:
        return 0
    try:
        found = measured(workspace.artefacts / peek(last.bytes).image_digest.hex())
    except (InputError, RefusedError):  # its image was cleared away: devices hold to their own floor
        return 0
    return (found.image.security_counter or 0) if found.image else 0


def _promise(patch: Patch, content: Content, *, boots: bool, floor: int) -> Promise:
    version = patch.version if boots else _version(patch, content)
    return Promise(
        content.digest,
        content.size,
        version,
        patch.vendor_id,
        patch.class_id,
        boots=boots,
        counter_floor=floor,
    )


def _version(patch: Patch, content: Content) -> Version | None:
    """Return the version that the texts state for a component beside the one that boots."""
    for text in patch.manifest.texts.values():
        stated = text.components.get(content.component, {}).get(ComponentTextKey.COMPONENT_VERSION)
        if stated is not None:
            try:
                return parse_version(stated)
            except ValueError:
                return None
    return None


def _compared(promise: Promise, content: Content, path: Path, found: Found) -> Checked:
    return Checked(component_name(content.component), path, findings(promise, found))


def _in_place(promise: Promise, content: Content, path: Path) -> Checked:
    try:
        return _compared(promise, content, path, measured(path))
    except InputError:
        return Checked(component_name(content.component), path, (_missing("file"),))


def _missing(what: str) -> Finding:
    return Finding(
        "FILE_ABSENT",
        blocks=True,
        message=f"The {what} that the manifest names is not in the workspace.",
        mend="Make the patch again with 'tocsin patch add', or restore it from a copy.",
    )


def _others(workspace: Workspace, patch: Patch, floor: int) -> Iterator[Checked]:
    """Compare deltas and images for the other slot with the digests under which they are fetched.

    Where there is one component, such an image is for it, and is held to what the first one is held to.
    """
    whole = {content.digest for content in patch.payloads}
    images = other_images(patch) if len(patch.manifest.components) == 1 else ()
    for digest in files_named(patch):
        if digest in whole:
            continue
        path = workspace.artefacts / digest.hex()
        try:
            found = measured(path)
        except InputError:
            yield Checked("", path, (_missing("delta or second image"),))
            continue
        wrong: Iterable[Finding] = ()
        if found.digest != digest:
            wrong = (_differs(),)
        elif digest in images:
            content = Content(patch.component, digest, found.size, "")
            promise = _promise(patch, content, boots=True, floor=floor)
            wrong = (finding for finding in findings(promise, found) if finding.blocks)
        yield Checked("", path, tuple(wrong))


def _differs() -> Finding:
    return Finding(
        "FILE_DIFFERS",
        blocks=True,
        message="A delta or second image in the workspace is not the one that the manifest names.",
        mend="Make the patch again with 'tocsin patch add', or restore it from a copy.",
    )
