"""Types of columns as revisions write them; those of ``gateway.store.schema`` may change after them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def letters(longest: int | None = None) -> sa.types.TypeEngine[Any]:
    """Return the type of a text of at most ``longest`` characters, compared letter by letter."""
    if longest is None:
        return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")


def wide() -> sa.types.TypeEngine[Any]:
    """Return the type of an integer of up to 64 bits, also of one that counts itself."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
