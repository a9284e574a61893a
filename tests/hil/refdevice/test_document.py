"""Documents: the C device opens and refuses what ``keys.document`` does, at the same step, for the same reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keys import cose
from keys.algorithms import UNDECLARED, Algorithm
from keys.cbor import bstr, encode
from keys.codec import pack
from keys.document import Genuine, open_document, size_max, typ
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import PolicyRow, RootKey
from keys.shapes import Shape, ident, name, text
from tests.helpers import NOW, PRODUCT, key, make_fleet, policy, root_keys

from .build import Core
from .papers import Slip, slip
from .shape_of_c import END, Row, laid, taken
from .structs_of_c import Document
from .trust_of_c import Trust, changed, envelope, fits

PQ = RootKey(key=key("pq", Algorithm.ESP256).public, roles=("legal",), holder="legal-pq")
ROWS = policy({"root": {"root": 2}, "notice": {"engineering": 1, "legal": 1}})
NARROW = PolicyRow(type="notice", demands={"engineering": 1, "legal": 2}, product="narrow")
FLEET = make_fleet(keys=(*root_keys(), PQ), policy=(*ROWS, NARROW))
PEOPLE = {
    one: key(one) for one in ("engineering-1", "engineering-2", "legal-1", "legal-2", "root-1", "mallory")
}
PEOPLE["pq"] = key("pq", Algorithm.ESP256)


SLIP = laid(Row("IDENT", 64, key=10), END, entries=True)


@pytest.fixture
def desk(core: Core) -> Desk:
    """A desk on which the fleet's root lies."""
    return Desk(core)


class Desk:
    """Opens documents in both, under one root."""

    def __init__(self, core: Core) -> None:
        self.trust = Trust(core)
        reason, self.root = self.trust.read_root(FLEET.root_document)
        assert reason is Reason.OK

    def open(self, data: bytes, **asked: Any) -> Reason:
        """Say what both say of a document."""
        fleet = asked.pop("fleet", FLEET.id)
        reason, genuine = self._python(data, fleet, asked)
        words = {"expiring": asked.get("now") is not None, "own": SLIP, **asked}
        expected = self.trust.expected(Slip, **words)
        said, found = self.trust.open_document(data, self.root, fleet, expected)
        # A critical header that is not understood is looked for once the envelope has its shape, every signer's too.
        both = (said, reason) == (Reason.MALFORMED, Reason.UNSUPPORTED)
        assert said is reason or both, data.hex()
        if genuine is not None:
            self._compare(genuine, found)
        return reason

    @staticmethod
    def _python(data: bytes, fleet: bytes, asked: Any) -> tuple[Reason, Genuine[Slip] | None]:
        try:
            return Reason.OK, open_document(
                data, Slip, FLEET.root, fleet=fleet, algorithms=UNDECLARED, **asked
            )
        except RefusedError as error:
            return error.reason, None

    def _compare(self, mine: Genuine[Slip], its: Document) -> None:
        assert bytes(its.digest) == mine.digest
        signed = {one.key.thumbprint for n, one in enumerate(FLEET.root.keys) if its.signers.by >> n & 1}
        assert signed == set(mine.signed)
        assert self.trust.bytes_of(its.body) == encode(pack(mine.body))


# Parts of a document, each right or wrong in its own ways: a fault of two parts is said of the first step that it breaks.

