"""The bridge's decisions: its table, what goes to the board, what comes from it, and pauses."""

from __future__ import annotations

import pytest

from hil.bridge import core as module
from hil.bridge.core import ASK_S, PAUSE_S, POLL_S, REFUSALS_MAX, Broker, Carrier, Core, Line
from hil.bridge.effects import Acknowledge, Event, Hangup, Identity, Publish, Saying, Subscribe, Unsubscribe
from hil.bridge.queue import Message
from tests.hil.bridge_talk import ME, block, document, talking, told
from tests.hil.bridge_world import FILTERS, MAX

AGAIN = Identity("d", b"2", FILTERS, MAX)


# The table.


def test_the_table_has_a_row_for_every_pair_of_states() -> None:
    assert set(module._NEXT) == {(carrier, broker) for carrier in Carrier for broker in Broker}


def test_a_board_nobody_knows_is_asked_first_and_filters_come_before_the_carrier() -> None:
    core = Core()
    assert core.next(0.0) is Line.ASK
    core.told(ME, 0.0)
    assert core.next(0.0) is Line.WAIT
    core.connected(kept=False)
    assert core.next(0.0) is Line.ASK  # its filters may be others by now
    core.told(ME, 0.0)
    assert [effect for effect in core.effects() if isinstance(effect, Subscribe)] == [Subscribe(0, FILTERS)]
    assert core.next(0.1) is Line.WAIT
    core.granted()
    assert core.next(0.1) is Line.RAISE
    core.carried(0.1, up=True)
    assert core.next(0.1) is Line.REPORT


@pytest.mark.parametrize(("kept", "first"), [(False, Subscribe), (True, Unsubscribe)])
def test_what_a_broker_keeps_of_an_earlier_session_is_asked_for_again(kept: bool, first: type) -> None:
    core = Core()
    core.connected(kept=kept)
    core.told(ME, 0.0)
    asked = [effect for effect in core.effects() if not isinstance(effect, Event)]
    assert isinstance(asked[0], first)
    assert asked[-1] == Subscribe(0, FILTERS)


def test_a_loss_is_told_to_the_board_even_when_it_was_over_before() -> None:
    core = talking()
    core.disconnected("lost")
    assert core.next(0.1) is Line.LOWER
    core.connected(kept=False)
    core.told(ME, 0.2)
    assert core.next(0.3) is Line.LOWER
    core.granted()
    assert core.next(0.3) is Line.LOWER
    core.carried(0.3, up=False)
    assert core.next(0.3) is Line.RAISE


def test_a_loss_forgets_what_the_board_was_not_told_of() -> None:
    """Its number could drop something else, should the board begin anew before it is asked."""
    core = talking()
    core.reported(None, Saying(3, 0, "t/device/d/report", b"x"), 0.0)
    core.said(3, accepted=True)
    assert core.settled == 3
    core.disconnected("lost")
    assert core.settled is None


def test_a_second_loss_says_nothing_new() -> None:
    core = talking()
    core.disconnected("lost")
    assert [event.text for event in told(core)] == ["lost"]
    core.disconnected("lost again")
    assert told(core) == []


def test_a_board_that_began_anew_gets_its_filters_its_carrier_and_the_message_again() -> None:
    core = talking()
    core.arrived(block(1), 7)
    assert core.next(0.0) is Line.REPORT
    core.reported(None, Saying(4, 1, "t/patch/a/1"), 0.0)
    core.said(4, accepted=True)
    assert core.settled == 4
    assert core.next(0.0) is Line.SUBMIT
    core.failed("it restarts", 0.0, rebooted=True)
    assert core.next(0.0) is Line.ASK
    core.effects()
    core.told(AGAIN, 0.1)
    assert core.settled is None
    effects = core.effects()
    # What the broker keeps comes again; a subscription to what passes is never given up.
    assert effects[-2:] == [Unsubscribe(0, ("t/timestamp/a", "t/patch/a/1")), Subscribe(0, FILTERS)]
    assert Event("boot", text="d began anew") in effects
    core.granted()
    assert core.next(0.1) is Line.RAISE
    core.carried(0.1, up=True)
    assert core.next(0.1) is Line.SUBMIT
    assert core.under_way == block(1)


