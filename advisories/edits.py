"""Who changed what in the facts: an edit is accepted only where every changed field belongs to its role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from advisories import yamlfile
from advisories.events import Event, event
from advisories.facts import load_facts
from advisories.facts.parts import Id, Role
from advisories.owners import owner


@event("advisory.edited")
class Edited(Event):
    """A role changed fields that belong to it."""

    id: Id
    role: Role
    paths: tuple[str, ...] = ()
    """Every field that was changed, e.g. ``texts.de.title``; empty: comments only."""
    before: str
    after: str
    """SHA-256 of the file, hexadecimal."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs."""

    path: str
    owner: str
    """The role to which it belongs."""
    where: str
    """``file:line`` in the new file, or in the old one for what was taken out."""


def changes(before: bytes, after: bytes, *, where_before: str, where_after: str) -> list[Change]:
    """Return every field that differs between two files of facts.

    Args:
        before: a file that was accepted.
        after: what shall take its place.
        where_before: name of the first, for messages.
        where_after: name of the second.

    Raises:
        InputError: the faults of ``after``, with file:line.
    """
    load_facts(after, where=where_after)
    old, old_lines = yamlfile.load(before, where=where_before)
    new, new_lines = yamlfile.load(after, where=where_after)
    found = []
    for path, there in _differing(old, new, ()):
        name = ".".join(map(str, path))
        found.append(Change(name, owner(name), (new_lines if there else old_lines).place(path)))
    return found


def _differing(old: Any, new: Any, path: yamlfile.Path) -> Iterator[tuple[yamlfile.Path, bool]]:
    """Yield each leaf that differs, and whether the new file has it."""
    if type(old) is type(new) and old == new:
        return
    left, right = _parts(old), _parts(new)
    if left is None or right is None or type(old) is not type(new):
        # One side is nothing, a single value or of another kind: whatever either side holds is concerned.
        if new is not _GONE:
            yield from _leaves(new, path, there=True)
        if old is not _GONE and (new is _GONE or left is not None):
            yield from _leaves(old, path, there=False)
        return
    for key in dict.fromkeys((*right, *left)):
        yield from _differing(left.get(key, _GONE), right.get(key, _GONE), (*path, key))


_GONE = object()


def _parts(value: Any) -> dict[Any, Any] | None:
    """Return what a map or a list holds, or None for a single value or an empty one."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    return value if isinstance(value, dict) and value else None


def _leaves(value: Any, path: yamlfile.Path, *, there: bool) -> Iterator[tuple[yamlfile.Path, bool]]:
    parts = _parts(value)
    if parts is None:
        yield path, there
        return
    for key, part in parts.items():
        yield from _leaves(part, (*path, key), there=there)
