"""What rows are made of: messages and their verdicts, what the owner does, what must be seen afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from advisories.smp import Rc
from advisories.states import NoticeState, PatchState
from hil.conformance.bench import Bench
from hil.conformance.fleet import NOW
from hil.conformance.patches import patch_digest
from hil.conformance.rows import Beyond, DiffersError, Facts, Make, Scene, must
from hil.errors import SmpRefused
from keys.reasons import Reason


def kind_of(topic: str) -> str:
    """Return what comes on a topic below the prefix."""
    levels = topic.split("/")
    return levels[2] if levels[0] == "device" else levels[0]


@dataclass(frozen=True, slots=True)
class Send:
    """A message comes on a topic, and the device answers with this verdict.

    What is longer than the board takes must be refused as that: at staging beyond ``info.max``, with TOO_BIG
    beyond the constrained profile. The row ends there.
    """

    topic: str
    make: Make
    verdict: Reason | Callable[[Facts], Reason] = Reason.OK
    asks: bool = False
    """It asks for what the row needs: a board that lacks it must answer UNSUPPORTED, and the row ends."""
    exact: bool = False
    """The row is about the size itself: no rule of the board's size takes the verdict's place."""
    also: frozenset[Reason] = frozenset()
    """Verdicts of boards whose subset ends before they come to see that."""

    def do(self, bench: Bench, scene: Scene) -> None:
        """Send it."""
        data, facts = self.make(scene), scene.facts
        expected = self.verdict if isinstance(self.verdict, Reason) else self.verdict(facts)
        if len(data) > facts.max:
            self._not_staged(bench, data)
        lacks = scene.memory.get("lacks", ())
        ends = ""
        if not self.exact and len(data) > facts.room(kind_of(self.topic)):
            expected, ends = Reason.TOO_BIG, "size"
        elif self.asks and lacks:
            expected, ends = Reason.UNSUPPORTED, ", ".join(lacks)
        topic = scene.topic(self.topic)
        found = bench.send(topic, data)
        said = f"{found.name} ({found.text})" if found.text else found.name
        lawful = {expected} | (set() if ends else self.also)
        must(found.number in lawful, f"{topic}: the verdict is {said}, it must be {expected.name}")
        if ends:
            raise Beyond(ends)

    def _not_staged(self, bench: Bench, data: bytes) -> None:
        found = bench.refuses(data)
        must(
            found == Rc.NOMEM.name,
            f"{len(data)} bytes are more than info.max, and put answers {found or 'OK'}",
        )
        raise Beyond("size")

    def told(self) -> str:
        """Return it in words."""
        expected = self.verdict.name if isinstance(self.verdict, Reason) else "by the board's size"
        return f"{self.topic} -> {expected}"


@dataclass(frozen=True, slots=True)
class Clock:
    """The board's clock is set to so many seconds after everything was issued."""

    seconds: int

    def do(self, bench: Bench, _scene: Scene) -> None:
        """Set it."""
        bench.calm(lambda: bench.notifier.clock_set(NOW + self.seconds))

    def told(self) -> str:
        """Return it in words."""
        return f"the clock says {self.seconds:+} s"


@dataclass(frozen=True, slots=True)
class Carrier:
    """The way to the gateway opens, or closes."""

    up: bool

    def do(self, bench: Bench, _scene: Scene) -> None:
        """Say so."""
        bench.calm(lambda: bench.notifier.carrier(self.up))

    def told(self) -> str:
        """Return it in words."""
        return "the way to the gateway opens" if self.up else "the way to the gateway closes"


@dataclass(frozen=True, slots=True)
class Press:
    """The owner presses a button; ``refused`` where nothing asks for it."""

    button: str
    refused: bool = False

    def do(self, bench: Bench, _scene: Scene) -> None:
        """Press it."""
        try:
            bench.calm(lambda: bench.notifier.press(self.button))
        except SmpRefused as error:
            must(self.refused, f"{self.button}: {error.message}")
            must(error.rc == Rc.EBADSTATE, f"{self.button}: {error.message}")
        else:
            must(not self.refused, f"{self.button} was taken, although nothing asks for it")

    def told(self) -> str:
        """Return it in words."""
        return f"the owner presses {self.button}" + " in vain" * self.refused


@dataclass(frozen=True, slots=True)
class Restart:
    """The board is reset; its clock goes on."""

    def do(self, bench: Bench, _scene: Scene) -> None:
        """Reset it."""
        now = bench.calm(bench.notifier.clock)
        bench.restart()
        bench.calm(lambda: bench.notifier.clock_set(now))

    def told(self) -> str:
        """Return it in words."""
        return "the board is reset"


