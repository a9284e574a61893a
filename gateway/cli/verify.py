"""``tocsin verify``: is this file genuine, and does this evidence prove what it says?"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Final

import typer
from rich.console import Console

from gateway import files
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, say, utc
from gateway.core.evidence.verdict import Verdict
from gateway.operations.trust import public
from gateway.operations.trust.verify import Verdict as Genuine
from gateway.operations.trust.verify import Verified, verify
from gateway.workspace.folder import Workspace
from keys.errors import InputError, RefusedError
from keys.trusted import TrustedSet

PIPED_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Of evidence that comes through a pipe: it is copied to the disk, and an endless one has to end."""
_ZIP: Final = b"PK\x03\x04"  # evidence begins so, and no signed document can
_PIECE: Final = 64 * 1024


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("verify", epilog=example("verify notice.cose --root 1.cose"))(verify_)


def _roots(paths: list[Path]) -> TrustedSet:
    """Walk root files in the order given."""
    trusted: TrustedSet | None = None
    for path in paths:
        data = files.read_bytes(path, what="root", mend="Check the path.")
        try:
            if trusted is None:
                trusted = TrustedSet.enrol(data, None)
            else:
                trusted.update_root(data, None)
        except RefusedError as error:
            error.where = str(path)
            raise
    assert trusted is not None, "typer gives at least one path here"
    return trusted


