"""``tocsin device list`` and ``device set``: who there is, and what is known of them beside what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

import typer
from rich.console import Console

from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    go_on,
    now,
    open_workspace,
    say,
    table,
    utc,
)
from gateway.operations.inventory import facts, listing
from gateway.operations.inventory.listing import DeviceFacts, Reach
from gateway.store.inventory import OPERATOR
from gateway.workspace.folder import Workspace
from keys.errors import InputError

_PAGE: Final = 1_000  # devices asked for at once


def register(app: typer.Typer) -> None:
    """Add these commands to the group ``device``."""
    app.command("list", epilog=example("device list --where 'product = thermostat and region = DE'"))(list_)
    app.command("set", epilog=example("device set 3f9a --region DE --label site=north"))(set_)


def list_(
    *,
    where: Annotated[
        str, typer.Option(help="Which: product, version, region, account and label.NAME, with and, or, not.")
    ] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, max=listing.LIMIT_MAX, help="So many at most; all if left out.")
    ] = None,
    after: Annotated[str, typer.Option(help="Only those behind this id.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List devices by id: what they run, when they were heard last, and until when each counts.

    Devices that run nothing of ours stand there too, where the inventory knows them.
    """
    opened = open_workspace(workspace)
    if limit is None:
        rows, following = list(_every(opened, where, after)), ""
    else:
        page = listing.list_(opened, where=where, limit=limit, after=after)
        rows, following = list(page.items), page.next
    at = now()
    cells = [
        (
            r.id,
            r.product,
            r.installed or "-",
            r.language or "-",
            utc(r.seen),
            _standing(r, at),
            utc(r.certificate_end),
        )
        for r in rows
    ]

    def human(out: Console) -> None:
        columns = ("device", "product", "runs", "language", "seen", "record", "certificate until")
        out.print(table(columns, cells))
        go_on(following, out)

    emit(as_json, {"devices": rows, "next": following}, human)


def _every(workspace: Workspace, where: str, after: str) -> Iterator[DeviceFacts]:
    """Yield all devices, as many at a time as one answer of a server holds."""
    while True:
        found = listing.list_(workspace, where=where, limit=_PAGE, after=after)
        yield from found.items
        after = found.next
        if not after:
            return


def _standing(row: DeviceFacts, at: int) -> str:
    """Say whether a record counts, for people."""
    if row.valid_to is None or row.valid_from is None:
        return "by letter"
    if row.revoked:
        return "revoked"
    if row.valid_to <= at:
        return "over"
    day = utc(row.valid_to if row.valid_from <= at else row.valid_from)[:10]
    return f"{'until' if row.valid_from <= at else 'from'} {day}"


def set_(
    device: Annotated[str, typer.Argument(metavar="ID", help="The device.")],
    *,
    region: Annotated[str | None, typer.Option(help="Where it stands, such as DE.")] = None,
    account: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    version: Annotated[str | None, typer.Option(help="What runs there, where it does not say so.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A label; repeat it.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note what is known of a device; an empty value takes away what was known."""
    labels = facts.read_labels(label or [])
    if region is None and account is None and version is None and not labels:
        mend = "Say --region, --account, --version or --label."
        raise InputError("USAGE", "There is nothing to note.", mend=mend)
    found = listing.set_facts(
        open_workspace(workspace),
        device,
        region=region,
        account=account,
        version=version,
        labels=labels,
        now=now(),
        by=OPERATOR,
    )
    emit(as_json, {"device": found}, say(line(found)))


def line(found: DeviceFacts) -> str:
    """Say in one line what is known of a device from elsewhere."""
    parts = {
        "runs": found.installed if found.reach is Reach.NONE else None,
        "region": found.region,
        "account": found.account,
        "labels": ", ".join(f"{name}={value}" for name, value in found.labels.items()),
        f"{found.source}:": found.external,
    }
    said = "; ".join(f"{name} {value}" for name, value in parts.items() if value)
    alone = " It runs nothing of ours: its owner is told by letter." if found.reach is Reach.NONE else ""
    return f"{found.id}: {found.product}; {said or 'nothing else is known'}.{alone}"
