"""From facts to a device's screen: a matter that is withdrawn ends there, and a correction is shown again."""

from __future__ import annotations

from advisories.compose import Release, compose
from advisories.facts import load_facts
from advisories.facts.texts import TEXT_FIELDS
from advisories.notice import Phase, Text
from advisories.phases import require_phase
from advisories.states import NoticeState
from advisories.story import Past
from advisories.templates import template
from advisories.templates.writing import Answers, Concerned, write
from advisories.versions import parse_range
from keys.codec import load
from tests.device_sim.core.stories import world
from tests.device_sim.core.world import FLEET, World
from tests.helpers import NOW, PRODUCT

ID = "EX-2026-0042"
S = NoticeState


def release(name: str, revision: int, *, phase: str | None = None) -> Release:
    answers = Answers(
        id=ID,
        exercise=False,
        holder="exercise-engineering",
        languages=("en",),
        source="en",
        products={PRODUCT: Concerned(name="Thermostat", affected=(parse_range(">=1.0.0 <1.4.2"),))},
        happened=f"Revision {revision} says so.",
        contact="support@example.com",
    )
    text = write(template(name), answers)
    if phase is not None:
        text = text.replace("phase: initial", f"phase: {phase}")
        text = text.replace("    title:", "    changed: It was no false alarm.\n    title:")
    facts = load_facts(text, where="facts.yaml")
    known = {1: (), 2: ("initial",), 3: ("initial", "withdrawn")}[revision]
    require_phase(facts, [Past(revision=n, phase=phase, issued=n) for n, phase in enumerate(known, 1)])
    return compose(
        facts,
        fleet=FLEET.id,
        issued=NOW + revision,
        revision=revision,
        exercise=False,
        version=NOW + revision,
    )


def publish(to: World, made: Release) -> None:
    to.notice(made.header, texts=())
    to.publish(to.topics.text(PRODUCT, "en", ID), made.texts["en"])


def test_a_withdrawal_reaches_those_who_were_told_and_a_correction_is_shown_again() -> None:
    told, late = world(), world()
    publish(told, release("vulnerability-with-fix", 1))
    assert told.path(ID)[-1] is S.SHOWN
    for device in (told, late):
        publish(device, release("false-alarm-withdrawn", 2))
        assert device.notice_track(ID).header.phase is Phase.WITHDRAWN
        assert device.path(ID)[-1] is S.WITHDRAWN
    assert [(show.notice.revision, show.text.title) for show in told.shows] == [
        (1, "Please install update"),
        (2, "Notice withdrawn"),
    ]
    assert late.shows == []  # who never heard of it is not troubled

    again = release("vulnerability-with-fix", 3, phase="correction")
    for device in (told, late):
        publish(device, again)
        assert device.path(ID)[-3:] == [S.DELIVERED, S.VERIFIED, S.SHOWN]
        assert device.shows[-1].notice.phase is Phase.CORRECTION
        assert device.shows[-1].text.happened == "Revision 3 says so."
    assert [show.notice.revision for show in told.shows] == [1, 2, 3]


def test_what_the_device_shows_is_what_was_written() -> None:
    device = world()
    made = release("false-alarm-withdrawn", 2)
    publish(device, release("data-breach", 1))
    publish(device, made)
    written = load(Text, made.texts["en"], size_max=1_024)
    shown = device.shows[-1].text
    assert {name: getattr(shown, name) for name in TEXT_FIELDS} == {
        name: getattr(written, name) for name in TEXT_FIELDS
    }
