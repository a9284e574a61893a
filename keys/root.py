"""Root and policy: which keys exist, who holds them, and what each type of document demands.

A root is valid only if its policy can be met by its holders. Nothing else in the system grants
anything. The matching below answers one question: do enough different holders stand behind
these signatures, when a holder may count for one role of a row only?
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from keys.algorithms import Algorithm, PublicKey
from keys.codec import Shape, at, blob, boolean, ident, many, mapping, name, record, row, uint
from keys.errors import RefusedError
from keys.limits import (
    DOCUMENT_BYTES_MAX,
    NAME_BYTES_MAX,
    POLICY_ROWS_MAX,
    ROLES_MAX,
    ROOT_BYTES_MAX,
    ROOT_KEYS_MAX,
    SIGNATURES_MAX,
    SUBJECTS_MAX,
    VERSION_MAX,
)
from keys.reasons import Reason

_Question = tuple[tuple[tuple[str, int], ...], tuple[bytes, ...], tuple[str, str] | None]
_ANSWERS_KEPT = 256

NAME = name(NAME_BYTES_MAX)
ROLE_ROOT = "root"

DEFAULT_POLICY: Mapping[str, Mapping[str, int]] = {
    "root": {"root": 2},
    "notice": {"engineering": 1, "legal": 1, "communications": 1},
    "publication": {"legal": 1, "communications": 1},
    "patch": {"release": 1, "security": 1},
    "devices": {"operator": 1},
    "catalogue": {"operator": 1},
    "timestamp": {"gateway": 1},
    "offer": {"gateway": 1},
    "answer": {"gateway": 1},
}
"""Document type -> role -> how many different holders."""

ROLES = ("root", "engineering", "legal", "communications", "release", "security", "operator", "gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What every signed document states first, and every reader compares (keys 1 to 7)."""

    TYPE: ClassVar[str] = ""
    BYTES_MAX: ClassVar[int] = DOCUMENT_BYTES_MAX
    """Of the body; its signatures may take SIGNATURES_BYTES_MAX more."""

    type: str = at(1, ident(NAME_BYTES_MAX))
    fleet: bytes = at(2, blob(32, bytes_min=0))
    """Digest of root 1; empty in root 1 itself."""
    subject: tuple[str, ...] = at(3, many(ident(NAME_BYTES_MAX), SUBJECTS_MAX))
    """Products or device ids; empty when the whole fleet is meant."""
    version: int = at(4, uint(VERSION_MAX))
    """max(last + 1, UTC seconds); a root counts 1, 2, 3."""
    issued: int = at(5, uint(VERSION_MAX))
    """UTC seconds."""
    expires: int | None = at(6, uint(VERSION_MAX), optional=True)
    """UTC seconds; from this second on the document is not valid."""
    author: tuple[str, str] | None = at(7, row(NAME, NAME), optional=True)
    """Holder and role: the author counts only for the author's own role."""

    def names(self) -> tuple[str, ...]:
        """Return the names under which versions of this document may be counted; empty: any."""
        return self.subject


_PUBLIC_KEY = Shape(lambda key: key.to_cose(), PublicKey.from_cose)


