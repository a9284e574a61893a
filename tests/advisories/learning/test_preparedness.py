"""Preparedness: what is ready earns its points, and a role with one holder fails the whole."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from advisories.facts.matter import Contact, ContactKind, Publisher
from advisories.learning.preparedness import TEAMS, Preparedness, State, preparedness
from advisories.organisation import Approver, Authority, Briefer, Organisation, Reviewed, Translator

TODAY = date(2026, 11, 22)
ROLES = ("engineering", "legal", "communications", "root")


def ready() -> State:
    day = TODAY - timedelta(days=1)
    holders = {role: frozenset({f"exercise-{role}-1", f"exercise-{role}-2"}) for role in ROLES}
    return State(
        organisation=Organisation(
            name="Example",
            address=("Example street 1",),
            site="https://example.com/security",
            policy="https://example.com/policy",
            publisher=Publisher(name="Example", namespace="https://example.com"),
            contacts=(
                Contact(kind=ContactKind.PHONE, value="+1 555 0100", hours="9 to 5", tested=day),
                Contact(kind=ContactKind.MAIL, value="a@example.com", hours="9 to 5", tested=day),
            ),
            approvers=tuple(
                Approver(holder=holder, role=role, mail="b@example.com", tested=day)
                for role in ROLES[:3]
                for holder in sorted(holders[role])
            ),
            translators=(Translator(name="exercise-translator", languages=("de",), tested=day),),
            authorities=(Authority(name="Example CSIRT", regimes=("eu-x",), how="form", tested=day),),
            briefers=tuple(Briefer(audience=team, name="exercise-briefer") for team in TEAMS),
            regimes=("eu-x",),
            reviewed=Reviewed(templates=day, contacts=day, plan=day),
        ),
        holders=holders,
        notice_roles=frozenset(ROLES[:3]),
        languages=frozenset({"en", "de"}),
        source_language="en",
        root_ends=TODAY + timedelta(days=60),
        templates=7,
        drilled=day,
    )


def look(state: State) -> Preparedness:
    return preparedness(state, today=TODAY)


def lacking(state: State) -> list[str]:
    return [row.what for row in look(state).rows if not row.ready]


def test_who_has_everything_scores_a_hundred() -> None:
    found = look(ready())
    assert (found.score, found.failed, lacking(ready())) == (100, False, [])


def test_a_role_with_one_holder_fails_whatever_the_score() -> None:
    state = ready()
    one = replace(state, holders={**state.holders, "legal": frozenset({"exercise-legal-1"})})
    assert look(one).failed
    assert look(one).score >= 90
    assert lacking(one) == ["legal: 1 holder"]


@pytest.mark.parametrize("missing", ["legal", "communications"])
def test_a_notice_that_goes_out_unread_fails_whatever_the_score(missing: str) -> None:
    unread = replace(ready(), notice_roles=frozenset(ROLES[:3]) - {missing})
    assert look(unread).failed
    assert lacking(unread) == ["every notice takes communications and legal"]


def changed(**fields: object) -> State:
    state = ready()
    return replace(state, organisation=state.organisation.model_copy(update=fields))


@pytest.mark.parametrize(
    ("state", "what"),
    [
        (replace(ready(), root_ends=TODAY + timedelta(days=59)), "the root ends on 2027-01-20"),
        (replace(ready(), root_ends=None), "no root"),
        (changed(approvers=ready().organisation.approvers[1:]), "exercise-engineering-1 (engineering) can be reached"),
        (changed(contacts=ready().organisation.contacts[1:]), "a phone for owners"),
        (changed(contacts=()), "somebody answers in de"),
        (changed(translators=()), "a translator for de"),
        (changed(authorities=()), "an office to tell under eu-x"),
        (changed(regimes=()), "Legal named the regimes that apply"),
        (changed(briefers=()), "somebody briefs switchboard"),
        (replace(ready(), templates=0), "0 templates"),
        (changed(reviewed=Reviewed()), "the plan were looked through in the last year"),
        (replace(ready(), drilled=None), "a drill in the last year"),
        (changed(address=()), "'address' is said"),
    ],
)  # fmt: skip
def test_what_lacks_is_named_with_its_mend(state: State, what: str) -> None:
    rows = {row.what: row for row in look(state).rows if not row.ready}
    assert what in rows
    assert rows[what].mend.endswith((".", '").', "'."))


@pytest.mark.parametrize(("days", "tried"), [(89, True), (90, True), (91, False), (-1, False)])
def test_a_contact_counts_as_tried_for_ninety_days(days: int, tried: bool) -> None:
    day = TODAY - timedelta(days=days)
    contacts = tuple(c.model_copy(update={"tested": day}) for c in ready().organisation.contacts)
    assert ("the mail was tried" not in lacking(changed(contacts=contacts))) is tried


def test_nothing_at_all_scores_nothing() -> None:
    empty = State(
        organisation=Organisation(), holders={}, notice_roles=frozenset(), languages=frozenset(), source_language="en",
        root_ends=None, templates=0, drilled=None,
    )  # fmt: skip
    assert look(empty).score == 0
    assert Preparedness(()).score == 0
