"""The funnel from the store: what the status command, the demonstration and the dashboard show.

Everything is read from cells (``gateway.store.cells``), so it takes as long for a million devices as for a
thousand. Seconds from publishing to shown are on the gateway's clock on both ends: from the commit of the
publication to the receipt of the report that first said SHOWN. So they are upper bounds, finer than the
journal's whole seconds, and a device with a wrong clock cannot colour them; a histogram keeps them to
2.5 per cent (:func:`gateway.core.funnel.bucket`).

``account`` narrows everything to the devices of one account; None means all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from advisories.notice import Notice
from advisories.report import Agreed
from advisories.states import PATCH_PROVEN, NoticeState, Surface
from advisories.versions import Version, parse_version
from gateway.core import funnel as core
from gateway.core.funnel import Funnel, Kind, Reached, Stands, Told
from gateway.store import schema
from gateway.store.engine import Session
from keys.document import peek
from keys.errors import InputError
from keys.reasons import Reason

SPLITS: Final = ("product", "language", "region", "account")
"""What a funnel can be told apart by."""
Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """Every device of an advisory's products, told apart by some of :data:`SPLITS`."""

    split: tuple[str, ...]
    counts: Mapping[tuple[str, ...], Mapping[Steps, int]]
    """What they are told apart by -> :func:`gateway.core.funnel.steps` -> devices."""

    def by(self, *names: str) -> dict[tuple[str, ...], Funnel]:
        """Count apart by some of ``split``."""
        places = [self.split.index(name) for name in names]
        return core.fold(
            (part, steps, many)
            for key, cells in self.counts.items()
            for part in (tuple(key[place] for place in places),)
            for steps, many in cells.items()
        )

    @property
    def total(self) -> Funnel:
        """All of them together."""
        return self.by().get((), Funnel())


@dataclass(frozen=True, slots=True)
class AdvisoryFunnel:
    """How far one published revision has come."""

    notice: Notice
    digest: bytes
    published: float
    """UTC seconds."""
    parts: Parts
    seconds_p50: float | None
    """From publishing to shown, half of the devices that were shown it; None when none was."""
    seconds_p99: float | None

    def by(self, *names: str) -> dict[tuple[str, ...], Funnel]:
        """Count apart by some of what was split."""
        return self.parts.by(*names)

    @property
    def total(self) -> Funnel:
        """All of them together."""
        return self.parts.total


@dataclass(frozen=True, slots=True)
class PatchFunnel:
    """How far one patch has come."""

    states: dict[str, int]
    """Name of the state -> devices."""
    proven: dict[str, int]
    """Language -> devices that run it, measured and confirmed."""
    agreed: dict[str, int]
    """How owners agreed to it -> devices; DEFERRED: put it off so far."""


def advisory_funnel(
    session: Session,
    advisory: str,
    *,
    account: str | None = None,
    split: Collection[str] = ("product", "language"),
) -> AdvisoryFunnel:
    """Return the funnel of an advisory's newest revision.

    Args:
        session: which reads.
        advisory: its id.
        account: see above.
        split: what has to be told apart: some of :data:`SPLITS`.

    Raises:
        InputError: ADVISORY_UNKNOWN.
    """
    row = newest(session, advisory)
    notice = peek(row.document, Notice)
    return AdvisoryFunnel(
        notice,
        row.digest,
        row.published,
        parts(session, notice, account=account, split=split),
        *_quantiles(session, notice, account),
    )


def newest(session: Session, advisory: str) -> Any:
    """Return document, digest and time of publication of an advisory's newest revision.

    Raises:
        InputError: ADVISORY_UNKNOWN.
    """
    a = schema.advisories
    row = session.connection.execute(
        sa.select(a.c.document, a.c.digest, a.c.published)
        .where(a.c.id == advisory)
        .order_by(a.c.revision.desc())
        .limit(1)
    ).first()
    if row is None:
        raise InputError("ADVISORY_UNKNOWN", f"'{advisory}' is not published.", mend="Publish it first.")
    return row


def published(session: Session) -> list[str]:
    """Return the ids of all published advisories, in order."""
    a = schema.advisories
    return list(session.connection.execute(sa.select(a.c.id).distinct().order_by(a.c.id)).scalars())


