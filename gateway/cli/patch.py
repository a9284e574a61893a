"""``tocsin patch``: from files to a signed SUIT manifest in the catalogue."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories import suit
from advisories.suit import readable
from advisories.suit.check import Found
from advisories.versions import format_version
from gateway import files
from gateway.cli import patch_add, patch_show, server, signing
from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    KeyOption,
    OperatorKeyOption,
    WorkspaceOption,
    ask_passphrase,
    confirm,
    emit,
    example,
    group,
    now,
    open_workspace,
    person,
    say,
)
from gateway.cli.show import line, next_step
from gateway.operations import afar, patches
from gateway.operations.trust import ceremonies, public
from gateway.operations.trust.request_files import Kind
from gateway.operations.trust.requests import Judged
from gateway.workspace.folder import Workspace
from keys.errors import DamagedError, InputError, RefusedError

app = group("What mends it.")
SeqArgument = Annotated[
    str, typer.Argument(metavar="SEQ", help="Sequence number, or PRODUCT@VERSION for the newest of these.")
]


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="patch")


app.command("add", epilog=patch_add.EPILOG)(patch_add.add)


@app.command("show", epilog=example("patch show thermostat@1.4.2 --manifest"))
def show(
    source: Annotated[str, typer.Argument(metavar="FILE|SEQ", help="A patch of the workspace, or a file.")],
    workspace: WorkspaceOption = None,
    *,
    manifest: Annotated[bool, typer.Option("--manifest", help="Print the whole manifest as a tree.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a patch: what it carries and who signed it; any other maker's envelope as a tree, anywhere."""
    path = Path(source)
    if not path.is_file():
        opened = open_workspace(workspace)
        _show(patches.find(opened, source), patches.names(opened), manifest=manifest, as_json=as_json)
        return
    found = patches.measured(path)
    if found.image is not None or found.fault:
        _show_image(path, found, as_json=as_json)
        return
    envelope = files.read_bytes(path, what="patch", mend="Name a SUIT envelope.", size_max=readable.BYTES_MAX)
    here = _workspace_here(workspace)
    if here is not None:
        with contextlib.suppress(InputError, DamagedError):  # another maker's, which is shown all the same
            view = patches.view_of(here, envelope, path)
            _show(view, patches.names(here), manifest=manifest, as_json=as_json)
            return
    _show_foreign(path, envelope, patches.names(here) if here else {}, as_json=as_json)


def _workspace_here(path: Path | None) -> Workspace | None:
    """Return the workspace or server that was named, or the workspace that this folder is, or None."""
    here = server.named() or path or (Path() / "tocsin.toml").is_file()
    return open_workspace(path, quiet=True) if here else None


def _show(view: patches.PatchView, names: Mapping[bytes, str], *, manifest: bool, as_json: bool) -> None:
    grown = patch_show.envelope_tree(view.envelope, names) if manifest else None

    def human(out: Console) -> None:
        patch_show.print_view(view, out)
        if grown is not None:
            patch_show.print_tree(out, grown)

    data = patch_show.view_data(view)
    emit(as_json, data if grown is None else {**data, "tree": patch_show.tree_data(grown)}, human)


def _show_foreign(path: Path, envelope: bytes, names: Mapping[bytes, str], *, as_json: bool) -> None:
    try:
        grown = patch_show.envelope_tree(envelope, names)
    except RefusedError as error:
        raise InputError(
            "NOT_AN_ENVELOPE",
            f"This is no SUIT envelope and no MCUboot image ({error.detail}).",
            mend="Name a patch, or a file that holds one.",
            where=str(path),
        ) from None
    data = {"tree": patch_show.tree_data(grown)}
    emit(as_json, data, lambda out: patch_show.print_tree(out, grown))


def _show_image(path: Path, found: Found, *, as_json: bool) -> None:
    image = patches.whole(found, path)
    version, counter = format_version(image.version), image.security_counter
    says = "no security counter" if counter is None else f"security counter {counter}"
    line = f"{path}: an MCUboot image of version {version}, {found.size} bytes, {says}."
    emit(as_json, patch_show.image_data(found.size, image), say(line))


