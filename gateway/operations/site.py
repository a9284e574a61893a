"""``tocsin site build``: the public site from what was published, byte for byte as it was approved."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from advisories import limits
from advisories.compose import FACTS
from advisories.embargo import Channel
from advisories.facts import Facts, load_facts
from advisories.notice import Notice, ReleaseList, Text
from advisories.site import provider
from advisories.site.build import build
from advisories.site.edition import Edition, Site
from advisories.story import filled
from gateway import files
from gateway.operations import releases
from gateway.operations.advisories.drafts import facts_path
from gateway.operations.advisories.embargo import require_may_leave
from gateway.operations.advisories.setting import organisation
from gateway.operations.afar import operation
from gateway.operations.trust.signing import verified
from gateway.store import audit, schema
from gateway.workspace.folder import Workspace
from keys.codec import load
from keys.document import digest, peek
from keys.errors import DamagedError, InputError, RefusedError
from keys.root import Root

RELEASE_LIST_BYTES_MAX: Final = 1_048_576
_NOTE: Final = ".tocsin-site.json"
_PAGES: Final = ("web.html", "faq.html")
_CSAF: Final = "csaf.json"
_ADDRESS: Final = re.compile(r"https://[A-Za-z0-9.:\[\]-]+(?:/[!$&-;=@-Z_a-z~%]*)?")
_SIGNATURES_BYTES_MAX: Final = 8 * 1024 * 1024
_BASE: Final = "https://example.com/security"

OpenPgp = Callable[[bytes], bytes]
"""Makes an armoured detached signature over a document's bytes."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did."""

    files: int
    notices: tuple[str, ...]
    left_out: dict[str, str]
    """Advisory -> why it is not on the site."""
    documents: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A CSAF document of the site, for an OpenPGP signature."""

    path: str
    """In the site's CSAF tree."""
    data: bytes


def write(
    workspace: Workspace,
    folder: Path,
    *,
    now: int,
    by: str,
    sign: OpenPgp | None = None,
    openpgp: bytes | None = None,
) -> Built:
    """Build the site into a folder: new, empty, or one that holds an earlier build of it.

    Args:
        workspace: where.
        folder: made if it is not there; files of an earlier build that are no longer wanted go.
        now: UTC seconds.
        by: who has it built.
        sign: signs CSAF documents; None leaves them unsigned.
        openpgp: the armoured public key of ``sign``.

    Raises:
        InputError: SITE_FOLDER, SITE_LINK; and as :func:`make`.
        DamagedError: SITE_DAMAGED.
    """
    require_ours(folder)
    signatures = None
    if sign is not None:
        signatures = {each.path: sign(each.data) for each in documents(workspace, now=now)}
    made = _made(workspace, now=now, signatures=signatures, openpgp=openpgp)
    with workspace.lock():  # of two builds at once, each leaves a whole one
        replace(folder, made.site)
        _record(workspace, made, now=now, by=by)
    return made.built


@dataclass(frozen=True, slots=True)
class Made:
    """A site that was built."""

    built: Built
    site: dict[str, bytes]
    """Path -> file."""


@operation("POST", "/site/documents", right="site:publish")
def documents(workspace: Workspace, *, now: int) -> tuple[Unsigned, ...]:
    """Return the CSAF documents of the site, each of which its publisher may sign with OpenPGP.

    Raises:
        InputError: NO_SITE, BAD_SITE; NO_PUBLISHER, when organisation.yaml names nobody who publishes.
        DamagedError: SITE_DAMAGED.
    """
    site, _ = _site(workspace, None, signing=True, now=now)
    try:
        return tuple(Unsigned(each.path, each.data) for each in provider.documents(site))
    except ValueError as error:
        raise _no_tree(error) from None


@operation("POST", "/site", right="site:publish", body_max=_SIGNATURES_BYTES_MAX)
def make(
    workspace: Workspace,
    *,
    now: int,
    by: str,
    signatures: Mapping[str, bytes] | None = None,
    openpgp: bytes | None = None,
) -> Made:
    """Build the site from what is published.

    Args:
        workspace: where.
        now: UTC seconds.
        by: who has it built.
        signatures: path of each of :func:`documents` -> its armoured OpenPGP signature; None: unsigned.
        openpgp: the armoured public key.

    Raises:
        InputError: NO_SITE or BAD_SITE, when organisation.yaml names no address; NO_PUBLISHER, when documents
            are signed and it names nobody who publishes; SITE_DOCUMENTS.
        DamagedError: SITE_DAMAGED, when a notice or an output is not the one that was approved.
    """
    made = _made(workspace, now=now, signatures=signatures, openpgp=openpgp)
    _record(workspace, made, now=now, by=by)
    return made


