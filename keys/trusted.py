"""The trusted set: one fleet's root, how far each version has come, and what time it is at least.

Pure: bytes and ``now`` in, a verdict out; :meth:`TrustedSet.dump` is what a shell stores, atomically.
Everything a device or a gateway believes has come through :meth:`TrustedSet.accept`.

    trusted = TrustedSet.enrol(root_1, now)       # provisioning: trust on first use, or a pinned digest
    trusted.update_root(root_2, now)              # n -> n+1, signed under both policies
    genuine = trusted.accept(data, Catalogue, subject="thermostat", now=now)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from keys.codec import at, blob, dump, load, many, record, text, uint
from keys.document import Genuine, body_bytes, digest, open_document, peek
from keys.errors import RefusedError
from keys.limits import FLOORS_MAX, NAME_BYTES_MAX, ROOT_BYTES_MAX, SIGNATURES_MAX, VERSION_MAX
from keys.reasons import Reason
from keys.root import ROLE_ROOT, Body, Root, checked

B = TypeVar("B", bound=Body)

STATE_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The newest version accepted of one (type, name), its digest, and who signed it."""

    type: str = at(1, text(NAME_BYTES_MAX))
    name: str = at(2, text(NAME_BYTES_MAX))
    version: int = at(3, uint(VERSION_MAX))
    digest: bytes = at(4, blob(32))
    kids: tuple[bytes, ...] = at(5, many(blob(32), SIGNATURES_MAX))
    issued: int = at(6, uint(VERSION_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What is stored."""

    fleet: bytes = at(1, blob(32))
    root: bytes = at(2, blob(ROOT_BYTES_MAX, bytes_min=1))
    floors: tuple[Floor, ...] = at(3, many(record(Floor), FLOORS_MAX))


class TrustedSet:
    """A root and the floors under everything accepted with it."""

    def __init__(self, fleet: bytes, root_document: bytes, root: Root, floors: Iterable[Floor] = ()) -> None:
        self.fleet = fleet
        self.root_document = root_document
        self.root = root
        self._floors = {(floor.type, floor.name): floor for floor in floors}

    @classmethod
    def enrol(cls, root_1: bytes, now: int | None, *, pinned: bytes | None = None) -> TrustedSet:
        """Start trusting a fleet by its root 1.

        Args:
            root_1: the document.
            now: UTC seconds, or None without a clock.
            pinned: the digest it must have, where one was provisioned.

        Raises:
            RefusedError: when it is not version 1, not valid, or not signed under its own policy.
        """
        body = peek(root_1, Root)
        fleet = digest(root_1)
        if pinned is not None and pinned != fleet:
            raise RefusedError(Reason.WRONG_FLEET, f"expected {pinned.hex()}, got {fleet.hex()}")
        if body.version != 1:
            raise RefusedError(Reason.ROOT_GAP, f"expected version 1, got {body.version}")
        root = open_document(root_1, Root, checked(body), fleet=b"", now=now).body
        return cls(fleet, root_1, root)

    @classmethod
    def load(cls, data: bytes) -> TrustedSet:
        """Rebuild a set from what :meth:`dump` returned (trusted storage: signatures are not checked again).

        Raises:
            RefusedError: MALFORMED when the storage is damaged.
        """
        state = load(_State, data, size_max=STATE_BYTES_MAX)
        return cls(state.fleet, state.root, checked(peek(state.root, Root)), state.floors)

    def dump(self) -> bytes:
        """Return the whole state as deterministic CBOR."""
        floors = tuple(self._floors[key] for key in sorted(self._floors))
        return dump(_State(fleet=self.fleet, root=self.root_document, floors=floors))

    @property
    def time_floor(self) -> int:
        """The latest time of issue among what was accepted: it cannot be earlier than this."""
        return max((floor.issued for floor in self._floors.values()), default=self.root.issued)

    def time(self, now: int | None) -> int:
        """Return the best idea of the time: the clock, but never before the floor."""
        return max(now or 0, self.time_floor)

    def floor(self, type_: str, name: str) -> Floor | None:
        """Return the newest accepted version of a document, if any."""
        return self._floors.get((type_, name))

    def update_root(self, document: bytes, now: int | None) -> Root:
        """Walk one step, n -> n+1; versions signed with keys that are gone are forgotten.

        Raises:
            RefusedError: with the reason of the first step that failed.
        """
        # 1. The body, only to know its version and whether it is a possible root at all.
        body = checked(peek(document, Root))
        # 2. Version: exactly the next one; the very same root again changes nothing.
        if body_bytes(document) == body_bytes(self.root_document):
            return self.root
        if body.version <= self.root.version:
            raise RefusedError(Reason.REPLAYED, f"version {body.version}, trusted {self.root.version}")
        if body.version != self.root.version + 1:
            raise RefusedError(Reason.ROOT_GAP, f"version {body.version}, trusted {self.root.version}")
        # 3. Old policy: an expired root still verifies its successor.
        open_document(document, Root, self.root, fleet=self.fleet)
        # 4. New policy: the new root keys exist and are in hand. Its own expiry counts.
        root = open_document(document, Root, body, fleet=self.fleet, now=now and self.time(now)).body
        # 5. Recovery from a version set absurdly high: a floor falls with the key it rests on.
        kept = {
            key: floor for key, floor in self._floors.items() if all(kid in root.by_kid for kid in floor.kids)
        }
        self.root_document, self.root, self._floors = document, root, kept
        return root

    def accept(
        self,
        document: bytes,
        cls: type[B],
        *,
        name: str,
        subject: str | None = None,
        now: int | None = None,
        expiring: bool = True,
    ) -> Genuine[B]:
        """Verify a document and raise its floor.

        Args:
            document: untrusted bytes.
            cls: the body type that belongs here.
            name: what its versions are counted under (a product, an advisory id, a device id).
            subject: the product or device it must be about; None compares nothing.
            now: UTC seconds, or None without a clock (the floor is used then).
            expiring: False accepts it although its time is over.

        Raises:
            RefusedError: of :func:`open_document`; EXPIRED when the root's own time is over; REPLAYED,
                EQUIVOCATION; LIMIT_REACHED.
        """
        at_time = self.time(now) if expiring else None
        if at_time is not None and cls.TYPE in NEEDS_FRESH_ROOT and at_time >= (self.root.expires or 0):
            raise RefusedError(Reason.EXPIRED, f"root {self.root.version} at {self.root.expires}")
        genuine = open_document(document, cls, self.root, fleet=self.fleet, subject=subject, now=at_time)
        self._raise_floor(genuine, name)
        return genuine

    def _raise_floor(self, genuine: Genuine[B], name: str) -> None:
        body = genuine.body
        key = (body.type, name)
        last = self._floors.get(key)
        if last is not None and body.version < last.version:
            raise RefusedError(Reason.REPLAYED, f"version {body.version}, accepted {last.version}")
        if last is not None and body.version == last.version and genuine.digest != last.digest:
            raise RefusedError(Reason.EQUIVOCATION, f"version {body.version}")
        if last is None and len(self._floors) >= FLOORS_MAX:
            raise RefusedError(Reason.LIMIT_REACHED, f"{FLOORS_MAX} floors")
        self._floors[key] = Floor(
            type=body.type,
            name=name,
            version=body.version,
            digest=genuine.digest,
            kids=genuine.signed,
            issued=body.issued,
        )


NEEDS_FRESH_ROOT = frozenset({"catalogue", "timestamp", "offer"})
"""Stale metadata blocks installing; it never holds up a warning, so a notice is not among these."""

__all__ = ["NEEDS_FRESH_ROOT", "ROLE_ROOT", "Floor", "TrustedSet"]
