"""``tocsin call``: calls to customers about an advisory, and what came of them."""

from __future__ import annotations

from pathlib import Path

from advisories.learning.calls import Call, Made, calls, customers
from gateway.service import events, files
from gateway.service.operations.advisories import load
from gateway.service.workspace import Workspace


def listed(workspace: Workspace, advisory: str, source: Path) -> tuple[list[Call], dict[str, str]]:
    """Return who is to be called, and the first sentence to say in each of their languages.

    Raises:
        InputError: CUSTOMERS_FILE, FILE_MISSING, NO_ADVISORY.
    """
    facts = load(workspace, advisory).facts
    data = files.read_bytes(source, what="file of customers", mend="Check the path.")
    found = customers(data.decode("utf-8", "replace"), where=str(source))
    with workspace.store() as store, store.read() as session:
        said = events.recorded(session, advisory=advisory, kind="call.")
    words = {language: written.action for language, written in facts.texts.items()}
    return calls(found, facts.products, said), words


def record(workspace: Workspace, advisory: str, made: Made, *, by: str, now: float) -> None:
    """Keep what came of a call.

    Raises:
        InputError: NO_ADVISORY.
    """
    load(workspace, advisory)
    with workspace.store() as store, store.write() as session:
        events.record(session, made, by=by, now=now, advisory=advisory)
