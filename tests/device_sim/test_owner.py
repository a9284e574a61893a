import asyncio
import io
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from device_sim.core.effects import Announce, AskConsent
from device_sim.faults import (
    GOOD,
    Behaviour,
    breaks_download,
    damaged,
    declines,
    defers,
    fails_self_test,
    offline_until,
)
from device_sim.owner import ConsoleOwner, SimulatedOwner
from device_sim.timers import Timers
from tests.device_sim.test_display import shown


class Panel:
    """The buttons of a device, and a clock that a test turns."""

    def __init__(self) -> None:
        self.pressed: list[str] = []
        self.answered: list[bytes] = []
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def acknowledge(self, advisory: str | None = None) -> None:
        self.pressed.append(f"read {advisory}" if advisory else "read")

    def consent(self, answer: str, question: bytes) -> None:
        self.pressed.append(answer)
        self.answered.append(question)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self.waiting.append((seconds, action))

    def wait(self) -> None:
        waiting, self.waiting = self.waiting, []
        for _, action in waiting:
            action()


def ask(*, final: bool = False, **fields: Any) -> AskConsent:
    return AskConsent("1.4.2", None, final, **{"question": b"q", "left": 3, **fields})


def test_an_owner_reads_a_notice_once_even_when_it_is_drawn_again() -> None:
    panel, owner = Panel(), SimulatedOwner(random.Random(1))
    owner.shown(panel, shown(confirmed=False))
    owner.shown(panel, shown(confirmed=True))
    panel.wait()
    assert panel.pressed == [f"read {shown().notice.id}"]


def test_an_owner_takes_as_long_as_the_dice_say_and_reads_before_agreeing() -> None:
    panel, owner = Panel(), SimulatedOwner(random.Random(1), GOOD, (2.0, 3.0))
    owner.shown(panel, shown())
    owner.asked(panel, ask())
    reading, agreeing = (seconds for seconds, _ in panel.waiting)
    assert 2.0 <= reading <= 3.0
    assert 2.0 <= agreeing - reading <= 3.0
    panel.wait()
    assert panel.pressed == [f"read {shown().notice.id}", "yes"]
    owner.asked(panel, ask())
    assert 2.0 <= panel.waiting[0][0] <= 3.0


@pytest.mark.parametrize(
    ("behaviour", "answers"),
    [
        (GOOD, ["yes"]),
        (declines(), ["no"]),
        (defers(2), ["defer", "defer", "yes"]),
    ],
)
def test_an_owner_answers_as_the_script_says(behaviour: Behaviour, answers: list[str]) -> None:
    panel, owner = Panel(), SimulatedOwner(random.Random(1), behaviour)
    for _ in answers:
        owner.asked(panel, ask())
        owner.asked(panel, ask())  # asked twice before an answer: one answer
        panel.wait()
    assert panel.pressed == answers


def test_a_final_question_cannot_be_deferred() -> None:
    panel, owner = Panel(), SimulatedOwner(random.Random(1), defers(9))
    owner.asked(panel, ask(final=True))
    panel.wait()
    assert panel.pressed == ["yes"]


@pytest.mark.parametrize(
    ("typed", "pressed", "said"),
    [
        (["", "y"], ["read", "yes"], "Install version 1.4.2 now?"),
        (["L"], ["defer"], "l(ater)"),
        (["no"], ["no"], "Press Enter"),
        (["maybe", "n"], ["no"], "Type y, l or n."),
        (["y", "y"], ["yes"], "nothing to answer"),
    ],
)
def test_a_person_at_a_terminal_is_asked_and_answers(typed: list[str], pressed: list[str], said: str) -> None:
    panel, out = Panel(), io.StringIO()
    owner = ConsoleOwner(out)
    owner.typed("y")  # nothing was shown yet
    owner.shown(panel, shown())
    owner.asked(panel, ask())
    for line in typed:
        owner.typed(line + "\n")
    assert panel.pressed == pressed
    assert said in out.getvalue()


def test_a_final_question_offers_no_later_and_says_so() -> None:
    out = io.StringIO()
    ConsoleOwner(out).asked(Panel(), ask(final=True, left=0))
    assert "later" not in out.getvalue()
    assert "This is the last reminder" in out.getvalue()


@pytest.mark.parametrize(("left", "says"), [(3, "3 more times"), (1, "once more")])
def test_a_person_reads_what_the_patch_does_mends_and_how_often_it_may_wait(left: int, says: str) -> None:
    out = io.StringIO()
    ConsoleOwner(out).asked(Panel(), replace(ask(text="Closes the hole.", left=left), notice=shown().notice))
    lines = out.getvalue().splitlines()
    assert lines[0] == "Closes the hole."
    assert shown().notice.id in lines[1]
    assert says in lines[2]


@pytest.mark.parametrize(("urgent", "says"), [(True, "urgent, and agreed"), (False, "installed: agreed")])
def test_a_person_is_told_of_what_is_installed_without_a_question(urgent: bool, says: str) -> None:
    out = io.StringIO()
    owner = ConsoleOwner(out)
    owner.announced(Panel(), Announce("1.4.2", None, urgent, 0))
    assert "1.4.2" in out.getvalue()
    assert says in out.getvalue()
    SimulatedOwner(random.Random(1)).announced(Panel(), Announce("1.4.2", None, urgent, 0))


def test_an_answer_is_to_the_question_that_was_asked_last() -> None:
    person, out = Panel(), io.StringIO()
    typing = ConsoleOwner(out)
    simulated, dice = Panel(), SimulatedOwner(random.Random(1))
    for question in (b"first", b"second"):
        typing.asked(person, ask(question=question))
        dice.asked(simulated, ask(question=question))
    typing.typed("y")
    simulated.wait()
    assert person.answered == simulated.answered == [b"second"]


def test_scripts_join_and_the_later_one_wins() -> None:
    event = asyncio.Event()
    both = offline_until(event) | breaks_download(3) | fails_self_test() | defers(1) | breaks_download(4)
    assert both == Behaviour(offline_until=event, breaks_block=4, fails_self_test=True, defers=1)
    assert both | declines() == Behaviour(
        offline_until=event, breaks_block=4, fails_self_test=True, defers=1, declines=True
    )


def test_damage_turns_one_bit() -> None:
    assert damaged(b"\x00abc") == b"\x01abc"


async def test_timers_ring_in_order_and_not_before_their_time() -> None:
    now = [100.0]
    timers = Timers(lambda: now[0])
    rung: list[str] = []
    done = asyncio.Event()

    def ring(name: str) -> None:
        rung.append(name)
        if name == "last":
            done.set()

    timers.at(100.02, lambda: ring("second"))
    timers.at(100.01, lambda: ring("first"))
    timers.at(999.0, lambda: ring("never"))

    def later() -> None:
        now[0] = 100.03
        timers.at(100.03, lambda: ring("last"))

    timers.at(100.02, later)
    now[0] = 100.02
    async with asyncio.timeout(10):
        await done.wait()
    assert rung == ["first", "second", "last"]
    timers.stop()
    timers.stop()


async def test_stopped_timers_do_not_ring() -> None:
    timers = Timers(lambda: 0.0)
    rung: list[int] = []
    timers.at(0.0, lambda: rung.append(1))
    timers.stop()
    done = asyncio.Event()
    timers.at(0.0, done.set)
    async with asyncio.timeout(10):
        await done.wait()
    assert not rung
