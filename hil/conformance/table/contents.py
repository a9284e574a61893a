"""What is said: bodies that everyone signed and nobody may believe, and bytes that are no CBOR of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hil.conformance.drafts import Alter, fields, outer_trick, put, signed_trick
from hil.conformance.fleet import DAY, MINUTE, NOW
from hil.conformance.rows import Row
from hil.conformance.steps import Send
from hil.conformance.table.common import (
    AGED,
    DOCUMENTS,
    FLOORS,
    ID,
    TO,
    TYPES,
    genuine,
    refusal,
)
from keys.reasons import Reason

R = Reason
ROLLBACK, REPLAY, FREEZE = "rollback", "replay", "freeze"
PLACE, EXTRA, FORGERY = "wrong type, product, device or fleet", "extra or missing bytes", "forgery"
BOMB = "oversized input and decoder bombs"


def h(digits: str) -> bytes:
    """Bytes from hexadecimal digits."""
    return bytes.fromhex(digits)


def instead(data: bytes) -> Alter:
    """Other bytes altogether."""
    return put(raw=lambda _: data)


TAGS: Final[Mapping[str, bytes]] = {
    "tag 0, a date": h("c0 74") + b"2026-01-01T00:00:00Z",
    "tag 1, an epoch time": h("c1 1a 6b49d200"),
    "tag 2, a bignum": h("c2 49 010000000000000000"),
    "tag 3, a negative bignum": h("c3 41 01"),
    "tag 5, a bigfloat": h("c5 82 20 03"),
    "tag 25, a string reference": h("d819 00"),
    "tag 29, a reference to nothing": h("d81d 00"),
    "tag 30, a fraction": h("d81e 82 01 03"),
    "tag 32, an address": h("d820 61 61"),
    "tag 36, a mail message": h("d824 64") + b"a: b",
    "tag 52, an IPv4 address": h("d834 44 c0000201"),
    "tag 54, an IPv6 network": h("d836 82 1840 44 20010db8"),
    "tag 100, days": h("d864 19 4000"),
    "tag 104, a reference system": h("d868 01"),
    "tag 256, a string table": h("d90100 81 61 61"),
    "tag 260, a network address": h("d90104 44 c0000201"),
    "tag 261, a prefix": h("d90105 a1 44 c0000200 1818"),
    "tag 1004, a day": h("d903ec 6a") + b"2026-01-01",
    "tag 43000, a complex number": h("d9a7f8 82 01 02"),
    "tag 4, a decimal of 2,147,483,647 digits": h("c4 82 1a 7fffffff 01"),
    "tag 24, an embedded item": h("d818 41 00"),
    "tag 28, a shared value that holds itself": h("d81c 81 d81d 00"),
    "tag 30, a fraction over zero": h("d81e 82 01 00"),
    "tag 35, a regular expression": h("d823 66") + b"(a+)+$",
    "tag 37, a UUID": h("d825 50") + bytes(16),
    "tag 258, a set": h("d90102 81 01"),
    "tag 55799, self-described": h("d9d9f7 01"),
    "tag 999, unknown": h("d903e7 01"),
    "tag 2^64-1": h("db ffffffffffffffff 00"),
}
ITEMS: Final[Mapping[str, bytes]] = {
    "half float": h("f9 3c00"),
    "infinity": h("f9 7c00"),
    "not a number": h("f9 7e00"),
    "float": h("fb 3ff199999999999a"),
    "undefined": h("f7"),
    "simple value 32": h("f8 20"),
    "reserved simple value": h("f8 18"),
    "integer written longer than it needs": h("18 05"),
    "length written longer than it needs": h("58 01 00"),
    "string of no fixed length": h("5f 41 00 ff"),
    "array of no fixed length": h("9f 00 ff"),
    "map of no fixed length": h("bf 00 00 ff"),
    "break without a beginning": h("ff"),
    "reserved length": h("1c"),
    "map with a key twice": h("a2 01 01 01 02"),
    "map whose keys are in the wrong order": h("a2 02 00 01 00"),
    "map whose key is a map": h("a1 a0 00"),
    "text that is no UTF-8": h("61 ff"),
    "text with half a surrogate": h("63 eda080"),
    "text with a longer form of a letter": h("62 c1a1"),
    "string that claims 2^63 bytes": h("5b 8000000000000000"),
    "string that claims 2^64-1 bytes": h("5b ffffffffffffffff"),
    "text that claims 2^31 bytes": h("7a 80000000"),
    "array that claims 2^63 items": h("9b 8000000000000000"),
    "array that claims 2^32-1 items": h("9a ffffffff"),
    "map that claims 2^63 entries": h("bb 8000000000000000"),
    "map that claims a million entries": h("ba 000f4240 00 00"),
    "array nested 17 deep": h("81") * 17 + h("00"),
    "map nested 17 deep": h("a1 00") * 17 + h("00"),
    "tag nested 17 deep": h("d2") * 17 + h("00"),
}
BIG: Final[Mapping[str, bytes]] = {
    "array nested 3,000 deep": h("81") * 2_999 + h("00"),
    "map nested 1,500 deep": h("a1 00") * 1_499 + h("00"),
    "1,000 shared values": h("d81c 81") * 1_000 + h("00"),
    "3,000 tags": h("d2") * 2_999 + h("00"),
    "array of 3,000 integers": h("99 0bb8") + bytes(3_000),
}
VERSIONS: Final[Mapping[str, Any]] = {
    "version 2^53": 2**53,
    "version 2^64-1": 2**64 - 1,
    "version -1": -1,
    "version -2^63": -(2**63),
    "version 1.5": 1.5,
    "version 2^63": 2**63,
    "version without end": float("-inf"),
    "version true": True,
    "version as a text": "1800000000",
    "version as bytes": b"\x01",
    "version null": None,
}
BODIES: Final[Mapping[str, dict[Any, Any]]] = {
    "entry that no table has": {99: 0},
    "entry named by a negative number": {-1: 0},
    "entry named by a text": {"version": 0},
    "no version": {4: ...},
    "no type": {1: ...},
    "no subject": {3: ...},
    "no time of issue": {5: ...},
    "subject with a slash": {3: ["a/b"]},
    "subject that is no list": {3: "thermostat"},
    "author with an escape sequence": {7: ["eve\x1b[2J", "engineering"]},
    "author written backwards (U+202E)": {7: ["lagel\u202e", "engineering"]},
    "author on two lines (U+2028)": {7: ["eve\u2028lawyer", "engineering"]},
    "author with a space at the end": {7: ["lawyer ", "legal"]},
    "fleet of 33 bytes": {2: bytes(33)},
    "65 subjects": {3: [f"p{n}" for n in range(65)]},
}
BYTES: Final[Mapping[str, Alter]] = {
    "empty body": put(body=lambda _: b""),
    "body is a list": put(body=lambda _: h("81 00")),
    "body with a byte after it": put(body=lambda data: data + b"\0"),
    "body with an item after it": put(body=lambda data: data + data),
    "body cut by one byte": put(body=lambda data: data[:-1]),
    "body with its map left open": put(body=lambda data: b"\xbf" + data[1:] + b"\xff"),
}
NOTHING: Final[Mapping[str, bytes]] = {
    "one zero": b"\0",
    "a text": b"\x65hello",
    "JSON": b'{"type": "root"}',
    "PEM": b"-----BEGIN CERTIFICATE-----",
    "an empty map": b"\xa0",
}
AROUND: Final[Mapping[str, Alter]] = {
    "byte after it": put(raw=lambda data: data + b"\0"),
    "twice in a row": put(raw=lambda data: data * 2),
    "byte before it": put(raw=lambda data: b"\0" + data),
    "cut by one byte": put(raw=lambda data: data[:-1]),
    "cut in the middle": put(raw=lambda data: data[: len(data) // 2]),
    "its first byte alone": put(raw=lambda data: data[:1]),
}
SAID: Final[Mapping[str, tuple[dict[Any, Any], Reason]]] = {
    "another type inside": ({1: "publication"}, R.WRONG_TYPE),
    "another fleet": ({2: bytes(32)}, R.WRONG_FLEET),
    "no fleet": ({2: b""}, R.WRONG_FLEET),
    "another product or device": ({3: ["another"]}, R.WRONG_SUBJECT),
}
NOTICE_FIELDS: Final[Mapping[str, dict[Any, Any]]] = {
    "revision 65,536": {11: 65_536},
    "phase 5": {12: 5},
    "exercise 1": {13: 1},
    "severity 5": {14: 5},
    "action 4": {16: 4},
    "no language": {19: {}},
    "65 languages": {19: {f"x{n}": bytes(32) for n in range(65)}},
    "digest of 31 bytes": {19: {"en": bytes(31)}},
    "language of 36 bytes": {19: {"x" * 36: bytes(32)}},
    "language that is no text": {19: {1: bytes(32)}},
    "no release list": {21: ...},
    "version of three numbers": {15: {"thermostat": [[[1, 0, 0], None]]}},
    "range of one bound": {15: {"thermostat": [[None]]}},
    "seventeen ranges": {15: {"thermostat": [[None, None]] * 17}},
    "reminder every 31,536,001 seconds": {18: [31_536_001, 1]},
    "reminder 256 times": {18: [60, 256]},
    "id with a slash": {10: "EX/2027"},
    "id of 65 bytes": {10: "E" * 65},
}
OFFER_FIELDS: Final[Mapping[str, dict[Any, Any]]] = {
    "consent 2, less than the owner's": {16: 2},
    "cancel 0": {17: 0},
    "window of one bound": {15: [NOW]},
    "digest of 33 bytes": {12: bytes(33)},
    "no deadline": {14: ...},
}
TRICKS: Final[Mapping[str, bytes]] = {**TAGS, **ITEMS}
TRICKED: Final = ("notice", "patch")


def _late(type_: str) -> Row:
    alter = fields({5: NOW, 6: NOW + MINUTE})
    return refusal(type_, "over since this second", alter, R.EXPIRED, FREEZE)


def _old(type_: str) -> tuple[Row, ...]:
    old, other = fields({4: NOW - AGED - 1}), fields({4: NOW - AGED})
    return (
        refusal(type_, "older than the last", old, R.REPLAYED, REPLAY, on=FLOORS),
        refusal(type_, "another of the last version", other, R.EQUIVOCATION, REPLAY, on=FLOORS),
        refusal(type_, "version 0", fields({4: 0}), R.REPLAYED, ROLLBACK, on=FLOORS),
    )


def _elsewhere(name: str, type_: str, topic: str, reason: Reason) -> Row:
    step = Send(topic, genuine(type_), reason)
    return Row(name=f"{type_}: {name}", steps=(step,), threat=PLACE, keeps=True)


ROWS: Final[tuple[Row, ...]] = (
    *(
        refusal(t, n, fields({2 if t == "patch" else 4: v}), R.MALFORMED, ROLLBACK)
        for n, v in VERSIONS.items()
        for t in ("notice", "timestamp", "patch")
    ),
    *(refusal(t, n, fields(v), R.MALFORMED, FORGERY) for n, v in BODIES.items() for t in ("root", "notice")),
    *(refusal("notice", n, fields(v), R.MALFORMED, FORGERY) for n, v in NOTICE_FIELDS.items()),
    *(refusal("offer", n, fields(v), R.MALFORMED, FORGERY) for n, v in OFFER_FIELDS.items()),
    *(refusal(t, n, a, R.MALFORMED, EXTRA) for n, a in BYTES.items() for t in ("catalogue", "patch")),
    *(
        refusal(t, f"{n}, signed", signed_trick(trick), R.MALFORMED, BOMB)
        for n, trick in TRICKS.items()
        for t in TRICKED
    ),
    *(
        refusal(t, f"{n}, outside", outer_trick(trick), R.MALFORMED, BOMB)
        for n, trick in TRICKS.items()
        for t in TRICKED
    ),
    *(refusal("catalogue", f"{n}, signed", signed_trick(v), R.MALFORMED, BOMB) for n, v in BIG.items()),
    *(refusal("catalogue", n, instead(v), R.MALFORMED, BOMB) for n, v in BIG.items()),
    *(refusal(t, n, instead(v), R.MALFORMED, EXTRA) for n, v in NOTHING.items() for t in TYPES),
    *(refusal(t, n, a, R.MALFORMED, EXTRA) for n, a in AROUND.items() for t in TYPES),
    refusal("notice", "140,000 bytes after it", put(raw=lambda data: data + bytes(140_000)), R.TOO_BIG, BOMB),
    refusal("notice", "140,000 bytes", instead(bytes(140_000)), R.TOO_BIG, BOMB),
    *(
        refusal(t, n, fields(v), R.BAD_ROOT if v.get(3) and t == "root" else why, PLACE)
        for n, (v, why) in SAID.items()
        for t in DOCUMENTS
    ),
    refusal("notice", "another advisory", fields({10: "EX-2027-0002"}), R.WRONG_SUBJECT, PLACE),
    Row(  # it is genuine, and raises the floor
        name="offer: of another product",
        steps=(Send(TO["offer"], genuine("offer", product="another"), R.WRONG_SUBJECT),),
        threat=PLACE,
    ),
    *(_late(t) for t in ("catalogue", "timestamp", "offer", "answer")),
    *(row for t in ("notice", "catalogue", "timestamp", "offer") for row in _old(t)),
    refusal("root", "version left out", fields({4: 3}), R.ROOT_GAP, ROLLBACK),
    refusal("root", "version 2^53-1", fields({4: 2**53 - 1}), R.ROOT_GAP, ROLLBACK),
    refusal("root", "another root of this version", fields({4: 1}), R.REPLAYED, ROLLBACK),
    refusal("root", "version 0", fields({4: 0}), R.REPLAYED, ROLLBACK),
    refusal("root", "without an end", fields({6: ...}), R.BAD_ROOT, FREEZE),
    refusal("root", "over before it began", fields({6: NOW - DAY}), R.BAD_ROOT, FREEZE),
    _elsewhere("on another advisory's topic", "notice", "notice/{product}/EX-2027-0002", R.WRONG_SUBJECT),
    _elsewhere("on another product's topic", "notice", f"notice/another/{ID}", R.WRONG_TYPE),
    _elsewhere("on another device's topic", "offer", "device/another/offer", R.WRONG_TYPE),
    _elsewhere("on the device's own report topic", "answer", "device/{device}/report", R.WRONG_TYPE),
    _elsewhere("on a topic of no type", "notice", "rumour/{product}", R.WRONG_TYPE),
    _elsewhere("on a topic with a level too many", "catalogue", "catalogue/{product}/1", R.WRONG_TYPE),
    _elsewhere("on a root's topic without a number", "root", "root/two", R.WRONG_TYPE),
    *(
        _elsewhere(f"on the topic of {other}", t, TO[other], R.WRONG_TYPE)
        for t in DOCUMENTS
        for other in DOCUMENTS
        if other not in {t, "root"}
    ),
)
