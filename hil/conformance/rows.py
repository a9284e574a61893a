"""What a row of the table is: a situation, steps, and what the board must have to go all the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from advisories.suit import identifiers
from advisories.topics import Topics
from advisories.versions import Version
from hil.conformance.fleet import MINUTE, NOW, VERSION, Fleet, first_root
from keys.algorithms import Algorithm
from keys.limits import DOCUMENT_BYTES_MAX
from keys.root import Root

if TYPE_CHECKING:
    from hil.conformance.bench import Bench

DEVICE: Final = "conformance-board"
"""Id with which the board is provisioned."""
SEEDS_OF: Final = ("board", "board again")
"""Names of the keys with which the board is provisioned in turn: a board that makes its random numbers of its
key must not seem to be the one that it was before."""
CONSTRAINED_BYTES_MAX: Final = 2_048
"""Of a root, notice or patch with its signatures, in the constrained profile (docs/protocol/README.md)."""
CONSTRAINED: Final = frozenset({"root", "notice", "patch"})
SUBSETS: Final[Mapping[str, str]] = {
    "suit.conditions": "use-before, device-id and component-version",
    "suit.try-each": "alternatives, and with them an image for each slot",
    "suit.integrated": "payloads that travel in the envelope",
    "suit.components": "more components than the one that boots",
    "suit.delta": "deltas against what runs",
    "suit.set-version": "the promised version as a member of the manifest",
}
"""What a board may declare to know of SUIT beyond one image for one component: a tag each in its file."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the board is, as it says itself and as its board file declares."""

    product: str
    prefix: str
    language: str
    """Of the texts that it listens to."""
    max: int
    """Longest message that it stages."""
    algorithms: frozenset[int]
    subsets: frozenset[str] = frozenset()
    vendor: str = "example.com"
    model: str = ""
    """Of its SUIT class; its product where the board file says nothing else."""
    device: str = DEVICE

    @property
    def constrained(self) -> bool:
        """Say whether it is of the constrained profile: it does not take what MQTT could bring."""
        return self.max < DOCUMENT_BYTES_MAX

    @property
    def topics(self) -> Topics:
        """Where its messages come."""
        return Topics(self.prefix)

    @property
    def identifiers(self) -> tuple[bytes, bytes]:
        """Vendor and class of its patches, 16 bytes each."""
        return identifiers(self.vendor, self.model or self.product)

    def has(self, need: str) -> bool:
        """Say whether the board has what a row needs: ``alg:NUMBER``, or one of SUBSETS."""
        kind, _, number = need.partition(":")
        return int(number) in self.algorithms if kind == "alg" else need in self.subsets

    def room(self, kind: str) -> int:
        """Return how many bytes a message of this kind may have on this board."""
        return CONSTRAINED_BYTES_MAX if self.constrained and kind in CONSTRAINED else self.max


@dataclass(slots=True)
class Scene:
    """What the makers of documents know: the board, its fleet, and what was said so far in this row."""

    facts: Facts
    fleet: Fleet
    memory: dict[str, Any] = field(default_factory=dict)
    """What steps have left for later ones: nonces that the board asked with, an image."""

    def topic(self, template: str) -> str:
        """Fill in a topic below the prefix: ``notice/{product}/EX-2027-0001``."""
        facts = self.facts
        words = {"product": facts.product, "device": facts.device, "language": facts.language}
        return f"{facts.prefix}/{template.format(**words)}"


Make = Callable[[Scene], bytes]
"""Makes the bytes of a message."""


class Step(Protocol):
    """One thing that is done to the board, or looked for on it."""

    def do(self, bench: Bench, scene: Scene) -> None:
        """Do it; DiffersError where the board is not as the row says, Beyond where the row ends."""

    def told(self) -> str:
        """Return it in words."""


class DiffersError(AssertionError):
    """The board is not as the row says: the firmware's, not the bench's."""


def must(so: bool, why: str) -> None:  # noqa: FBT001 - it is what is said to be so
    """Hold the board to something.

    Raises:
        DiffersError: it is not so.
    """
    if not so:
        raise DiffersError(why)


class Beyond(Exception):  # noqa: N818 - it is no error: the row ends here, as the board's declaration says
    """The board answered as it must to what is beyond its declaration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a board is provisioned with; rows of the same situation that leave nothing behind share it."""

    name: str
    root: Callable[[Facts], Root] = lambda _: first_root()
    version: Version = VERSION
    algorithm: Algorithm = Algorithm.ED25519
    """Of those who sign, but for the root's own keys."""
    at: int = NOW + MINUTE
    """UTC seconds that the board's clock is set to."""
    before: tuple[Step, ...] = ()
    """What happened before the row begins; it must go well."""

    def fleet(self, facts: Facts) -> Fleet:
        """Return the fleet that the board is provisioned for."""
        return Fleet(self.root(facts), facts.device, facts.product, self.algorithm)


PLAIN: Final = Situation(name="a board as it was made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table."""

    name: str
    """``subject: what``; unique."""
    steps: tuple[Step, ...]
    on: Situation = PLAIN
    needs: frozenset[str] = frozenset()
    """What goes beyond Ed25519 and the smallest SUIT subset (:meth:`Facts.has`). A board that lacks one must
    answer UNSUPPORTED to the step that is marked ``asks``."""
    threat: str = ""
    """Row of docs/threat-model.md that it proves."""
    keeps: bool = False
    """Nothing but a refusal comes of it: the state is the same as before, and is shared with the next row."""

    def lacks(self, facts: Facts) -> tuple[str, ...]:
        """Return what this board does not declare, of what the row needs."""
        return tuple(sorted(need for need in self.needs if not facts.has(need)))
