"""The life of a fleet's trust at random: publish, rotate, revoke, expire, replay, lose power.

:class:`Trust` drives real readers (``State`` in a ``Home``, as devices keep it) and asks the
reference model for a second opinion on every single document.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from keys.errors import RefusedError
from tests.keys.model import forge
from tests.keys.model.disk import Disk, PowerCutError
from tests.keys.model.forge import CHARTER_1, CLASSES, NOW, OURS, PRODUCTS, STATEMENTS, THEIRS
from tests.keys.model.hand import AUTHORS, CHANGES, TAMPERED, changed, quorum, root_threshold, sign
from tests.keys.model.reader import Reader
from tests.keys.model.reference import Belief, Charter, Sealed, Statement

MEMORY = Path("/dev/shm")  # files in memory, where there is such a thing
HOUR, DAY = 3_600, 86_400
ABSURD = 2**52
LIVES = (6 * HOUR, 30 * DAY, 30 * DAY, 90 * DAY, None, 0)
_ANY = st.integers(0, 10_000)


class Trust(RuleBasedStateMachine):
    """One fleet, four readers, everybody who might sign, and a broker that keeps everything."""

    steps: ClassVar[int] = 0
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        path = Path(self.folder.name)
        self.readers = [
            Reader(path, "device-1", PRODUCTS[0]),
            Reader(path, "device-2", PRODUCTS[0]),
            Reader(path, "device-3", PRODUCTS[1]),
            Reader(path, "office", None),
        ]
        self.now = NOW + 60
        self.charters = [Sealed(CHARTER_1, ("root-1", "root-2"))]
        self.letters: list[Sealed] = []
        self.newest: dict[tuple[str, str], int] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    def _step(self) -> None:
        type(self).steps += 1

    # What is sent

    @rule(
        type_=st.sampled_from(STATEMENTS),
        where=_ANY,
        version=st.sampled_from(["next", "next", "clock", "same", "older", "absurd"]),
        life=st.sampled_from(LIVES),
        issued=st.sampled_from([0, 0, 0, -HOUR, 10 * DAY]),
        tampered=st.sampled_from(TAMPERED),
        pick=_ANY,
        fleet=st.sampled_from([OURS] * 9 + [THEIRS]),
    )
    def publish(
        self,
        type_: str,
        where: int,
        version: str,
        life: int | None,
        issued: int,
        tampered: str,
        pick: int,
        fleet: str,
    ) -> None:
        self._step()
        charter = self.charters[-1].body
        assert isinstance(charter, Charter)
        rowless = [name for name in STATEMENTS if charter.row(name, None) is None]
        type_ = rowless[0] if rowless and pick % 4 == 0 else type_
        about, advisory = self._place(type_, where)
        name = advisory or about[0]
        last = self.newest.get((type_, name), 0)
        number = {
            "next": last + 1, "clock": max(last + 1, self.now), "same": last, "older": max(0, last - 1),
            "absurd": ABSURD if last < ABSURD else last + 1,
        }[version]  # fmt: skip
        at = self.now + issued
        author = AUTHORS[pick % len(AUTHORS)] if tampered == "author" else None
        statement = Statement(
            type=type_, fleet=fleet, about=about, version=number, issued=at, author=author, advisory=advisory,
            expires=None if life is None else at + life, content=pick % 3,
        )  # fmt: skip
        demand = Belief(OURS, charter).demand(statement, PRODUCTS[0] if len(about) > 1 else None)
        demand = demand or forge.DEMANDS[type_]
        signers = quorum(charter, demand, author if pick % 2 else None)
        letter = sign(statement, signers, tampered, pick)
        if not tampered and fleet == OURS:
            self.newest[type_, name] = number
        self._send(letter, [it for it in self.readers if pick % 5 == 0 or it.is_concerned(statement)])

    @rule(
        changes=st.lists(st.tuples(st.sampled_from(CHANGES), _ANY), min_size=1, max_size=2),
        version=st.sampled_from([1] * 8 + [0, 2, -1, ABSURD]),
        life=st.sampled_from([365 * DAY, 365 * DAY, 365 * DAY, 40 * DAY, HOUR, 0, None]),
        tampered=st.sampled_from(TAMPERED),
        pick=_ANY,
        fleet=st.sampled_from([OURS] * 12 + [THEIRS]),
        told=st.integers(0, 4),
    )
    def rotate(
        self,
        changes: list[tuple[str, int]],
        version: int,
        life: int | None,
        tampered: str,
        pick: int,
        fleet: str,
        told: int,
    ) -> None:
        self._step()
        old = self.charters[-1].body
        assert isinstance(old, Charter)
        new = replace(
            old, fleet=fleet, version=max(0, old.version + version), issued=self.now,
            expires=None if life is None else self.now + life,
        )  # fmt: skip
        for change, index in changes:
            new = changed(new, change, index)
        self._publish_root(new, tampered, pick, told)

    @rule(index=_ANY, told=st.integers(0, 4))
    def revoke_whoever_signed(self, index: int, told: int) -> None:
        self._step()
        mark = _at(list(self.readers[index % 4].mind.marks.values()), index)
        old = self.charters[-1].body
        if mark is None or not isinstance(old, Charter):
            return
        seats = tuple(seat for seat in old.seats if seat.key not in mark.signed or "root" in seat.roles)
        fresh = tuple(seat for seat in forge.SPARES if seat.key not in {s.key for s in seats})
        later = replace(
            old, fleet=OURS, version=old.version + 1, issued=self.now, expires=self.now + 365 * DAY,
            seats=(*seats, *fresh),
        )  # fmt: skip
        self.newest[mark.statement.type, mark.statement.names[0]] = 0
        self._publish_root(later, "", 0, told)

    def _publish_root(self, new: Charter, tampered: str, pick: int, told: int) -> None:
        old = self.charters[-1].body
        assert isinstance(old, Charter)
        signers = {*quorum(old, {"root": root_threshold(old)}), *quorum(new, {"root": root_threshold(new)})}
        letter = sign(new, tuple(sorted(signers)), tampered, pick)
        if not Belief(OURS, old).judge_root(letter, None) and new != old:
            self.charters.append(letter)
        for it in self.readers[:told]:
            for earlier in self.charters[it.mind.charter.version : old.version]:
                self._give(it, earlier, "root")
        self._send(letter, self.readers[:told])

    @rule(index=_ANY, reader=_ANY)
    def replay(self, index: int, reader: int) -> None:
        self._step()
        letter = _at([*self.letters, *self.charters], index)
        assert letter is not None
        self._send(letter, [self.readers[reader % 4]])

    @rule(index=_ANY, reader=_ANY, type_=st.sampled_from([*STATEMENTS, "root"]), misfiled=st.booleans())
    def put_in_the_wrong_place(self, index: int, reader: int, type_: str, misfiled: bool) -> None:
        self._step()
        letter = _at([*self.letters, *self.charters], index)
        assert letter is not None
        self._give(self.readers[reader % 4], letter, type_, misfiled=misfiled)

    @rule(reader=_ANY)
    def walk_the_roots(self, reader: int) -> None:
        self._step()
        for letter in self.charters[1:]:
            self._give(self.readers[reader % 4], letter, "root")

    # What happens

    @rule(seconds=st.sampled_from([1, 60, HOUR, 7 * HOUR, DAY, 20 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self._step()
        self.now += seconds

    @rule(reader=_ANY, wrong=st.sampled_from([0, 0, None, -400 * DAY, HOUR]))
    def clock_is_set(self, reader: int, wrong: int | None) -> None:
        self._step()
        self.readers[reader % 4].clock = wrong

    @rule(
        reader=_ANY,
        cut=st.sampled_from([None, None, *range(8)]),
        torn=st.integers(0, 4),
        lost=st.booleans(),
        plug=st.booleans(),
    )
    def save(self, reader: int, cut: int | None, torn: int, lost: bool, plug: bool) -> None:
        """Write the state; the power may fail before any step of it, or after the last one."""
        self._step()
        it = self.readers[reader % 4]
        disk, whole = Disk(cut, torn=torn, lost=lost), it.state.dump()
        try:
            with disk.on():
                it.home.save_state(whole)
        except PowerCutError:
            it.boot()
            kept = it.state.dump() == whole
            type(self).seen["crash, new state" if kept else "crash, old state"] += 1
            self._wake(it, it.mind if kept else it.durable)
            return
        it.durable = it.mind.copy()
        if plug:
            it.boot()
            self._wake(it, it.mind)

    def _wake(self, it: Reader, mind: Belief) -> None:
        assert it.agrees(mind, self._names()), (
            f"{it.name}: after a power cut the state is neither old nor new"
        )
        it.mind, it.durable, it.seen = mind.copy(), mind.copy(), {}

    # How it is judged

    def _send(self, letter: Sealed, readers: list[Reader]) -> None:
        self.letters.append(letter)
        for it in readers:
            type_ = "root" if isinstance(letter.body, Charter) else letter.body.type
            self._give(it, letter, type_)

    def _give(self, it: Reader, letter: Sealed, type_: str, *, misfiled: bool = False) -> None:
        now = None if it.clock is None else self.now + it.clock
        data = forge.document(letter)
        if type_ == "root":
            now = now if it.product is None else None  # devices walk through roots that are over
            faults = it.mind.judge_root(letter, now)
            if self._verdict(it, lambda: it.state.trusted.update_root(data, now), faults, letter):
                assert isinstance(letter.body, Charter)
                gone = it.mind.take_root(letter.body)
                type(self).seen["floor recovered"] += len(gone)
                it.look(self._names())  # at every root: a key may go with one and come back with the next
            return
        name, subject, product = it.files(letter, type_, misfiled=misfiled)
        expiring = type_ != "notice" or it.product is None
        where: dict[str, Any] = {
            "name": name, "subject": subject, "product": product, "now": now, "expiring": expiring,
        }  # fmt: skip
        faults = it.mind.judge(letter, type_, **where)
        if self._verdict(it, lambda: it.state.trusted.accept(data, CLASSES[type_], **where), faults, letter):
            it.mind.take(letter, name=name, product=product or subject)

    def _verdict(self, it: Reader, ask: Callable[[], object], faults: set[str], letter: Sealed) -> bool:
        kind = "root" if isinstance(letter.body, Charter) else "statement"
        found = "accepted"
        try:
            ask()
        except RefusedError as error:
            found = error.reason.name
        type(self).seen[f"{kind} {found}"] += 1
        allowed = sorted(faults) or ["accepted"]
        assert found in allowed, f"{it.name}: {found}, and should be one of {allowed}: {letter}"
        return not faults

    def _place(self, type_: str, where: int) -> tuple[tuple[str, ...], str | None]:
        if type_ in {"offer", "answer"}:
            return (self.readers[where % 3].name,), None
        if type_ == "notice":
            about = (PRODUCTS, PRODUCTS[:1], PRODUCTS[1:])[where % 3]
            return about, f"EX-{where % 2}"
        return (PRODUCTS[where % 5 == 0],), None

    def _names(self) -> set[tuple[str, str]]:
        found = {letter.body for letter in self.letters if isinstance(letter.body, Statement)}
        places = {name for body in found for name in body.names} | {"elsewhere", "EX-9", "root"}
        return {(type_, name) for type_ in STATEMENTS for name in places}

    @invariant()
    def every_reader_believes_what_the_model_believes(self) -> None:
        for it in self.readers:
            assert it.agrees(it.mind, self._names()), f"{it.name} believes something else than the model"

    @invariant()
    def no_floor_falls_unless_a_key_under_it_is_gone(self) -> None:
        for it in self.readers:
            it.look(self._names())


def _at(items: list[Any], index: int) -> Any:
    return items[index % len(items)] if items else None
