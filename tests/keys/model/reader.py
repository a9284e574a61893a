"""Who reads: a device, or a publisher without a product, with real state on a disk that may lose power."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from device_sim.core.profile import Profile
from device_sim.core.state import State
from device_sim.home import Home
from keys.root import Root
from tests.keys.model import forge
from tests.keys.model.forge import CHARTER_1, OURS
from tests.keys.model.reference import Belief, Sealed, Statement


class Reader:
    """A device, or (without a product) whoever publishes: real state in a folder, and the model's belief."""

    def __init__(self, folder: Path, name: str, product: str | None) -> None:
        profile = Profile(
            id=name, product=product or "none", vendor_id=b"v" * 16, class_id=b"c" * 16, slot_bytes=64
        )
        self.name = name
        self.product = product
        self.clock: int | None = 0
        """Seconds by which its clock is wrong; None: it has no clock."""
        self.home = Home.create(
            folder / name, profile, forge.key(name), forge.DOCUMENT_1, b"image", durable=False
        )
        self.home.durable = True
        self.state = State.new(self.home.root_1, name)
        self.mind = Belief(OURS, CHARTER_1)
        self.durable = self.mind.copy()
        self.seen: dict[tuple[str, str], tuple[int, frozenset[bytes], Root]] = {}
        """(type, name) -> version, signers and root at the last look."""

    def boot(self) -> None:
        """Start from the disk, as after any end of power."""
        self.home = Home.open(self.home.path)
        stored = self.home.read_state()
        new = State.new(self.home.root_1, self.name)
        self.state = new if stored is None else State.load(stored, self.home.root_1)

    def agrees(self, mind: Belief, names: Iterable[tuple[str, str]]) -> bool:
        """Say whether the real state is what a mind believes, among documents of these names."""
        trusted = self.state.trusted
        floors = {name: floor for name in names if (floor := trusted.floor(*name)) is not None}
        return (
            trusted.root.version == mind.charter.version
            and floors.keys() == mind.marks.keys()
            and all(
                (floors[name].version, floors[name].issued, set(floors[name].kids))
                == (m.statement.version, m.statement.issued, set(map(forge.thumbprint, m.signed)))
                for name, m in mind.marks.items()
            )
        )

    def look(self, names: Iterable[tuple[str, str]]) -> None:
        """Hold every floor against the last look, without the model: none falls while its keys stay."""
        trusted = self.state.trusted
        for (type_, name), (version, signed, root) in self.seen.items():
            floor, now = trusted.floor(type_, name), trusted.root
            if floor is None or floor.version < version:
                lost = any(now.by_kid.get(kid) != root.by_kid.get(kid) for kid in signed)
                assert now.version > root.version, f"{self.name}: the floor of {type_} {name} fell"
                assert lost or now.exercise != root.exercise, f"{self.name}: {type_} {name} fell for nothing"
        self.seen = {
            key: (floor.version, frozenset(floor.kids), trusted.root)
            for key in names
            if (floor := trusted.floor(*key)) is not None
        }

    def is_concerned(self, statement: Statement) -> bool:
        """Say whether a document is about this reader."""
        return self.product is None or bool({self.name, self.product} & set(statement.about))

    def files(self, letter: Sealed, type_: str, *, misfiled: bool) -> tuple[str, str | None, str | None]:
        """Under which name, subject and product a reader looks for a document of this type."""
        body = letter.body
        names = body.names if isinstance(body, Statement) else ("root",)
        if self.product is None:
            return ("elsewhere" if misfiled else names[0]), None, None
        if type_ in {"offer", "answer"}:
            return self.name, self.name, self.product
        advisory = names[0] if type_ == "notice" and not misfiled else "EX-9"
        return (advisory if type_ == "notice" else self.product), self.product, None
