"""``tocsin root``: draft, show, sign, publish and restore the root of trust."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway.cli import signing
from gateway.cli.output import (
    ByOption,
    DryRunOption,
    JsonOption,
    KeyOption,
    WorkspaceOption,
    ask_passphrase,
    emit,
    example,
    group,
    now,
    open_workspace,
    person,
    say,
)
from gateway.cli.show import approvals_data, line, next_step, print_root, root_data
from gateway.operations import afar
from gateway.operations.trust import ceremonies, expiry, roots
from gateway.workspace.folder import Workspace
from keys.root import Root

app = group("Who may say what.")
DaysOption = Annotated[int, typer.Option(help="How long it is valid, 1 to 366.")]
RestartOption = Annotated[
    bool, typer.Option("--restart", help="Leave aside a draft that somebody signed, and begin another one.")
]


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="root")


def _data(view: roots.RootView) -> dict[str, Any]:
    return {
        **root_data(view.root, view.change),
        "draft": view.draft,
        "digest": view.digest,
        **approvals_data(view.approvals),
        "trusted_by": view.trusted_by,
        "warnings": [] if view.draft else expiry.of_root(view.root, now()),
    }


def _print(view: roots.RootView, out: Console) -> None:
    print_root(out, view.root, view.digest, view.change, draft=view.draft)
    line(out, f"signed by: {', '.join(s.holder for s in view.approvals.signed) or 'nobody yet'}")
    if view.approvals.missing:
        out.print(f"still missing: {', '.join(view.approvals.missing)}")
    for version, count in (view.trusted_by or {}).items():
        out.print(f"{count} {'device trusts' if count == 1 else 'devices trust'} root {version}")


@app.command("new", epilog=example("root new --days 365"))
def new(
    *,
    days: DaysOption = roots.DAYS_DEFAULT,
    restart: RestartOption = False,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft root 1 from the workspace's keys and policy. Nothing trusts it before it is published."""
    view = roots.draft(open_workspace(workspace), now=now(), by=person(by), days=days, restart=restart)
    emit(as_json, _data(view), lambda out: _print(view, out))


@app.command("rotate", epilog=example("root rotate --days 365"))
def rotate(
    *,
    days: DaysOption = roots.DAYS_DEFAULT,
    restart: RestartOption = False,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft the successor of the newest root: the keys that are not revoked, and policy.toml as it is now."""
    view = roots.rotate(open_workspace(workspace), now=now(), by=person(by), days=days, restart=restart)
    emit(as_json, _data(view), lambda out: _print(view, out))


@app.command("sign", epilog=example("root sign --key root-1"))
def sign(
    *,
    key: KeyOption,
    yes: signing.AgreeOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign the draft with a root key."""
    opened = open_workspace(workspace)
    if isinstance(opened, afar.Server):
        view = _sign_there(opened, key, workspace, yes=yes, as_json=as_json)
    else:
        view = roots.sign_draft(opened, key, ask_passphrase, now=now(), by=person(None))
    rest = next_step(view.approvals, "tocsin root publish")
    emit(
        as_json,
        _data(view),
        say(f"{key} signed root {view.root.version}, digest {view.digest}; {rest}."),
    )


def _sign_there(
    opened: Workspace, key: str, folder: Path | None, *, yes: bool, as_json: bool
) -> roots.RootView:
    """Sign here the draft that a server hands out."""
    request = ceremonies.export_root(opened).data
    answer = signing.answered(
        request, lambda judged: isinstance(judged.content, Root), key, folder, yes=yes, as_json=as_json
    )
    ceremonies.take_root(opened, answer, now=now(), by=person(None))
    view = roots.show(opened)
    if view.change is None:
        return view
    return replace(view, change=replace(view.change, forgotten=(), void=()))  # they were not asked for


@app.command("publish", epilog=example("root publish --dry-run"))
def publish(
    *,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the signed draft the fleet's next root; devices walk to it from the one before."""
    view = roots.publish(open_workspace(workspace), now=now(), by=person(by), dry_run=dry_run)
    done = "would be published" if dry_run else "is published"
    emit(
        as_json,
        {**_data(view), "dry_run": dry_run},
        say(f"Root {view.root.version} {done}: digest {view.digest}."),
    )


@app.command("show", epilog=example("root show"))
def show(
    version: Annotated[
        int | None, typer.Argument(help="Version; the draft or the newest if left out.")
    ] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who may say what, who signed that and, for a draft, what it changes."""
    view = roots.show(open_workspace(workspace), version, now=now())
    emit(as_json, _data(view), lambda out: _print(view, out))


@app.command("restore", epilog=example("root restore"))
def restore(workspace: WorkspaceOption = None, *, by: ByOption = None, as_json: JsonOption = False) -> None:
    """Bring published roots that the folder lost, or holds damaged, back from the store."""
    restored = roots.restore(open_workspace(workspace), now=now(), by=person(by))
    found = ", ".join(map(str, restored))
    emit(
        as_json,
        {"restored": restored},
        say(f"Restored root {found} from the store." if restored else "Nothing is missing."),
    )
