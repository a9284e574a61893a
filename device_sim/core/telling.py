"""Tells the owner, in words, what leaves the device: every member of the report that it would send now.

The words stand in tables, one entry a member of what goes over the wire; a test holds the tables to the
records, so that nothing can be added to a report that its owner is not told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from advisories.report import Agreed, Consented, JournalEntry, NoticeStatus, PatchStatus, Report, Track, Want
from advisories.states import NoticeState, PatchState, Surface
from advisories.versions import format_version
from device_sim.core import limits
from device_sim.core.profile import Profile
from keys.algorithms import Algorithm
from keys.reasons import Reason

_LAST: Final = 253_402_300_799  # the end of the year 9999
_EMPTY: Final = bytes(16)


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence."""

    text: str
    member: str = ""
    """Record and member that it is about, ``Report.product``; empty: about none alone."""
    value: Any = None
    """What is sent there."""


@dataclass(frozen=True, slots=True)
class Group:
    """Sentences that belong together."""

    title: str
    lines: tuple[Line, ...]


def groups(report: Report, profile: Profile, wants: Iterable[Want], way: str) -> tuple[Group, ...]:
    """Return all there is to tell.

    Args:
        report: what the device would send now.
        profile: what the device is.
        wants: what it would ask for, were it connected now.
        way: where it is sent, as an address, or an empty text where that is not known here.
    """
    return (
        Group("Who this device is", tuple(_told(report, _WHO))),
        Group("What runs on it", tuple(_told(report, _RUNS))),
        Group("Notices that it was sent", (*_some(report, "notices"), *_each(report.notices))),
        Group("Patches, and what you agreed to", tuple(_patches(report))),
        Group("Journal of what happened", (*_told(report, _JOURNAL), *_kinds(report.journal))),
        Group("About the report itself", tuple(_told(report, _ITSELF))),
        Group("What it asks for", tuple(_wants(wants, profile))),
        Group("Where it goes, and how often", tuple(map(Line, _where(profile, way)))),
        Group("What is not sent", tuple(map(Line, _NOT_SENT))),
    )


Words = Mapping[str, Callable[[Any], str]]
"""Member -> what is said of its value."""


def _told(value: Any, words: Words) -> Iterator[Line]:
    kind = type(value).__name__
    for name, say in words.items():
        found = getattr(value, name)
        yield Line(say(found), f"{kind}.{name}", found)


def _some(report: Report, name: str) -> Iterator[Line]:
    yield from _told(report, {name: _LISTS[name]})


def _each(notices: Iterable[NoticeStatus]) -> Iterator[Line]:
    for notice in notices:
        yield from _told(notice, _NOTICE)


def _patches(report: Report) -> Iterator[Line]:
    yield from _some(report, "patches")
    for patch in report.patches:
        for line in _told(patch, _PATCH):
            yield line
            if isinstance(line.value, Consented):
                yield from _told(line.value, _CONSENT)


def _kinds(journal: tuple[JournalEntry, ...]) -> Iterator[Line]:
    """Say what the entries are about, and what each of them says."""
    if not journal:
        return
    counted = Counter((entry.track, _what(entry)) for entry in journal)
    for (track, what), count in sorted(counted.items()):
        times = "once" if count == 1 else f"{count} times"
        yield Line(f"{_TRACKS[track]}: {what}, {times}.")
    yield Line("Each entry says:")
    for name, say in _ENTRY.items():
        found = [getattr(entry, name) for entry in journal]
        yield Line(say(found), f"JournalEntry.{name}", found)


def _what(entry: JournalEntry) -> str:
    states = {Track.NOTICE: NoticeState, Track.PATCH: PatchState}.get(entry.track)
    if states is None:
        why = "" if entry.reason is Reason.OK else f" ({entry.reason.means})"
        return f"{entry.name}{why}"
    known = {int(state): state.name for state in states}
    return f"{entry.name} became {_plain(known.get(entry.new, str(entry.new)))}"


def _wants(wants: Iterable[Want], profile: Profile) -> Iterator[Line]:
    yield Line("What it asks for is public, and is not signed. In a request there can stand:")
    found = tuple(wants)
    for name, say in _WANT.items():
        values = [getattr(want, name) for want in found]
        yield Line(say([value for value in values if value]), f"Want.{name}", values)
    language = profile.languages[0]
    yield Line(
        f"It stays subscribed to what is published for every {profile.product} in '{language}' and for "
        "itself, so the broker sees its product and its first language."
    )