@dataclass(frozen=True, slots=True, kw_only=True)
class RootKey:
    """A key of the root with its roles and the person or machine that uses it."""

    key: PublicKey = at(1, _PUBLIC_KEY)
    roles: tuple[str, ...] = at(2, many(NAME, ROLES_MAX, items_min=1))
    holder: str = at(3, NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """What one document type demands, for one product or (None) for all."""

    type: str = at(1, ident(NAME_BYTES_MAX))
    demands: dict[str, int] = at(2, mapping(NAME, uint(SIGNATURES_MAX), ROLES_MAX))
    product: str | None = at(3, ident(NAME_BYTES_MAX), optional=True)


@dataclass(frozen=True, kw_only=True)
class Root(Body):
    """The root of trust of one fleet. Construct it only through :func:`checked` or trusted bytes."""

    TYPE: ClassVar[str] = "root"
    BYTES_MAX: ClassVar[int] = ROOT_BYTES_MAX

    keys: tuple[RootKey, ...] = at(10, many(record(RootKey), ROOT_KEYS_MAX, items_min=1))
    policy: tuple[PolicyRow, ...] = at(11, many(record(PolicyRow), POLICY_ROWS_MAX, items_min=1))
    exercise: bool = at(12, boolean())
    """True for drills: devices show it, and one holder may act for several roles."""

    @cached_property
    def by_kid(self) -> dict[bytes, RootKey]:
        """The keys by thumbprint."""
        return {entry.key.thumbprint: entry for entry in self.keys}

    def demands(self, type_: str, product: str | None) -> dict[str, int]:
        """Return role -> threshold for a document type; a product's own row wins.

        Raises:
            RefusedError: NO_POLICY_ROW.
        """
        rows = self._rows
        found = rows.get((type_, product))
        if found is None:
            found = rows.get((type_, None))
        if not found:
            raise RefusedError(Reason.NO_POLICY_ROW, type_)
        return found

    @cached_property
    def _rows(self) -> dict[tuple[str, str | None], dict[str, int]]:
        # The first row of its kind; a second one makes the root invalid.
        return {(line.type, line.product): line.demands for line in reversed(self.policy)}

    def policy_row(self, type_: str, product: str | None) -> dict[str, int] | None:
        """Return what the row of exactly this type and product demands, or None when there is no such row."""
        return self._rows.get((type_, product))

    def demanded(self, body: Body, product: str | None) -> dict[str, int]:
        """Return what a document must meet: the row of ``product``, or the rows of all that it is about.

        Raises:
            RefusedError: NO_POLICY_ROW.
        """
        if product is not None:
            return self.demands(body.TYPE, product)
        # A row narrowed to one product is stricter for a reason: a reader without a product of its own
        # must not get round it. Whoever meets the highest threshold of each role meets every row.
        merged: dict[str, int] = {}
        for subject in body.subject or (None,):
            for role, count in self.demands(body.TYPE, subject).items():
                merged[role] = max(count, merged.get(role, 0))
        return merged

    def unreadable(self, type_: str, product: str | None, algorithms: Container[Algorithm]) -> list[str]:
        """Return the roles of a row that a reader with only these algorithms could never see satisfied.

        Raises:
            RefusedError: NO_POLICY_ROW.
        """
        usable = (entry.key.thumbprint for entry in self.keys if entry.key.algorithm in algorithms)
        return self.missing(self.demands(type_, product), usable)

    def missing(
        self, demands: Mapping[str, int], signed: Iterable[bytes], author: tuple[str, str] | None = None
    ) -> list[str]:
        """Return the roles for which holders are still missing, one entry for each missing holder.

        Args:
            demands: role -> threshold.
            signed: thumbprints of keys whose signatures have been verified.
            author: holder and role of the author, who counts for that role only (not in an exercise, where
                one holder may act for several).
        """
        question = tuple(demands.items()), tuple(signed), None if self.exercise else author
        found = self._answers.get(question)
        if found is None:
            if len(self._answers) >= _ANSWERS_KEPT:
                self._answers.clear()
            found = self._answers[question] = tuple(self._missing(*question))
        return list(found)

    @cached_property
    def _answers(self) -> dict[_Question, tuple[str, ...]]:
        """What :meth:`missing` found before: the same few holders sign everything under the same few rows."""
        return {}

    def _missing(
        self, demands: tuple[tuple[str, int], ...], signed: tuple[bytes, ...], author: tuple[str, str] | None
    ) -> list[str]:
        able: dict[str, set[str]] = {role: set() for role, _ in demands}
        for entry in (self.by_kid[kid] for kid in signed if kid in self.by_kid):
            for role in entry.roles:
                if role in able and (author is None or entry.holder != author[0] or role == author[1]):
                    able[role].add(entry.holder)
        if self.exercise:
            return [role for role, count in sorted(demands) for _ in range(count - len(able[role]))]
        return _unmatched(demands, able)


def _unmatched(demands: Iterable[tuple[str, int]], able: Mapping[str, set[str]]) -> list[str]:
    """Match seats (role, i) to holders, each holder once (augmenting paths); return seats left empty."""
    seats = [role for role, count in sorted(demands) for _ in range(count)]
    taken: dict[str, int] = {}

    def seat(index: int, tried: set[str]) -> bool:
        for holder in sorted(able[seats[index]]):
            if holder in tried:
                continue
            tried.add(holder)
            if holder not in taken or seat(taken[holder], tried):
                taken[holder] = index
                return True
        return False

    return [role for index, role in enumerate(seats) if not seat(index, set())]


def checked(root: Root) -> Root:
    """Return ``root`` if its policy is complete and can be met.

    Raises:
        RefusedError: BAD_ROOT with the first fault found.
    """
    fault = next(_faults(root), None)
    if fault is not None:
        raise RefusedError(Reason.BAD_ROOT, fault)
    return root


def _faults(root: Root) -> Iterator[str]:
    if len(root.by_kid) != len(root.keys):
        yield "a key is listed twice"
    if not root.expires or root.expires <= root.issued:
        yield "it does not say when it expires"
    if (root.fleet == b"") != (root.version == 1):
        yield "root 1, and only root 1, leaves the fleet empty"
    if root.subject or any(line.type == ROLE_ROOT and line.product for line in root.policy):
        yield "a root is about the whole fleet, never about one product"
    yield from _row_faults(root)
    root_row = root.policy_row(ROLE_ROOT, None) or {}
    if set(root_row) != {ROLE_ROOT}:
        yield "the row for root must demand the role root and no other"
    elif sum(ROLE_ROOT in entry.roles for entry in root.keys) <= root_row[ROLE_ROOT]:
        yield "it has fewer root keys than the threshold plus one"


def _row_faults(root: Root) -> Iterator[str]:
    seen: set[tuple[str, str | None]] = set()
    for line in root.policy:
        label = f"the row for {line.type}" + (f" of {line.product}" if line.product else "")
        if (line.type, line.product) in seen:
            yield f"{label} stands twice"
        seen.add((line.type, line.product))
        if not line.demands or any(count < 1 for count in line.demands.values()):
            yield f"{label} is empty or has a threshold below 1"
        elif sum(line.demands.values()) > SIGNATURES_MAX:
            yield f"{label} demands more than {SIGNATURES_MAX} signatures"
        elif root.missing(line.demands, root.by_kid):
            yield f"{label} demands more holders than there are"
