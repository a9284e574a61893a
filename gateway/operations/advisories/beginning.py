"""Beginning a file of facts from a template, for this workspace's products, languages and people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from advisories.compose import FACTS
from advisories.facts import Facts, load_facts, schema
from advisories.facts.matter import Contact, ContactKind
from advisories.phases import word
from advisories.templates import Template, speaks, template
from advisories.templates.writing import SCHEMA_FILE, Answers, Concerned, write
from gateway import files
from gateway.operations import releases
from gateway.operations.advisories.drafts import Written, facts_path, published_revision, written
from gateway.operations.advisories.setting import organisation
from gateway.operations.afar import operation
from gateway.workspace.folder import Workspace
from keys.errors import InputError

_HOUR: Final = timedelta(hours=1)
_SPOKEN: Final = (ContactKind.MAIL, ContactKind.PHONE, ContactKind.PAGE)
"""Kinds of contacts that fit on a device's screen, best first."""


@operation("GET", "/advisories/{advisory}/beginning", right="advisory:read")
def known(
    workspace: Workspace, advisory: str, *, name: str, now: int, products: Sequence[str] | None = None
) -> Answers:
    """Return what is known of a new advisory before anybody is asked.

    Args:
        workspace: where.
        advisory: its id.
        name: of the template.
        now: UTC seconds.
        products: ids of those concerned; None: all, or those of the published notice that it goes on with.

    Raises:
        InputError: NO_TEMPLATE, ADVISORY_EXISTS, NOT_PUBLISHED, NO_PRODUCT.
    """
    chosen = template(name)
    earlier = before(workspace, advisory, chosen)
    return answers(workspace, advisory, chosen, now=now, products=products, earlier=earlier)


@operation("GET", "/advisories/{advisory}/beginning/{name}", right="advisory:read")
def require(workspace: Workspace, advisory: str, name: str) -> None:
    """Refuse to begin what would go over something else.

    Raises:
        InputError: NO_TEMPLATE, ADVISORY_EXISTS, NOT_PUBLISHED.
    """
    before(workspace, advisory, template(name))


def before(workspace: Workspace, advisory: str, template: Template) -> Facts | None:
    """Return the published facts that a template goes on with, or None for one that begins a matter.

    Raises:
        InputError: ADVISORY_EXISTS, when a file would be lost; NOT_PUBLISHED, when there is nothing to go
            on with.
    """
    path = facts_path(workspace, advisory)
    if template.first:
        if path.exists():
            raise InputError(
                "ADVISORY_EXISTS",
                "There is an advisory of this id already.",
                mend="Edit that file: what changes after publishing becomes its next revision.",
                where=str(path),
            )
        return None
    revision = published_revision(workspace, advisory)
    kept = releases.folder(workspace, advisory, revision) / FACTS
    if not revision or not kept.exists():
        raise InputError(
            "NOT_PUBLISHED",
            f"'{template.name}' goes on with a published notice, and {advisory} was not published here.",
            mend="Name the id of the notice that it is about.",
        )
    data = kept.read_bytes()
    if path.exists() and path.read_bytes() != data:
        raise InputError(
            "ADVISORY_EXISTS",
            f"The file was changed after revision {revision} was published; those changes would be lost.",
            mend=f"Set 'phase: {word(template.phase)}' in it yourself, or put the changes aside.",
            where=str(path),
        )
    return load_facts(data, where=str(kept))


def answers(
    workspace: Workspace,
    advisory: str,
    template: Template,
    *,
    now: int,
    products: Sequence[str] | None = None,
    earlier: Facts | None = None,
) -> Answers:
    """Return what is known of a new advisory before anybody is asked.

    Args:
        workspace: where.
        advisory: its id.
        template: what sort of notice.
        now: UTC seconds.
        products: ids of those concerned; None: all, or those of ``earlier``.
        earlier: what :func:`before` returned.

    Raises:
        InputError: NO_PRODUCT.
    """
    known = workspace.products()
    if not known:
        raise InputError(
            "NO_PRODUCT",
            "An advisory is about products, and this workspace has none.",
            mend="Add one with 'tocsin product add'.",
            where=str(workspace.path / "products.toml"),
        )
    chosen = [*(products or (earlier.products if earlier else known))]
    languages = list(dict.fromkeys(tag for name in chosen if name in known for tag in known[name].languages))
    if earlier:
        languages = list(dict.fromkeys((*earlier.texts, *languages)))
    source = earlier.source_language if earlier else next(filter(speaks, languages), "en")
    contacts = organisation(workspace).contacts
    holders = [entry.holder for entry in workspace.key_entries().values() if "engineering" in entry.roles]
    return Answers(
        id=advisory,
        exercise=workspace.settings.exercise,
        holder=earlier.author.holder if earlier else holders[0] if holders else "engineering",
        languages=tuple(languages),
        source=source,
        products={name: _concerned(workspace, name, template, earlier) for name in chosen},
        contact=spoken(contacts),
        contacts=contacts,
        proposed_update=update_time(template, now=now),
    )


def _concerned(workspace: Workspace, name: str, template: Template, earlier: Facts | None) -> Concerned:
    product = workspace.product(name)
    end = product.end_of_support
    affected = earlier.products[name].ranges if earlier and name in earlier.products else None
    return Concerned(
        name=product.name,
        affected=((None, None),) if affected is None and template.every_version else affected,
        fixed=earlier.products[name].fixed if earlier and name in earlier.products else None,
        end=date.fromisoformat(end) if end else None,
    )


def spoken(contacts: Sequence[Contact]) -> str | None:
    """Return the contact that a device shows, with its hours, or None where there is none."""
    for kind in _SPOKEN:
        for contact in contacts:
            if contact.kind is kind:
                return f"{contact.value}, {contact.hours}" if contact.hours else contact.value
    return None


def update_time(template: Template, *, now: int) -> datetime | None:
    """Return when owners of such a matter usually hear again, at a full hour."""
    if template.next_update_hours is None:
        return None
    time = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0)
    return time + _HOUR + timedelta(hours=template.next_update_hours)


@operation("POST", "/beginnings", right="advisory:write")
def begin(workspace: Workspace, *, name: str, given: Answers) -> Written:
    """Write the file of facts, and the schema that its first line names.

    Args:
        workspace: where.
        name: of the template.
        given: what was answered, and what :func:`known` said.

    Raises:
        InputError: as :func:`known`; BAD_ID; BAD_VALUE, for answers that make no file of facts.
    """
    path = facts_path(workspace, given.id)
    chosen = template(name)
    text = write(chosen, given)
    load_facts(text, where=str(path))  # what is written reads back, whatever was answered
    with workspace.lock():
        before(workspace, given.id, chosen)
        files.write_atomic(path, text.encode())
        write_schema(path.parent / SCHEMA_FILE)
    return written(workspace, path)


def write_schema(path: Path) -> None:
    """Write the JSON Schema of files of facts, for editors.

    Raises:
        InputError: KEY_IN_THE_WAY, WORKSPACE_IN_THE_WAY.
    """
    if path.name != SCHEMA_FILE:
        files.require_replaceable(path)
    files.write_atomic(path, (json.dumps(schema(), indent=1, ensure_ascii=False) + "\n").encode())


def schema_path(workspace: Workspace) -> Path:
    """Return where the workspace's files of facts look for it."""
    return workspace.path / "advisories" / SCHEMA_FILE
