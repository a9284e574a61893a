"""The compiled readers beside an oracle: the strict decoder, and then the same tables read value by value.

What a reader takes, the oracle takes, as an equal record, and it is written again as the very same bytes;
what the oracle refuses, the reader refuses, and with nothing but :class:`RefusedError`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from random import Random
from typing import Any

import cbor2
import pytest

from advisories.abilities import ALGORITHMS
from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice, ReleaseList, Text
from advisories.offer import Answer, Offer
from advisories.report import Block, Report, Want
from device_sim.core.slots import BootRecord
from device_sim.core.state import _Stored
from gateway.operations.trust.request_files import Request
from keys import cose
from keys.algorithms import Algorithm
from keys.cbor import decode, encode
from keys.codec import Shape, dump, load, record
from keys.errors import RefusedError
from keys.root import Root
from keys.signer import generate
from keys.trusted import _State

SIZE_MAX = 2_000_000
RECORDS = (
    *(Notice, Text, ReleaseList, Catalogue, Timestamp, Offer, Answer, Devices, Report, Want, Block, Root),
    *(_State, _Stored, BootRecord, Request),
)
PUBLIC = [generate(algorithm).public.to_cose() for algorithm in (Algorithm.ED25519, Algorithm.ESP256)]
CONTROL = {*range(10), *range(11, 32), *range(0x7F, 0xA0)}
STEERING = {0x0A, *range(0x2028, 0x202F), *range(0x2066, 0x206A)}
JUNK = [
    *(
        bytes.fromhex(item)
        for item in ("f6", "f5", "f7", "f820", "f93c00", "20", "80", "a0", "60", "40", "00")
    ),
    *(bytes.fromhex(item) for item in ("1800", "1818", "1a00000005", "1a00000105", "1a00010000", "1affff")),
    *(
        bytes.fromhex(item)
        for item in ("9fff", "bfff", "5fff", "7fff", "ff", "d200", "c24105", "d9d9f700", "1c")
    ),
    *(bytes.fromhex(item) for item in ("61ff", "63eda080", "62c080", "610a", "611b", "63e280ae", "6120")),
    *(bytes((major << 5 | 27, *[0xFF] * 8)) for major in range(7)),
    *(bytes((major << 5 | 27, 0x80, *[0] * 7)) for major in range(7)),
    b"\x81" * 20 + b"\x00",
]


class No(Exception):
    """The oracle refuses."""


def need(condition: object) -> None:
    if not condition:
        raise No


def facts(shape: Shape) -> tuple[str, dict[str, Any]]:
    """Return which function of :mod:`keys.shapes` made a shape, and with which arguments."""
    if shape.emit is None:
        return "opaque", {}
    return shape.emit.__qualname__.split(".")[0], dict(inspect.getclosurevars(shape.emit).nonlocals)


def is_text(kind: str, value: str, most: int, least: int) -> bool:
    letters = {ord(letter) for letter in value}
    plain = least <= len(value.encode()) <= most and not letters & CONTROL
    if kind == "name":
        return plain and value == value.strip() and not letters & STEERING
    allowed = value.isascii() and value[:1].isalnum() and value.replace("-", "").replace("_", "")
    return plain and (kind == "text" or bool(allowed and allowed.replace(".", "").isalnum()))


def judged(shape: Shape, value: Any) -> Any:
    """Return the Python value of a decoded one, as the table says it; No otherwise."""
    kind, of = facts(shape)
    match kind:
        case "opaque":
            return shape.unpack(value)
        case "uint":
            need(type(value) is int and 0 <= value <= of["maximum"])
        case "text" | "name" | "ident":
            need(type(value) is str and is_text(kind, value, of["bytes_max"], of.get("bytes_min", 1)))
        case "blob":
            need(type(value) is bytes and of["least"] <= len(value) <= of["bytes_max"])
        case "boolean":
            need(type(value) is bool)
        case "choice":
            need(type(value) is int and value in set(map(int, of["enum"])))
            return of["enum"](value)
        case "nullable":
            return None if value is None else judged(of["shape"], value)
        case "many":
            need(type(value) is list and of["items_min"] <= len(value) <= of["items_max"])
            return tuple(judged(of["shape"], item) for item in value)
        case "row":
            need(type(value) is list and len(value) == len(of["shapes"]))
            return tuple(judged(one, item) for one, item in zip(of["shapes"], value, strict=True))
        case "mapping":
            need(type(value) is dict and of["items_min"] <= len(value) <= of["items_max"])
            return {judged(of["key"], k): judged(of["value"], v) for k, v in value.items()}
        case "record":
            return judged_record(of["cls"], value)
        case _:
            pytest.fail(f"a shape that the oracle does not know: {kind}")
    return value


def table(cls: type[Any]) -> dict[int, Any]:
    return {one.metadata["key"]: one for one in fields(cls) if "key" in one.metadata}


def judged_record(cls: type[Any], value: Any) -> Any:
    need(type(value) is dict and all(type(key) is int for key in value) and value.keys() <= table(cls).keys())
    found = {}
    for key, one in table(cls).items():
        need(key in value or one.metadata["optional"])
        found[one.name] = judged(one.metadata["shape"], value[key]) if key in value else None
    try:
        return cls(**found)
    except ValueError:
        raise No from None


def oracle(cls: type[Any], data: bytes) -> Any:
    try:
        return judged_record(cls, decode(data, size_max=SIZE_MAX))
    except (No, RefusedError):
        return None


def some(random: Random, shape: Shape) -> Any:
    """Return a decoded value that the shape allows, at its limits as often as between them."""
    kind, of = facts(shape)
    match kind:
        case "opaque" if shape is ALGORITHMS:
            return sorted(random.sample([-49, -48, -19, -9], random.randint(1, 4)))
        case "opaque":
            return random.choice(PUBLIC)
        case "uint":
            most = of["maximum"]
            edges = [0, 23, 24, 255, 256, 65_535, 65_536, 65_541, 1_790_000_000, 2**32 - 1, 2**32, most]
            return random.choice([edge for edge in edges if edge <= most])
        case "text" | "name" | "ident":
            letters = "aZ09._-" if kind == "ident" else "ab é日\U0001f600"
            made = "a" + "".join(random.choices(letters, k=random.choice([0, 4, 22, 23, of["bytes_max"]])))
            return made.encode()[: of["bytes_max"]].decode(errors="ignore").strip()
        case "blob":
            sizes = {
                of["least"],
                *(size for size in (23, 24, 255, 256) if of["least"] <= size <= of["bytes_max"]),
            }
            return random.randbytes(random.choice([*sizes]))
        case "boolean":
            return random.random() < 0.5
        case "choice":
            return int(random.choice([*of["enum"]]))
        case "nullable":
            return None if random.random() < 0.4 else some(random, of["shape"])
        case "many":
            wished = random.choice([0, 1, 1, 2, 3, 24 if random.random() < 0.1 else 1])
            return [
                some(random, of["shape"]) for _ in range(max(of["items_min"], min(wished, of["items_max"])))
            ]
        case "row":
            return [some(random, one) for one in of["shapes"]]
        case "mapping":
            wished = max(of["items_min"], min(random.choice([0, 1, 2, 3]), of["items_max"]))
            return {some(random, of["key"]): some(random, of["value"]) for _ in range(wished)}
    return {
        key: some(random, one.metadata["shape"])
        for key, one in table(of["cls"]).items()
        if not one.metadata["optional"] or random.random() < 0.6
    }


def head(random: Random, major: int, number: int, noise: float) -> bytes:
    """Write a head; now and then longer than it need be, off by one, or of another type."""
    if random.random() < noise:
        number, major = max(0, number + random.choice([-1, 0, 1])), random.choice([major, major, 2, 3, 4, 5])
    if random.random() < noise:
        size = random.randrange(4)
        argument: bytes = (number % 256 ** (1 << size)).to_bytes(1 << size, "big")
        return bytes((major << 5 | 24 + size, *argument))
    start: bytes = encode(number)
    return bytes((start[0] | major << 5, *start[1:]))


def noisy(random: Random, value: Any, noise: float) -> bytes:
    """Write a decoded value, with faults of structure: order, keys twice, lacking or unknown, other types."""
    if random.random() < noise:
        return random.choice(JUNK)
    if isinstance(value, bytes | str):
        raw = value.encode() if isinstance(value, str) else value
        return head(random, 3 if isinstance(value, str) else 2, len(raw), noise) + raw
    if isinstance(value, list):
        items = [noisy(random, item, noise) for item in value]
        return head(random, 4, len(items), noise) + b"".join(disturbed(random, items, noise))
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda item: encode(item[0]))
        items = [encode(key) + noisy(random, item, noise) for key, item in ordered]
        items = disturbed(random, items, noise)
        return head(random, 5, len(items), noise) + b"".join(items)
    return encode(value)


def disturbed(random: Random, items: list[bytes], noise: float) -> list[bytes]:
    if items and random.random() < noise:
        place, other = random.randrange(len(items)), random.randrange(len(items))
        changes: list[Callable[[], object]] = [
            lambda: items.pop(place),
            lambda: items.insert(other, items[place]),
            lambda: items.append(random.choice([b"\x17\x00", b"\x18\x18\x00", b"\x20\x00", b"\x61a\x00"])),
            lambda: random.shuffle(items),
        ]
        random.choice(changes)()
    return items


def mutated(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        place = random.randrange(len(changed) + 1)
        junk = random.choice(JUNK)
        left, over, put = random.choice(
            [
                (place, place + 1, random.randbytes(1)),
                (place, place + 1, bytes((data[place % len(data)] ^ 1 << random.randrange(8),))),
                (place, len(changed), b""),
                (place, place, junk),
                (place, place + random.choice([1, 2, 4]), b""),
                (len(changed), len(changed), junk),
            ]
        )
        changed[left:over] = put
    return bytes(changed)


def agree(cls: type[Any], data: bytes) -> bool:
    """Hold reader and oracle against each other; say whether they took it."""
    try:
        found = load(cls, data, size_max=SIZE_MAX)
    except RefusedError:
        found = None
    assert found == oracle(cls, data), data.hex()
    assert found is None or dump(found) == data, data.hex()
    return found is not None


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_a_reader_takes_exactly_what_the_strict_decoder_and_the_table_take(cls: type[Any]) -> None:
    random, taken = Random(cls.__name__), 0
    for _ in range(150):
        value = some(random, record(cls))
        data = encode(value)
        taken += agree(cls, data)
        for noise in (0.003, 0.01, 0.05):
            agree(cls, noisy(random, value, noise))
        for _ in range(6):
            agree(cls, mutated(random, data))
    assert taken >= 75  # else it is refusals that agree


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_a_record_cut_off_anywhere_is_refused(cls: type[Any]) -> None:
    random = Random(cls.__name__)
    data = min((encode(some(random, record(cls))) for _ in range(20)), key=len)
    assert not any(agree(cls, data[:size]) for size in range(min(len(data), 3_000)))


def is_header(protected: bytes) -> dict[Any, Any]:
    if not protected:
        return {}
    need(len(protected) <= 512)
    header: dict[Any, Any] = decode(protected)
    need(type(header) is dict and all(type(label) in {int, str} for label in header))
    if 2 in header:
        need(type(header[2]) is list and header[2])
        need(all(type(label) is int and label in {1, 2, 4, 16} and label in header for label in header[2]))
    return header


def cose_oracle(data: bytes, tag: int, *, unprotected: bool) -> Any:
    """Return what COSE says these bytes are (RFC 9052, sections 4.1 and 4.2), or None."""
    try:
        value = decode(data)
        need(type(value) is cbor2.CBORTag and value.tag == tag and type(value.value) is tuple)
        need(len(value.value) == 4)
        protected, plain, payload, rest = value.value
        need(type(protected) is bytes and type(plain) is cbor2.frozendict)
        need((unprotected or not plain) and (payload is None or type(payload) is bytes))
        need(type(rest) is (bytes if tag == cose.TAG_SIGN1 else tuple))
        signatures = [(protected, {}, rest)] if tag == cose.TAG_SIGN1 else rest
        need(1 <= len(signatures) <= 16)
        for one in signatures:
            need(type(one) is tuple and len(one) == 3 and type(one[0]) is type(one[2]) is bytes)
            need(tag == cose.TAG_SIGN1 or type(one[1]) is cbor2.frozendict)
            need(unprotected or not one[1])
        return is_header(protected), payload, [(one[0], one[2], is_header(one[0])) for one in signatures]
    except (No, RefusedError):
        return None


def some_cose(random: Random, tag: int) -> list[Any]:
    def header() -> bytes:
        labels = {
            1: random.choice([-19, -49, "x", True, None]),
            2: random.choice([[1], [4], [], [99], ["a"], 5, [True], {}]),
            4: random.choice([random.randbytes(32), b"", "k"]),
            16: random.choice(["tocsin/notice", 3, b"x" * random.choice([505, 506, 507, 508, 509])]),
        }
        kept = {
            label: item for label, item in labels.items() if random.random() < (0.1 if label == 2 else 0.7)
        }
        return random.choice([encode(kept)] * 18 + [b"", b"\xa0", b"\x80", b"\xa1", encode({b"k": 1})])

    def plain() -> Any:
        return random.choice([{}] * 9 + [{1: -7}, {"a": {1: [2]}}, {b"x": 1}, [], None])

    value = random.randbytes(random.choice([0, 23, 24, 64, 255, 256, 300]))
    if tag == cose.TAG_SIGN:
        count = random.choice([*[1] * 12, 2, 3, 0, 16, 17])
        rest: Any = [[header(), plain(), random.randbytes(64)] for _ in range(count)]
    else:
        rest = random.randbytes(64)
    return [header(), plain(), random.choice([None, value]), rest]


@pytest.mark.parametrize("tag", [cose.TAG_SIGN1, cose.TAG_SIGN])
def test_a_cose_message_is_exactly_what_the_strict_decoder_and_the_standard_say(tag: int) -> None:
    random, taken = Random(tag), 0
    for _ in range(600):
        value = some_cose(random, tag)
        data = encode(cbor2.CBORTag(tag, value))
        start = data[: 1 if tag == cose.TAG_SIGN1 else 2]
        tried = [data, start + noisy(random, value, 0.01), *(mutated(random, data) for _ in range(4))]
        tried += [data[: random.randrange(len(data))]]
        for one in tried:
            unprotected = random.random() < 0.5
            try:
                found = cose.parse(one, tag, unprotected=unprotected)
            except RefusedError:
                told = None
            else:
                signatures = [(s.protected, s.value, dict(s.header)) for s in found.signatures]
                told = dict(found.header), found.payload, signatures
                taken += 1
            assert told == cose_oracle(one, tag, unprotected=unprotected), one.hex()
    assert taken >= 200
