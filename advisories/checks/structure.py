"""Rules about what a notice must have: actions, times, fixes, contacts, and people who are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Final

from advisories.checks.frame import CLOSED, Context, Level, Point, rule
from advisories.facts import TEXT_FIELDS, Facts
from advisories.facts.matter import Delivery, Kind
from advisories.facts.vulnerabilities import Exploitation
from advisories.notice import Action, Phase, Severity
from advisories.phases import phase_faults
from advisories.render import layout

_CONTACT: Final = re.compile(r"\S+@\S+\.\S+|\+?\d[\d ()/-]{4,}\d|https?://\S+")
_DAY_SECONDS: Final = 86_400
NEXT_UPDATE_DAYS_MAX: Final = 30
NEXT_UPDATE_DAYS_MAX_GRAVE: Final = 7
"""The same while a matter is grave and new."""


def _seen(text: str) -> str:
    """Return what an owner sees of a text: zero-width letters and soft hyphens alone are nothing."""
    return layout.clean(text).replace(layout.SOFT_HYPHEN, "").strip("\u200c\u200d ")


@rule("empty-field", Level.BLOCK, 23)
def empty_field(facts: Facts, _: Context) -> Iterator[Point]:
    """Something an owner has to be told is left empty."""
    for language, written in facts.texts.items():
        for field in TEXT_FIELDS:
            if field not in {"action", "contact"} and not _seen(getattr(written, field)):
                yield Point(("texts", language, field), f"'{field}' is empty.", "Write it.")


@rule("action-first", Level.BLOCK, 24)
def action_first(facts: Facts, _: Context) -> Iterator[Point]:
    """What the owner must do comes first on every surface, so it must be there."""
    for language, written in facts.texts.items():
        if not _seen(written.action):
            yield Point(
                ("texts", language, "action"),
                "'action' is empty, and it is what every screen begins with.",
                "Say what the owner must do, or that there is nothing to do.",
            )


@rule("contact", Level.BLOCK, 29)
def contact(facts: Facts, _: Context) -> Iterator[Point]:
    """No way to ask a person."""
    for language, written in facts.texts.items():
        if not _CONTACT.search(written.contact):
            yield Point(
                ("texts", language, "contact"),
                "'contact' names no phone number, mail address or page.",
                "Add one, with the hours in which somebody answers.",
            )


@rule("next-update", Level.BLOCK, 19)
def next_update(facts: Facts, context: Context) -> Iterator[Point]:
    """An open matter without a time at which owners hear again, or with one that is over or far away."""
    path = ("next_update",)
    if facts.next_update is None:
        if facts.phase not in CLOSED:
            yield Point(
                ("phase",),
                "The matter is open, and 'next_update' does not say when owners hear again.",
                "Add 'next_update:' with a date, a time and a zone.",
            )
        return
    if context.now is None:
        return
    seconds = facts.next_update_seconds or 0
    grave = facts.severity >= Severity.HIGH and facts.phase is Phase.INITIAL
    days = NEXT_UPDATE_DAYS_MAX_GRAVE if grave else NEXT_UPDATE_DAYS_MAX
    if seconds <= context.now:
        yield Point(
            path,
            "The time of the next update is over.",
            "Name a time to come.",
            Level.ADVICE if facts.exercise else None,
        )
    elif seconds > context.now + days * _DAY_SECONDS and facts.phase not in CLOSED:
        yield Point(
            path,
            f"Owners hear again in more than {days} days.",
            "Name an earlier time, even if there will be little to say.",
            Level.ADVICE,
        )
    if seconds > context.now + facts.expires_days * _DAY_SECONDS:
        yield Point(
            ("expires_days",),
            "The notice expires before the next update: devices stop showing it.",
            "Let it live longer.",
        )


@rule("phase", Level.BLOCK, 17)
def phase(facts: Facts, context: Context) -> Iterator[Point]:
    """A revision that cannot follow the one before, or does not say what is new."""
    if context.setting is not None:
        for fault in phase_faults(facts, context.setting.past):
            yield Point(fault.path, fault.message, fault.mend)


@rule("severity-action", Level.BLOCK, 23)
def severity_action(facts: Facts, _: Context) -> Iterator[Point]:
    """Severity, phase and action that contradict each other."""
    severity, action = facts.severity, facts.action
    told = action.name.lower().replace("_", "-")
    closed = facts.phase in CLOSED
    if action is Action.ACT_NOW and closed:
        yield Point(
            ("action",),
            f"The phase is {facts.phase.name.lower()}, and 'action' says {told}.",
            "Write resolved, or act-soon where some owners still have to do something.",
        )
    elif action is Action.RESOLVED and not closed:
        yield Point(
            ("action",),
            f"'action' says resolved, and the phase is {facts.phase.name.lower()}.",
            "Write the phase resolved, or another action.",
        )
    elif severity is Severity.CRITICAL and action is Action.FOR_INFORMATION and not closed:
        yield Point(
            ("action",),
            "The severity is critical, and the lamp would only say: for information.",
            "Write act-now, or a lower severity.",
        )
    elif severity is Severity.NONE and action is Action.ACT_NOW:
        yield Point(
            ("severity",),
            "Owners must act now, and the severity is none.",
            "Write how bad it is for an owner who does not act.",
        )
    elif severity is Severity.CRITICAL and action is Action.ACT_SOON and not closed:
        yield Point(
            ("action",), "The severity is critical, and owners may take their time.", "Check.", Level.ADVICE
        )


@rule("affected-version", Level.BLOCK, 7)
def affected_version(facts: Facts, _: Context) -> Iterator[Point]:
    """A first notice that concerns no device."""
    if facts.phase is Phase.INITIAL and not any(product.affected for product in facts.products.values()):
        yield Point(
            ("products",),
            "No product has an affected version, so no device would show this first notice.",
            "Add the affected versions.",
        )


@rule("known-before-first", Level.BLOCK, 7)
def known_before_first(facts: Facts, _: Context) -> Iterator[Point]:
    """A first notice that leaves open whether anybody asked for the data, or for the remedy."""
    if facts.phase is not Phase.INITIAL:
        return
    if facts.kind is Kind.INCIDENT and facts.data is None:
        yield Point(
            ("kind",),
            "Nobody wrote down whether personal data is concerned.",
            "Add 'data:'; 'status: unknown' is honest as long as nobody knows.",
        )
    mended = facts.fix is not None or any(product.fixed for product in facts.products.values())
    if facts.kind is Kind.VULNERABILITY and not mended:
        yield Point(
            ("products",),
            "Nobody wrote down how the remedy stands.",
            "Add 'fix:'; 'planned: false' says that there will be none, without 'available' the day is open.",
        )


@rule("fix", Level.ADVICE, 14)
def fix(facts: Facts, _: Context) -> Iterator[Point]:
    """A remedy of which nobody says when it is there or how it gets on."""
    mended = any(product.fixed for product in facts.products.values())
    if facts.kind is Kind.END_OF_SUPPORT:
        return
    if facts.fix is None:
        if mended:
            yield Point(
                ("products",),
                "A fixed version is named, and not since when it can be had and how it gets on.",
                "Add 'fix:' with 'available' and 'delivery'.",
            )
        return
    if facts.fix.planned and facts.fix.available is None:
        yield Point(
            ("fix",),
            "A fix is promised without a time.",
            "Add 'available:', or say 'planned: false'.",
            Level.BLOCK if facts.phase is Phase.RESOLVED else None,
        )
    if facts.fix.delivery is Delivery.DOWNLOAD and facts.fix.planned and not facts.fix.page:
        yield Point(
            ("fix",),
            "The fix has to be downloaded, and 'page' does not say where.",
            "Add 'page:'.",
            Level.BLOCK,
        )


@rule("workaround", Level.ADVICE, 14)
def workaround(facts: Facts, context: Context) -> Iterator[Point]:
    """Nothing that helps until there is a fix."""
    if facts.kind is not Kind.VULNERABILITY or facts.phase in CLOSED or facts.severity < Severity.LOW:
        return
    today = context.today
    available = facts.fix.available.astimezone(UTC).date() if facts.fix and facts.fix.available else None
    later = available is not None and today is not None and available > today + timedelta(days=1)
    mended = any(product.fixed for product in facts.products.values()) or available is not None
    if mended and not later:
        return
    for language, written in facts.texts.items():
        if not written.workaround:
            yield Point(
                ("texts", language),
                "There is no fix yet, and 'workaround' does not say what helps until then.",
                "Add 'workaround:', even if it is to switch the device off.",
            )


@rule("cause", Level.ADVICE, 15)
def cause(facts: Facts, _: Context) -> Iterator[Point]:
    """Whether the cause is known, nobody says."""
    known = facts.cause
    if facts.kind is Kind.END_OF_SUPPORT or facts.phase is Phase.WITHDRAWN:
        return
    if known is None:
        if facts.phase is Phase.RESOLVED or facts.kind is Kind.INCIDENT:
            yield Point(("phase",), "Nothing is said of the cause.", "Add 'cause:' with its status.")
    elif known.status == "found" and not known.statement:
        yield Point(("cause",), "The cause is found and not told.", "Add 'statement:'.")
    elif known.status != "found" and facts.phase is Phase.RESOLVED:
        yield Point(
            ("cause",),
            f"The matter is resolved, and the search for its cause is {known.status}.",
            "Say what is known, or keep the matter open.",
        )


@rule("record", Level.ADVICE, 13)
def record(facts: Facts, _: Context) -> Iterator[Point]:
    """A matter on which clocks may run, without a record of it."""
    exploited = any(one.exploited is Exploitation.ACTIVE for one in facts.vulnerabilities)
    if facts.incident is None and (facts.kind is Kind.INCIDENT or exploited):
        yield Point(
            ("kind",) if facts.kind is Kind.INCIDENT else ("vulnerabilities",),
            "Legal clocks may run, and no incident's record is named.",
            "Open one with 'tocsin incident open' and write its id into 'incident:'.",
        )
    if facts.kind is Kind.INCIDENT and not facts.timeline:
        yield Point(("kind",), "The incident has no timeline.", "Add 'timeline:' as far as it is known.")


@rule("embargo", Level.BLOCK, 19)
def embargo(facts: Facts, context: Context) -> Iterator[Point]:
    """A silence that outlasts a promise, or a mark that forbids the channels of a notice."""
    until = facts.embargo_until
    if until and facts.next_update and until >= facts.next_update:
        yield Point(
            ("embargo_until",),
            "The embargo ends after the next update: owners would be promised a word before they got one.",
            "Let the embargo end earlier, or promise a later update.",
        )
    over = until is not None and context.now is not None and until.timestamp() <= context.now
    if facts.tlp.value in {"amber", "amber-strict", "red"} and (until is None or over):
        yield Point(
            ("tlp",),
            f"TLP:{facts.tlp.value.upper().replace('-', '+')} does not allow to tell the public, and no "
            "embargo holds it back.",
            "Write clear or green when it may go out, or add 'embargo_until:'.",
            Level.ADVICE,
        )
