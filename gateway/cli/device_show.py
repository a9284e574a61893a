"""``tocsin device show``: what the gateway knows of one device."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from gateway.cli import device_facts
from gateway.cli.output import JsonOption, WorkspaceOption, emit, open_workspace, table, utc
from gateway.cli.show import line
from gateway.core.tracks import PatchRow
from gateway.operations.identity.standing import DeviceStanding, standing
from gateway.operations.inventory import listing
from keys.errors import InputError


def show(
    device: Annotated[str, typer.Argument(metavar="ID", help="Device id; its first digits will do.")],
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where a device stands: notices, patches with their consent, and what did not fit together."""
    opened = open_workspace(workspace, quiet=True)
    try:
        found = standing(opened, device)
    except InputError:
        known = listing.show(opened, device)  # maybe it runs nothing of ours
        emit(as_json, {"standing": None, "facts": known}, lambda out: line(out, device_facts.line(known)))
        return
    facts = listing.show(opened, found.device.id)

    def human(out: Console) -> None:
        _print(found, out)
        if facts.source:
            line(out, device_facts.line(facts))

    emit(as_json, {"standing": found, "facts": facts}, human)


def _print(found: DeviceStanding, out: Console) -> None:
    device = found.device
    line(
        out,
        f"{device.id}: {device.product}, runs {device.installed or '?'}, language {device.language or '?'}, "
        f"{found.reports} reports, the last {utc(device.seen)}",
    )
    notices = [
        (
            f"{name} {row.revision}",
            _plain(row.state.name),
            utc(row.shown),
            utc(row.acknowledged),
            row.language or "-",
        )
        for name, row in found.notices.items()
    ]
    if notices:
        out.print(table(("notice", "state", "shown", "acknowledged", "language"), notices))
    patches = [
        (
            f"{each.row.sequence} {each.version or each.digest.hex()[:16]}",
            _state(each.row),
            _plain(each.row.reason.name),
            _consent(each.row),
            each.row.deferrals or 0,
            each.suit or "-",
        )
        for each in found.patches
    ]
    if patches:
        out.print(table(("patch", "state", "reason", "consent", "put off", "SUIT report"), patches))
    for anomaly in found.anomalies:
        line(out, f"anomaly {utc(anomaly.time)}: {anomaly.kind}, {anomaly.detail}")


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")


def _state(row: PatchRow) -> str:
    return _plain(row.state.name) + ("" if row.done is None else f", {row.done} %")


def _consent(row: PatchRow) -> str:
    if row.consent is None:
        return "-"
    tag = f" in {row.consent.language}" if row.consent.language else ""
    return f"{row.consent.how.name.lower()} {utc(row.consent.time)}{tag}"
