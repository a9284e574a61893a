"""What was done in the wrong order: customers told before the notice was approved, reports without Legal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from advisories.clocks.regimes import Regimes
from advisories.facts.matter import Audience
from advisories.incident.model import Incident
from advisories.incident.orders import utc


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach of the rules that the house gave itself."""

    code: str
    """TOLD_BEFORE_APPROVAL or NOT_SIGNED_BY_LEGAL."""
    at: datetime
    message: str


def violations(
    incident: Incident,
    regimes: Regimes,
    *,
    approved: datetime | None,
    calls: Iterable[tuple[datetime, str]] = (),
) -> tuple[Violation, ...]:
    """Return what was done before it was allowed, oldest first.

    Args:
        incident: with what was recorded.
        regimes: all that are known; they say which steps speak to customers.
        approved: when the first notice of a linked advisory had all its approvals; None: none has.
        calls: when a customer was spoken to about a linked advisory, and the customer's number.
    """
    found = [
        _told(told.when, f"{told.name} ({told.audience.value})", approved)
        for told in incident.told
        if told.audience is Audience.CUSTOMERS and _before(told.when, approved)
    ]
    found += filter(None, (called_too_early(when, customer, approved) for when, customer in calls))
    for (name, step), done in incident.submissions.items():
        regime = regimes.regimes.get(name)
        known = regime.step(step) if regime else None
        if known is not None and known.customers:
            if _before(done.when, approved):
                found.append(_told(done.when, f"customers, by {name} step {step},", approved))
        elif not any(
            (draft.regime, draft.step) == (name, step) and draft.when <= done.when
            for draft in incident.drafts
        ):
            message = (
                f"{name} step {step} was submitted at {utc(done.when)} without a draft that Legal signed."
            )
            found.append(Violation("NOT_SIGNED_BY_LEGAL", done.when, message))
    return tuple(sorted(found, key=lambda violation: violation.at))


def called_too_early(when: datetime, customer: str, approved: datetime | None) -> Violation | None:
    """Return what is wrong with having called a customer then, or None.

    Args:
        when: of the call.
        customer: number of the customer.
        approved: when the first notice had all its approvals; None: none has.
    """
    return _told(when, f"customer {customer}, by a call,", approved) if _before(when, approved) else None


def _before(when: datetime, approved: datetime | None) -> bool:
    return approved is None or when < approved


def _told(when: datetime, who: str, approved: datetime | None) -> Violation:
    since = "no notice is approved yet" if approved is None else f"the notice was approved at {utc(approved)}"
    return Violation("TOLD_BEFORE_APPROVAL", when, f"{who} had word at {utc(when)}, but {since}.")
