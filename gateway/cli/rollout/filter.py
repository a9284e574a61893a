"""``tocsin rollout filter``: selections of devices under a name."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    now,
    open_workspace,
    person,
    say,
    table,
)
from gateway.cli.rollout.app import ByOption, app
from gateway.cli.rollout.printing import print_found
from gateway.core.selection import parse
from gateway.operations.rollouts import filters

filter_app = group("Selections of devices under a name.")
app.add_typer(filter_app, name="filter")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the filter.")]


def _print(found: filters.FilterView, out: Console) -> None:
    out.print(f"{found.filter.name}: {found.filter.text}", markup=False)
    for product, counts in found.products.items():
        print_found(counts, out, product=product)


@filter_app.command("add", epilog=example("rollout filter add early 'region = DE and label.ring = beta'"))
def add(
    name: NameArgument,
    query: Annotated[str, typer.Argument(help="Such as: region = DE and not version >= 2.0.0")],
    *,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Save a selection, in the place of the former one of that name."""
    opened = open_workspace(workspace)
    found = filters.add(opened, name, parse(query), now=now(), by=person(by), dry_run=dry_run)
    emit(as_json, {"filter": found, "dry_run": dry_run}, lambda out: _print(found, out))


@filter_app.command("list", epilog=example("rollout filter list"))
def list_(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List saved selections."""
    page = filters.list_(open_workspace(workspace), limit=1_000)
    rows = [(each.name, each.text, each.by) for each in page.items]
    emit(as_json, {"filters": page}, lambda out: out.print(table(("filter", "selection", "by"), rows)))


@filter_app.command("show", epilog=example("rollout filter show early"))
def show(name: NameArgument, *, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show a selection, and how many devices it means now."""
    found = filters.show(open_workspace(workspace), name, now=now())
    emit(as_json, {"filter": found}, lambda out: _print(found, out))


@filter_app.command("remove", epilog=example("rollout filter remove early"))
def remove(
    name: NameArgument,
    *,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a selection; rollouts that were made with it stay as they are."""
    found = filters.remove(open_workspace(workspace), name, now=now(), by=person(by), dry_run=dry_run)
    verb = "would be removed" if dry_run else "is removed"
    emit(as_json, {"filter": found, "dry_run": dry_run}, say(f"filter {name} {verb}."))
