"""Attacks through the root: policies that cannot be, holders who count twice, keys that were revoked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from keys.algorithms import Algorithm, PublicKey
from keys.document import seal
from keys.reasons import Reason as R
from keys.root import DEFAULT_POLICY, PolicyRow, Root, RootKey
from tests.helpers import (
    DAY,
    NOW,
    PRODUCT,
    Fleet,
    key,
    make_fleet,
    make_root,
    notice,
    policy,
    root_keys,
)
from tests.keys.threats.attack import Threat as T
from tests.keys.threats.contents import AT
from tests.keys.threats.drafts import DOCUMENTS, TYPES, Draft, draft, render, standard
from tests.keys.threats.table import Vector, fleet_of, states

ED = Algorithm.ED25519


def entry(name: str, *roles: str, holder: str | None = None) -> RootKey:
    return RootKey(key=key(name).public, roles=roles, holder=holder or name)


def rows(**changes: Mapping[str, int] | None) -> tuple[PolicyRow, ...]:
    """The default policy with other rows; None takes one away."""
    table = {**DEFAULT_POLICY, **changes}
    return policy({type_: row for type_, row in table.items() if row is not None})


def for_product(type_: str, **demands: int) -> PolicyRow:
    return PolicyRow(type=type_, demands=demands, product=PRODUCT)


def without(*holders: str) -> tuple[RootKey, ...]:
    return tuple(found for found in root_keys() if found.holder not in holders)


FAULTS: Mapping[str, dict[str, Any]] = {
    "an empty row": {"policy": rows(notice={})},
    "a row with threshold 0": {"policy": rows(notice={"legal": 0})},
    "a row that demands one holder more than there is": {"policy": rows(patch={"release": 2})},
    "a row for a role that nobody has": {"policy": rows(notice={"nobody": 1})},
    "a row that demands seventeen signatures": {
        "policy": rows(notice={f"role-{n}": 1 for n in range(15)} | {"legal": 2})
    },
    "a row that stands twice": {"policy": (*rows(), *policy({"notice": {"legal": 1}}))},
    "an impossible row of one product": {"policy": (*rows(), for_product("patch", release=2))},
    "an empty row of one product": {"policy": (*rows(), for_product("patch"))},
    "no row for the root": {"policy": rows(root=None)},
    "a root row of another role": {"policy": rows(root={"legal": 1})},
    "a root row with a second role": {"policy": rows(root={"root": 2, "legal": 1})},
    "a root row of one product": {"policy": (*rows(), for_product("root", root=1))},
    "as many root keys as the threshold": {"keys": without("root-3")},
    "a key listed twice": {"keys": (*root_keys(), entry("legal-1", "legal", holder="legal-9"))},
    "a key listed twice in two roles": {"keys": (*root_keys(), entry("legal-1", "communications"))},
    "one holder in all three roles of a row": {
        "keys": (
            *(found for found in root_keys() if found.roles[0] not in DEFAULT_POLICY["notice"]),
            *(entry(f"m-{role}", role, holder="mallory") for role in DEFAULT_POLICY["notice"]),
        )
    },
}


def odd_keys() -> Mapping[str, tuple[PublicKey, R]]:
    """Keys that are a second spelling of another, or that anybody can sign for."""
    own = key("legal-1").public.x
    p256 = key("legal-1", Algorithm.ESP256).public
    return {
        "an Ed25519 point of low order": (PublicKey(ED, bytes(32)), R.MALFORMED),
        "an Ed25519 neutral element": (PublicKey(ED, b"\x01" + bytes(31)), R.MALFORMED),
        "an Ed25519 point written above the prime": (PublicKey(ED, b"\xee" + b"\xff" * 31), R.MALFORMED),
        "an Ed25519 key of 31 bytes": (PublicKey(ED, own[:31]), R.MALFORMED),
        "a P-256 point that is not on the curve": (
            PublicKey(Algorithm.ESP256, p256.x, p256.x),
            R.MALFORMED,
        ),
        "a P-256 point at zero": (PublicKey(Algorithm.ESP256, bytes(32), bytes(32)), R.MALFORMED),
        "a P-256 coordinate above the prime": (
            PublicKey(Algorithm.ESP256, b"\xff" * 32, p256.y),
            R.MALFORMED,
        ),
    }


@dataclass(frozen=True, slots=True)
class Given:
    """A fleet of its own for one row, and what is shown to it."""

    fleet: Fleet
    genuine: bytes
    data: bytes
    state: bytes
    type: str = "notice"
    now: int = AT


def root_signed(body: Root, *names: str) -> bytes:
    return seal(body, [key(name) for name in names or ("root-1", "root-2")])


def signed(made: Draft, *names: str) -> bytes:
    """The same message by other holders."""
    marks = tuple(standard(key(name), context=made.marks[0].context) for name in names)
    return render(replace(made, marks=marks))


TRIO = ("engineering-1", "legal-1", "communications-1")


def holders(*names: str, keys: tuple[RootKey, ...] = (), type_: str = "notice", **changes: Any) -> Given:
    """A root with other keys beside its own; the genuine message is signed as usual, the attack by ``names``."""
    fleet = make_fleet(keys=(*root_keys(), *keys), **changes)
    made = draft(type_, fleet)
    return Given(fleet, render(made), signed(made, *names), fleet.trusted().dump(), type_)


def author_twice() -> Given:
    """The author of a notice signs for engineering and, with a second key, for legal."""
    fleet = make_fleet(keys=(*root_keys(), entry("second", "legal", holder="engineering-1")))
    made = draft("notice", fleet)
    made = replace(made, fields={**made.fields, 7: ["engineering-1", "engineering"]})
    data = signed(made, "engineering-1", "second", "communications-1")
    return Given(fleet, signed(made, *TRIO), data, fleet.trusted().dump())


def no_row() -> Given:
    """The policy has lost the row for notices; the next root must not be met by any signature."""
    fleet = make_fleet(policy=rows(notice=None, publication={"legal": 1}))
    good = draft("catalogue", fleet)
    data = seal(notice(fleet), [key(name) for name in TRIO])
    return Given(fleet, render(good), data, fleet.trusted().dump())


def product_row() -> Given:
    """The product demands more than the fleet: what meets the general row does not do."""
    strict = for_product("notice", engineering=1, legal=2, communications=1)
    fleet = make_fleet(policy=(*rows(), strict))
    made = draft("notice", fleet)
    good = signed(made, *TRIO, "legal-2")
    return Given(fleet, good, signed(made, *TRIO), fleet.trusted().dump())


def revoked(type_: str, gone: tuple[str, ...], fresh: tuple[RootKey, ...], good: tuple[str, ...]) -> Given:
    """Keys were revoked by root 2; a message correctly formed by the old ones comes afterwards."""
    fleet = fleet_of(ED)
    trusted = fleet.trusted()
    kept = tuple(found for found in fleet.root.keys if found.holder not in gone)
    trusted.update_root(root_signed(fleet.next_root(issued=NOW, keys=(*kept, *fresh))), None)
    made = draft(type_, fleet)
    return Given(fleet, signed(made, *good), render(made), trusted.dump(), type_)


def stale_root(type_: str) -> Given:
    """The root's own time is over: nothing may be installed by it."""
    fleet = fleet_of(ED)
    made = draft(type_, fleet)
    lasting = render(replace(made, fields={**made.fields, 6: NOW + 900 * DAY}))
    over = NOW + 365 * DAY
    return Given(fleet, lasting, lasting, fleet.trusted().dump(), type_, over)


