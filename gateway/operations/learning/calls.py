"""``tocsin call``: calls to customers about an advisory, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from advisories.events import Recorded
from advisories.incident.violations import Violation, called_too_early
from advisories.learning.calls import SPOKEN, Call, Made, calls, customers
from gateway import files
from gateway.operations.advisories import load
from gateway.operations.afar import operation
from gateway.operations.incidents import watching
from gateway.store import events
from gateway.workspace.folder import Workspace


@dataclass(frozen=True, slots=True)
class Known:
    """What the workspace knows of calls about an advisory; customers stand in a file of their caller's."""

    products: tuple[str, ...]
    """Ids of those that the advisory is about."""
    words: dict[str, str]
    """Language -> the first sentence to say."""
    said: tuple[Recorded, ...]
    """What came of the calls so far."""
    registered: tuple[str, ...]
    """Ids of all our products."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Whom to call."""

    calls: tuple[Call, ...]
    words: dict[str, str]
    """Language -> the first sentence to say."""
    unknown: tuple[str, ...]
    """Products in the file that nobody registered here: those who have no other are not called."""
    registered: tuple[str, ...]
    """Ids of all our products."""


def listed(workspace: Workspace, advisory: str, source: Path) -> Listed:
    """Return who is to be called, and the first sentence to say in each of their languages.

    Raises:
        InputError: CUSTOMERS_FILE, FILE_MISSING, NO_ADVISORY.
    """
    about = known(workspace, advisory)
    data = files.read_bytes(source, what="file of customers", mend="Check the path.")
    found = customers(data, where=str(source))
    unknown = {name for customer in found for name in customer.products} - set(about.registered)
    rows = tuple(calls(found, about.products, about.said))
    return Listed(rows, about.words, tuple(sorted(unknown)), about.registered)


@operation("GET", "/advisories/{advisory}/calls", right="advisory:read")
def known(workspace: Workspace, advisory: str) -> Known:
    """Return what is known of calls about an advisory, and what to say first.

    Raises:
        InputError: NO_ADVISORY.
    """
    facts = load(workspace, advisory).facts
    with workspace.store() as store, store.read() as session:
        said = events.recorded(session, advisory=advisory, kind="call.")
    words = {language: written.action for language, written in facts.texts.items()}
    return Known(tuple(facts.products), words, tuple(said), tuple(workspace.products()))


@operation("POST", "/advisories/{advisory}/calls", right="reply:write")
def record(workspace: Workspace, advisory: str, made: Made, *, by: str, now: float) -> Violation | None:
    """Keep what came of a call, and say whether it came before the notice was approved.

    A call that was made cannot be taken back, so it is kept all the same: what happened is evidence.

    Raises:
        InputError: NO_ADVISORY.
    """
    load(workspace, advisory)
    approved = watching.approved(workspace, [advisory], watching.issues(workspace))
    with workspace.store() as store, store.write() as session:
        events.record(session, made, by=by, now=now, advisory=advisory)
    if made.outcome not in SPOKEN:
        return None
    return called_too_early(datetime.fromtimestamp(now, UTC), made.customer, approved)
