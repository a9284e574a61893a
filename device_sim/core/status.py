"""What an onlooker in the owner's house may know of a device: a snapshot, with nothing secret in it.

Neither the device's id and keys nor nonces, journal and reports are here; the gateway alone hears of those.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from advisories.notice import Action, Notice, Severity, Text, check_code
from advisories.states import PATCH_ENDED, NoticeState, PatchState
from advisories.versions import format_version
from device_sim.core.agent import Agent
from device_sim.core.effects import AskConsent
from device_sim.core.profile import Platform
from device_sim.core.state import NoticeTrack, PatchTrack
from keys.reasons import Reason

_N, _P = NoticeState, PatchState
_SEEN: Final = frozenset({_N.SHOWN, _N.ACKNOWLEDGED})
UNDER_WAY: Final = frozenset(
    {
        _P.DOWNLOADING,
        _P.DOWNLOADED,
        _P.VERIFIED,
        _P.INSTALLING,
        _P.INSTALLED,
        _P.CANCEL_REJECTED,
        _P.REBOOTING,
        _P.TESTING,
    }
)
"""The device is working on the patch."""
_STILL_WANTED: Final = frozenset({_P.DECLINED, _P.FAILED, _P.ROLLED_BACK, _P.TIMED_OUT})
"""It ended, and the version that it would have brought is still the newer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """A notice that the owner can see, or has seen and that was withdrawn."""

    notice: Notice
    """Its header; under an exercise root always an exercise."""
    text: Text | None
    """In the owner's language, as far as there is one; None only where it was withdrawn, and is not here."""
    digest: bytes
    """Of the header: 32 bytes, another one for every revision."""
    state: NoticeState
    confirmed: bool
    """A fresh timestamp says that it is current."""
    time: int
    """UTC seconds of the last transition."""

    @property
    def check_code(self) -> str:
        """Six characters to compare revisions by."""
        return check_code(self.digest)

    @property
    def is_open(self) -> bool:
        """Whether it stands: neither withdrawn nor said to be resolved."""
        return self.state is not _N.WITHDRAWN and self.notice.action is not Action.RESOLVED

    @property
    def unread(self) -> bool:
        """Whether it waits for the owner to take note of it."""
        return self.state is _N.SHOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchView:
    """The patch under way, or the one that ended last."""

    digest: bytes
    """Of the manifest."""
    state: PatchState
    reason: Reason
    version: str | None
    """What it brings, where its manifest says so."""
    percent: int | None
    """Of the payload that is certainly here, while it is brought."""
    time: int
    """UTC seconds of the last transition."""
    mends: str | None
    """Id of the notice that names it."""

    @property
    def under_way(self) -> bool:
        """Whether the device is working on it."""
        return self.state in UNDER_WAY and not self.held

    @property
    def held(self) -> bool:
        """Whether it is ready and something holds it up: a window, the battery, what the device does."""
        return self.state is _P.VERIFIED and self.reason is not Reason.OK

    @property
    def wanted(self) -> bool:
        """Whether its version is genuine and not installed."""
        return self.state not in PATCH_ENDED or self.state in _STILL_WANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A device at one moment."""

    product: str
    installed: str | None
    """Measured; None until something could be."""
    current: bool
    """What it knows is confirmed as current."""
    notices: tuple[NoticeView, ...]
    """The one to read next first."""
    patch: PatchView | None
    question: AskConsent | None
    """What the owner is asked now; its ``question`` is what an answer must carry."""
    patches: bool
    """False where somebody else installs, and the device only tells."""

    @property
    def foremost(self) -> NoticeView | None:
        """The notice to show where there is room for one: to be read next, or else the most urgent."""
        return next((view for view in self.notices if view.state is not _N.WITHDRAWN), None)

    @property
    def severity(self) -> Severity | None:
        """Of the worst notice that stands; None when none does."""
        return max((view.notice.severity for view in self.notices if view.is_open), default=None)

    def find(self, advisory: str | None) -> NoticeView | None:
        """Return the view of an advisory."""
        return next((view for view in self.notices if view.notice.id == advisory), None)


def snapshot(agent: Agent, asked: AskConsent | None = None) -> Status:
    """Return what there is to see of a device.

    Args:
        agent: its core, booted.
        asked: the last question that the core asked in this boot; one that is no longer open is left out.
    """
    profile = agent.profile
    notices = [view for view in (_notice(agent, track) for track in agent.notices) if view is not None]
    track = _patch(agent.patches)
    if track is None or track.state is not _P.WAITING_FOR_CONFIRMATION:
        asked = None
    return Status(
        product=profile.product,
        installed=format_version(agent.installed) if any(agent.installed) else None,
        current=agent.is_current,
        notices=tuple(sorted(notices, key=_urgency)),
        patch=_view(agent, track, asked) if track is not None else None,
        question=asked,
        patches=profile.platform is not Platform.NONE,
    )


def _urgency(view: NoticeView) -> tuple[bool, bool, bool, Action, int, int, str]:
    """Sort key: unread before read, open before resolved, urgent before bad, and new before old."""
    notice, gone = view.notice, view.state is _N.WITHDRAWN
    return (gone, not view.unread, not view.is_open, notice.action, -notice.severity, -view.time, notice.id)


def _notice(agent: Agent, track: NoticeTrack) -> NoticeView | None:
    """Return the view of a notice, if the owner may see it or has seen it."""
    told = track.state is _N.WITHDRAWN and track.told
    if not told and (track.text is None or track.state not in _SEEN | {_N.VERIFIED}):
        return None
    header = track.header
    return NoticeView(
        notice=replace(header, exercise=header.exercise or agent.trusted.root.exercise),
        text=track.text,
        digest=track.digest,
        state=track.state,
        confirmed=agent.is_current and track.confirmed is not None and track.reason is not Reason.STALE,
        time=track.time,
    )


def _patch(tracks: tuple[PatchTrack, ...]) -> PatchTrack | None:
    """Return the one under way, or else the one touched last."""
    active = (track for track in tracks if track.state not in PATCH_ENDED)
    return next(active, tracks[-1] if tracks else None)


def _view(agent: Agent, track: PatchTrack, asked: AskConsent | None) -> PatchView:
    facts = track.facts
    version = facts.version if facts is not None else None
    percent = (track.done or 0) if track.state is _P.DOWNLOADING else None
    asked_about = asked.notice.id if asked is not None and asked.notice is not None else None
    return PatchView(
        digest=track.digest,
        state=track.state,
        reason=track.reason,
        version=format_version(version) if version is not None else None,
        percent=percent,
        time=track.time,
        mends=asked_about or _mended(agent, track.digest),
    )


def _mended(agent: Agent, patch: bytes) -> str | None:
    """Return the gravest of the notices that name a patch, the newest of several."""
    product = agent.profile.product
    naming = [t for t in agent.notices if patch in (t.header.patches or {}).get(product, ())]
    return max(((t.header.severity, t.header.issued, t.id) for t in naming), default=(0, 0, None))[2]