def _made(
    workspace: Workspace, *, now: int, signatures: Mapping[str, bytes] | None, openpgp: bytes | None
) -> Made:
    site, left_out = _site(workspace, openpgp, signing=signatures is not None, now=now)
    try:
        listed = provider.documents(site)
        found = build(site, signatures)
    except ValueError as error:
        raise _no_tree(error) from None
    names = tuple(each.notice.id for each in site.current)
    return Made(Built(len(found), names, left_out, len(listed), signatures is not None), found)


def _record(workspace: Workspace, made: Made, *, now: int, by: str) -> None:
    """Write down what a site was made of; its digest is that of what ``sha256sum`` prints of its files."""
    built, site = made.built, made.site
    sums = "".join(f"{hashlib.sha256(site[name]).hexdigest()}  {name}\n" for name in sorted(site))
    about = {
        "by": by,
        "digest": hashlib.sha256(sums.encode()).hexdigest(),
        "files": built.files,
        "left_out": sorted(built.left_out),
        "notices": list(built.notices),
        "signed": built.signed,
    }
    with workspace.store() as store, store.write() as session:
        audit.append(session, "site.built", about, now)


def _no_tree(error: ValueError) -> InputError:
    return InputError("SITE_DOCUMENTS", f"The CSAF tree cannot be made: {error}.")


def _site(
    workspace: Workspace, openpgp: bytes | None, *, signing: bool, now: int
) -> tuple[Site, dict[str, str]]:
    """Return what stands on the site, and what was left out of it and why."""
    made = organisation(workspace)
    base = made.site or (_BASE if workspace.settings.exercise else None)
    if base is None:
        raise InputError(
            "NO_SITE",
            "Nobody said at which address the site will stand.",
            mend="Write 'site:' in organisation.yaml.",
            where=str(workspace.path / "organisation.yaml"),
        )
    if not _ADDRESS.fullmatch(base):
        raise InputError(
            "BAD_SITE",
            "'site:' is no address below which files could stand.",
            mend="Write it like https://example.com/security, without '?' or '#'.",
            where=str(workspace.path / "organisation.yaml"),
        )
    if signing and made.publisher is None:
        raise InputError(
            "NO_PUBLISHER",
            "There is no CSAF tree to sign: nobody said who publishes.",
            mend="Write 'publisher:' in organisation.yaml, or leave --openpgp-key away.",
            where=str(workspace.path / "organisation.yaml"),
        )
    editions, left_out = _editions(workspace, now)
    languages = dict.fromkeys(tag for product in workspace.products().values() for tag in product.languages)
    site = Site(
        organisation=made,
        base=base.rstrip("/"),
        editions=tuple(editions),
        languages=tuple(languages) or ("en",),
        now=now,
        openpgp=openpgp,
    )
    return site, left_out


def _editions(workspace: Workspace, now: int) -> tuple[list[Edition], dict[str, str]]:
    t = schema.advisories
    query = sa.select(t.c.id, t.c.revision, t.c.document).order_by(t.c.id, t.c.revision)
    with workspace.store() as store, store.read() as session:
        rows = session.connection.execute(query).all()
    if rows:
        workspace.trusted()  # the roots lead from one to the next, or nothing is written
    roots = [peek(each, Root) for each in workspace.root_documents()] if rows else []
    found: list[Edition] = []
    left_out: dict[str, str] = {}
    for advisory, revision, document in rows:
        folder = releases.folder(workspace, advisory, revision)
        if not _signed(document, (advisory, revision), roots):
            raise DamagedError(
                "SITE_DAMAGED",
                f"{advisory} revision {revision} is not stored as it was signed.",
                mend="Restore the store from a copy.",
                where=store.where,
            )
        listed = _listed(folder, peek(document, Notice))
        try:
            for facts in (_facts(folder, listed), *_today(workspace, advisory)):
                require_may_leave(workspace, facts, Channel.SITE, now=now)
        except InputError as error:
            left_out[advisory] = error.message
            continue
        found.append(_edition(folder, document, listed))
    return [each for each in found if each.notice.id not in left_out], left_out


def _signed(document: bytes, name: tuple[str, int], roots: Sequence[Root]) -> bool:
    """Say whether a stored notice is the one of its row, with every signature that one of our roots demands.

    Roots change while notices stay: the one under which it was published knew its signers.
    """
    for root in reversed(roots):
        with contextlib.suppress(RefusedError):
            notice, kids = peek(document, Notice), verified(document, root)
            rows = [root.demands(Notice.TYPE, product) for product in notice.subject]
            if not any(root.missing(row, kids, notice.author) for row in rows):
                return (notice.id, notice.revision) == name
    return False