def test_a_board_that_began_anew_without_a_broker_is_only_told_later() -> None:
    core = Core()
    core.told(ME, 0.0)
    core.told(AGAIN, 1.0)
    assert [type(effect) for effect in core.effects()] == [Event, Event]
    assert core.next(1.0) is Line.WAIT


# What goes to the board.


def test_a_message_is_acknowledged_once_the_board_has_taken_it() -> None:
    core = talking()
    core.arrived(block(1), 7)
    core.reported(None, None, 0.0)
    assert core.effects() == []
    assert core.next(0.0) is Line.SUBMIT
    core.submitted(0, "OK", 0.0)
    assert core.effects() == [Event("to-board", "t/device/d/block", 7, "OK"), Acknowledge(7)]
    assert core.counts["verdict OK"] == 1
    assert core.counts["to-board_bytes"] == 7


def test_a_refused_document_is_a_fact_to_tell() -> None:
    core = talking()
    core.arrived(document(1), 7)
    core.reported(None, None, 0.0)
    assert core.next(0.0) is Line.SUBMIT
    core.submitted(13, "UNKNOWN_KEY", 0.0, "signed by nobody it knows")
    effects = core.effects()
    assert effects[0] == Event("to-board", "t/timestamp/a", 10, "UNKNOWN_KEY: signed by nobody it knows")
    assert effects[1] == Acknowledge(7)


@pytest.mark.parametrize(("size", "submitted"), [(MAX, True), (MAX + 1, False)])
def test_what_is_too_big_for_the_board_is_told_and_released(size: int, submitted: bool) -> None:
    core = talking()
    core.arrived(Message("t/patch/a/1", bytes(size)), 7)
    core.reported(None, None, 0.0)
    assert (core.next(0.0) is Line.SUBMIT) is submitted
    if not submitted:
        note, ack = core.effects()
        assert note == Event(
            "note", "t/patch/a/1", MAX + 1, "larger than the 1000 bytes that the board takes"
        )
        assert ack == Acknowledge(7)


def test_an_empty_message_which_clears_a_topic_is_nothing_to_hand_over() -> None:
    core = talking()
    core.arrived(Message("t/device/d/offer", b""), 7)
    core.reported(None, None, 0.0)
    assert core.next(0.0) is Line.WAIT
    note, ack = core.effects()
    assert note == Event("note", "t/device/d/offer", 0, "empty: there is nothing to hand over")
    assert ack == Acknowledge(7)


def test_what_the_board_itself_refuses_is_tried_again_and_then_given_up() -> None:
    core, now = talking(), 0.0
    core.arrived(block(1), 7)
    core.reported(None, None, now)
    for _ in range(REFUSALS_MAX):
        now += PAUSE_S[0]
        while core.next(now) is not Line.SUBMIT:
            core.reported(None, None, now)
        assert core.effects() == []
        core.refused(3, now)
    note, ack = core.effects()
    assert isinstance(note, Event)
    assert "refuses to take it (rc 3)" in note.text
    assert ack == Acknowledge(7)


def test_a_board_that_has_nothing_staged_is_asked_whether_it_began_anew() -> None:
    core = talking()
    core.arrived(block(1), 7)
    core.reported(None, None, 0.0)
    assert core.next(0.0) is Line.SUBMIT
    core.refused(5, 0.0)
    assert core.next(0.0) is Line.ASK


def test_refusals_count_within_one_boot() -> None:
    core = talking()
    core.arrived(block(1), 7)
    for number in range(3 * REFUSALS_MAX):
        core.refused(5, float(number))
        core.told(Identity("d", bytes([number]), FILTERS, MAX), float(number))
    assert core.under_way == block(1)


# What the board says.


