"""The owner's answer on both devices: it is bound to the question that stood there when the last step ended.

The Python device compares the question that was asked with the one that is answered. The C device need not: from the
end of a step until the answer nothing changes of what a question is made of. Here everything that can happen comes
before an answer, alone and after everything else, and both hold the answer for one to the same question.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from advisories.notice import Notice, Phase
from advisories.report import Consented, open_report, question
from advisories.states import PatchState
from device_sim.core.profile import AutoConsent
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from keys.signer import from_seed
from tests.device_sim.core.world import World
from tests.helpers import DAY, DEVICE, HOUR, NOW, PRODUCT, notice, text, timestamp

from .build import Core
from .device_of_c import FLEET, OLD, PREFIX, SEQUENCE, Device, firmware

FIRST, ID, OTHER = "EX-2026-0000", "EX-2026-0001", "EX-2026-0002"
OF_DEVICE = f"device/{DEVICE}/"
KEY = from_seed(bytes(32)).public
"""Of the C device, whose maker wrote no seed."""


class Both:
    """The C device and the Python device, to which the same happens at the same time; their owners are asked."""

    def __init__(self, core: Core, **changes: Any) -> None:
        self.c = Device(core, **changes)
        self.patch = self.c.digest
        self.now = NOW + 60
        self.py = World(auto_consent=AutoConsent.NEVER, slot_bytes=core.constants["TN_SLOT_BYTES"])
        self.py.serving = self.py.receipting = False
        self.py.slots[0] = bytearray(firmware(OLD))
        self.py.restart()
        self.say(f"notice/{PRODUCT}/{ID}", FLEET.seal(self.header()))
        self.say(f"text/{PRODUCT}/en/{ID}", dump(text()))
        self.is_current()
        self.offered()
        self.say(f"patch/{PRODUCT}/{SEQUENCE}", self.c.envelope)

    def header(self, **fields: Any) -> Notice:
        """A notice that names the patch."""
        return notice(FLEET, **({"id": ID, "patches": {PRODUCT: (self.patch,)}} | fields))

    # What happens.

    def say(self, topic: str, data: bytes) -> None:
        """Hand both a message."""
        self.c.put(topic, data)
        self.py.send(PREFIX + topic, data)

    def told(self, **fields: Any) -> None:
        """A notice comes."""
        header = self.header(**fields)
        self.say(f"notice/{PRODUCT}/{header.id}", FLEET.seal(header))

    def shown(self, advisory: str, **fields: Any) -> None:
        """A notice comes, and its words behind it."""
        self.told(id=advisory, **fields)
        self.say(f"text/{PRODUCT}/en/{advisory}", dump(text()))

    def spoken(self) -> None:
        """The other notice's words come; the C device keeps none before their header (``tn_text_take``)."""
        if any(track.id == OTHER for track in self.py.agent.notices):
            self.say(f"text/{PRODUCT}/en/{OTHER}", dump(text()))

    def is_current(self, **changes: Any) -> None:
        """The catalogue comes, and a timestamp of this moment."""
        listed = replace(self.c.catalogue, **changes)
        stamp = timestamp(FLEET, listed, version=self.now + len(changes), issued=self.now)
        self.say(f"timestamp/{PRODUCT}", FLEET.seal(stamp))
        self.say(f"catalogue/{PRODUCT}", FLEET.seal(listed))

    def offered(self, **changes: Any) -> None:
        """An offer comes."""
        self.say(OF_DEVICE + "offer", FLEET.seal(self.c.offer(**changes)))

    def walks(self) -> None:
        """The next root comes, under which the same people sign."""
        body = FLEET.next_root(issued=NOW + 1)
        self.say("root/2", seal(body, [FLEET.holder("root-1"), FLEET.holder("root-2")]))

    def turns(self, seconds: int) -> None:
        """The clocks go on; nobody looks at them."""
        self.now += seconds
        self.py.now = self.now
        self.c.core.set_utc(self.now)
        self.c.core.set_ms((self.now - NOW) * 1_000)

    def later(self, seconds: int) -> None:
        """Time passes."""
        self.turns(seconds)
        self.py.advance(0)
        self.c.tick()

    def restart(self) -> None:
        """Both are switched off and on."""
        self.c.boot()
        self.turns(0)
        self.c.tick()
        self.py.restart()

    def carrier(self, *, up: bool) -> None:
        """The way to the gateway opens, or closes."""
        self.c.lib.tn_agent_connected(up)
        self.py.connect() if up else self.py.disconnect()

    def acknowledge(self) -> None:
        """The owner takes note of what is shown."""
        self.c.lib.tn_agent_acknowledge()
        self.py.run(self.py.agent.acknowledge(self.now))
        self.py.pump()

    def blind(self, *, is_blind: bool) -> None:
        """The displays fail, or work again."""
        self.c.lib.test_blind(is_blind)
        self.py.surface = Reason.DISPLAY_FAILED if is_blind else Reason.OK

    def answers(self, said: str) -> None:
        """The owner answers what is asked now."""
        self.c.consent({"defer": "later"}.get(said, said))
        self.py.run(self.py.agent.consent(said, self.now, self.py.asks[-1].question))  # type: ignore[arg-type] # a row
        self.py.pump()

    # What came of it.

    @property
    def asked(self) -> bytes | None:
        """The question that stands there: what Python asked last. None: nothing is asked."""
        is_asked = self.py.patch_track(self.patch).state is PatchState.WAITING_FOR_CONFIRMATION
        self.c.lib.tn_patches_asking.restype = ctypes.c_void_p
        assert (self.c.lib.tn_patches_asking() is not None) is is_asked
        return self.py.asks[-1].question if is_asked else None

    def consents(self) -> tuple[Consented | None, Consented | None]:
        """Return what each will report of its owner's consent."""
        self.carrier(up=True)
        self.later(600)
        said = None
        while head := self.c.lib.tn_out_head():
            out = head.contents
            if self.c.lib.tn_topic_word(out.topic) == b"report":
                data = ctypes.string_at(out.data.address, out.data.length)
                patches = open_report(data, KEY, fleet=FLEET.id, device=DEVICE).patches
                said = next(one.consent for one in patches if one.digest == self.patch)
            self.c.lib.tn_out_acknowledge(out.number)
        return said, self.py.patch_track(self.patch).consent


