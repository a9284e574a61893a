"""Where a store lies: the path of a SQLite file, or the address of a PostgreSQL database.

An address carries no password: it stands in a file that is fit for git, and in messages. The driver finds one
in ``PGPASSFILE``, ``PGPASSWORD`` or a service file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import exc

from keys.errors import InputError

_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
_MEND: Final = "Write it like postgresql+psycopg://gateway@db.example.com/tocsin."


@dataclass(frozen=True, slots=True)
class Address:
    """Where one store lies."""

    url: sa.URL
    path: Path | None
    """The file, where it is SQLite's."""
    where: str
    """The same for messages."""


def read(place: Path | str) -> Address:
    """Return what a path or an address means.

    Raises:
        InputError: STORE_ADDRESS, for an address of no engine that we know; STORE_PASSWORD, for one with a
            password, which is not repeated.
    """
    text = str(place)
    if isinstance(place, Path) or "://" not in text:
        return Address(sa.URL.create("sqlite", database=text), Path(text), text)
    try:
        url = sa.make_url(text)
    except (exc.ArgumentError, ValueError):
        raise InputError("STORE_ADDRESS", "The address of the store cannot be read.", mend=_MEND) from None
    if url.password is not None or "password" in {name.lower() for name in url.query}:
        raise InputError(
            "STORE_PASSWORD",
            "The address of the store carries a password.",
            mend="Leave it out, and put it in the file that PGPASSFILE names, or in PGPASSWORD.",
        )
    if url.drivername == "sqlite" and url.database and not url.query:
        return Address(url, Path(url.database), url.database)
    if url.drivername not in _DRIVERS:
        raise InputError(
            "STORE_ADDRESS",
            f"A store cannot lie in '{url.drivername}': there are SQLite and PostgreSQL.",
            mend=_MEND,
        )
    return Address(url.set(drivername=_DRIVERS[url.drivername]), None, url.render_as_string())
