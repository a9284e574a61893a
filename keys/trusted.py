"""The trusted set: one fleet's root, how far each version has come, and what time it is at least.

Pure: bytes and ``now`` in, a verdict out; :meth:`TrustedSet.dump` is what a shell stores, atomically.
Everything a device or a gateway believes has come through :meth:`TrustedSet.accept`.

    trusted = TrustedSet.enrol(root_1, None)      # provisioning: trust on first use, or a pinned digest
    trusted.update_root(root_2, None)             # n -> n+1, signed under both policies
    genuine = trusted.accept(data, Catalogue, name="thermostat", subject="thermostat", now=now)
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import TypeVar

from keys.algorithms import VERIFIED, Algorithm
from keys.codec import at, blob, dump, load, many, mapping, record, row, uint
from keys.document import Genuine, body_bytes, digest, open_document, peek
from keys.errors import RefusedError
from keys.limits import (
    DOCUMENT_BYTES_MAX,
    FLOORS_MAX,
    ROLES_MAX,
    SIGNATURES_MAX,
    STATE_BYTES_MAX,
    VERSION_MAX,
)
from keys.reasons import Reason
from keys.root import NAME, ROLE_ROOT, Body, Root, checked

B = TypeVar("B", bound=Body)

METADATA = frozenset({"catalogue", "timestamp", "offer", "answer", "devices"})
"""Types that a single key may sign. Their time of issue never makes a warning late: else whoever steals
such a key could silence every notice by naming a time far ahead."""

NEEDS_FRESH_ROOT = frozenset({"catalogue", "timestamp", "offer"})
"""Stale metadata blocks installing; it never holds up a warning, so a notice is not among these."""


@dataclass(slots=True, kw_only=True)
class Floor:
    """The newest version accepted of one (type, name), its digest, and who signed it under which demand."""

    type: str = at(1, NAME)
    name: str = at(2, NAME)
    version: int = at(3, uint(VERSION_MAX))
    digest: bytes = at(4, blob(32))
    kids: tuple[bytes, ...] = at(5, many(blob(32), SIGNATURES_MAX))
    issued: int = at(6, uint(VERSION_MAX))
    demands: dict[str, int] = at(7, mapping(NAME, uint(SIGNATURES_MAX), ROLES_MAX))
    author: tuple[str, str] | None = at(8, row(NAME, NAME), optional=True)
    until: int | None = at(9, uint(VERSION_MAX), optional=True)
    """UTC seconds from which no version accepted so far is valid any more; None: one is valid for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What is stored."""

    fleet: bytes = at(1, blob(32))
    root: bytes = at(2, blob(DOCUMENT_BYTES_MAX, bytes_min=1))
    floors: tuple[Floor, ...] = at(3, many(record(Floor), FLOORS_MAX))


class TrustedSet:
    """A root and the floors under everything accepted with it."""

    def __init__(
        self,
        fleet: bytes,
        root_document: bytes,
        root: Root,
        floors: Iterable[Floor] = (),
        *,
        algorithms: Container[Algorithm] = VERIFIED,
    ) -> None:
        self.algorithms = algorithms
        """What this reader can verify with; it is not stored, for it changes with the firmware."""
        self.fleet = fleet
        self.root_document = root_document
        self.root = root
        self._floors = {(floor.type, floor.name): floor for floor in floors}
        self._issued = self._latest()

    @classmethod
    def enrol(
        cls,
        root_1: bytes,
        now: int | None,
        *,
        pinned: bytes | None = None,
        algorithms: Container[Algorithm] = VERIFIED,
    ) -> TrustedSet:
        """Start trusting a fleet by its root 1.

        Args:
            root_1: the document.
            now: UTC seconds to refuse a root 1 whose time is over (for whoever publishes it); None where
                newer roots will follow: a device may have lain on a shelf for years.
            pinned: the digest it must have, where one was provisioned.
            algorithms: what this reader can verify with.

        Raises:
            RefusedError: when it is not version 1, not valid, or not signed under its own policy.
        """
        body = peek(root_1, Root)
        fleet = digest(root_1)
        if pinned is not None and pinned != fleet:
            raise RefusedError(Reason.WRONG_FLEET, f"expected {pinned.hex()}, got {fleet.hex()}")
        if body.version != 1:
            raise RefusedError(Reason.ROOT_GAP, f"expected version 1, got {body.version}")
        root = open_document(root_1, Root, checked(body), fleet=b"", now=now, algorithms=algorithms).body
        return cls(fleet, root_1, root, algorithms=algorithms)

    @classmethod
    def load(cls, data: bytes, *, algorithms: Container[Algorithm] = VERIFIED) -> TrustedSet:
        """Rebuild a set from what :meth:`dump` returned (trusted storage: signatures are not checked again).

        Raises:
            RefusedError: MALFORMED or BAD_ROOT when the storage is damaged.
        """
        state = load(_State, data, size_max=STATE_BYTES_MAX)
        root = checked(peek(state.root, Root))
        if (root.fleet or digest(state.root)) != state.fleet:
            raise RefusedError(Reason.MALFORMED, "the stored root is another fleet's")
        return cls(state.fleet, state.root, root, state.floors, algorithms=algorithms)

    def dump(self) -> bytes:
        """Return the whole state as deterministic CBOR."""
        floors = tuple(self._floors[key] for key in sorted(self._floors))
        return dump(_State(fleet=self.fleet, root=self.root_document, floors=floors))

    def _latest(self) -> dict[bool, int]:
        """Return the latest time of issue that metadata states, and the latest that other documents state."""
        latest = {True: self.root.issued, False: self.root.issued}
        for floor in self._floors.values():
            kind = floor.type in METADATA
            latest[kind] = max(latest[kind], floor.issued)
        return latest

    @property
    def time_floor(self) -> int:
        """The latest time of issue among what was accepted: it cannot be earlier than this."""
        return max(self._issued.values())

    def time(self, now: int | None, type_: str | None = None) -> int:
        """Return the best idea of the time: the clock, but never before what was issued already.

        Args:
            now: UTC seconds, or None without a clock.
            type_: the document type whose expiry is asked for; metadata counts against metadata only.
        """
        issued = self._issued
        if type_ is None or type_ in METADATA:
            return max(now or 0, issued[True], issued[False])
        return max(now or 0, issued[False])

    def floor(self, type_: str, name: str) -> Floor | None:
        """Return the newest accepted version of a document, if any."""
        return self._floors.get((type_, name))

    def update_root(self, document: bytes, now: int | None) -> Root:
        """Walk one step, n -> n+1; versions that rest on keys that are gone are forgotten.

        Args:
            document: untrusted bytes.
            now: UTC seconds to refuse a root whose time is over (for whoever publishes it); None while
                walking: a device that slept through several roots must pass those that are over.
                :meth:`accept` judges whether the last one is fresh.

        Raises:
            RefusedError: with the reason of the first step that failed.
        """
        # 1. The very same root again changes nothing.
        if body_bytes(document) == body_bytes(self.root_document):
            return self.root
        # 2. Version: exactly the next one.
        version = peek(document, Root).version
        if version <= self.root.version:
            raise RefusedError(Reason.REPLAYED, f"version {version}, trusted {self.root.version}")
        if version != self.root.version + 1:
            raise RefusedError(Reason.ROOT_GAP, f"version {version}, trusted {self.root.version}")
        # 3. Old policy: an expired root still verifies its successor.
        body = open_document(document, Root, self.root, fleet=self.fleet, algorithms=self.algorithms).body
        # 4. A possible root at all: every row complete, and met by the holders it names.
        checked(body)
        # 5. New policy: the new root keys exist and are in hand.
        root = open_document(document, Root, body, fleet=self.fleet, now=now, algorithms=self.algorithms).body
        # 6. Recovery from a version or time set absurdly high: a floor falls with the keys it rests on. It
        #    stays while those who signed could still have signed, so an extra signature evicts nothing.
        kept = {
            key: floor
            for key, floor in self._floors.items()
            if not root.missing(floor.demands, floor.kids, floor.author)
        }
        self.root_document, self.root, self._floors = document, root, kept
        self._issued = self._latest()
        return root

    def accept(
        self,
        document: bytes,
        cls: type[B],
        *,
        name: str,
        subject: str | None = None,
        product: str | None = None,
        now: int | None = None,
        expiring: bool = True,
    ) -> Genuine[B]:
        """Verify a document and raise its floor.

        Args:
            document: untrusted bytes.
            cls: the body type that belongs here.
            name: what its versions are counted under; one of the body's own :meth:`~keys.root.Body.names`
                (an advisory id for a notice, else a product or a device id).
            subject: the product or device it must be about; None compares nothing.
            product: whose policy row to use, where ``subject`` is a device.
            now: UTC seconds, or None without a clock (the floor is used then).
            expiring: False accepts it although its time is over.

        Raises:
            RefusedError: of :func:`open_document`; EXPIRED when the root's own time is over; WRONG_SUBJECT
                when it is not about ``name``; REPLAYED, EQUIVOCATION; LIMIT_REACHED.
        """
        at_time = self.time(now, cls.TYPE) if expiring else None
        if at_time is not None and cls.TYPE in NEEDS_FRESH_ROOT and at_time >= (self.root.expires or 0):
            raise RefusedError(Reason.EXPIRED, f"root {self.root.version} at {self.root.expires}")
        genuine = open_document(
            document,
            cls,
            self.root,
            fleet=self.fleet,
            subject=subject,
            product=product,
            now=at_time,
            algorithms=self.algorithms,
        )
        names = genuine.body.names()
        if names and name not in names:
            raise RefusedError(Reason.WRONG_SUBJECT, f"expected {name}, got {', '.join(names)}")
        self._raise_floor(genuine, name, now)
        return genuine

    def _raise_floor(self, genuine: Genuine[B], name: str, now: int | None) -> None:
        body = genuine.body
        key = (body.type, name)
        last = self._floors.get(key)
        kids, until = set(genuine.signed), body.expires
        if last is not None:
            if body.version < last.version:
                raise RefusedError(Reason.REPLAYED, f"version {body.version}, accepted {last.version}")
            if body.version == last.version:
                if genuine.digest != last.digest:
                    raise RefusedError(Reason.EQUIVOCATION, f"version {body.version}")
                # Another copy of the same bytes: whoever signed either copy has signed.
                kids |= {kid for kid in last.kids if kid in self.root.by_kid}
            until = None if until is None or last.until is None else max(until, last.until)
        elif len(self._floors) >= FLOORS_MAX:
            self._forget_one(self.time(now, ROLE_ROOT))
        self._floors[key] = Floor(
            type=body.type,
            name=name,
            version=body.version,
            digest=genuine.digest,
            kids=tuple(sorted(kids)[:SIGNATURES_MAX]),
            issued=body.issued,
            demands=genuine.demands,  # the root's own, never changed: one for all that hangs from it
            author=body.author,
            until=until,
        )
        if last is None:
            kind = body.type in METADATA
            self._issued[kind] = max(self._issued[kind], body.issued)
        else:  # what the last version stated counts no more
            self._issued = self._latest()

    def _forget_one(self, now: int) -> None:
        """Make room: the floor goes of which every version has been over the longest; the others stay."""
        over = [(f.until, key) for key, f in self._floors.items() if f.until is not None and f.until <= now]
        if not over:
            raise RefusedError(Reason.LIMIT_REACHED, f"{FLOORS_MAX} floors")
        del self._floors[min(over)[1]]
        self._issued = self._latest()


__all__ = ["METADATA", "NEEDS_FRESH_ROOT", "ROLE_ROOT", "Floor", "TrustedSet"]
