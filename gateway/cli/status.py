"""``tocsin status``: seeing how far the news and the patch have come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    now,
    open_workspace,
    table,
    utc,
)
from gateway.cli.rollout import print_rollout
from gateway.operations.status import AdvisoryStatus, Status
from gateway.operations.status import status as read_status
from gateway.operations.trust import expiry


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.command("status", epilog=example("status EX-2026-0001"))(status)


def _print_advisory(found: AdvisoryStatus, out: Console) -> None:
    drill = " (exercise)" if found.exercise else ""
    out.print(
        f"{found.id} revision {found.revision}{drill}, check code {found.check_code}, "
        f"published {utc(found.published)}",
        markup=False,
    )
    steps = ("devices", "affected", "delivered", "verified", "shown", "acknowledged", "confirmed")
    # What is rarely needed gets a column only where there is something to count.
    rare = ("silent", "led", "untold", "rejected", "not_applicable")
    shown = (*steps, *(name for name in rare if any(getattr(f, name) for f in found.products.values())))
    columns = ("product", *(name.replace("_", " ") for name in shown))
    rows = [(name, *(getattr(f, step) for step in shown)) for name, f in found.products.items()]
    out.print(table(columns, rows))


def _counts(title: str, counts: Mapping[str, int]) -> Iterable[str]:
    if counts:
        yield f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts.items())


def _print_status(found: Status, out: Console) -> None:
    out.print(f"{found.devices} devices, {found.reporting} have reported")
    for advisory in found.advisories:
        _print_advisory(advisory, out)
    if found.patches:
        columns = ("patch", "version", "patched", "failed", "states", "consent")
        rows = [
            (
                f"{p.product} {p.sequence}",
                p.version,
                p.patched,
                p.failed,
                ", ".join(f"{name.lower()} {count}" for name, count in p.states.items()),
                ", ".join(f"{name.lower()} {count}" for name, count in p.agreed.items()),
            )
            for p in found.patches
        ]
        out.print(table(columns, rows))
    for view in found.rollouts:
        print_rollout(view, out)
    for line in (
        *_counts("refused by devices", found.refused),
        *_counts("quarantined", found.quarantined),
        *_counts("anomalies", found.anomalies),
        *_counts("served since the gateway's start", found.served),
    ):
        out.print(line, markup=False)


def status(
    advisory: Annotated[str | None, typer.Argument(help="Advisory id; all of them if left out.")] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who was told, what is fixed and what was refused, from the gateway's store."""
    opened = open_workspace(workspace, quiet=True)
    found, warnings = read_status(opened, advisory), expiry.warnings(opened, now())

    def human(out: Console) -> None:
        _print_status(found, out)
        for check in warnings:
            out.print(f"warning: {check.message} {check.mend}", markup=False)

    emit(as_json, {"status": found, "warnings": warnings}, human)