@app.command("check", epilog=example("patch check thermostat@1.4.2"))
def check(
    source: Annotated[str, typer.Argument(metavar="FILE|SEQ", help="A patch of the workspace, or a file.")],
    *,
    image: Annotated[
        Path | None, typer.Option(help="The image to compare; the one in the workspace if left out.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the images with the manifest; exit status 1 where they disagree."""
    path = Path(source)
    if path.is_file():
        here = _workspace_here(workspace)
        data = files.read_bytes(path, what="patch", mend="Name a SUIT envelope.", size_max=readable.BYTES_MAX)
        patch = suit.peek(data)
        product = None if here is None else public.classes(here).get(patch.class_id)
        checked = patches.check(here, product, patch, image)
    else:
        opened = open_workspace(workspace)
        view = patches.find(opened, source)
        patch = view.patch
        checked = patches.check(opened, view.product, patch, image)
    agrees = all(one.agrees for one in checked)
    emit(as_json, _checked_data(patch, checked), partial(_print_checked, checked))
    if not agrees:
        raise typer.Exit(1)


def _checked_data(patch: suit.Patch, checked: Sequence[patches.Checked]) -> dict[str, Any]:
    rows = [
        {"component": one.component, "file": one.path, "agrees": one.agrees, "findings": list(one.findings)}
        for one in checked
    ]
    return {"sequence": patch.sequence, "agrees": all(one.agrees for one in checked), "files": rows}


def _print_checked(checked: Sequence[patches.Checked], out: Console) -> None:
    for one in checked:
        line(out, f"{f'component {one.component}' if one.component else 'delta or second image'}: {one.path}")
        for finding in sorted(one.findings, key=lambda finding: not finding.blocks):
            word = "WRONG" if finding.blocks else "note "
            line(out, f"  {word} {finding.code}: {finding.message} {finding.mend}".rstrip())
    wrong = sum(finding.blocks for one in checked for finding in one.findings)
    verdict = "The manifest and its files agree." if not wrong else f"They disagree in {wrong} points."
    out.print(verdict.replace("1 points", "1 point"))


@app.command("approve", epilog=example("patch approve thermostat@1.4.2 --key release-1"))
def approve(
    patch: SeqArgument,
    *,
    key: KeyOption,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking; you have read it.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show exactly what is signed, then sign it with one role's key."""
    opened = open_workspace(workspace)
    view = patches.find(opened, patch)
    if not as_json:
        emit(as_json, {}, partial(patch_show.print_view, view))
    if isinstance(opened, afar.Server):
        done = _approve_there(opened, view, key, workspace, yes=yes, as_json=as_json)
    else:
        confirm(f"Sign this patch with the key {key}?", yes=yes)
        done = patches.approve(
            opened, patch, key, ask_passphrase, digest=view.patch.digest, now=now(), by=person(None)
        )
    rest = next_step(done.approvals, f"tocsin patch publish {patch}")
    emit(as_json, patch_show.view_data(done), say(f"{key} approved the patch {done.patch.sequence}; {rest}."))


def _approve_there(
    opened: Workspace, view: patches.PatchView, key: str, folder: Path | None, *, yes: bool, as_json: bool
) -> patches.PatchView:
    """Sign here what a server hands out, once it is the patch that was shown."""
    sequence = str(view.patch.sequence)
    request = ceremonies.export_patch(opened, sequence).data

    def meant(judged: Judged) -> bool:
        return judged.request.kind is Kind.PATCH and judged.digest == view.patch.digest

    answer = signing.answered(request, meant, key, folder, yes=yes, as_json=as_json)
    ceremonies.take_patch(opened, answer, now=now(), by=person(None))
    return patches.find(opened, sequence)


@app.command("publish", epilog=example("patch publish thermostat@1.4.2 --dry-run"))
def publish(
    patch: SeqArgument,
    *,
    dry_run: DryRunOption = False,
    key: OperatorKeyOption = None,
    yes: signing.AgreeOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put an approved patch into the catalogue; nobody gets it before a rollout offers it."""
    opened = open_workspace(workspace)
    operator = signing.role_signer(opened, workspace, "operator", key)
    agree = signing.agreed(yes=yes, as_json=as_json)
    view = patches.publish(opened, patch, operator, now=now(), dry_run=dry_run, agree=agree)
    verb = "would be published" if dry_run else "is published"
    name = f"{view.patch.sequence} ({view.product} {view.version})"
    emit(
        as_json,
        {**patch_show.view_data(view), "dry_run": dry_run},
        say(f"The patch {name} {verb}: digest {view.patch.digest.hex()}."),
    )
