"""A device whose power may fail at every write: its flash is copied there, and lives go on from each copy."""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from advisories.report import Block
from advisories.versions import format_version
from device_sim.core import effects as do
from device_sim.core.slots import load_record, select
from tests.device_sim.core.durable import stored
from tests.device_sim.core.watched import Watched

WRITES = (
    do.Save,
    do.SaveBoot,
    do.EraseSlot,
    do.WriteSlot,
    do.CopySlot,
    do.ApplyDelta,
    do.RunInstaller,
    do.ForgetWishes,
)
FORGOTTEN = frozenset({"agent", "queue", "logs", "effects", "wants", "reports", "copies", "wake_at"})
"""What goes with the power, or is of no use to anybody afterwards."""

Act = Callable[["Plant"], None]


@dataclass(frozen=True)
class Wait:
    """Let so many seconds pass."""

    seconds: float


Step = Act | Wait


@dataclass(frozen=True)
class Copy:
    """Everything outside the device, and its flash, at the moment the power fails."""

    where: str
    """Which write it was, and how much of it was done."""
    world: Mapping[str, Any]

    @property
    def on_trial(self) -> bool:
        """An image had been booted that nobody had confirmed."""
        return bool(load_record(self.world["boot"]).tried)


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [bytearray(item) if isinstance(item, bytearray) else item for item in value]
    return value.copy() if hasattr(value, "copy") else value


class Plant(Watched):
    """A watched world that follows a script; with ``copies`` it is copied at every write."""

    script: tuple[Step, ...]

    def __init__(
        self, script: tuple[Step, ...], owner: Callable[[Plant, do.AskConsent], str | None], **profile: Any
    ) -> None:
        super().__init__(start=False, **profile)
        self.script = script
        self.place = 0
        self.target: float | None = None
        self.owner = owner
        self.copies: list[Copy] | None = None
        self.since = -1
        """Step before which copies begin."""
        self.seen: set[Any] = set()
        self.held = False
        self.linked = True
        self.hangs = False
        """A self-test is never answered."""
        self.crashing: set[bytes] = set()
        """SHA-256 of images that never come as far as their agent."""
        self.spoils = 0
        """So many blocks to come arrive with another content."""
        self.deaf = self.fault

    def live(self) -> None:
        """Switch on and follow the script from where it stands to its end."""
        self.start()
        self.pump()
        if self.linked:
            self.connect()
        while self.place < len(self.script):
            step = self.script[self.place]
            if isinstance(step, Wait):
                if self.target is None:
                    self.target = self.now + step.seconds
                self.advance(max(0.0, self.target - self.now))
                self.target = None
                self.place += 1
            else:
                # What people do is done once, whatever becomes of the device meanwhile.
                self.place += 1
                self.held = True
                step(self)
                self.held = False
                self.pump()
            if self.copies is None and self.place == self.since:
                self.copies = []

    def pump(self) -> None:
        if not self.held:
            super().pump()

    @classmethod
    def revive(cls, copy: Copy, *, record: bool = False) -> Plant:
        """Give a copy its power back and live to the end of the script."""
        made = cls.__new__(cls)
        made.__dict__.update({name: _copied(value) for name, value in copy.world.items()})
        made.__dict__.update(
            agent=None, queue=deque(), logs=[], effects=[], wants=[], reports=[], wake_at=None
        )
        made.copies, made.seen, made.since = [] if record else None, set(), -1
        made.deaf = made.fault
        made.live()
        return made

    # Owner, image and line.

    def carry_out(self, effect: do.Effect) -> None:
        if isinstance(effect, do.SelfTest) and self.hangs:
            return
        if self.copies is not None and isinstance(effect, WRITES):
            self.snap(f"{type(effect).__name__}: before")
            for what, spoilt in self.torn(effect):
                self.snap(f"{type(effect).__name__}: {what}", slots=spoilt)
        super().carry_out(effect)
        if self.copies is not None and isinstance(effect, WRITES):
            self.snap(f"{type(effect).__name__}: after")
        if isinstance(effect, do.AskConsent):
            answer = self.owner(self, effect)
            if answer is not None:
                self.say(answer, effect.question)

    def fault(self, block: Block) -> Block | None:
        if self.spoils > 0:
            self.spoils -= 1
            return Block(digest=block.digest, offset=block.offset, data=bytes(len(block.data)))
        return block

    # The power.

    def start(self) -> None:
        if self.copies is not None:
            self.snap("boot record: before")
        while True:
            slot, record = select(self.boot)
            if hashlib.sha256(self.slots[slot]).digest() not in self.crashing:
                break
            self.boot = record
        super().start()

    def power_cycle(self) -> list[do.Effect]:
        """The plug is pulled, and put back."""
        self.start()
        if self.linked:
            self.join()
        return []

    def snap(self, where: str, **changed: Any) -> None:
        """Copy the world as a power cut here and now would leave it."""
        assert self.copies is not None
        slots = changed.get("slots", self.slots)
        mark = (self.state, self.boot, tuple(bytes(slot) for slot in slots), self.place, self.now, self.stirs)
        if mark in self.seen:
            return
        self.seen.add(mark)
        world = {
            name: _copied(value)
            for name, value in {**self.__dict__, **changed}.items()
            if name not in FORGOTTEN
        }
        self.copies.append(Copy(f"{len(self.copies)} {where}", world))

    def torn(self, effect: do.Effect) -> Iterator[tuple[str, list[bytearray]]]:
        """Yield what is in the slots when a write was cut in the middle."""
        chance = random.Random(len(self.seen))
        match effect:
            case do.EraseSlot(slot):
                old = self.slots[slot]
                if old:
                    yield "half erased", self._with(slot, old[: len(old) // 2])
                    yield (
                        "half garbage",
                        self._with(slot, old[: len(old) // 2] + chance.randbytes(len(old) // 2)),
                    )
            case do.WriteSlot(slot, offset, data):
                start, half = self.slots[slot][:offset], len(data) // 2
                yield "half written", self._with(slot, start + data[:half])
                yield (
                    "half garbage",
                    self._with(slot, start + data[:half] + chance.randbytes(len(data) - half)),
                )

    def _with(self, slot: int, data: bytes | bytearray) -> list[bytearray]:
        return [bytearray(data) if index == slot else bytearray(old) for index, old in enumerate(self.slots)]

    # How it ends.

    def end(self) -> str:
        """Say how the story ended: patches in order, version that runs, notices, floor."""
        state = stored(self.state or b"")
        patches = sorted((track.sequence, track.state.name) for track in state.patches)
        notices = sorted((track.id, track.state.name) for track in state.notices)
        words = [f"{sequence} {name}" for sequence, name in patches] + [name for _, name in notices]
        return ", ".join([format_version(self.agent.installed), *words])

    def check_end(self) -> None:
        """At rest, the gateway knows what the device knows."""
        state, view = stored(self.state or b""), self.desk.standing
        assert view is not None
        assert self.desk.newest is not None
        assert load_record(self.boot).trial is None
        assert self.desk.newest.installed == self.agent.installed
        assert (view.count, view.head) == (state.journal_count, state.journal_head)
        assert {track.digest: track.state for track in state.patches}.items() <= {
            digest: row.state for digest, row in view.patches.items()
        }.items()
        assert {track.id: track.state for track in state.notices}.items() <= {
            name: row.state for name, row in view.notices.items()
        }.items()
