"""The gateway, its operator and the broker of a virtual month: the real decisions, kept in memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from advisories import suit
from advisories.catalogue import Catalogue, Timestamp
from advisories.notice import Notice
from advisories.report import Block, open_want
from advisories.states import PATCH_ENDED, PATCH_FAILED
from advisories.topics import Topics
from gateway.core import publication, rollout, speech
from gateway.core.rollout.outcome import Row, outcome
from keys.codec import dump
from tests.device_sim.core.firmware import CLASS, VENDOR, image
from tests.device_sim.core.gateway_side import Desk
from tests.helpers import PRODUCT, Fleet, notice, text

if TYPE_CHECKING:
    from tests.device_sim.month.unit import Unit


@dataclass
class Rollout:
    """One patch on its way through the groups."""

    patch: tuple[int, bytes]
    plan: rollout.Plan
    group: dict[str, int]
    states: list[rollout.GroupState]
    state: rollout.RolloutState = rollout.RolloutState.RUNNING
    offered: set[str] = field(default_factory=set)


class Office:
    """Everything that is not a device. Units join with :meth:`admit`."""

    def __init__(self, fleet: Fleet, languages: Iterable[str]) -> None:
        self.fleet = fleet
        self.topics = Topics()
        self.languages = tuple(languages)
        self.shared: dict[str, bytes] = {}
        """Retained topics that any device may hear."""
        self.heard: dict[str, list[str]] = {}
        """Language -> shared topics that its devices subscribe."""
        self.payloads: dict[bytes, bytes] = {}
        self.units: dict[str, Unit] = {}
        self.desks: dict[str, Desk] = {}
        self.notices: dict[str, Notice] = {}
        self.patches: list[tuple[int, bytes]] = []
        self.rollouts: list[Rollout] = []
        self.catalogue: Catalogue | None = None
        self.timestamp: Timestamp | None = None
        self.last: Counter[str] = Counter()
        """Newest version by what it is counted under."""
        self.now = 0.0
        self.reports = 0
        self.lines: list[str] = []
        """What an operator would remember of the month."""

    def admit(self, unit: Unit) -> None:
        self.units[unit.profile.id] = unit
        self.desks[unit.profile.id] = Desk(self.fleet, unit.profile.id, PRODUCT)

    def publish(self, topic: str, payload: bytes) -> None:
        """Retain a message of everybody, and hand it to whoever is there."""
        self.shared[topic] = payload
        self.heard.clear()
        for unit in self.units.values():
            if unit.online and topic in self.topics_of(unit.profile.languages[0]):
                unit.deliver(topic, payload)

    def topics_of(self, language: str) -> list[str]:
        found = self.heard.get(language)
        if found is None:
            filters = self.topics.device_filters(PRODUCT, language, "nobody")
            exact, below = set(filters), {each[:-2] for each in filters if each.endswith("/+")}
            found = [t for t in self.shared if t in exact or t.rpartition("/")[0] in below]
            self.heard[language] = found
        return found

    # What people decide.

    def warn(self, now: float, name: str, revision: int, **fields: Any) -> None:
        """Publish a revision of a notice, and list it."""
        words = {tag: text(tag, title=f"{name} revision {revision} ({tag})") for tag in self.languages}
        header = notice(
            self.fleet,
            id=name,
            revision=revision,
            version=int(now),
            issued=int(now),
            texts={tag: found.digest() for tag, found in words.items()},
            **fields,
        )
        self.notices[name] = header
        self.publish(self.topics.notice(PRODUCT, name), self.fleet.seal(header))
        for tag, found in words.items():
            self.publish(self.topics.text(PRODUCT, tag, name), dump(found))
        self.list_all(now)
        self.lines.append(f"{name} revision {revision}")

    def make(self, sequence: int, version: Any, size: int) -> bytes:
        """Sign a patch and put it where devices find it."""
        data = image(version, size=size)
        envelope = suit.build(sequence, VENDOR, CLASS, data, version=version, uri="https://example.com/fw")
        for role in ("release", "security"):
            envelope = suit.authenticate(envelope, self.fleet.signer(role))
        self.payloads[hashlib.sha256(data).digest()] = data
        digest = suit.manifest_digest(envelope)
        self.patches.append((sequence, digest))
        self.publish(self.topics.patch(PRODUCT, sequence), envelope)
        return digest

    def list_all(self, now: float) -> None:
        """Sign a catalogue of what is current."""
        self.catalogue = publication.build_catalogue(
            self.fleet.id,
            PRODUCT,
            [(n.id, n.revision, hashlib.sha256(dump(n)).digest()) for n in self.notices.values()],
            self.patches,
            last=self.catalogue.version if self.catalogue else None,
            now=now,
        )
        self.publish(self.topics.catalogue(PRODUCT), self.fleet.seal(self.catalogue))
        self.tick(now)

    def tick(self, now: float) -> None:
        """Sign a timestamp where one is due, and let the rollouts go on."""
        assert self.catalogue is not None
        digest = hashlib.sha256(dump(self.catalogue)).digest()
        if publication.timestamp_is_due(self.timestamp, digest, root_version=1, now=now):
            self.timestamp = publication.build_timestamp(
                self.catalogue,
                digest,
                root_version=1,
                audit_head=bytes(32),
                last=self.timestamp.version if self.timestamp else None,
                now=now,
            )
            self.publish(self.topics.timestamp(PRODUCT), self.fleet.seal(self.timestamp))
        for each in self.rollouts:
            self._advance(each, now)

    def start(self, now: float, sequence: int, plan: rollout.Plan) -> None:
        """Begin a rollout to everybody; one that still runs is stopped."""
        for each in self.rollouts:
            if each.state is rollout.RolloutState.RUNNING:
                each.state = rollout.RolloutState.STOPPED
        patch = next(found for found in self.patches if found[0] == sequence)
        shares = [group.percent or 0 for group in plan.groups]
        groups = rollout.assign(f"rollout-{sequence}", self.units, shares)
        states = [rollout.GroupState.SCHEDULED] * len(plan.groups)
        self.rollouts.append(Rollout(patch, plan, groups, states))
        self.tick(now)

    def again(self, now: float, sequence: int, deadline: int) -> int:
        """Offer a patch once more where it failed or was never begun; return to how many."""
        patch = next(found for found in self.patches if found[0] == sequence)
        count = 0
        for name, desk in self.desks.items():
            row = desk.standing.patches.get(patch[1]) if desk.standing else None
            if row is None or row.state in PATCH_FAILED:
                self._offer(name, patch, now, deadline)
                count += 1
        return count

    # What the gateway does.

    def _advance(self, each: Rollout, now: float) -> None:
        while each.state is rollout.RolloutState.RUNNING:
            groups = [(state, now) for state in each.states]
            steps = rollout.advance(each.plan, groups, self._counts(each), now)
            if not steps:
                return
            for step in steps:
                if isinstance(step.event, rollout.RolloutEvent):
                    each.state = rollout.ROLLOUT_TABLE[each.state, step.event]
                    if step.event is rollout.RolloutEvent.TRIP:
                        self._stop(each, now)
                else:
                    index = step.group
                    assert index is not None
                    each.states[index] = rollout.GROUP_TABLE[each.states[index], step.event]
                    if step.event is rollout.GroupEvent.OPEN:
                        self._open(each, index, now)

    def _counts(self, each: Rollout) -> list[rollout.Counts]:
        seen: list[Counter[rollout.Outcome]] = [Counter() for _ in each.states]
        for name, group in each.group.items():
            standing = self.desks[name].standing
            row = standing.patches.get(each.patch[1]) if standing else None
            known = Row() if row is None else Row(state=row.state, reason=row.reason, changed=row.changed)
            offered = 0.0 if name in each.offered else None  # a failure is final here: nobody tries again
            seen[group][outcome(replace(known, offered=offered, failed=offered))] += 1
        return [rollout.tally(cells) for cells in seen]

    def _open(self, each: Rollout, index: int, now: float) -> None:
        for name, group in each.group.items():
            if group == index:
                each.offered.add(name)
                self._offer(name, each.patch, now, each.plan.deadline)

    def _stop(self, each: Rollout, now: float) -> None:
        """The gate said no: an operator takes the offers back."""
        each.state = rollout.RolloutState.STOPPED
        self.lines.append(f"the gate stopped patch {each.patch[0]} at {len(each.offered)} devices")
        self.patches.remove(each.patch)
        self.list_all(now)
        for name in sorted(each.offered):
            standing = self.desks[name].standing
            row = standing.patches.get(each.patch[1]) if standing else None
            if row is None or row.state not in PATCH_ENDED:
                self._offer(name, each.patch, now, each.plan.deadline, cancel=True)

    def _offer(
        self, name: str, patch: tuple[int, bytes], now: float, deadline: int, *, cancel: bool = False
    ) -> None:
        assert self.catalogue is not None
        body = speech.build_offer(
            self.fleet.id,
            name,
            PRODUCT,
            patch,
            catalogue_version=self.catalogue.version,
            deadline=deadline,
            window=None,
            ask=False,
            cancel=cancel,
            last=self.last[f"offer {name}"] or None,
            now=now,
        )
        self.last[f"offer {name}"] = body.version
        unit = self.units[name]
        topic = self.topics.device(name, "offer")
        unit.own[topic] = self.fleet.seal(body)
        if unit.online:
            unit.deliver(topic, unit.own[topic])

    def take(self, unit: Unit, topic: str, payload: bytes) -> None:
        """Take what a device sends."""
        name, now = unit.profile.id, self.now
        if topic.endswith("/report"):
            desk = self.desks[name]
            report = desk.take(payload, now)
            self.reports += 1
            standing = desk.standing
            assert standing is not None
            answer = speech.build_answer(
                self.fleet.id,
                name,
                report.nonce,
                receipt=standing.order,
                journal_count=standing.count,
                next_nonce=standing.next_nonce,
                last=self.last[f"answer {name}"] or None,
                now=now,
            )
            self.last[f"answer {name}"] = answer.version
            unit.deliver(self.topics.device(name, "answer"), self.fleet.seal(answer))
            return
        want = open_want(payload)
        for below in want.topics:
            found = f"{self.topics.prefix}/{below}"
            data = self.shared.get(found, unit.own.get(found))
            if data is not None and unit.hears(found):
                unit.deliver(found, data)
        if want.blocks is not None:
            wanted, offset, count = want.blocks
            data = self.payloads.get(wanted, b"")
            for place in range(offset, min(len(data), offset + count * 4_096), 4_096):
                block = Block(digest=wanted, offset=place, data=data[place : place + 4_096])
                unit.deliver(self.topics.device(name, "block"), dump(block))
