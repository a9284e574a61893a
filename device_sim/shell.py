"""A device around its core: carries out effects in order, and nothing else.

    message, timer, button -> Agent -> effects -> flash, screen, broker, owner

One queue of effects a device: what an effect's answer brings (``measured``, ``tested``) is carried out
after the effects that were asked for before it, so that an older ``Save`` never follows a newer one.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, TypeVar

from device_sim.core import effects as do
from device_sim.core.agent import Agent
from device_sim.display import Display, NoDisplay
from device_sim.faults import GOOD, Behaviour
from device_sim.home import Home
from device_sim.links import Link
from device_sim.owner import Answer, Owner
from device_sim.platform import Platform, SlotPlatform
from device_sim.timers import Timers
from device_sim.works import Works
from keys.errors import TocsinError, UnavailableError
from keys.reasons import Reason

ONLINE: Final = b"1"
OFFLINE: Final = b"0"
ENTROPY_BYTES: Final = 32

T = TypeVar("T")
_WHY_NOT_SHOWN: Final = {"FONT_MISSING": Reason.FONT_MISSING, "SCRIPT_UNSUPPORTED": Reason.FONT_MISSING}
"""A display's error -> why a notice is not shown; any other is DISPLAY_FAILED."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something an onlooker may want to see, as it happens."""

    device: str
    kind: str
    """connected, disconnected, booted, shown, acknowledged, asked, announced, answered, tested, broken,
    fetch, installer, log, display, failed or stopped."""
    detail: str = ""
    reason: Reason = Reason.OK
    """Of a log; OK where it says no more than that something happened."""