def _where(profile: Profile, way: str) -> Iterator[str]:
    topic = profile.topics.device(profile.id, "report")
    yield f"To {way}, as {topic}." if way else f"To the broker or gateway that it is run with, as {topic}."
    yield (
        "When it connects, and when something above has changed. Until the gateway has confirmed a report it "
        f"is repeated, after {limits.RECEIPT_SECONDS_MIN:.0f} seconds at first, later every "
        f"{limits.RECEIPT_SECONDS_MAX:.0f} at most. While nothing changes, nothing is sent."
    )
    yield f"Whether it is connected is told as 1 or 0, as {profile.topics.device(profile.id, 'online')}."
    if profile.artefacts is not None:
        yield f"Patches are fetched from {profile.artefacts}, which sees which one and how much of it."
    yield "Whoever carries this sees the network address from which it comes, and when."
    yield (
        "Every report is signed with the device's own key; the key's number, its kind and the signature go "
        "with it. The maker's gateway keeps reports byte for byte."
    )


_NOT_SENT: Final = (
    "Your name, your account, and where the device stands.",
    "What you do with the device, and what it measures.",
    (
        "Your maintenance windows and its time zone, its battery, and whether it is in use: a report can "
        "only say that the device waits for one of them."
    ),
    "Your further languages, as long as no notice is shown in one of them.",
    "The device's private key.",
)

_TRACKS: Final = {
    Track.NOTICE: "a notice",
    Track.PATCH: "a patch",
    Track.REFUSAL: "refused",
    Track.DEVICE: "the device",
}
_SURFACES: Final = {
    Surface.NONE: "it is on no screen now",
    Surface.SCREEN: "it was shown on its screen",
    Surface.CONSOLE: "it was shown on its console",
    Surface.LED: "a lamp pointed to it",
    Surface.COMPANION: "it was shown on a companion device",
}
_AGREED: Final = {
    Agreed.ASKED: "you said yes when it asked",
    Agreed.URGENT: "you agreed beforehand to urgent security patches",
    Agreed.ALWAYS: "you agreed beforehand to every patch",
}


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")


def _when(seconds: float | None, never: str = "not yet") -> str:
    if seconds is None:
        return never
    if seconds > _LAST:
        return f"second {seconds:.0f}"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _hex(digest: bytes | None) -> str:
    return "none" if digest is None else digest.hex()[:16]


def _why(reason: Reason) -> str:
    return "  Nothing was wrong with it." if reason is Reason.OK else f"  Why: {reason.means}."


def _names(found: tuple[Algorithm, ...] | None) -> str:
    return ", ".join(algorithm.name for algorithm in found or ()) or "not said"


