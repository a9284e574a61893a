"""Selections of devices that are saved under a name."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.selection import Query
from gateway.operations.afar import operation
from gateway.store import selecting
from gateway.store.selecting import Filter, Found
from gateway.workspace.folder import Workspace
from keys.errors import InputError


@dataclass(frozen=True, slots=True)
class FilterView:
    """A saved selection, and what it means of each product now."""

    filter: Filter
    products: dict[str, Found]


@dataclass(frozen=True, slots=True)
class FilterPage:
    """Saved selections by name, and where the next page begins."""

    items: tuple[Filter, ...]
    next: str


@operation("PUT", "/rollout-filters/{name}", right="rollout:write")
def add(
    workspace: Workspace, name: str, query: Query, *, now: int, by: str, dry_run: bool = False
) -> FilterView:
    """Save a selection, in the place of the former one of that name.

    Raises:
        InputError: FILTER_NAME, SELECTION, FILTER_UNKNOWN, FILTER_NESTED.
    """
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        with store.write() as session:
            made = selecting.add_filter(session, name, query, by=by, now=now)
            found = {
                product: selecting.count(session, product, made.query, now)
                for product in sorted(workspace.products())
            }
    return FilterView(made, found)


@operation("GET", "/rollout-filters", right="rollout:read")
def list_(workspace: Workspace, *, limit: int = 100, after: str = "") -> FilterPage:
    """Return saved selections by name."""
    with workspace.store() as store, store.read() as session:
        found = [each for each in selecting.filters(session) if each.name > after]
    page = tuple(found[:limit])
    return FilterPage(page, page[-1].name if len(found) > limit and page else "")


@operation("GET", "/rollout-filters/{name}", right="rollout:read")
def show(workspace: Workspace, name: str, *, now: int) -> FilterView:
    """Return a saved selection and what it means now.

    Raises:
        InputError: FILTER_UNKNOWN, FILTER_NESTED.
    """
    with workspace.store() as store, store.read() as session:
        made = selecting.show_filter(session, name)
        found = {
            product: selecting.count(session, product, made.query, now)
            for product in sorted(workspace.products())
        }
    return FilterView(made, found)


@operation("DELETE", "/rollout-filters/{name}", right="rollout:write")
def remove(workspace: Workspace, name: str, *, now: int, by: str, dry_run: bool = False) -> Filter:
    """Forget a saved selection; one that another filter names stays.

    Raises:
        InputError: FILTER_UNKNOWN, FILTER_USED.
    """
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        with store.write() as session:
            made = selecting.show_filter(session, name)
            users = [each.name for each in selecting.filters(session) if _names(each.query, name)]
            if users:
                raise InputError(
                    "FILTER_USED", f"The filter '{users[0]}' names '{name}'.", mend="Change that one first."
                )
            selecting.remove_filter(session, name, by=by, now=now)
    return made


def _names(query: Query, name: str) -> bool:
    head, *operands = query
    if head in {"and", "or", "not"}:
        return any(_names(operand, name) for operand in operands)
    return bool(head == "filter" and operands == [name])
