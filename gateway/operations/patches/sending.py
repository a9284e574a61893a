"""A patch that is made on one machine and kept on another: files go there first, then what names them."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from advisories import suit
from advisories.limits import ENVELOPE_BYTES_MAX
from gateway import files
from gateway.operations import products
from gateway.operations.afar import Server, operation
from gateway.operations.patches import making
from gateway.operations.patches.checking import check, floor_of, refuse
from gateway.operations.patches.making import Wishes, composed, next_number
from gateway.operations.patches.payloads import Incoming
from gateway.operations.patches.views import Kept, PatchView, kept, path_of, view_of
from gateway.workspace.folder import Workspace, add_artefact
from keys.errors import InputError

UPLOAD_BYTES_MAX: Final = 64 * 1024 * 1024  # of one file that comes from afar
_DIGEST: Final = re.compile("[0-9a-f]{64}")
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
    """Make an unsigned patch, see :func:`making.add`; for a server it is made here, and sent there.

    Raises:
        InputError: of :func:`making.add`; PATCH_UPLOAD, for a file that is too large to be sent.
    """
    if not isinstance(workspace, Server):
        return making.add(workspace, product, image, now=now, texts=texts, sequence=sequence, wishes=wishes)
    entry = products.show(workspace, product)
    with tempfile.TemporaryDirectory(prefix="tocsin-patch-") as folder, Incoming(Path(folder)) as incoming:
        number = number_of_next(workspace, now=now, sequence=sequence)
        floor = floor_of(workspace, product)
        envelope = composed(
            entry, incoming, image, number=number, floor=floor, texts=texts or {}, wishes=wishes
        )
        for taken in incoming.waiting():
            if taken.found.size > UPLOAD_BYTES_MAX:
                message = f"A file of {taken.found.size} bytes is too large to be sent to a server."
                mend = "Make the patch in the workspace's own folder."
                raise InputError("PATCH_UPLOAD", message, mend=mend, where=str(taken.source))
            upload(workspace, taken.found.digest.hex(), taken.path.read_bytes())
    made = put(workspace, envelope)
    return view_of(workspace, made.envelope, Path(f"{made.sequence}.suit"))


@operation("GET", "/patches/number", right="patch:read")
def number_of_next(workspace: Workspace, *, now: int, sequence: int | None = None) -> int:
    """Return the number of the patch that comes next; with ``sequence``, that one, if it may.

    Raises:
        InputError: PATCH_EXISTS.
    """
    return next_number(workspace, now, sequence)


@operation("PUT", "/artefacts/{digest}", right="patch:write", raw="data", body_max=UPLOAD_BYTES_MAX)
def upload(workspace: Workspace, digest: str, data: bytes) -> int:
    """Keep a file that patches may name; return its bytes.

    Args:
        workspace: where.
        digest: hexadecimal SHA-256 of its bytes.
        data: its bytes.

    Raises:
        InputError: BAD_VALUE, when that is not their digest.
    """
    if _DIGEST.fullmatch(digest) is None or hashlib.sha256(data).hexdigest() != digest:
        message = "This is not the SHA-256 of what was sent."
        raise InputError("BAD_VALUE", message, mend="Write it in hexadecimal, and send the file again.")
    with workspace.lock():
        add_artefact(workspace, data)
    return len(data)


@operation("POST", "/patches", right="patch:write", raw="envelope")
def put(workspace: Workspace, envelope: bytes) -> Kept:
    """Keep an unsigned patch whose files are there already.

    Args:
        workspace: where.
        envelope: a SUIT envelope, untrusted.

    Raises:
        InputError: PATCH_TOO_BIG, PATCH_SIGNED, PATCH_EXISTS, NO_PRODUCT; or the code of what a file and its
            manifest disagree in.
        RefusedError: it is no SUIT envelope.
    """
    if len(envelope) > ENVELOPE_BYTES_MAX:
        message = f"The envelope has more than {ENVELOPE_BYTES_MAX} bytes."
        raise InputError("PATCH_TOO_BIG", message, mend="Leave --integrate out.")
    patch = suit.peek(envelope)
    if suit.decode(envelope).blocks:
        message = "This patch is signed already: signatures are taken one by one."
        raise InputError("PATCH_SIGNED", message, mend="Send it without any.")
    with workspace.lock():
        number = next_number(workspace, 0, patch.sequence)
        path = path_of(workspace, number)
        view = view_of(workspace, envelope, path)
        refuse(check(workspace, view.product, patch, None))
        files.write_atomic(path, envelope)
    return kept(view)
