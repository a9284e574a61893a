"""The world of the core's tests with a real board in it, reached over the wire alone.

Broker and gateway are those of ``tests/device_sim/core/world.py``; what stands between them and the board
is what a bridge does: it stages and submits, takes reports, and says when the way is open.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from advisories import smp
from device_sim.home import Home
from device_sim.serial.link import Kind
from tests.device_sim.core.world import World
from tests.device_sim.serial.wire import OLD, Wire


class SerialWorld(World):
    """A board on a line, and everything on the other side of it."""

    def __init__(self, folder: Path, **profile: Any) -> None:
        super().__init__(start=False, **profile)
        key = self.fleet.device(self.profile.id, self.profile.product)
        Home.create(folder / "home", self.profile, key, self.root_1, OLD, durable=False)
        self.folder = folder / "home"
        self.wire: Wire = None  # type: ignore[assignment]
        self.fault: tuple[int, str] | None = None
        self.boot_id = b""
        self.writes_at_first = 0
        self.verdicts: list[str] = []

    @property
    def agent(self) -> Any:
        return self.wire.board.machine.agent

    @agent.setter
    def agent(self, _: Any) -> None:
        pass

    @property
    def running(self) -> int:
        return int(self.wire.state()["slot"])

    def start(self) -> None:
        self.queue.clear()
        self.online = False
        self.extra.clear()
        self.boots += 1
        assert self.boots < 50, "the device restarts for ever"
        if self.wire is not None:
            self.wire.close()
        self.wire = Wire(Home.open(self.folder, durable=False), clock=lambda: self.now)
        state = self.wire.state()
        self.boot_id = state["boot"]
        if self.boots == 1:
            self.writes_at_first = state["writes"]
        if self.fault is not None:
            fault, self.fault = self.fault, None
            self.wire.act(smp.NOTIFIER_FAULT, at=fault[0], when=fault[1])

    def join(self) -> None:
        self.online = True
        self.wire.act(smp.NOTIFIER_CARRIER, up=True)
        for topic, payload in list(self.retained.items()):
            if self.hears(topic):
                self.deliver(topic, payload)

    def disconnect(self) -> None:
        self.online = False
        self.extra.clear()
        self.wire.act(smp.NOTIFIER_CARRIER, up=False)

    def filters(self) -> set[str]:
        return set(self.wire.ask(smp.NOTIFIER_INFO)["filters"])

    def deliver(self, topic: str, payload: bytes) -> None:
        def say() -> list[Any]:
            self.verdicts.append(self.wire.submit(topic, payload)["name"])
            return []

        self.queue.append(say)

    def pump(self) -> None:
        rounds = 0
        while True:
            rounds += 1
            assert rounds < 2_000, "the device never comes to rest"
            if self.queue:
                self.queue.popleft()()
            boot = self.wire.ask(smp.NOTIFIER_INFO)["boot"]
            if boot != self.boot_id:
                self.boot_id = boot
                self.queue.clear()
                if self.online:
                    self.join()
            for kind, topic, data in self.wire.take():
                self._said(kind, topic, data)
            if not self.queue:
                return

    def _said(self, kind: int, topic: str, data: bytes) -> None:
        if kind == Kind.SUBSCRIBE:
            for found, payload in list(self.retained.items()):
                if found == topic:
                    self.deliver(found, payload)
        elif kind == Kind.PUBLISH and not topic.endswith("/online"):
            self.gateway(topic, data)

    def advance(self, seconds: float) -> None:
        """Let time pass in steps; the board's own timers run by another clock."""
        target = self.now + seconds
        while self.now < target:
            self.now = min(target, self.now + 1.0)
            self.wire.board.machine.shell.look_at_clock()
            self.pump()

    def close(self) -> None:
        if self.wire is not None:
            self.wire.close()
