"""Whom one transaction speaks to: whose turn it is, on which terms, and who is left out."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

from advisories.offer import Offer
from gateway.core.rollout import Outcome
from gateway.core.rollout.schedule import Turn, due, turn
from gateway.store import turns
from gateway.store.engine import Session
from gateway.store.rolling import set_each, set_rows
from gateway.store.rollouts import Rollout, get_rollout, sequence_of


@dataclass(slots=True)
class Offers:
    """Whom one transaction speaks to."""

    new: list[tuple[str, int]] = field(default_factory=list)
    """(device, group): offered for the first time."""
    again: list[turns.Failed] = field(default_factory=list)
    """Offered anew after a failure."""
    renewed: list[tuple[str, int]] = field(default_factory=list)
    """(device, group): offered other terms."""
    needless: list[str] = field(default_factory=list)
    """Their turn came, and they run the patch already."""
    cancelled: list[str] = field(default_factory=list)

    @property
    def devices(self) -> list[str]:
        """Everybody whose row changes."""
        return [*(each for each, _ in self.made), *self.needless, *self.cancelled]

    @property
    def made(self) -> list[tuple[str, int]]:
        """(device, group) of everybody who gets an offer."""
        return [*self.new, *((each.device, each.group) for each in self.again), *self.renewed]

    def without(self, others: Container[str]) -> Offers:
        """Return this without offers to some devices."""
        return replace(
            self,
            new=[each for each in self.new if each[0] not in others],
            again=[each for each in self.again if each.device not in others],
            renewed=[each for each in self.renewed if each[0] not in others],
        )


def terms_of(rollout: Rollout, found: Offers, now: float) -> dict[str, Turn]:
    """Return what the offers say about time."""
    zone, terms = turns.zone_of(rollout.plan), {}
    for device, _ in found.made:
        made = turn(rollout.plan, zone, rollout.id, device, now)
        assert made is not None  # a window is left: that was asked before
        terms[device] = made
    return terms


def write(session: Session, rollout: Rollout, found: Offers, terms: Mapping[str, Turn], now: float) -> None:
    """Write who is offered what; within :func:`gateway.store.rolling.moving`."""
    offered = {"offered": now, "retry": None, "silent": None}
    more: dict[str, dict[str, float | None]] = {device: {**offered, "tries": 0} for device, _ in found.new}
    more |= {each.device: {**offered, "tries": each.tries + each.counts} for each in found.again}
    rows = [
        (
            device,
            {"sent": now, "due": due(rollout.plan, group, now, terms[device].lapses), **more.get(device, {})},
        )
        for device, group in found.made
    ]
    set_each(session, rollout.id, rows)
    set_rows(session, rollout.id, found.needless, offered=now)
    set_rows(session, rollout.id, found.cancelled, cancelled=now, due=None)


def left_out(
    session: Session, rollout: Rollout, found: Offers, before: Mapping[str, Offer], now: float
) -> dict[str, Outcome]:
    """Return who gets no offer although the turn has come, and as what they are left out."""
    since = rollout if rollout.parent is None else get_rollout(session, rollout.parent)
    start = int(min(since.started, now))
    sequence = sequence_of(session, rollout.digest)
    first = {device for device, _ in found.new}
    aside = {}
    for device, _ in found.made:
        last = before.get(device)
        if last is None or last.cancel or last.digest == rollout.digest:
            continue
        # Nothing is put over another's offer but a first offer, over that of an older patch or from before.
        if device not in first or (last.sequence > sequence and last.issued >= start):
            aside[device] = Outcome.OVERTAKEN
    return aside | turns.unfit(session, rollout, [device for device, _ in found.made], now)


def leave_out(session: Session, id_: str, found: Offers, aside: Mapping[str, Outcome], now: float) -> None:
    """Write who is left out; who failed has failed for good. Within :func:`gateway.store.rolling.moving`."""
    first = {device for device, _ in found.new}
    failed = {each.device for each in found.again if each.counts}
    rows: list[tuple[str, dict[str, float | None]]] = []
    for device, outcome in aside.items():
        if device in failed:
            rows.append((device, {"failed": now, "retry": None}))
        else:
            none = {"due": None, "retry": None, "left_out": int(outcome)}
            rows.append((device, none | ({"offered": now} if device in first else {})))
    set_each(session, id_, rows)