_WHO: Final[Words] = {
    "subject": lambda ids: f"Its number, by which the maker's register knows it: {', '.join(ids)}.",
    "product": lambda product: f"What it is: a {product}.",
    "fleet": lambda digest: f"To which maker's devices it belongs: {_hex(digest)}.",
    "language": lambda tag: f"The language you read first: {tag}.",
}
_RUNS: Final[Words] = {
    "installed": lambda version: (
        f"The version that runs: {format_version(version)}."
        if version != (0, 0, 0, 0)
        else "The version that runs: it could not be measured."
    ),
    "algorithms": lambda found: f"Which signatures it can check: {_names(found)}.",
    "boot_epoch": lambda count: f"How often it was started: {count}.",
    "root_version": lambda version: f"Which list of the maker's keys it trusts: version {version}.",
    "catalogue": lambda digest: f"Which list of current notices and patches it went by: {_hex(digest)}.",
    "audit_head": lambda digest: (
        f"A number by which the maker's own record was marked when it last spoke: {_hex(digest)}."
    ),
}
_JOURNAL: Final[Words] = {
    "journal_count": lambda count: f"Entries in its life so far: {count}.",
    "journal_head": lambda digest: f"A number that proves that none was changed: {_hex(digest)}.",
    "journal": lambda found: (
        f"Entries sent with it, as the gateway has not confirmed them yet: {len(found)}."
    ),
}
_ITSELF: Final[Words] = {
    "type": lambda kind: f"That it is a {kind}.",
    "version": lambda number: (
        f"Its number since the device was started: {number or 'counted when it is sent'}."
    ),
    "issued": lambda time: f"When it was made, by the device's clock: {_when(time)}.",
    "expires": lambda time: f"Until when it counts: {_when(time, 'for ever')}.",
    "author": lambda author: f"A person who signed it: {author[0] if author else 'nobody, only the device'}.",
    "nonce": lambda nonce: (
        "A number made at random for each report, so that an old answer is told from a new one"
        f"{'.' if nonce == _EMPTY else f': {nonce.hex()}.'}"
    ),
    "asked": lambda nonce: (
        f"The number that the gateway gave it last, so that an old report is told from a new one: "
        f"{nonce.hex() if nonce else 'none since it was started'}."
    ),
}
_LISTS: Final[Words] = {
    "notices": lambda found: f"How many notices it speaks of: {len(found)}.",
    "patches": lambda found: f"How many patches it speaks of: {len(found)}.",
}
_NOTICE: Final[Words] = {
    "id": lambda name: f"Notice {name}:",
    "revision": lambda number: f"  Its revision: {number}.",
    "digest": lambda digest: f"  Which words exactly: {_hex(digest)}.",
    "state": lambda state: f"  How far it has come: {_plain(state.name)}.",
    "time": lambda time: f"  Since when: {_when(time)}.",
    "reason": _why,
    "surface": lambda surface: f"  Where you could see it: {_SURFACES[surface]}.",
    "language": lambda tag: f"  In which language: {tag or 'in none yet'}.",
    "confirmed": lambda time: f"  When it was confirmed to be current: {_when(time)}.",
}
_PATCH: Final[Words] = {
    "digest": lambda digest: f"Patch {digest.hex()[:16]}:",
    "sequence": lambda number: f"  Its number: {number}.",
    "state": lambda state: f"  How far it has come: {_plain(state.name)}.",
    "time": lambda time: f"  Since when: {_when(time)}.",
    "reason": _why,
    "consent": lambda given: f"  Whether you agreed: {'yes' if given else 'no, or not yet'}.",
    "done": lambda percent: (
        "  It is not being downloaded."
        if percent is None
        else f"  How much of it is here: {percent} percent."
    ),
    "deferrals": lambda count: f"  How often you put it off: {count or 'never'}.",
    "suit": lambda data: (
        "  A record of each step of installing it: none yet."
        if data is None
        else f"  A record of each step of installing it: {len(data)} bytes, about steps and images."
    ),
}
_CONSENT: Final[Words] = {
    "how": lambda how: f"    How: {_AGREED[how]}.",
    "time": lambda time: f"    When: {_when(time)}.",
    "question": lambda digest: (
        f"    To what exactly, as a number made of all you were shown: {_hex(digest)}."
    ),
    "notice": lambda digest: f"    The notice that named the patch: {_hex(digest)}.",
    "language": lambda tag: f"    The language you were asked in: {tag or 'none'}.",
}
_ENTRY: Final[Words] = {
    "index": lambda found: f"  its place, here {found[0]} to {found[-1]};",
    "time": lambda found: f"  when it happened, here from {_when(found[0])} to {_when(found[-1])};",
    "track": lambda _: "  whether it is about a notice, a patch, something refused or the device itself;",
    "name": lambda found: f"  what it is about, here {', '.join(sorted(set(found)))};",
    "old": lambda _: "  how far that had come before;",
    "new": lambda _: "  how far it came by this;",
    "reason": lambda found: f"  why, here {', '.join(sorted({reason.name for reason in found}))};",
    "digest": lambda found: (
        f"  which document it was about; {sum(digest is not None for digest in found)} entries name one."
    ),
}
_WANT: Final[Words] = {
    "nonce": lambda _: "  A number made at random for each request.",
    "topics": lambda found: (
        "  Published documents that it lacks, now: "
        f"{', '.join(topic for topics in found for topic in topics) or 'none'}."
    ),
    "blocks": lambda found: (
        "  The next part of a patch, now: "
        f"{', '.join(f'{_hex(digest)} from byte {offset}' for digest, offset, _ in found) or 'none'}."
    ),
}

TOLD: Final[Mapping[type[Any], Words]] = {
    Report: {**_WHO, **_RUNS, **_LISTS, **_JOURNAL, **_ITSELF},
    NoticeStatus: _NOTICE,
    PatchStatus: _PATCH,
    Consented: _CONSENT,
    JournalEntry: _ENTRY,
    Want: _WANT,
}
"""Record -> words of its members."""
