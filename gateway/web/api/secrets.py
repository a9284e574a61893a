"""No private key comes in: a request that carries one is refused, whatever it is for."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_der_private_key

from gateway.web.api.plain import from_base64
from gateway.web.api.strict import BadValueError
from gateway.web.problems import Problem
from keys.cbor import scan
from keys.errors import RefusedError

_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_PRIVATE: Final = {1: -4, 2: -4, 3: -3, 4: -1, 7: -2}  # COSE kty -> label of its secret part (RFC 9053, 9964)
_BYTES_MAX: Final = 64 * 1024  # no key is larger: what is, is searched for PEM only


def refuse_in(value: Any) -> None:
    """Refuse what JSON knows where a private key is in it: PEM, JWK, or a COSE_Key or PKCS#8 in base64url.

    Raises:
        Problem: 400 PRIVATE_KEY.
    """
    if isinstance(value, str):
        if _PEM.search(value):
            raise _problem()
        try:
            refuse_in_bytes(from_base64(value, ""))
        except BadValueError:
            return
    elif isinstance(value, dict):
        if "kty" in value and ({"d", "k", "priv"} & value.keys()):
            raise _problem()
        for each in value.values():
            refuse_in(each)
    elif isinstance(value, list):
        for each in value:
            refuse_in(each)


def refuse_in_bytes(data: bytes) -> None:
    """Refuse bytes that are a private key, or hold one as PEM (see :func:`refuse_in`)."""
    if _PEM.search(data.decode("latin-1")):
        raise _problem()
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
