"""Changes what is genuine: bytes anywhere, values inside CBOR, and bodies that are signed again afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import cbor2

from keys import cose
from keys.cbor import decode, encode
from keys.errors import RefusedError
from tests.fuzz.seeds import fleet
from tests.helpers import HOLDERS, key

NUMBERS = (
    0,
    1,
    -1,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    2**31 - 1,
    2**31,
    2**32,
    2**53 - 1,
    2**53,
    2**63,
    2**64 - 1,
)
TEXTS = ("", "a", "\0", "é", "x" * 64, "x" * 65, "tocsin/notice", "a/b", "+", "de-AT", "\u202e")
LENGTHS = (0, 1, 15, 16, 17, 31, 32, 33, 64, 255, 256)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with one to three changes; sometimes inside of what they say, and signed again."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(_WAYS)(data, rng)
    return data


def _bytes(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return bytes([rng.randrange(256)])
    changed = bytearray(data)
    at = rng.randrange(len(changed))
    match rng.randrange(7):
        case 0:
            changed[at] ^= 1 << rng.randrange(8)
        case 1:
            changed[at] = rng.randrange(256)
        case 2:
            changed.insert(at, rng.randrange(256))
        case 3:
            del changed[at]
        case 4:
            del changed[at : at + rng.randrange(1, 40)]
        case 5:
            del changed[at:]
        case 6:
            end = at + rng.randrange(1, 40)
            changed[at:at] = changed[at:end]
    return bytes(changed)


def _inside(data: bytes, rng: random.Random) -> bytes:
    """Change one value, wherever it stands, and encode the whole again: its form stays strict."""
    try:
        value = decode(data)
    except RefusedError:
        return _bytes(data, rng)
    return _encoded(_changed(value, rng, 0), data)


def _signed_again(data: bytes, rng: random.Random) -> bytes:
    """Change the body of a document, and sign it by those who had signed it, or by others."""
    try:
        message = cose.parse(data, cose.TAG_SIGN)
    except RefusedError:
        return _inside(data, rng)
    if message.payload is None:
        return _bytes(data, rng)
    body = message.payload
    if rng.random() < 0.9:
        body = rng.choice((_inside, _inside, _inside, _bytes))(body, rng)
    known = {key(name).public.thumbprint: key(name) for names in HOLDERS.values() for name in names}
    signers = [known[one.kid] for one in message.signatures if one.kid in known]
    match rng.randrange(8):
        case 0 if signers:
            signers.pop(rng.randrange(len(signers)))
        case 1:
            signers.append(rng.choice(list(known.values())))
        case 2:
            signers = rng.sample(list(known.values()), rng.randrange(1, 5))
        case 3:
            signers.append(key("nobody"))
    typ = message.header.get(cose.TYP)
    return cose.sign(body, signers, typ=typ if isinstance(typ, str) else "tocsin/notice")


_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (_bytes, _inside, _signed_again, _signed_again)


def _encoded(value: Any, instead: bytes) -> bytes:
    try:
        return encode(value)
    except (cbor2.CBOREncodeError, RecursionError, TypeError):
        return instead


def _changed(value: Any, rng: random.Random, depth: int) -> Any:
    """Return the value with one change, in it or below it."""
    here = depth > 0 and rng.random() < 0.2
    if isinstance(value, cbor2.CBORTag):
        return cbor2.CBORTag(
            rng.choice((98, 18, 107, 97)) if here else value.tag, _changed(value.value, rng, depth + 1)
        )
    if isinstance(value, bytes) and value and rng.random() < 0.5:  # CBOR in a byte string: a body, a header
        try:
            return _encoded(_changed(decode(value), rng, depth + 1), value)
        except RefusedError:
            return _leaf(value, rng)
    if not here and isinstance(value, list | tuple) and value:
        items = list(value)
        at = rng.randrange(len(items))
        match rng.randrange(8):
            case 0:
                del items[at]
            case 1:
                items.insert(at, items[rng.randrange(len(items))])
            case 2:
                rng.shuffle(items)
            case _:
                items[at] = _changed(items[at], rng, depth + 1)
        return items
    if not here and isinstance(value, dict) and value:
        entries = dict(value)
        name = rng.choice(list(entries))
        match rng.randrange(8):
            case 0:
                del entries[name]
            case 1:
                entries[rng.choice((*range(26), -1, "x", b"y"))] = entries[name]
            case _:
                entries[name] = _changed(entries[name], rng, depth + 1)
        return entries
    return _leaf(value, rng)


def _leaf(value: Any, rng: random.Random) -> Any:
    if rng.random() < 0.1:
        return rng.choice((None, True, False, 0, "", b"", [], {}, -1, cbor2.CBORTag(98, [])))
    if isinstance(value, bool) or value is None:
        return rng.choice((True, False, None))
    if isinstance(value, int):
        return rng.choice((*NUMBERS, value + 1, value - 1, value + 86_400, -value))
    if isinstance(value, str):
        return rng.choice((*TEXTS, value + "x", value[:-1], value.upper(), fleet().products[0]))
    if isinstance(value, bytes):
        return rng.choice((rng.randbytes(rng.choice(LENGTHS)), value[:-1], value + b"\0", _bytes(value, rng)))
    return rng.choice((*NUMBERS[:4], "x", b"x"))
