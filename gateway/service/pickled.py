"""Reports and devices in Python's own form, for another process of this very program.

``dataclasses`` takes a frozen value with slots apart, and puts it together again, field by field in a loop of
its own. For a report that takes longer than all the rest of handing it over.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from advisories.report import Consented, JournalEntry, NoticeStatus, PatchStatus, Report
from gateway.core.ingest import Device

_KINDS: Final[tuple[type[Any], ...]] = (Consented, Device, JournalEntry, NoticeStatus, PatchStatus, Report)
_SLOTS: Final = {kind: [getattr(kind, field.name).__set__ for field in fields(kind)] for kind in _KINDS}


def pickled(what: object) -> bytes:
    """Return what :func:`pickle.loads` makes the same of again."""
    said = io.BytesIO()
    pickler = pickle.Pickler(said, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _APART
    pickler.dump(what)
    return said.getvalue()


def _apart(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what takes values of a kind apart for :func:`_together`."""
    values = attrgetter(*(field.name for field in fields(kind)))
    return lambda value: (_together, (kind, *values(value)))


def _together(kind: type[Any], *values: Any) -> Any:
    """Make what was taken apart; it was checked when it was made first."""
    made = object.__new__(kind)
    for put, value in zip(_SLOTS[kind], values, strict=True):
        put(made, value)
    return made


_APART: Final = copyreg.dispatch_table | {kind: _apart(kind) for kind in _KINDS}
