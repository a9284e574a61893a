"""The approval packet of a workspace, or of a signing request on a machine without one."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from PIL import Image

from advisories.clocks.running import LIVE
from advisories.compose import FACTS, SETTING
from advisories.embargo import Channel
from advisories.facts import Facts, load_facts
from advisories.notice import Notice, ReleaseList, check_code
from advisories.packet import Carried, Clock, Packet, Signature, Since, compare, compare_setting, make
from advisories.render import pages, small
from advisories.story import load_setting
from gateway.operations import fonts, releases
from gateway.operations.advisories import comments
from gateway.operations.advisories.approvals import Review, fix, review, roles_of
from gateway.operations.advisories.embargo import require_may_leave
from gateway.operations.afar import operation
from gateway.operations.incidents import watching
from gateway.operations.trust.request_files import RELEASE_LIST_BYTES_MAX
from gateway.operations.trust.requests import Judged
from gateway.workspace.folder import Workspace
from keys.codec import load
from keys.errors import InputError, RefusedError, UnavailableError

_SMALL: Final = re.compile(r"([^/]+)/small-\d+\.txt")


@dataclass(frozen=True, slots=True)
class Page:
    """A packet as one HTML file."""

    advisory: str
    revision: int
    role: str
    digest: bytes
    code: str
    """The check code that people compare."""
    blocked: bool
    """It is a draft: checks keep it from being approved."""
    data: bytes


def packet(workspace: Workspace, reviewed: Review, role: str, *, now: int) -> Packet:
    """Return what a role has to judge; nothing is written.

    Args:
        workspace: where.
        reviewed: the revision.
        role: whose packet it is.
        now: UTC seconds.
    """
    release = reviewed.release
    facts = load_facts(release.sources[FACTS], where=FACTS)
    return Packet(
        role=role,
        facts=facts,
        notice=reviewed.notice,
        digest=reviewed.digest,
        outputs=release.outputs,
        pictures=dict(pictures(release.outputs)),
        since=_since(workspace, reviewed, role),
        findings=reviewed.findings,
        clocks=_clocks(workspace, facts, now),
        signatures=[Signature(one.holder, one.roles, one.kid) for one in reviewed.approvals.signed],
        missing=reviewed.approvals.missing,
        remarks=comments.said(workspace, reviewed.about),
        void=reviewed.restart and reviewed.stored is not None,
        made=now,
    )


@operation("POST", "/advisories/{advisory}/packets/{role}", right="advisory:write")
def page(workspace: Workspace, advisory: str, role: str, *, now: int, restart: bool = False) -> Page:
    """Make the page of all that an approver has to judge; what it shows is fixed from then on.

    Args:
        workspace: where.
        advisory: its id.
        role: whose packet it is.
        now: UTC seconds.
        restart: leave the approvals so far aside and start over.

    Raises:
        InputError: WRONG_ROLE, TLP, CHANGED_MEANWHILE; of reviewing the advisory.
    """
    reviewed = review(workspace, advisory, now=now, restart=restart)
    known = roles_of(workspace.trusted().root, reviewed.notice)
    if role not in known:
        message = f"'{role}' does not sign this notice."
        raise InputError("WRONG_ROLE", message, mend=f"Known: {', '.join(sorted(known))}.")
    facts = load_facts(reviewed.release.sources[FACTS], where=FACTS)
    # The desk shows everything, to the person at it; a file goes further.
    require_may_leave(workspace, facts, Channel.OWN, now=now)
    if not reviewed.blocked:
        fix(workspace, reviewed)
    data = make(packet(workspace, reviewed, role, now=now)).encode()
    return Page(
        advisory, reviewed.notice.revision, role, reviewed.digest, reviewed.code, reviewed.blocked, data
    )


def _clocks(workspace: Workspace, facts: Facts, now: int) -> tuple[Clock, ...]:
    """Return the deadlines of the incident behind an advisory that run, wait or are met."""
    if facts.incident is None:
        return ()
    try:
        found = watching.watch_all(workspace, facts.incident, now=now)
    except InputError as error:
        return (Clock(f"The clocks of incident {facts.incident} cannot be shown", None, note=error.message),)
    return tuple(
        Clock(
            f"{one.name}: {one.who} to {one.whom}",
            None if one.due is None else int(one.due.timestamp()),
            done=one.done is not None,
            note=one.note,
        )
        for one in found
        if one.done is not None or one.state in LIVE
    )


def pictures(outputs: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the pages of small screens as PNG: drawn ones always, the others where the font is here."""
    for name, data in outputs.items():
        if name.endswith(".pbm"):
            page = pages.from_pbm(data)
            if page is not None:
                yield name, _png(pages.image(page))
        elif found := _SMALL.fullmatch(name):
            with contextlib.suppress(UnavailableError):  # the page then shows the letters
                language = found.group(1)
                font = small.font_of(language, fonts.installed())
                yield name, _png(small.draw(data.decode().splitlines(), language, font=font))


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _since(workspace: Workspace, reviewed: Review, role: str) -> Since | None:
    """Compare with what the role approved last; every published revision was approved by all of them."""
    notice = reviewed.notice
    given = comments.last_approval(workspace, notice.id, role)
    if given is not None:
        revision, code = given.revision, check_code(bytes.fromhex(given.digest))
        before = releases.remembered(workspace, notice.id, given.digest)
    elif notice.revision > 1:
        revision = notice.revision - 1
        header = releases.fixed(workspace, notice.id, revision)
        code = "" if header is None else check_code(releases.digest_of(header))
        before = releases.last(workspace, notice.id, revision)
    else:
        return None
    old = _facts(before[FACTS]) if before else None
    if before is None or old is None:
        return Since(code, revision, known=False)
    release = reviewed.release
    changes = compare(old, load_facts(release.sources[FACTS], where=FACTS))
    if SETTING in before:
        with contextlib.suppress(ValueError):  # written by another program: who speaks is not compared
            changes += compare_setting(load_setting(before[SETTING]), load_setting(release.sources[SETTING]))
    return Since(code, revision, changes, tuple(_other(before.get(releases.LIST), release.release_list)))


def _facts(data: bytes) -> Facts | None:
    try:
        return load_facts(data, where=FACTS)
    except InputError:  # written by a program that knew other keys
        return None


def _other(before: bytes | None, after: bytes) -> Iterator[str]:
    """Yield the names of outputs that were not these same bytes before."""
    try:
        sides = [
            load(ReleaseList, data, size_max=RELEASE_LIST_BYTES_MAX).outputs
            for data in (before or b"", after)
        ]
    except RefusedError:
        return
    for name in sorted(sides[0].keys() | sides[1].keys()):
        if name not in {FACTS, SETTING} and sides[0].get(name) != sides[1].get(name):
            yield name


def of_request(
    judged: Judged, outputs: Mapping[str, bytes], facts: Facts, role: str, *, named: bool, now: int
) -> Packet:
    """Return the packet of a signing request: what was said and approved so far, only the workspace knows.

    Args:
        judged: the request, which is about a notice.
        outputs: all that it binds.
        facts: what they are made of.
        role: of the key that would sign.
        named: the signer named this fleet when opening it.
        now: UTC seconds.
    """
    assert isinstance(judged.content, Notice)
    return Packet(
        role=role,
        facts=facts,
        notice=judged.content,
        digest=judged.digest,
        outputs=outputs,
        pictures=dict(pictures(outputs)),
        findings=None,
        carried=Carried(judged.fleet, named, judged.root.version, judged.root.expires, judged.unseen),
        made=now,
    )
