"""``tocsin product``: what is sold, in which versions, and until when it is mended."""

from __future__ import annotations

import contextlib
import tomllib
from dataclasses import replace
from typing import Any

from advisories.versions import format_version, parse_version
from gateway import files
from gateway.operations.afar import operation
from gateway.workspace.entries import PRODUCT, Product, read_day, require_id
from gateway.workspace.folder import Workspace
from keys.errors import InputError

_FILE = "products.toml"


@operation("GET", "/products", right="product:read")
def list_(workspace: Workspace) -> tuple[Product, ...]:
    """Return the products, as they stand in the file."""
    return tuple(workspace.products().values())


@operation("GET", "/products/{product}", right="product:read")
def show(workspace: Workspace, product: str) -> Product:
    """Return one product.

    Raises:
        InputError: NO_PRODUCT.
    """
    return workspace.product(product)


@operation("POST", "/products", right="product:manage", creates=True)
def add(workspace: Workspace, product: Product) -> Product:
    """Append a product to ``products.toml``.

    Raises:
        InputError: BAD_ID, PRODUCT_EXISTS, or BAD_VALUE for a field that the file would not take.
    """
    require_id(product.id, "a product id")
    for name, spec in PRODUCT.items():
        value = getattr(product, name)
        if value is None:
            continue
        try:
            spec.read(list(value) if isinstance(value, tuple) else value)
        except ValueError as error:
            option = "language" if name == "languages" else name.replace("_", "-")
            raise InputError("BAD_VALUE", f"'{name}': {error}.", mend=f"Give another --{option}.") from None
    with workspace.lock():
        if product.id in workspace.products():
            raise InputError(
                "PRODUCT_EXISTS",
                f"There is a product '{product.id}' already.",
                mend="Change it in the file, or choose another id.",
                where=str(workspace.path / _FILE),
            )
        workspace.append_product(product)
    return product


@operation("POST", "/products/{product}/versions", right="product:write")
def add_version(workspace: Workspace, product: str, version: str) -> Product:
    """Record that a version of a product was released; it takes its place in the order.

    Recording it again changes nothing.

    Raises:
        InputError: NO_PRODUCT, BAD_VALUE.
    """
    try:
        number = parse_version(version)
    except ValueError as error:
        raise InputError("BAD_VALUE", f"{error}.", mend="Write it as the devices report it.") from None
    with workspace.lock():
        found = workspace.product(product)
        known = {parse_version(item) for item in found.versions}
        if number in known:
            return found
        versions = tuple(format_version(item) for item in sorted(known | {number}))
        _set(workspace, product, "versions", versions)
    return replace(found, versions=versions)


@operation("PUT", "/products/{product}/end-of-support", right="product:write")
def end_support(workspace: Workspace, product: str, day: str) -> Product:
    """Record the last day on which a product gets security updates.

    Args:
        workspace: where.
        product: its id.
        day: as ``2030-01-31``.

    Raises:
        InputError: NO_PRODUCT, BAD_VALUE.
    """
    try:
        last = read_day(day)
    except ValueError:
        raise InputError("BAD_VALUE", f"'{day}' is not a date.", mend="Write it as 2030-01-31.") from None
    with workspace.lock():
        found = workspace.product(product)
        _set(workspace, product, "end_of_support", last)
    return replace(found, end_of_support=last)


def _set(workspace: Workspace, name: str, key: str, value: Any) -> None:
    """Write one key of a product; every other line of the file stays as it is. Call with the lock held."""
    table = files.read_toml(workspace.path / _FILE, what="list of products")
    if key in table.data[name]:
        table = _without(table, name, key)
    text = files.toml_extended(table, name, {key: list(value) if isinstance(value, tuple) else value})
    files.write_atomic(table.path, text.encode())


def _without(table: files.Toml, name: str, key: str) -> files.Toml:
    """Return the file without the lines of one key; its value may stand on several."""
    wanted = {**table.data, name: {k: v for k, v in table.data[name].items() if k != key}}
    place = table.where(name, key)
    first = int(place.rpartition(":")[2]) - 1
    lines = table.text.splitlines(keepends=True)
    for count in range(1, len(lines) - first + 1):
        text = "".join(lines[:first] + lines[first + count :])
        with contextlib.suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(text) == wanted:
                return files.Toml(table.path, text, wanted)
    message = f"'{key}' of '{name}' is written in a form that cannot be replaced."
    raise InputError("BAD_VALUE", message, mend=f"Begin a line of its own with '{key} ='.", where=place)


def languages(workspace: Workspace) -> dict[str, frozenset[str]]:
    """Return product -> languages in which its owners must be told."""
    return {name: frozenset(product.languages) for name, product in workspace.products().items()}
