"""Selections of devices in the store: queries as bound expressions, saved filters, ids in pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from advisories.topics import is_id
from advisories.versions import contains, parse_version
from gateway.core.chain import canonical
from gateway.core.funnel import Kind
from gateway.core.selection import DEVICES_MAX, NODES_MAX, Query, checked, describe, version_range
from gateway.store import audit, schema
from gateway.store.engine import Session
from keys.errors import InputError

PAGE: Final = 10_000  # devices read at once
_NESTED_MAX: Final = 8  # filters that name filters
_PARTS_MAX: Final = 4 * NODES_MAX  # of all queries in one statement, their filters written out
_IDS_MAX: Final = 3 * DEVICES_MAX  # named in one statement: each is a parameter, and engines bound these
_D, _I, _S, _L = schema.devices, schema.inventory, schema.device_states, schema.labels
_U = schema.unheard


@dataclass(frozen=True, slots=True)
class Filter:
    """A selection with a name."""

    name: str
    query: Query
    text: str
    """The query as people type it."""
    by: str
    at: float
    """UTC seconds."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the fields of a query stand."""

    id: sa.ColumnElement[str]
    product: sa.ColumnElement[str]
    version: sa.ColumnElement[str]


_REACHED: Final = _Columns(_D.c.id, _D.c.product, sa.func.coalesce(_S.c.installed, _I.c.version, ""))
_UNREACHED: Final = _Columns(_I.c.id, _I.c.product, sa.func.coalesce(_I.c.version, ""))
_FROM: Final = _D.outerjoin(_I, _I.c.id == _D.c.id).outerjoin(_S, _S.c.device == _D.c.id)
UNREACHED: Final = _I.join(_U, sa.and_(_U.c.device == _I.c.id, _U.c.kind == int(Kind.UNREACHABLE)))
"""The rows of the inventory whose devices are not in the register."""


class Selector:
    """Turns the queries of one statement into expressions, within one transaction."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection
        self._versions: set[str] | None = None
        self._parts = self._ids = self._own = 0

    def reached(self, query: Query | None) -> sa.ColumnElement[bool]:
        """Return what is true of the devices of the register that a query means."""
        return self._whole(query, _REACHED)

    def unreached(self, query: Query | None) -> sa.ColumnElement[bool]:
        """Return what is true of the rows of the inventory that a query means."""
        return self._whole(query, _UNREACHED)

    def check(self, name: str, query: Query) -> None:
        """Refuse a query that could not be saved under this name: its filters must be there, and end.

        Raises:
            InputError: FILTER_UNKNOWN, FILTER_NESTED.
        """
        self._of(query, _REACHED, (name,))

    def _of(self, query: Query, at: _Columns, inside: tuple[str, ...]) -> sa.ColumnElement[bool]:
        name, *operands = query
        self._weigh(name, operands)
        if name in {"and", "or", "not"}:
            parts = [self._of(operand, at, inside) for operand in operands]
            return sa.and_(*parts) if name == "and" else sa.or_(*parts) if name == "or" else sa.not_(parts[0])
        if name == "filter":
            return self._of(self._saved(operands[0], inside), at, (*inside, operands[0]))
        return self._leaf(name, operands, at)

    def _whole(self, query: Query | None, at: _Columns) -> sa.ColumnElement[bool]:
        self._own = 0
        return sa.true() if query is None else self._of(query, at, ())

    def _weigh(self, name: str, operands: Sequence[object]) -> None:
        """Refuse what grows too large once its filters are written out: few that name each other often."""
        self._own += 1
        self._parts += 1
        self._ids += len(operands) if name == "devices" else 0
        if self._own > NODES_MAX or self._parts > _PARTS_MAX or self._ids > _IDS_MAX:
            raise InputError(
                "SELECTION",
                "The selection is too large with its filters written out.",
                mend="Give the devices a label, and name that.",
            )

    def _leaf(self, name: str, operands: Sequence[str], at: _Columns) -> sa.ColumnElement[bool]:
        match name:
            case "all":
                return sa.true()
            case "devices":
                return at.id.in_(operands)
            case "version":
                return at.version.in_(self._within(operands[0]))
            case "label":
                same = (_L.c.device == at.id, _L.c.name == operands[0], _L.c.value == operands[1])
                return sa.exists().where(*same)
            case "product":
                return at.product == operands[0]
        return sa.func.coalesce(_I.c[name], "") == operands[0]

    def _within(self, text: str) -> list[str]:
        """Return the known versions inside a range: SQL cannot compare versions, and there are few."""
        if self._versions is None:
            c, version = schema.device_sums, _REACHED.version
            revoked = sa.select(version).select_from(_FROM).where(_D.c.revoked.is_(True))  # cells lack them
            found = sa.union(sa.select(c.c.installed), revoked)
            self._versions = set(filter(None, self._connection.execute(found).scalars()))
        bounds = version_range(text)
        inside = []
        for each in sorted(self._versions):
            try:
                if contains(bounds, parse_version(each)):
                    inside.append(each)
            except ValueError:  # an inventory may say anything
                continue
        return inside

    def _saved(self, name: str, inside: tuple[str, ...]) -> Query:
        if name in inside or len(inside) >= _NESTED_MAX:
            raise InputError(
                "FILTER_NESTED", f"The filter '{name}' names itself in the end.", mend="Write it out."
            )
        f = schema.filters
        text = self._connection.execute(sa.select(f.c.query).where(f.c.name == name)).scalar()
        if text is None:
            raise InputError(
                "FILTER_UNKNOWN", f"There is no filter '{name}'.", mend="See 'tocsin rollout filter list'."
            )
        query: Query = json.loads(text)
        return query


@dataclass(frozen=True, slots=True)
class Found:
    """How many devices a selection means."""

    devices: int
    """Valid: they can have an offer."""
    invalid: int
    """Revoked, or their records are over or not yet valid."""
    unreachable: int
    """In the inventory only: they are without our core, and no offer reaches them."""


def valid(now: float) -> sa.ColumnElement[bool]:
    """Return what is true of a device that may have an offer."""
    return sa.and_(_D.c.revoked.is_(False), _D.c.valid_from <= now, _D.c.valid_to > now)


def count(session: Session, product: str, query: Query | None, now: float) -> Found:
    """Count what a selection of a product's devices means."""
    selector = Selector(session)
    good = sa.func.coalesce(sa.func.sum(sa.case((valid(now), 1), else_=0)), 0)
    row = session.connection.execute(
        sa.select(good, sa.func.count())
        .select_from(_FROM)
        .where(_D.c.product == product, selector.reached(query))
    ).one()
    elsewhere = session.connection.execute(
        sa.select(sa.func.count())
        .select_from(UNREACHED)
        .where(_U.c.product == product, Selector(session).unreached(query))
    ).scalar_one()
    return Found(int(row[0]), int(row[1]) - int(row[0]), int(elsewhere))


