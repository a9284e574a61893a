"""Calls to customers: who is to be called, in which order, and what came of each call.

A list of customers is a person's file and stays outside; only a customer's number and the outcome are kept.
"""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BeforeValidator

from advisories.events import Event, Recorded, event
from advisories.facts.parts import Id, Prose, words_of
from advisories.languages import is_language
from advisories.topics import is_id
from advisories.yamlfile import choice, near_miss, shown
from keys.errors import InputError

CUSTOMERS_MAX: Final = 100_000
COLUMNS: Final = ("customer", "name", "phone", "language", "products", "key")
"""Number, name, phone, language tag, products (spaces between), and ``yes`` for a key customer."""
_REQUIRED: Final = COLUMNS[:3]


class Outcome(StrEnum):
    """What came of a call."""

    REACHED = "reached"
    CALL_AGAIN = "call-again"
    NO_ANSWER = "no-answer"
    WRONG_NUMBER = "wrong-number"
    REFUSED = "refused"
    LETTER = "letter"
    """They get a letter instead."""


DONE: Final = frozenset({Outcome.REACHED, Outcome.REFUSED, Outcome.LETTER})
SPOKEN: Final = frozenset({Outcome.REACHED, Outcome.REFUSED, Outcome.CALL_AGAIN})
"""Somebody answered, so a customer has had word."""


@event("call.made")
class Made(Event):
    """Somebody called a customer."""

    customer: Id
    outcome: Annotated[Outcome, BeforeValidator(choice(Outcome)), words_of(Outcome)]
    note: Prose | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """One line of the file of customers."""

    customer: str
    name: str
    phone: str
    language: str = "en"
    products: tuple[str, ...] = ()
    key: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One customer, and the calls so far."""

    customer: Customer
    calls: tuple[tuple[Recorded, Made], ...]

    @property
    def outcome(self) -> Outcome | None:
        """What came of the last call; None before the first."""
        return self.calls[-1][1].outcome if self.calls else None

    @property
    def done(self) -> bool:
        """Whether nobody has to call any more."""
        return self.outcome in DONE


def customers(data: bytes, *, where: str) -> list[Customer]:
    """Read a file of customers: CSV with a head line of :data:`COLUMNS`, in any order.

    Spreadsheets write commas, semicolons or tabs by the country they are set to, and UTF-8 or UTF-16.

    Raises:
        InputError: CUSTOMERS_FILE, with the line.
    """
    try:
        text = data.decode("utf-16" if data.startswith((BOM_UTF16_BE, BOM_UTF16_LE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"{where}:{data[: error.start].count(10) + 1}"
        raise _wrong("it is not UTF-8 text", place, "Save it as 'CSV UTF-8'.") from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    between = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=between)
    found: dict[str, Customer] = {}
    head: list[str] = []
    try:
        for row in rows:
            place = f"{where}:{rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if not head:
                head = _head(row, place)
                continue
            if any(cell.strip() for cell in row[len(head) :]):
                raise _wrong("a line has more cells than the first", place, 'Put names with commas in "".')
            made = _customer(dict(zip(head, (cell.strip() for cell in row), strict=False)), place)
            if made.customer in found:
                raise _wrong(f"the customer '{made.customer}' stands twice", place)
            found[made.customer] = made
            if len(found) > CUSTOMERS_MAX:
                raise _wrong(f"there are more than {CUSTOMERS_MAX} customers", place)
    except csv.Error:
        raise _wrong("this is not CSV", f"{where}:{rows.line_num}") from None
    if not head:
        raise _wrong("it is empty", f"{where}:1")
    return list(found.values())


def _head(row: list[str], place: str) -> list[str]:
    head = [cell.strip().lower() for cell in row]
    for name in head:
        if name not in COLUMNS:
            raise _wrong(f"there is no column '{name[:40]}'", place, near_miss(name, COLUMNS))
    if len(set(head)) < len(head):
        raise _wrong("a column stands twice", place)
    for name in _REQUIRED:
        if name not in head:
            raise _wrong(f"the column '{name}' is missing", place)
    return head


def _customer(cells: Mapping[str, str], place: str) -> Customer:
    for name in _REQUIRED:
        if not cells.get(name):
            raise _wrong(f"'{name}' is empty", place)
    if not is_id(cells["customer"]):
        mend = "Use 1 to 64 letters, digits, dots, underscores or hyphens."
        raise _wrong(f"'{shown(cells['customer'])}' is no number of a customer", place, mend)
    language = cells.get("language") or "en"
    if not is_language(language):
        raise _wrong(f"'{language[:40]}' is not a language tag", place, "Write it like de, ja or pt-BR.")
    key = (cells.get("key") or "no").lower()
    if key not in {"yes", "no"}:
        raise _wrong("'key' is neither yes nor no", place)
    products = tuple((cells.get("products") or "").split())
    return Customer(cells["customer"], cells["name"], cells["phone"], language, products, key == "yes")


def _wrong(what: str, place: str, mend: str = "") -> InputError:
    return InputError(
        "CUSTOMERS_FILE",
        f"The file of customers cannot be used: {what}.",
        mend=mend or f"Write a CSV file with the columns {', '.join(COLUMNS)}.",
        where=place,
    )


def calls(listed: Iterable[Customer], products: Iterable[str], events: Iterable[Recorded]) -> list[Call]:
    """Return who is to be called: those with a product concerned, key customers first, done ones last.

    A customer without products in the file is called: nobody is left out for what we do not know.
    """
    concerned = set(products)
    made: dict[str, list[tuple[Recorded, Made]]] = {}
    for each in events:
        if isinstance(each.data, Made):
            made.setdefault(each.data.customer, []).append((each, each.data))
    found = [
        Call(customer, tuple(made.get(customer.customer, ())))
        for customer in listed
        if not customer.products or concerned & set(customer.products)
    ]
    return sorted(found, key=lambda call: (call.done, not call.customer.key, call.customer.customer))