def _listed(folder: Path, notice: Notice) -> Mapping[str, bytes]:
    """Read the release list that a notice binds: name -> digest of everything approved with it."""
    path = folder / "release-list.cbor"
    data = _approved(path, notice.release_list)
    try:
        return load(ReleaseList, data, size_max=RELEASE_LIST_BYTES_MAX).outputs
    except RefusedError:
        raise _damaged(path) from None


def _facts(folder: Path, listed: Mapping[str, bytes]) -> Facts:
    """Read the facts as they were approved."""
    path = folder / FACTS
    return load_facts(_approved(path, listed.get(FACTS, b"")), where=str(path))


_MEND: Final = "Restore the workspace's folder 'advisories' from a copy."


def _today(workspace: Workspace, advisory: str) -> list[Facts]:
    """Read the facts as they are written now: whoever marks them today takes the old pages off the site."""
    path = facts_path(workspace, advisory)
    if not path.exists():
        return []
    data = files.read_stored(path, what="facts of an advisory", mend=_MEND)
    return [load_facts(data, where=str(path))]


def _edition(folder: Path, document: bytes, listed: Mapping[str, bytes]) -> Edition:
    """Read a revision, and hold every output against what the approvers signed."""
    notice = peek(document, Notice)
    texts = {}
    for language, wanted in notice.texts.items():
        encoded = _approved(folder / f"texts/{language}.cbor", wanted)
        texts[language] = load(Text, encoded, size_max=limits.NOTICE_TEXT_BYTES_MAX)
    edition = Edition(notice=notice, digest=digest(document), texts=texts, document=document)
    pages, csaf = {}, {}
    for name, wanted in listed.items():
        language, _, page = name.partition("/")
        if page in _PAGES:
            pages[name] = filled(_approved(folder / "outputs" / name, wanted), edition.code)
        elif page == _CSAF:
            csaf[language] = _approved(folder / "outputs" / name, wanted)
    return Edition(
        notice=notice, digest=edition.digest, texts=texts, pages=pages, csaf=csaf, document=document
    )


def _approved(path: Path, wanted: bytes) -> bytes:
    data = files.read_stored(path, what="approved output", mend=_MEND)
    if hashlib.sha256(data).digest() != wanted:
        raise _damaged(path)
    return data


def _damaged(path: Path) -> DamagedError:
    return DamagedError("SITE_DAMAGED", "This is not what was approved.", mend=_MEND, where=str(path))


def require_ours(folder: Path) -> None:
    """Refuse a folder that is neither free nor an earlier build of the site.

    Raises:
        InputError: SITE_FOLDER.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / _NOTE).exists())):
        raise InputError(
            "SITE_FOLDER",
            "This is not a folder of the site, and it is not empty.",
            mend="Name another one.",
            where=str(folder),
        )


def _require_no_link(folder: Path, path: Path) -> None:
    """Refuse a symbolic link on the way to a file: whoever may write here could have us write elsewhere."""
    for part in (path, *path.parents):
        if part == folder:
            return
        if part.is_symlink():
            raise InputError(
                "SITE_LINK",
                "A symbolic link lies in the folder of the site; what it leads to would be written over.",
                mend="Take it away, or name another folder.",
                where=str(part),
            )


def replace(folder: Path, found: dict[str, bytes]) -> None:
    """Write what is new or changed, then take away what an earlier build left and this one does not want."""
    note = folder / _NOTE
    try:
        before = set(map(str, json.loads(note.read_bytes())["files"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        before = set()
    for name in (_NOTE, *found):
        _require_no_link(folder, folder / name)
    with files.os_errors(folder, "written"):
        folder.mkdir(parents=True, exist_ok=True)
        # Both lists first: whatever happens in between, the next build knows what is ours.
        files.write_atomic(note, json.dumps({"files": sorted(before | set(found))}).encode())
        for name, data in found.items():
            path = folder / name
            if not path.is_file() or path.read_bytes() != data:
                files.write_atomic(path, data)
        for name in sorted(before - set(found)):
            path = folder / name
            inside = path.parent.resolve().is_relative_to(folder.resolve())
            if inside and (path.is_file() or path.is_symlink()):
                path.unlink()
        files.write_atomic(note, json.dumps({"files": sorted(found)}).encode())