class Pages:
    """Reads a selection of a product's devices page by page, in order of ids.

    Args:
        session: finds out what the queries mean; pages may be read in others.
        product: whose devices.
        query: which of them.
        groups: a device belongs to the first of these that means it.
        now: UTC seconds.
    """

    def __init__(
        self, session: Session, product: str, query: Query | None, groups: Sequence[Query | None], now: float
    ) -> None:
        selector = Selector(session)
        whens = [(selector.reached(each), index) for index, each in enumerate(groups) if each is not None]
        group = sa.case(*whens, else_=None) if whens else sa.null()
        base = sa.select(_D.c.id, group).select_from(_FROM)
        base = base.where(_D.c.product == product, valid(now), selector.reached(query))
        self._query = base.where(_D.c.id > sa.bindparam("after")).order_by(_D.c.id).limit(PAGE)

    def page(self, session: Session, after: str) -> list[tuple[str, int | None]]:
        """Return the next devices behind ``after``, with their group; fewer than PAGE are the last."""
        return [(row[0], row[1]) for row in session.connection.execute(self._query, {"after": after})]

    def every(self, session: Session) -> Iterator[tuple[str, int | None]]:
        """Yield all of them."""
        last = ""
        while True:
            page = self.page(session, last)
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1][0]


def add_filter(session: Session, name: str, query: Query, *, by: str, now: float) -> Filter:
    """Save a selection, in the place of the former one of that name.

    Raises:
        InputError: FILTER_NAME, SELECTION, FILTER_UNKNOWN, FILTER_NESTED.
    """
    if not is_id(name):
        raise InputError("FILTER_NAME", f"'{name}' is no name for a filter.", mend="Use letters and digits.")
    Selector(session).check(name, checked(query))
    made = Filter(name, query, describe(query), by, now)
    f = schema.filters
    session.connection.execute(f.delete().where(f.c.name == name))
    session.connection.execute(f.insert().values(name=name, query=canonical(query), by=by, at=now))
    audit.append(session, "filter.saved", {"by": by, "name": name, "query": query}, now)
    return made


def remove_filter(session: Session, name: str, *, by: str, now: float) -> None:
    """Forget a saved selection. Plans that name it have what it meant when they were made.

    Raises:
        InputError: FILTER_UNKNOWN.
    """
    show_filter(session, name)
    f = schema.filters
    session.connection.execute(f.delete().where(f.c.name == name))
    audit.append(session, "filter.removed", {"by": by, "name": name}, now)


def show_filter(session: Session, name: str) -> Filter:
    """Return a saved selection.

    Raises:
        InputError: FILTER_UNKNOWN.
    """
    found = [each for each in filters(session) if each.name == name]
    if not found:
        raise InputError(
            "FILTER_UNKNOWN", f"There is no filter '{name}'.", mend="See 'tocsin rollout filter list'."
        )
    return found[0]


def filters(session: Session) -> list[Filter]:
    """Return every saved selection by name."""
    f = schema.filters
    rows: Any = session.connection.execute(sa.select(f).order_by(f.c.name))
    return [Filter(row.name, query := json.loads(row.query), describe(query), row.by, row.at) for row in rows]
