"""The board under the table: provisioned, asked, and held to what must always be so."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from advisories.report import Report, journal_genesis, journal_head, open_report, open_want
from advisories.smp import Rc
from advisories.states import PATCH_ENDED, PatchState
from advisories.versions import format_version
from hil.bench.session import Session
from hil.conformance.fleet import Fleet, key, key_seed
from hil.conformance.rows import (
    DEVICE,
    SEEDS_OF,
    SUBSETS,
    Beyond,
    DiffersError,
    Facts,
    Row,
    Scene,
    Situation,
    must,
)
from hil.errors import DeviceGone, DeviceRebooted, SmpRefused, Timeout
from hil.smp.notifier import DeviceState, Outgoing, Verdict
from keys.reasons import Reason

T = TypeVar("T")
TRIES: Final = 3
"""Times that a question is put to a board that starts anew in the middle of it."""
PATIENCE_S: Final = 20.0
"""For what a board does by itself: a report, a restart. A failure, not a measurement."""
_POLL_S: Final = 0.02
_MESSAGES_MAX: Final = 500
_LOWERED: Final = frozenset({"catalogue", "timestamp", "offer"})
"""Floors that fall with the keys that they rest on."""
_PUBLISH: Final = 0


@dataclass(slots=True)
class Said:
    """What the board wanted said since it was provisioned, and the reports among it, verified."""

    reports: list[Report] = field(default_factory=list)
    wants: list[Any] = field(default_factory=list)
    subscribed: list[str] = field(default_factory=list)
    journal: list[Any] = field(default_factory=list)
    """Entries of the journal, without a gap from the first one."""
    served: int = 0
    """Wants that have been looked at."""
    fetched: int = 0
    """Subscriptions that have been looked at."""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What the board was given and keeps when it is erased."""

    root: bytes
    version: str


