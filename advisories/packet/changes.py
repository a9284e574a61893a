"""What changed between two files of facts, field by field, with the words that differ marked."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from advisories.facts import Facts
from advisories.facts.parts import Part
from advisories.owners import COMMUNICATIONS, ENGINEERING, owner
from advisories.story import Setting

KEPT_IN: Final = "(kept out of this file)"
"""Stands for words of the annex, which would help an attacker and go into no mail."""
_WORD = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]|\w+|\s+|[^\w\s]")
_MARKED_LETTERS_MAX: Final = 4_096
_PAIRS_MAX: Final = 20_000
"""Pairs of equal words in two texts. Beyond either limit they are shown whole: marking would take long."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of letters, and whether the other side lacks it."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs."""

    path: str
    """Keys with dots between them, e.g. ``texts.de.title``; items of lists count from 1."""
    role: str
    """Who owns it."""
    old: tuple[Piece, ...] | None
    """None: it was not there."""
    new: tuple[Piece, ...] | None
    """None: it is gone."""


def compare(old: Facts, new: Facts) -> tuple[Change, ...]:
    """Return every field that differs, in the order of the file."""
    found = _differences("", _plain(old), _plain(new))
    return tuple(_change(path, owner(path), before, after) for path, before, after in found)


def compare_setting(old: Setting, new: Setting) -> tuple[Change, ...]:
    """Return what differs in who speaks and of which products; past revisions do not count."""
    organisation = _differences("organisation", *(_dumped(side.organisation) for side in (old, new)))
    products = [{name: _dumped(known) for name, known in side.products.items()} for side in (old, new)]
    return (
        *(_change(path, COMMUNICATIONS, before, after) for path, before, after in organisation),
        *(_change(path, ENGINEERING, *sides) for path, *sides in _differences("registry", *products)),
    )


def _dumped(part: Part) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_defaults=True)


def _plain(facts: Facts) -> dict[str, Any]:
    data = _dumped(facts)
    if "annex" in data:
        # Only that it changed is told.
        data["annex"] = _Secret(json.dumps(data["annex"], sort_keys=True))
    return data


class _Secret(str):
    """Words that are compared but not shown."""

    __slots__ = ()


def _differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _differences(f"{path}.{key}" if path else str(key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _in_lists(path, old, new)
    else:
        yield path, old, new


def _in_lists(path: str, old: list[Any], new: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Pair what stands in two lists, so that one item more does not change all that follow."""
    keys = [[json.dumps(item, sort_keys=True) for item in side] for side in (old, new)]
    matcher = difflib.SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    for how, start, end, start_new, end_new in matcher.get_opcodes():
        if how == "equal":
            continue
        both = min(end - start, end_new - start_new)
        for step in range(both):
            place = f"{path}.{start_new + step + 1}"
            yield from _differences(place, old[start + step], new[start_new + step])
        for index in range(start + both, end):
            yield f"{path}.{index + 1}", old[index], None
        for index in range(start_new + both, end_new):
            yield f"{path}.{index + 1}", None, new[index]


def _change(path: str, role: str, old: Any, new: Any) -> Change:
    before, after = _words(old), _words(new)
    marked = None if before is None or after is None else _marked(before, after)
    if marked is None:
        whole = [None if side is None else (Piece(side, differs=True),) for side in (before, after)]
        return Change(path, role, *whole)
    return Change(path, role, *marked)


def _words(value: Any) -> str | None:
    """Write a value for people: scalars as they are, the rest as lines of ``key: value``."""
    if value is None:
        return None
    if isinstance(value, _Secret):
        return KEPT_IN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_words(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "\n".join(str(_words(item)) for item in value)
    return str(value)


def _marked(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]] | None:
    """Return both texts with what differs marked; None where finding it would take long."""
    if max(len(old), len(new)) > _MARKED_LETTERS_MAX:
        return None
    sides = [_WORD.findall(text) for text in (old, new)]
    often = [Counter(side) for side in sides]
    if sum(count * often[1][word] for word, count in often[0].items() if not word.isspace()) > _PAIRS_MAX:
        return None
    left: list[Piece] = []
    right: list[Piece] = []
    matcher = difflib.SequenceMatcher(str.isspace, sides[0], sides[1], autojunk=False)
    for how, start, end, start_new, end_new in matcher.get_opcodes():
        if end > start:
            left.append(Piece("".join(sides[0][start:end]), how != "equal"))
        if end_new > start_new:
            right.append(Piece("".join(sides[1][start_new:end_new]), how != "equal"))
    return tuple(left), tuple(right)