RIGHT: dict[str, Any] = {
    "typ": "tocsin/notice",
    "header": {},
    "body": {},
    "names": ("engineering-1", "legal-1"),
    "signatures": "as they are",
    "envelope": "as it is",
}
FAULTS: dict[str, list[Any]] = {
    "typ": ["tocsin/catalogue", "notice", "", "tocsin/notices", "tocsin/", 7, None],
    "header": [{2: [16]}, {2: [5], 5: 0}, {2: []}],
    "body": [
        {1: "catalogue"},
        {2: bytes(32)},
        {2: b""},
        {3: []},
        {3: ["another", PRODUCT]},
        {3: ["another"]},
        {4: 2**53},
        {6: NOW},
        {6: NOW + 1},
        {6: 0},
        {7: ["legal-1", "legal"]},
        {7: ["legal-1", "engineering"]},
        {7: ["nobody", "engineering"]},
        {10: "no id"},
        {10: "x" * 64},
        {10: "x" * 65},
        {11: 0},
        {10: None},
    ],
    "names": [
        (),
        ("mallory",),
        ("mallory", "engineering-1", "legal-1"),
        ("engineering-1",),
        ("engineering-1", "engineering-2"),
        ("engineering-1", "engineering-1", "legal-1"),
        ("engineering-1", "pq"),
        ("pq",),
        ("pq", "engineering-1", "engineering-2"),
        ("root-1",),
        ("pq", "engineering-1", "legal-1"),
    ],
    "signatures": [
        "last wrong",
        "first wrong",
        "last mislabelled",
        "all under the last name",
        "no kid",
        "short",
    ],
    "envelope": ["detached", "cut off", "longer", "unprotected", "unprotected in a signer", "17 signatures"],
}


def signature(
    body: bytes, header: bytes, who: str, *, header_of: dict[Any, Any] | None = None
) -> tuple[bytes, bytes]:
    signer = PEOPLE[who]
    said = encode(header_of or {cose.ALG: signer.public.algorithm.value, cose.KID: signer.public.thumbprint})
    return said, signer.sign(b"\x85\x69Signature" + bstr(header) + bstr(said) + b"\x40" + bstr(body))


def made(**parts: Any) -> bytes:
    """Make a document with these parts wrong."""
    of = {**RIGHT, **parts}
    header_map = {**({} if of["typ"] is None else {cose.TYP: of["typ"]}), **of["header"]}
    header = encode(header_map)
    base = pack(replace(slip(fleet=FLEET.id), expires=NOW + 10))
    body = encode({k: v for k, v in sorted({**base, **of["body"]}.items()) if v is not None})
    signatures = [signature(body, header, who) for who in of["names"]]
    match of["signatures"]:
        case "last wrong":
            signatures[-1:] = [(said, bytes(64)) for said, _ in signatures[-1:]]
        case "first wrong":
            signatures[:1] = [(said, bytes(64)) for said, _ in signatures[:1]]
        case "short":
            signatures[:1] = [(said, value[:-1]) for said, value in signatures[:1]]
        case "last mislabelled":
            signatures[-1:] = [
                signature(
                    body, header, who, header_of={cose.ALG: -8, cose.KID: PEOPLE[who].public.thumbprint}
                )
                for who in of["names"][-1:]
            ]
        case "all under the last name":
            signatures = [(signatures[-1][0], value) for _, value in signatures]
        case "no kid":
            signatures = [signature(body, header, who, header_of={cose.ALG: -19}) for who in of["names"]]
    data = envelope(header, body, signatures)
    head = b"\xd8\x62\x84" + bstr(header) + b"\xa0"
    match of["envelope"]:
        case "detached":
            return envelope(header, None, signatures)
        case "cut off":
            return data[:-1]
        case "longer":
            return data + b"\x00"
        case "unprotected":
            return head[:-1] + b"\xa1\x01\x00" + data[len(head) :]
        case "unprotected in a signer":
            first = bstr(signatures[0][0]) if signatures else b""
            return data.replace(first + b"\xa0", first + b"\xa1\x01\x00")
        case "17 signatures":
            return envelope(header, body, [*signatures, *[(b"", b"")] * (17 - len(signatures))])
    return data


def cases() -> Iterator[dict[str, Any]]:
    yield {}
    for part, faults in FAULTS.items():
        for fault in faults:
            yield {part: fault}
    for one, other in combinations(FAULTS, 2):
        for n, fault in enumerate(FAULTS[one]):
            for m, more in enumerate(FAULTS[other]):
                if (n + m) % 3 == 0:
                    yield {one: fault, other: more}


