"""Where a release lies in the workspace while approvals are collected: ``advisories/<id>/r<revision>/``.

header.cbor        the exact bytes that every approval signs, once they are fixed
header.cose        the same with the signatures so far
texts/, outputs/   what the header binds by digest; release-list.cbor names the outputs
source/            the facts and the setting that all of it was made of

``advisories/<id>/approved/<digest>/`` keeps what somebody signed once, so that the next approver sees what
changed since, also when an edit has made that approval void.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from advisories.compose import FACTS, SETTING, Release
from advisories.limits import NOTICE_PAGES_MAX
from advisories.render.pages import from_pbm
from gateway import files
from gateway.workspace.folder import Workspace
from keys.codec import dump

LIST: Final = "release-list.cbor"


def folder(workspace: Workspace, advisory: str, revision: int) -> Path:
    """Return where a revision lies."""
    return workspace.path / "advisories" / advisory / f"r{revision}"


def stored(workspace: Workspace, advisory: str, revision: int) -> bytes | None:
    """Return the header with the approvals so far, or None before the first."""
    path = folder(workspace, advisory, revision) / "header.cose"
    return path.read_bytes() if path.exists() else None


def fixed(workspace: Workspace, advisory: str, revision: int) -> bytes | None:
    """Return the header's bytes that were handed out to be signed, or None."""
    path = folder(workspace, advisory, revision) / "header.cbor"
    return path.read_bytes() if path.exists() else None


def setting(workspace: Workspace, advisory: str, revision: int) -> bytes | None:
    """Return the setting in which a revision was composed, or None before that."""
    path = folder(workspace, advisory, revision) / SETTING
    return path.read_bytes() if path.exists() else None


def drawn(workspace: Workspace, advisory: str, revision: int) -> dict[str, tuple[bytes, ...]]:
    """Return the drawn pages that were stored with a revision: language -> pages."""
    outputs = folder(workspace, advisory, revision) / "outputs"
    found: dict[str, tuple[bytes, ...]] = {}
    for number in range(1, NOTICE_PAGES_MAX + 1):
        for path in outputs.glob(f"*/small-{number}.pbm"):
            page = from_pbm(files.read_bytes(path, what="drawn page", mend="Start over."))
            found[path.parent.name] = (*found.get(path.parent.name, ()), page or b"")
    return found


def keep(folder: Path, release: Release) -> None:
    """Store the release whole: written beside, then moved into place."""
    fresh = folder.with_name(f".{folder.name}.new")
    old = folder.with_name(f".{folder.name}.old")
    with files.os_errors(folder, "written"):
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        for name, data in _release_files(release).items():
            files.write_atomic(fresh / name, data)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        files.sync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)


def _release_files(release: Release) -> dict[str, bytes]:
    texts = {f"texts/{language}.cbor": data for language, data in release.texts.items()}
    outputs = {f"outputs/{name}": data for name, data in release.outputs.items()}
    header = dump(release.header)
    return {
        **texts,
        **outputs,
        **release.sources,
        LIST: release.release_list,
        "header.cbor": header,
    }


def _approved(workspace: Workspace, advisory: str, digest: str) -> Path:
    return workspace.path / "advisories" / advisory / "approved" / digest


def remember(workspace: Workspace, advisory: str, digest: bytes, release: Release) -> None:
    """Keep what a release was made of under the digest that is being signed."""
    folder = _approved(workspace, advisory, digest.hex())
    for name, data in {**release.sources, LIST: release.release_list}.items():
        path = folder / name
        if not path.exists():
            files.write_atomic(path, data)


def remembered(workspace: Workspace, advisory: str, digest: str) -> dict[str, bytes] | None:
    """Return what a digest that somebody signed was made of, by name, or None where it is not known.

    Args:
        workspace: where.
        advisory: its id.
        digest: 64 hexadecimal digits.
    """
    return _kept(_approved(workspace, advisory, digest))


def last(workspace: Workspace, advisory: str, revision: int) -> dict[str, bytes] | None:
    """Return what a stored revision was made of, by name, or None where it is not known."""
    return _kept(folder(workspace, advisory, revision))


def _kept(folder: Path) -> dict[str, bytes] | None:
    names = (FACTS, SETTING, LIST)
    found = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    return found if FACTS in found else None


def digest_of(header: bytes) -> bytes:
    """Return the SHA-256 of a header's bytes: what people compare."""
    return hashlib.sha256(header).digest()