_SECOND_GATEWAY = (entry("gateway-2", "gateway"),)
_GIVEN: Mapping[str, tuple[str, Callable[[], Given], R]] = {
    "one holder with three keys in three roles": (
        T.APPROVAL,
        lambda: holders(
            "m-1",
            "m-2",
            "m-3",
            keys=(
                entry("m-1", "engineering", holder="mallory"),
                entry("m-2", "legal", holder="mallory"),
                entry("m-3", "communications", holder="mallory"),
            ),
        ),
        R.THRESHOLD_NOT_MET,
    ),
    "one key with three roles": (
        T.APPROVAL,
        lambda: holders("m-1", keys=(entry("m-1", "engineering", "legal", "communications"),)),
        R.THRESHOLD_NOT_MET,
    ),
    "one holder for both roles of a patch": (
        T.APPROVAL,
        lambda: holders(
            "m-1",
            "m-2",
            keys=(entry("m-1", "release", holder="m"), entry("m-2", "security", holder="m")),
            type_="patch",
        ),
        R.THRESHOLD_NOT_MET,
    ),
    "two keys of one role": (T.APPROVAL, lambda: holders("legal-1", "legal-2"), R.THRESHOLD_NOT_MET),
    "author in a second role": (T.APPROVAL, author_twice, R.THRESHOLD_NOT_MET),
    "type without a row": (T.APPROVAL, no_row, R.NO_POLICY_ROW),
    "general row where the product has its own": (T.APPROVAL, product_row, R.THRESHOLD_NOT_MET),
    "revoked gateway's timestamp": (
        T.COMPROMISE,
        lambda: revoked("timestamp", ("gateway-1",), _SECOND_GATEWAY, ("gateway-2",)),
        R.UNKNOWN_KEY,
    ),
    "revoked gateway's offer": (
        T.COMPROMISE,
        lambda: revoked("offer", ("gateway-1",), _SECOND_GATEWAY, ("gateway-2",)),
        R.UNKNOWN_KEY,
    ),
    "notice that a revoked key helped to sign": (
        T.COMPROMISE,
        lambda: revoked("notice", ("legal-1",), (), ("engineering-1", "legal-2", "communications-1")),
        R.THRESHOLD_NOT_MET,
    ),
    "patch that a revoked key helped to sign": (
        T.COMPROMISE,
        lambda: revoked(
            "patch", ("security-1",), (entry("security-2", "security"),), ("release-1", "security-2")
        ),
        R.THRESHOLD_NOT_MET,
    ),
}


