"""Where one notice or patch stands on a device, after what it says and what its journal tells. Pure.

The step that a state has taken is held to the tables of :mod:`advisories.states`; what a factory reset
took back counts as not told again, and only behind a journaled reset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from advisories.report import (
    FACTORY_RESET,
    Consented,
    JournalEntry,
    NoticeStatus,
    PatchStatus,
    Track,
    question,
)
from advisories.states import (
    NOTICE_RESETS,
    NOTICE_TRANSITIONS,
    PATCH_TRANSITIONS,
    NoticeState,
    PatchState,
    Surface,
)
from advisories.suit.report import open_suit_report
from keys.errors import RefusedError
from keys.reasons import Reason

Texts = Mapping[tuple[bytes, bytes], Mapping[str, bytes]]
"""Digests of a patch and of a published notice that names it -> language -> digest of the notice's text."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something a correct device on a correct transport does not do; the evidence keeps it."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """Where one advisory stands on a device. Times are the device's, but ``shown_received`` is ours."""

    revision: int
    digest: bytes
    state: NoticeState
    reason: Reason
    surface: Surface
    language: str | None
    verified: float | None = None
    shown: float | None = None
    acknowledged: float | None = None
    confirmed: float | None = None
    shown_received: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchRow:
    """Where one patch stands on a device; ``changed`` is by the gateway's clock."""

    sequence: int
    state: PatchState
    reason: Reason
    time: int
    changed: float
    consent: Consented | None = None
    done: int | None = None
    """Percent of the payloads that are there, while they are brought."""
    deferrals: int | None = None
    suit: bytes | None = None
    """The last SUIT_Report that came; a later report may have had no room for it."""


def takes_back(entry: JournalEntry) -> bool:
    """Say whether an entry takes back what an owner was told, as a factory reset does."""
    return entry.track is Track.NOTICE and _RESETS.get(entry.old) == entry.new


@dataclass(frozen=True, slots=True)
class Told:
    """What a report's journal tells."""

    fresh: Sequence[JournalEntry]
    """Entries not committed before."""
    known: Mapping[int, JournalEntry]
    """By index: those, and committed ones right before them as far as they matter."""
    whole: bool
    """Nothing that the device has journaled is still to come."""

    def about(self, track: Track, name: str, digest: bytes) -> list[JournalEntry]:
        """Return the fresh entries of one notice or patch."""
        return [e for e in self.fresh if e.track is track and e.name == name and e.digest in {None, digest}]

    def is_reset(self, entry: JournalEntry) -> bool:
        """Say whether an entry takes back what the former owner was told, right behind a factory reset."""
        if not takes_back(entry):
            return False
        before = self.known.get(entry.index - 1)
        while before is not None and before.track is not Track.DEVICE and before.reason is Reason.RESET:
            before = self.known.get(before.index - 1)
        return before is not None and (before.track, before.name) == (Track.DEVICE, FACTORY_RESET)

    def illegal(self) -> Iterable[Anomaly]:
        """Yield the steps that are in no table."""
        for entry in self.fresh:
            steps = _STEPS.get(entry.track)
            legal = steps is None or entry.new == entry.old or entry.new in steps.get(entry.old, ())
            if not legal and not self.is_reset(entry):
                detail = f"{entry.track.name} {entry.name}: {entry.old} to {entry.new} is no step"
                yield Anomaly("transition", detail)


def _closure(table: Mapping[IntEnum, frozenset[IntEnum]]) -> dict[int, frozenset[int]]:
    """Return every state that can be reached from each, itself included."""
    found = {}
    for start in table:
        seen, todo = {start}, [start]
        while todo:
            for state in table[todo.pop()] - seen:
                seen.add(state)
                todo.append(state)
        found[int(start)] = frozenset(int(state) for state in seen)
    return found


_NOTICE_REACH: Final = _closure(NOTICE_TRANSITIONS)  # type: ignore[arg-type] # an enumeration is its base here
_PATCH_REACH: Final = _closure(PATCH_TRANSITIONS)  # type: ignore[arg-type] # the same
_STEPS: Final = {
    Track.NOTICE: {int(old): frozenset(map(int, new)) for old, new in NOTICE_TRANSITIONS.items()},
    Track.PATCH: {int(old): frozenset(map(int, new)) for old, new in PATCH_TRANSITIONS.items()},
}
_RESETS: Final = {int(old): int(new) for old, new in NOTICE_RESETS.items()}
_FORWARD: Final = (
    NoticeState.QUEUED,
    NoticeState.SENT,
    NoticeState.DELIVERED,
    NoticeState.VERIFIED,
    NoticeState.SHOWN,
    NoticeState.ACKNOWLEDGED,
)


