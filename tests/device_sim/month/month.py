"""A month of a thousand devices in one process: an event queue, a virtual clock, and a seed."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from unittest import mock

from advisories.notice import Phase, Severity
from advisories.states import NoticeState, PatchState
from advisories.versions import format_version
from device_sim.core.profile import AutoConsent
from gateway.core import funnel, rollout
from gateway.core.tracks import NoticeRow
from gateway.store.moves import reached
from keys.algorithms import PublicKey
from keys.codec import dump
from keys.signer import LocalSigner
from tests.device_sim.core.durable import stored
from tests.device_sim.month.office import Office
from tests.device_sim.month.unit import BAD, LANGUAGES, Unit
from tests.helpers import DAY, HOUR, NOW, PRODUCT, Fleet, key, make_fleet

_key = cache(key)


class Keys(Fleet):
    """A fleet that makes each key once."""

    def holder(self, name: str) -> LocalSigner:
        return _key(name)

    def device(self, id: str = "", product: str = PRODUCT) -> LocalSigner:  # noqa: A002 - the wire's own word
        return _key(f"device {product} {id}")


FLEET = Keys(**{name: getattr(make_fleet(), name) for name in Fleet.__dataclass_fields__})
FIRST, SECOND = (1, 4, 2, 0), (1, 5, 0, 0)
MATTERS = ("EX-2026-0001", "EX-2026-0002")
AWAKE = 900
"""Seconds for which a sleeper stays on the net."""


@dataclass(frozen=True)
class Outcome:
    """How a month ended."""

    seed: int
    digest: str
    """SHA-256 over all journals and final states."""
    versions: Counter[str]
    patches: Counter[str]
    notices: Counter[str]
    reports: int
    events: int
    cuts: int
    faults: tuple[str, ...]
    """What should not be, in words; empty when all converged."""
    lines: tuple[str, ...]


class Month:
    """Everything that happens, in its order."""

    def __init__(self, seed: int, devices: int, days: int = 30) -> None:
        self.seed = seed
        self.days = days
        self.now = float(NOW + 60)
        self.heap: list[tuple[float, int, Any, str, Any]] = []
        self.count = 0
        self.office = Office(FLEET, LANGUAGES)
        self.units = [Unit(self.office, f"device-{n:04}", f"{seed}/{n}", self.at) for n in range(devices)]
        for unit in self.units:
            self.office.admit(unit)
        chance = random.Random(seed)
        for unit in self.units:
            self.at(self.now + chance.randint(0, DAY), unit, "day", None)
        for day, act in self.plan():
            self.at(NOW + day * DAY, None, act, None)
        for hour in range(0, days * 24, 2):
            self.at(NOW + hour * HOUR + 120, None, "tick", None)

    def plan(self) -> list[tuple[float, str]]:
        """What people do, and on which day."""
        return [
            (1, "first matter"), (3, "first patch"), (8, "second matter"), (10, "bad patch"), (16, "second patch"),
            (20, "first resolved"), (21.5, "calm"), (22, "second resolved"),
            *((23 + day / 2, "again") for day in range(12)), (self.days - 0.05, "roll call"),
        ]  # fmt: skip

    def at(self, time: float, unit: Unit | None, what: str, detail: Any) -> None:
        self.count += 1
        heapq.heappush(self.heap, (time, self.count, unit, what, detail))

    def live(self) -> None:
        """Let the month pass. What everybody verifies alike is verified once: the same key, bytes and signature."""
        with mock.patch.object(PublicKey, "verify", lru_cache(4_096)(PublicKey.verify)):
            self._live()

    def _live(self) -> None:
        end = NOW + self.days * DAY
        self.office.now = self.now
        self.office.list_all(self.now)
        while self.heap and self.heap[0][0] < end:
            time, _, unit, what, detail = heapq.heappop(self.heap)
            self.now = self.office.now = max(self.now, time)
            if unit is None:
                self.decide(what)
                for each in self.units:
                    self.pump(each)
            else:
                unit.now = self.now + unit.skew
                self.happen(unit, what, detail)
                self.pump(unit)

    def pump(self, unit: Unit) -> None:
        """Let a device deal with what has arrived, and remember when it wants to be woken."""
        unit.now = self.now + unit.skew
        if unit.queue:
            unit.guard(unit.pump)
        if unit.powered and unit.wake_at is not None and unit.wake_at != unit.due:
            unit.due = unit.wake_at
            self.at(max(unit.wake_at - unit.skew, self.now), unit, "alarm", unit.wake_at)

    def happen(self, unit: Unit, what: str, detail: Any) -> None:
        match what:
            case "day":
                unit.wake()
                if not unit.rest:
                    self.at(self.now + DAY, unit, "day", None)
                else:
                    late = self.now > NOW + 25.5 * DAY
                    pause = min(unit.rest, DAY if late else 2 * DAY) if unit.calm else unit.rest
                    self.at(unit.morning(self.now + pause * unit.chance.uniform(0.9, 1.1)), unit, "day", None)
                    if self.now + AWAKE < NOW + (self.days - 0.05) * DAY:
                        self.at(self.now + AWAKE, unit, "sleep", None)
            case "wake":
                unit.wake()
            case "sleep":
                unit.sleep()
            case "alarm":
                if unit.powered and unit.wake_at == detail:
                    unit.alarm()
            case "answer":
                answer, question = detail
                unit.act(lambda: unit.agent.consent(answer, unit.now, question))
            case "acknowledge":
                unit.act(lambda: unit.agent.acknowledge(unit.now))

    def decide(self, what: str) -> None:
        """The maker's people do something."""
        office, now = self.office, self.now
        below = {
            name: {PRODUCT: ((None, version),)}
            for name, version in zip(MATTERS, (FIRST, SECOND), strict=True)
        }
        one, two = MATTERS
        match what:
            case "tick":
                office.tick(now)
            case "first matter":
                office.warn(now, one, 1, affected=below[one], severity=Severity.HIGH)
            case "first patch":
                patch = office.make(1, FIRST, 6_000)
                office.warn(
                    now, one, 2, affected=below[one], severity=Severity.HIGH, phase=Phase.UPDATE,
                    patches={PRODUCT: (patch,)},
                )  # fmt: skip
                office.start(
                    now,
                    1,
                    rollout.by_percent((5, 20, 75), success=20, deadline=int(now) + 12 * DAY),
                )
            case "second matter":
                office.warn(now, two, 1, affected=below[two], severity=Severity.MEDIUM)
            case "bad patch":
                office.make(2, BAD, 5_000)
                office.list_all(now)
                office.start(now, 2, rollout.by_percent((4, 26, 70), deadline=int(now) + 12 * DAY))
            case "second patch":
                patch = office.make(3, SECOND, 9_000)
                office.warn(
                    now, two, 2, affected=below[two], severity=Severity.MEDIUM, phase=Phase.UPDATE,
                    patches={PRODUCT: (patch,)},
                )  # fmt: skip
                office.start(now, 3, rollout.by_percent((10, 90), success=10, deadline=int(now) + 8 * DAY))
            case "first resolved":
                office.warn(now, one, 3, affected=below[one], severity=Severity.HIGH, phase=Phase.RESOLVED)
            case "second resolved":
                office.warn(now, two, 3, affected=below[two], severity=Severity.MEDIUM, phase=Phase.RESOLVED)
            case "again":
                count = office.again(now, 3, int(NOW + 31 * DAY))
                office.lines.append(f"offered once more to {count}")
            case "calm":
                for unit in self.units:
                    unit.calm = True
            case "roll call":
                for place, unit in enumerate(self.units):
                    self.at(now + place % 60, unit, "wake", None)

    def faults(self) -> list[str]:
        """Say what did not come to its true end."""
        found = []
        for unit in self.units:
            name, desk, state = unit.profile.id, self.office.desks[unit.profile.id], stored(unit.state or b"")
            standing, newest = desk.standing, desk.newest
            if standing is None or newest is None:
                found.append(f"{name} never reported")
                continue
            found += [f"{name} {anomaly.kind}: {anomaly.detail}" for anomaly in desk.anomalies]
            found += [f"{name} {fault}" for fault in ends(unit, state, newest.installed)]
            if (standing.count, standing.head) != (state.journal_count, state.journal_head):
                found.append(f"{name}: the gateway has {standing.count} entries of {state.journal_count}")
            for track in state.patches:
                row = standing.patches.get(track.digest)
                if row is None or row.state is not track.state:
                    found.append(
                        f"{name}: patch {track.sequence} is {track.state.name}, the gateway does not know"
                    )
            for track in state.notices:
                row = standing.notices.get(track.id)
                if row is None or row.state is not track.state:
                    found.append(f"{name}: {track.id} is {track.state.name}, the gateway does not know")
        return found + self.funnels()

    def funnels(self) -> list[str]:
        """Compare the gateway's funnel with a plain count of what the devices say."""
        found = []
        for header in self.office.notices.values():
            rows = [
                funnel.Told(
                    product=PRODUCT,
                    installed=desk.newest.installed,
                    stands=stands(desk.standing.notices.get(header.id), header.revision),
                )
                for desk in self.office.desks.values()
                if desk.newest is not None and desk.standing is not None
            ]
            whole = funnel.total(
                funnel.fold((PRODUCT, funnel.steps(header, told), 1) for told in rows).values()
            )
            states = [
                t.state for unit in self.units for t in stored(unit.state or b"").notices if t.id == header.id
            ]
            acknowledged = sum(state is NoticeState.ACKNOWLEDGED for state in states)
            if whole.devices != len(self.units) or whole.acknowledged < acknowledged or whole.silent:
                found.append(f"the funnel of {header.id} is {whole}, {acknowledged} acknowledged")
        return found

    def outcome(self) -> Outcome:
        whole = hashlib.sha256()
        for unit in self.units:
            desk = self.office.desks[unit.profile.id]
            for _, entry in sorted(desk.journal.items()):
                whole.update(dump(entry))
            whole.update(unit.state or b"")
            whole.update(unit.boot)
        states = [stored(unit.state or b"") for unit in self.units]
        return Outcome(
            seed=self.seed,
            digest=whole.hexdigest(),
            versions=Counter(
                format_version(self.office.desks[u.profile.id].newest.installed) for u in self.units
            ),
            patches=Counter(f"{t.sequence} {t.state.name}" for s in states for t in s.patches),
            notices=Counter(f"{t.id} {t.state.name}" for s in states for t in s.notices),
            reports=self.office.reports,
            events=self.count,
            cuts=sum(unit.cuts for unit in self.units),
            faults=tuple(self.faults()),
            lines=tuple(self.office.lines),
        )


