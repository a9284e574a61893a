"""Roots: the C device reads, refuses and asks them as ``keys.root`` does, for the same reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.algorithms import Algorithm, PublicKey
from keys.cbor import decode, encode
from keys.codec import dump, load, pack
from keys.limits import ROLES_MAX, SIGNATURES_MAX, VERSION_MAX
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, PolicyRow, Root, RootKey, checked
from tests.helpers import NOW, key, make_root, policy, root_keys

from .build import Core
from .trust_of_c import Trust, changed, unsigned, verdict


def python_judges(body: bytes) -> Reason:
    return verdict(lambda: checked(load(Root, body, size_max=Root.BYTES_MAX)))


def held_to_python(core: Core, body: bytes) -> Reason:
    reason = python_judges(body)
    assert Trust(core).judge_root(unsigned(body)) is reason, body.hex()
    return reason


def rows(**demands: dict[str, int]) -> tuple[PolicyRow, ...]:
    return policy({**DEFAULT_POLICY, **demands})


def entry(name: str, roles: tuple[str, ...], holder: str | None = None) -> RootKey:
    return RootKey(key=key(name).public, roles=roles, holder=holder or name)


def test_what_a_root_says_is_read(core: Core) -> None:
    trust = Trust(core)
    root = make_root(exercise=True)
    reason, found = trust.read_root(unsigned(dump(root)))
    assert reason is Reason.OK
    assert (found.version, found.issued, found.expires, found.exercise) == (1, NOW, root.expires, True)
    assert (found.key_count, found.others) == (len(root.keys), 0)
    for n, one in enumerate(root.keys):
        assert trust.key_of(found, one.key.thumbprint) == n
    for other in (b"", bytes(32), root.keys[0].key.thumbprint[:31], root.keys[0].key.thumbprint + b"x"):
        assert trust.key_of(found, other) == -1


# Keys

POINT = key("p", Algorithm.ESP256).public
P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
GOOD = key("k").public.x
LOW = (0).to_bytes(32, "little")


def p256(x: int, y: int) -> dict[int, Any]:
    return {1: 2, -1: 1, -2: (x % 2**256).to_bytes(32, "big"), -3: (y % 2**256).to_bytes(32, "big")}


X, Y = int.from_bytes(POINT.x, "big"), int.from_bytes(POINT.y, "big")
# A point with x = 5: small enough that x + p still fits 32 bytes.
SMALL_X = 5
SMALL_Y = pow(
    SMALL_X**3 - 3 * SMALL_X + 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    (P256 + 1) // 4,
    P256,
)

COSE_KEYS: dict[str, tuple[Any, Reason]] = {
    "Ed25519": ({1: 1, -1: 6, -2: GOOD}, Reason.OK),
    "P-256": (POINT.to_cose(), Reason.OK),
    "P-256, the other y": (p256(X, P256 - Y), Reason.OK),
    "P-256, small": (p256(SMALL_X, SMALL_Y), Reason.OK),
    "P-256, the same point otherwise": (p256(SMALL_X + P256, SMALL_Y), Reason.MALFORMED),
    "P-256, no point": (p256(X, Y + 1), Reason.MALFORMED),
    "P-256, nor this": (p256(X + 1, Y), Reason.MALFORMED),
    "P-256, zero": (p256(0, 0), Reason.MALFORMED),
    "P-256, x is p": (p256(P256, Y), Reason.MALFORMED),
    "P-256, y is p": (p256(X, P256), Reason.MALFORMED),
    "P-256, all ones": (p256(-1, -1), Reason.MALFORMED),
    "P-256, a long y": (p256(X, Y) | {-3: bytes(33)}, Reason.MALFORMED),
    "P-256, a long x": (p256(X, Y) | {-2: bytes(33)}, Reason.MALFORMED),
    "P-256, one member more": (p256(X, Y) | {3: -9}, Reason.MALFORMED),
    "P-256, a short y": (p256(X, Y) | {-3: bytes(31)}, Reason.MALFORMED),
    "P-256 without y": ({1: 2, -1: 1, -2: POINT.x}, Reason.MALFORMED),
    "P-256, y a bit": ({1: 2, -1: 1, -2: POINT.x, -3: True}, Reason.MALFORMED),
    "P-256, curve true": (p256(X, Y) | {-1: True}, Reason.UNSUPPORTED),
    "P-384": (p256(X, Y) | {-1: 2}, Reason.UNSUPPORTED),
    "ML-DSA-44": ({1: 7, 3: -48, -1: bytes(1312)}, Reason.OK),
    "ML-DSA-44, short": ({1: 7, 3: -48, -1: bytes(1311)}, Reason.MALFORMED),
    "ML-DSA-65, of the other length": ({1: 7, 3: -49, -1: bytes(1312)}, Reason.MALFORMED),
    "ML-DSA-65, a text": ({1: 7, 3: -49, -1: "x"}, Reason.UNSUPPORTED),
    "ML-DSA-87": ({1: 7, 3: -50, -1: b""}, Reason.UNSUPPORTED),
    "ML-DSA without a key": ({1: 7, 3: -48}, Reason.UNSUPPORTED),
    "short": ({1: 1, -1: 6, -2: GOOD[:31]}, Reason.MALFORMED),
    "long": ({1: 1, -1: 6, -2: GOOD + b"x"}, Reason.MALFORMED),
    "of low order": ({1: 1, -1: 6, -2: LOW}, Reason.MALFORMED),
    "not reduced": ({1: 1, -1: 6, -2: b"\xed" + b"\xff" * 30 + b"\x7f"}, Reason.MALFORMED),
    "kind true": ({1: True, -1: 6, -2: GOOD}, Reason.UNSUPPORTED),
    "without x": ({1: 1, -1: 6}, Reason.MALFORMED),
    "one member more": ({1: 1, 3: -19, -1: 6, -2: GOOD}, Reason.MALFORMED),
    "no algorithm": ({1: 1, 3: 0, -1: 6, -2: GOOD}, Reason.MALFORMED),
    "a y of nothing": ({1: 1, -1: 6, -2: GOOD, -3: b""}, Reason.MALFORMED),
    "a y of zero": ({1: 1, -1: 6, -2: GOOD, -3: 0}, Reason.MALFORMED),
    "an algorithm too long": ({1: 7, 3: -0x3000, -1: bytes(1312)}, Reason.UNSUPPORTED),
    "curve too long": ({1: 1, -1: 600, -2: GOOD}, Reason.UNSUPPORTED),
    "one text more": ({1: 1, -1: 6, -2: GOOD, "x": 1}, Reason.MALFORMED),
    "one text of zero more": ({1: 1, -1: 6, -2: GOOD, "x": 0}, Reason.MALFORMED),
    "private": ({1: 1, -1: 6, -2: GOOD, -4: GOOD}, Reason.MALFORMED),
    "Ed448": ({1: 1, -1: 7, -2: GOOD}, Reason.UNSUPPORTED),
    "another kind": ({1: 3, -1: 6, -2: GOOD}, Reason.UNSUPPORTED),
    "kind false": ({1: False, -1: 6, -2: GOOD}, Reason.UNSUPPORTED),
    "kind a text": ({1: "OKP", -1: 6, -2: GOOD}, Reason.UNSUPPORTED),
    "kind as bytes": ({b"\x01": 1, -1: 6, -2: GOOD}, Reason.UNSUPPORTED),
    "kind two, curve six": ({1: 2, -1: 6, -2: GOOD}, Reason.UNSUPPORTED),
    "nothing": ({}, Reason.UNSUPPORTED),
    "an array": ([1], Reason.MALFORMED),
    "bytes": (GOOD, Reason.MALFORMED),
}
NO_POINTS = ("the same point otherwise", "no point", "nor this", "zero", "x is p", "y is p", "all ones")
"""The one difference: of a P-256 key C asks the form only. It verifies nothing with one (it declares Ed25519 alone),
and to know points would take it half a kilobyte. Whoever makes roots, and every other device, refuses these."""


@pytest.mark.parametrize("name", COSE_KEYS)
def test_keys_of_every_kind(core: Core, name: str) -> None:
    value, reason = COSE_KEYS[name]
    assert verdict(lambda: PublicKey.from_cose(decode(encode(value)))) is reason
    roots = pack(make_root(keys=root_keys()[:4], policy=policy({"root": {"root": 2}})))
    roots[10] = [*roots[10][:3], {1: value, 2: ["legal"], 3: "someone"}]
    if name.removeprefix("P-256, ") in NO_POINTS:
        assert python_judges(encode(roots)) is reason
        assert Trust(core).judge_root(unsigned(encode(roots))) is Reason.OK
    else:
        assert held_to_python(core, encode(roots)) is reason


def test_keys_of_other_kinds_are_known_and_marked(core: Core) -> None:
    trust = Trust(core)
    keys = (*root_keys(), RootKey(key=POINT, roles=("legal",), holder="p"))
    reason, found = trust.read_root(unsigned(dump(make_root(keys=keys))))
    assert (reason, found.others) == (Reason.OK, 1 << len(root_keys()))
    assert trust.key_of(found, POINT.thumbprint) == len(root_keys())


# Bodies

NAMES = ["a", "x" * 64, "x" * 65, "", " a", "a ", "a\n", "a\tb", "\x7f", "\u0085", "\u00a0a", "a\u00a0b", "a\u2028b", "a\u202eb",
         "a\u2066", "\u3000a", "a\u3000b", "\u1680", "\u200a.", "\u200b", "\u205fa", "\u202fa", "ä" * 32, "ä" * 33, "日本", "\U0001f600",
         "a\u061cb", "\ufeffa"]  # fmt: skip
IDS = ["a", "A-b_c.d9", "x" * 64, "x" * 65, "", "-a", ".a", "_a", "a/b", "a b", "ä", "a\n", "0"]
COUNTS = [0, 1, 16, 17, -1, True, "1", None, 2**64 - 1]
TIMES = [0, 1, VERSION_MAX, VERSION_MAX + 1, 2**64 - 1, -1, None, "1"]


def bodies() -> dict[str, Any]:
    """Every way in which one member of a root can be wrong, or just right."""
    base = pack(
        make_root(keys=root_keys()[:4], policy=policy({"root": {"root": 2}, "notice": {"engineering": 1}}))
    )
    one = base[10][0]
    line = base[11][1]
    found: dict[str, Any] = {"right": base}

    def put(where: str, key_: int, values: list[Any]) -> None:
        for n, value in enumerate(values):
            found[f"{where} {n}"] = {k: v for k, v in {**base, key_: value}.items() if v != "gone"}

    put("type", 1, [*IDS, "gone", 1])
    put("fleet", 2, [bytes(32), bytes(31), bytes(33), b"", "", None, "gone"])
    put("subject", 3, [[], ["a"], ["a"] * 64, ["a"] * 65, ["-"], None, "gone"])
    put("version", 4, [*TIMES, "gone"])
    put("issued", 5, [*TIMES, "gone"])
    put("expires", 6, [*TIMES, "gone"])
    put("author", 7, [["a", "b"], ["a"], ["a", "b", "c"], ["a", ""], None, *([name, "b"] for name in NAMES)])
    put("unknown", 8, [0])
    put("unknown too", 13, [0])
    put("unknown three", 0, [0])
    put("exercise", 12, [True, False, 0, None, "gone"])
    put("keys", 10, [[], "gone", {}, [one], [*base[10], []], [*base[10], 1]])
    put(
        "members",
        10,
        [[{**one, k: v}, *base[10][1:]] for k, v in ((4, 0), (0, 0), (2, []), (2, {}), (3, b"x"), (2, [1]))],
    )
    put(
        "fewer members",
        10,
        [[{k: v for k, v in one.items() if k != gone}, *base[10][1:]] for gone in (1, 2, 3)],
    )
    put(
        "roles",
        10,
        [
            [{**one, 2: roles}, *base[10][1:]]
            for roles in (["root"] * 16, ["root"] * 17, *(["root", n] for n in NAMES))
        ],
    )
    put("holders", 10, [[{**one, 3: name}, *base[10][1:]] for name in NAMES])
    put("rows", 11, [[], "gone", {}, [base[11][0]], [*base[11], []], [*base[11], 1]])
    put(
        "row",
        11,
        [
            [base[11][0], {**line, k: v}]
            for k, v in (
                (4, 0),
                (0, 0),
                (1, 7),
                (2, []),
                (2, {}),
                (3, None),
                *((3, i) for i in IDS),
                *((1, i) for i in IDS),
            )
        ],
    )
    put(
        "fewer in a row", 11, [[base[11][0], {k: v for k, v in line.items() if k != gone}] for gone in (1, 2)]
    )
    put("threshold", 11, [[base[11][0], {**line, 2: {"engineering": count}}] for count in COUNTS])
    put("demanded", 11, [[base[11][0], {**line, 2: {name: 1}}] for name in (*NAMES, 1, b"x")])
    put(
        "demands",
        11,
        [[base[11][0], {**line, 2: {f"r{n}": 1 for n in range(count)}}] for count in (15, 16, 17)],
    )
    return found


BODIES = bodies()


@pytest.mark.parametrize("part", sorted({name.rstrip("0123456789 ") for name in BODIES}))
def test_every_member_of_a_root(core: Core, part: str) -> None:
    reasons = {
        held_to_python(core, encode(b)) for name, b in BODIES.items() if name.rstrip("0123456789 ") == part
    }
    assert reasons
    if part == "right":
        assert reasons == {Reason.OK}


def test_demands_stand_in_order_and_once(core: Core) -> None:
    root = make_root(policy=rows(notice={"engineering": 1, "legal": 1, "communications": 1}))
    body = dump(root)
    legal, engineering = encode("legal") + b"\x01", encode("engineering") + b"\x01"
    assert legal + engineering in body
    assert held_to_python(core, body.replace(legal + engineering, engineering + legal)) is Reason.MALFORMED
    assert held_to_python(core, body.replace(legal + engineering, legal + legal)) is Reason.MALFORMED


def test_a_detached_body_is_not_read(core: Core) -> None:
    trust = Trust(core)
    assert trust.judge_root(b"\xd8\x62\x84\x40\xa0\xf6\x81\x83\x40\xa0\x40") is Reason.MALFORMED


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 1300), st.integers(0, 2), st.integers(0, 255)), min_size=1, max_size=2)
)
def test_whatever_becomes_of_a_root_both_say_the_same(
    core_library: Core, places: list[tuple[int, int, int]]
) -> None:
    body = changed(dump(make_root()), places)
    reason, said = python_judges(body), Trust(core_library).judge_root(unsigned(body))
    # Of two faults either may be said: Python judges each key as it comes to it, C all of the shape before any key.
    faults = {Reason.MALFORMED, Reason.UNSUPPORTED}
    assert said is reason or {said, reason} == faults, body.hex()


@pytest.mark.parametrize("gone", [10, 11, 12])
@pytest.mark.parametrize("more", [(), (6,), (6, 7)])
def test_entries_are_counted_before_any_key_is_read(core: Core, gone: int, more: tuple[int, ...]) -> None:
    """Too few of them is MALFORMED, although a key of an unknown kind, which is UNSUPPORTED, stands before the gap."""
    root = pack(make_root(author=("root-1", "root")))
    root[10][0] = {1: {1: 9}, 2: ["r"], 3: "h"}
    body = {label: value for label, value in root.items() if label not in {6, 7} or label in more}
    assert held_to_python(core, encode(body)) is Reason.UNSUPPORTED
    del body[gone]
    assert held_to_python(core, encode(body)) is Reason.MALFORMED


def test_an_array_for_a_key_makes_another_kind_of_key_for_both(core: Core) -> None:
    root = pack(make_root())
    root[10][3] = {1: "?", 2: ["r"], 3: "h"}
    body = encode(root).replace(b"\x01\x61?", b"\x01\xa1\x81\x01\x02", 1)
    assert held_to_python(core, body) is Reason.UNSUPPORTED


def crowd(count: int) -> tuple[RootKey, ...]:
    """As many keys, in as few bytes."""
    return tuple(entry(f"crowd-{n}", ("root" if n < 4 else "r",), f"h{n}") for n in range(count))


@pytest.mark.parametrize(
    ("keys", "lines", "reason"),
    [
        (16, 16, Reason.OK),
        (17, 2, Reason.LIMIT_REACHED),
        (4, 17, Reason.LIMIT_REACHED),
        (4, 64, Reason.LIMIT_REACHED),
        (4, 65, Reason.MALFORMED),
    ],
)
def test_more_keys_or_rows_than_this_device_keeps(core: Core, keys: int, lines: int, reason: Reason) -> None:
    rest = tuple(PolicyRow(type=f"t{n}", demands={"root": 1}) for n in range(lines - 1))
    body = dump(make_root(keys=crowd(keys), policy=(PolicyRow(type="root", demands={"root": 2}), *rest)))
    if reason is not Reason.LIMIT_REACHED:
        assert python_judges(body) is reason
    assert Trust(core).judge_root(unsigned(body)) is reason


def test_what_a_root_is_made_of_comes_before_its_limits(core: Core) -> None:
    many = pack(make_root(keys=crowd(17), policy=policy({"root": {"root": 2}})))
    assert Trust(core).judge_root(unsigned(encode(many))) is Reason.LIMIT_REACHED
    many[10][3] = {1: {1: 9}, 2: ["r"], 3: 7}
    assert Trust(core).judge_root(unsigned(encode(many))) is Reason.MALFORMED
    for count in (0, 65):  # the protocol's own limits, whatever stands there
        many[10] = [1] * count
        assert held_to_python(core, encode(many)) is Reason.MALFORMED


# What is possible

_ONE_MORE = RootKey(key=key("root-1").public, roles=("legal",), holder="another")
OTHER = entry("other", ("legal", "root", "engineering"), "root-1")

FAULTS: list[tuple[dict[str, Any], Reason]] = [
    ({}, Reason.OK),
    ({"keys": (*root_keys(), _ONE_MORE)}, Reason.BAD_ROOT),
    ({"keys": (*root_keys(), _ONE_MORE, _ONE_MORE)}, Reason.BAD_ROOT),
    ({"keys": (*root_keys(), OTHER)}, Reason.OK),
    ({"expires": None}, Reason.BAD_ROOT),
    ({"expires": 0, "issued": 0}, Reason.BAD_ROOT),
    ({"expires": NOW}, Reason.BAD_ROOT),
    ({"expires": NOW - 1}, Reason.BAD_ROOT),
    ({"expires": NOW + 1}, Reason.OK),
    ({"fleet": bytes(32)}, Reason.BAD_ROOT),
    ({"fleet": b"x"}, Reason.BAD_ROOT),
    ({"fleet": bytes(32), "version": 2}, Reason.OK),
    ({"fleet": b"x", "version": 0}, Reason.OK),
    ({"version": 2}, Reason.BAD_ROOT),
    ({"version": 0}, Reason.BAD_ROOT),
    ({"subject": ("thermostat",)}, Reason.BAD_ROOT),
    ({"type": "notice"}, Reason.OK),
    ({"author": ("root-1", "legal")}, Reason.OK),
    ({"policy": (*policy(), PolicyRow(type="root", demands={"root": 1}, product="x"))}, Reason.BAD_ROOT),
    ({"policy": (*policy(), *policy({"notice": {"legal": 1}}))}, Reason.BAD_ROOT),
    ({"policy": (*policy(), PolicyRow(type="notice", demands={"legal": 2}, product="x"))}, Reason.OK),
    ({"policy": (*policy(), *(PolicyRow(type="notice", demands={"legal": n}, product="x") for n in (1, 2)))}, Reason.BAD_ROOT),
    ({"policy": rows(notice={})}, Reason.BAD_ROOT),
    ({"policy": rows(notice={"legal": 0})}, Reason.BAD_ROOT),
    ({"policy": rows(notice={"legal": 1, "engineering": 0})}, Reason.BAD_ROOT),
    ({"policy": rows(notice={"legal": 2})}, Reason.OK),
    ({"policy": rows(notice={"legal": 3})}, Reason.BAD_ROOT),
    ({"policy": rows(notice={"press": 1})}, Reason.BAD_ROOT),
    ({"policy": rows(notice={"legal": SIGNATURES_MAX, "root": 1})}, Reason.BAD_ROOT),
    ({"policy": (*policy(), PolicyRow(type="notice", demands={"press": 1}, product="x"))}, Reason.BAD_ROOT),
    ({"policy": policy({k: v for k, v in DEFAULT_POLICY.items() if k != "root"})}, Reason.BAD_ROOT),
    ({"policy": rows(root={"legal": 1})}, Reason.BAD_ROOT),
    ({"policy": rows(root={"legal": 1, "root": 1})}, Reason.BAD_ROOT),
    ({"policy": rows(root={"root": 1})}, Reason.OK),
    ({"policy": rows(root={"root": 3})}, Reason.BAD_ROOT),
    ({"policy": rows(root={"root": 3}), "keys": (*root_keys(), OTHER)}, Reason.OK),
    ({"policy": rows(root={"root": 4})}, Reason.BAD_ROOT),
    ({"policy": rows(notice={"root": 3, "legal": 2, "engineering": 2})}, Reason.OK),
]  # fmt: skip


@pytest.mark.parametrize("n", range(len(FAULTS)))
@pytest.mark.parametrize("exercise", [False, True])
def test_a_root_that_could_not_work_is_refused(core: Core, n: int, exercise: bool) -> None:
    changes, reason = FAULTS[n]
    assert held_to_python(core, dump(make_root(exercise=exercise, **changes))) is reason


def test_a_row_has_as_many_seats_as_a_document_has_signatures(core: Core) -> None:
    for seats in (SIGNATURES_MAX - 1, SIGNATURES_MAX, SIGNATURES_MAX + 1):
        for roles in (1, 2, ROLES_MAX):
            wanted = dict.fromkeys([f"r{n}" for n in range(roles)], 1)
            wanted["r0"] = min(seats - roles + 1, SIGNATURES_MAX)
            keys = tuple(
                entry(f"crowd-{n}", ("root", *wanted)[: ROLES_MAX if n < 3 else 2], f"h{n}")
                for n in range(16)
            )
            root = make_root(
                keys=keys,
                policy=(PolicyRow(type="root", demands={"root": 2}), PolicyRow(type="t", demands=wanted)),
            )
            if len(dump(root)) < 1990:
                held_to_python(core, dump(root))
