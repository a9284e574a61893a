"""Scenarios of trust in neutral steps, told to our code and to python-tuf alike.

A :class:`Stage` turns steps into *papers* (what is said, who signed) on a shelf, as a broker or a
mirror would hold them; two readers visit the shelf and say what they made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

NOW = 1_800_000_000
HOUR, DAY = 3_600, 86_400
KINDS = ("timestamp", "catalogue", "notice")
LIVES = {"root": 365 * DAY, "timestamp": DAY, "catalogue": 30 * DAY, "notice": 90 * DAY}
BELOW = {"timestamp": "catalogue", "catalogue": "notice"}

OK, SIGNATURE, VERSION, EXPIRY, MISMATCH, KIND, POLICY = (
    "ok", "signature", "version", "expiry", "mismatch", "kind", "policy",
)  # fmt: skip


@dataclass(frozen=True)
class Role:
    """How many keys, of which."""

    threshold: int
    keys: tuple[str, ...]

    def is_met(self, by: tuple[str, ...]) -> bool:
        """Say whether enough of its keys are among these."""
        return len(set(self.keys) & set(by)) >= self.threshold


@dataclass(frozen=True)
class Paper:
    """A document before it is bytes."""

    kind: str
    version: int
    issued: int
    expires: int
    by: tuple[str, ...]
    """Keys that signed; a name may stand twice."""
    forged: tuple[str, ...] = ()
    """Keys whose name stands over a wrong signature."""
    names: Paper | None = None
    """A timestamp's catalogue, a catalogue's notice."""
    content: int = 0
    root: int = 1
    """Version of the root in force when it was made."""
    fleet: str = "ours"
    roles: tuple[tuple[str, Role], ...] = ()
    holders: tuple[tuple[str, str], ...] = ()
    """Key -> holder, where that is not the key's own name."""


@dataclass
class Shelf:
    """What is there to be fetched."""

    roots: dict[int, Paper] = field(default_factory=dict)
    papers: dict[str, Paper] = field(default_factory=dict)


class Visitor(Protocol):
    """A reader with a memory."""

    def visit(self, shelf: Shelf, now: int) -> str:
        """Fetch and judge everything; return OK or why not."""
        ...


@dataclass(frozen=True)
class Step:
    """One thing that happens."""

    verb: str
    kind: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)


def rotate(**args: Any) -> Step:
    """Publish the next root. ``roles``: changes; ``by``, ``forged``, ``version``, ``life``, ``holders``, ``slot``."""
    return Step("rotate", "root", args)


def say(kind: str, **args: Any) -> Step:
    """Publish the next document of a kind, naming what lies below; ``version``, ``by``, ``life``, ..."""
    return Step("say", kind, args)


def publish(**args: Any) -> Step:
    """Publish notice, catalogue and timestamp anew."""
    return Step("publish", "", args)


def replay(kind: str, index: int) -> Step:
    """Put an earlier document (or root, at the next slot) back on the shelf."""
    return Step("replay", kind, {"index": index})


def misplace(kind: str, place: str) -> Step:
    """Put a document where one of another kind belongs."""
    return Step("misplace", kind, {"place": place})


def wait(seconds: int) -> Step:
    """Let time pass."""
    return Step("wait", "", {"seconds": seconds})


def withhold(version: int) -> Step:
    """Take a root off the shelf."""
    return Step("withhold", "root", {"version": version})


def visit(verdict: str = OK, *, tuf: str | None = None, warned: bool = True) -> Step:
    """Both readers come and see; ``tuf`` where python-tuf says otherwise on purpose.

    ``warned``: whether a device would show the notice, whatever else it thinks.
    """
    return Step("visit", "", {"ours": verdict, "tuf": tuf or verdict, "warned": warned})


ROLES = {
    "root": Role(2, ("r1", "r2", "r3")),
    "timestamp": Role(1, ("t1",)),
    "catalogue": Role(1, ("c1",)),
    "notice": Role(2, ("n1", "n2", "n3")),
}


class Stage:
    """Where a story is told."""

    def __init__(self, roles: Mapping[str, Role] = ROLES) -> None:
        self.now = NOW
        self.shelf = Shelf()
        self.root = Paper(
            "root", 1, NOW, NOW + LIVES["root"], quorum(roles["root"]), roles=tuple(roles.items())
        )
        self.history: dict[str, list[Paper]] = {"root": [self.root], **{kind: [] for kind in KINDS}}
        self.shelf.roots[1] = self.root
        self.do(publish())

    @property
    def roles(self) -> dict[str, Role]:
        """What the newest root demands."""
        return dict(self.root.roles)

    def do(self, step: Step) -> None:
        """Let a step happen; ``visit`` is for the test."""
        getattr(self, f"_{step.verb}")(step.kind, **step.args)

    def _rotate(
        self,
        kind: str,
        *,
        roles: Mapping[str, Role] | None = None,
        by: tuple[str, ...] | None = None,
        version: int | None = None,
        life: int = LIVES["root"],
        slot: int | None = None,
        holders: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        new = {**self.roles, **(roles or {})}
        both = dict.fromkeys((*quorum(self.roles["root"]), *quorum(new["root"])))
        paper = replace(
            self.root, version=self.root.version + 1 if version is None else version, issued=self.now,
            expires=self.now + life, by=tuple(both) if by is None else by, roles=tuple(new.items()),
            holders=self.root.holders if holders is None else tuple(holders.items()),
            **{"forged": (), **more},
        )  # fmt: skip
        self.history["root"].append(paper)
        self.shelf.roots[slot or self.root.version + 1] = paper
        asked = (self.roles["root"], new["root"])
        if paper.version == self.root.version + 1 and all(role.is_met(paper.by) for role in asked):
            self.root = paper

    def _say(
        self,
        kind: str,
        *,
        version: int | None = None,
        by: tuple[str, ...] | None = None,
        life: int | None = None,
        **more: Any,
    ) -> None:
        last = self.history[kind][-1].version if self.history[kind] else 0
        paper = Paper(
            kind, last + 1 if version is None else version, self.now,
            self.now + (LIVES[kind] if life is None else life),
            quorum(self.roles[kind]) if by is None else by,
            names=self.shelf.papers.get(BELOW.get(kind, "")), root=self.root.version,
        )  # fmt: skip
        paper = replace(paper, **more)
        self.history[kind].append(paper)
        self.shelf.papers[kind] = paper

    def _publish(self, _kind: str, **more: Any) -> None:
        for kind in reversed(KINDS):
            self._say(kind, **more)

    def _replay(self, kind: str, *, index: int) -> None:
        paper = self.history[kind][index]
        if kind == "root":
            self.shelf.roots[self.root.version + 1] = paper
        else:
            self.shelf.papers[kind] = paper

    def _misplace(self, kind: str, *, place: str) -> None:
        self.shelf.papers[place] = self.shelf.papers[kind]

    def _withhold(self, _kind: str, *, version: int) -> None:
        del self.shelf.roots[version]

    def _wait(self, _kind: str, *, seconds: int) -> None:
        self.now += seconds


def quorum(role: Role) -> tuple[str, ...]:
    """As many keys as the threshold asks for."""
    return role.keys[: role.threshold]