def test_the_first_step_that_fails_gives_the_reason(desk: Desk) -> None:
    seen = set()
    for n, parts in enumerate(cases()):
        if parts.get("signatures") == "all under the last name" and parts.get("names") == ():
            continue
        data = made(**parts)
        asked = ({"subject": PRODUCT, "now": NOW}, {"now": NOW + 10}, {"subject": "narrow"}, {"fleet": b""})
        seen.add(desk.open(data, subject=PRODUCT, now=NOW))
        seen.add(desk.open(data, **{"subject": PRODUCT, **asked[n % 4]}))
    names = "OK MALFORMED UNSUPPORTED WRONG_TYPE UNKNOWN_KEY ALGORITHM_MISMATCH BAD_SIGNATURE WRONG_FLEET"
    names += " WRONG_SUBJECT THRESHOLD_NOT_MET EXPIRED"
    assert {reason.name for reason in seen} == set(names.split())


ALONE: list[tuple[dict[str, Any], dict[str, Any], Reason]] = [
    ({}, {"subject": PRODUCT, "now": NOW}, Reason.OK),
    ({}, {}, Reason.OK),
    ({}, {"now": NOW + 9}, Reason.OK),
    ({}, {"now": NOW + 10}, Reason.EXPIRED),
    ({"body": {6: None}}, {"now": 2**60}, Reason.OK),
    ({"body": {6: 0}}, {"now": 0}, Reason.EXPIRED),
    ({"body": {6: 0}}, {}, Reason.OK),
    ({"body": {7: ["legal-1", "legal"]}}, {}, Reason.OK),
    ({"body": {7: ["legal-1", "engineering"]}}, {}, Reason.THRESHOLD_NOT_MET),
    ({"names": ("engineering-1", "pq")}, {}, Reason.UNSUPPORTED),
    ({"names": ("pq",)}, {}, Reason.UNSUPPORTED),
    ({"names": ("mallory",)}, {}, Reason.UNKNOWN_KEY),
    ({"signatures": "last mislabelled"}, {}, Reason.ALGORITHM_MISMATCH),
    ({"signatures": "no kid"}, {}, Reason.UNKNOWN_KEY),
    ({"signatures": "short"}, {}, Reason.BAD_SIGNATURE),
    ({}, {"product": "narrow"}, Reason.THRESHOLD_NOT_MET),
    ({"names": ("engineering-1", "legal-1", "legal-2")}, {"product": "narrow"}, Reason.OK),
    ({"body": {3: ["narrow"]}}, {"subject": "narrow"}, Reason.THRESHOLD_NOT_MET),
    ({"body": {3: ["narrow"]}}, {"subject": "narrow", "product": PRODUCT}, Reason.OK),
    ({}, {"subject": "another"}, Reason.WRONG_SUBJECT),
    ({"body": {3: []}}, {"subject": PRODUCT}, Reason.WRONG_SUBJECT),
    ({"body": {3: ["another", PRODUCT]}}, {"subject": PRODUCT}, Reason.OK),
    ({"body": {10: None}}, {}, Reason.MALFORMED),
    ({"envelope": "unprotected"}, {}, Reason.MALFORMED),
    # Of one key the first right signature counts, and what follows under its name is not looked at.
    ({"names": ("engineering-1", "legal-1", "engineering-1"), "signatures": "last wrong"}, {}, Reason.OK),
    (
        {"names": ("engineering-1", "legal-1", "engineering-1"), "signatures": "first wrong"},
        {},
        Reason.BAD_SIGNATURE,
    ),
]


@pytest.mark.parametrize("n", range(len(ALONE)))
def test_each_fault_by_itself(desk: Desk, n: int) -> None:
    parts, asked, reason = ALONE[n]
    assert desk.open(made(**parts), **asked) is reason


