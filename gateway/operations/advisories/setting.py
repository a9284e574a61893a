"""In which setting an advisory is told: who speaks, which products there are, which revisions came before."""

from __future__ import annotations

from datetime import date
from importlib import resources

import sqlalchemy as sa

from advisories.facts import Facts, load_facts
from advisories.notice import Notice, check_code
from advisories.organisation import Organisation, load_organisation
from advisories.story import Past, RegisteredProduct, Setting, load_setting
from gateway import files
from gateway.operations import releases
from gateway.store import schema
from gateway.workspace.entries import Product
from gateway.workspace.folder import Workspace
from keys.document import digest, peek
from keys.errors import DamagedError, InputError


def organisation(workspace: Workspace) -> Organisation:
    """Read ``organisation.yaml``; without one, nothing is known of who speaks.

    Raises:
        InputError: the file's own faults, with file:line.
    """
    path = workspace.path / "organisation.yaml"
    if not path.exists():
        return Organisation()
    data = files.read_bytes(path, what="file about the organisation", mend="Check the path.")
    return load_organisation(data, where=str(path))


def current(workspace: Workspace, facts: Facts) -> Setting:
    """Return the setting in which an advisory would be composed now."""
    known = workspace.products()
    return Setting(
        organisation=organisation(workspace),
        products={name: _registered(known[name]) for name in sorted(facts.products) if name in known},
        past=past(workspace, facts.id),
    )


def _registered(product: Product) -> RegisteredProduct:
    end = product.end_of_support
    return RegisteredProduct(
        name=product.name,
        vendor=product.vendor,
        languages=product.languages,
        versions=product.versions,
        end_of_support=date.fromisoformat(end) if end else None,
    )


def past(workspace: Workspace, advisory: str) -> tuple[Past, ...]:
    """Return the revisions of an advisory that were published, oldest first."""
    t = schema.advisories
    query = sa.select(t.c.revision, t.c.document).where(t.c.id == advisory).order_by(t.c.revision)
    with workspace.store() as store, store.read() as session:
        rows = session.connection.execute(query).all()
    found = []
    for revision, document in rows:
        notice = peek(document, Notice)
        found.append(
            Past(
                revision=revision,
                phase=notice.phase.name.lower(),
                issued=notice.issued,
                changed=_changed(workspace, advisory, revision),
                code=check_code(digest(document)),
            )
        )
    return tuple(found)


def _changed(workspace: Workspace, advisory: str, revision: int) -> dict[str, str]:
    path = releases.folder(workspace, advisory, revision) / "source" / "facts.yaml"
    if not path.exists():
        return {}
    try:
        facts = load_facts(path.read_bytes(), where=str(path))
    except InputError:  # written by a program that knew other keys: what was new then is not lost to people
        return {}
    return {language: words.changed for language, words in facts.texts.items() if words.changed}


def kept(workspace: Workspace, advisory: str, revision: int) -> Setting:
    """Return the setting in which a revision was composed.

    Raises:
        DamagedError: APPROVALS_DAMAGED.
    """
    data = releases.setting(workspace, advisory, revision)
    try:
        return Setting() if data is None else load_setting(data)
    except ValueError:
        raise DamagedError(
            "APPROVALS_DAMAGED",
            "The setting that was approved cannot be read.",
            mend="Start over with 'tocsin advisory approve --restart'.",
            where=str(releases.folder(workspace, advisory, revision)),
        ) from None


def write_organisation(workspace: Workspace) -> None:
    """Write the ``organisation.yaml`` that a workspace begins with, unless there is one.

    For drills it is filled with an example's values; else everything in it is commented out.
    """
    path = workspace.path / "organisation.yaml"
    if path.exists():
        return
    text = resources.files("advisories.templates").joinpath("organisation.txt").read_text("utf-8")
    if not workspace.settings.exercise:
        lines = (line if line.startswith("#") or not line else f"# {line}" for line in text.splitlines())
        text = "\n".join([*lines, ""])
    silence = (
        "silence_hours: 24                    # an open incident without a word so long raises an alarm\n"
    )
    files.write_atomic(path, f"{text}\n{silence}".encode())
