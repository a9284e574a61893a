"""What a life at random is made of: the device, the line that it hangs on, and how power cuts are survived.

The life itself, with people and nature, is :class:`tests.device_sim.core.life.Life`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from advisories.report import Block
from device_sim.core import effects as do
from device_sim.core.measure import measure
from device_sim.core.profile import AutoConsent, Platform, Window
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from tests.device_sim.core.handed import Handed
from tests.device_sim.core.world import FLEET, PowerCutError
from tests.helpers import DEVICE, HOUR, PRODUCT, key, notice

_ANY = st.integers(0, 10_000)


class Device(Handed):
    """A watched device of which messages are remembered, held back, and brought again."""

    def __init__(self, **profile: Any) -> None:
        self.past: list[tuple[str, bytes]] = []
        self.late: list[tuple[str, bytes]] | None = None
        """What was held back; None: everything comes at once."""
        self.torn = 0
        self.catalogue: Any = None
        self.spoils = 0
        """So many blocks to come arrive with another content."""
        super().__init__(start=False, **profile)
        self.deaf = self.fault

    def fault(self, block: Block) -> Block:
        if self.spoils > 0:
            self.spoils -= 1
            return Block(digest=block.digest, offset=block.offset, data=bytes(len(block.data)))
        return block

    def deliver(self, topic: str, payload: bytes) -> None:
        self.past.append((topic, payload))
        del self.past[:-400]
        if self.late is not None and len(self.late) < 40:
            self.late.append((topic, payload))
        else:
            super().deliver(topic, payload)

    def patch(self, sequence: int = 7, data: bytes | None = None, **fields: Any) -> bytes:
        self.flash.site["https://example.com/fw"] = data or b""
        return super().patch(sequence, data, **fields)

    def current(self, *notices: Any, **fields: Any) -> Any:
        self.catalogue = super().current(*notices, **fields)
        return self.catalogue

    def carry_out(self, effect: do.Effect) -> None:
        try:
            super().carry_out(effect)
        except PowerCutError:
            if isinstance(effect, do.WriteSlot) and self.torn:
                half = effect.offset + len(effect.data) // 2
                rest = random.Random(self.torn).randbytes(len(effect.data) // 2 * (self.torn % 2))
                self.slots[effect.slot][half:] = rest
            raise


class OnTheLine(RuleBasedStateMachine):
    """One device, and what comes to it."""

    steps: ClassVar[int] = 0
    seen: ClassVar[Counter[str]] = Counter()

    @initialize(
        wish=st.sampled_from(AutoConsent),
        windows=st.sampled_from([(), (), (Window(7 * 60, 9 * 60),), (Window(23 * 60, 60),)]),
        defer_max=st.integers(0, 2),
        site=st.sampled_from([None, None, "https://gateway.example.com"]),
        platform=st.sampled_from(
            [Platform.SLOTS, Platform.SLOTS, Platform.SLOTS, Platform.INSTALLER, Platform.NONE]
        ),
    )
    def made(
        self,
        wish: AutoConsent,
        windows: tuple[Window, ...],
        defer_max: int,
        site: str | None,
        platform: Platform,
    ) -> None:
        self.w = Device(
            auto_consent=wish,
            windows=windows,
            defer_max=defer_max,
            defer_seconds=HOUR,
            artefacts=site,
            platform=platform,
        )
        self.revision = 0
        self.headers: tuple[Any, ...] = ()
        self.patches: list[tuple[int, bytes]] = []
        self.live(self.w.restart)

    def live(self, action: Callable[[], None]) -> None:
        """Do something in the middle of which the power may fail, again and again."""
        type(self).steps += 1
        while True:
            try:
                action()
                self.w.pump()
            except PowerCutError:
                self.w.cut_at = None
                action = self.w.restart
                self.note("power cut")
            else:
                return

    def note(self, what: str) -> None:
        type(self).seen[what] += 1

    # What comes on the line.

    @precondition(lambda self: self.w.past)
    @rule(which=_ANY, times=st.integers(1, 2))
    def the_past_comes_again(self, which: int, times: int) -> None:
        topic, payload = self.w.past[which % len(self.w.past)]
        self.live(lambda: [Handed.deliver(self.w, topic, payload) for _ in range(times)] and None)

    @precondition(lambda self: self.w.past)
    @rule(which=_ANY, where=_ANY, cut=st.sampled_from([0, 0, 1, 40]))
    def a_message_comes_elsewhere(self, which: int, where: int, cut: int) -> None:
        payload = self.w.past[which % len(self.w.past)][1]
        topic = self.w.past[where % len(self.w.past)][0]
        self.live(lambda: Handed.deliver(self.w, topic, payload[: len(payload) - cut]))

    @rule()
    def messages_are_held_back(self) -> None:
        if self.w.late is None:
            self.w.late = []

    @rule(order=st.randoms(use_true_random=False))
    def what_was_held_back_comes(self, order: random.Random) -> None:
        found, self.w.late = self.w.late or [], None
        order.shuffle(found)
        self.live(lambda: [Handed.deliver(self.w, *message) for message in found] and None)

    @rule()
    def the_link_breaks(self) -> None:
        def act() -> None:
            self.w.disconnect()
            self.w.advance(30)
            self.w.connect()

        self.live(act)

    @rule(payload=st.binary(max_size=30), receipts=st.booleans(), serving=st.booleans())
    def somebody_forges(self, payload: bytes, receipts: bool, serving: bool) -> None:
        self.w.receipting, self.w.serving = receipts or self.w.receipting, serving or self.w.serving
        topic = self.w.topics.notice(PRODUCT, "EX-2026-0001")
        self.live(lambda: self.w.send(topic, payload or seal(notice(FLEET), [key("nobody")])))

    @rule(receipts=st.booleans(), serving=st.booleans())
    def the_gateway_is_busy(self, receipts: bool, serving: bool) -> None:
        self.w.receipting, self.w.serving = receipts, serving

    @precondition(lambda self: self.w.payloads)
    @rule(
        which=_ANY, offset=st.sampled_from([0, 1, 4_096]), length=st.integers(1, 900), foreign=st.booleans()
    )
    def blocks_come_unasked(self, which: int, offset: int, length: int, foreign: bool) -> None:
        wanted = list(self.w.payloads)[which % len(self.w.payloads)]
        digest = bytes(32) if foreign else wanted
        block = dump(Block(digest=digest, offset=offset, data=bytes(length)))
        self.live(lambda: Handed.deliver(self.w, self.w.topics.device(DEVICE, "block"), block))

    @rule(
        uri=st.sampled_from(["https://example.com/fw", "artefact/", "https://example.com/other"]),
        offset=st.sampled_from([0, 1, 700, 1 << 30]),
        data=st.binary(max_size=900),
        ends=st.sampled_from([None, Reason.OK, Reason.CONNECTION_LOST, Reason.TOO_BIG]),
    )
    def pieces_come_unasked(self, uri: str, offset: int, data: bytes, ends: Reason | None) -> None:
        def act() -> None:
            self.w.run(self.w.agent.fetched(uri, offset, data, self.w.now))
            if ends is not None:
                self.w.run(self.w.agent.fetch_ended(uri, ends, self.w.now))

        self.live(act)

    @rule(
        what=st.sampled_from(["measured", "applied", "installer", "displayed", "tested"]),
        slot=st.integers(0, 2),
        verb=st.sampled_from(["install", "confirm", "revert"]),
        reason=st.sampled_from([Reason.OK, Reason.BUSY, Reason.UPDATE_FAILED]),
    )
    def the_shell_answers_unasked(self, what: str, slot: int, verb: str, reason: Reason) -> None:
        def act() -> None:
            agent, now = self.w.agent, self.w.now
            found = {
                "measured": lambda: agent.measured(slot, measure(b"unasked"), now, 1),
                "applied": lambda: agent.applied(reason, now),
                "installer": lambda: agent.installer_answered(verb, reason, now),
                "displayed": lambda: agent.displayed("EX-2026-0001", self.revision + 1, reason, now),
                "tested": lambda: agent.tested(True, now),
            }[what]
            self.w.run(found())

        self.live(act)