EVENTS: dict[str, Callable[[Both], object]] = {
    "nothing": lambda both: both.later(1),
    "a notice that names the patch": lambda both: both.told(id=OTHER, issued=NOW + 1),
    "a graver notice": lambda both: both.told(id=OTHER, severity=4),
    "a notice as grave and as new": lambda both: both.told(id=OTHER),
    "one whose name comes first": lambda both: both.told(id=FIRST),
    "a notice that names two patches": lambda both: both.told(
        id=OTHER, severity=4, patches={PRODUCT: (bytes(32), both.patch)}
    ),
    "a milder notice": lambda both: both.told(id=OTHER, severity=0),
    "a notice that names other patches": lambda both: both.told(id=OTHER, severity=4, patches={}),
    "a notice for other versions": lambda both: both.told(id=OTHER, severity=4, affected={}),
    "its words": Both.spoken,
    "another notice, shown": lambda both: both.shown(OTHER, severity=4),
    "a revision": lambda both: both.told(revision=2, version=NOW + 2, phase=Phase.CORRECTION),
    "a revision with the same words": lambda both: both.told(revision=3, version=NOW + 3, same_since=1),
    "a revision that names it no more": lambda both: both.told(revision=4, version=NOW + 4, patches={}),
    "a withdrawal": lambda both: both.told(revision=9, version=NOW + 9, phase=Phase.WITHDRAWN),
    "its own words once more": lambda both: both.say(f"text/{PRODUCT}/en/{ID}", dump(text())),
    "other words": lambda both: both.say(f"text/{PRODUCT}/en/{ID}", dump(text(title="Do nothing"))),
    "a note of it": Both.acknowledge,
    "a blind display": lambda both: both.blind(is_blind=True),
    "a display that works": lambda both: both.blind(is_blind=False),
    "the same catalogue": Both.is_current,
    "a catalogue without the patch": lambda both: both.is_current(version=NOW + 8, patches=()),
    "the same offer": Both.offered,
    "an offer with another end": lambda both: both.offered(version=NOW + 1, deadline=NOW + DAY),
    "an offer taken back": lambda both: both.offered(version=NOW + 7, cancel=True),
    "its envelope once more": lambda both: both.say(f"patch/{PRODUCT}/{SEQUENCE}", both.c.envelope),
    "the next root": Both.walks,
    "noise": lambda both: both.say(OF_DEVICE + "answer", b"\xff"),
    "a carrier lost": lambda both: both.carrier(up=False),
    "a carrier found": lambda both: both.carrier(up=True),
    "a restart": Both.restart,
    "hours": lambda both: both.later(7 * HOUR),
    "days": lambda both: both.later(4 * DAY),
    "the end of the notice": lambda both: both.later(91 * DAY),
    "a deferral": lambda both: both.answers("defer"),
}
"""Everything that can come between a question and its answer."""
CHANGING = {
    "a notice that names the patch",
    "a notice as grave and as new",
    "a notice that names two patches",
    "another notice, shown",
    "a graver notice",
    "a revision",
    "a revision with the same words",
    "a revision that names it no more",
    "a withdrawal",
}
"""After these it is another question."""
SILENT = {
    "a catalogue without the patch",
    "an offer taken back",
    "days",
    "the end of the notice",
    "a deferral",
}
"""After these nothing is asked."""