def verify_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A signed document, a SUIT envelope, or evidence.")
    ],
    *,
    root: Annotated[
        list[Path] | None,
        typer.Option("--root", help="Root 1, and its successors in order; the workspace's if left out."),
    ] = None,
    fleet: Annotated[
        str | None,
        typer.Option(help="For evidence: digest of root 1 in hexadecimal, in the place of --root."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a file is genuine, who signed it, in which role and when; exit status 1 if it is not.

    Evidence ('tocsin evidence export') is proved from the file alone: no workspace, no network.
    """
    proof, data = None, b""
    with _opened(file) as stream:
        is_evidence = stream.read(len(_ZIP)) == _ZIP
        stream.seek(0)
        if is_evidence:
            proof = _judged(file, stream, _pinned(root, fleet, workspace))
        else:
            data = _read(file, stream)
    if proof is not None:
        _tell(file, proof, as_json=as_json)
        return
    classes: dict[bytes, str] = {}
    if root:
        trusted = _roots(root)
    else:
        opened = _workspace(workspace)
        trusted, classes = public.trusted(opened), public.classes(opened)
    found = verify(data, trusted, now=now(), classes=classes, where=str(file))
    emit(
        as_json,
        {"file": file, "root": trusted.root.version, "result": found},
        lambda out: _print(file, found, out),
    )
    if found.verdict is not Genuine.GENUINE:
        raise typer.Exit(1)


def _workspace(path: Path | None) -> Workspace:
    """Open the workspace whose root counts; whoever has none must say which root does."""
    try:
        return open_workspace(path)
    except InputError as error:
        if error.code != "NOT_A_WORKSPACE":
            raise
        message = "Nothing says which root you trust: there is none on the line, and this is no workspace."
        mend = "Name root 1 with --root, or for evidence its digest with --fleet."
        raise InputError("ROOT_UNNAMED", message, mend=mend) from None


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """Open what is to be judged, so that it can be read again; a pipe, which cannot, is copied once."""
    with files.os_errors(file, "read"), file.open("rb") as stream:
        if stream.seekable():
            yield stream
            return
        with tempfile.TemporaryFile() as copy:
            first = stream.read(len(_ZIP))
            size_max = PIPED_BYTES_MAX if first == _ZIP else files.NAMED_BYTES_MAX
            size = copy.write(first)
            while size <= size_max and (piece := stream.read(_PIECE)):
                size += copy.write(piece)
            if size > size_max:
                raise _too_big(file, size_max, "Write it into a file, and name that.")
            copy.seek(0)
            yield copy


def _read(file: Path, stream: IO[bytes]) -> bytes:
    data = stream.read(files.NAMED_BYTES_MAX + 1)
    if len(data) > files.NAMED_BYTES_MAX:
        raise _too_big(file, files.NAMED_BYTES_MAX, "Check the path.")
    return data


def _too_big(file: Path, size_max: int, mend: str) -> InputError:
    return InputError("FILE_TOO_BIG", f"The file has more than {size_max} bytes.", mend=mend, where=str(file))


def _pinned(root: list[Path] | None, fleet: str | None, workspace: Path | None) -> bytes:
    """Return the digest of the root 1 that the reader trusts."""
    if root:
        return _roots(root).fleet
    if fleet is None:
        return public.fleet(_workspace(workspace))
    try:
        pinned = bytes.fromhex(fleet)
    except ValueError:
        pinned = b""
    if len(pinned) != 32:
        message = "--fleet: a digest has 64 hexadecimal digits."
        raise InputError("BAD_VALUE", message, mend="'tocsin root show' of the fleet's workspace says it.")
    return pinned


def _judged(file: Path, stream: IO[bytes], pinned: bytes) -> Verdict:
    from gateway.core.evidence import verify as evidence  # noqa: PLC0415 - only this kind of file needs it

    try:
        return evidence.verify(stream, pinned)
    except InputError as error:
        error.where = str(file)
        raise


def _tell(file: Path, found: Verdict, *, as_json: bool) -> None:
    emit(
        as_json,
        {"file": file, "proved": found.proved, "evidence": found},
        lambda out: _print_evidence(file, found, out),
    )
    if not found.proved:
        raise typer.Exit(1)


def _print_evidence(file: Path, found: Verdict, out: Console) -> None:
    whose = "" if found.account is None else f", account {found.account}"
    say(f"{file}: {'proved' if found.proved else 'NOT proved'} ({found.advisory}{whose})")(out)
    for one in found.findings:
        say(f"  {one.fault.value}: {one.where}: {one.detail}")(out)
    if found.more:
        say(f"  and {found.more} more")(out)
    for text in (*_people(found), *_sums(found)):
        say(text)(out)


def _people(found: Verdict) -> Iterator[str]:
    for revision in found.revisions:
        published = utc(revision["published"])
        yield f"Revision {revision['revision']}, check code {revision['check_code']}, published {published}"
        for given in found.approvals:
            if given.revision == revision["revision"]:
                when = "" if given.at is None else f", {utc(given.at)}"
                yield f"  signed by {given.holder} ({', '.join(given.roles)}), key {given.kid}{when}"


def _sums(found: Verdict) -> Iterator[str]:
    for outcome, many in sorted(found.summary.items()):
        yield f"{outcome}: {many}"
    yield f"{found.reports} reports by devices' own keys; rows 1 to {found.rows} of the audit chain"
    for rule, many in sorted(found.erased.items()):
        yield f"erased by rule '{rule}': {many} reports"
    for kind, many in found.anomalies.items():
        yield f"anomaly {kind}: {many}"
    for who, row, seconds in (
        ("the gateway's signature", found.vouched_by_gateway, found.vouched_by_gateway_at),
        ("devices' echoes", found.vouched_by_devices, found.vouched_by_devices_at),
    ):
        yield f"vouched for by {who}: rows 1 to {row}, {utc(seconds)}"
    for note in found.notes:
        yield f"note: {note}"
    yield f"digest {found.digest}"
    for holder in found.signed_by:
        yield f"signed as a whole by {holder} (operator)"


def _print(file: Path, found: Verified, out: Console) -> None:
    detail = f" ({found.reason.name}: {found.detail})" if found.verdict is not Genuine.GENUINE else ""
    out.print(f"{file}: {found.verdict.value}{detail}", markup=False)
    about = " ".join(part for part in (found.type, found.name, ", ".join(found.subject)) if part)
    out.print(about, markup=False)
    for signed in found.signed:
        out.print(f"signed by {signed.holder} ({', '.join(signed.roles)}), key {signed.kid}", markup=False)
    if found.issued is not None:
        out.print(f"issued {utc(found.issued)}, expires {utc(found.expires)}")
    out.print(f"digest {found.digest}")
    if found.check_code:
        out.print(f"check code {found.check_code}")
