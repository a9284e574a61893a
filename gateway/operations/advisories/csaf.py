"""CSAF 2.0 documents of this workspace: written from facts, and taken over into facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisories.compose import header_of
from advisories.csaf import csaf_document, encode, file_name, read_csaf
from advisories.csaf.losses import Loss
from advisories.csaf.parse import DOCUMENT_BYTES_MAX
from advisories.embargo import Channel
from advisories.facts import Facts, load_facts
from advisories.notice import Notice
from advisories.story import Story
from gateway import files
from gateway.core.rights import Caller
from gateway.operations import releases
from gateway.operations.advisories.beginning import schema_path, write_schema
from gateway.operations.advisories.drafts import (
    facts_path,
    load,
    published_revision,
    require_for,
    require_new,
    written,
)
from gateway.operations.advisories.embargo import require_may_leave
from gateway.operations.advisories.setting import current, kept
from gateway.operations.afar import operation
from gateway.workspace.folder import Workspace
from keys.document import peek
from keys.errors import DamagedError, InputError, UnavailableError


@dataclass(frozen=True, slots=True)
class Document:
    """One document, ready to be written."""

    language: str
    name: str
    """Of its file (CSAF 2.0, section 5.1)."""
    status: str
    version: str
    category: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken over from a document, and what was not."""

    id: str
    path: str
    """Of the file of facts, in the workspace."""
    carried: int
    """How many values of the document stand in the facts."""
    derived: int
    """How many follow from others that stand there."""
    losses: tuple[Loss, ...]
    assumed: tuple[tuple[str, str], ...]
    """Key of the facts, and why it has its value."""


def read(source: Path) -> bytes:
    """Read a document that a person named.

    Raises:
        InputError: FILE_MISSING, FILE_TOO_BIG.
    """
    return files.read_bytes(
        source, what="CSAF document", mend="Check the path.", size_max=DOCUMENT_BYTES_MAX + 1
    )


@operation("POST", "/csaf-imports", right="advisory:write", raw="data", body_max=DOCUMENT_BYTES_MAX + 1)
def take(workspace: Workspace, data: bytes, *, advisory: str | None = None, where: str = "") -> Taken:
    """Take over a CSAF 2.0 document as a new advisory.

    Args:
        workspace: where.
        data: untrusted JSON.
        advisory: its id here; None: made of the document's own.
        where: the file's name, for messages.

    Raises:
        InputError: of :func:`advisories.csaf.read_csaf`, ADVISORY_EXISTS.
    """
    holders = [entry.holder for entry in workspace.key_entries().values() if "engineering" in entry.roles]
    found = read_csaf(
        data,
        where=where,
        advisory=advisory,
        holder=holders[0] if holders else "engineering",
        exercise=workspace.settings.exercise,
    )
    path = facts_path(workspace, found.facts.id)
    with workspace.lock():
        require_new(path)
        files.write_atomic(path, found.data)
        write_schema(schema_path(workspace))
    name = written(workspace, path).path
    return Taken(found.facts.id, name, found.carried, found.derived, tuple(found.losses), found.assumed)


@operation("GET", "/advisories/{advisory}/csaf", right="advisory:read")
def documents(
    workspace: Workspace,
    advisory: str,
    *,
    languages: Sequence[str] = (),
    profile: str | None = None,
    status: str | None = None,
    revision: int | None = None,
    now: int,
    asker: Caller | None = None,
) -> list[Document]:
    """Return an advisory's documents: of what was published last, or of what is worked on since.

    Args:
        workspace: where.
        advisory: its id.
        languages: which; none: all of its texts.
        profile: as for :func:`advisories.csaf.csaf_document`.
        status: draft, interim or final; None: as it is. Only what was published can be more than a draft.
        revision: a published one; None: the newest words.
        now: UTC seconds, when a draft is dated.
        asker: whose token it is.

    Raises:
        InputError: NO_ADVISORY, NO_TEXT, NO_REVISION, NOT_PUBLISHED, CSAF_PROFILE, EMBARGO, TLP.
        DamagedError: RELEASE_DAMAGED.
    """
    story, published = _story(workspace, advisory, revision, now)
    facts = story.facts
    require_for(asker, facts, now=now)
    for language in languages:
        if language not in facts.texts:
            known = files.near(language, list(facts.texts))
            raise InputError(
                "NO_TEXT", f"{advisory} has no text in '{language}'.", mend=known, where=facts.place("texts")
            )
    found = [
        _document(story, language, profile=profile, status=status, published=published)
        for language in (dict.fromkeys(languages) or sorted(facts.texts))
    ]
    if not published and facts.origin is None and status in {"interim", "final"}:
        raise InputError(
            "NOT_PUBLISHED",
            f"These words of {advisory} are not published: their document is a draft.",
            mend=f"Publish them first, or see --revision; what it lacks: 'tocsin advisory show {advisory}'.",
            where=facts.place("phase"),
        )
    drafts = all(document.status == "draft" for document in found)
    require_may_leave(workspace, facts, Channel.OWN if drafts else Channel.RECIPIENTS, now=now)
    return found