def _given() -> Iterator[Vector]:
    for name, (threat, make, reason) in _GIVEN.items():
        found = make()
        yield Vector(
            name=f"{found.type}: {name}",
            threat=threat,
            type=found.type,
            state=found.state,
            genuine=found.genuine,
            genuine_type="catalogue" if reason is R.NO_POLICY_ROW else found.type,
            data=found.data,
            reason=reason,
        )
    for type_ in ("catalogue", "timestamp", "offer"):
        found = stale_root(type_)
        yield Vector(
            name=f"{type_}: after the root's own end",
            threat=T.FREEZE,
            type=type_,
            state=found.state,
            genuine=found.genuine,
            genuine_now=found.now - 1,
            data=found.data,
            now=found.now,
            reason=R.EXPIRED,
            detail="root 1",
        )


def _roots() -> Iterator[Vector]:
    """Every fault of a root as the next one, and as a first one."""
    fleet = fleet_of(ED)
    state, good = fleet.trusted().dump(), root_signed(fleet.next_root(issued=NOW))
    faults = {name: (changes, R.BAD_ROOT) for name, changes in FAULTS.items()}
    for name, (public, reason) in odd_keys().items():
        odd = RootKey(key=public, roles=("legal",), holder="odd")
        faults[name] = ({"keys": (*root_keys(), odd)}, reason)
    for name, (changes, reason) in faults.items():
        common = {"threat": T.APPROVAL, "reason": reason}
        data = root_signed(fleet.next_root(issued=NOW, **changes))
        yield Vector(name=f"root: {name}", type="root", state=state, genuine=good, data=data, **common)
        first = root_signed(make_root(**changes))
        yield Vector(
            name=f"root-1: {name}",
            type="root-1",
            state=b"",
            genuine=fleet.root_document,
            data=first,
            **common,
        )
    fresh = tuple(entry(f"new-{n}", "root") for n in (1, 2, 3))
    moved = {"keys": (*without("root-1", "root-2", "root-3"), *fresh), "issued": NOW}
    both = root_signed(fleet.next_root(**moved), "root-1", "root-2", "new-1", "new-2")
    for name, signers, reason in (
        ("only the old keys", ("root-1", "root-2"), R.UNKNOWN_KEY),
        ("only the new keys", ("new-1", "new-2"), R.UNKNOWN_KEY),
        ("old keys and one new key", ("root-1", "root-2", "new-1"), R.THRESHOLD_NOT_MET),
        ("new keys and one old key", ("root-1", "new-1", "new-2"), R.THRESHOLD_NOT_MET),
        ("one stolen root key", ("root-1",), R.THRESHOLD_NOT_MET),
        (
            "one root key and everybody else",
            ("root-1", *TRIO, "gateway-1", "operator-1"),
            R.THRESHOLD_NOT_MET,
        ),
    ):
        yield Vector(
            name=f"root: signed by {name}",
            threat=T.COMPROMISE,
            type="root",
            state=state,
            genuine=both,
            data=root_signed(fleet.next_root(**moved), *signers),
            reason=reason,
        )


