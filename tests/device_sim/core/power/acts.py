"""What happens in the stories of power cuts: short names for what people, gateway and nature do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from advisories.notice import Severity
from advisories.report import JournalEntry, Track, journal_head
from device_sim.core import effects as do
from device_sim.core.profile import Conditions
from device_sim.core.state import State
from keys.reasons import Reason
from tests.device_sim.core import plans
from tests.device_sim.core.firmware import image
from tests.device_sim.core.power.plant import Act, Copy, Plant, Step, Wait
from tests.device_sim.core.world import FLEET
from tests.helpers import DAY, HOLDERS, HOUR, NOW, PRODUCT, notice, root_keys

Owner = Callable[[Plant, do.AskConsent], str | None]
V2, V3 = (1, 4, 2, 0), (1, 5, 0, 0)
SMALL, LARGE = 900, 70_000
"""Bytes of an image that comes in one block, and of one that takes two windows."""


def yes(w: Plant, ask: do.AskConsent) -> str:
    return "yes"


def no(w: Plant, ask: do.AskConsent) -> str:
    return "no"


def silent(w: Plant, ask: do.AskConsent) -> None:
    return None


def later(w: Plant, ask: do.AskConsent) -> str:
    """Put it off as often as possible."""
    return "yes" if ask.final else "defer"


def never_ready(w: Plant, ask: do.AskConsent) -> str | None:
    """Put it off as often as possible, and then not answer."""
    return None if ask.final else "defer"


def on_trial(copy: Copy) -> bool:
    return copy.on_trial


def anywhere(copy: Copy) -> bool:
    return True


@dataclass(frozen=True)
class Story:
    """A row of the table: what happens, and how it may end."""

    name: str
    script: tuple[Step, ...]
    end: str
    """Without a power cut: see :meth:`Plant.end`."""
    also: Mapping[str, Callable[[Copy], bool]] = field(default_factory=dict)
    """Other ends that a power cut may lead to, and where."""
    profile: Mapping[str, Any] = field(default_factory=dict)
    owner: Owner = yes
    pairs: int = 0
    """How many second cuts are tried after each; -1: all."""
    furnish: Callable[[Plant], None] = lambda _: None
    """What is done before the device is switched on for the first time."""
    lazy: bool = False
    """Lived through on a disk, too, that loses what was not waited for."""
    anomalies: tuple[str, ...] = ()
    """What the gateway rightly wonders about."""
    since: int = 0
    """The first step during which the power may fail."""

    def plant(self) -> Plant:
        made = Plant(self.script, self.owner, **self.profile)
        self.furnish(made)
        made.lazy, made.synced = self.lazy, made._flash()
        made.explained = frozenset(self.anomalies)
        made.since, made.copies = self.since, None if self.since else []
        return made


def wait(seconds: float) -> Wait:
    return Wait(seconds)


def patch(w: Plant, sequence: int = 7, version: Any = V2, size: int = SMALL, **fields: Any) -> bytes:
    """Make a patch known to everybody, offer it to nobody."""
    lie = fields.pop("lie", None)
    if lie is not None:
        digest = w.compose(sequence, version, plans.payload(w, lie, version=version), boots=lie)
    else:
        data = fields.pop("data", None) or image(version, size=size, counter=fields.pop("counter", 1))
        digest = w.patch(sequence, data, version=version, **fields)
    w.known = [*getattr(w, "known", []), (sequence, digest)]
    return digest


def current(w: Plant, *, only: tuple[int, ...] | None = None) -> None:
    """Sign a catalogue of everything known."""
    known = [entry for entry in getattr(w, "known", []) if only is None or entry[0] in only]
    w.current(*getattr(w, "named", {}).values(), patches=tuple(known))


def roll_out(sequence: int = 7, version: Any = V2, **fields: Any) -> Act:
    terms = {name: fields.pop(name) for name in ("window", "deadline", "consent") if name in fields}
    warn = fields.pop("warn", None)

    def act(w: Plant) -> None:
        digest = patch(w, sequence, version, **fields)
        if warn is not None:
            publish_notice(w, patches={PRODUCT: (digest,)}, **warn)
        current(w)
        w.offer(digest, sequence, **{name: _time(w, value) for name, value in terms.items()})

    return act


def _time(w: Plant, value: Any) -> Any:
    """Seconds from now, where a term is a time."""
    if isinstance(value, tuple):
        return tuple(int(w.now) + part for part in value)
    return int(w.now) + value if type(value) is int else value


def publish_notice(w: Plant, revision: int = 1, **fields: Any) -> None:
    if "expires_in" in fields:
        fields["expires"] = int(w.now) + fields.pop("expires_in")
    base = {"revision": revision, "version": NOW + revision, "issued": int(w.now), "severity": Severity.HIGH}
    header = notice(FLEET, **{**base, **fields})
    w.notice(header)
    w.named = {**getattr(w, "named", {}), header.id: header}


def warn(revision: int = 1, *, listed: bool = True, **fields: Any) -> Act:
    def act(w: Plant) -> None:
        publish_notice(w, revision, **fields)
        if listed:
            current(w)

    return act


def offer_again(sequence: int = 7, **fields: Any) -> Act:
    def act(w: Plant) -> None:
        digest = dict(w.known)[sequence]
        w.offer(digest, sequence, **fields)

    return act


def cancel(sequence: int = 7) -> Act:
    return offer_again(sequence, cancel=True)


def fresh(w: Plant) -> None:
    """Sign what is current once more: a timestamp lasts six hours."""
    current(w)


def reset(w: Plant) -> None:
    w.press_reset()


def feels(**found: Any) -> Act:
    """The surroundings change."""
    return lambda w: w.feel(Conditions(**found))


def next_weekday(days: int) -> int:
    """So many days after the day on which the stories begin: 0 is Monday."""
    return (datetime.fromtimestamp(NOW, UTC).weekday() + days) % 7


def acknowledge(w: Plant) -> None:
    w.queue.append(lambda: w.agent.acknowledge(w.now))


def becomes(name: str, value: Any) -> Act:
    """Something in the world changes."""

    def act(w: Plant) -> None:
        setattr(w, name, value)

    return act


def unhealthy(w: Plant) -> None:
    w.healthy = False


def pull_the_plug(w: Plant) -> None:
    w.queue.append(w.power_cycle)


def the_test_ends(w: Plant) -> None:
    """A self-test that hung gives its answer at last."""
    w.hangs, w.passed = False, True
    w.queue.append(lambda: w.agent.tested(True, w.now))


def by_cable(slot: int, data: bytes, version: Any, *, restart: bool = True) -> Act:
    """Somebody writes an image with a programmer, which is confirmed at once where it runs."""

    def act(w: Plant) -> None:
        w.whole[hashlib.sha256(data).digest()] = version
        w.slots[slot] = bytearray(data)
        if restart:
            w.queue.append(w.power_cycle)

    return act


def rotate(*, revoked: str | None = None) -> Act:
    """Publish root 2; the first holder of a role may have lost the key."""

    def act(w: Plant) -> None:
        holders = {**HOLDERS, revoked: (f"{revoked}-9",)} if revoked else HOLDERS
        w.next_root(keys=root_keys(holders))
        w.stamp(w.current(patches=tuple(getattr(w, "known", []))), root_version=2)

    return act


def fill_the_journal(entries: int) -> Act:
    """Long ago, much was refused, and no receipt came."""

    def act(w: Plant) -> None:
        state = State.load(w.state or b"", w.root_1)
        fresh = [
            JournalEntry(
                index=state.journal_count + place, time=NOW, track=Track.DEVICE, name="boot", old=0, new=0,
                reason=Reason.OK,
            )
            for place in range(entries)
        ]  # fmt: skip
        state.journal += fresh
        state.journal_count += entries
        state.journal_head = journal_head(state.journal_head, fresh)
        w.state = state.dump()
        w.start()
        w.join()

    return act


DAY_LATER, HOUR_LATER = wait(DAY), wait(HOUR)
