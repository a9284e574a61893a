"""Flash, a server for payloads and a patching library, as a world has them: pure, and faulty where a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from advisories.suit import delta
from device_sim.core import effects as do
from device_sim.core.measure import measure
from device_sim.core.slots import STAGING
from keys.errors import RefusedError
from keys.reasons import Reason

if TYPE_CHECKING:
    from tests.device_sim.core.world import World

PIECE = 65_536
Serve = Callable[[str, int, int], Iterator[bytes | Reason]]
"""Address, first byte and size -> pieces, and a reason at the end where it breaks off."""


class Flash:
    """What the effects on flash and payloads do in a world."""

    def __init__(self) -> None:
        self.further: dict[tuple[int, int], bytearray] = {}
        """(slot, component) -> what is in it; component 0 lies in the world's ``slots``."""
        self.site: dict[str, bytes] = {}
        """What can be fetched, by address."""
        self.serve: Serve = self.all_of
        self.fetches: list[do.Fetch] = []
        self.stopped = 0
        self._transfer = 0

    def bank(self, w: World, slot: int, component: int = 0) -> bytearray:
        """Return what is in a slot."""
        if component == 0:
            while len(w.slots) <= slot:
                w.slots.append(bytearray())
            return w.slots[slot]
        return self.further.setdefault((slot, component), bytearray())

    def put(self, w: World, slot: int, component: int, data: bytes) -> None:
        """Make a slot hold something."""
        self.bank(w, slot, component)[:] = data

    def carry_out(self, w: World, effect: do.Effect) -> bool:
        """Carry out an effect on flash or payloads; False for any other."""
        match effect:
            case do.EraseSlot(slot, component):
                _writable(w, slot)
                self.put(w, slot, component, b"")
            case do.WriteSlot(slot, offset, data, component):
                _writable(w, slot)
                bank = self.bank(w, slot, component)
                assert offset <= len(bank)
                bank[offset : offset + len(data)] = data
            case do.CopySlot(source, source_component, slot, component, size):
                _writable(w, slot)
                assert not self.bank(w, slot, component), "copies into a slot that is not empty"
                self.put(w, slot, component, bytes(self.bank(w, source, source_component)[:size]))
            case do.MeasureSlot(slot, size, component):
                found = measure(bytes(self.bank(w, slot, component)[:size]))
                w.queue.append(lambda: w.agent.measured(slot, found, w.now, component))
            case do.ApplyDelta():
                _writable(w, effect.slot)
                assert not self.bank(w, effect.slot, effect.component), "rebuilds in a slot that is not empty"
                self._apply(w, effect)
            case do.Fetch():
                self._fetch(w, effect)
            case do.StopFetch():
                self.stopped += 1
                self._transfer += 1
            case _:
                return False
        return True

    def all_of(self, uri: str, offset: int, size: int) -> Iterator[bytes | Reason]:
        """Serve a payload as a good server does."""
        data = self.site.get(uri)
        if data is None:
            yield Reason.BAD_URI
        elif len(data) != size:
            yield Reason.DIGEST_MISMATCH
        else:
            for place in range(offset, size, PIECE):
                yield data[place : place + PIECE]
            yield Reason.OK

    def _apply(self, w: World, effect: do.ApplyDelta) -> None:
        base, staged = bytes(self.bank(w, effect.base, effect.component)), bytes(self.bank(w, STAGING))
        try:
            self.put(w, effect.slot, effect.component, delta.apply(base, staged, effect.size))
            reason = Reason.OK
        except RefusedError as error:
            reason = error.reason
        w.queue.append(lambda: w.agent.applied(reason, w.now))

    def _fetch(self, w: World, effect: do.Fetch) -> None:
        self.fetches.append(effect)
        self._transfer += 1
        number, pieces, uri = self._transfer, self.serve(effect.uri, effect.offset, effect.size), effect.uri
        place = effect.offset

        def go_on() -> list[do.Effect]:
            nonlocal place
            agent, now = w.agent, w.now
            said = next(pieces, None) if number == self._transfer else None
            if said is None:
                return []
            if isinstance(said, Reason):
                return agent.fetch_ended(uri, said, now)
            w.queue.append(go_on)
            place += len(said)
            return agent.fetched(uri, place - len(said), said, now)

        w.queue.append(go_on)


def _writable(w: World, slot: int) -> None:
    assert slot == STAGING or slot != w.agent._session.slot, "writes over the image that runs"
