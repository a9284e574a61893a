"""The steps of the flows: each can be done again, as a broker and an owner would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from advisories.report import Report, journal_genesis, journal_head
from advisories.smp import Rc
from advisories.states import PATCH_ENDED, NoticeState, PatchState
from hil.conformance import patches
from hil.conformance.bench import Bench
from hil.conformance.fleet import NOW
from hil.conformance.rows import PLAIN, Make, Scene, Step, must
from hil.conformance.serving import Serve, by_digest
from hil.conformance.steps import Notice, Send
from hil.conformance.table.common import ID, TO, genuine, signed
from hil.errors import SmpRefused
from keys.reasons import Reason

from .walk import ROUNDS_MAX, CutBench

N, P, R = NoticeState, PatchState, Reason
SPARE_OFFERS = 3
"""New offers of a patch whose trial the power has ended."""


@dataclass(frozen=True)
class Does:
    """A step in words, and what it does."""

    words: str
    act: Callable[[Any, Scene], object] = field(hash=False)
    forgets: bool = False
    """It makes the board forget everything: floors and journal begin anew."""

    def do(self, bench: Bench, scene: Scene) -> None:
        """Do it."""
        self.act(bench, scene)

    def told(self) -> str:
        """Return it in words."""
        return self.words


UP = Does("the way to the gateway opens", lambda bench, _: bench.carrier())


def _acknowledge(bench: CutBench, scene: Scene) -> None:
    try:
        bench.calm(lambda: bench.notifier.press("acknowledge"))
    except SmpRefused as error:
        must(error.rc == Rc.EBADSTATE, error.message)
    Notice(ID, N.ACKNOWLEDGED).do(bench, scene)


ACKNOWLEDGE = Does("the owner acknowledges", _acknowledge)


def presses(button: str, state: PatchState, which: Callable[[Scene], bytes]) -> Does:
    """The owner answers, unless that was stored before the power went: then the patch has gone on from there."""

    def act(bench: CutBench, scene: Scene) -> None:
        found = bench.patch(scene, which(scene))
        must(found is not None, "the patch is forgotten")
        if found is not None and found[0] is P.WAITING_FOR_CONFIRMATION:
            bench.calm(lambda: bench.notifier.press(button))
            found = bench.patch(scene, which(scene))
        must(found is not None and found[0] is state, f"with {button} the patch is {found}")

    return Does(f"the owner presses {button}", act)


def refused(topic: str, make: Make, reason: Reason) -> Does:
    """A message is refused; what was refused before is not looked at again, and changes nothing either."""

    def act(bench: CutBench, scene: Scene) -> None:
        before = bench.state()
        found = bench.send(scene.topic(topic), make(scene))
        must(found.number == reason, f"{topic}: the verdict is {found.name}, not {reason.name}")
        bench.hold(before, bench.state())
        after = bench.state()
        for name in ("root", "installed", "slot", "floors", "kids"):
            must(getattr(before, name) == getattr(after, name), f"a refused message changed {name}")

    return Does(f"{topic} -> {reason.name}", act)


@dataclass(frozen=True)
class Bring:
    """What the patch needs is brought until it ends so; one whose trial the power has ended is offered anew."""

    payload: bytes
    ends: PatchState = P.SUCCEEDED
    which: Callable[[Scene], bytes] = patches.patch_digest
    envelope: Step = Send(TO["patch"], genuine("patch"))

    def do(self, bench: Bench, scene: Scene) -> None:
        """Bring it."""
        assert isinstance(bench, CutBench)
        for _ in range(SPARE_OFFERS):
            found = bench.patch(scene, self.which(scene))
            must(found is not None, "the patch is forgotten")
            if found is not None and found[0] is P.ROLLED_BACK is not self.ends:
                self._again(bench, scene)
            bench.carrier()
            Serve(by_digest(self.payload), tuple(PATCH_ENDED), which=self.which).do(bench, scene)
            found = bench.patch(scene, self.which(scene))
            if found is not None and found[0] is self.ends:
                return
            must(
                found is not None and found[0] is P.ROLLED_BACK, f"the patch is {found}, not {self.ends.name}"
            )
        must(False, "it was rolled back again and again")

    def _again(self, bench: CutBench, scene: Scene) -> None:
        """Offer it anew: the power went in its trial, and it was taken back."""
        must(bench.state().installed == "1.4.1", "rolled back, and the old image does not run")
        again = scene.memory["again"] = scene.memory.get("again", 0) + 1
        fields = {"digest": self.which(scene), "version": NOW + 20 + again, "issued": NOW + 20 + again}
        offer = Send(TO["offer"], signed(lambda s: s.fleet.offer(**fields)))
        for step in (offer, self.envelope, presses("yes", P.DOWNLOADING, self.which)):
            step.do(bench, scene)

    def told(self) -> str:
        """Return it in words."""
        return f"the patch is brought until it is {self.ends.name}"


def _settled(bench: CutBench, scene: Scene) -> None:
    """Take reports and answer them with receipts, until all of the journal is covered; its head must be right."""
    bench.carrier()
    for _ in range(ROUNDS_MAX):
        bench.listen(scene)
        state = bench.state()
        newest = bench.said.reports[-1] if bench.said.reports else None
        if (
            newest is not None
            and newest.boot_epoch == state.epoch
            and scene.memory.get("order") != newest.order
        ):
            _answer(bench, scene, newest)
        journal = bench.said.journal
        if len(journal) == state.journal == scene.memory.get("covered"):
            head = journal_head(journal_genesis(scene.fleet.id, scene.facts.device), journal)
            must(head == state.head, "the journal's head is not the hash of its entries")
            return
        bench.pass_time(30)
    must(False, f"of {bench.state().journal} entries of the journal {len(bench.said.journal)} were reported")


def _answer(bench: CutBench, scene: Scene, report: Report) -> None:
    covers = min(report.journal_count, len(bench.said.journal))
    number = scene.memory["answers"] = scene.memory.get("answers", 0) + 1
    fields = {
        "nonce": report.nonce,
        "receipt": report.order,
        "journal_count": covers,
        "version": NOW + 70 + number,
        "issued": NOW + 70,
    }
    found = bench.send(scene.topic(TO["answer"]), scene.fleet.signed(scene.fleet.answer(**fields)))
    must(found.number in {R.OK, R.WRONG_NONCE}, f"the answer is {found.name}")
    if found.number == R.OK:
        scene.memory["order"], scene.memory["covered"] = report.order, covers


SETTLED = Does("all is reported and receipted", _settled)


def _cold(bench: CutBench, _scene: Scene) -> None:
    """Take the power away while nothing is done, and give it back."""
    bench.board.power_on()
    if bench.up:
        bench.carrier()


COLD = Does("the power goes while it rests, and comes back", _cold)


def _provision(bench: CutBench, scene: Scene) -> None:
    """Erase it and give it everything; where the power went, all of it again."""
    fleet = PLAIN.fleet(bench.facts)
    notifier = bench.notifier
    notifier.provision("erase")
    notifier.provision("key", b"\x05" * 32)
    notifier.provision("root", notifier.put(fleet.root_document))
    notifier.provision("version", b"1.4.1")
    notifier.provision("id", scene.facts.device.encode())
    state = bench.restart()
    must(
        (state.installed, state.root) == ("1.4.1", 1),
        f"provisioned, it is {state.installed}, root {state.root}",
    )
    must(state.floors.get("root") == 1 and not state.notices, "provisioned, it is not new")


def _erase(bench: CutBench, scene: Scene) -> None:
    bench.notifier.provision("erase")
    state = bench.restart()
    must(not state.notices and not state.patches, "erased, it still knows something")
    bench.said = type(bench.said)()
    scene.memory.clear()


PROVISIONED = Does("it is provisioned", _provision, forgets=True)
ERASED = Does("it is erased", _erase, forgets=True)