def test_what_the_board_says_is_dropped_there_after_the_puback() -> None:
    core = talking()
    assert core.next(0.0) is Line.REPORT
    core.reported(None, Saying(1, 0, "t/device/d/report", b"signed"), 0.0)
    assert core.effects() == [Publish(1, "t/device/d/report", b"signed")]
    assert core.settled is None
    assert core.next(0.1) is Line.WAIT
    assert not core.idle
    core.said(9, accepted=True)
    assert core.settled is None
    core.said(1, accepted=True)
    assert core.settled == 1
    assert told(core) == [Event("to-broker", "t/device/d/report", 6)]
    assert core.next(0.1) is Line.REPORT
    core.reported(1, None, 0.1)
    assert core.settled is None
    assert core.idle


@pytest.mark.parametrize(
    ("kind", "effect", "name"), [(1, Subscribe, "subscribe"), (2, Unsubscribe, "unsubscribe")]
)
def test_filters_of_the_board_are_carried_out(kind: int, effect: type, name: str) -> None:
    core = talking()
    core.reported(None, Saying(1, kind, "t/root/2"), 0.0)
    assert core.effects() == [effect(1, ("t/root/2",))]
    core.said(1, accepted=True)
    assert [event.kind for event in told(core)] == [name]


def test_what_the_broker_refuses_is_told_and_does_not_block_the_board() -> None:
    core = talking()
    core.reported(None, Saying(1, 0, "t/elsewhere", b"x"), 0.0)
    core.effects()
    core.said(1, accepted=False)
    assert told(core) == [Event("note", "t/elsewhere", 1, "the broker refuses it")]
    assert core.settled == 1


def test_a_kind_that_nobody_knows_is_told_and_passed_over() -> None:
    core = talking()
    core.reported(None, Saying(1, 9, "t/odd"), 0.0)
    assert [event.text for event in told(core)] == ["the board wants something unknown (kind 9)"]
    assert core.settled == 1


def test_a_broker_that_never_answers_is_left() -> None:
    core = talking()
    core.reported(None, Saying(1, 0, "t/device/d/report", b"x"), 0.0)
    core.effects()
    core.next(module.ANSWER_S - 0.1)
    assert core.effects() == []
    core.next(module.ANSWER_S)
    assert [type(effect) for effect in core.effects()] == [Hangup]


def test_grants_nobody_asked_for_change_nothing() -> None:
    core = Core()
    core.granted()
    core.told(ME, 0.0)
    assert core.next(0.0) is Line.WAIT


# Pauses.


def test_an_idle_board_is_polled_ever_more_slowly_and_at_once_when_something_happens() -> None:
    core, now, pauses = talking(), 0.0, []
    for _ in range(8):
        assert core.next(now) is Line.REPORT
        core.reported(None, None, now)
        assert core.next(now) is Line.WAIT
        pauses.append(core.wake - now)
        now = core.wake
    assert pauses[0] == pytest.approx(POLL_S[0])
    assert max(pauses) == pytest.approx(POLL_S[1])
    core.told(ME, now)
    core.reported(None, Saying(1, 0, "t", b""), now)
    core.said(1, accepted=True)
    core.reported(1, None, now)
    assert core.next(now) is Line.WAIT
    assert core.wake - now == pytest.approx(POLL_S[0])


def test_an_idle_board_is_asked_for_its_boot_now_and_then() -> None:
    core = talking()
    core.reported(None, None, ASK_S)
    assert core.next(ASK_S) is Line.ASK


def test_failures_pause_ever_longer_and_are_told_once() -> None:
    core, now = talking(), 0.0
    for expected in (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0):
        core.failed("no answer", now)
        assert core.next(now) is Line.WAIT
        assert core.wake - now == pytest.approx(expected)
        now = core.wake
        assert core.next(now) is Line.ASK
    assert [event.text for event in told(core)] == ["no answer"]
    core.told(ME, now)
    core.failed("no answer", now)
    assert len(told(core)) == 1


def test_submitting_and_reporting_take_turns() -> None:
    core = talking()
    for number in range(3):
        core.arrived(block(number), number + 1)
    lines = []
    for number in range(6):
        line = core.next(0.0)
        lines.append(line)
        if line is Line.SUBMIT:
            core.submitted(0, "OK", 0.0)
        else:
            core.reported(core.settled, Saying(number + 1, 0, "t", b""), 0.0)
            core.said(number + 1, accepted=True)
    assert lines == [Line.REPORT, Line.SUBMIT] * 3
