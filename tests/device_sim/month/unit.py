"""One device of the virtual month: with an owner of its own kind, a line that fails, and a way to sleep."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from advisories.states import PATCH_ENDED
from device_sim.core import effects as do
from device_sim.core.profile import AutoConsent, Conditions, Window
from tests.device_sim.core.truth import is_open
from tests.device_sim.core.world import PowerCutError, World
from tests.device_sim.month.office import Office
from tests.helpers import DAY, HOUR

LANGUAGES = ("en", "de", "fr", "pl", "fi")
ZONES = ("UTC", "Europe/Berlin", "Europe/Lisbon", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
OWNERS = ("agrees", "agrees", "agrees", "agrees", "puts it off", "puts it off", "declines", "is away")
BAD = (1, 4, 9, 0)
"""The version that fails its self-test everywhere."""

At = Callable[[float, "Unit", str, Any], None]


class Unit(World):
    """A device; ``at`` makes an appointment: (UTC second, unit, what, with what)."""

    def __init__(self, office: Office, name: str, seed: str, at: At) -> None:
        self.chance = chance = random.Random(seed)
        self.office = office
        self.at = at
        self.owner = chance.choice(OWNERS)
        self.deferrals = chance.randint(1, 3)
        self.put_off: Counter[str] = Counter()
        """Version -> how often the owner was asked and had no time."""
        self.deep = chance.random() < 0.5
        """Sleeps without power; else only its radio sleeps."""
        self.rest = chance.choices((0.0, 2.0, 3.0, 4.0), (1, 32, 34, 33))[0] * DAY
        """Seconds from one waking to the next; 0: never sleeps."""
        self.skew = chance.choice((0.0, 0.0, 0.0, -90.0, 240.0))
        """By how much its clock is wrong."""
        self.loss = chance.choice((0.0, 0.0, 0.02, 0.1))
        self.own: dict[str, bytes] = {}
        self.powered = False
        self.calm = False
        """The line is good and the battery full: the month is nearly over."""
        self.cuts = 0
        self.due: float | None = None
        """The alarm that stands in the queue of the month."""
        language = chance.choice(LANGUAGES)
        zone = chance.choice(ZONES)
        start = chance.choice((None, 60, 1_380))
        super().__init__(
            office.fleet,
            start=False,
            id=name,
            languages=tuple(dict.fromkeys((language, "en"))),
            auto_consent=chance.choice(
                (AutoConsent.NEVER, AutoConsent.NEVER, AutoConsent.URGENT, AutoConsent.ALWAYS)
            ),
            zone=ZoneInfo(zone),
            windows=() if start is None else (Window(start, (start + 240) % 1_440),),
        )
        self.battery = chance.random() < 0.4

    # Its days.

    def power(self) -> None:
        """Switch on and connect."""
        self.powered = True
        self.guard(self._power)

    def _power(self) -> None:
        self.start()
        self.run(self.feel())
        self.pump()
        self.join()
        self.pump()

    def feel(self) -> list[do.Effect]:
        """The battery has some charge or other, or is full when all is calm."""
        charge = self.chance.randint(5, 100) if self.battery and not self.calm else None
        return self.agent.conditions(Conditions(battery=charge), self.now)

    def morning(self, time: float) -> float:
        """Return when it comes to the net next: not before ``time``, and inside a window if it has one."""
        while not is_open(self.profile, int(time)):
            time += HOUR / 2
        return time

    def wake(self) -> None:
        """Come to the net for a while."""
        if not self.powered:
            if not self.calm and self.chance.random() < 0.05:
                self.cut_at = self.durable + self.chance.randint(1, 30)
            self.power()
        else:
            self.act(self.feel)
            if not self.online:
                self.guard(self.connect)

    def sleep(self) -> None:
        self.cut_at = None
        if self.powered and self.deep:
            self.powered = self.online = False
            self.agent = None  # type: ignore[assignment]
            self.wake_at = None
            self.queue.clear()
        elif self.powered and self.online:
            self.guard(self.disconnect)

    def alarm(self) -> None:
        """The agent asked to be woken."""
        self.wake_at = None
        self.act(lambda: self.agent.tick(self.now))

    def act(self, event: Callable[[], list[do.Effect]]) -> None:
        """Let something happen to the agent, if it is there."""
        if self.powered:
            self.queue.append(event)
            self.guard(self.pump)

    def guard(self, action: Callable[[], None]) -> None:
        """Do something in the middle of which the power may fail."""
        try:
            action()
        except PowerCutError:
            self.cuts += 1
            self.cut_at = None
            self.powered = self.online = False
            self.wake_at = None
            self.queue.clear()
            self.at(self.now + self.chance.choice((1, 300, 6 * HOUR)), self, "wake", None)

    # What World does otherwise.

    def run(self, effects: list[do.Effect]) -> None:
        for effect in effects:
            if not isinstance(effect, do.Log):
                self.carry_out(effect)

    def carry_out(self, effect: do.Effect) -> None:
        match effect:
            case do.Subscribe(topic):
                self.extra.add(topic)
                payload = self.office.shared.get(topic)
                if payload is not None:
                    self.deliver(topic, payload)
                return
            case do.SelfTest():
                self.healthy = self.agent.installed != BAD
            case do.AskConsent():
                self.ask(effect)
            case do.Show():
                if self.chance.random() < 0.3:
                    self.at(self.now + self.chance.randint(60, 2 * DAY), self, "acknowledge", None)
        super().carry_out(effect)

    def ask(self, question: do.AskConsent) -> None:
        """The owner reads the question and answers some time later, or never."""
        if self.owner == "is away":
            return
        answer = {"agrees": "yes", "declines": "no"}.get(self.owner, "defer")
        self.put_off[question.version] += answer == "defer"
        if answer == "defer" and (
            self.calm or question.final or self.put_off[question.version] > self.deferrals
        ):
            answer = "yes"
        delay = self.chance.randint(5, 300) if self.deep else self.chance.randint(60, 8 * HOUR)
        self.at(self.now + delay, self, "answer", (answer, question.question))

    def join(self) -> None:
        self.online = True
        self.queue.append(lambda: self.agent.connected(self.now))
        for topic in self.office.topics_of(self.profile.languages[0]):
            self.deliver(topic, self.office.shared[topic])
        for topic, payload in self.own.items():
            self.deliver(topic, payload)

    def deliver(self, topic: str, payload: bytes) -> None:
        """Hand over a message: once, twice, late or never."""
        fate = self.chance.random() if self.loss and not self.calm else 1.0
        if fate < self.loss:
            return
        super().deliver(topic, payload)
        if fate < self.loss * 2:
            super().deliver(topic, payload)
        elif fate < self.loss * 3:
            self.queue.rotate(self.chance.randint(0, 2))

    def gateway(self, topic: str, payload: bytes) -> None:
        if not self.online:
            return
        if self.loss and not self.calm and self.chance.random() < self.loss / 2:
            # The link breaks: what was under way is gone.
            self.queue.append(self.break_off)
            return
        self.office.take(self, topic, payload)

    def break_off(self) -> list[do.Effect]:
        """The link breaks and comes back a little later."""
        if self.online:
            self.online = False
            self.extra.clear()
            self.at(self.now + self.chance.randint(5, 600), self, "wake", None)
            return self.agent.disconnected(self.now)
        return []

    @property
    def busy(self) -> bool:
        """Something is under way that would go on if it stayed awake."""
        return any(track.state not in PATCH_ENDED for track in self.agent.patches)
