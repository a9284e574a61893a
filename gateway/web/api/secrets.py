"""No private key comes in: a request that carries one is refused, whatever it is for."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_der_private_key
from fastapi import Request

from gateway.web.problems import Problem
from keys.cbor import scan
from keys.errors import RefusedError

_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_KTY: Final = re.compile(r'["\\]kty["\\]+\s*:')  # of a JWK in a text, however often that text was quoted
_SECRET: Final = re.compile(r'["\\](?:d|k|priv)["\\]+\s*:\s*["\\]+[A-Za-z0-9_-]{16}')
_PRIVATE: Final = {1: -4, 2: -4, 3: -3, 4: -1, 7: -2}  # COSE kty -> label of its secret part (RFC 9053, 9964)
_BYTES_MAX: Final = 64 * 1024  # no key is larger: what is, is searched for PEM and JWK only


def refuse_beside(request: Request) -> None:
    """Refuse a request with a private key beside its body: in its path, its query, or a header that is kept.

    Raises:
        Problem: 400 PRIVATE_KEY.
    """
    headers = [text for name in ("idempotency-key", "if-match") for text in request.headers.getlist(name)]
    refuse_in([*map(str, request.path_params.values()), *headers])
    refuse_in([text.strip('"') for text in headers])
    for pair in request.query_params.multi_items():
        refuse_in(list(pair))


def refuse_in(value: Any) -> None:
    """Refuse what JSON knows where a private key is in it: PEM, JWK, or COSE_Key or PKCS#8 as text.

    Raises:
        Problem: 400 PRIVATE_KEY.
    """
    if isinstance(value, str):
        _refuse_in_text(value)
        for data in _spelt(value):
            refuse_in_bytes(data)
    elif isinstance(value, dict):
        if "kty" in value and ({"d", "k", "priv"} & value.keys()):
            raise _problem()
        for name, each in value.items():
            refuse_in(name)
            refuse_in(each)
    elif isinstance(value, list):
        for each in value:
            refuse_in(each)


def _refuse_in_text(text: str) -> None:
    if _PEM.search(text) or (_KTY.search(text) and _SECRET.search(text)):
        raise _problem()


def _spelt(text: str) -> Iterator[bytes]:
    """Yield the bytes that a text may spell: base64 of either alphabet, padded or not; hexadecimal."""
    bare = "".join(text.split())
    with contextlib.suppress(ValueError):
        yield bytes.fromhex(bare)
    plain = bare.rstrip("=").translate(str.maketrans("-_", "+/"))
    with contextlib.suppress(binascii.Error, ValueError):
        yield base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def refuse_in_bytes(data: bytes) -> None:
    """Refuse bytes that are a private key, or hold one as PEM or JWK (see :func:`refuse_in`)."""
    _refuse_in_text(data.decode("latin-1"))
    if not 16 <= len(data) <= _BYTES_MAX:
        return
    try:
        if _has_secret(scan(data, size_max=_BYTES_MAX)):
            raise _problem()
    except RefusedError:
        pass
    if data[0] == 0x30:
        try:
            load_der_private_key(data, None)
        except TypeError:  # it is one, and asks for its passphrase
            raise _problem() from None
        except Exception:  # noqa: BLE001 - it is none, in one of many ways
            return
        raise _problem()


def _has_secret(value: Any) -> bool:
    if isinstance(value, dict):
        kind = value.get(1)
        return (isinstance(kind, int) and _PRIVATE.get(kind) in value) or any(
            map(_has_secret, value.values())
        )
    return isinstance(value, list | tuple) and any(map(_has_secret, value))


def _problem() -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "PRIVATE_KEY",
        "This request holds a private key; none is ever taken here, and nothing was done.",
        mend="Sign on your own machine. Others may have seen this key by now: revoke it.",
    )