BEFORE = CHANGING | {"a note of it", "a blind display", "a carrier lost", "a restart", "the next root"}
"""What leaves something behind that another event may meet."""


def is_bound(both: Both, seconds: int) -> None:
    """Let the owner agree after so many seconds in which nothing happened: it is to what stood there before."""
    asked = both.asked
    if asked is None:
        assert both.c.consent("yes") is Reason.BUSY
        return
    both.turns(seconds)
    both.answers("yes")
    of_c, of_python = both.consents()
    assert of_c == of_python
    assert of_c is not None
    assert of_c.question == asked


def test_what_is_asked_and_what_changes_the_question(core: Core) -> None:
    found: dict[str, set[str]] = {"changing": set(), "silent": set()}
    for name, happens in EVENTS.items():
        both = Both(core)
        first = both.asked
        assert first == question(both.patch, both.py.notice_track(ID).digest, text().digest(), "en")
        happens(both)
        kind = "silent" if both.asked is None else "changing" if both.asked != first else ""
        found.setdefault(kind, set()).add(name)
    assert found["changing"] == CHANGING
    assert found["silent"] == SILENT


@pytest.mark.parametrize("seconds", [0, 100 * DAY])
@pytest.mark.parametrize("last", EVENTS)
def test_an_answer_is_for_what_stood_there_when_the_last_step_ended(
    core: Core, last: str, seconds: int
) -> None:
    """However long the owner thinks: until the answer no step is made."""
    both = Both(core)
    EVENTS[last](both)
    is_bound(both, seconds)


@pytest.mark.parametrize("last", ["nothing", "a blind display", "the end of the notice", "a restart"])
def test_a_patch_without_words_speaks_the_language_of_what_was_read(core: Core, last: str) -> None:
    """Where nothing was shown either, nothing is what the owner agreed to read."""
    both = Both(core, texts={})
    asked = question(both.patch, both.py.notice_track(ID).digest, text().digest(), "en")
    assert both.asked == asked
    EVENTS[last](both)
    is_bound(both, 0)


def test_a_question_of_no_words_at_all_has_no_language(core: Core) -> None:
    both = Both(core, texts={})
    both.told(revision=4, version=NOW + 4, phase=Phase.CORRECTION)
    assert both.asked == question(both.patch, both.py.notice_track(ID).digest, None, None)
    is_bound(both, 0)
    both = Both(core, texts={})
    both.told(revision=4, version=NOW + 4, patches={})
    assert both.asked == question(both.patch, None, None, None)
    is_bound(both, 0)


def test_it_is_put_off_three_times_and_no_more(core: Core) -> None:
    both = Both(core)
    both.offered(version=NOW + 1, deadline=NOW + 9 * DAY, expires=NOW + 9 * DAY)
    for _ in range(3):
        assert both.asked is not None
        both.answers("defer")
        assert both.asked is None
        both.later(DAY)
        both.is_current()
    assert both.asked is not None
    both.answers("defer")
    assert both.asked is not None
    is_bound(both, 0)


@pytest.mark.parametrize(("seconds", "is_late"), [(-1, False), (0, True), (1, True)])
def test_in_its_last_quarter_it_is_put_off_no_more(core: Core, seconds: int, *, is_late: bool) -> None:
    both = Both(core)
    both.offered(version=NOW + 1, deadline=NOW + 4 * HOUR)
    both.later(3 * HOUR - 60 + seconds)
    both.answers("defer")
    assert (both.asked is not None) is is_late
    if is_late:
        is_bound(both, 0)


@pytest.mark.slow
@pytest.mark.parametrize("first", sorted(BEFORE))
def test_it_is_so_after_everything_that_came_before(core: Core, first: str) -> None:
    for last in EVENTS:
        both = Both(core)
        EVENTS[first](both)
        EVENTS[last](both)
        is_bound(both, 100 * DAY)
