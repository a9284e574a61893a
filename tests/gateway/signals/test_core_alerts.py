"""Once for each state; again when it lasts, or comes back after it was well for long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core import alerts as core
from gateway.core.alerts import Alert, AlertKind, Raised

NOW = 1_700_000_000.0
GATE = Alert(AlertKind.GATE, "r-1", "paused", "Rollout r-1 paused by itself.", "Look at it.")
SOON = Alert(AlertKind.CLOCK, "INC-1 cra early-warning", "due-soon", "It is due.", "Send it.")
OVER = Alert(AlertKind.CLOCK, "INC-1 cra early-warning", "overdue", "It is overdue.", "Send it.")


def test_each_state_is_told_once() -> None:
    told, kept = core.due([SOON, GATE, GATE], {}, NOW)
    assert told == sorted([SOON, GATE])
    told, kept = core.due([GATE, SOON], kept, NOW + 60)
    assert told == []
    told, kept = core.due([GATE, OVER], kept, NOW + 120)
    assert told == [OVER]
    assert set(kept) == {SOON.key, GATE.key, OVER.key}


def test_what_comes_and_goes_does_not_ring_each_time() -> None:
    _, kept = core.due([GATE], {}, NOW)
    _, kept = core.due([], kept, NOW + 600)
    told, kept = core.due([GATE], kept, NOW + 1_200)
    assert told == []
    _, kept = core.due([], kept, NOW + 1_200 + core.FORGET_SECONDS)
    assert kept == {}
    assert core.due([GATE], kept, NOW + 9_000)[0] == [GATE]


def test_what_lasts_is_told_again() -> None:
    _, kept = core.due([GATE], {}, NOW)
    later = NOW + core.REMIND_SECONDS
    told, kept = core.due([GATE], kept, later)
    assert told == [GATE]
    assert kept[GATE.key] == Raised(later, later)


def test_a_clock_that_was_set_back_silences_nothing() -> None:
    _, kept = core.due([GATE], {}, NOW + 1e6)
    assert core.due([GATE], kept, NOW)[0] == [GATE]
    assert core.due([], kept, NOW)[1] == {}


def test_mails_say_what_to_do_and_are_plain() -> None:
    hostile = Alert(
        AlertKind.GATE, "r\r\nBcc: x", "s", "One\r\nBcc: evil@example.com" + "y" * 500, "Two\x1b[2J."
    )
    subject = core.subject(hostile, exercise=True)
    assert subject.startswith("[EXERCISE] Tocsin: One  Bcc")
    assert subject.isprintable()
    assert len(subject) < 220
    text = core.text(hostile, exercise=True)
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.startswith("This is an exercise.")
    assert "What to do: Look at it." in core.text(GATE, exercise=False)
    assert core.subject(GATE, exercise=False) == "Tocsin: Rollout r-1 paused by itself."


ALERTS = st.lists(st.sampled_from([GATE, SOON, OVER]), max_size=4)


@given(st.lists(st.tuples(ALERTS, st.floats(0, 5_000)), max_size=12))
def test_nothing_that_stands_badly_stays_untold(rounds: list[tuple[list[Alert], float]]) -> None:
    now, kept, ever = NOW, dict[str, Raised](), set[str]()
    for found, pause in rounds:
        now += pause
        told, kept = core.due(found, kept, now)
        ever |= {alert.key for alert in told}
        assert {alert.key for alert in found} <= set(kept) & ever
        assert len(told) == len(set(told))
