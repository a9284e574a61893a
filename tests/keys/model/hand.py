"""Whoever signs and edits: as it should be, by mistake, or with a stolen key."""

from __future__ import annotations

from dataclasses import replace

from tests.keys.model import forge
from tests.keys.model.forge import PRODUCTS, STATEMENTS
from tests.keys.model.reference import Charter, Demand, Row, Sealed, Seat, Statement, enough

TAMPERED = ("", "", "", "", "less", "more", "twice", "forged", "stranger", "one", "nobody", "author")
CHANGES = (
    "nothing", "nothing", "revoke", "revoke", "add", "add", "role", "holder", "twice",
    "threshold", "product row", "drop row", "drop row", "drop row", "exercise", "root threshold", "root threshold",
)  # fmt: skip
AUTHORS = (("max", "legal"), ("ada", "engineering"), ("grace", "engineering"), ("line-1", "gateway"))
NAMES = (*(seat.key for seat in (*forge.SEATS, *forge.SPARES)), forge.STRANGER)


def quorum(charter: Charter, demand: Demand, author: tuple[str, str] | None = None) -> tuple[str, ...]:
    """The fewest keys that meet a row, or every key where none do."""
    chosen = [seat.key for seat in charter.seats]
    for seat in charter.seats:
        fewer = [name for name in chosen if name != seat.key]
        if enough(charter, demand, fewer, author):
            chosen = fewer
    return tuple(chosen[:6])


def root_threshold(charter: Charter) -> int:
    """How many root keys it demands."""
    return (charter.row("root", None) or {}).get("root", 1)


def sign(body: Charter | Statement, signers: tuple[str, ...], tampered: str, pick: int) -> Sealed:
    """Sign as it should be, or as somebody would like it to be."""
    other = NAMES[pick % len(NAMES)]
    match tampered:
        case "less":
            return Sealed(body, signers[1:] or (forge.STRANGER,))
        case "more" if other not in signers:
            return Sealed(body, (*signers, other))
        case "twice":
            return Sealed(body, (*signers[:1], *(signers[1:] or signers)[:-1], *signers[:1]))
        case "forged" if other not in signers:
            return Sealed(body, signers, (other,))
        case "stranger":
            return Sealed(body, (forge.STRANGER, *signers))
        case "one":
            return Sealed(body, (other,))
        case "nobody":
            return Sealed(body, (forge.STRANGER,))
    return Sealed(body, signers or (forge.STRANGER,))


def changed(charter: Charter, change: str, index: int) -> Charter:
    """One edit of a root, sensible or not."""
    seats, rows = charter.seats, charter.rows
    at, row = index % len(seats), index % len(rows)
    seat, other = seats[at], seats[(at * 7 + 1) % len(seats)]
    match change:
        case "revoke" if len(seats) > 1:
            return replace(charter, seats=seats[:at] + seats[at + 1 :])
        case "add":
            pool = [s for s in (*forge.SPARES, *forge.SEATS) if s.key not in {t.key for t in seats}]
            return replace(charter, seats=(*seats, *pool[index % len(pool) :][:1])) if pool else charter
        case "role":
            roles = tuple(dict.fromkeys((*seat.roles, *other.roles)))[index % 2 :] or seat.roles
            return replace(charter, seats=(*seats[:at], replace(seat, roles=roles), *seats[at + 1 :]))
        case "holder":
            return replace(
                charter, seats=(*seats[:at], Seat(seat.key, other.holder, seat.roles), *seats[at + 1 :])
            )
        case "twice":
            return replace(charter, seats=(*seats, seat))
        case "threshold":
            demand = tuple((role, index % 4) for role, _ in rows[row].demand)
            changed = replace(rows[row], demand=demand[: 1 + index % 3])
            return replace(charter, rows=(*rows[:row], changed, *rows[row + 1 :]))
        case "root threshold":
            changed = Row("root", None, (("root", 1 + index % 4),))
            return replace(charter, rows=(changed, *(r for r in rows if r.type != "root")))
        case "product row":
            demand = ((seat.roles[0], 1), (other.roles[0], 1 + index % 2)) if index % 5 else ()
            new = Row(STATEMENTS[index % len(STATEMENTS)], PRODUCTS[index % 2], tuple(dict(demand).items()))
            return replace(charter, rows=(*rows, new))
        case "drop row" if len(rows) > 1:
            row = max(row, 1 - index % 2)  # the row for root comes first
            return replace(charter, rows=rows[:row] + rows[row + 1 :])
        case "exercise":
            return replace(charter, exercise=not charter.exercise)
    return charter
