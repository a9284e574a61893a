"""``tocsin advisory publish``: to the devices."""

from __future__ import annotations

from rich.console import Console

from advisories.catalogue import Catalogue
from advisories.notice import Notice
from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    LeaveBehindOption,
    OperatorKeyOption,
    WorkspaceOption,
    ask_passphrase,
    emit,
    example,
    now,
    open_workspace,
)
from gateway.cli.own import Own, is_afar, own_key
from gateway.operations import advisories
from gateway.operations.advisories import publishing
from gateway.operations.advisories.publishing import Outcome
from gateway.operations.trust.choosing import signer_for
from gateway.workspace.folder import Workspace
from keys.cbor import decode
from keys.codec import unpack
from keys.document import digest, peek, seal
from keys.errors import RefusedError
from keys.reasons import Reason


@app.command("publish", epilog=example("advisory publish EX-2026-0001 --dry-run"))
def publish(
    advisory: IdArgument,
    *,
    dry_run: DryRunOption = False,
    leave_behind: LeaveBehindOption = False,
    key: OperatorKeyOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish the approved revision; the operator signs the catalogues that list it."""
    opened = open_workspace(workspace)
    if is_afar():
        own = own_key(key, workspace, role="operator" if key is None else None)
        signed = _signed_here(opened, advisory, own)
        done = publishing.submit(
            opened, advisory, catalogues=signed, now=now(), dry_run=dry_run, leave_behind=leave_behind
        )
    else:
        operator = signer_for(opened, "operator", ask_passphrase, key)
        issued = advisories.publish(
            opened, advisory, operator, now=now(), dry_run=dry_run, leave_behind=leave_behind
        )
        done = Outcome.of(issued)

    def human(out: Console) -> None:
        verb = "would be published" if dry_run else "is published" if done.changed else "was published before"
        out.print(
            f"{done.advisory} revision {done.revision} {verb}: digest {done.digest.hex()}", markup=False
        )
        for topic in done.topics:
            out.print(f"  {topic}", markup=False)

    emit(
        as_json,
        {
            "advisory": done.advisory,
            "revision": done.revision,
            "digest": done.digest,
            "topics": list(done.topics),
            "changed": done.changed and not dry_run,
            "dry_run": dry_run,
        },
        human,
    )


def _signed_here(opened: Workspace, advisory: str, own: Own) -> tuple[bytes, ...]:
    """Fetch the catalogues that are due, hold them to what is published, and sign them on this machine."""
    made = publishing.prepare(opened, advisory, now=now())
    notice, row = peek(made.header, Notice), digest(made.header)
    own.require_fleet(notice.fleet)
    signed = []
    for body in made.catalogues:
        catalogue = unpack(Catalogue, decode(body, size_max=Catalogue.BYTES_MAX))
        fits = (
            catalogue.type == Catalogue.TYPE
            and notice.id == advisory
            and catalogue.fleet == notice.fleet
            and set(catalogue.subject) <= set(notice.subject)
            and (notice.id, notice.revision, row) in catalogue.notices
        )
        if not fits:
            raise RefusedError(Reason.DIGEST_MISMATCH, f"this is no catalogue that lists {advisory}")
        signed.append(seal(catalogue, [own.signer]))
    return tuple(signed)
