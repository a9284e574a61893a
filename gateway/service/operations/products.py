"""``tocsin product``: what is sold."""

from __future__ import annotations

from gateway.service.entries import PRODUCT, Product, require_id
from gateway.service.workspace import Workspace
from keys.errors import InputError


def add(workspace: Workspace, product: Product) -> Product:
    """Append a product to ``products.toml``.

    Raises:
        InputError: BAD_ID, PRODUCT_EXISTS, or BAD_VALUE for a field that the file would not take.
    """
    require_id(product.id, "a product id")
    for name, spec in PRODUCT.items():
        value = getattr(product, name)
        try:
            spec.read(list(value) if isinstance(value, tuple) else value)
        except ValueError as error:
            raise InputError("BAD_VALUE", f"'{name}': {error}.", mend=f"Give another --{name}.") from None
    with workspace.lock():
        if product.id in workspace.products():
            raise InputError(
                "PRODUCT_EXISTS",
                f"There is a product '{product.id}' already.",
                mend="Change it in the file, or choose another id.",
                where=str(workspace.path / "products.toml"),
            )
        workspace.append_product(product)
    return product


def languages(workspace: Workspace) -> dict[str, frozenset[str]]:
    """Return product -> languages in which its owners must be told."""
    return {name: frozenset(product.languages) for name, product in workspace.products().items()}
