"""``policy.toml``: what the next root will demand for each type of document. Decisions belong in git.

    [[row]]
    type = "patch"
    product = "thermostat"
    demands = { release = 1, security = 1, security-pq = 1 }

A role is one of the eight known ones, or any name that a row demands: naming it makes it a role.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from gateway import files, values
from gateway.files import Field, Toml
from gateway.workspace.entries import POLICY_FILE
from keys.errors import InputError
from keys.limits import NAME_BYTES_MAX, ROLES_MAX, SIGNATURES_MAX
from keys.root import DEFAULT_POLICY, ROLES, PolicyRow

_HEAD: Final = """\
# Who must sign what: each row names a type of document and how many different holders of each role
# it takes. A row with a product wins for that product. Naming a new role in a row makes it a role.
# Nothing here counts before a root says so: see 'tocsin root rotate'.
"""
_ROLE = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{NAME_BYTES_MAX - 1}}}")

DEFAULT_ROWS: Final = tuple(PolicyRow(type=type_, demands=dict(row)) for type_, row in DEFAULT_POLICY.items())


def default_text() -> str:
    """Return the file as ``tocsin init`` writes it."""
    rows = (
        f"[[row]]\ntype = {files.toml_value(r.type)}\ndemands = {files.toml_value(r.demands)}\n"
        for r in DEFAULT_ROWS
    )
    return "\n".join([_HEAD, *rows])


def read(folder: Path, products: Collection[str] | None = None) -> tuple[PolicyRow, ...]:
    """Read a workspace's policy strictly; the default one where there is no file.

    Args:
        folder: the workspace.
        products: those a row may name; None takes any.

    Raises:
        InputError: of the file, with file:line.
    """
    path = folder / POLICY_FILE
    if not path.exists() and not path.is_symlink():
        return DEFAULT_ROWS
    table = files.read_toml(path, what="policy")
    table.fields("", {"row": Field(lambda value: value)})
    rows: dict[tuple[str, str | None], PolicyRow] = {}
    for part in table.rows("row"):
        found = part.fields("", _FIELDS)
        row = PolicyRow(type=found["type"], demands=found["demands"], product=found["product"])
        _require_possible(row, part, products, rows)
        rows[row.type, row.product] = row
    return tuple(rows.values())


def _require_possible(
    row: PolicyRow,
    part: Toml,
    products: Collection[str] | None,
    before: Mapping[tuple[str, str | None], PolicyRow],
) -> None:
    if (row.type, row.product) in before:
        label = f"{row.type} of {row.product}" if row.product else row.type
        raise InputError(
            "BAD_VALUE", f"The row for {label} stands twice.", mend="Keep one.", where=part.where("", "type")
        )
    if products is not None and row.product is not None and row.product not in products:
        mend = files.near(row.product, list(products)) if products else "Add it with 'tocsin product add'."
        message = f"There is no product '{row.product}' in this workspace."
        raise InputError("NO_PRODUCT", message, mend=mend, where=part.where("", "product"))


def roles(rows: Collection[PolicyRow]) -> tuple[str, ...]:
    """Return every role there is under these rows: the known ones first."""
    return tuple(dict.fromkeys((*ROLES, *(role for row in rows for role in row.demands))))


def _type(value: Any) -> str:
    if value not in DEFAULT_POLICY:
        raise ValueError(
            f"'{value}' is not a type of document; {files.near(str(value), list(DEFAULT_POLICY))[:-1]}"
        )
    return str(value)


def _demands(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not 1 <= len(value) <= ROLES_MAX:
        raise ValueError("expected roles and how many holders of each, such as { release = 1, security = 1 }")
    for role, count in value.items():
        if not _ROLE.fullmatch(role):
            raise ValueError(f"'{role}' cannot be a role: use small letters, digits and hyphens")
        if type(count) is not int or not 1 <= count <= SIGNATURES_MAX:
            raise ValueError(f"'{role}' takes 1 to {SIGNATURES_MAX} holders")
    return dict(value)


_FIELDS: Final[Mapping[str, Field]] = {
    "type": Field(_type),
    "product": Field(values.a_text, required=False),
    "demands": Field(_demands),
}
