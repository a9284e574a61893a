"""What is kept of it: floors that are bounded, and a state that comes back as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keys import trusted as module
from keys.cbor import decode, encode
from keys.codec import dump
from keys.document import digest
from keys.limits import FLOORS_MAX, STATE_BYTES_MAX, VERSION_MAX
from keys.reasons import Reason
from keys.root import Root
from keys.trusted import Floor, TrustedSet
from tests.helpers import (
    NOW,
    make_root,
    notice,
    timestamp,
)
from tests.keys.trusting import ADVISORY, FLEET, reason_of, root_signed, rotate, stolen, take


def full(until: int | None) -> TrustedSet:
    floors = [
        Floor(
            type="notice",
            name=f"EX-{n}",
            version=1,
            digest=bytes(32),
            kids=tuple(FLEET.root.by_kid),
            issued=NOW,
            demands={"legal": 1},
            until=None if until is None else until + n,
        )
        for n in range(FLOORS_MAX)
    ]
    return TrustedSet(FLEET.id, FLEET.root_document, FLEET.root, floors)


def test_floors_are_limited_and_none_that_matters_is_given_up() -> None:
    trusted = full(None)
    assert reason_of(lambda: take(trusted, notice(FLEET))) is Reason.LIMIT_REACHED
    one_less = TrustedSet(FLEET.id, FLEET.root_document, FLEET.root, list(trusted._floors.values())[1:])
    take(one_less, notice(FLEET))
    assert reason_of(lambda: take(one_less, notice(FLEET, id="EX-2026-0002"))) is Reason.LIMIT_REACHED
    take(one_less, notice(FLEET, version=NOW + 1))


def test_room_is_made_by_what_has_been_over_the_longest() -> None:
    trusted = full(NOW + 10)
    assert reason_of(lambda: take(trusted, notice(FLEET), now=NOW + 9)) is Reason.LIMIT_REACHED
    take(trusted, notice(FLEET), now=NOW + 10)
    assert trusted.floor("notice", "EX-0") is None
    assert trusted.floor("notice", "EX-1") is not None


def test_a_stolen_single_key_cannot_make_floors_of_notices_go() -> None:
    trusted = full(NOW + 10)
    trusted._floors.pop(("notice", "EX-0"))
    stolen(trusted)
    assert reason_of(lambda: take(trusted, notice(FLEET), now=NOW)) is Reason.LIMIT_REACHED


def test_a_floor_stays_until_its_longest_lived_version_is_over() -> None:
    trusted = FLEET.trusted()
    take(trusted, notice(FLEET, expires=NOW + 90))
    take(trusted, notice(FLEET, version=NOW + 1, expires=NOW + 20))
    floor = trusted.floor("notice", ADVISORY)
    assert floor is not None
    assert floor.until == NOW + 90
    take(trusted, notice(FLEET, version=NOW + 2, expires=None))
    take(trusted, notice(FLEET, version=NOW + 3, expires=NOW + 20))
    floor = trusted.floor("notice", ADVISORY)
    assert floor is not None
    assert floor.until is None


def test_the_state_comes_back_as_it_was() -> None:
    trusted = FLEET.trusted()
    rotate(trusted)
    take(trusted, notice(FLEET, author=("engineering-1", "engineering")))
    take(trusted, timestamp(FLEET))
    again = TrustedSet.load(trusted.dump())
    assert again.dump() == trusted.dump()
    assert again.root == trusted.root
    assert again.floor("notice", ADVISORY) == trusted.floor("notice", ADVISORY)


def test_the_largest_state_can_be_read_back() -> None:
    floors = [
        Floor(
            type="t" * 64,
            name=f"{n:064}",
            version=VERSION_MAX,
            digest=bytes(32),
            kids=(bytes(32),) * 16,
            issued=VERSION_MAX,
            demands={f"{role:064}": 16 for role in range(16)},
            author=("h" * 64, "r" * 64),
            until=VERSION_MAX,
        )
        for n in range(FLOORS_MAX)
    ]
    state = TrustedSet(FLEET.id, FLEET.root_document, FLEET.root, floors).dump()
    assert len(state) + Root.BYTES_MAX < STATE_BYTES_MAX
    assert TrustedSet.load(state).dump() == state


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda s: b"", Reason.MALFORMED),
        (lambda s: s[:-1], Reason.MALFORMED),
        (lambda s: encode({**decode(s), 1: bytes(32)}), Reason.MALFORMED),
        (lambda s: encode({**decode(s), 2: b"\x00"}), Reason.MALFORMED),
        (lambda s: encode({**decode(s), 2: root_signed(make_root(expires=None))}), Reason.BAD_ROOT),
        (lambda s: bytes(STATE_BYTES_MAX + 1), Reason.TOO_BIG),
    ],
)
def test_damaged_storage_is_noticed(damage: Callable[[bytes], bytes], reason: Reason) -> None:
    assert reason_of(lambda: TrustedSet.load(damage(FLEET.trusted().dump()))) is reason


def test_a_stored_root_2_belongs_to_the_fleet_it_names() -> None:
    trusted = FLEET.trusted()
    rotate(trusted)
    state = encode({**decode(trusted.dump()), 1: bytes(32)})
    assert reason_of(lambda: TrustedSet.load(state)) is Reason.MALFORMED


def test_the_module_names_what_a_shell_needs() -> None:
    assert set(module.__all__) <= set(vars(module))
    assert digest(FLEET.root_document) == FLEET.id
    assert dump(FLEET.root)