def stands(row: NoticeRow | None, revision: int) -> funnel.Stands | None:
    if row is None or row.revision != revision:
        return None
    return funnel.Stands(state=row.state, surface=row.surface, reached=reached(row, patched=False))


def ends(unit: Unit, state: Any, installed: Any) -> list[str]:
    """Say what is not as this owner, this patch and these notices must end."""
    found = []
    newest = next((track for track in state.patches if track.sequence == 3), None)
    end = newest.state if newest is not None else None
    agreed = unit.profile.auto_consent is AutoConsent.ALWAYS or unit.owner in {"agrees", "puts it off"}
    if agreed and (installed, end) != (SECOND, PatchState.SUCCEEDED):
        found.append(
            f"agreed, and runs {format_version(installed)}; patch 3 {end.name if end else 'is unknown'}"
        )
    if not agreed and unit.owner == "declines" and end is not PatchState.DECLINED:
        found.append(f"declined, and patch 3 is {end.name if end else 'unknown'}")
    if installed == BAD:
        found.append("runs what fails its self-test")
    for name, mended in zip(MATTERS, (FIRST, SECOND), strict=True):
        track = next((track for track in state.notices if track.id == name), None)
        if track is None or track.header.revision != 3:
            found.append(f"does not know the last of {name}")
        elif installed < mended and track.state not in {NoticeState.SHOWN, NoticeState.ACKNOWLEDGED}:
            found.append(f"is affected by {name}, which is {track.state.name}")
        elif installed >= mended and track.state is not NoticeState.NOT_APPLICABLE:
            found.append(f"is not affected by {name}, which is {track.state.name}")
    return found