class Bench:
    """One board, provisioned as rows need it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.notifier = session.smp.notifier
        self.verdict: Verdict | None = None
        """The last one, for the results."""
        self.beyond = ""
        """What ended the row early, if something did."""
        self.brittle = False
        """A power cut is awaited: a board that goes away is not asked again."""
        self.said = Said()
        self._situation: Situation | None = None
        self._facts: Facts | None = None
        self._scene: Scene | None = None
        self._made = 0
        self._given: Provisioned | None = None
        self._known: DeviceState | None = None
        """The state after the row before, where that has left nothing behind."""

    # -- provisioning

    @property
    def key(self) -> str:
        """Name of the key that the board has."""
        return SEEDS_OF[self._made % len(SEEDS_OF)]

    @property
    def facts(self) -> Facts:
        """What the board is."""
        if self._facts is None:
            self._facts = self._asked()
        return self._facts

    def _asked(self) -> Facts:
        info = self.calm(self.notifier.info)
        texts = next(name for name in info.filters if "/text/" in name)
        prefix, _, rest = texts.partition("/text/")
        tags = frozenset(self.session.board.tags)
        named = {
            kind: tag.partition(".")[2]
            for tag in tags
            for kind in ("vendor", "model")
            if tag.startswith(kind + ".")
        }
        return Facts(
            product=info.class_,
            prefix=prefix,
            language=rest.split("/")[1],
            max=info.max,
            algorithms=frozenset(info.algs),
            subsets=frozenset(tags & SUBSETS.keys()),
            vendor=named.get("vendor", "example.com"),
            model=named.get("model", ""),
        )

    def provision(self, situation: Situation) -> Scene:
        """Make the board new: erased, with root, key, version and id; reset, and its clock set.

        What it has already it is not given again; a board whose erasing takes that along gets it then.
        """
        self._situation = self._known = None
        first = self._facts is None
        fleet = situation.fleet(self.facts)
        new = Provisioned(fleet.root_document, format_version(situation.version))
        state = self._provision(fleet, new, whole=new != self._given)
        if not self._is(state, fleet, new):
            state = self._provision(fleet, new, whole=True)
            must(
                self._is(state, fleet, new),
                f"provisioned as {new.version}, it is {state.installed}, root {state.root}",
            )
        self._given = new
        self.notifier.clock_set(situation.at)
        if first:
            self._facts = self._asked()  # what it can verify is what the image says that was just provisioned
        self.said = Said()
        scene = Scene(self.facts, fleet)
        for step in situation.before:
            step.do(self, scene)
        self._situation, self._scene = situation, scene
        return scene

    def _provision(self, fleet: Fleet, new: Provisioned, *, whole: bool) -> DeviceState:
        provision = self.notifier.provision
        self._made += 1
        provision("erase")
        provision("key", key_seed(self.key))
        if whole:
            provision("root", self.notifier.put(fleet.root_document))
            provision("version", new.version.encode())
            provision("id", DEVICE.encode())
        return self.restart()

    def _is(self, state: DeviceState, fleet: Fleet, new: Provisioned) -> bool:
        """Say whether the board is what it was made to be, as far as its state tells."""
        keys = {entry.key.thumbprint[: len(kid)] for kid in state.kids[:1] for entry in fleet.root.keys}
        ours = all(kid in keys for kid in state.kids)
        return (state.installed, state.root) == (new.version, 1) and ours and not state.notices

    def scene(self, row: Row) -> Scene:
        """Return the scene of a row: of the row before, where both leave nothing behind."""
        if row.keeps and self._scene is not None and self._situation is row.on:
            return self._scene
        return self.provision(row.on)

    def spoil(self) -> None:
        """Let the next row begin on a board that is made new."""
        self._situation = None

    # -- a row

    def run(self, row: Row) -> None:
        """Carry a row out, and hold the board to what must always be so.

        Raises:
            DiffersError: the board is not as the row says, or an answer was none: a repetition that was right
                hides that from whoever asked.
        """
        self.verdict, self.beyond = None, ""
        scene = self.scene(row)
        scene.memory = {**scene.memory, "lacks": row.lacks(self.facts)}
        before = self._known or self.state()
        self._known = None
        kept = row.keeps
        misread = self.session.smp.counters.malformed
        try:
            for step in row.steps:
                step.do(self, scene)
        except Beyond as end:
            self.beyond = str(end)
        except BaseException:
            kept = False
            raise
        finally:
            if not kept:
                self.spoil()
        after = self.state()
        self.hold(before, after, kept=row.keeps)
        self._known = after if kept else None
        misread = self.session.smp.counters.malformed - misread
        must(not misread, f"{misread} answers were malformed")

    def hold(self, before: DeviceState, after: DeviceState, *, kept: bool = False) -> None:
        """Hold a state to the one before it: nothing that must only rise has fallen.

        Args:
            before: earlier.
            after: later.
            kept: nothing but refusals lies between them.
        """
        must(after.epoch >= before.epoch, f"the boot epoch fell from {before.epoch} to {after.epoch}")
        must(after.journal >= before.journal, f"the journal shrank from {before.journal} to {after.journal}")
        must(after.root >= before.root, f"the root fell from {before.root} to {after.root}")
        same_journal = after.journal == before.journal
        must(same_journal == (after.head == before.head), "the journal's head does not fit its count")
        for name, floor in before.floors.items():
            fallen = after.floors.get(name, 0) < floor
            lawful = name in _LOWERED and after.root > before.root
            must(not fallen or lawful, f"the floor of {name} fell from {floor} to {after.floors.get(name)}")
        if kept:
            for name in ("epoch", "root", "installed", "slot", "floors", "kids", "notices", "patches"):
                must(
                    getattr(after, name) == getattr(before, name),
                    f"a refused message changed {name}: {getattr(before, name)} to {getattr(after, name)}",
                )

    # -- what steps do

    def calm(self, ask: Callable[[], T]) -> T:
        """Put a question to the board, again where it starts anew in the middle of it."""
        for left in range(TRIES - 1, -1, -1):
            try:
                return ask()
            except (DeviceRebooted, DeviceGone):
                if not left or self.brittle:
                    raise
                self.session.wait_ready()
        raise AssertionError  # the last try has raised

    def state(self) -> DeviceState:
        """Return the board's state."""
        return self.calm(self.notifier.state)

    def send(self, topic: str, data: bytes) -> Verdict:
        """Hand a message over and return the verdict; again, where the board lost it by starting anew."""
        try:
            self.verdict = self.calm(lambda: self.notifier.deliver(data, topic))
        except SmpRefused as error:
            if error.rc != Rc.ENOENT:
                raise
            self.verdict = self.calm(lambda: self.notifier.deliver(data, topic))
        return self.verdict

    def send_once(self, topic: str, data: bytes) -> Verdict | None:
        """Hand over what the board wants again if it lacks it; None where it began anew instead of answering.

        A board that boots what the last block has completed does that before its answer is out: it is done.
        """
        try:
            return self.notifier.deliver(data, topic)
        except (DeviceRebooted, DeviceGone):
            if self.brittle:
                raise
            self.session.wait_ready()
        except SmpRefused as error:
            if error.rc != Rc.ENOENT:
                raise
        return None

    def refuses(self, data: bytes) -> str:
        """Return the name of the error with which a message is refused at staging; empty: it is not."""
        try:
            self.calm(lambda: self.notifier.put(data))
        except SmpRefused as error:
            name = Rc(error.rc).name if error.rc in set(Rc) else str(error.rc)
            self.verdict = Verdict(error.rc, name, error.message)
            return name
        return ""

    def restart(self) -> DeviceState:
        """Start the board anew by os.reset, wait until it has, and return its state."""
        before, found = self.state(), list[DeviceState]()

        def anew() -> bool:
            found[:] = [self.state()]
            return found[0].boot != before.boot

        for _ in range(TRIES):
            with self._greeted(), contextlib.suppress(DeviceRebooted, DeviceGone, Timeout):
                self.session.smp.os.reset()
            if self.until(anew, self.session.board.boot.timeout_s):
                return found[0]
        raise DiffersError("the board did not start anew after os.reset")

    @contextlib.contextmanager
    def _greeted(self) -> Iterator[None]:
        """Wait for the banner, where the board has one: what it is asked in the middle of a reset is lost."""
        boot = self.session.board.boot
        since = self.session.console_line.mark() if boot.banner else 0
        yield
        if boot.banner:
            with contextlib.suppress(Timeout, DeviceGone):
                self.session.console.expect(boot.banner, since=since, timeout_s=boot.timeout_s)

    def power_back(self) -> None:
        """Give a board its power again that has lost it by a fault."""
        session = self.session
        if session.power.cut:
            session.cut()
            session.power_on()
        session.wait_ready()

    def until(self, done: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
        """Wait until something is so; False when it does not come to be."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= end:
                return False
            threading.Event().wait(_POLL_S)
        return True

    def pass_time(self, seconds: int) -> None:
        """Let the board's clock go ahead, so that what is due is done without waiting for it."""
        self.calm(lambda: self.notifier.clock_set(self.calm(self.notifier.clock) + seconds))

    def carrier_back(self, boot: bytes) -> None:
        """Open the way to the gateway anew where the board has started anew since."""
        if self.calm(self.notifier.info).boot != boot:
            self.calm(lambda: self.notifier.carrier(True))

    # -- the gateway's side

    def listen(self, scene: Scene) -> list[Outgoing]:
        """Take what the board wants said; every report must be genuine and its journal without a gap."""
        found: list[Outgoing] = []
        taken: int | None = None
        while len(found) < _MESSAGES_MAX:
            said = self.calm(partial(self.notifier.take, ack=taken))
            if said is None:
                return found
            taken = said.number
            found.append(said)
            if said.kind != _PUBLISH:
                if said.kind == 1:
                    self.said.subscribed.append(said.topic)
            elif said.topic.endswith("/report"):
                self.said.reports.append(self._report(scene, said.data))
            elif said.topic.endswith("/want"):
                self.said.wants.append(open_want(said.data))
        raise DiffersError(f"the board never ends: {len(found)} messages")

    def _report(self, scene: Scene, data: bytes) -> Report:
        fleet = scene.fleet
        report = open_report(data, key(self.key).public, fleet=fleet.id, device=scene.facts.device)
        journal = self.said.journal
        for one in report.journal:
            if one.index == len(journal):
                journal.append(one)
            else:
                must(one.index < len(journal), f"the journal lacks entry {len(journal)}")
                must(journal[one.index] == one, f"entry {one.index} of the journal has changed")
        if len(journal) == report.journal_count:
            head = journal_head(journal_genesis(fleet.id, scene.facts.device), journal)
            must(head == report.journal_head, "the journal's head is not the hash of its entries")
        if self.said.reports:
            newest = self.said.reports[-1]
            must(report.order >= newest.order, "a report came with an older number than the one before")
        return report

    def patch(self, scene: Scene, digest: bytes) -> tuple[PatchState, Reason] | None:
        """Return how far a patch has come, by the board's state or, where that is short, its last report."""
        for track in self.state().patches:
            if track["digest"] == digest[: len(track["digest"])]:
                return PatchState(track["state"]), Reason(track["reason"])
        self.listen(scene)
        statuses = self.said.reports[-1].patches if self.said.reports else ()
        return next(((s.state, s.reason) for s in statuses if s.digest == digest), None)


def ended(found: tuple[PatchState, Reason] | None) -> bool:
    """Say whether a patch has come to an end."""
    return found is not None and found[0] in PATCH_ENDED


def words(track: Mapping[str, Any]) -> str:
    """Return a track of the state in words, for messages."""
    return ", ".join(f"{name} {value}" for name, value in track.items())