def parts(
    session: Session, notice: Notice, *, account: str | None = None, split: Collection[str] = ()
) -> Parts:
    """Tell the devices of a notice's products apart; see :func:`advisory_funnel`."""
    apart = [name for name in SPLITS if name in split]
    c, n = _tables({*apart, "account"} if account is not None else {*apart})
    ours, is_newest = (
        (n.c.advisory == notice.id, n.c.product.in_(notice.subject)),
        n.c.revision == notice.revision,
    )
    steps, counts = _Steps(notice), _Counts(len(apart))
    # Of those that reported this revision the version says nothing more; of all others it says everything.
    query = _grouped(c, [*apart, "product", "installed", "kind"]).where(c.c.product.in_(notice.subject))
    counts.add(_read(session, query, c, account), steps.silent)
    query = _grouped(n, [*apart, "product", "installed"]).where(*ours, is_newest)
    counts.add(_read(session, query, n, account), steps.reports, -1)
    query = _grouped(n, [*apart, "state", "surface", "reached"]).where(*ours, is_newest)
    counts.add(_read(session, query, n, account), steps.said)
    # Two ranges of an index, and seldom anything in them; "another" would be no range.
    another = sa.or_(n.c.revision < notice.revision, n.c.revision > notice.revision)
    query = _grouped(n, [*apart, "product", "installed"]).where(*ours, another)
    query = query.where(n.c.reached.op("&")(int(Reached.PATCHED)) != 0)
    patched = _read(session, query, n, account)
    counts.add(patched, steps.reports, -1)
    counts.add(patched, steps.patched)
    return Parts(tuple(apart), counts.found())


class _Counts:
    """How many devices count where, by what they are told apart by: the first columns of each row."""

    def __init__(self, apart: int) -> None:
        self._apart = apart
        self._by_key: dict[tuple[str, ...], dict[Steps, int]] = {}

    def add(self, rows: Sequence[Any], steps: Callable[..., Steps], sign: int = 1) -> None:
        """Add rows: what tells them apart, what ``steps`` makes of the columns behind, and how many."""
        apart, by_key = self._apart, self._by_key
        known: dict[tuple[Any, ...], Steps] = {}
        for row in rows:
            key, like, many = row[:apart], row[apart:-1], sign * int(row[-1])
            found = known.get(like)
            if found is None:
                found = known[like] = steps(*like)
            cells = by_key.get(key)
            if cells is None:
                cells = by_key[key] = {}
            cells[found] = cells.get(found, 0) + many

    def found(self) -> dict[tuple[str, ...], dict[Steps, int]]:
        """Return what was added; where nobody is left, there is nothing."""
        some = (
            (key, {steps: many for steps, many in cells.items() if many})
            for key, cells in self._by_key.items()
        )
        return {key: cells for key, cells in some if cells}


def _tables(apart: set[str]) -> tuple[sa.Table, sa.Table]:
    """Return the smallest tables of devices and of what they said that tell these things apart."""
    apart = apart - {"product"}
    if apart <= {"language"}:
        return schema.device_sums, schema.notice_sums
    if apart == {"account"}:
        return schema.device_accounts, schema.notice_accounts
    if apart == {"region"}:
        return schema.device_regions, schema.notice_regions
    return schema.device_cells, schema.notice_cells


class _Steps:
    """What devices count as."""

    def __init__(self, notice: Notice) -> None:
        self._notice = notice
        self._known: dict[Steps, Steps] = {}

    def said(self, state: int, surface: int, reached: int) -> Steps:
        """Return that of devices that reported the notice's revision."""
        bits = Reached(reached)
        stands = Stands(state=NoticeState(state), surface=Surface(surface), reached=bits)
        return self._of(Told(product="", installed=None, stands=stands, patched=Reached.PATCHED in bits))

    def silent(self, product: str, installed: str, kind: int, *, patched: bool = False) -> Steps:
        """Return that of devices that did not."""
        version = version_of(installed)
        return self._of(Told(product=product, installed=version, kind=Kind(kind), patched=patched))

    def reports(self, product: str, installed: str) -> Steps:
        """Return that of devices that did not, and report."""
        return self.silent(product, installed, int(Kind.REPORTS))

    def patched(self, product: str, installed: str) -> Steps:
        """Return that of devices that did not, and run a patch that the notice names."""
        return self.silent(product, installed, int(Kind.REPORTS), patched=True)

    def _of(self, told: Told) -> Steps:
        """Return the same object for the same steps: it is compared often, and then at once."""
        found = tuple(core.steps(self._notice, told))
        return self._known.setdefault(found, found)


