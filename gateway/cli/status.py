"""``tocsin status``: how far the news and the patch have come, and whom no device has told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli import untold
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
from gateway.core.followup import HOURS
from gateway.operations import afar
from gateway.operations.status import AdvisoryStatus, Slice, Status
from gateway.operations.status import status as read_status
from gateway.operations.trust import expiry
from keys.errors import InputError

_STEPS = ("devices", "affected", "delivered", "verified", "shown", "acknowledged", "confirmed")
_RARE = ("silent", "led", "untold", "rejected", "not_applicable")
_FUNNEL = {  # step -> what is said of it, in the order of a device's way
    "affected": "affected",
    "possible": "possibly affected",
    "sent": "sent",
    "delivered": "delivered",
    "verified": "verified",
    "shown": "shown",
    "screen": "  on a screen",
    "console": "  on a console",
    "companion": "  on a companion",
    "acknowledged": "acknowledged",
    "confirmed": "confirmed as current",
    "patched": "patched",
    "not_told": "not told by their device",
    "unreachable": "  out of our reach",
    "silent": "  never reported",
    "rejected": "  rejected",
    "led": "  on an LED only",
    "untold": "  over before it was shown",
    "waiting": "  waiting",
    "not_applicable": "not concerned",
    "patched_before": "patched before they were told",
}
_ALWAYS = frozenset({"affected", "sent", "delivered", "shown", "acknowledged", "patched", "not_told"})


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.command("status", epilog=example("status EX-2026-0001 --by language,region"))(status)


def _print_advisory(found: AdvisoryStatus, out: Console, *, rare: bool) -> None:
    drill = " (exercise)" if found.exercise else ""
    out.print(
        f"{found.id} revision {found.revision}{drill}, check code {found.check_code}, "
        f"published {utc(found.published)}",
        markup=False,
    )
    # What is rarely needed gets a column only where there is something to count.
    shown = (*_STEPS, *(name for name in _RARE if rare and getattr(found.total.counts, name)))
    rows = [(name, *(getattr(f, step) for step in shown)) for name, f in found.products.items()]
    out.print(table(("product", *(name.replace("_", " ") for name in shown)), rows))


def _print_funnel(found: AdvisoryStatus, out: Console) -> None:
    counts, shares = found.total.counts, found.total.percents
    steps = [(step, words) for step, words in _FUNNEL.items() if step in _ALWAYS or getattr(counts, step)]
    rows = [
        (words, getattr(counts, step), f"{shares[step]:g}" if step in shares else "") for step, words in steps
    ]
    out.print(table(("step", "devices", "per cent"), rows))
    if found.seconds_p50 is not None and found.seconds_p99 is not None:
        half, most = _wait(found.seconds_p50), _wait(found.seconds_p99)
        out.print(f"from publishing to shown: half within {half}, 99 % within {most}", markup=False)
    if found.slices:
        _print_slices(found.slices, out)


def _print_slices(slices: tuple[Slice, ...], out: Console) -> None:
    apart = [
        name for name in ("product", "language", "region", "account") if getattr(slices[0], name) is not None
    ]
    columns = ("affected", "delivered", "shown", "acknowledged", "patched", "not_told")
    rows = []
    for part in slices:
        cells = [f"{getattr(part.counts, name)}{_percent(part, name)}" for name in columns]
        rows.append([*(getattr(part, name) or "-" for name in apart), *cells])
    out.print(table((*apart, *(name.replace("_", " ") for name in columns)), rows))


def _percent(part: Slice, name: str) -> str:
    share = part.percents.get(name)
    return f" ({share:g} %)" if share is not None else ""


def _wait(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:g} s"


def _counts(title: str, counts: Mapping[str, int]) -> Iterable[str]:
    if counts:
        yield f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts.items())


def _workers(found: Status) -> Iterable[str]:
    """Say which workers there are, where there is more than one, and what does not go well with them."""
    if len(found.workers) > 1:
        said = (
            f"{worker.name} {'ended' if worker.ended else 'leads' if worker.leads else 'works'}"
            for worker in found.workers
        )
        yield f"workers: {', '.join(said)}"
    if found.degraded:
        yield f"not well: {', '.join(found.degraded)}"


def _print_status(found: Status, out: Console, *, whole: bool) -> None:
    more = f", {found.unreachable} more are out of our reach" if found.unreachable else ""
    out.print(f"{found.devices} devices, {found.reporting} have reported{more}")
    for advisory in found.advisories:
        _print_advisory(advisory, out, rare=not whole)
        if whole:
            _print_funnel(advisory, out)
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
        *_workers(found),
    ):
        out.print(line, markup=False)


def status(
    advisory: Annotated[str | None, typer.Argument(help="Advisory id; all of them if left out.")] = None,
    *,
    split: Annotated[
        str, typer.Option("--by", metavar="NAMES", help="Tell apart by product, language, region, account.")
    ] = "",
    account: Annotated[str | None, typer.Option(help="Only this account's devices.")] = None,
    silent: Annotated[
        bool, typer.Option("--silent", help="List affected devices with no report since publication.")
    ] = False,
    letters: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the list for letters and calls, as CSV, to this file."),
    ] = None,
    hours: Annotated[
        int, typer.Option(help="After publication that a device has, before it is listed.")
    ] = HOURS,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write all that --silent lists to this file.")
    ] = None,
    limit: untold.LimitOption = 100,
    after: untold.AfterOption = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who was told, what is fixed and what was refused, from the gateway's store."""
    opened = open_workspace(workspace, quiet=True)
    if letters is not None:
        if advisory is None:
            mend = "Name it: tocsin status ADVISORY --letters FILE."
            raise InputError("NO_ADVISORY", "Letters are about one advisory.", mend=mend)
        untold.write_letters(opened, advisory, letters, hours=hours, account=account, as_json=as_json)
        return
    if silent:
        wanted = untold.Wanted(advisory, hours, account)
        if csv is not None:
            untold.write_silent(opened, wanted, csv, as_json=as_json)
        else:
            untold.show_silent(opened, wanted, limit=limit, after=after, as_json=as_json)
        return
    names = tuple(name.strip() for name in split.split(",") if name.strip())
    found = read_status(opened, advisory, split=names, account=account, now=now())
    warnings = () if isinstance(opened, afar.Server) else expiry.warnings(opened, now())

    def human(out: Console) -> None:
        _print_status(found, out, whole=advisory is not None or bool(names))
        for check in warnings:
            out.print(f"warning: {check.message} {check.mend}", markup=False)

    emit(as_json, {"status": found, "warnings": warnings}, human)
