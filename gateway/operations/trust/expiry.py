"""What is about to be over: the root, catalogues and timestamps. Rows of a table that commands show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from advisories.catalogue import Catalogue, Timestamp
from gateway.store.engine import Session
from gateway.workspace.folder import Workspace
from keys.document import peek
from keys.root import Body, Root

DAY: Final = 86_400  # seconds
ROOT_DAYS: Final = 60  # days before its end at which a root is first warned of
ROOT_DAYS_URGENT: Final = 14  # days: a ceremony of several people takes that long to arrange
CATALOGUE_DAYS: Final = 7  # days before its end at which a catalogue is warned of


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One row: what was checked, how it stands, and what to do."""

    name: str
    state: State
    message: str
    code: str = ""
    """Stable, for scripts; empty when all is well."""
    mend: str = ""


def of_root(root: Root, now: int) -> list[Check]:
    """Return the warning about a root that ends soon, or has ended; empty while there is time.

    Args:
        root: the newest one.
        now: UTC seconds.
    """
    left = (root.expires or 0) - now
    if left > ROOT_DAYS * DAY:
        return []
    name, mend = f"root {root.version}", "Draft its successor with 'tocsin root rotate'."
    if left <= 0:
        message = f"Root {root.version} has expired: devices install nothing any more."
        return [Check(name, State.FAIL, message, "ROOT_EXPIRED", mend)]
    urgent = "only " if left <= ROOT_DAYS_URGENT * DAY else ""
    message = f"Root {root.version} expires in {urgent}{_days(left)}."
    code = "ROOT_EXPIRES_SOON" if urgent else "ROOT_EXPIRES"
    return [Check(name, State.WARN, message, code, mend)]


def _days(seconds: int) -> str:
    days = seconds // DAY
    return "less than a day" if days < 1 else "1 day" if days == 1 else f"{days} days"


def _catalogue(product: str, left: int) -> Check | None:
    name, mend = f"catalogue {product}", f"Renew it with 'tocsin catalogue renew {product}'."
    if left <= 0:
        message = f"The catalogue of {product} has expired: its devices install nothing."
        return Check(name, State.FAIL, message, "CATALOGUE_EXPIRED", mend)
    if left <= CATALOGUE_DAYS * DAY:
        message = f"The catalogue of {product} expires in {_days(left)}."
        return Check(name, State.WARN, message, "CATALOGUE_EXPIRES", mend)
    return None


def _timestamp(product: str, left: int) -> Check | None:
    if left > 0:
        return None
    message = f"The timestamp of {product} was not renewed: devices show notices as not confirmed current."
    mend = "Run 'tocsin serve': it renews timestamps."
    return Check(f"timestamp {product}", State.WARN, message, "TIMESTAMP_EXPIRED", mend)


_DOCUMENTS: Final[Mapping[type[Body], Callable[[str, int], Check | None]]] = {
    Catalogue: _catalogue,
    Timestamp: _timestamp,
}


def of_documents(session: Session, now: int) -> Iterator[Check]:
    """Yield a warning for each newest catalogue and timestamp that ends soon or has ended."""
    for cls, judge in _DOCUMENTS.items():
        for product in session.document_names(cls.TYPE):
            stored = session.document(cls.TYPE, product)
            found = judge(product, (peek(stored.bytes, cls).expires or 0) - now) if stored else None
            if found is not None:
                yield found


def warnings(workspace: Workspace, now: int) -> list[Check]:
    """Return every warning about a workspace's documents."""
    root = workspace.newest_root()
    with workspace.store() as store, store.read() as session:
        return [*(of_root(root, now) if root else ()), *of_documents(session, now)]