def _grouped(table: sa.Table, names: Sequence[str]) -> sa.Select[Any]:
    columns = [table.c[name] for name in names]
    if {column.name for column in table.primary_key} == {*names}:
        return sa.select(*columns, table.c["count"])  # each row is a group of its own
    return sa.select(*columns, sa.func.sum(table.c["count"])).group_by(*columns)


def _read(session: Session, query: sa.Select[Any], table: sa.Table, account: str | None) -> Sequence[Any]:
    if account is not None:
        query = query.where(table.c.account == account)
    return session.connection.execute(query).all()


@lru_cache(4_096)
def version_of(text: str) -> Version | None:
    """Read a version as it was reported, or as an inventory says; None where it is not known."""
    return parse_version(text) if text else None  # a fleet runs few of them


def _quantiles(session: Session, notice: Notice, account: str | None) -> tuple[float | None, float | None]:
    w = schema.wait_sums if account is None else schema.wait_cells
    query = _grouped(w, ["wait"]).where(w.c.advisory == notice.id, w.c.revision == notice.revision)
    waits = [(wait, int(many)) for wait, many in _read(session, query, w, account)]
    return core.quantile(waits, 0.5), core.quantile(waits, 0.99)


def accounts(session: Session) -> list[str]:
    """Return the accounts that have devices, in order; "" where some are nobody's in particular."""
    c = schema.device_accounts
    return list(session.connection.execute(sa.select(c.c.account).distinct().order_by(c.c.account)).scalars())


def devices(session: Session, *, account: str | None = None) -> dict[Kind, int]:
    """Return how well known -> how many devices, revoked ones left out."""
    c = schema.device_sums if account is None else schema.device_accounts
    found = {Kind(kind): int(many) for kind, many in _read(session, _grouped(c, ["kind"]), c, account)}
    return {kind: found.get(kind, 0) for kind in Kind}


def patch_funnels(session: Session, *, account: str | None = None) -> dict[bytes, PatchFunnel]:
    """Return digest -> how far it has come, for each patch that any device has spoken of."""
    p = schema.patch_sums if account is None else schema.patch_cells
    query = _grouped(p, ("digest", "language", "state", "agreed", "deferred"))
    states: dict[bytes, Counter[int]] = {}
    proven: dict[bytes, Counter[str]] = {}
    agreed: dict[bytes, Counter[int]] = {}
    deferred: Counter[bytes] = Counter()
    for digest, language, state, how, put_off, total in _read(session, query, p, account):
        many = int(total)
        states.setdefault(digest, Counter())[state] += many
        proven.setdefault(digest, Counter())[language] += many if state in PATCH_PROVEN else 0
        agreed.setdefault(digest, Counter())[how] += many if how >= 0 else 0
        deferred[digest] += many if put_off else 0
    return {
        digest: PatchFunnel(
            core.patch_counts(counts),
            {language: many for language, many in sorted(proven[digest].items()) if many},
            {Agreed(how).name: many for how, many in sorted(agreed[digest].items()) if many}
            | ({"DEFERRED": deferred[digest]} if deferred[digest] else {}),
        )
        for digest, counts in states.items()
    }


def patch_funnel(session: Session, digest: bytes) -> dict[str, int]:
    """Return state name -> devices of one patch."""
    found = patch_funnels(session).get(digest)
    return found.states if found is not None else {}


def refusals(session: Session, *, account: str | None = None) -> dict[str, int]:
    """Return reason name -> how often devices refused something, from their journals."""
    r = schema.refusal_cells
    query = _grouped(r, ["reason"])
    found = {Reason(reason).name: int(many) for reason, many in _read(session, query, r, account)}
    return dict(sorted(found.items()))


def anomalies(session: Session) -> dict[str, int]:
    """Return kind -> how many anomalies were kept."""
    a = schema.anomalies
    query = sa.select(a.c.kind, sa.func.count()).group_by(a.c.kind).order_by(a.c.kind)
    return {row[0]: row[1] for row in session.connection.execute(query)}


def quarantined(session: Session) -> dict[str, int]:
    """Return reason name -> messages that were no reports."""
    q = schema.quarantine
    query = sa.select(q.c.reason, sa.func.count()).group_by(q.c.reason).order_by(q.c.reason)
    return {Reason(reason).name: many for reason, many in session.connection.execute(query)}
