"""The power goes at every write to flash that a step makes: old or new state, whole, and all goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from advisories import suit
from advisories.states import NoticeState, PatchState
from hil.conformance.bench import Bench
from hil.conformance.fleet import FIXED, NOW
from hil.conformance.patches import SELF_TEST_FAILS, file, image, patch_digest
from hil.conformance.rows import PLAIN, DiffersError, Row, Scene, Step, must
from hil.conformance.serving import Serve, by_digest
from hil.conformance.steps import Carrier, Notice, Patch, Press, Send, State
from hil.conformance.table import notices
from hil.conformance.table.common import CATALOGUE, ID, OFFER, TIMESTAMP, TO, genuine, signed
from hil.conformance.table.flow import DONE, SERVED, patched
from hil.conformance.table.roots import ROOT_3, TAKEN, third
from hil.conformance.table.suits import approved, digest_of, offers, plan
from hil.errors import SmpFailure, SmpRefused
from hil.smp.notifier import DeviceState
from keys.reasons import Reason

N, P = NoticeState, PatchState
TRIALS_MAX: Final = 12
UNKNOWN: Final = (1, 2, 4, 7, 12, 20, 33, 54)
"""Writes at which to cut where nobody knows how many there are; the first that is not reached is the last."""
CUTS_MAX: Final = 8
"""Cuts of one row: at more writes than that they are spread over all of them."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """The power goes at every write of a step: torn, or after the last one; then the step is done anew."""

    before: tuple[Step, ...]
    act: Step
    then: tuple[Step, ...]
    """What holds when the step has been done to the end, however often the power went."""
    lawful: Callable[[DeviceState, DeviceState, DeviceState], bool] = field(hash=False)
    """Judges states: the one before, the one after the cut, the undisturbed one; a whole one it must be."""

    def do(self, bench: Bench, scene: Scene) -> None:
        """Count the writes of the step, then cut the power at them."""
        old, new, writes = self._undisturbed(bench, scene)
        must(writes != 0, "the step writes nothing")
        for number, when in spread(writes):
            scene = bench.provision(PLAIN)
            self._prepared(bench, scene)
            now = bench.calm(bench.notifier.clock)
            start = bench.state()
            lost = cut(bench, scene, self.act, (number, when))
            bench.calm(partial(bench.notifier.clock_set, now))
            found = bench.state()
            bench.hold(start, found)
            where = f"the power went at write {number} ({when})"
            must(self.lawful(old, found, new), f"{where}: the state is neither the old one nor the new one")
            self._finished(bench, scene, where)
            if not lost:
                return

    def _undisturbed(self, bench: Bench, scene: Scene) -> tuple[DeviceState, DeviceState, int]:
        self._prepared(bench, scene)
        old = bench.state()
        self.act.do(bench, scene)
        new = bench.state()
        for step in self.then:
            step.do(bench, scene)
        return old, new, new.writes - old.writes

    def _prepared(self, bench: Bench, scene: Scene) -> None:
        for step in self.before:
            step.do(bench, scene)

    def _finished(self, bench: Bench, scene: Scene, where: str) -> None:
        try:
            self.act.do(bench, scene)
            for step in self.then:
                step.do(bench, scene)
        except AssertionError as error:
            raise AssertionError(f"{where}, and afterwards: {error}") from None

    def told(self) -> str:
        """Return it in words."""
        return f"the power goes at each write of '{self.act.told()}'"


def cut(bench: Bench, scene: Scene, act: Step, at: tuple[int, str]) -> bool:
    """Do a step while the power goes at a write of it; give the power back, and say whether it went."""
    bench.notifier.fault(*at)
    bench.brittle, lost = True, True
    with contextlib.suppress(SmpFailure, SmpRefused, AssertionError):
        act.do(bench, scene)
        lost = False
    bench.brittle = False
    bench.power_back()
    return lost


def spread(writes: int) -> list[tuple[int, str]]:
    """Return where to cut: torn at each write or at some of them, and after the last one.

    Args:
        writes: of the step; below 0 where the board counts anew at each boot, and nobody knows.
    """
    if writes < 0:
        return [(number, "torn") for number in UNKNOWN]
    points = writes + 1
    found = list(range(1, points + 1))
    if points > CUTS_MAX:
        found = sorted({1 + round(n * (points - 1) / (CUTS_MAX - 1)) for n in range(CUTS_MAX)})
    return [(min(number, writes), "torn" if number <= writes else "after") for number in found]


def either(name: str) -> Callable[[DeviceState, DeviceState, DeviceState], bool]:
    """Return a judgement: this value is the old one or the new one."""

    def lawful(old: DeviceState, found: DeviceState, new: DeviceState) -> bool:
        return getattr(found, name) in (getattr(old, name), getattr(new, name))

    return lawful


def tracks(old: DeviceState, found: DeviceState, new: DeviceState) -> bool:
    """Say whether every notice stands where it stood, or where it stands afterwards."""
    known = [{(t["id"], t["state"]) for t in state.notices} for state in (old, new)]
    now = {(t["id"], t["state"]) for t in found.notices}
    steps = {(name, state) for name, state in now if not any((name, state) in one for one in known)}
    return all(state in {N.SENT, N.DELIVERED, N.VERIFIED} for _, state in steps)


def row(what: str, cuts: Cuts) -> Row:
    """Return a row of cuts."""
    return Row(name=f"power: {what}", steps=(cuts,), threat="the power fails")


ASKED: Final = (
    CATALOGUE,
    TIMESTAMP,
    OFFER,
    Send(TO["patch"], genuine("patch")),
    Press("yes"),
    Carrier(up=True),
)
IMAGES: Final = {"1.4.1", "1.4.2"}


@dataclass(frozen=True, slots=True)
class Install:
    """The patch is brought to its end; after a cut it may have been taken back."""

    def do(self, bench: Bench, scene: Scene) -> None:
        """Bring it."""
        bench.calm(lambda: bench.notifier.carrier(True))
        Serve(by_digest(image()), (P.SUCCEEDED, P.ROLLED_BACK)).do(bench, scene)

    def told(self) -> str:
        """Return it in words."""
        return "the patch is brought, booted and confirmed"


FAILS: Final = image(fill="fails", marks=SELF_TEST_FAILS)
FAILING: Final = plan(suit.Payload((file(FAILS),), version=FIXED))


@dataclass(frozen=True, slots=True)
class Revert:
    """The new image fails its trial, or the power goes in it: the old one runs, and that is reported."""

    def do(self, bench: Bench, scene: Scene) -> None:
        """Let the image fail; where none can, cut the power before the end until the trial is hit."""
        if self._fails_itself(bench, scene):
            return
        scene = bench.provision(PLAIN)
        for step in ASKED:
            step.do(bench, scene)
        old = bench.state()
        Install().do(bench, scene)
        writes = bench.state().writes - old.writes
        for number in range(writes - 1, max(0, writes - TRIALS_MAX), -1):
            scene = bench.provision(PLAIN)
            for step in ASKED:
                step.do(bench, scene)
            now = bench.calm(bench.notifier.clock)
            cut(bench, scene, Install(), (number, "after"))
            bench.calm(partial(bench.notifier.clock_set, now))
            found = bench.patch(scene, patch_digest(scene))
            if found is not None and found[0] is P.ROLLED_BACK:
                self._reverted(bench, scene)
                return
        raise DiffersError(f"no cut at the last {TRIALS_MAX} of {writes} writes has met the trial")

    def _fails_itself(self, bench: Bench, scene: Scene) -> bool:
        """Bring an image that a test build may let fail its self-test; False where it does not."""
        Carrier(up=True).do(bench, scene)
        for step in (*offers(FAILING), Send(TO["patch"], approved(FAILING)), Press("yes")):
            step.do(bench, scene)
        ends = (P.SUCCEEDED, P.ROLLED_BACK)
        Serve(by_digest(FAILS), ends, which=digest_of(FAILING)).do(bench, scene)
        found = bench.patch(scene, digest_of(FAILING)(scene))
        if found is None or found[0] is P.SUCCEEDED:
            return False
        State({"installed": "1.4.1"}).do(bench, scene)
        Patch(P.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED, digest_of(FAILING)).do(bench, scene)
        Carrier(up=True).do(bench, scene)
        patched(P.ROLLED_BACK, digest_of(FAILING)).do(bench, scene)
        return True

    def _reverted(self, bench: Bench, scene: Scene) -> None:
        for step in (
            State({"installed": "1.4.1"}),
            Patch(P.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED),
            Carrier(up=True),
            patched(P.ROLLED_BACK),
            Send(TO["offer"], signed(lambda s: s.fleet.offer(digest=patch_digest(s), version=NOW + 1))),
            Send(TO["patch"], genuine("patch")),
            Press("yes"),
            SERVED,
            DONE,
        ):
            step.do(bench, scene)

    def told(self) -> str:
        """Return it in words."""
        return "the new image fails its trial: the old one runs, and that is reported"


def installed(_old: DeviceState, found: DeviceState, _new: DeviceState) -> bool:
    """Say whether a whole image runs."""
    return found.installed in IMAGES


ROWS: Final[tuple[Row, ...]] = (
    row("a root is taken", Cuts((), TAKEN, (State({"root": 2}),), either("root"))),
    row(
        "a second root is taken",
        Cuts((TAKEN,), Send(ROOT_3, third()), (State({"root": 3}),), either("root")),
    ),
    row("a notice is taken", Cuts((), notices.HEADER, (Notice(ID, N.VERIFIED),), tracks)),
    row("its text is shown", Cuts((notices.HEADER,), notices.TEXT, (Notice(ID, N.SHOWN),), tracks)),
    row(
        "a newer revision takes its place",
        Cuts(
            notices.SHOWN,
            Send(TO["notice"], notices.header(revision=2, version=NOW + 1)),
            (Notice(ID, N.VERIFIED, revision=2),),
            tracks,
        ),
    ),
    row(
        "a catalogue is taken",
        Cuts((), CATALOGUE, (State({"floors.catalogue": NOW}),), either("floors")),
    ),
    row(
        "a timestamp is taken",
        Cuts((CATALOGUE,), TIMESTAMP, (State({"floors.timestamp": NOW}),), either("floors")),
    ),
    row("a patch is offered", Cuts((CATALOGUE, TIMESTAMP), OFFER, (Patch(P.OFFERED),), either("floors"))),
    row("a patch is brought, booted and confirmed", Cuts(ASKED, Install(), (), installed)),
    Row(name="power: on trial, the new image is reverted", steps=(Revert(),), threat="the power fails"),
)
