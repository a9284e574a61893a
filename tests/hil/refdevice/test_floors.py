"""A floor stays while those who signed could still have signed, over any number of roots, and at any cut of power."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.catalogue import Catalogue
from keys.document import seal
from keys.reasons import Reason
from keys.root import Body, PolicyRow, Root, RootKey, checked
from tests.helpers import (
    NOW,
    PRODUCT,
    key,
    make_root,
    policy,
)

from .build import Core, Cut
from .papers import (
    ADVISORY,
    FLEET,
    Slip,
    list_,
    root_signed,
    slip,
    warn,
    without,
)
from .trust_of_c import CARRIED, Twin

# What floors rest on, from root to root

ROLES = ("a", "b", "c")
POOL = tuple(f"pool-{n}" for n in range(6))
HOLDERS = ("anna", "boris", "chris", "dana")
SEATS = tuple(
    RootKey(key=key(name).public, roles=("root",), holder=name) for name in ("root-1", "root-2", "root-3")
)
TYPES: tuple[type[Body], ...] = (Slip, Catalogue)

seats = st.lists(
    st.tuples(
        st.sampled_from(POOL),
        st.lists(st.sampled_from(ROLES), min_size=1, max_size=3, unique=True),
        st.sampled_from(HOLDERS),
    ),
    min_size=2,
    max_size=6,
    unique_by=lambda seat: seat[0],
)
demand = st.dictionaries(st.sampled_from(ROLES), st.integers(1, 2), min_size=1, max_size=3)
charters = st.tuples(seats, demand, demand, st.none() | demand, st.integers(0, 4))
authors = st.none() | st.tuples(st.sampled_from((*HOLDERS, "nobody")), st.sampled_from((*ROLES, "none")))
signers = st.sets(st.sampled_from(POOL), min_size=1, max_size=5)
documents = st.tuples(
    st.sampled_from(TYPES),
    signers,
    authors,
    st.integers(0, 3),
    st.none() | st.integers(0, 3),
    st.sampled_from(("one", "two")),
)
walks = st.lists(st.one_of(documents, documents, documents, charters), min_size=3, max_size=14)


def root_of(charter: Any, version: int, fleet: bytes) -> Root:
    """A root whose rows can be met: demands that could not fall back to one root key."""
    held, *demands, mood = charter
    kept = tuple(RootKey(key=key(name).public, roles=tuple(roles), holder=who) for name, roles, who in held)
    root = make_root(
        fleet=fleet,
        version=version,
        issued=NOW + version,
        keys=(*SEATS, *kept),
        policy=(),
        exercise=mood == 0,
    )
    everyone = [entry.key.thumbprint for entry in root.keys]
    rows = [PolicyRow(type="root", demands={"root": 2})]
    for type_, of, wanted in zip(
        ("notice", "catalogue", "notice"), (None, None, PRODUCT), demands, strict=True
    ):
        if wanted is not None:
            possible = not root.missing(wanted, everyone)
            rows.append(PolicyRow(type=type_, demands=wanted if possible else {"root": 1}, product=of))
    return checked(replace(root, policy=tuple(rows)))


def body_of(cls: type[Body], fleet: bytes, said: Any) -> Body:
    _, _, author, version, expires, name = said
    base: dict[str, Any] = {
        "type": cls.TYPE,
        "fleet": fleet,
        "subject": (PRODUCT,),
        "version": version,
        "issued": NOW + 10 * version,
        "expires": None if expires is None else NOW + 1000 + expires,
        "author": author,
    }
    if cls is Slip:
        return Slip(**base, id=name)
    return Catalogue(**base, notices=(), patches=())


def lived(core: Core, first: Any, walk: list[Any]) -> int:
    """Walk, in both; return how many floors stood on an older root at some time."""
    core.new()
    core.lib.tn_store_load()
    twin = Twin(core)
    assert twin.enrol(root_signed(root_of(first, 1, b""))) is Reason.OK
    carried = 0
    for step in walk:
        fleet, version = twin.python.fleet, twin.python.root.version
        if isinstance(step[0], list):
            assert twin.update(root_signed(root_of(step, version + 1, fleet))) is Reason.OK
            carried += sum(floor.type != 0 and floor.row == CARRIED for floor in twin.c.stored.floors)
        else:
            cls, who = step[0], step[1]
            document = seal(body_of(cls, fleet, step), [key(name) for name in sorted(who)])
            name = step[-1] if cls is Slip else PRODUCT
            twin.accept(document, cls, name, subject=PRODUCT, now=NOW)
    return carried


@settings(max_examples=100)
@given(charters, walks)
def test_a_floor_stays_while_those_who_signed_could_still_have_signed(
    core_library: Core, first: Any, walk: list[Any]
) -> None:
    lived(core_library, first, walk)


def test_a_floor_outlives_the_roots_that_know_its_signers(core: Core) -> None:
    """Everyone who signed is remembered: also one whose key is away for a while, or has another holder and roles."""
    keys = {n: (f"pool-{n}", ["a"], who) for n, who in enumerate(HOLDERS)}
    one, two = {"a": 1}, {"a": 2}
    said: Any = (Slip, {"pool-0", "pool-1"}, None, 2, None, "one")
    less = (Slip, {"pool-2"}, None, 1, None, "one")
    calm = 1
    first = ([keys[0], keys[1], keys[2]], one, one, None, calm)
    gone = ([keys[1], keys[2]], one, one, None, calm)
    back = ([keys[0], keys[2]], one, one, None, calm)
    assert lived(core, first, [said, gone, back, gone, back, less]) > 1
    # Of a demand of two, both must be there and be two people; and what was demanded then counts, not now.
    first = ([keys[0], keys[1], keys[2]], two, one, None, calm)
    merged = ([("pool-0", ["a"], "anna"), ("pool-1", ["a"], "anna"), keys[2]], one, one, None, calm)
    renamed = ([("pool-0", ["b"], "anna"), keys[1], keys[2]], one, one, None, calm)
    eased = ([keys[0], keys[1], keys[2]], one, one, None, calm)
    drill = (merged[0], one, one, None, 0)
    for after in (merged, renamed, eased, drill):
        lived(core, first, [said, eased, after, less, after, less])
    # An author counts for one role only, under later holders too.
    both = {n: (f"pool-{n}", ["a", "b"], who) for n, who in enumerate(HOLDERS)}
    first = ([both[0], both[1], both[2]], {"a": 1, "b": 1}, one, None, calm)
    other = ([("pool-0", ["a", "b"], "boris"), ("pool-1", ["a", "b"], "anna"), keys[2]], one, one, None, calm)
    for author in (("anna", "a"), ("anna", "none"), ("boris", "b"), ("nobody", "a")):
        said = (Slip, {"pool-0", "pool-1"}, author, 2, None, "one")
        lived(core, first, [said, other, first, other, less])


def test_a_row_of_every_seat_is_carried_whole(core: Core) -> None:
    held = [(f"pool-{n}", [f"role-{n}"], f"holder-{n}") for n in range(13)]
    demand_ = {f"role-{n}": 1 for n in range(13)}
    everyone = {name for name, *_ in held}
    said = (Slip, everyone, None, 2, None, "one")
    first = (held, demand_, {"role-0": 1}, None, 1)
    calm = (held, {"role-0": 1}, {"role-0": 1}, None, 1)
    short = (held[:-1], {"role-0": 1}, {"role-0": 1}, None, 1)
    assert lived(core, first, [said, calm, calm, calm]) > 1
    assert lived(core, first, [said, calm, short, calm]) == 1


# Power


def fewer() -> tuple[PolicyRow, ...]:
    """Rows that can be met without the operator."""
    rows = {line.type: dict(line.demands) for line in policy()}
    return policy({**rows, "devices": {"gateway": 1}, "catalogue": {"gateway": 1}})


@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_a_cut_in_a_root_update_leaves_the_old_state_or_the_new_one(core: Core, earlier: int) -> None:
    """At every change of flash, with floors that stand on this root and on older ones, stored or not yet stored."""
    mine: dict[str, Any] = {"keys": without("operator-1", "legal-1"), "policy": fewer()}
    roots = [root_signed(FLEET.next_root(version=n, issued=NOW + n)) for n in range(2, earlier + 2)]
    last = root_signed(FLEET.next_root(version=earlier + 2, issued=NOW + 9, **mine))
    mine["keys"] = without("operator-1", "legal-2")
    after = root_signed(FLEET.next_root(version=earlier + 3, issued=NOW + 9, **mine))
    others = ("engineering-2", "legal-2", "communications-1")

    def prepared() -> Twin:
        core.new()
        core.lib.tn_store_load()
        twin = Twin(core)
        assert twin.enrol(FLEET.root_document) is Reason.OK
        assert warn(twin, slip()) is Reason.OK
        assert warn(twin, slip(id="stays"), *others, name="stays") is Reason.OK
        assert list_(twin) is Reason.OK
        core.lib.tn_store_save()
        whole.add(bytes(twin.c.stored))
        for document in roots:  # none of these is stored by whoever calls
            assert twin.update(document) is Reason.OK
            whole.add(bytes(twin.c.stored))
        return twin

    whole: set[bytes] = set()
    twin = prepared()
    before = core.lib.tn_store_writes()
    assert twin.update(last) is Reason.OK
    core.lib.tn_store_save()
    whole.add(bytes(twin.c.stored))
    changes = core.lib.tn_store_writes() - before
    assert changes > 5
    seen = set()
    for place, when in product(range(1, changes + 1), Cut):
        c = prepared().c
        core.cut(place, when)
        c.update(last)
        core.lib.tn_store_save()
        assert core.dead
        core.power_on()
        core.lib.tn_store_load()
        assert bytes(c.stored) in whole
        seen.add(c.root.version)
        # From there on it is a device like any other: it walks on, and what it believes falls and stays as it should.
        for document in (*roots, last):
            assert c.update(document) in {Reason.OK, Reason.REPLAYED}
        assert [c.floor(*of) is None for of in (("notice", ADVISORY), ("catalogue", PRODUCT))] == [True, True]
        assert c.floor("notice", "stays") is not None
        assert c.update(after) is Reason.OK
        assert c.floor("notice", "stays") is None
        assert core.wrong == ""
    assert seen == {max(earlier, 1), earlier + 1, earlier + 2}
