"""``tocsin preparedness``: whether this maker could speak tomorrow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from importlib import resources

from advisories.learning.preparedness import Preparedness, State, preparedness
from advisories.notice import Notice
from gateway.operations.advisories.setting import organisation
from gateway.operations.afar import operation
from gateway.store import events
from gateway.workspace.folder import Workspace
from keys.root import PolicyRow, Root


@operation("GET", "/preparedness", right="status:read")
def look(workspace: Workspace, *, now: int) -> Preparedness:
    """Look at organisation, keys, languages and templates of a workspace.

    Args:
        workspace: where.
        now: UTC seconds.
    """
    root = workspace.newest_root()
    languages = [tag for product in workspace.products().values() for tag in product.languages]
    with workspace.store() as store, store.read() as session:
        drills = events.recorded(session, kind="drill.")
    state = State(
        organisation=organisation(workspace),
        holders=_holders(workspace, root),
        notice_roles=notice_roles(root.policy if root is not None else workspace.policy()),
        languages=frozenset(languages),
        source_language=languages[0] if languages else "en",
        root_ends=None if root is None or root.expires is None else _day(root.expires),
        templates=_templates(),
        drilled=_day(drills[-1].at) if drills else None,
    )
    return preparedness(state, today=_day(now))


def _day(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def _holders(workspace: Workspace, root: Root | None) -> dict[str, frozenset[str]]:
    """Return role -> holders of keys in the root that nobody has revoked meanwhile."""
    rows = root.policy if root is not None else workspace.policy()
    revoked = {e.public.thumbprint for e in workspace.key_entries().values() if e.revoked is not None}
    found: dict[str, set[str]] = defaultdict(set)
    for key in root.keys if root is not None else ():
        if key.key.thumbprint not in revoked:
            for role in key.roles:
                found[role].add(key.holder)
    return {role: frozenset(found[role]) for row in rows for role in row.demands}


def notice_roles(policy: Iterable[PolicyRow]) -> frozenset[str]:
    """Return the roles that every row for notices demands; a row of one product may demand fewer."""
    rows = [frozenset(row.demands) for row in policy if row.type == Notice.TYPE]
    return frozenset.intersection(*rows) if rows else frozenset()


def _templates() -> int:
    folder = resources.files("advisories") / "templates"
    return sum(entry.name.endswith(".yaml") for entry in folder.iterdir()) if folder.is_dir() else 0
