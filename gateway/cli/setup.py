"""``tocsin init``, ``product``, ``key`` and ``root``: what stands before the first advisory."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from advisories.topics import DEFAULT_PREFIX
from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    KeyOption,
    WorkspaceOption,
    ask_passphrase,
    emit,
    example,
    group,
    new_passphrase,
    now,
    open_workspace,
    say,
    table,
    utc,
)
from gateway.service.entries import Product
from gateway.service.operations import keys, products, roots
from gateway.service.workspace import Workspace
from keys.algorithms import Algorithm

product_app = group("What is sold.")
key_app = group("Who signs.")
root_app = group("Who may say what.")


class AlgorithmName(StrEnum):
    """Algorithms to make keys for."""

    ED25519 = "ed25519"
    ESP256 = "esp256"


def register(app: typer.Typer) -> None:
    """Add this module's commands to the application."""
    app.command("init", epilog=example("init fleet --exercise"))(init)
    app.add_typer(product_app, name="product")
    app.add_typer(key_app, name="key")
    app.add_typer(root_app, name="root")


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", envvar="TOCSIN_WORKSPACE", help="Folder to make it in.")
    ] = Path(),
    *,
    exercise: Annotated[
        bool,
        typer.Option("--exercise", help="For drills: devices say so, and one person may play all roles."),
    ] = False,
    prefix: Annotated[str, typer.Option(help="What every MQTT topic starts with.")] = DEFAULT_PREFIX,
    broker: Annotated[
        str | None, typer.Option(help="URL of the MQTT broker, e.g. mqtt://broker.example.com:1883.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: the folder that holds products, keys, roots, advisories and patches."""
    workspace = Workspace.create(directory, exercise=exercise, prefix=prefix, broker=broker)
    kind = "an exercise workspace" if exercise else "a workspace"
    emit(
        as_json,
        {"workspace": workspace.path, "exercise": exercise, "prefix": prefix, "broker": broker},
        say(f"Made {kind} in {workspace.path}. Next: tocsin product add, tocsin key new."),
    )


@product_app.command(
    "add", epilog=example("product add thermostat --name Thermostat --language en --language de")
)
def product_add(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="Id: one topic level.")],
    *,
    name: Annotated[str | None, typer.Option(help="What owners call it; the id if left out.")] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="A language its owners read (BCP 47); repeat it. Default: en.")
    ] = None,
    surface: Annotated[
        str, typer.Option(help="Where it shows a notice: screen, console, led, companion or none.")
    ] = "screen",
    vendor: Annotated[
        str, typer.Option(help="Domain name of the vendor, for the SUIT vendor id.")
    ] = "example.com",
    slot_bytes: Annotated[int, typer.Option(help="Size of one image slot in bytes.")] = 1_048_576,
    consent: Annotated[
        str, typer.Option(help="Before installing: ask the owner, or agreed beforehand.")
    ] = "ask",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a product."""
    added = products.add(
        open_workspace(workspace),
        Product(product, name or product, tuple(language or ["en"]), surface, vendor, slot_bytes, consent),
    )
    emit(as_json, {"product": added}, say(f"Added the product {added.id} in {', '.join(added.languages)}."))


@product_app.command("list", epilog=example("product list"))
def product_list(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """List the products."""
    found = open_workspace(workspace).products().values()
    rows = [(p.id, p.name, " ".join(p.languages), p.surface, p.consent) for p in found]
    emit(
        as_json,
        {"products": list(found)},
        lambda out: out.print(table(("product", "name", "languages", "surface", "consent"), rows)),
    )


@key_app.command("new", epilog=example("key new legal-1 --role legal --holder 'Legal duty'"))
def key_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What commands call it.")],
    *,
    role: Annotated[
        list[str],
        typer.Option(
            help="root, engineering, legal, communications, release, security, operator or gateway."
        ),
    ],
    holder: Annotated[str, typer.Option(help="The person or machine that uses it.")],
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave it unencrypted: for machines and drills.")
    ] = False,
    algorithm: Annotated[AlgorithmName, typer.Option(help="Signature algorithm.")] = AlgorithmName.ED25519,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key pair. It may do nothing until a root lists it."""
    opened = open_workspace(workspace)
    entry = keys.new(
        opened,
        name,
        roles=role,
        holder=holder,
        passphrase=b"" if no_passphrase else new_passphrase(f"new key {name}"),
        algorithm=Algorithm[algorithm.name],
    )
    emit(
        as_json,
        {"key": entry},
        say(f"Made the key {name} ({', '.join(entry.roles)}) of {holder}: {entry.kid}."),
    )


