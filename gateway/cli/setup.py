"""``tocsin init`` and ``tocsin product``: the workspace, and what is sold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisories.topics import DEFAULT_PREFIX
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    open_workspace,
    say,
    table,
)
from gateway.service.entries import Product
from gateway.service.operations import products
from gateway.service.workspace import Workspace

product_app = group("What is sold.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to the application."""
    app.command("init", epilog=example("init fleet --exercise"))(init)
    app.add_typer(product_app, name="product")


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
