"""``tocsin product``: what is sold, in which versions, and what is inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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
from gateway.cli.show import line
from gateway.operations import products, sboms
from gateway.workspace.entries import Product

app = group("What is sold.")
version_app = group("Versions that were released.")
app.add_typer(version_app, name="version")
ProductArgument = Annotated[str, typer.Argument(metavar="PRODUCT", help="Id of the product.")]


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="product")


@app.command("add", epilog=example("product add thermostat --name Thermostat --language en --language de"))
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


@app.command("list", epilog=example("product list"))
def product_list(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """List the products."""
    found = products.list_(open_workspace(workspace))
    rows = [(p.id, p.name, " ".join(p.languages), p.surface, p.consent) for p in found]
    emit(
        as_json,
        {"products": list(found)},
        lambda out: out.print(table(("product", "name", "languages", "surface", "consent"), rows)),
    )


@app.command("show", epilog=example("product show thermostat"))
def product_show(
    product: ProductArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False
) -> None:
    """Show a product: languages, versions and the end of its support."""
    found = products.show(open_workspace(workspace), product)

    def human(out: Console) -> None:
        rows = (
            ("name", found.name),
            ("languages", " ".join(found.languages)),
            ("shows notices on", found.surface),
            ("vendor", found.vendor),
            ("slot bytes", found.slot_bytes),
            ("consent", found.consent),
            ("versions", " ".join(found.versions) or "none recorded"),
            ("support until", found.end_of_support or "not decided"),
        )
        out.print(table((found.id, ""), rows))

    emit(as_json, {"product": found}, human)


@version_app.command("add", epilog=example("product version add thermostat 1.4.2"))
def version_add(
    product: ProductArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="As devices report it, e.g. 1.4.2.")],
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Record that a version was released."""
    changed = products.add_version(open_workspace(workspace), product, version)
    emit(as_json, {"product": changed}, say(f"{product} has the versions {' '.join(changed.versions)}."))


@app.command("end-of-support", epilog=example("product end-of-support thermostat 2030-12-31"))
def end_of_support(
    product: ProductArgument,
    day: Annotated[str, typer.Argument(metavar="DATE", help="Last day of security updates, YYYY-MM-DD.")],
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Record until when a product gets security updates."""
    changed = products.end_support(open_workspace(workspace), product, day)
    emit(
        as_json, {"product": changed}, say(f"{product} gets security updates until {changed.end_of_support}.")
    )


@app.command("sbom", epilog=example("product sbom thermostat 1.4.2 build/sbom.cdx.json"))
def sbom(
    product: ProductArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A recorded version.")],
    file: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="CycloneDX JSON, SPDX JSON or SPDX tag-value; several make one list."
        ),
    ],
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Record what a version is made of, so that weaknesses of its components find it."""
    found = sboms.add(open_workspace(workspace), product, version, file)

    def human(out: Console) -> None:
        line(out, f"{product} {version} has {found.components} components ({found.format}).")
        for note in found.notes:
            line(out, note)

    emit(
        as_json,
        {
            "product": product,
            "version": version,
            "format": found.format,
            "components": found.components,
            "notes": list(found.notes),
        },
        human,
    )
