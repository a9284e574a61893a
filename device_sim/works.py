"""What a device does to its flash, and what brings payloads there: the heavy half of the shell.

Work on more than a little leaves the event loop, and the effects behind it wait; a payload comes while other
effects go on. Nothing that was asked for in one boot is answered in another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from device_sim.aside import LONG_BYTES, Aside
from device_sim.core import effects as do
from device_sim.core.agent import Agent
from device_sim.core.measure import Measurement
from device_sim.faults import Behaviour, damaged
from device_sim.home import Home
from device_sim.platform import Platform
from device_sim.ranges import Transfer
from keys.errors import TocsinError
from keys.reasons import Reason

T = TypeVar("T")


class Ground(Protocol):
    """What works stand on: the shell around one agent."""

    home: Home
    platform: Platform
    behaviour: Behaviour
    agent: Agent | None

    def ask(self, agent: Agent | None, what: Callable[[Agent, float], Sequence[do.Effect]]) -> None:
        """Ask the core, if this agent is still the one that runs, and carry out what it says."""
        ...

    def go_on(self) -> None:
        """Carry out the effects that waited."""
        ...

    def fail(self, error: Exception) -> None:
        """End the device: its flash cannot be used."""
        ...

    def tell(self, kind: str, detail: str = "", reason: Reason = Reason.OK) -> None:
        """Tell an onlooker."""
        ...


class Works:
    """Carries out the effects on flash and payloads of one device.

    Args:
        ground: the shell.
    """

    __slots__ = ("_aside", "_broke", "_ground", "_tag", "_transfer", "_written")

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._aside = Aside()
        self._transfer: Transfer | None = None
        self._tag: tuple[str, str | None] = ("", None)
        """Address fetched last, and the entity tag found there."""
        self._written = 0
        self._broke = False

    @property
    def busy(self) -> bool:
        """True while effects have to wait."""
        return self._aside.busy

    def forget(self) -> None:
        """Let go of everything under way, as a reset does; returns when the flash is quiet."""
        self._stop_fetch(None)
        self._aside.forget()

    def carry_out(self, effect: do.Effect) -> None:
        """Carry out one effect.

        Raises:
            DamagedError: HOME_DAMAGED.
            UnavailableError: HOME_WRITE.
        """
        self._CARRY[type(effect)](self, effect)

    # Flash.

    def _save_boot(self, effect: do.SaveBoot) -> None:
        self._ground.platform.save_boot(effect.record)

    def _erase(self, effect: do.EraseSlot) -> None:
        self._ground.platform.erase(effect.slot, effect.component)

    def _write(self, effect: do.WriteSlot) -> None:
        ground, data = self._ground, effect.data
        self._written += 1
        if self._written == ground.behaviour.breaks_block and data and not self._broke:
            self._broke = True
            data = damaged(data)
            ground.tell("broken", f"block at {effect.offset}")
        ground.platform.write(effect.slot, effect.component, effect.offset, data)

    def _copy(self, effect: do.CopySlot) -> None:
        source, target = (effect.source, effect.source_component), (effect.slot, effect.component)
        platform = self._ground.platform
        self._do(effect.size, lambda: platform.copy(*source, *target, effect.size), lambda _nothing: None)

    def _measure(self, effect: do.MeasureSlot) -> None:
        ground = self._ground
        agent, place = ground.agent, (effect.slot, effect.component, effect.size)

        def measured(found: Measurement) -> None:
            ground.ask(agent, lambda core, now: core.measured(effect.slot, found, now, effect.component))

        self._do(effect.size, lambda: ground.platform.measure(*place), measured)

    def _apply(self, effect: do.ApplyDelta) -> None:
        ground = self._ground
        agent, place = ground.agent, (effect.base, effect.slot, effect.component, effect.size)

        def applied(reason: Reason) -> None:
            ground.ask(agent, lambda core, now: core.applied(reason, now))

        self._do(LONG_BYTES + effect.size, lambda: ground.platform.apply(*place), applied)

    def _do(self, size: int, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do work on so many bytes; the effects behind it wait for it."""
        at_once = True

        def ended(result: Callable[[], T]) -> None:
            if at_once:
                then(result())
                return
            try:
                then(result())
                self._ground.go_on()
            except (TocsinError, OSError) as error:
                self._ground.fail(error)

        self._aside.run(size, work, ended)
        at_once = False

    # Payloads.

    def _run_installer(self, effect: do.RunInstaller) -> None:
        ground, verb = self._ground, effect.verb
        agent = ground.agent

        def answer(reason: Reason) -> None:
            ground.tell("installer", f"{verb}: {reason.name}", reason)
            ground.ask(agent, lambda core, now: core.installer_answered(verb, reason, now))

        ground.tell("installer", verb)
        ground.platform.run(verb, effect.size, answer)

    def _fetch(self, effect: do.Fetch) -> None:
        self._stop_fetch(None)
        ground, uri = self._ground, effect.uri
        agent = ground.agent

        def piece(offset: int, data: bytes) -> None:
            ground.ask(agent, lambda core, now: core.fetched(uri, offset, data, now))
            transfer.taken()

        def end(reason: Reason, detail: str) -> None:
            self._tag, self._transfer = (uri, transfer.tag), None
            if detail:
                ground.tell("fetch", f"{uri}: {detail}", reason)
            ground.ask(agent, lambda core, now: core.fetch_ended(uri, reason, now))

        tag = self._tag[1] if effect.offset and self._tag[0] == uri else None
        tls = ground.home.tls() if uri.startswith("https:") else None
        transfer = self._transfer = Transfer(
            uri, effect.offset, effect.size, piece, end, tls=tls, tag=tag, rate=ground.home.profile.rate
        )

    def _stop_fetch(self, _effect: do.StopFetch | None) -> None:
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            self._tag = (transfer.uri, transfer.tag)
            transfer.stop()

    _CARRY: ClassVar[dict[type[Any], Callable[[Any, Any], None]]] = {
        do.SaveBoot: _save_boot,
        do.EraseSlot: _erase,
        do.WriteSlot: _write,
        do.CopySlot: _copy,
        do.MeasureSlot: _measure,
        do.ApplyDelta: _apply,
        do.RunInstaller: _run_installer,
        do.Fetch: _fetch,
        do.StopFetch: _stop_fetch,
    }
