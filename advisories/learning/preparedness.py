"""Whether a maker could speak tomorrow: contacts, templates, translators, authorities and keys, as a score.

Two things fail outright: a role with fewer than two holders, for then one person on holiday stops every
warning; and a policy under which a notice goes out unread by Legal or by Communications.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from advisories.facts.matter import Audience, Contact, ContactKind
from advisories.organisation import Organisation

HOLDERS_MIN: Final = 2  # of every role
GATE: Final = ("communications", "legal")  # roles without whose signatures no notice should go out
CONTACT_DAYS: Final = 90  # after which a way to reach people counts as untried
TRANSLATOR_DAYS: Final = 180
AUTHORITY_DAYS: Final = 365
REVIEW_DAYS: Final = 365  # templates, plan, list of contacts, drill
ROOT_DAYS: Final = 60  # a root that ends sooner holds up everything signed under it
TEAMS: Final = (
    Audience.SUPPORT,
    Audience.SALES,
    Audience.SOCIAL_MEDIA,
    Audience.SWITCHBOARD,
    Audience.EXECUTIVES,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is ready, or is not."""

    area: str
    what: str
    ready: bool
    points: int
    mend: str = ""
    fails: bool = False
    """Whether it lacking fails the whole, whatever the score."""


@dataclass(frozen=True, slots=True)
class Preparedness:
    """All rows and what they come to."""

    rows: tuple[Row, ...]

    @property
    def score(self) -> int:
        """Per cent of the points, rounded down."""
        total = sum(row.points for row in self.rows)
        return 100 * sum(row.points for row in self.rows if row.ready) // total if total else 0

    @property
    def failed(self) -> bool:
        """Whether something lacks without which nothing can be said in time."""
        return any(row.fails and not row.ready for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is there, as shells read it."""

    organisation: Organisation
    holders: Mapping[str, AbstractSet[str]]
    """Role of any policy row -> those who hold a key for it that is in the root and not revoked."""
    notice_roles: AbstractSet[str]
    """Roles that have to sign every notice, whatever its product."""
    languages: AbstractSet[str]
    """Languages in which devices ask to be told."""
    source_language: str
    """In which notices are first written."""
    root_ends: date | None
    """None: there is no root yet."""
    templates: int
    """How many templates for a first notice there are."""
    drilled: date | None
    """Day of the last drill that is recorded here."""


def preparedness(state: State, *, today: date) -> Preparedness:
    """Look at everything that a first notice needs.

    Args:
        state: what is there.
        today: in UTC.
    """
    return Preparedness(
        tuple(
            row
            for part in (_keys, _people, _contacts, _translators, _authorities, _teams, _papers)
            for row in part(state, today)
        )
    )


def _recent(day: date | None, days: int, today: date) -> bool:
    return day is not None and today - timedelta(days=days) <= day <= today


def _keys(state: State, today: date) -> Iterator[Row]:
    for role, holders in sorted(state.holders.items()):
        mend = f"Give a key for '{role}' to a second person: 'tocsin key new', then 'tocsin root rotate'."
        what = f"{role}: {_many(len(holders), 'holder')}"
        yield Row("keys", what, len(holders) >= HOLDERS_MIN, 5, mend, fails=True)
    mend = "Demand both in every row for notices in policy.toml, then 'tocsin root rotate'."
    gate = state.notice_roles >= frozenset(GATE)
    yield Row("keys", f"every notice takes {' and '.join(GATE)}", gate, 5, mend, fails=True)
    ends = state.root_ends
    ready = ends is not None and ends - today >= timedelta(days=ROOT_DAYS)
    what = "no root" if ends is None else f"the root ends on {ends.isoformat()}"
    yield Row("keys", what, ready, 5, "Draft its successor with 'tocsin root rotate'.")


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _people(state: State, today: date) -> Iterator[Row]:
    known = {(person.role, person.holder): person for person in state.organisation.approvers}
    for role in ("engineering", "legal", "communications"):
        for holder in sorted(state.holders.get(role, ())):
            person = known.get((role, holder))
            ready = person is not None and bool(person.mail or person.phone)
            ready = ready and person is not None and _recent(person.tested, CONTACT_DAYS, today)
            mend = f"Name {holder} under 'approvers:' with a phone or mail that was tried ('tested:')."
            yield Row("approvers", f"{holder} ({role}) can be reached", ready, 3, mend)


def _contacts(state: State, today: date) -> Iterator[Row]:
    contacts = state.organisation.contacts
    for kind in (ContactKind.PHONE, ContactKind.MAIL):
        found = [contact for contact in contacts if contact.kind is kind]
        mend = f"Add one under 'contacts:' of kind {kind.value}, with 'hours:'."
        yield Row("contacts", f"a {kind.value} for owners", any(c.hours for c in found), 3, mend)
        mend = f"Try it, and write 'tested:' and 'tested_by:' (at most {CONTACT_DAYS} days ago)."
        yield Row("contacts", f"the {kind.value} was tried", _tried(found, today), 3, mend)
    for language in sorted(state.languages):
        ready = any(not c.languages or language in c.languages for c in contacts)
        mend = f"Say under 'contacts:' who answers in '{language}'."
        yield Row("contacts", f"somebody answers in {language}", ready, 1, mend)


def _tried(contacts: Iterable[Contact], today: date) -> bool:
    found = list(contacts)
    return bool(found) and all(_recent(contact.tested, CONTACT_DAYS, today) for contact in found)


def _translators(state: State, today: date) -> Iterator[Row]:
    for language in sorted(state.languages - {state.source_language}):
        found = [t for t in state.organisation.translators if language in t.languages]
        ready = any(_recent(t.tested, TRANSLATOR_DAYS, today) for t in found)
        mend = f"Name a translator for '{language}' under 'translators:', tried this half year."
        yield Row("translators", f"a translator for {language}", ready, 2, mend)


def _authorities(state: State, today: date) -> Iterator[Row]:
    for regime in state.organisation.regimes:
        found = [a for a in state.organisation.authorities if regime in a.regimes]
        ready = any(_recent(a.tested, AUTHORITY_DAYS, today) for a in found)
        mend = f"Name the office for '{regime}' under 'authorities:', and try its form once a year."
        yield Row("authorities", f"an office to tell under {regime}", ready, 2, mend)
    if not state.organisation.regimes:
        mend = "Let Legal name the regimes that apply under 'regimes:' ('tocsin clocks regimes' lists them)."
        yield Row("authorities", "Legal named the regimes that apply", ready=False, points=3, mend=mend)


def _teams(state: State, _today: date) -> Iterator[Row]:
    briefed = {briefer.audience for briefer in state.organisation.briefers}
    for team in TEAMS:
        mend = f"Name who briefs {team.value} under 'briefers:'."
        yield Row("briefings", f"somebody briefs {team.value}", team in briefed, 1, mend)


def _papers(state: State, today: date) -> Iterator[Row]:
    made = state.organisation
    yield Row("templates", _many(state.templates, "template"), state.templates > 0, 3, "Install them again.")
    looked = made.reviewed
    for what, day in (
        ("templates", looked.templates),
        ("contacts", looked.contacts),
        ("plan", looked.plan),
    ):
        mend = f"Look through the {what}, then write the day under 'reviewed:'."
        yield Row(
            "plan",
            f"the {what} were looked through in the last year",
            _recent(day, REVIEW_DAYS, today),
            2,
            mend,
        )
    days = [day for day in (looked.drill, state.drilled) if day is not None and day <= today]
    mend = "Run 'tocsin drill' with the people who would be there in earnest."
    yield Row(
        "plan", "a drill in the last year", _recent(max(days, default=None), REVIEW_DAYS, today), 5, mend
    )
    for name, value in (
        ("name", made.name),
        ("address", made.address),
        ("site", made.site),
        ("policy", made.policy),
        ("publisher", made.publisher),
    ):
        yield Row(
            "organisation", f"'{name}' is said", bool(value), 1, f"Write '{name}:' in organisation.yaml."
        )
