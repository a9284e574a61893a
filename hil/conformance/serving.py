"""The gateway's side of a row: what the board asks for is brought, and its reports are answered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from advisories.report import Block, Report, Want
from advisories.states import PatchState
from hil.conformance.bench import Bench
from hil.conformance.fleet import NOW
from hil.conformance.patches import BLOCK_BYTES, patch_digest
from hil.conformance.rows import Make, Scene, must
from keys.codec import dump
from keys.reasons import Reason

ROUNDS_MAX: Final = 400
Payloads = Callable[[Scene], Mapping[bytes, bytes]]
"""What can be asked for: SHA-256 -> bytes."""


def by_digest(*payloads: bytes) -> Payloads:
    """Return what can be asked for."""
    return lambda _: {hashlib.sha256(one).digest(): one for one in payloads}


def blocks(payload: bytes, offset: int, digest: bytes = b"") -> Iterable[bytes]:
    """Return the blocks of a payload from an offset on; under another digest where one is given."""
    digest = digest or hashlib.sha256(payload).digest()
    for at in range(offset, len(payload), BLOCK_BYTES):
        yield dump(Block(digest=digest, offset=at, data=payload[at : at + BLOCK_BYTES]))


@dataclass(frozen=True, slots=True)
class Serve:
    """What the board asks for is brought, until its patch stands in one of these states."""

    payloads: Payloads
    until: tuple[PatchState, ...]
    published: Mapping[str, Make] = field(default_factory=dict, hash=False)
    """What lies on topics that it may fetch."""
    which: Callable[[Scene], bytes] = patch_digest
    blocks_max: int = 1_000_000
    """No more than so many blocks are brought: the rest is lost."""
    ends: Reason = Reason.OK
    """Verdict of the block with which it ends."""

    def do(self, bench: Bench, scene: Scene) -> None:
        """Serve."""
        left, said = self.blocks_max, bench.said
        found = None
        for _ in range(ROUNDS_MAX):
            bench.listen(scene)
            topics, said.fetched = said.subscribed[said.fetched :], len(said.subscribed)
            for topic in topics:
                self._publish(bench, scene, topic)
            wants, said.served = said.wants[said.served :], len(said.wants)
            for want in wants:
                left = self._bring(bench, scene, want, left)
            found = bench.patch(scene, self.which(scene))
            if found is not None and found[0] in self.until:
                return
            if left <= 0:
                break
            bench.pass_time(1)
        names = " or ".join(state.name for state in self.until)
        must(self.blocks_max < 1_000_000 and not self.until, f"the patch is {found}, it must become {names}")

    def _publish(self, bench: Bench, scene: Scene, topic: str) -> None:
        for template, make in self.published.items():
            if scene.topic(template) == topic:
                bench.send(topic, make(scene))

    def _bring(self, bench: Bench, scene: Scene, want: Want, left: int) -> int:
        for topic in want.topics:
            self._publish(bench, scene, f"{scene.facts.prefix}/{topic}")
        if want.blocks is None:
            return left
        digest, offset, _ = want.blocks
        payload = self.payloads(scene).get(digest)
        must(payload is not None, "the board wants a payload that nobody offered")
        boot = bench.calm(bench.notifier.info).boot
        for one in blocks(payload or b"", offset, digest):
            if left <= 0 or bench.calm(bench.notifier.info).boot != boot:
                break
            found = bench.send_once(scene.topic("device/{device}/block"), one)
            left -= 1
            if found is None:
                break
            bench.verdict = found
            must(
                found.number in {Reason.OK, self.ends},
                f"a block that was asked for is {found.name} ({found.text})",
            )
        bench.carrier_back(boot)
        return left

    def told(self) -> str:
        """Return it in words."""
        if not self.until:
            return f"{self.blocks_max} blocks are brought, then none"
        return f"what is asked for is brought, until the patch is {' or '.join(s.name for s in self.until)}"


@dataclass(frozen=True, slots=True)
class Reported:
    """The board reports, signed and with its journal; its newest report says this."""

    words: str
    says: Callable[[Report, Scene], bool] = field(hash=False)

    def do(self, bench: Bench, scene: Scene) -> None:
        """Wait for the report."""

        def told() -> bool:
            bench.listen(scene)
            reports = bench.said.reports
            scene.memory["journal"] = tuple(bench.said.journal)
            if reports and self.says(reports[-1], scene):
                return True
            bench.pass_time(1)
            return False

        must(bench.until(told), f"no report says that {self.words}")
        scene.memory["report"] = bench.said.reports[-1]

    def told(self) -> str:
        """Return it in words."""
        return f"a signed report says that {self.words}"


@dataclass(frozen=True, slots=True)
class Answered:
    """The gateway answers the last report, with a receipt unless told otherwise."""

    verdict: Reason = Reason.OK
    fields: Mapping[str, object] = field(default_factory=dict, hash=False)

    def do(self, bench: Bench, scene: Scene) -> None:
        """Answer."""
        report: Report = scene.memory["report"]
        usual = {
            "nonce": report.nonce,
            "receipt": report.order,
            "journal_count": report.journal_count,
            "issued": NOW + 70,
        }
        data = scene.fleet.signed(scene.fleet.answer(**{**usual, **self.fields}))
        found = bench.send(scene.topic("device/{device}/answer"), data)
        must(found.number == self.verdict, f"the answer is {found.name} ({found.text})")

    def told(self) -> str:
        """Return it in words."""
        changed = f" with another {', '.join(self.fields)}" if self.fields else ""
        return f"the gateway answers{changed} -> {self.verdict.name}"
