"""Taking a list's facts into the inventory: with a file here, or from afar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.rights import Caller
from gateway.operations.afar import operation
from gateway.operations.identity import device_import
from gateway.operations.identity.device_import import Read
from gateway.operations.inventory.facts import read_labels
from gateway.operations.inventory.mapping import Source, Ways, read_paths
from gateway.store import audit
from gateway.store.inventory import Put, put
from gateway.workspace.folder import Workspace
from keys.errors import InputError

FAULTS_TOLD_MAX: Final = 50
BODY_BYTES_MAX: Final = 32 * 1024 * 1024  # of a list that comes from afar


@dataclass(frozen=True, slots=True)
class Taken:
    """What a list came to."""

    rows: int
    fresh: int
    """Devices of which nothing stood in the inventory before."""
    changed: int
    same: int
    unreachable: int
    """Rows of devices that run nothing of ours."""
    skipped: int


def take(workspace: Workspace, read: Read, name: str, *, by: str, now: float, rehearse: bool = False) -> Put:
    """Write what a list that was read says of devices into the inventory, all of it or nothing.

    Args:
        workspace: where.
        read: without faults.
        name: of the list, for the audit trail.
        by: who gave it.
        now: UTC seconds.
        rehearse: go through everything and change nothing.
    """
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = rehearse
        with store.write() as session:
            done = put(session, read.entries, now)
            if done.fresh or done.changed:
                facts = {"by": by, "changed": done.changed, "digest": read.digest, "list": name}
                audit.append(session, "inventory.imported", {**facts, "new": done.fresh}, now)
    return done


def send(workspace: Workspace, data: bytes, name: str, ways: Ways, *, now: int, rehearse: bool) -> Put:
    """Let a server take a list's facts into its inventory; those with a key are registered there by now."""
    done = import_(
        workspace,
        data,
        now=now,
        by="",
        name=name,
        source=ways.source,
        mapping=ways.paths,
        products=ways.products,
        product=ways.product,
        account=ways.account,
        labels=ways.labels,
        skip_others=ways.skip_others,
        rehearse=rehearse,
    )
    return Put(fresh=done.fresh, changed=done.changed, same=done.same)


@operation("POST", "/inventory", right="device:write", raw="data", body_max=BODY_BYTES_MAX)
def import_(
    workspace: Workspace,
    data: bytes,
    *,
    now: int,
    by: str,
    name: str = "list",
    source: Source | None = None,
    mapping: Mapping[str, str] | None = None,
    products: Mapping[str, str] | None = None,
    product: str | None = None,
    account: str | None = None,
    labels: Mapping[str, str] | None = None,
    skip_others: bool = False,
    rehearse: bool = False,
    asker: Caller | None = None,
) -> Taken:
    """Take a list of devices into the inventory: CSV, JSON, or an export of hawkBit or AWS IoT.

    A list with keys is refused: what registers a device is signed by the operator, on the operator's machine.
    So is any list under a token of one account: rows name devices, and owners, as they like.

    Raises:
        InputError: FORBIDDEN, BAD_LIST, LIST_FAULTS, LIST_HAS_KEYS, BAD_MAPPING.
    """
    if asker is not None and asker.account is not None:
        message = f"A list may name devices of others; this token is for the account '{asker.account}' only."
        raise InputError(
            "FORBIDDEN", message, mend="Let somebody bring it whose token is for the whole fleet."
        )
    ways = Ways(
        source=source,
        paths=read_paths([f"{name}={path}" for name, path in (mapping or {}).items()]),
        products=products or {},
        product=product,
        account=account,
        labels=read_labels([f"{name}={value}" for name, value in (labels or {}).items()]),
        skip_others=skip_others,
    )
    read = device_import.read_data(workspace, data, name, now=now, ways=ways)
    if read.faults:
        shown = " ".join(str(fault) for fault in read.faults[:FAULTS_TOLD_MAX])
        message = f"{len(read.faults)} of {read.rows} rows are at fault; nothing was taken. {shown}"
        raise InputError("LIST_FAULTS", message, mend="Mend these lines and try again.")
    if read.fresh and not rehearse:
        message = f"{len(read.fresh)} rows have a key: they are to be registered."
        mend = "Say 'tocsin device import' where the operator's key is."
        raise InputError("LIST_HAS_KEYS", message, mend=mend)
    done = take(workspace, read, name, by=by, now=now, rehearse=rehearse)
    return Taken(read.rows, done.fresh, done.changed, done.same, read.keyless, read.skipped)
