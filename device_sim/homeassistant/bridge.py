"""A second connection, to the broker of the home: announces the device there, and takes what is pressed.

It never holds the device up: what goes wrong here is told and tried again, and the device knows nothing of
it. Whoever owns that broker can press the buttons and no more: a yes counts for the question that is open,
and windows, conditions and signatures are the core's affair as ever.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from device_sim.core.status import Status, snapshot
from device_sim.homeassistant import discovery
from device_sim.homeassistant.discovery import OFFLINE, ONLINE, Press, Topics
from device_sim.homeassistant.messages import events
from device_sim.homeassistant.settings import Settings
from device_sim.link import BACKOFF_S, MqttLink
from device_sim.outbox import Message
from device_sim.owner import Answer
from device_sim.shell import DeviceShell
from device_sim.tls import client_context
from keys.errors import UnavailableError

PAUSE_S: Final = 0.5
"""Between two announcements: a download changes something with every block."""
SETTLE_S: Final = 2.0
"""After connecting, before events are told: Home Assistant must subscribe to a new device first."""
BIRTHS_S: Final = 10.0
"""Home Assistant may ask for everything once in so many seconds."""
PRESSES_MAX: Final = 6  # presses that are looked at in PRESSES_S
PRESSES_S: Final = 60.0
_ANSWERS: Final[dict[str, Answer]] = {"install": "yes", "later": "defer", "no": "no"}


class HomeLink(MqttLink):
    """A link whose messages the broker keeps (MQTT 5, section 3.3.1.3), but for events."""

    def __init__(self, url: str, topics: Topics, **options: Any) -> None:
        online = topics.leaf("online")
        super().__init__(url, topics.uid, will=(online, OFFLINE), **options)
        self._client.will_set(online, OFFLINE, qos=1, retain=True)
        self._event, self._press = topics.leaf("event"), topics.leaf("press")

    def _send(self, message: Message) -> None:
        retain = message.topic != self._event
        sent = self._client.publish(message.topic, message.payload, qos=1, retain=retain)
        self._outbox.asked[sent.mid] = message

    def _received(self, client: Any, data: Any, message: Any) -> None:
        if not (message.retain and message.topic == self._press):  # a press is made now, or not at all
            super()._received(client, data, message)


class Bridge:
    """Between one device and the broker of its home.

    Args:
        shell: the device; booted before :meth:`start`.
        settings: what the owner decided.
        tell: told in a sentence what an owner may want to read in the log.
        clock: returns UTC seconds.
        pause_s: between two announcements, in seconds.
        settle_s: after connecting, before events are told, in seconds.
        backoff_s: (first, longest) pause before a new attempt to connect.

    Raises:
        InputError: HOME_ASSISTANT or BROKER_URL.
        DamagedError: HOME_DAMAGED, when the ``ca_file`` cannot be used.
    """

    def __init__(
        self,
        shell: DeviceShell,
        settings: Settings,
        *,
        tell: Callable[[str], None] = lambda _text: None,
        clock: Callable[[], float] = time.time,
        pause_s: float = PAUSE_S,
        settle_s: float = SETTLE_S,
        backoff_s: tuple[float, float] = BACKOFF_S,
    ) -> None:
        folder: Path = shell.home.path
        self._shell = shell
        self._settings = settings
        self._tell = tell
        self._pause = pause_s
        self._settle = settle_s
        self._since = int(clock())
        self.topics = Topics(discovery.uid(shell.home.profile.id), settings.prefix)
        tls = client_context(folder / settings.ca_file) if settings.ca_file else None
        self.link = HomeLink(settings.url(folder), self.topics, tls=tls, backoff_s=backoff_s)
        self.link.on_connect, self.link.on_message = self._connected, self._received
        self.link.on_failure = lambda error: tell(f"Home Assistant is no longer told anything: {error}")
        self._said: dict[str, bytes] = {}
        """What was published since the connection stands: topic -> payload."""
        self._before: Status | None = None
        """What events were told up to."""
        self._settled = False
        self._due: asyncio.TimerHandle | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._last = float("-inf")
        self._birth = float("-inf")
        self._presses: deque[float] = deque(maxlen=PRESSES_MAX)
        self._task: asyncio.Task[None] | None = None
        self._other: Callable[[], None] | None = None
        """Whom else the shell tells of changes."""

    def start(self) -> None:
        """Connect in the background, and announce every change from now on."""
        self.link.start_over(self.topics.leaf("press"), self.topics.birth)
        self._other, self._shell.on_change = self._shell.on_change, self._changes
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def stop(self) -> None:
        """Say that the device is off, and disconnect."""
        if self._shell.on_change == self._changes:
            self._shell.on_change = self._other
        for timer in (self._due, self._settling):
            if timer is not None:
                timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.link.connected and self._settings.enabled:
            self.link.publish(self.topics.leaf("online"), OFFLINE)
        await self.link.close()

    def _changes(self) -> None:
        if self._other is not None:
            self._other()
        self.changed()

    def changed(self) -> None:
        """Something may have changed: announce it soon, once for all that changes until then."""
        if self._due is None and self.link.connected:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(max(loop.time(), self._last + self._pause), self._announce)

    async def _connect(self) -> None:
        try:
            await self.link.connect()
        except UnavailableError as error:
            self._tell(f"{error} The device goes on without Home Assistant, and keeps trying.")
            self.link.connect_later(self._pause)

    def _connected(self, _kept: bool) -> None:  # noqa: FBT001 - paho's word, passed on
        if not self._settings.enabled:
            for topic in discovery.all_topics(self.topics):
                self.link.publish(topic, b"")
            self._task = asyncio.get_running_loop().create_task(self._leave())
            return
        self._tell("Announced to Home Assistant.")
        self._said.clear()
        self._settled = False
        if self._settling is not None:
            self._settling.cancel()
        self._settling = asyncio.get_running_loop().call_later(self._settle, self._settles)
        self._announce()

    async def _leave(self) -> None:
        await self.link.close()
        self._tell("Nothing is announced to Home Assistant any more.")

    def _settles(self) -> None:
        self._settled = True
        self._announce()

    def _announce(self) -> None:
        """Say what is new: first how the device is, then what may be pressed, then what happened."""
        loop = asyncio.get_running_loop()
        self._due, self._last = None, loop.time()
        if self._shell.agent is None or not self.link.connected:
            return
        settings, status = self._settings, snapshot(self._shell.agent, self._shell.asked)
        for topic, payload in discovery.states(status, self.topics).items():
            self._say(topic, payload)
        described = discovery.config(
            status,
            self.topics,
            name=settings.name,
            manufacturer=settings.manufacturer,
            buttons=settings.buttons,
        )
        self._say(self.topics.config, described)
        self._say(self.topics.leaf("online"), ONLINE)
        if self._settled:
            for event in events(self._before, status, self._since):
                self.link.publish(self.topics.leaf("event"), event)
            self._before = status

    def _say(self, topic: str, payload: bytes) -> None:
        if self._said.get(topic) != payload and self.link.publish(topic, payload):
            self._said[topic] = payload

    # What comes in: anything, from anybody who may use that broker.

    def _received(self, topic: str, payload: bytes) -> None:
        if topic == self.topics.leaf("press"):
            self._pressed(payload)
        elif topic == self.topics.birth and payload == ONLINE:
            now = asyncio.get_running_loop().time()
            if now >= self._birth + BIRTHS_S:
                self._birth = now
                self._said.clear()
                self.changed()

    def _pressed(self, payload: bytes) -> None:
        now = asyncio.get_running_loop().time()
        agent, press = self._shell.agent, discovery.read_press(payload)
        if len(self._presses) == PRESSES_MAX and now < self._presses[0] + PRESSES_S:
            return
        self._presses.append(now)
        if agent is None or press is None or not self._settings.buttons:
            return
        status = snapshot(agent, self._shell.asked)
        if discovery.counts(status, press):
            self._do(status, press)
        else:
            self._tell(f"'{press.button}' was pressed for what is no longer shown; it counts for nothing.")
        self.changed()

    def _do(self, status: Status, press: Press) -> None:
        """Do what the owner would do at the device itself."""
        if press.button == "acknowledge":
            view = status.foremost
            assert view is not None
            self._shell.acknowledge(view.notice.id)
        else:
            self._shell.consent(_ANSWERS[press.button], press.shown)
