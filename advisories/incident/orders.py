"""Which event may follow which: what is out of order is refused with one sentence before it is recorded."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final

from advisories.clocks.regimes import Regime, Regimes, Step
from advisories.events import Event
from advisories.incident.kinds import (
    Decided,
    DraftSigned,
    Happening,
    Held,
    Lifted,
    Linked,
    Logged,
    Opened,
    Reopened,
    Stated,
    Submitted,
    Triggered,
)
from advisories.incident.model import Hold, Incident
from advisories.yamlfile import near_miss
from keys.errors import InputError

HOLD_MAX: Final = timedelta(days=3_653)
"""Ten years: whoever means longer has mistyped, and ends of clocks have to stay on the calendar."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a report to an authority."""

    label: str
    asks: str
    """What is asked for."""


@cache
def items() -> Mapping[str, Item]:
    """Return every item that a report may have, by its name."""
    text = resources.files("advisories.incident").joinpath("items.toml").read_text("utf-8")
    return {name: Item(**row) for name, row in tomllib.loads(text).items()}


def utc(time: datetime) -> str:
    """Write a moment for people, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _refused(code: str, message: str, mend: str) -> InputError:
    return InputError(code, message, mend=mend)


def regime_of(regimes: Regimes, name: str) -> Regime:
    """Return a regime by its id.

    Raises:
        InputError: NO_REGIME.
    """
    if name not in regimes.regimes:
        mend = near_miss(name, regimes.regimes)
        raise _refused("NO_REGIME", f"There is no regime '{name}'.", mend)
    return regimes.regimes[name]


def step_of(regimes: Regimes, name: str, step: str) -> tuple[Regime, Step]:
    """Return a regime and one of its steps.

    Raises:
        InputError: NO_REGIME, NO_STEP.
    """
    regime = regime_of(regimes, name)
    found = regime.step(step)
    if found is None:
        known = [known.id for known in regime.steps]
        raise _refused("NO_STEP", f"'{name}' has no step '{step}'.", near_miss(step, known))
    return regime, found


def require_opening(said: Opened, regimes: Regimes, *, now: datetime) -> None:
    """Refuse to open an incident with a time to come or a regime that does not exist.

    Raises:
        InputError: IN_FUTURE, NO_REGIME.
    """
    _past(said.when, now)
    for name in said.regimes:
        regime_of(regimes, name)


def _past(when: datetime, now: datetime) -> None:
    if when > now:
        mend = "Give the time at which it happened; look at its zone."
        raise _refused("IN_FUTURE", f"{utc(when)} is still to come (it is {utc(now)}).", mend)


def require(incident: Incident, said: Event, regimes: Regimes, *, now: datetime) -> None:
    """Refuse an event that cannot follow what is recorded.

    Args:
        incident: as it stands.
        said: what somebody wants to record.
        regimes: all that are known.
        now: the present moment.

    Raises:
        InputError: with a code for each sort of fault; nothing was changed.
    """
    if incident.closed is not None and not isinstance(said, Reopened):
        mend = f"Open it again: 'tocsin incident reopen {incident.id} --reason ...'."
        raise _refused("INCIDENT_CLOSED", f"{incident.id} was closed at {utc(incident.closed)}.", mend)
    if isinstance(said, Happening):
        _past(said.when, now)
        corrects = isinstance(said, Triggered) and said.trigger == "aware"
        if said.when < incident.aware and not corrects and not isinstance(said, _MAY_BE_EARLIER):
            raise _refused(
                "BEFORE_AWARENESS",
                f"{utc(said.when)} lies before {incident.id} was known ({utc(incident.aware)}).",
                "Give a time from then on; what was true before counts from then.",
            )
    check = _CHECKS.get(type(said))
    if check:
        check(incident, said, regimes)


def _trigger(incident: Incident, said: Triggered, regimes: Regimes) -> None:
    if said.trigger not in regimes.triggers:
        mend = near_miss(said.trigger, regimes.triggers)
        raise _refused("NO_TRIGGER", f"There is no trigger '{said.trigger}'.", mend)
    before = incident.aware if said.trigger == "aware" else incident.triggers.get(said.trigger)
    if before is not None and not said.correction:
        raise _refused(
            "TRIGGER_TWICE",
            f"'{said.trigger}' was recorded before, at {utc(before)}.",
            "If that was wrong, say why with --correct.",
        )
    if before is None and said.correction:
        raise _refused(
            "NOTHING_TO_CORRECT", f"'{said.trigger}' was not recorded before.", "Leave --correct away."
        )
    later = [name for name, at in incident.triggers.items() if at < said.when]
    if said.trigger == "aware" and later:
        raise _refused(
            "BEFORE_AWARENESS",
            f"'{later[0]}' was recorded at an earlier time than that.",
            "Correct that one first.",
        )


def _submission(incident: Incident, said: Submitted, regimes: Regimes) -> None:
    step_of(regimes, said.regime, said.step)
    before = incident.submissions.get((said.regime, said.step))
    if before is not None and not said.correction:
        raise _refused(
            "SUBMITTED_TWICE",
            f"'{said.regime}' step '{said.step}' was submitted before, at {utc(before.when)}.",
            "If that was wrong, say why with --correct; what is sent later goes into 'incident log'.",
        )
    if before is None and said.correction:
        raise _refused(
            "NOTHING_TO_CORRECT",
            f"'{said.regime}' step '{said.step}' was not submitted before.",
            "Leave --correct away.",
        )


def _hold(incident: Incident, said: Held, regimes: Regimes) -> None:
    for name in said.regimes:
        if not regime_of(regimes, name).hold:
            raise _refused(
                "NO_HOLD_THERE",
                f"'{name}' knows no delay for law enforcement.",
                "Leave it away: its clocks run on.",
            )
    if said.until is not None and said.until - said.when > HOLD_MAX:
        raise _refused(
            "HOLD_TOO_LONG",
            f"Nobody asks to wait until {utc(said.until)}.",
            "Give the day on which it will be asked again, or leave --until away.",
        )
    if _standing(incident, said.office):
        raise _refused(
            "HELD_TWICE",
            f"A hold by '{said.office}' stands already.",
            "Lift that one first, with --lift.",
        )


def _standing(incident: Incident, office: str) -> list[Hold]:
    return [hold for hold in incident.holds if hold.office == office and hold.lifted is None]


def _lift(incident: Incident, said: Lifted, _regimes: Regimes) -> None:
    standing = _standing(incident, said.office)
    if not standing:
        known = [hold.office for hold in incident.holds if hold.lifted is None]
        mend = near_miss(said.office, known) or "No hold stands."
        raise _refused("NOT_HELD", f"No hold by '{said.office}' stands.", mend)
    if said.when < standing[-1].start:
        raise _refused(
            "LIFTED_EARLY",
            f"The hold began only at {utc(standing[-1].start)}.",
            "Give the time at which it was lifted.",
        )


def _link(incident: Incident, said: Linked, _regimes: Regimes) -> None:
    if said.advisory in incident.advisories:
        raise _refused(
            "LINKED_TWICE", f"{said.advisory} is linked to {incident.id} already.", "Nothing is left to do."
        )


def _item(_incident: Incident, said: Stated, _regimes: Regimes) -> None:
    if said.item not in items():
        mend = near_miss(said.item, items())
        raise _refused("NO_ITEM", f"No report has an item '{said.item}'.", mend)


def _reopening(incident: Incident, said: Reopened, _regimes: Regimes) -> None:
    if incident.closed is None:
        raise _refused("NOT_CLOSED", f"{incident.id} is open.", "Nothing is left to do.")
    if said.when < incident.closed:
        message = f"{incident.id} was closed only at {utc(incident.closed)}."
        raise _refused("BEFORE_CLOSING", message, "Give a time from then on.")


_MAY_BE_EARLIER: Final = (Logged,)
"""How we became aware may be told: a call that came in an hour before somebody understood it."""
_CHECKS: Final[Mapping[type[Event], Callable[[Incident, Any, Regimes], None]]] = {
    Triggered: _trigger,
    Submitted: _submission,
    Decided: lambda _, said, regimes: _known(regimes, [said.regime]),
    Held: _hold,
    Lifted: _lift,
    Linked: _link,
    Stated: _item,
    DraftSigned: lambda _, said, regimes: _known(regimes, [said.regime]),
    Reopened: _reopening,
}


def _known(regimes: Regimes, names: Iterable[str]) -> None:
    for name in names:
        regime_of(regimes, name)
