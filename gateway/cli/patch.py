"""``tocsin patch``: from a firmware image to a signed SUIT manifest in the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories import suit
from advisories.versions import format_version
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
    say,
)
from gateway.cli.show import approvals_data, next_step, patch_data, print_approvals, print_patch
from gateway.service.operations import patches
from gateway.service.operations.trust.keys import signer_for
from keys.errors import InputError

app = group("What mends it.")
SeqArgument = Annotated[
    str, typer.Argument(metavar="SEQ", help="Sequence number, or PRODUCT@VERSION for the newest of these.")
]


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="patch")


def _texts(pairs: list[str] | None) -> dict[str, str] | None:
    found = {}
    for pair in pairs or []:
        language, equals, words = pair.partition("=")
        if not (language and equals and words):
            message = f"'{pair}' is not a text in a language."
            raise InputError("BAD_VALUE", message, mend="Write it as --text en='What it does'.")
        found[language] = words
    return found or None


def _data(view: patches.PatchView) -> dict[str, Any]:
    return {**patch_data(view.product, view.patch), **approvals_data(view.approvals)}


def _print(view: patches.PatchView, out: Console) -> None:
    print_patch(out, view.product, view.patch)
    print_approvals(out, view.approvals)


@app.command(
    "add",
    epilog=example("patch add --product thermostat --image thermostat-1.4.2.bin"),
)
def add(
    *,
    product: Annotated[str, typer.Option(help="For whose devices.")],
    image: Annotated[Path, typer.Option(help="A firmware image in MCUboot format.")],
    text: Annotated[
        list[str] | None, typer.Option(metavar="LANG=WORDS", help="What it does, for the owner; repeat it.")
    ] = None,
    sequence: Annotated[
        int | None, typer.Option(help="Rises with every patch; the time in UTC seconds if left out.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an unsigned patch of an image; the image's header says the version."""
    opened = open_workspace(workspace)
    view = patches.add(opened, product, image, now=now(), texts=_texts(text), sequence=sequence)
    name = f"{view.product}@{view.version}"
    emit(
        as_json,
        _data(view),
        say(f"Made the patch {view.patch.sequence} ({name}). Next: tocsin patch approve {name} --key NAME."),
    )


@app.command("show", epilog=example("patch show thermostat@1.4.2"))
def show(
    source: Annotated[str, typer.Argument(metavar="FILE|SEQ", help="A patch of the workspace, or a file.")],
    workspace: WorkspaceOption = None,
    *,
    manifest: Annotated[bool, typer.Option("--manifest", help="Print the whole manifest as a tree.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a patch: what it carries and who signed it."""
    opened = open_workspace(workspace)
    path = Path(source)
    if path.is_file():
        envelope = path.read_bytes()
        if envelope[:4] == patches.IMAGE_MAGIC:
            _show_image(path, as_json=as_json)
            return
        view = patches.view_of(opened, envelope, path)
    else:
        view = patches.find(opened, source)

    def human(out: Console) -> None:
        _print(view, out)
        if manifest:
            out.print("\n".join(suit.tree(view.envelope)), markup=False)

    emit(as_json, _data(view), human)


def _show_image(path: Path, *, as_json: bool) -> None:
    data, image = patches.read_image(path)
    version = format_version(image.version)
    emit(
        as_json,
        {"version": version, "bytes": len(data), "security_counter": image.security_counter},
        say(f"{path}: an MCUboot image of version {version}, {len(data)} bytes."),
    )


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
        emit(as_json, {}, lambda out: _print(view, out))
    confirm(f"Sign this patch with the key {key}?", yes=yes)
    done = patches.approve(opened, patch, key, ask_passphrase, digest=view.patch.digest)
    rest = next_step(done.approvals, f"tocsin patch publish {patch}")
    emit(as_json, _data(done), say(f"{key} approved the patch {done.patch.sequence}; {rest}."))


@app.command("publish", epilog=example("patch publish thermostat@1.4.2 --dry-run"))
def publish(
    patch: SeqArgument,
    *,
    dry_run: DryRunOption = False,
    key: OperatorKeyOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put an approved patch into the catalogue; nobody gets it before a rollout offers it."""
    opened = open_workspace(workspace)
    operator = signer_for(opened, "operator", ask_passphrase, key)
    view = patches.publish(opened, patch, operator, now=now(), dry_run=dry_run)
    verb = "would be published" if dry_run else "is published"
    name = f"{view.patch.sequence} ({view.product} {view.version})"
    emit(
        as_json,
        {**_data(view), "dry_run": dry_run},
        say(f"The patch {name} {verb}: digest {view.patch.digest.hex()}."),
    )
