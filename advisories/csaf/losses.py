"""What becomes of every single value of a document that is taken over: nothing goes unreported.

Each leaf of the document begins as lost. Only a reader that puts it into the facts marks it as carried, and
only one that knows how it follows from other facts marks it as derived. So what nobody thought of is a loss
that is told, and never one that is silent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from advisories.yamlfile import Path, shown

T = TypeVar("T")
Reader = Callable[[Any], T]
"""Returns what the facts hold, or raises ValueError that completes "it is lost, for ..."."""

NO_PLACE: Final = "the facts have no place for it"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class Fate(StrEnum):
    """What became of a value."""

    CARRIED = "carried"
    """It stands in the facts."""
    DERIVED = "derived"
    """It does not stand there, but follows from what does; an export writes it again."""
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Loss:
    """A value that could not be carried over."""

    path: str
    """JSON path (RFC 9535) from the document's root."""
    what: str
    """The value, short and printable."""
    why: str


def json_path(path: Path) -> str:
    """Return a path as RFC 9535 writes it: ``$.document.notes[0].text``; strange keys escaped."""
    parts = ["$"]
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN.fullmatch(step) and len(step) <= 200:
            parts.append(f".{step}")
        else:
            quoted = shown(step).replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"['{quoted}']")
    return "".join(parts)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every leaf: texts, numbers, truth values, nulls, and what is empty."""
    steps = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    empty = True
    for step, item in steps:
        empty = False
        yield from leaves(item, (*path, step))
    if empty:
        yield path, value


class Ledger:
    """Keeps account of every leaf of one document."""

    def __init__(self, document: Any) -> None:
        self.root: Final = Node(self, (), document)
        self._values: Final = dict(leaves(document))
        self._fates: Final[dict[Path, tuple[Fate, str]]] = dict.fromkeys(self._values, (Fate.LOST, NO_PLACE))

    def mark(self, path: Path, value: Any, fate: Fate, why: str = "") -> None:
        """Decide about every leaf at and below a path."""
        for leaf, _ in leaves(value, path):
            self._fates[leaf] = (fate, why)

    def drop(self, path: Path, value: Any, why: str) -> None:
        """Lose every leaf at and below a path, for this reason unless there is a nearer one."""
        for leaf, _ in leaves(value, path):
            fate, nearer = self._fates[leaf]
            if fate is not Fate.LOST or nearer == NO_PLACE:
                self._fates[leaf] = (Fate.LOST, why)

    def count(self, fate: Fate) -> int:
        """Return how many leaves had this fate."""
        return sum(found is fate for found, _ in self._fates.values())

    def fates(self) -> dict[Path, Fate]:
        """Return what became of each leaf."""
        return {path: fate for path, (fate, _) in self._fates.items()}

    def losses(self) -> tuple[Loss, ...]:
        """Return what was lost, in the order of the document."""
        return tuple(
            Loss(json_path(path), shown(str(self._values[path])), why)
            for path, (fate, why) in self._fates.items()
            if fate is Fate.LOST
        )


class Node:
    """A value of the document with its place; whatever is read from it is entered in the ledger."""

    __slots__ = ("_ledger", "path", "value")

    def __init__(self, ledger: Ledger, path: Path, value: Any) -> None:
        self._ledger = ledger
        self.path = path
        self.value = value

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def take(self, key: str, read: Reader[T]) -> T | None:
        """Return what the facts hold of a value, or None when it is not there or cannot be held."""
        if key not in self:
            return None
        path, value = (*self.path, key), self.value[key]
        try:
            found = read(value)
        except ValueError as error:
            self._ledger.mark(path, value, Fate.LOST, str(error))
            return None
        self._ledger.mark(path, value, Fate.CARRIED)
        return found

    def each(self, key: str, read: Reader[T]) -> list[T]:
        """Return what the facts hold of each value of a list."""
        found: list[T] = []
        for item in self.items(key):
            try:
                found.append(read(item.value))
            except ValueError as error:
                item.drop(str(error))
            else:
                self._ledger.mark(item.path, item.value, Fate.CARRIED)
        return found

    def below(self, key: str) -> Node | None:
        """Return the object under a key; anything else there is lost."""
        if key not in self:
            return None
        found = Node(self._ledger, (*self.path, key), self.value[key])
        if isinstance(found.value, dict):
            return found
        found.drop("it is no object")
        return None

    def items(self, key: str, most: int | None = None) -> list[Node]:
        """Return the members of the list under a key; those beyond the first ``most`` are lost."""
        if key not in self:
            return []
        path, value = (*self.path, key), self.value[key]
        if not isinstance(value, list):
            self._ledger.mark(path, value, Fate.LOST, "it is no list")
            return []
        found = [Node(self._ledger, (*path, index), item) for index, item in enumerate(value)]
        for extra in found[most:] if most is not None else ():
            extra.drop(f"the facts hold at most {most} of these")
        return found[:most]

    def derive(self, key: str, why: str) -> None:
        """Say that a value follows from other facts."""
        if key in self:
            self._ledger.mark((*self.path, key), self.value[key], Fate.DERIVED, why)

    def lose(self, key: str, why: str) -> None:
        """Say why a value is lost."""
        if key in self:
            self._ledger.mark((*self.path, key), self.value[key], Fate.LOST, why)

    def drop(self, why: str) -> None:
        """Lose everything at and below this place, also what was carried; a loss keeps its own reason."""
        self._ledger.drop(self.path, self.value, why)
