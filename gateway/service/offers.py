"""What the gateway itself signs and retains: timestamps for products, offers for devices.

Each is stored and retained in the transaction that decided on it; the runtime publishes it afterwards. Two
may tend the same store: whoever moves a rollout holds its row, and looks again before writing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from advisories.offer import Offer
from advisories.topics import Topics
from gateway.core.rollout import Outcome, RolloutEvent, RolloutState, Step
from gateway.core.rollout.schedule import Turn
from gateway.core.speech import build_offer
from gateway.service.issuing import issue, newest
from gateway.service.terms import Offers, leave_out, left_out, terms_of, write
from gateway.service.timestamps import Timestamps
from gateway.store import audit, turns
from gateway.store.engine import Session, Store
from gateway.store.outcomes import cells
from gateway.store.returning import carry_out, due_return, waves_of
from gateway.store.rolling import (
    SCHEDULER,
    apply_steps,
    due_steps,
    move_on,
    moving,
    returning,
    set_each,
    set_rows,
)
from gateway.store.rollouts import (
    Rollout,
    current_catalogue,
    get_rollout,
    sequence_of,
)
from keys.document import peek
from keys.errors import UnavailableError
from keys.signer import Signer

OFFERS_MAX: Final = 200  # signed in one transaction
log = logging.getLogger("tocsin.gateway")
_JUDGED: Final = frozenset({RolloutState.RUNNING, RolloutState.PAUSED})


class Speaker:
    """Signs for the gateway's store with the gateway's key."""

    def __init__(
        self, store: Store, topics: Topics, fleet: bytes, signer: Signer, clock: Callable[[], float]
    ) -> None:
        self._store, self._topics, self._fleet, self._signer = store, topics, fleet, signer
        self._timestamps = Timestamps(store, topics, signer)
        self._clock = clock
        self._taken_back: dict[str, str] = {}
        """Rollout that is being stopped -> the last device whose offer was looked at."""
        self._stood: dict[str, tuple[object, float]] = {}
        """Rollout of which nothing was to be brought back -> how it stood then, and when (UTC seconds)."""
        self.failing: set[str] = set()
        """Rollouts on which the gateway itself fails; the others go on."""

    def tend(self) -> bool:
        """Do what is due: timestamps, gates of rollouts, offers. Return True when more is left to do.

        Raises:
            UnavailableError: the store is locked or full; nothing is lost.
        """
        now = self._clock()
        self._timestamps.tend(now)
        with self._store.read() as session:
            ids = turns.tended(session)
        more = False
        self.failing &= set(ids)
        self._stood = {id_: stood for id_, stood in self._stood.items() if id_ in ids}
        for id_ in ids:
            try:
                more = self._tend(id_, now) or more
                self.failing.discard(id_)
            except UnavailableError:
                raise
            except Exception:
                if id_ not in self.failing:
                    log.exception("The gateway fails on rollout '%s', which stands still:", id_)
                self.failing.add(id_)
        return more

    def _tend(self, id_: str, now: float) -> bool:
        """Judge what devices said, move the rollout, then speak: each a transaction that stands by itself."""
        done = self._set_back(id_, now)
        done = self._judge(id_, now) or done
        done = self._move(id_, now) or done
        done = self._bring_back(id_, now) or done
        return self._speak(id_, now) or done

    def _set_back(self, id_: str, now: float) -> bool:
        """Date offers of the future now: what is reported from here on is newer than they are.

        Until then no failure would count, and no rate would let anything through.
        """
        with self._store.read() as session:
            if not turns.ahead(session, get_rollout(session, id_), now, 1):
                return False
        with self._store.write() as session:
            devices = turns.ahead(session, get_rollout(session, id_, hold=True), now, OFFERS_MAX)
            with moving(session, devices):
                set_rows(session, id_, devices, sent=now, offered=turns.at_most("offered", now))
                set_rows(session, id_, devices, due=turns.at_most("due", now))
        return True

    def _judge(self, id_: str, now: float) -> bool:
        """Say of failures whether they are final, and of devices whether they are silent."""
        with self._store.read() as session:
            rollout = get_rollout(session, id_)
            if rollout.state not in _JUDGED or not _notes(session, rollout, now):
                return False
        with self._store.write() as session:
            rollout = get_rollout(session, id_, hold=True)
            notes = _notes(session, rollout, now)
            if rollout.state not in _JUDGED or not notes:
                return False
            with moving(session, [device for device, _ in notes]):
                set_each(session, id_, notes)
            found = {
                name: [device for device, values in notes if values.get(name) is not None]
                for name in ("failed", "retry", "silent")
            }
            if any(found.values()):
                facts = {"by": SCHEDULER, "id": id_, **{name: each for name, each in found.items() if each}}
                audit.append(session, "rollout.judged", facts, now)
        return True

    def _move(self, id_: str, now: float) -> bool:
        with self._store.read() as session:
            rollout = get_rollout(session, id_)
            if not due_steps(session, rollout, now) or _waits_for_parent(session, rollout, now):
                return False
        with self._store.write() as session:
            move_on(session, get_rollout(session, id_, hold=True), now)
        return True

    def _bring_back(self, id_: str, now: float) -> bool:
        with self._store.read() as session:
            rollout = get_rollout(session, id_)
            if rollout.plan.back is None:
                return False
            stands = (rollout.groups, waves_of(session, rollout), cells(session, id_))
            before, looked = self._stood.get(id_, (None, 0.0))
            if before == stands and 0 <= now - looked < turns.MINUTE:
                return False  # a look goes through all its devices
            if due_return(session, rollout, OFFERS_MAX) is None:
                self._stood[id_] = stands, now
                return False
        with self._store.write() as session:
            rollout = get_rollout(session, id_, hold=True)
            due = due_return(session, rollout, OFFERS_MAX)
            if due is not None:
                carry_out(session, rollout, due, now)
        return True

    def _speak(self, id_: str, now: float) -> bool:
        """Make the offers whose turn it is, or take back those of a rollout that was stopped."""
        with self._store.read() as session:
            rollout = get_rollout(session, id_)
            stopping = rollout.state is RolloutState.STOPPING
            if not stopping and not self._turn_of(session, rollout, now).devices:
                return False
        with self._store.write() as session:
            rollout = get_rollout(session, id_, hold=True)
            found = self._turn_of(session, rollout, now)
            if rollout.state is RolloutState.STOPPING and not found.devices:
                step = Step(RolloutEvent.EMPTIED, why=rollout.why or "no offer is left to be taken back")
                apply_steps(session, rollout, [step], now, by=SCHEDULER)
            else:
                self._write(session, rollout, found, now)
        if found.cancelled:
            self._taken_back[id_] = found.cancelled[-1]
        elif stopping:
            self._taken_back.pop(id_, None)
        return True

    def _turn_of(self, session: Session, rollout: Rollout, now: float) -> Offers:
        if rollout.state is RolloutState.STOPPING:
            after = self._taken_back.get(rollout.id, "")
            return Offers(cancelled=turns.open_offers(session, rollout, after, OFFERS_MAX))
        found = Offers()
        if rollout.state is not RolloutState.RUNNING or not turns.has_window(rollout.plan, now):
            return found
        room = turns.room(session, rollout, now, OFFERS_MAX)
        found.again = turns.failing(session, rollout, now, room, again=True)
        for looked in turns.look(session, rollout, now, room - len(found.again)):
            if looked.renew:
                found.renewed.append((looked.device, looked.group))
        left = room - len(found.again) - len(found.renewed)
        for device, group, outcome in turns.waiting(session, rollout, left):
            if outcome is Outcome.PROVEN:
                found.needless.append(device)
            else:
                found.new.append((device, group))
        return found

    def _write(self, session: Session, rollout: Rollout, found: Offers, now: float) -> None:
        """Write the rows first, then sign and retain: from there on the transaction is alone in the store."""
        with moving(session, found.devices):
            before = {
                name: peek(document, Offer)
                for name, document in newest(session, Offer.TYPE, sorted(found.devices)).items()
            }
            aside = left_out(session, rollout, found, before, now)
            leave_out(session, rollout.id, found, aside, now)
            found = found.without(aside)
            terms = terms_of(rollout, found, now)
            write(session, rollout, found, terms, now)
        self._issue(session, rollout, {**terms, **dict.fromkeys(found.cancelled)}, before, now)
        facts = {
            "by": SCHEDULER,
            "cancelled": len(found.cancelled),
            "id": rollout.id,
            "left_out": Counter(outcome.name for outcome in aside.values()),
            "needless": len(found.needless),
            "offered": len(found.new) + len(found.again),
            "renewed": len(found.renewed),
        }
        audit.append(session, "rollout.offered", {k: v for k, v in facts.items() if v}, now)

    def _issue(
        self,
        session: Session,
        rollout: Rollout,
        terms: Mapping[str, Turn | None],
        before: Mapping[str, Offer],
        now: float,
    ) -> None:
        """Sign offers; without terms those that take one back, unless somebody still wants it.

        A later offer of another patch stands, and so does one of this patch that another rollout made too.
        """
        sequence = sequence_of(session, rollout.digest)
        version = current_catalogue(session, rollout.product).version
        bodies = []
        wanted = turns.wanted_elsewhere(
            session, rollout, [name for name, made in terms.items() if made is None]
        )
        for device, made in terms.items():
            last = before.get(device)
            if made is None and (last is None or last.digest != rollout.digest or device in wanted):
                continue
            body = build_offer(
                self._fleet,
                device,
                rollout.product,
                (sequence, rollout.digest),
                catalogue_version=version,
                deadline=rollout.plan.deadline,
                window=None if made is None else made.window,
                ask=rollout.plan.ask,
                cancel=made is None,
                last=None if last is None else last.version,
                now=now,
            )
            bodies.append((body, device, self._topics.device(device, "offer")))
        issue(session, bodies, self._signer, now)


def _notes(session: Session, rollout: Rollout, now: float) -> list[tuple[str, dict[str, float | None]]]:
    """Return what is to be written of devices that failed, fell silent, or need no further look."""
    zone = turns.zone_of(rollout.plan)
    notes = [
        (failed.device, turns.judged(rollout.plan, zone, failed, now))
        for failed in turns.failing(session, rollout, now, OFFERS_MAX, again=False)
    ]
    looks = turns.look(session, rollout, now, OFFERS_MAX)
    return [*notes, *((each.device, each.values) for each in looks if not each.renew)]


def _waits_for_parent(session: Session, rollout: Rollout, now: float) -> bool:
    """Say whether devices may still be added to a rollout that brings others back."""
    if rollout.parent is None or now >= rollout.plan.deadline:
        return False
    parent = get_rollout(session, rollout.parent)
    groups = returning(parent)
    return bool(groups) and (
        turns.may_become_proven(session, parent, groups) > 0
        or bool(turns.to_bring_back(session, parent, groups, 1))
    )