def _enrolment() -> Iterator[Vector]:
    fleet, other = fleet_of(ED), make_fleet(now=NOW + 1)
    for name, data, reason in (
        ("another fleet's root 1", other.root_document, R.WRONG_FLEET),
        ("one bit of the pinned root", fleet.root_document[:-1] + b"\0", R.BAD_SIGNATURE),
        ("signed by one root key", root_signed(make_root(), "root-1"), R.THRESHOLD_NOT_MET),
    ):
        yield Vector(
            name=f"root-1: {name}",
            threat=T.WRONG_PLACE,
            type="root-1",
            state=fleet.id,
            genuine=fleet.root_document,
            data=data,
            reason=reason,
        )


def _swapped() -> Iterator[Vector]:
    """Every genuine message in the place of every other type, and the same message of two other fleets."""
    fleet, sister = fleet_of(ED), make_fleet(now=NOW + 1)
    genuine = {type_: render(draft(type_, fleet)) for type_ in TYPES}
    for place in DOCUMENTS:
        for type_ in DOCUMENTS:
            if type_ == place or len(genuine[type_]) > 1_000:  # a root is too big elsewhere: another reason
                continue
            yield Vector(
                name=f"{place}: a {type_} in its place",
                threat=T.WRONG_PLACE,
                type=place,
                state=states(ED)[place],
                genuine=genuine[place],
                data=genuine[type_],
                reason=R.MALFORMED if place == "root" else R.WRONG_TYPE,
            )
        # The same keys in another fleet, and another fleet's keys under our fleet's name.
        yield Vector(
            name=f"{place}: of a fleet with the same keys",
            threat=T.WRONG_PLACE,
            type=place,
            state=states(ED)[place],
            genuine=genuine[place],
            data=render(draft(place, sister)),
            reason=R.WRONG_FLEET,
        )
        made = draft(place, fleet)
        theirs = tuple(standard(key(f"theirs-{n}")) for n, _ in enumerate(made.marks))
        yield Vector(
            name=f"{place}: signed by another fleet's keys",
            threat=T.FORGERY,
            type=place,
            state=states(ED)[place],
            genuine=genuine[place],
            data=render(replace(made, marks=theirs)),
            reason=R.UNKNOWN_KEY,
        )


@cache
def vectors() -> tuple[Vector, ...]:
    """Every row of this module."""
    return (*_given(), *_roots(), *_enrolment(), *_swapped())