@dataclass(frozen=True, slots=True)
class Notice:
    """An advisory's track stands here, for this reason; ``state`` None: there is no track of it."""

    id: str
    state: NoticeState | None
    reason: Reason | None = None
    revision: int | None = None
    confirmed: bool | None = None

    def do(self, bench: Bench, _scene: Scene) -> None:
        """Look."""
        tracks = {track["id"]: track for track in bench.state().notices}
        found = tracks.get(self.id)
        if self.state is None:
            must(found is None, f"the board remembers {found}")
            return
        if found is None:
            raise DiffersError(f"the board knows nothing of {self.id}")
        state = NoticeState(found["state"])
        must(state is self.state, f"{self.id} is {state.name}, it must be {self.state.name}")
        if self.reason is not None:
            reason = Reason(found["reason"])
            must(reason is self.reason, f"{self.id}: the reason is {reason.name}, not {self.reason.name}")
        for name in ("revision", "confirmed"):
            wanted = getattr(self, name)
            must(wanted in {None, found[name]}, f"{self.id}: {name} is {found[name]}, not {wanted}")

    def told(self) -> str:
        """Return it in words."""
        if self.state is None:
            return f"{self.id} is not remembered"
        why = f" ({self.reason.name})" if self.reason else ""
        return f"{self.id} is {self.state.name}{why}"


@dataclass(frozen=True, slots=True)
class Shows:
    """The board shows this advisory, with these words somewhere on it; ``id`` None: it shows nothing."""

    id: str | None
    words: str = ""
    confirmed: bool | None = None
    asks: str | None = None
    """Version that consent is asked for; "" where none is asked."""

    def do(self, bench: Bench, _scene: Scene) -> None:
        """Look."""
        screen = bench.calm(bench.notifier.notice)
        shown = screen.id if screen else None
        must(shown == self.id, f"the board shows {shown}, it must show {self.id}")
        if screen is None:
            return
        text = " ".join(" ".join(screen.lines).split())
        must(self.words in text, f"'{self.words}' is not on the screen: {text}")
        must(self.confirmed in {None, screen.confirmed}, f"confirmed is {screen.confirmed}")
        must(self.asks in {None, screen.asks or ""}, f"it asks for {screen.asks}, not {self.asks}")

    def told(self) -> str:
        """Return it in words."""
        if self.id is None:
            return "nothing is shown"
        told = f"{self.id} is shown" + f": '{self.words}'" * bool(self.words)
        told += "" if self.confirmed is None else (", confirmed" if self.confirmed else ", not confirmed")
        return told + (f", asking for {self.asks}" if self.asks else "")


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch's track stands here, for this reason; ``state`` None: there is no track of it."""

    state: PatchState | None
    reason: Reason | None = None
    which: Callable[[Scene], bytes] = patch_digest
    """Its digest."""

    def do(self, bench: Bench, scene: Scene) -> None:
        """Look."""
        found: Any = bench.patch(scene, self.which(scene))
        state = found[0] if found else None
        name = state.name if state is not None else "unknown"
        wanted = self.state.name if self.state is not None else "unknown"
        must(state is self.state, f"the patch is {name} ({found and found[1].name}), it must be {wanted}")
        if self.reason is not None and found:
            must(found[1] is self.reason, f"the reason is {found[1].name}, not {self.reason.name}")

    def told(self) -> str:
        """Return it in words."""
        why = f" ({self.reason.name})" if self.reason else ""
        return f"the patch is {self.state.name if self.state is not None else 'unknown'}{why}"


@dataclass(frozen=True, slots=True)
class State:
    """The board's state has these values; ``floors.NAME`` is a floor (0: none)."""

    values: dict[str, Any] = field(hash=False)

    def do(self, bench: Bench, _scene: Scene) -> None:
        """Look."""
        state = bench.state()
        for name, wanted in self.values.items():
            outer, _, inner = name.partition(".")
            found = getattr(state, outer)
            found = found.get(inner, 0) if inner else found
            must(found == wanted, f"{name} is {found}, it must be {wanted}")

    def told(self) -> str:
        """Return it in words."""
        return ", ".join(f"{name} is {value}" for name, value in self.values.items())


@dataclass(frozen=True, slots=True)
class Check:
    """Something else is so, told by its words."""

    words: str
    look: Callable[[Bench, Scene], None] = field(hash=False)

    def do(self, bench: Bench, scene: Scene) -> None:
        """Look."""
        self.look(bench, scene)

    def told(self) -> str:
        """Return it in words."""
        return self.words
