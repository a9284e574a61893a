"""What an attack is, in one record: a genuine message altered in one respect, and why it must be refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from keys.algorithms import Algorithm
from keys.reasons import Reason
from tests.keys.threats.drafts import DOCUMENTS, TYPES, Draft, Mark

LONE = ("catalogue", "timestamp", "offer", "answer", "devices")
"""Types that one role signs by default: without its signature nobody known has signed at all."""
UNSEEN: Mapping[str, Reason] = dict.fromkeys(LONE, Reason.UNKNOWN_KEY)


class Step(IntEnum):
    """The checks, in the order of ``keys.document`` and ``keys.trusted``."""

    SIZE = 1
    STRUCTURE = 2
    TYPE = 3
    SIGNATURE = 4
    BODY = 5
    STATEMENT = 6
    POLICY = 7
    TIME = 8
    VERSION = 9


class Threat:
    """Rows of the threat model (``docs/threat-model.md``)."""

    ROLLBACK = "rollback"
    REPLAY = "replay"
    WRONG_PLACE = "wrong type, product, device or fleet"
    CONFUSION = "algorithm confusion"
    FORGERY = "forgery"
    APPROVAL = "missing approval"
    COMPROMISE = "key compromise"
    EXTRA = "extra or missing bytes"
    BOMB = "oversized input and decoder bombs"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class Attack:
    """One row of the table."""

    name: str
    threat: str
    step: Step
    reason: Reason
    alter: Callable[[Draft], Draft]
    types: tuple[str, ...] = TYPES
    but: Mapping[str, Reason] = field(default_factory=dict)
    """Types for which the first check that fails is another one."""
    detail: str = ""
    """What the refusal's detail must say, where that tells one cause from another."""
    algorithm: Algorithm = Algorithm.ED25519

    def expected(self, type_: str) -> Reason:
        return self.but.get(type_, self.reason)


def last(**changes: Any) -> Callable[[Draft], Draft]:
    """Change the last signature."""
    return lambda made: replace(made, marks=(*made.marks[:-1], replace(made.marks[-1], **changes)))


def header(change: Callable[[dict[Any, Any], Mark], Any]) -> Callable[[Draft], Draft]:
    """Change the protected header of the last signature before it is made."""

    def alter(made: Draft) -> Draft:
        mark = made.marks[-1]
        assert not isinstance(mark.header, bytes)
        return last(header=change(dict(mark.header), mark))(made)

    return alter


def spoil(change: Callable[[bytes, bytes], Any]) -> Callable[[Draft], Draft]:
    """Change the last signature's value after it was made."""
    return last(spoil=change)


def fields(**changes: Any) -> Callable[[Draft], Draft]:
    """Change fields of the body before it is signed: ``k4=...`` changes key 4, ``...`` takes it away."""

    def alter(made: Draft) -> Draft:
        found = {**made.fields, **{int(name[1:]): value for name, value in changes.items()}}
        return replace(made, fields={k: v for k, v in found.items() if v is not ...})

    return alter


def put(**changes: Any) -> Callable[[Draft], Draft]:
    """Change the draft itself."""
    return lambda made: replace(made, **changes)


__all__ = ["DOCUMENTS", "LONE", "TYPES", "UNSEEN", "Attack", "Step", "Threat"]
