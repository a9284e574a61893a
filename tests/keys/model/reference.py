"""A second opinion on trust, from DESIGN.md "Trust: one rule" alone: names instead of keys, no bytes, no speed.

Nothing here imports the code that it judges. A *charter* is a root's body, a *statement* any other
body; *sealed* is either with the names of the keys that signed it. :class:`Belief` is what one reader
has come to believe. It returns every objection that applies, so the order of the checks is not part
of the opinion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

ONE_KEY = frozenset({"catalogue", "timestamp", "offer", "answer", "devices"})
"""A single key may sign these: their time never makes a warning late."""
INSTALLING = frozenset({"catalogue", "timestamp", "offer"})
"""Stale metadata does block installing; a warning is never held up."""

Demand = Mapping[str, int]
Author = tuple[str, str] | None


@dataclass(frozen=True)
class Seat:
    """A key in a charter."""

    key: str
    holder: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """What one type demands, for one product or for all."""

    type: str
    product: str | None
    demand: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Charter:
    """A root."""

    fleet: str
    version: int
    issued: int
    expires: int | None
    seats: tuple[Seat, ...]
    rows: tuple[Row, ...]
    exercise: bool = False

    def row(self, type_: str, product: str | None) -> Demand | None:
        """A row narrowed to a product wins."""
        for wanted in (product, None):
            for row in self.rows:
                if (row.type, row.product) == (type_, wanted):
                    return dict(row.demand)
        return None


@dataclass(frozen=True)
class Statement:
    """Any other document; ``content`` tells apart what is otherwise equal."""

    type: str
    fleet: str
    about: tuple[str, ...]
    version: int
    issued: int
    expires: int | None
    author: Author = None
    advisory: str | None = None
    content: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Under which its versions may be counted."""
        return (self.advisory,) if self.advisory else self.about


@dataclass(frozen=True)
class Sealed:
    """A body with the keys that signed it, and those whose name stands under rubbish."""

    body: Charter | Statement
    signed: tuple[str, ...]
    forged: tuple[str, ...] = ()


def able(charter: Charter, keys: Iterable[str], author: Author) -> dict[str, set[str]]:
    """Role -> holders who signed and may act in it; an author only for the author's own role."""
    found: dict[str, set[str]] = {}
    for seat in charter.seats:
        for role in seat.roles:
            if seat.key in keys and (author is None or seat.holder != author[0] or role == author[1]):
                found.setdefault(role, set()).add(seat.holder)
    return found


def enough(charter: Charter, demand: Demand, keys: Iterable[str], author: Author = None) -> bool:
    """Try every way to put different holders on the seats that a row demands."""
    if charter.exercise:  # one holder may act for several roles
        people = able(charter, keys, None)
        return all(len(people.get(role, ())) >= count for role, count in demand.items())
    people = able(charter, keys, author)

    def fill(seats: list[str], taken: frozenset[str]) -> bool:
        if not seats:
            return True
        free = people.get(seats[0], set()) - taken
        return any(fill(seats[1:], taken | {holder}) for holder in free)

    return fill([role for role, count in demand.items() for _ in range(count)], frozenset())


def objections(charter: Charter) -> Iterator[str]:
    """Why this cannot be a root at all."""
    keys = [seat.key for seat in charter.seats]
    if len(set(keys)) != len(keys):
        yield "keys differ by public-key bytes"
    if charter.expires is None or charter.expires <= charter.issued:
        yield "a root lives up to a year"
    if len({(row.type, row.product) for row in charter.rows}) != len(charter.rows):
        yield "one row a type and product"
    for row in charter.rows:
        if not row.demand or any(count < 1 for _, count in row.demand):
            yield "a row is empty, or has a threshold below 1"
        elif not enough(charter, dict(row.demand), keys):
            yield "a threshold above its holders"
    threshold = (charter.row("root", None) or {}).get("root", 0)
    if sum("root" in seat.roles for seat in charter.seats) < threshold + 1 or threshold < 1:
        yield "at least threshold + 1 root keys"


@dataclass(frozen=True)
class Mark:
    """The newest version of a name that was believed, and who stood behind it."""

    statement: Statement
    signed: frozenset[str]
    demand: tuple[tuple[str, int], ...]