@key_app.command("list", epilog=example("key list"))
def key_list(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """List the keys, and whether the newest root knows each."""
    opened = open_workspace(workspace)
    known = opened.trusted().root.by_kid if opened.root_documents() else {}
    entries = list(opened.key_entries().values())
    rows = [
        (e.name, ", ".join(e.roles), e.holder, e.kid, "yes" if e.public.thumbprint in known else "no")
        for e in entries
    ]
    emit(
        as_json,
        {"keys": [{"key": e, "in_root": e.public.thumbprint in known} for e in entries]},
        lambda out: out.print(table(("key", "roles", "holder", "id", "in root"), rows)),
    )


def _root_data(view: roots.RootView) -> dict[str, object]:
    root = view.root
    return {
        "version": root.version,
        "draft": view.draft,
        "digest": view.digest,
        "exercise": root.exercise,
        "issued": root.issued,
        "expires": root.expires,
        "keys": list(root.keys),
        "policy": list(root.policy),
        "signed": list(view.approvals.signed),
        "missing": list(view.approvals.missing),
    }


def _print_root(view: roots.RootView, out: Console) -> None:
    root = view.root
    kind = " (exercise)" if root.exercise else ""
    out.print(
        f"{'Draft of root' if view.draft else 'Root'} {root.version}{kind}, expires {utc(root.expires)}"
    )
    out.print(f"digest {view.digest}")
    out.print(
        table(
            ("type", "product", "demands"),
            [
                (
                    line.type,
                    line.product or "all",
                    ", ".join(f"{n} {role}" for role, n in sorted(line.demands.items())),
                )
                for line in root.policy
            ],
        )
    )
    out.print(
        table(
            ("holder", "roles", "key"),
            [(entry.holder, ", ".join(entry.roles), entry.key.thumbprint.hex()[:16]) for entry in root.keys],
        )
    )
    out.print(
        f"signed by: {', '.join(s.holder for s in view.approvals.signed) or 'nobody yet'}", markup=False
    )
    if view.approvals.missing:
        out.print(f"still missing: {', '.join(view.approvals.missing)}")


@root_app.command("new", epilog=example("root new --days 365"))
def root_new(
    *,
    days: Annotated[int, typer.Option(help="How long it is valid, 1 to 366.")] = roots.DAYS_DEFAULT,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft the next root from all keys of the workspace. Nothing trusts it before it is published."""
    view = roots.draft(open_workspace(workspace), now=now(), days=days)
    emit(as_json, _root_data(view), lambda out: _print_root(view, out))


@root_app.command("sign", epilog=example("root sign --key root-1"))
def root_sign(*, key: KeyOption, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Sign the draft with a root key."""
    view = roots.sign_draft(open_workspace(workspace), key, ask_passphrase)
    missing = view.approvals.missing
    rest = f"still missing: {', '.join(missing)}" if missing else "complete. Next: tocsin root publish"
    emit(
        as_json,
        _root_data(view),
        say(f"{key} signed root {view.root.version}, digest {view.digest}; {rest}."),
    )


@root_app.command("publish", epilog=example("root publish --dry-run"))
def root_publish(
    *, dry_run: DryRunOption = False, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Make the signed draft the fleet's next root; devices walk to it from the one before."""
    view = roots.publish(open_workspace(workspace), now=now(), dry_run=dry_run)
    done = "would be published" if dry_run else "is published"
    emit(
        as_json,
        {**_root_data(view), "dry_run": dry_run},
        say(f"Root {view.root.version} {done}: digest {view.digest}."),
    )


@root_app.command("show", epilog=example("root show"))
def root_show(
    version: Annotated[
        int | None, typer.Argument(help="Version; the draft or the newest if left out.")
    ] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who may say what, and who signed that."""
    view = roots.show(open_workspace(workspace), version)
    emit(as_json, _root_data(view), lambda out: _print_root(view, out))
