"""The desk on a machine with the workspace: it reads what is there now and signs with this person's key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from advisories.packet import Packet
from gateway import files
from gateway.operations import advisories, releases
from gateway.operations.advisories import comments
from gateway.operations.advisories import packet as packets
from gateway.operations.trust.signing import require_say
from gateway.web.desk.desk import Answer, Line
from gateway.workspace.folder import Workspace
from keys.errors import InputError, TocsinError
from keys.root import Root

_SHOWN_MAX: Final = 32
"""Pages whose exact content the desk remembers."""
_SAME_SECONDS: Final = 3_600
"""So long a page that is shown again is the same, if nothing else changes."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """How to make again what a page showed, and what lay in the workspace then."""

    issued: int
    restart: bool
    lay: tuple[bytes | None, bytes | None]
    outputs: Mapping[str, bytes]


def changed() -> InputError:
    """Return the refusal to answer for what is no longer there."""
    return InputError("CHANGED_MEANWHILE", "It was changed while you were reading it; nothing was signed.")


class WorkspaceDesk:
    """The desk of one key.

    Args:
        workspace: where.
        key: name of the key that signs.
        role: in which answers are given; None: the first of the key's that signs notices.
        now: returns UTC seconds.

    Raises:
        InputError: NO_KEY, KEY_NOT_IN_ROOT, WRONG_ROLE.
    """

    carried: bool = False

    def __init__(self, workspace: Workspace, key: str, role: str | None, now: Callable[[], int]) -> None:
        self._workspace, self._key, self._now = workspace, key, now
        entry = workspace.key(key)
        root = workspace.trusted().root
        known = notice_roles(root)
        require_say(root, entry.public, set(known), name=key)
        mine = [one for one in known if one in entry.roles]
        if role is not None and role not in mine:
            message = f"The key '{key}' does not sign notices as {role}."
            raise InputError("WRONG_ROLE", message, mend=f"It does as {', '.join(mine)}.")
        self.who, self.role = entry.holder, role or mine[0]
        self._shown: OrderedDict[tuple[str, str], _Shown] = OrderedDict()

    @property
    def secret(self) -> str:
        """What opens the key."""
        return secret_of(self._workspace.key_uri(self._workspace.key(self._key)))

    def lines(self) -> list[Line]:
        """Return every advisory of the workspace, what awaits this role first."""
        names = [path.stem for path in files.listed(self._workspace.path / "advisories", ".yaml")]
        return sorted(map(self._line, names), key=lambda line: not line.waits)

    def _line(self, advisory: str) -> Line:
        try:
            return self._standing(advisory)
        except TocsinError as error:
            return Line(advisory, "", f"cannot be shown: {error.message}", "grave")

    def _standing(self, advisory: str) -> Line:
        before = releases.last(
            self._workspace, advisory, advisories.published_revision(self._workspace, advisory)
        )
        facts = advisories.load(self._workspace, advisory).facts
        title = facts.source.title
        if before is not None and facts.file in before.values():
            return Line(advisory, title, "published", "good")
        reviewed = advisories.present(self._workspace, advisory, now=self._now())
        stops = [one for one in comments.said(self._workspace, reviewed.about) if one.stops]
        if any(self.role in one.roles for one in reviewed.approvals.signed):
            state = "you have signed it" if reviewed.approvals.missing else "every signature is there"
            if stops:
                what = "a condition is open" if stops[0].number else f"{stops[0].by} rejected it"
                return Line(advisory, title, f"{state}; {what}", "warn")
            return Line(advisory, title, state, "good")
        if any(one.by == self.who and self.role in one.said.roles and not one.number for one in stops):
            return Line(advisory, title, "you rejected it", "grave")
        if reviewed.blocked:
            return Line(advisory, title, "the checks found what has to be mended first", "warn")
        return Line(advisory, title, "awaits your answer", "calm", waits=True)

    def show(self, advisory: str) -> Packet:
        """Return what has to be judged, as it is now."""
        now = self._now()
        # While nobody has fixed it, the digest moves with the time of issue: a page shown again keeps it.
        known = [shown.issued for (name, _), shown in self._shown.items() if name == advisory]
        issued = known[-1] if known and 0 <= now - known[-1] < _SAME_SECONDS else now
        reviewed = advisories.present(self._workspace, advisory, now=issued)
        shown = _Shown(reviewed.notice.issued, reviewed.restart, _lay(reviewed), reviewed.release.outputs)
        self._shown[advisory, reviewed.digest.hex()] = shown
        self._shown.move_to_end((advisory, reviewed.digest.hex()))
        while len(self._shown) > _SHOWN_MAX:
            self._shown.popitem(last=False)
        return packets.packet(self._workspace, reviewed, self.role, now=now)

    def output(self, advisory: str, digest: str, name: str) -> bytes | None:
        """Return an output of what was shown under a digest."""
        shown = self._shown.get((advisory, digest))
        return None if shown is None else shown.outputs.get(name)

    def _again(self, advisory: str, answer: Answer) -> advisories.Review:
        """Make again what the page showed; refuse when it would be anything else."""
        shown = self._shown.get((advisory, answer.digest))
        if shown is None:
            raise changed()
        try:
            reviewed = advisories.review(self._workspace, advisory, now=shown.issued, restart=shown.restart)
        except InputError as error:
            raise changed() if error.code == "APPROVALS_VOID" else error from None
        # Who starts over must not leave aside what came in since the page was shown.
        if reviewed.digest.hex() != answer.digest or (shown.restart and _lay(reviewed) != shown.lay):
            raise changed()
        return replace(reviewed, at=self._now())

    def approve(self, advisory: str, answer: Answer, secret: bytes) -> str:
        """Sign exactly what was shown."""
        reviewed = self._again(advisory, answer)
        done = advisories.approve(
            self._workspace,
            reviewed,
            self._key,
            lambda _: secret,
            comment=answer.comment,
            condition=answer.condition,
        )
        rest = ", ".join(done.approvals.missing)
        return (
            f"You signed it. Still missing: {rest}."
            if rest
            else "You signed it. Every signature is there now."
        )

    def reject(self, advisory: str, answer: Answer) -> str:
        """Record a rejection of exactly what was shown."""
        about = self._again(advisory, answer).about
        comments.reject(
            self._workspace, about, role=self.role, by=self.who, comment=answer.comment, now=self._now()
        )
        return "You rejected it. It cannot be published until it is changed or you take this back."

    def remark(self, advisory: str, answer: Answer) -> str:
        """Record a comment on exactly what was shown."""
        about = self._again(advisory, answer).about
        comments.remark(
            self._workspace, about, role=self.role, by=self.who, comment=answer.comment, now=self._now()
        )
        return "Your comment is kept."

    def take_back(self, advisory: str, answer: Answer) -> str:
        """Take this approver's own rejection back."""
        about = self._again(advisory, answer).about
        comments.take_back(self._workspace, about, role=self.role, by=self.who, now=self._now())
        return "You took your rejection back."


def _lay(reviewed: advisories.Review) -> tuple[bytes | None, bytes | None]:
    return reviewed.stored, reviewed.fixed


def notice_roles(root: Root) -> list[str]:
    """Return every role that signs notices of some product, in the order of the policy."""
    rows = (row.demands for row in root.policy if row.type == "notice")
    return list(dict.fromkeys(role for row in rows for role in row))


def secret_of(uri: str) -> str:
    """Return what opens the key behind a URI, for people."""
    return "PIN of your token" if uri.startswith("pkcs11:") else "Passphrase of your key"