def _document(
    story: Story, language: str, *, profile: str | None, status: str | None, published: bool
) -> Document:
    made = csaf_document(story, language, profile=profile, status=status, published=published)
    tracking = made["document"]["tracking"]
    return Document(
        language=language,
        name=file_name(tracking["id"]),
        status=tracking["status"],
        version=tracking["version"],
        category=made["document"]["category"],
        data=encode(made),
    )


def _story(workspace: Workspace, advisory: str, revision: int | None, now: int) -> tuple[Story, bool]:
    """Return the words wanted, and whether they were published."""
    newest = published_revision(workspace, advisory)
    if revision is not None:
        if not 1 <= revision <= newest:
            known = f"Published so far: 1 to {newest}." if newest else "Nothing of it is published."
            raise InputError("NO_REVISION", f"{advisory} has no published revision {revision}.", mend=known)
        return _published(workspace, advisory, revision), True
    facts = load(workspace, advisory).facts
    if newest:
        story = _published(workspace, advisory, newest)
        if story.facts.file == facts.file:
            return story, True
    exercise = workspace.settings.exercise
    header = header_of(facts, issued=now, revision=newest + 1, exercise=exercise)
    return Story(facts=facts, notice=header, texts={}, setting=current(workspace, facts)), False


def _published(workspace: Workspace, advisory: str, revision: int) -> Story:
    document = releases.stored(workspace, advisory, revision)
    path = releases.folder(workspace, advisory, revision) / "source" / "facts.yaml"
    if document is None or not path.exists():
        raise DamagedError(
            "RELEASE_DAMAGED",
            f"What revision {revision} of {advisory} was made of is not there.",
            mend="Restore the folder from a copy.",
            where=str(path.parent.parent),
        )
    facts: Facts = load_facts(path.read_bytes(), where=str(path))
    notice = peek(document, Notice)
    return Story(facts=facts, notice=notice, texts={}, setting=kept(workspace, advisory, revision))


def validate(found: Sequence[Document]) -> None:
    """Run every mandatory test of an independent validator, the package ``csaf``.

    Raises:
        UnavailableError: CSAF_PARTS, when it is not installed.
        InputError: CSAF_INVALID with the first fault.
    """
    try:
        from csaf.csaf import v20  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise UnavailableError(
            "CSAF_PARTS", "The validator is not installed.", mend="Run: pip install 'tocsin[csaf]'"
        ) from None
    for document in found:
        content: dict[str, Any] = json.loads(document.data)
        report = v20.validate(content, path=document.name)
        if report.overall_valid:
            continue
        test = next(result for result in report.results if result.errors)
        fault = test.errors[0]
        raise InputError(
            "CSAF_INVALID",
            f"Test {test.id} fails at {fault.instance_path or 'the document'}: {fault.message.rstrip('.')}.",
            mend="Nothing was written.",
            where=document.name,
        )


def write(found: Sequence[Document], out: Path) -> list[Path]:
    """Write documents into a folder under their own names, or one into a file that ends in ``.json``.

    Raises:
        InputError: SEVERAL_DOCUMENTS, KEY_IN_THE_WAY.
        UnavailableError: FILE.
    """
    single = out.suffix == ".json" and not out.is_dir()
    if single and len(found) > 1:
        raise InputError(
            "SEVERAL_DOCUMENTS",
            f"There are {len(found)} documents, one a language, and one file.",
            mend="Choose a language with --lang, or name a folder.",
            where=str(out),
        )
    paths = [out if single else out / document.name for document in found]
    for path in paths:
        files.require_replaceable(path)
    for path, document in zip(paths, found, strict=True):
        files.write_atomic(path, document.data)
    return paths