def test_a_type_without_a_row_belongs_to_nobody(core: Core) -> None:
    trust = Trust(core)
    fleet = make_fleet(policy=policy({"root": {"root": 2}, "patch": {"release": 1}}))
    reason, root = trust.read_root(fleet.root_document)
    assert reason is Reason.OK
    body = slip(fleet=fleet.id)
    data = cose.sign(encode(pack(body)), [key("engineering-1")], typ=typ("notice"))
    with pytest.raises(RefusedError) as caught:
        open_document(data, Slip, fleet.root, fleet=fleet.id, subject=PRODUCT)
    assert caught.value.reason is Reason.NO_POLICY_ROW
    expected = trust.expected(Slip, subject=PRODUCT)
    assert trust.open_document(data, root, fleet.id, expected)[0] is Reason.NO_POLICY_ROW


def test_a_document_has_a_size_before_it_has_anything_else(desk: Desk) -> None:
    """One byte over: of the whole before its structure, of the body behind its signatures."""
    trust = desk.trust
    right = made()
    expected = trust.expected(Slip, subject=PRODUCT, now=NOW, own=SLIP)
    of_body = len(cose.parse(right, cose.TAG_SIGN).payload or b"")
    wrong, broken = made(signatures="last wrong"), made(body={11: 0})
    table = [
        (right, len(right), of_body, Reason.OK),
        (right, len(right) - 1, of_body, Reason.TOO_BIG),
        (right[:-1], len(right) - 2, of_body, Reason.TOO_BIG),
        (right[:-1], len(right) - 1, of_body, Reason.MALFORMED),
        (right, len(right), of_body - 1, Reason.TOO_BIG),
        (wrong, len(wrong), of_body - 1, Reason.BAD_SIGNATURE),
        (broken, len(broken), of_body - 1, Reason.TOO_BIG),
    ]
    for data, most, of_body_most, reason in table:
        expected.document_bytes_max, expected.bytes_max = most, of_body_most
        assert trust.open_document(data, desk.root, FLEET.id, expected)[0] is reason
    assert size_max(Slip) == 512 + 32_768


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2), st.integers(0, 255)), max_size=2),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 2), st.integers(0, 255)), max_size=1),
)
@example([], [])
def test_whatever_becomes_of_a_document_both_say_the_same(
    core_library: Core, inside: list[tuple[int, int, int]], outside: list[tuple[int, int, int]]
) -> None:
    """Changed before it was signed, and after."""
    body = changed(encode(pack(slip(fleet=FLEET.id, author=("legal-1", "legal")))), inside)
    data = cose.sign(body, [PEOPLE["engineering-1"], PEOPLE["legal-1"]], typ="tocsin/notice")
    Desk(core_library).open(changed(data, outside), subject=PRODUCT, now=NOW)


# Texts

CHARACTERS = st.characters(codec="utf-8") | st.sampled_from(
    "\t\n\x7f\x85\xa0\u1680\u2000\u200b\u2028\u202e\u2069\u3000. -_aZ9"
)
SHAPES: dict[str, Shape] = {"IDENT": ident(64), "NAME": name(64), "WORDS": text(64)}


@settings(max_examples=400)
@given(st.text(CHARACTERS, max_size=8))
@example("")
@example("x" * 64)
@example("x" * 65)
@example("ä" * 32)
@example("\U0001f600" * 16)
def test_texts_are_taken_by_the_same_rules(core_library: Core, value: str) -> None:
    data = encode(value)
    for kind, shape in SHAPES.items():
        assert taken(core_library, data, Row(kind, 64)) is fits(shape, value), (kind, value)


def test_every_character_at_every_place(core_library: Core) -> None:
    """All that could matter: everything but letters of far-off alphabets, which are sampled."""
    places = [
        *range(0x300),
        *range(0x1600, 0x1700),
        *range(0x2000, 0x2100),
        *range(0x3000, 0x3010),
        0xFEFF,
        0xFFFD,
        0x10FFFF,
    ]
    for code in places:
        for value in (chr(code), f"{chr(code)}a", f"a{chr(code)}a", f"a{chr(code)}"):
            data = encode(value)
            for kind, shape in SHAPES.items():
                assert taken(core_library, data, Row(kind, 64)) is fits(shape, value), (kind, value)