def notice(
    status: NoticeStatus, before: NoticeRow | None, told: Told, received: float, anomalies: list[Anomaly]
) -> NoticeRow:
    """Return where a notice stands after a report, and note what does not follow.

    Args:
        status: what the report says.
        before: where it stood.
        told: what the journal tells.
        received: UTC seconds by the gateway's clock.
        anomalies: what was noted so far.
    """
    mine = told.about(Track.NOTICE, status.id, status.digest)
    same = before is not None and (before.revision, before.digest) == (status.revision, status.digest)
    if before is not None:
        if status.revision < before.revision:
            detail = f"{status.id}: revision {before.revision}, now {status.revision}"
            anomalies.append(Anomaly("notice_back", detail))
        elif status.revision == before.revision and not same:
            anomalies.append(Anomaly("notice_other", f"{status.id}: two headers of one revision"))
        elif same and _went_back(before.state, status.state, explained=bool(mine) or not told.whole):
            detail = f"{status.id}: {before.state.name}, now {status.state.name}"
            anomalies.append(Anomaly("notice_back", detail))
    old = before if same else None
    resets = [place for place, entry in enumerate(mine) if told.is_reset(entry)]
    if resets:  # whoever has the device now was told nothing before
        mine = mine[resets[-1] + 1 :]
        old = None if old is None else replace(old, shown=None, acknowledged=None, shown_received=None)
    times = _times(status, old, mine)
    shown_received = old.shown_received if old is not None else None
    if shown_received is None and times[1] is not None:
        shown_received = received
    surface = status.surface
    if surface is Surface.NONE and old is not None:
        surface = old.surface  # where it was shown stays true after it is no longer shown
    return NoticeRow(
        revision=status.revision,
        digest=status.digest,
        state=status.state,
        reason=status.reason,
        surface=surface,
        language=status.language or (old.language if old is not None else None),
        verified=times[0],
        shown=times[1],
        acknowledged=times[2],
        confirmed=(old.confirmed if old is not None else None)
        or (None if status.confirmed is None else float(status.confirmed)),
        shown_received=shown_received,
    )


def _times(
    status: NoticeStatus, old: NoticeRow | None, mine: Sequence[JournalEntry]
) -> tuple[float | None, float | None, float | None]:
    """Return when it was verified, shown and acknowledged first: known, journaled, or now at the latest."""
    known = (None, None, None) if old is None else (old.verified, old.shown, old.acknowledged)
    rank = _FORWARD.index(status.state) if status.state in _FORWARD else 0
    entered = {e.new: float(e.time) for e in reversed(mine)}
    verified, shown, acknowledged = (
        before
        if before is not None
        else entered.get(int(state), float(status.time) if _FORWARD.index(state) <= rank else None)
        for before, state in zip(
            known, (NoticeState.VERIFIED, NoticeState.SHOWN, NoticeState.ACKNOWLEDGED), strict=True
        )
    )
    if verified is None and status.state is NoticeState.NOT_APPLICABLE:
        # Only a genuine header can say which versions are affected.
        verified = entered.get(int(NoticeState.NOT_APPLICABLE), float(status.time))
    return verified, shown, acknowledged


def _went_back(before: NoticeState, now: NoticeState, *, explained: bool) -> bool:
    """Say whether a state cannot follow; a step back in the row of states needs a journal entry."""
    if now not in _NOTICE_REACH[before]:
        return True
    if before not in _FORWARD or now not in _FORWARD:
        return False
    return _FORWARD.index(now) < _FORWARD.index(before) and not explained


def patch(
    status: PatchStatus,
    before: PatchRow | None,
    told: Told,
    *,
    received: float,
    texts: Texts | None,
    anomalies: list[Anomaly],
) -> PatchRow:
    """Return where a patch stands after a report, and note what does not follow.

    Args:
        status: what the report says.
        before: where it stood.
        told: what the journal tells.
        received: UTC seconds by the gateway's clock.
        texts: of the notices that consents name; None: they are not known here.
        anomalies: what was noted so far.
    """
    name = status.digest.hex()[:16]
    moved = bool(told.about(Track.PATCH, name, status.digest))
    if before is not None and status.state not in _PATCH_REACH[before.state]:
        anomalies.append(Anomaly("patch_back", f"{name}: {before.state.name}, now {status.state.name}"))
    consent = status.consent
    is_news = before is None or before.consent != consent
    if consent is not None and texts is not None and is_news and not _is_asked(status.digest, consent, texts):
        anomalies.append(Anomaly("consent", f"{name}: to a question that nobody published"))
    suit = status.suit
    if suit is not None and (before is None or before.suit != suit) and (why := _unfit(suit, status.digest)):
        anomalies.append(Anomaly("suit_report", f"{name}: {why}"))
    changed = received
    if before is not None and before.state is status.state and not moved:
        changed = before.changed
    return PatchRow(
        sequence=status.sequence,
        state=status.state,
        reason=status.reason,
        time=status.time,
        changed=changed,
        consent=consent,
        done=status.done,
        deferrals=status.deferrals,
        suit=suit or (before.suit if before is not None else None),
    )


def _is_asked(digest: bytes, consent: Consented, texts: Texts) -> bool:
    """Say whether a consent is bound to the patch, and to what was published about it."""
    words: set[bytes | None] = {None}
    if consent.notice is not None:
        published = texts.get((digest, consent.notice))
        if published is None:
            return False
        words |= set(published.values())  # in what language the notice was read, the device knows
    return any(question(digest, consent.notice, w, consent.language) == consent.question for w in words)


def _unfit(suit: bytes, digest: bytes) -> str:
    """Return why bytes are no SUIT_Report of a patch; empty where they are one."""
    try:
        found = open_suit_report(suit)
    except RefusedError as error:
        return f"{error.reason.name}, {error.detail}"
    return "" if found.manifest == digest else f"a report about {found.manifest.hex()[:16]}"