def _signatures(charter: Charter, sealed: Sealed, demand: Demand | None, author: Author) -> Iterator[str]:
    known = {seat.key for seat in charter.seats}
    if known & set(sealed.forged):
        yield "BAD_SIGNATURE"
    if not known & set(sealed.signed):
        yield "UNKNOWN_KEY"
    if demand is None:
        yield "NO_POLICY_ROW"
    elif not enough(charter, demand, sealed.signed, author):
        yield "THRESHOLD_NOT_MET"


@dataclass
class Belief:
    """What one reader believes: a charter and a mark under everything accepted."""

    fleet: str
    charter: Charter
    marks: dict[tuple[str, str], Mark] = field(default_factory=dict)

    def copy(self) -> Belief:
        """A belief that changes on its own from here on."""
        return replace(self, marks=dict(self.marks))

    def time(self, now: int | None, type_: str) -> int:
        """It is never earlier than what was issued already; metadata counts against metadata only."""
        issued = [
            m.statement.issued for (t, _), m in self.marks.items() if type_ in ONE_KEY or t not in ONE_KEY
        ]
        return max(now or 0, self.charter.issued, *issued)

    def judge_root(self, sealed: Sealed, now: int | None) -> set[str]:
        """Why this is not the next root; empty: it is (or it is the very one that is trusted)."""
        new, old = sealed.body, self.charter
        if isinstance(new, Statement):
            return {"WRONG_TYPE", "MALFORMED", "TOO_BIG"}
        if new == old:
            return set()
        found = {"BAD_ROOT"} if any(objections(new)) else set()
        if new.version <= old.version:
            found.add("REPLAYED")
        elif new.version != old.version + 1:
            found.add("ROOT_GAP")
        if new.fleet != self.fleet:
            found.add("WRONG_FLEET")
        if now is not None and new.expires is not None and now >= new.expires:
            found.add("EXPIRED")
        for charter in (old, new):  # old and new policy
            found.update(_signatures(charter, sealed, charter.row("root", None), None))
        return found

    def take_root(self, charter: Charter) -> set[tuple[str, str]]:
        """Trust it; return the marks that went with keys that are revoked (recovery)."""
        gone = {
            name
            for name, mark in self.marks.items()
            if not enough(charter, dict(mark.demand), mark.signed, mark.statement.author)
        }
        if charter == self.charter:
            return set()
        self.charter = charter
        self.marks = {name: mark for name, mark in self.marks.items() if name not in gone}
        return gone

    def demand(self, statement: Statement, product: str | None) -> Demand | None:
        """The row of the reader's product; a reader without one needs what every product's row demands."""
        rows = [self.charter.row(statement.type, p) for p in ((product,) if product else statement.about)]
        if not rows or any(row is None for row in rows):
            return None
        roles = {role for row in rows if row for role in row}
        return {role: max((row or {}).get(role, 0) for row in rows) for role in roles}

    def judge(
        self,
        sealed: Sealed,
        type_: str,
        *,
        name: str,
        subject: str | None,
        product: str | None,
        now: int | None,
        expiring: bool,
    ) -> set[str]:
        """Why this must not be accepted where a document of ``type_`` belongs; empty: it must be."""
        body = sealed.body
        time = self.time(now, type_)
        root_over = type_ in INSTALLING and expiring and time >= (self.charter.expires or 0)
        if isinstance(body, Charter) or body.type != type_:
            return {"WRONG_TYPE", "TOO_BIG"} | ({"EXPIRED"} if root_over else set())
        found = set(_signatures(self.charter, sealed, self.demand(body, product or subject), body.author))
        if body.fleet != self.fleet:
            found.add("WRONG_FLEET")
        if (subject is not None and subject not in body.about) or name not in body.names:
            found.add("WRONG_SUBJECT")
        if root_over or (expiring and body.expires is not None and time >= body.expires):
            found.add("EXPIRED")
        mark = self.marks.get((type_, name))
        if mark is not None and body.version < mark.statement.version:
            found.add("REPLAYED")
        if mark is not None and body.version == mark.statement.version and body != mark.statement:
            found.add("EQUIVOCATION")
        return found

    def take(self, sealed: Sealed, *, name: str, product: str | None) -> None:
        """Believe a statement that nothing speaks against."""
        body = sealed.body
        assert isinstance(body, Statement)
        mark = self.marks.get((body.type, name))
        known = {seat.key for seat in self.charter.seats}
        signed = known & set(sealed.signed)
        if mark is not None and mark.statement == body:
            signed |= known & mark.signed
        demand = tuple(sorted((self.demand(body, product) or {}).items()))
        self.marks[body.type, name] = Mark(body, frozenset(signed), demand)
