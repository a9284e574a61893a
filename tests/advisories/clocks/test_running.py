"""What starts a clock, what pauses it, and whether it was kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.clocks.regimes import builtin
from advisories.clocks.running import (
    Issue,
    State,
    customers_heard,
    in_order,
    next_updates,
    pauses,
    silence,
)
from advisories.events import Event
from advisories.incident.kinds import Closed, Decided, Held, Lifted, Submitted, Told, Triggered, made
from tests.advisories.clocks.told import at, clock, every, incident, opened, regime

EXPLOITED = "eu-cra-14-exploited"
SEVERE = "eu-cra-14-severe"


def trigger(name: str, when: str, **more: str) -> Event:
    return made(Triggered, when=at(when), trigger=name, **more)


def done(name: str, step: str, when: str, **more: str) -> Event:
    return made(Submitted, when=at(when), regime=name, step=step, **more)


def hold(when: str, until: str | None = None, office: str = "State police", **more: object) -> Event:
    return made(Held, when=at(when), until=at(until) if until else None, office=office, **more)


def lift(when: str, office: str = "State police") -> Event:
    return made(Lifted, when=at(when), office=office)


def test_nothing_is_computed_before_its_trigger() -> None:
    story = incident()
    for name in builtin().regimes:
        for found in every(
            incident(first=opened(matter="vulnerability")), "2026-11-21 00:00", (name,)
        ).values():
            assert found.state in {State.WAITING, State.DISABLED}, found
            assert (found.due, found.started, found.left(at("2026-11-21 00:00"))) == (None, None, None)
    assert clock(story, EXPLOITED, "early-warning", "2027-01-01 00:00").state is State.WAITING


@pytest.mark.parametrize(
    ("name", "matter", "starts"),
    [
        (EXPLOITED, "vulnerability", False),  # a weakness that is known is not yet one that is exploited
        (SEVERE, "incident", False),
        ("eu-nis2-23", "incident", False),
        ("eu-gdpr-33", "personal-data", True),
        ("eu-gdpr-34", "personal-data", False),
        ("us-ca-1798-82", "personal-data", True),
        ("us-fl-501-171", "personal-data", False),
        ("us-sec-8k-105", "incident", False),
        ("us-hipaa", "personal-data", True),
    ],
)
def test_awareness_of_the_incident_starts_only_what_it_is_the_trigger_of(
    name: str, matter: str, starts: bool
) -> None:
    found = every(incident(first=opened(matter=matter)), "2026-11-20 10:00", (name,))
    assert any(each.started for each in found.values()) is starts


@pytest.mark.parametrize("name", [EXPLOITED, SEVERE, "eu-nis2-23", "eu-gdpr-33"])
def test_a_regime_that_was_chosen_when_it_was_opened_starts_with_awareness(name: str) -> None:
    story = incident(first=opened(matter="incident", regimes=[name]))
    found = every(story, "2026-11-20 10:00")
    assert {each.regime for each in found.values()} == {name}
    assert all(each.started == at("2026-11-20 09:00") for each in found.values() if each.step != "final")


def test_awareness_of_exploitation_that_came_later_counts_from_then() -> None:
    story = incident(trigger("aware-exploited", "2026-11-24 09:00"), first=opened(regimes=[EXPLOITED]))
    assert clock(story, EXPLOITED, "early-warning", "2026-11-24 10:00").due == at("2026-11-25 09:00")


def test_the_final_report_on_an_exploited_weakness_runs_from_the_fix_and_never_from_awareness() -> None:
    chosen = opened(regimes=[EXPLOITED])
    waiting = clock(incident(first=chosen), EXPLOITED, "final", "2027-06-01 00:00")
    assert (waiting.state, waiting.due) == (State.WAITING, None)
    told = incident(done(EXPLOITED, "notification", "2026-11-22 09:00"), first=chosen)
    assert clock(told, EXPLOITED, "final", "2027-06-01 00:00").state is State.WAITING
    fixed = incident(trigger("fix-available", "2026-12-20 09:00"), first=chosen)
    found = clock(fixed, EXPLOITED, "final", "2026-12-21 00:00")
    assert (found.state, found.started, found.due) == (
        State.RUNNING,
        at("2026-12-20 09:00"),
        at("2027-01-03 09:00"),
    )


def test_the_final_report_on_a_severe_incident_runs_from_the_notification_and_never_from_awareness() -> None:
    chosen = opened(matter="incident", regimes=[SEVERE])
    fixed = incident(trigger("fix-available", "2026-11-21 09:00"), first=chosen)
    assert clock(fixed, SEVERE, "final", "2027-06-01 00:00").state is State.WAITING
    warned = incident(done(SEVERE, "early-warning", "2026-11-21 08:00"), first=chosen)
    assert clock(warned, SEVERE, "final", "2027-06-01 00:00").state is State.WAITING
    told = incident(
        done(SEVERE, "notification", "2027-01-31 10:00"),
        first=opened("2027-01-30 09:00", "incident", regimes=[SEVERE]),
    )
    found = clock(told, SEVERE, "final", "2027-02-01 00:00")
    assert (found.started, found.due) == (at("2027-01-31 10:00"), at("2027-02-28 10:00"))


def test_the_attorney_general_of_california_is_told_after_residents_were() -> None:
    story = incident(
        done("us-ca-1798-82", "residents", "2026-11-25 09:00"), first=opened(matter="personal-data")
    )
    assert clock(story, "us-ca-1798-82", "attorney-general", "2026-11-26 00:00").due == at("2026-12-10 09:00")


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ("2026-11-20 09:00", State.RUNNING),
        ("2026-11-21 02:59", State.RUNNING),
        ("2026-11-21 03:00", State.DUE_SOON),  # the last quarter of 24 hours
        ("2026-11-21 09:00", State.DUE_SOON),  # kept to the second
        ("2026-11-21 09:00:01", State.OVERDUE),
    ],
)
def test_states_follow_the_time_that_is_left(now: str, state: State) -> None:
    assert clock(incident(first=opened(regimes=[EXPLOITED])), EXPLOITED, "early-warning", now).state is state


def test_a_long_clock_is_due_soon_only_in_its_last_week() -> None:
    story = incident(first=opened(matter="personal-data"))  # 60 days, to 19 January, 09:00
    assert clock(story, "us-hipaa", "people", "2027-01-12 08:59").state is State.RUNNING
    assert clock(story, "us-hipaa", "people", "2027-01-12 09:00").state is State.DUE_SOON


@pytest.mark.parametrize(
    ("when", "state"),
    [("2026-11-21 09:00", State.MET), ("2026-11-21 09:00:01", State.MET_LATE)],
)
def test_what_was_submitted_is_met_or_met_late(when: str, state: State) -> None:
    story = incident(done(EXPLOITED, "early-warning", when), first=opened(regimes=[EXPLOITED]))
    found = clock(story, EXPLOITED, "early-warning", "2027-01-01 00:00")
    assert (found.state, found.done, found.left(at("2027-01-01 00:00"))) == (state, at(when), None)


def test_what_was_done_before_anything_started_its_clock_is_met() -> None:
    story = incident(done(EXPLOITED, "final", "2026-11-21 09:00"), first=opened(regimes=[EXPLOITED]))
    assert clock(story, EXPLOITED, "final", "2026-11-22 00:00").state is State.MET


def test_a_duty_without_a_number_runs_until_it_is_done() -> None:
    name = "eu-cra-14-8-exploited"
    chosen = opened(regimes=[name])
    found = clock(incident(first=chosen), name, "users", "2027-11-20 00:00")
    assert (found.state, found.due) == (State.RUNNING, None)
    told = incident(done(name, "users", "2026-12-20 09:00"), first=chosen)
    assert clock(told, name, "users", "2027-11-20 00:00").state is State.MET


def test_a_regime_that_is_off_computes_nothing_and_says_why() -> None:
    story = incident(trigger("reasonable-belief", "2026-11-20 10:00"), first=opened(regimes=["us-circia"]))
    found = clock(story, "us-circia", "incident", "2026-12-20 00:00")
    assert (found.state, found.due, found.note) == (State.DISABLED, None, regime("us-circia").reason)


def test_a_law_that_was_not_yet_in_force_computes_nothing() -> None:
    story = incident(first=opened("2026-09-10 23:59", regimes=[EXPLOITED]))
    assert clock(story, EXPLOITED, "early-warning", "2026-09-12 00:00").state is State.DISABLED
    story = incident(first=opened("2026-09-11 00:00", regimes=[EXPLOITED]))
    assert clock(story, EXPLOITED, "early-warning", "2026-09-11 01:00").state is State.RUNNING


CALIFORNIA = ("us-ca-1798-82", "residents")  # 30 days from discovery: to 20 December, 09:00


@pytest.mark.parametrize(
    ("events", "now", "state", "due"),
    [
        ([], "2026-11-25 00:00", State.RUNNING, "2026-12-20 09:00"),
        ([hold("2026-11-22 09:00")], "2026-11-25 09:00", State.PAUSED, "2026-12-23 09:00"),
        (
            [hold("2026-11-22 09:00"), lift("2026-11-24 09:00")],
            "2026-11-25 09:00",
            State.RUNNING,
            "2026-12-22 09:00",
        ),
        (
            [hold("2026-11-22 09:00", "2026-11-24 09:00")],
            "2026-11-23 00:00",
            State.PAUSED,
            "2026-12-22 09:00",
        ),
        (
            [hold("2026-11-22 09:00", "2026-11-24 09:00")],
            "2026-11-24 09:00",
            State.RUNNING,
            "2026-12-22 09:00",
        ),
        (  # lifted before the day to which it was asked for
            [hold("2026-11-22 09:00", "2026-12-24 09:00"), lift("2026-11-23 09:00")],
            "2026-11-25 00:00",
            State.RUNNING,
            "2026-12-21 09:00",
        ),
        (  # two holds that overlap pause once
            [
                hold("2026-11-22 09:00", "2026-11-24 09:00"),
                hold("2026-11-23 09:00", "2026-11-25 09:00", "FBI"),
            ],
            "2026-11-26 00:00",
            State.RUNNING,
            "2026-12-23 09:00",
        ),
        (  # a second that has no end swallows the first
            [hold("2026-11-22 09:00"), hold("2026-11-23 09:00", "2026-11-24 09:00", "FBI")],
            "2026-11-26 09:00",
            State.PAUSED,
            "2026-12-24 09:00",
        ),
        (  # one after the other
            [
                hold("2026-11-22 09:00", "2026-11-23 09:00"),
                hold("2026-11-25 09:00", "2026-11-26 09:00", "FBI"),
            ],
            "2026-11-27 00:00",
            State.RUNNING,
            "2026-12-22 09:00",
        ),
        # A hold that comes when the time is over mends nothing.
        ([hold("2026-12-21 09:00")], "2026-12-22 09:00", State.OVERDUE, "2026-12-20 09:00"),
        (
            [hold("2026-11-22 09:00", regimes=["us-hipaa"])],
            "2026-11-25 09:00",
            State.RUNNING,
            "2026-12-20 09:00",
        ),
    ],
)
def test_a_hold_pauses_a_regime_that_allows_it(events: list[Event], now: str, state: State, due: str) -> None:
    found = clock(incident(*events, first=opened(matter="personal-data")), *CALIFORNIA, now)
    assert (found.state, found.due) == (state, at(due))


@pytest.mark.parametrize("name", [EXPLOITED, SEVERE, "eu-nis2-23", "eu-gdpr-33"])
def test_a_hold_pauses_nothing_where_the_law_knows_none(name: str) -> None:
    first = opened(matter="personal-data", regimes=[name])
    free = every(incident(first=first), "2026-11-21 00:00")
    held = every(incident(hold("2026-11-20 10:00"), first=first), "2026-11-21 00:00")
    assert free == held


def test_a_hold_before_the_trigger_counts_only_from_there() -> None:
    story = incident(
        hold("2026-11-21 09:00"),
        lift("2026-11-25 09:00"),
        trigger("determined", "2026-11-24 09:00"),
        first=opened(matter="personal-data"),
    )
    assert clock(story, "us-fl-501-171", "residents", "2026-11-30 00:00").due == at("2026-12-25 09:00")


def test_a_hold_lasts_no_longer_than_the_law_allows() -> None:
    story = incident(
        trigger("materiality-determined", "2026-11-20 15:00"),
        hold("2026-11-20 16:00", office="Attorney General", regimes=["us-sec-8k-105"]),
        first=opened(matter="incident"),
    )
    assert clock(story, "us-sec-8k-105", "form", "2026-12-20 00:00").state is State.PAUSED
    found = clock(story, "us-sec-8k-105", "form", "2027-06-01 00:00")
    assert found.state is State.OVERDUE
    assert found.due == at("2026-11-27 22:30") + timedelta(days=120)


def test_a_hold_by_any_office_does_not_pause_what_only_one_may_delay() -> None:
    story = incident(
        trigger("materiality-determined", "2026-11-20 15:00"),
        hold("2026-11-20 16:00"),
        first=opened(matter="incident"),
    )
    found = clock(story, "us-sec-8k-105", "form", "2026-11-28 00:00")
    assert (found.state, found.due) == (State.OVERDUE, at("2026-11-27 22:30"))


def test_a_submission_during_a_hold_is_judged_by_the_time_it_was_made() -> None:
    story = incident(
        hold("2026-11-22 09:00"),
        done(*CALIFORNIA, "2026-12-24 09:00"),
        first=opened(matter="personal-data"),
    )
    assert clock(story, *CALIFORNIA, "2027-03-01 00:00").state is State.MET


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(1, 300)), max_size=6))
def test_pauses_never_overlap_and_only_add_time(spans: list[tuple[int, int]]) -> None:
    start = at("2026-11-20 09:00")
    holds = [
        made(
            Held,
            when=start + timedelta(hours=begin),
            until=start + timedelta(hours=begin + length),
            office=f"office {number}",
        )
        for number, (begin, length) in enumerate(spans)
    ]
    story = incident(*holds, first=opened(matter="personal-data"))
    merged = pauses(story, regime(CALIFORNIA[0]))
    ends = [end for _, end in merged]
    assert all(end is not None and end < begin for end, (begin, _) in zip(ends, merged[1:], strict=False))
    hours = {hour for begin, length in spans for hour in range(begin, begin + length)}
    covered = sum(((end - begin) for begin, end in merged if end), timedelta())
    assert covered == timedelta(hours=len(hours))
    found = clock(story, *CALIFORNIA, "2027-11-20 09:00")
    assert found.due is not None
    assert at("2026-12-20 09:00") <= found.due <= at("2026-12-20 09:00") + covered


def test_legal_decides_which_regimes_apply() -> None:
    no = made(Decided, when=at("2026-11-20 10:00"), regime="eu-gdpr-33", applies=False, reason="no risk")
    yes = made(Decided, when=at("2026-11-20 11:00"), regime="eu-gdpr-34", applies=True, reason="passwords")
    story = incident(no, yes, first=opened(matter="personal-data"))
    found = every(story, "2026-11-20 12:00", ("eu-gdpr-33", "us-hipaa", EXPLOITED))
    assert {name for name, _ in found} == {"eu-gdpr-34", "us-hipaa"}


def test_silence_lasts_from_awareness_to_the_first_word() -> None:
    story = incident()
    assert silence(story, [], 24, at("2026-11-20 20:00")).state is State.RUNNING
    assert silence(story, [], 24, at("2026-11-21 10:00")).state is State.OVERDUE
    issue = Issue("EX-1", 1, at("2026-11-21 08:00"))
    assert silence(story, [issue], 24, at("2026-11-22 00:00")).state is State.MET
    late = silence(story, [], 24, at("2026-11-22 00:00"), told=at("2026-11-21 10:00"))
    assert late.state is State.MET_LATE
    by_hand = made(Told, when=at("2026-11-20 10:00"), audience="customers", name="all")
    others = made(Told, when=at("2026-11-20 10:00"), audience="suppliers", name="all")
    assert silence(incident(by_hand), [], 24, at("2026-11-22 00:00")).state is State.MET
    assert silence(incident(others), [], 24, at("2026-11-22 00:00")).state is State.OVERDUE
    closed = made(Closed, when=at("2026-11-20 10:00"), reason="false alarm")
    assert silence(incident(closed), [], 24, at("2026-11-22 00:00")).state is State.MET


def test_a_duty_towards_customers_ends_the_silence() -> None:
    story = incident(
        done("us-hipaa", "department", "2026-11-20 10:00"),
        done(*CALIFORNIA, "2026-11-20 12:00"),
        first=opened(matter="personal-data"),
    )
    assert customers_heard(story, builtin()) == at("2026-11-20 12:00")
    assert customers_heard(incident(), builtin()) is None


def test_a_promised_update_is_kept_late_or_overdue() -> None:
    issues = [
        Issue("EX-2", 1, at("2026-11-21 09:00"), at("2026-11-22 09:00")),
        Issue("EX-1", 2, at("2026-11-23 09:00"), at("2026-11-24 09:00")),
        Issue("EX-1", 1, at("2026-11-21 09:00"), at("2026-11-22 09:00")),
        Issue("EX-1", 3, at("2026-11-24 08:00"), None),
    ]
    found = {each.step: each for each in next_updates(incident(), issues, at("2026-11-25 00:00"))}
    assert {step: each.state for step, each in found.items()} == {
        "EX-1.r1": State.MET_LATE,
        "EX-1.r2": State.MET,
        "EX-2.r1": State.OVERDUE,
    }


def test_what_is_due_next_comes_first() -> None:
    story = incident(
        trigger("fix-available", "2026-11-20 10:00"),
        first=opened(regimes=[EXPLOITED, "eu-cra-14-8-exploited"]),
    )
    now = "2026-11-21 10:00"
    found = in_order([*every(story, now).values(), silence(story, [], 240, at(now))])
    assert [each.step for each in found] == [
        "early-warning",
        "notification",
        "first-notice",
        "final",
        "users",
    ]
