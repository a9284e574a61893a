"""A device whose power may fail at every write: its flash is copied there, and lives go on from each copy."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from advisories.report import Block
from advisories.versions import format_version
from device_sim.core import effects as do
from device_sim.core.slots import load_record
from keys.reasons import Reason
from tests.device_sim.core.durable import stored
from tests.device_sim.core.flash import Flash
from tests.device_sim.core.handed import Handed

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
FORGOTTEN = frozenset({"_skewed", "queue", "logs", "effects", "wants", "reports", "copies", "wake_at"})
"""What goes with the power, or is of no use to anybody afterwards."""

LOST = "Save: after, and what was written before is lost"

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
    def lost(self) -> bool:
        """What had been written was lost although the state was stored."""
        return self.where.endswith(LOST)

    @property
    def on_trial(self) -> bool:
        """An image had been booted that nobody had confirmed."""
        return bool(load_record(self.world["boot"]).tried or self.world["updater"].tried)


def _copied(value: Any) -> Any:
    if isinstance(value, Flash):
        made = Flash()
        made.further = {place: bytearray(data) for place, data in value.further.items()}
        made.site = value.site
        return made
    if isinstance(value, list):
        return [bytearray(item) if isinstance(item, bytearray) else item for item in value]
    return value.copy() if hasattr(value, "copy") else value


class Plant(Handed):
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
        self.loses = 0
        """So many blocks to come never arrive, but for the first of a payload."""
        self.spoils = 0
        """So many blocks to come arrive with another content."""
        self.deaf = self.fault
        self.piece = 65_536
        """Bytes that a transfer brings at a time."""
        self.breaks = 0
        """So many transfers to come break off in the middle."""
        self.flash.serve = self.serve
        self.lazy = False
        """The disk may lose what was written and not waited for."""
        self.synced = self._flash()
        """What is in flash for certain."""

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
            _skewed=None, queue=deque(), logs=[], effects=[], wants=[], reports=[], wake_at=None
        )
        made.copies, made.seen, made.since = [] if record else None, set(), -1
        made.deaf = made.fault
        made.flash.serve = made.serve
        made.live()
        return made

    # Owner, image and line.

    def carry_out(self, effect: do.Effect) -> None:
        if isinstance(effect, do.SelfTest) and self.hangs:
            return
        if self.copies is not None and isinstance(effect, WRITES):
            self.snap(f"{type(effect).__name__}: before")
            for what, spoilt in self.torn(effect):
                self.snap(f"{type(effect).__name__}: {what}", **spoilt)
        super().carry_out(effect)
        if isinstance(effect, do.SaveBoot):
            self.synced = self._flash()
        if self.copies is not None and isinstance(effect, WRITES):
            self.snap(f"{type(effect).__name__}: after")
            if self.lazy and isinstance(effect, do.Save):
                # Only a boot record waits until the slots are on the disk.
                self.snap(LOST, **self.synced)
        if isinstance(effect, do.AskConsent):
            answer = self.owner(self, effect)
            if answer is not None:
                self.say(answer, effect.question)

    def fault(self, block: Block) -> Block | None:
        if self.loses > 0 and block.offset:
            self.loses -= 1
            return None
        if self.spoils > 0:
            self.spoils -= 1
            return Block(digest=block.digest, offset=block.offset, data=bytes(len(block.data)))
        return block

    def serve(self, uri: str, offset: int, size: int) -> Iterator[bytes | Reason]:
        """Serve a payload in pieces, a second each, as far as the line holds."""
        data = self.flash.site.get(uri)
        if data is None or len(data) != size or not self.serving:
            yield Reason.CONNECTION_LOST
            return
        breaks = self.breaks > 0
        self.breaks -= breaks
        for place in range(offset, size, self.piece):
            self.now += 1
            data_now = data[place : place + self.piece]
            if self.spoils > 0:
                self.spoils -= 1
                data_now = bytes(len(data_now))
            yield data_now
            if breaks and place + self.piece >= offset + (size - offset) // 2:
                yield Reason.CONNECTION_LOST
                return
        yield Reason.OK

    # The power.

    def start(self) -> None:
        if self.copies is not None:
            self.snap("boot record: before")
        super().start()

        self.synced = self._flash()

    def power_cycle(self) -> list[do.Effect]:
        """The plug is pulled, and put back."""
        self.start()
        if self.linked:
            self.join()
        return []

    def snap(self, where: str, **changed: Any) -> None:
        """Copy the world as a power cut here and now would leave it."""
        assert self.copies is not None
        here = {**self.__dict__, **changed}
        slots, further = here["slots"], here["flash"].further
        mark = (
            self.state, self.boot, tuple(map(bytes, slots)), tuple((at, bytes(data)) for at, data in further.items()),
            (self.updater.runs, self.updater.next, self.updater.tried), self.place, self.now, self.stirs,
        )  # fmt: skip
        if mark in self.seen:
            return
        self.seen.add(mark)
        world = {name: _copied(value) for name, value in here.items() if name not in FORGOTTEN}
        self.copies.append(Copy(f"{len(self.copies)} {where}", world))

    def torn(self, effect: do.Effect) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what is in flash when a write was cut in the middle."""
        match effect:
            case do.EraseSlot(slot, component):
                old = bytes(self.flash.bank(self, slot, component))
                if old:
                    yield from self._halves("erased", slot, component, b"", old)
            case do.WriteSlot(slot, offset, data, component):
                start = bytes(self.flash.bank(self, slot, component)[:offset])
                yield from self._halves("written", slot, component, start, data)
            case do.CopySlot(source, source_component, slot, component, size):
                data = bytes(self.flash.bank(self, source, source_component)[:size])
                yield from self._halves("copied", slot, component, b"", data)
            case do.ApplyDelta(_, slot, component, size):
                yield from self._halves("rebuilt", slot, component, b"", bytes(size))

    def _halves(
        self, what: str, slot: int, component: int, start: bytes, data: bytes
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        half = len(data) // 2
        garbage = random.Random(len(self.seen)).randbytes(len(data) - half)
        yield f"half {what}", self._with(slot, component, start + data[:half])
        yield f"half {what}, and garbage", self._with(slot, component, start + data[:half] + garbage)

    def _flash(self) -> dict[str, Any]:
        return {"slots": _copied(self.slots), "flash": _copied(self.flash)}

    def _with(self, slot: int, component: int, data: bytes) -> dict[str, Any]:
        if component == 0:
            slots = [bytearray(old) for old in self.slots]
            slots[slot] = bytearray(data)
            return {"slots": slots}
        flash = _copied(self.flash)
        flash.further[slot, component] = bytearray(data)
        return {"flash": flash}

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
