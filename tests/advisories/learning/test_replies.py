"""Replies: whoever recorded one is owed a decision, and whoever decided to respond owes an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.events import Event, Recorded, decode, encode
from advisories.learning.replies import Channel, Decision, Received, Topic, Triaged, by_topic, replies


def recorded(seq: int, data: Event) -> Recorded:
    return Recorded(seq, float(seq), "exercise-support", None, "EX-1", data)


def reply(topic: Topic = Topic.OTHER) -> Received:
    return Received(channel=Channel.MAIL, topic=topic, text="Is this you?")


def triaged(number: int, decision: Decision, answer: str | None = None) -> Triaged:
    return Triaged(reply=number, decision=decision, reason="because", answer=answer)


@pytest.mark.parametrize(
    ("decisions", "waiting"),
    [
        ([], True),
        ([(Decision.IGNORE, None)], False),
        ([(Decision.MONITOR, None)], False),
        ([(Decision.RESPOND, None)], True),
        ([(Decision.RESPOND, "Yes, it is.")], False),
        ([(Decision.RESPOND, "Yes."), (Decision.RESPOND, None)], True),
        ([(Decision.IGNORE, None), (Decision.RESPOND, None)], True),
        ([(Decision.RESPOND, None), (Decision.IGNORE, None)], False),
    ],
)
def test_the_last_decision_counts(decisions: list[tuple[Decision, str | None]], waiting: bool) -> None:
    events = [recorded(1, reply())]
    events += [recorded(2 + n, triaged(1, *decision)) for n, decision in enumerate(decisions)]
    (found,) = replies(events)
    assert found.waiting is waiting
    assert len(found.decisions) == len(decisions)


def test_decisions_about_nothing_and_other_events_are_passed_over() -> None:
    assert replies([recorded(1, triaged(9, Decision.IGNORE))]) == []


def test_topics_are_counted_most_frequent_first() -> None:
    topics = [Topic.DATA, Topic.GENUINE, Topic.GENUINE, Topic.BLAME]
    found = replies([recorded(n, reply(topic)) for n, topic in enumerate(topics, 1)])
    assert list(by_topic(found).items()) == [("genuine", 2), ("blame", 1), ("data", 1)]


@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=200), topic=st.sampled_from(Topic))
def test_what_was_said_is_kept_as_it_was(text: str, topic: Topic) -> None:
    data = Received(channel=Channel.SOCIAL, topic=topic, text=text, who="exercise-owner")
    assert decode(data.kind, encode(data)) == data


@pytest.mark.parametrize(("size", "accepted"), [(4_095, True), (4_096, True), (4_097, False)])
def test_a_reply_has_a_limit(size: int, accepted: bool) -> None:
    try:
        Received(channel=Channel.MAIL, text="a" * size)
    except ValueError:
        assert not accepted
    else:
        assert accepted


@pytest.mark.parametrize(
    ("kind", "text"), [("nothing.known", "{}"), ("reply.received", "{}"), ("reply.received", "")]
)
def test_what_is_no_event_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match="event"):
        decode(kind, text)
