"""An incident is a fold over its events; what is out of order is refused before it is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from advisories.clocks.regimes import builtin
from advisories.events import KINDS, Event, Recorded, decode, encode, event
from advisories.incident import kinds as k
from advisories.incident.kinds import Happening, made, moment
from advisories.incident.model import incident_of
from advisories.incident.orders import items, require, require_opening, utc
from keys.errors import InputError
from tests.advisories.clocks.told import ID, at, incident, opened

AT = at("2026-11-20 12:00")
NOW = at("2026-11-21 12:00")
SAMPLES: list[tuple[type[Happening], dict[str, Any], str]] = [
    (k.Opened, {"matter": "personal-data", "title": "t", "regimes": ["eu-gdpr-33"]}, "personal-data"),
    (k.Triggered, {"trigger": "fix-available", "correction": "typing error"}, "typing error"),
    (k.Submitted, {"regime": "eu-gdpr-33", "step": "notification", "reference": "EX-7"}, "EX-7"),
    (k.Decided, {"regime": "eu-gdpr-33", "applies": False, "reason": "no risk"}, "does not apply"),
    (k.Held, {"office": "police", "until": "2026-12-01T00:00:00Z", "regimes": ["us-hipaa"]}, "us-hipaa"),
    (k.Lifted, {"office": "police"}, "no longer"),
    (k.Credited, {"name": "exercise-reporter", "agreed": False, "organisation": "x"}, "did not agree"),
    (k.Logged, {"party": "cert", "what": "date", "direction": "in", "tlp": "amber-strict"}, "AMBER+STRICT"),
    (k.Noted, {"text": "a\nb"}, "a b"),
    (k.Told, {"audience": "social-media", "name": "team", "how": "phone"}, "by phone"),
    (k.Estimated, {"count": 12, "of": "people", "source": "records"}, "about 12 people"),
    (k.Graded, {"severity": "critical", "reason": "doors"}, "monitoring raised"),
    (k.Linked, {"advisory": "EX-2026-0001"}, "EX-2026-0001"),
    (k.Stated, {"item": "actor", "text": "unknown", "source": "laboratory"}, "laboratory"),
    (k.DraftSigned, {"regime": "r", "step": "s", "digest": "0" * 64, "holder": "legal"}, "legal"),
    (k.Closed, {"reason": "done"}, "done"),
    (k.Reopened, {"reason": "again"}, "again"),
]


@event("test.elsewhere")
class Elsewhere(Event):
    """What another room records about an incident."""


def test_every_kind_of_an_incident_is_sampled() -> None:
    ours = {cls for name, cls in KINDS.items() if name.startswith("incident.")}
    assert {cls for cls, _, _ in SAMPLES} == ours


@pytest.mark.parametrize(("cls", "values", "word"), SAMPLES)
def test_an_event_is_read_back_as_it_was_written_and_tells_one_line(
    cls: type[Happening], values: dict[str, Any], word: str
) -> None:
    said = made(cls, when="2026-11-20T13:00:00+01:00", **values)
    assert decode(said.kind, encode(said)) == said
    assert said.when == AT
    assert word in said.line()
    assert said.line().isprintable()


@pytest.mark.parametrize(("cls", "values", "_"), SAMPLES)
@pytest.mark.parametrize("bad", ["\x1b[2J", "a\u202eb", "\udcff", "a\x7f", "", "x" * 4_097])
def test_no_text_of_an_event_steers_a_terminal(
    cls: type[Happening], values: dict[str, Any], _: str, bad: str
) -> None:
    for name, value in values.items():
        if isinstance(value, str):
            with pytest.raises(InputError) as caught:
                made(cls, when=AT, **{**values, name: bad})
            assert caught.value.code == "BAD_VALUE"
            assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("2026-11-20T12:00:00", "no time zone"),
        ("yesterday", "is not a time"),
        ("1066-10-14T09:00:00Z", "1971"),
        ("", "is not a time"),
    ],
)
def test_times_are_strict(when: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        made(k.Noted, when=when, text="x")


@pytest.mark.parametrize(
    ("cls", "values"),
    [
        (k.Graded, {"severity": "hgh"}),
        (k.Logged, {"party": "a", "what": "b", "direction": "sideways"}),
        (k.Logged, {"party": "a", "what": "b", "direction": "in", "tlp": "purple"}),
        (k.Told, {"audience": "aliens", "name": "a"}),
        (k.Estimated, {"count": -1, "source": "x"}),
        (k.Estimated, {"count": 10**13, "source": "x"}),
        (k.Opened, {"matter": "mishap"}),
        (k.Opened, {"matter": "incident", "regimes": ["a b"]}),
        (k.Held, {"office": "police", "until": "2026-11-20T11:00:00Z"}),
        (k.Noted, {}),
    ],
)
def test_values_out_of_bounds_are_refused(cls: type[Happening], values: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        made(cls, when=AT, **values)
    assert caught.value.code == "BAD_VALUE"


def test_an_incident_is_what_its_events_tell() -> None:
    story = incident(
        *[made(cls, when=AT, **values) for cls, values, _ in SAMPLES[1:]], first=opened(title="t")
    )
    assert (story.id, story.title, story.aware) == (ID, "t", at("2026-11-20 09:00"))
    assert story.triggers == {"fix-available": AT}
    assert set(story.submissions) == {("eu-gdpr-33", "notification")}
    assert story.decided["eu-gdpr-33"].reason == "no risk"
    assert [hold.lifted for hold in story.holds] == [AT]
    assert story.estimates[-1].count == 12
    assert (story.severity, story.monitoring_raised) == ("critical", True)
    assert story.advisories == ("EX-2026-0001",)
    assert story.facts["actor"].text == "unknown"
    assert story.closed is None
    assert (len(story.credits), len(story.log), len(story.notes), len(story.told)) == (1, 1, 1, 1)
    assert len(story.events) == len(SAMPLES)


def test_a_severe_incident_is_watched_until_it_is_closed() -> None:
    low, high = (made(k.Graded, when=AT, severity=word) for word in ("low", "high"))
    assert not incident(low).monitoring_raised
    assert incident(high, low).monitoring_raised
    assert not incident(high, made(k.Closed, when=AT, reason="x")).monitoring_raised


def test_estimates_keep_their_trail() -> None:
    story = incident(*[made(k.Estimated, when=AT, count=n, source="x") for n in (10, 500, 20)])
    assert [each.count for each in story.estimates] == [10, 500, 20]


def test_awareness_can_be_corrected() -> None:
    better = made(
        k.Triggered, when=at("2026-11-20 07:00"), trigger="aware", correction="the call came earlier"
    )
    assert incident(better).aware == at("2026-11-20 07:00")


def test_other_rooms_events_are_kept_and_change_nothing() -> None:
    rows = [
        Recorded(1, 0.0, "b", ID, None, Elsewhere()),
        Recorded(2, 5.0, "a", ID, None, opened()),
        Recorded(3, 9.0, "b", ID, None, Elsewhere()),
    ]
    story = incident_of(rows)
    assert story.events == tuple(rows)
    assert moment(rows[2]).timestamp() == 9.0


@pytest.mark.parametrize(
    "events", [[], [Elsewhere()], [made(k.Noted, when=AT, text="x"), opened()], [opened(), opened()]]
)
def test_what_was_never_opened_or_opened_twice_is_no_incident(events: list[Event]) -> None:
    with pytest.raises(ValueError, match="opened"):
        incident_of([Recorded(n, 0.0, "a", ID, None, said) for n, said in enumerate(events)])


def refused(story: Any, said: Event) -> InputError:
    with pytest.raises(InputError) as caught:
        require(story, said, builtin(), now=NOW)
    assert caught.value.mend
    return caught.value


FIX = made(k.Triggered, when=AT, trigger="fix-available")
SENT = made(k.Submitted, when=AT, regime="us-hipaa", step="people")
HOLD = made(k.Held, when=AT, office="police")
LINK = made(k.Linked, when=AT, advisory="EX-2026-0001")
CLOSED = made(k.Closed, when=AT, reason="done")


@pytest.mark.parametrize(
    ("before", "said", "code"),
    [
        ([], made(k.Noted, when=at("2026-11-21 12:00:01"), text="x"), "IN_FUTURE"),
        ([], made(k.Triggered, when=at("2026-11-20 08:59"), trigger="fix-available"), "BEFORE_AWARENESS"),
        (
            [],
            made(k.Submitted, when=at("2026-11-20 08:59"), regime="us-hipaa", step="people"),
            "BEFORE_AWARENESS",
        ),
        ([], made(k.Triggered, when=AT, trigger="fix-avaliable"), "NO_TRIGGER"),
        ([FIX], FIX, "TRIGGER_TWICE"),
        ([], made(k.Triggered, when=AT, trigger="aware"), "TRIGGER_TWICE"),
        ([], made(k.Triggered, when=AT, trigger="fix-available", correction="x"), "NOTHING_TO_CORRECT"),
        (
            [FIX],
            made(k.Triggered, when=at("2026-11-20 13:00"), trigger="aware", correction="x"),
            "BEFORE_AWARENESS",
        ),
        ([], made(k.Submitted, when=AT, regime="us-hippa", step="people"), "NO_REGIME"),
        ([], made(k.Submitted, when=AT, regime="us-hipaa", step="persons"), "NO_STEP"),
        ([SENT], SENT, "SUBMITTED_TWICE"),
        (
            [],
            made(k.Submitted, when=AT, regime="us-hipaa", step="people", correction="x"),
            "NOTHING_TO_CORRECT",
        ),
        ([], made(k.Decided, when=AT, regime="us-hippa", applies=True, reason="x"), "NO_REGIME"),
        ([], made(k.Held, when=AT, office="p", regimes=["eu-gdpr-33"]), "NO_HOLD_THERE"),
        ([], made(k.Held, when=AT, office="p", regimes=["eu-gpdr"]), "NO_REGIME"),
        ([HOLD], HOLD, "HELD_TWICE"),
        ([], made(k.Lifted, when=AT, office="police"), "NOT_HELD"),
        ([HOLD], made(k.Lifted, when=AT, office="polise"), "NOT_HELD"),
        ([HOLD], made(k.Lifted, when=at("2026-11-20 11:00"), office="police"), "LIFTED_EARLY"),
        ([LINK], LINK, "LINKED_TWICE"),
        ([], made(k.Stated, when=AT, item="acter", text="x"), "NO_ITEM"),
        ([], made(k.DraftSigned, when=AT, regime="x", step="s", digest="0" * 64, holder="h"), "NO_REGIME"),
        ([], made(k.Reopened, when=AT, reason="x"), "NOT_CLOSED"),
        ([], made(k.Held, when=AT, office="p", until=at("9998-12-31 23:59")), "HOLD_TOO_LONG"),
        ([CLOSED], made(k.Reopened, when=at("2026-11-20 11:59"), reason="x"), "BEFORE_CLOSING"),
        ([CLOSED], CLOSED, "INCIDENT_CLOSED"),
        ([CLOSED], made(k.Noted, when=AT, text="x"), "INCIDENT_CLOSED"),
    ],
)
def test_what_is_out_of_order_is_refused(before: list[Event], said: Event, code: str) -> None:
    assert refused(incident(*before), said).code == code


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ([], FIX),
        ([FIX], made(k.Triggered, when=AT, trigger="fix-available", correction="typing error")),
        ([], made(k.Triggered, when=at("2026-11-20 07:00"), trigger="aware", correction="x")),
        ([SENT], made(k.Submitted, when=AT, regime="us-hipaa", step="people", correction="x")),
        ([], made(k.Logged, when=at("2026-11-20 08:00"), party="p", what="called", direction="in")),
        ([HOLD], made(k.Held, when=AT, office="FBI", regimes=["us-hipaa"])),
        ([HOLD, made(k.Lifted, when=AT, office="police")], HOLD),
        ([CLOSED], made(k.Reopened, when=AT, reason="x")),
        ([], made(k.Noted, when=NOW, text="x")),
        ([], Elsewhere()),
    ],
)
def test_what_is_in_order_passes(before: list[Event], said: Event) -> None:
    require(incident(*before), said, builtin(), now=NOW)


def test_an_opening_lies_in_the_past_and_names_regimes_that_exist() -> None:
    require_opening(opened(regimes=["us-hipaa"]), builtin(), now=at("2026-11-20 09:00"))
    with pytest.raises(InputError) as caught:
        require_opening(opened(), builtin(), now=at("2026-11-20 08:59"))
    assert caught.value.code == "IN_FUTURE"
    with pytest.raises(InputError) as caught:
        require_opening(opened(regimes=["us-hippa"]), builtin(), now=NOW)
    assert (caught.value.code, caught.value.mend) == ("NO_REGIME", "Did you mean 'us-hipaa'?")


def test_items_have_a_label_and_a_question() -> None:
    assert all(item.label and item.asks for item in items().values())
    assert utc(AT) == "2026-11-20 12:00:00 UTC"
