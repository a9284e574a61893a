"""Rules about people: how they reach us and who has to be told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from advisories.checks.frame import CLOSED, Context, Level, Point, rule
from advisories.facts import Facts
from advisories.facts.matter import Audience, Contact, ContactKind, Kind
from advisories.notice import Severity

TESTED_DAYS_MAX: Final = 90
FEW_CUSTOMERS: Final = 50
_CALL = re.compile(r"\b(?:calls?|phone)\b", re.IGNORECASE)
"""Fewer customers than these are called, one by one."""
BRIEFED: Final = (Audience.SUPPORT, Audience.SALES, Audience.SOCIAL_MEDIA, Audience.SWITCHBOARD)
_PHONE: Final = re.compile(r"\+?\d[\d ()/-]{5,}\d")
_HOURS: Final = re.compile(
    r"\d{1,2}\s?(?::\d\d|[.]\d\d|h\b|[時时点]|[ap]\.?m|Uhr)|24\s?/\s?7|\b24\b", re.IGNORECASE
)


@rule("contact-untested", Level.ADVICE, 29)
def contact_untested(facts: Facts, context: Context) -> Iterator[Point]:
    """A number or address that nobody tried lately; in earnest that blocks, in an exercise it is advice."""
    level = Level.ADVICE if facts.exercise else Level.BLOCK
    known = facts.contacts or (context.setting.organisation.contacts if context.setting else ())
    mend = "Call or write, then add 'tested:' and 'tested_by:'."
    if not known:
        yield Point(
            ("texts", facts.source_language, "contact"),
            "No contact is listed, so nobody knows whether the one in the text was tried.",
            "Add 'contacts:' with 'hours', 'languages' and the day it was 'tested'.",
            level,
        )
    for number, contact in enumerate(known):
        where = ("contacts", number)
        if contact.tested is None:
            yield Point(where, f"'{contact.value}' was never tried.", mend, level)
        elif context.today and (context.today - contact.tested).days > TESTED_DAYS_MAX:
            long = f"'{contact.value}' was last tried more than {TESTED_DAYS_MAX} days ago."
            yield Point(where, long, mend, level)


@rule("contact-hours", Level.ADVICE, 29)
def contact_hours(facts: Facts, _: Context) -> Iterator[Point]:
    """A phone that rings when nobody is there, or a language in which nobody answers."""
    mend = "Say when somebody answers, and in which time zone."
    for number, contact in enumerate(facts.contacts):
        if contact.kind is ContactKind.PHONE and not contact.hours:
            yield Point(("contacts", number), f"'{contact.value}' has no hours.", mend)
    for language, written in facts.texts.items():
        phone = _PHONE.search(written.contact)
        if phone and not _HOURS.search(written.contact.replace(phone.group(), "")):
            yield Point(
                ("texts", language, "contact"), f"'{phone.group()}' stands there without hours.", mend
            )
    if not facts.contacts:
        return
    for kind in (ContactKind.PHONE, ContactKind.MAIL):
        for language in facts.texts:
            if not any(_answers(contact, kind, language) for contact in facts.contacts):
                yield Point(
                    ("contacts",),
                    f"No {kind.value} is answered in '{language}'.",
                    "Add one, or say in the text which language is spoken there.",
                )


def _answers(contact: Contact, kind: ContactKind, language: str) -> bool:
    return contact.kind is kind and (not contact.languages or language in contact.languages)


@rule("stakeholders", Level.ADVICE, 40)
def stakeholders(facts: Facts, _: Context) -> Iterator[Point]:
    """Nobody beside the owners is told."""
    listed = {one.audience for one in facts.stakeholders}
    if not listed:
        yield Point(
            ("author",),
            "No stakeholder is listed: suppliers, distributors, regulators, executives.",
            "Add 'stakeholders:' with how each is told.",
        )
    elif facts.kind is Kind.INCIDENT and facts.data and Audience.REGULATORS not in listed:
        yield Point(
            ("stakeholders",), "Personal data is concerned, and no regulator is listed.", "Ask Legal."
        )


@rule("briefings", Level.ADVICE, 41)
def briefings(facts: Facts, _: Context) -> Iterator[Point]:
    """A grave matter for which the teams that are asked first have no answers."""
    missing = [one.value for one in BRIEFED if not facts.briefings.get(one)]
    if facts.severity >= Severity.HIGH and facts.phase not in CLOSED and missing:
        yield Point(
            ("severity",),
            f"The matter is grave, and no questions and answers are written for {', '.join(missing)}.",
            "Add them to 'briefings:'.",
        )


@rule("personal-calls", Level.ADVICE, 44)
def personal_calls(facts: Facts, context: Context) -> Iterator[Point]:
    """So few customers that a letter is the wrong way."""
    counted, known = _customers(facts, context)
    called = any(one.audience is Audience.CUSTOMERS for one in facts.stakeholders)
    if known is not None and 0 < known < FEW_CUSTOMERS and facts.severity >= Severity.MEDIUM and not called:
        yield Point(
            ("estimates",) if counted else ("author",),
            f"Only {known} customers are concerned: call each of them.",
            "List them under 'stakeholders:' as customers, and keep the outcome in the call list.",
        )


@rule("letters", Level.ADVICE, 44)
def letters(facts: Facts, context: Context) -> Iterator[Point]:
    """So many customers that calls would take for days."""
    _, known = _customers(facts, context)
    for number, one in enumerate(facts.stakeholders):
        called = one.audience is Audience.CUSTOMERS and _CALL.search(one.how or "")
        if known is not None and known >= FEW_CUSTOMERS and called:
            yield Point(
                ("stakeholders", number),
                f"{known} customers shall be called one by one.",
                "Write to all of them at once, by letter, mail or broadcast.",
            )


def _customers(facts: Facts, context: Context) -> tuple[bool, int | None]:
    """Return whether the facts count the customers concerned, and how many there are, if anybody said."""
    counted = [one.count for one in facts.estimates if one.of == "customers"]
    if counted:
        return True, counted[-1]
    return False, context.setting.organisation.customers if context.setting else None


@rule("faq", Level.ADVICE, 43)
def faq(facts: Facts, context: Context) -> Iterator[Point]:
    """No answers to what people will ask; or answers that vanish or have no date."""
    source = facts.source
    path = ("texts", facts.source_language, "faq")
    if not source.faq and facts.severity >= Severity.HIGH:
        yield Point(
            ("texts", facts.source_language),
            "There is no FAQ for a grave matter.",
            "Add 'faq:' with what people ask first.",
        )
    for number, item in enumerate(source.faq):
        if item.date is None:
            yield Point(
                (*path, number), "The answer has no date.", "Add 'date:': since when it stands there."
            )
    old = context.previous.texts.get(facts.source_language) if context.previous else None
    asked = {item.q for item in source.faq}
    for item in old.faq if old else ():
        if item.q not in asked:
            yield Point(
                path, f"The question '{item.q[:60]}' was published and is gone.", "Keep it; a FAQ grows."
            )
