"""Lists of devices whose owners were not told by them: on the screen in pages, whole as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway import files
from gateway.cli.output import (
    emit,
    go_on,
    now,
    table,
    utc,
)
from gateway.core.sheet import sheet
from gateway.operations import untold
from gateway.operations.untold import LIMIT_MAX, Recipient, UntoldDevice, UntoldDevices
from gateway.workspace.folder import Workspace

LimitOption = Annotated[
    int, typer.Option("--limit", min=1, max=LIMIT_MAX, help="Show at most so many of a list.")
]
AfterOption = Annotated[str, typer.Option("--after", help="Go on behind these: what 'next' said.")]
COLUMNS = (
    *("account", "name", "contact language", "person", "email", "phone", "address"),
    *("advisory", "device", "product", "region", "version", "language", "inventory name"),
    *("why", "affected", "last report", "followed up by", "outcome"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which silent devices are asked for."""

    advisory: str | None
    hours: int
    account: str | None


def show_silent(workspace: Workspace, wanted: Wanted, *, limit: int, after: str, as_json: bool) -> None:
    """Show one page of the silent devices."""
    found = _silent(workspace, wanted, limit, after)

    def human(out: Console) -> None:
        columns = (
            "advisory",
            "device",
            "product",
            "account",
            "version",
            "last report",
            "followed up by",
            "outcome",
        )
        rows = [
            (
                row.advisory,
                row.device,
                row.product,
                row.account or "-",
                row.version or "not known",
                utc(row.seen),
                row.owner or "nobody yet",
                row.outcome.value if row.outcome is not None else "-",
            )
            for row in found.items
        ]
        if rows:
            out.print(table(columns, rows))
        else:
            out.print("No affected device is silent.")
        for name in found.not_yet:
            line = f"{name} was published less than {wanted.hours} hours ago: its devices are not listed yet."
            out.print(line, markup=False)
        go_on(found.next, out)

    emit(as_json, {"silent": found}, human)


def write_silent(workspace: Workspace, wanted: Wanted, path: Path, *, as_json: bool) -> None:
    """Write all silent devices to a CSV file."""
    _write(path, lambda after: _silent(workspace, wanted, LIMIT_MAX, after), as_json=as_json)


def write_letters(
    workspace: Workspace, advisory: str, path: Path, *, hours: int, account: str | None, as_json: bool
) -> None:
    """Write to a CSV file who has to be told by letter or call about an advisory."""

    def page(after: str) -> UntoldDevices:
        return untold.letters(
            workspace, advisory, now=now(), hours=hours, account=account, limit=LIMIT_MAX, after=after
        )

    _write(path, page, as_json=as_json)


def _silent(workspace: Workspace, wanted: Wanted, limit: int, after: str) -> UntoldDevices:
    return untold.silent(
        workspace,
        wanted.advisory,
        now=now(),
        hours=wanted.hours,
        account=wanted.account,
        limit=limit,
        after=after,
    )


def _write(path: Path, page: Callable[[str], UntoldDevices], *, as_json: bool) -> None:
    pages = list(_pages(page))
    accounts = {recipient.id: recipient for found in pages for recipient in found.accounts}
    devices = [row for found in pages for row in found.items]
    with files.os_errors(path, "written"):
        files.write_atomic(path, sheet(COLUMNS, _rows(devices, accounts)).encode(), mode=0o600)
    not_yet = pages[0].not_yet
    known = len({row.account for row in devices if row.account in accounts})

    def human(out: Console) -> None:
        accounts_of = "account" if known == 1 else "accounts"
        out.print(f"{len(devices)} devices of {known} known {accounts_of} are in {path}.", markup=False)
        for name in not_yet:
            out.print(f"{name} is young: devices that may still report are not listed yet.", markup=False)

    emit(as_json, {"file": path, "devices": len(devices), "accounts": known, "not_yet": not_yet}, human)


def _pages(page: Callable[[str], UntoldDevices]) -> Iterator[UntoldDevices]:
    found = page("")
    yield found
    while found.next:
        found = page(found.next)
        yield found


def _rows(devices: Iterable[UntoldDevice], accounts: dict[str, Recipient]) -> Iterator[tuple[object, ...]]:
    for row in devices:
        known = accounts.get(row.account)
        contact = known.contact if known is not None else None
        yield (
            row.account,
            known.name if known is not None else "",
            known.language if known is not None else "",
            *(
                (contact.person, contact.email, contact.phone, contact.address)
                if contact is not None
                else [""] * 4
            ),
            *(row.advisory, row.device, row.product, row.region, row.version, row.language, row.external),
            row.why.value,
            "yes" if row.sure else "possibly",
            utc(row.seen) if row.seen is not None else "",
            row.owner,
            row.outcome.value if row.outcome is not None else "",
        )