class DeviceShell:
    """One running device.

    Args:
        home: its folder.
        link: how it reaches the gateway.
        owner: who looks at it; None nobody.
        display: where notices are drawn.
        timers: shared by all devices of one process; None makes one.
        clock: returns UTC seconds.
        behaviour: scripted trouble.
        platform: where its software lies; None: the folder's slots.
        artefacts: address below which payloads lie, where its profile does not say it.
        boot_s: how long a reboot keeps it off the air, in seconds.
        on_event: told what happens.
        make_agent: the core.
    """

    __slots__ = (
        "_alarms",
        "_artefacts",
        "_asked",
        "_boot_s",
        "_clock",
        "_deaf",
        "_effects",
        "_make_agent",
        "_on_event",
        "_running",
        "_timers",
        "_wake",
        "_works",
        "agent",
        "announced",
        "asked",
        "behaviour",
        "display",
        "failure",
        "home",
        "link",
        "on_change",
        "owner",
        "platform",
    )

    def __init__(
        self,
        home: Home,
        link: Link,
        *,
        owner: Owner | None = None,
        display: Display | None = None,
        timers: Timers | None = None,
        clock: Callable[[], float] = time.time,
        behaviour: Behaviour = GOOD,
        platform: Platform | None = None,
        artefacts: str | None = None,
        boot_s: float = 0.0,
        on_event: Callable[[Event], None] | None = None,
        make_agent: Callable[..., Agent] = Agent,
    ) -> None:
        self.home = home
        self.link = link
        self.owner = owner
        self.display: Display = display or NoDisplay()
        self.behaviour = behaviour
        self.agent: Agent | None = None
        self.failure: Exception | None = None
        """Why the device stopped by itself."""
        self.asked: do.AskConsent | None = None
        """The last question of this boot, answered or not."""
        self.announced: do.Announce | None = None
        """The last announcement of this boot."""
        self.on_change: Callable[[], None] | None = None
        """Called whenever effects have been carried out: what an onlooker sees may have changed."""
        self.platform: Platform = platform or SlotPlatform(home)
        self._artefacts = artefacts
        self._timers = timers or Timers(clock)
        self._clock = clock
        self._boot_s = boot_s
        self._on_event = on_event
        self._make_agent = make_agent
        self._effects: deque[do.Effect] | None = None
        self._running = False
        self._deaf = False
        self._wake: float | None = None
        self._asked = 0.0
        """When the last alarm was asked for."""
        self._alarms: list[float] = []
        self._works = Works(self)

    # Life.

    def boot(self) -> None:
        """Boot from flash: the boot loader's choice, a new agent, its first effects.

        Raises:
            DamagedError: HOME_DAMAGED, BOOT_RECORD or a damaged state, naming the file.
            UnavailableError: HOME_WRITE.
        """
        link = self.link
        link.on_connect, link.on_disconnect = self._connected, self._disconnected
        link.on_message, link.on_failure = self._received, self._fail
        self._running = True
        self._boot()

    def _boot(self) -> None:
        home = self.home
        self._works.forget()
        self._effects = None  # a reset forgets what it had not done
        self._wake = None
        self.asked = self.announced = None
        profile = home.profile
        if profile.artefacts is None and self._artefacts is not None:
            profile = replace(profile, artefacts=self._artefacts)
        try:
            slot, runs = self.platform.boot()
            self.agent = self._make_agent(
                profile,
                home.signer,
                home.read_state(),
                root_1=home.root_1,
                entropy=os.urandom(ENTROPY_BYTES),
                now=self._clock(),
                able=self.display.able,
            )
        except TocsinError as error:
            error.where = error.where or str(home.path)
            raise
        filters = profile.topics.device_filters(profile.product, profile.languages[0], profile.id)
        self.link.start_over(*filters)
        self.tell("booted", f"slot {slot}")
        if self.display.remark:
            self.tell("display", self.display.remark)
        self._do(self.agent.booted(slot, runs, self._clock()))

    async def stop(self) -> None:
        """Say goodbye on ``online``, send what is waiting, disconnect. State is on the disk already."""
        self._running = False
        self._works.forget()
        if self.link.connected:
            self.link.publish(self._topic("online"), OFFLINE)
        await self.link.close()
        self.tell("stopped")

    def _fail(self, error: Exception) -> None:
        self._running = False
        self._works.forget()
        self.failure = error
        self.tell("failed", str(error))

    def _guarded(self, action: Callable[[float], Sequence[do.Effect]]) -> None:
        """Ask the core, from a timer or button, and carry out what it says."""
        if self._running and self.agent is not None:
            try:
                self._do(action(self._clock()))
            except (TocsinError, OSError) as error:
                self.link.give_up(error)

    def ask(self, agent: Agent | None, what: Callable[[Agent, float], Sequence[do.Effect]]) -> None:
        """Ask the core, unless it was reset since, and carry out what it says."""
        if agent is not None and agent is self.agent:
            self._guarded(lambda now: what(agent, now))

    def fail(self, error: Exception) -> None:
        """End the device for good."""
        self.link.give_up(error)

    # What comes in.

    def _connected(self, _kept: bool) -> None:  # noqa: FBT001 - paho's word, passed on
        assert self.agent is not None
        self._deaf = False
        self.link.publish(self._topic("online"), ONLINE)
        self.tell("connected")
        self._do(self.agent.connected(self._clock()))

    def _disconnected(self, why: str) -> None:
        assert self.agent is not None
        self.tell("disconnected", why)
        self._do(self.agent.disconnected(self._clock()))

    def _received(self, topic: str, payload: bytes) -> None:
        assert self.agent is not None
        if self._running and not self._deaf:
            self._do(self.agent.receive(topic, payload, self._clock()))

    def acknowledge(self, advisory: str | None = None) -> None:
        """The owner says: I have read it (the notice shown last, or this one)."""
        agent = self.agent
        if agent is not None:
            self.tell("acknowledged", advisory or "")
            self._guarded(lambda now: agent.acknowledge(now, advisory))

    def consent(self, answer: Answer, question: bytes | None = None) -> None:
        """The owner says whether to install; it counts for that question only, or for the one asked last."""
        agent = self.agent
        if agent is not None:
            self.tell("answered", answer)
            asked = () if question is None else (question,)
            self._guarded(lambda now: agent.consent(answer, now, *asked))

    def look_at_clock(self) -> None:
        """Let the core do what is due by now, and hear of a clock that was set."""
        if self.agent is not None:
            self._guarded(self.agent.tick)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call ``action`` after a while, as long as the device runs."""
        self._timers.at(self._clock() + seconds, lambda: action() if self._running else None)

    def _tick(self) -> None:
        self._alarms.pop()
        now = self._clock()
        if self._wake is None or self.agent is None:
            return
        if now < self._wake:
            self._set_alarm(self._wake)
            if now >= self._asked:
                return  # an older alarm; the right one is set
        else:
            self._wake = None
        self._guarded(self.agent.tick)  # or the clock was put back since, and the core must hear of it

    def _set_alarm(self, time: float) -> None:
        """Be called at ``time``, unless that will happen before anyway: alarms never pile up."""
        if not self._alarms or time < self._alarms[-1]:
            self._alarms.append(time)
            self._timers.at(time, self._tick)

    # What goes out.

    def _do(self, effects: Sequence[do.Effect]) -> None:
        """Carry out effects in order; answers queue up behind what was asked before."""
        if self._effects is not None:
            self._effects.extend(effects)
            return
        self._effects = deque(effects)
        self.go_on()

    def go_on(self) -> None:
        """Carry out what waits, until it has to wait again."""
        queue = self._effects
        try:
            while queue and self._effects is queue and not self._works.busy:
                effect = queue.popleft()
                carry = self._CARRY.get(type(effect))
                if carry is None:
                    self._works.carry_out(effect)
                else:
                    carry(self, effect)
        finally:
            if self._effects is queue and not self._works.busy:
                self._effects = None
                if self.on_change is not None:
                    self.on_change()

    def _publish(self, effect: do.Publish) -> None:
        self.link.publish(effect.topic, effect.payload)

    def _subscribe(self, effect: do.Subscribe) -> None:
        self.link.subscribe(effect.filter)

    def _unsubscribe(self, effect: do.Unsubscribe) -> None:
        self.link.unsubscribe(effect.filter)

    def _save(self, effect: do.Save) -> None:
        self.home.save_state(effect.state)

    def _reboot(self, _effect: do.Reboot) -> None:
        if not self.platform.restart():
            return  # it may take long, and a warning does not wait for it
        self.link.drop(self._boot_s)
        self._deaf = self.link.connected  # a device that restarts hears nothing until it is back
        self._boot()

    def _self_test(self, _effect: do.SelfTest) -> None:
        assert self.agent is not None
        ok = not self.behaviour.fails_self_test
        self.tell("tested", "passed" if ok else "failed")
        self._do(self.agent.tested(ok, self._clock()))

    def _show(self, effect: do.Show) -> None:
        assert self.agent is not None
        notice, reason = effect.notice, Reason.OK
        try:
            self.display.show(effect, self.home.profile, self.agent.installed)
        except UnavailableError as error:
            reason = _WHY_NOT_SHOWN.get(error.code, Reason.DISPLAY_FAILED)
            self.tell("display", str(error))
        if reason is Reason.OK:
            confirmed = "confirmed" if effect.confirmed else "not confirmed current"
            self.tell("shown", f"{notice.id} revision {notice.revision}, {confirmed}")
        self._do(self.agent.displayed(notice.id, notice.revision, reason, self._clock()))
        if reason is Reason.OK and self.owner is not None:
            self.owner.shown(self, effect)

    def _ask(self, effect: do.AskConsent) -> None:
        self.tell("asked", effect.version)
        self.asked = effect
        if self.owner is not None:
            self.owner.asked(self, effect)

    def _announce(self, effect: do.Announce) -> None:
        self.announced = effect
        self.tell("announced", effect.version)
        if self.owner is not None:
            self.owner.announced(self, effect)

    def _forget_wishes(self, _effect: do.ForgetWishes) -> None:
        self.home.forget_wishes()  # they are read at the next boot, which the core asks for in time

    def _log(self, effect: do.Log) -> None:
        self.tell("log", f"{effect.reason.name}: {effect.text}", effect.reason)

    def _wake_at(self, effect: do.WakeAt) -> None:
        self._wake = effect.time  # the last one counts
        self._asked = self._clock()
        self._set_alarm(effect.time)

    def _topic(self, leaf: str) -> str:
        return self.home.profile.topics.device(self.home.profile.id, leaf)

    def tell(self, kind: str, detail: str = "", reason: Reason = Reason.OK) -> None:
        """Tell whoever looks on."""
        if self._on_event is not None:
            self._on_event(Event(self.home.profile.id, kind, detail, reason))

    _CARRY: ClassVar[dict[type[Any], Callable[[Any, Any], None]]] = {
        do.Publish: _publish,
        do.Subscribe: _subscribe,
        do.Unsubscribe: _unsubscribe,
        do.Save: _save,
        do.Reboot: _reboot,
        do.SelfTest: _self_test,
        do.Show: _show,
        do.AskConsent: _ask,
        do.Announce: _announce,
        do.ForgetWishes: _forget_wishes,
        do.Log: _log,
        do.WakeAt: _wake_at,
    }
