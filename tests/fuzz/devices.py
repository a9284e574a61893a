"""The same device twice, in C and in Python: a message is handed to both, and both say what they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from device_sim.core import effects as do
from device_sim.core.agent import Agent
from keys.reasons import Reason
from tests.advisories import suit_case
from tests.device_sim.core.world import World
from tests.fuzz.seeds import current, fleet, seeds
from tests.helpers import DEVICE, NOW, PRODUCT
from tests.hil.refdevice import build
from tests.hil.refdevice.device_of_c import PREFIX, Device

TOPICS: Mapping[str, str] = {
    "root": "root/2",
    "timestamp": f"timestamp/{PRODUCT}",
    "catalogue": f"catalogue/{PRODUCT}",
    "notice": f"notice/{PRODUCT}/EX-2026-0001",
    "text": f"text/{PRODUCT}/en/EX-2026-0001",
    "pages": f"pages/{PRODUCT}/en/EX-2026-0001",
    "patch": f"patch/{PRODUCT}/7",
    "offer": f"device/{DEVICE}/offer",
    "answer": f"device/{DEVICE}/answer",
    "block": f"device/{DEVICE}/block",
}
"""Kind of a document -> where it lies, below the prefix."""

KINDS: Mapping[str, int] = {
    "root": 2, "timestamp": 2, "catalogue": 2, "notice": 3, "text": 1, "pages": 1, "patch": 3, "offer": 2,
    "answer": 1, "block": 1,
}  # fmt: skip
"""Kind -> how often it is asked about, beside the others."""

PAGE, UNIT = 4_096, 8
ERASED = b"\xff" * UNIT

AGAIN = 12
"""After so many messages both begin anew: they count what they refuse."""


@dataclass
class Situation:
    """What a device has accepted before it is asked."""

    messages: tuple[tuple[str, bytes], ...]

    @cached_property
    def world(self) -> World:
        """The Python device, in this situation."""
        made = World(
            fleet(),
            auto_consent=False,
            vendor_id=suit_case.VENDOR,
            class_id=suit_case.CLASS,
            languages=("en",),
        )
        made.now = NOW + 60
        made.serving = made.receipting = False
        made.connect()
        for kind, data in self.messages:
            made.send(PREFIX + TOPICS[kind], data)
        return made


@cache
def situations() -> dict[str, Situation]:
    """Name -> situation."""
    s = seeds()
    known = current()
    told = (*known, ("notice", s["notice"][0]), ("text", s["text"][0]))
    return {
        "new": Situation(()),
        "current": Situation(known),
        "told": Situation(told),
        "offered": Situation((*known, ("offer", s["offer"][0]))),
        "asking": Situation((*told, ("offer", s["offer"][0]), ("patch", s["patch"][0]))),
    }


class Pair:
    """Both devices in one situation."""

    def __init__(self, core: build.Core, situation: Situation) -> None:
        self._core = core
        self._situation = situation
        self.c = Device(core)
        for kind, data in situation.messages:
            self.c.put(TOPICS[kind], data)
        self._flash = _written(core.flash())
        self._left = 0
        self._held = False
        self.agent: Agent

    def ask(self, kind: str, data: bytes) -> tuple[Reason, Reason]:
        """Return what C and Python say of a message."""
        if self._left == 0:
            self._anew()
        self._left -= 1
        known = self._refused.get((kind, data))
        answers = self.c.put(TOPICS[kind], data), self._python(kind, data)
        if answers == (Reason.OK, known):
            # An offer that was taken and led to nothing: that it says nothing new is no refusal for C.
            answers = Reason.OK, Reason.OK
        if Reason.OK in answers or self._held or self._core.reset_asked:
            self._left = 0
        return answers

    def _anew(self) -> None:
        self._left = AGAIN
        self._refused: dict[tuple[str, bytes], Reason] = {}
        self._core.new()
        self._core.set_utc(NOW + 60)
        for at, data in self._flash:
            self._core.flash_load(at, data)
        self.c.boot()
        world = self._situation.world
        slot, running = world.select()
        self.agent = Agent(
            world.profile,
            fleet().device(world.profile.id, world.profile.product),
            world.state,
            root_1=world.root_1,
            entropy=b"entropy",
            now=world.now,
            able=world.able,
        )
        self.agent.booted(slot, running, world.now)
        self.agent.connected(world.now)

    def _python(self, kind: str, data: bytes) -> Reason:
        effects = self.agent.receive(PREFIX + TOPICS[kind], data, self._situation.world.now)
        logs = [one for one in effects if isinstance(one, do.Log)]
        refusals = (one.reason for one in logs if one.reason not in {Reason.OK, Reason.SUCCESS})
        answer = next(refusals, Reason.OK)
        # What is held is judged again when a newer root comes, and told then: C holds nothing.
        self._held = any(one.text.startswith("held") for one in logs)
        if answer is Reason.OK and not any(isinstance(one, do.Save) for one in effects):
            # What was refused before is passed over in silence: as `submit` does, say why it was refused.
            return self._refused.get((kind, data), Reason.OK)
        if answer is not Reason.OK:
            self._refused[kind, data] = answer
        return answer


def _written(flash: bytes) -> list[tuple[int, bytes]]:
    """Return the units that were written, and where: the others are erased, and may be written."""
    found: list[tuple[int, bytes]] = []
    for at in range(0, len(flash), PAGE):
        page = flash[at : at + PAGE]
        if page == ERASED * (PAGE // UNIT):
            continue
        units = (at + start for start in range(0, PAGE, UNIT) if page[start : start + UNIT] != ERASED)
        found.extend((unit, flash[unit : unit + UNIT]) for unit in units)
    return found
