"""What is sent to others over HTTP: how it is signed, when it is tried again, where it may not go. Pure.

The scheme is that of Standard Webhooks (standardwebhooks.com, version 1.0.0): ``webhook-id``,
``webhook-timestamp`` and ``webhook-signature``, which is ``v1,`` and the base64 of HMAC-SHA256 over
``id.timestamp.body``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.core.chain import canonical

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

GIVE_UP_SECONDS: Final = 3 * 86_400.0  # after which a delivery is not tried again
FIRST_PAUSE: Final = 5.0  # seconds after the first failure; four times as long after each further one
LONGEST_PAUSE: Final = 6 * 3_600.0
ASKED_PAUSE_MAX: Final = 3_600.0  # of what a receiver asks for with Retry-After
_FACTOR: Final = 4
_JITTER: Final = (0.75, 1.25)
REFUSED: Final = (
    "refused with "  # how an answer begins whose receiver is well, and does not take this delivery
)
OVERLAP_SECONDS: Final = 86_400.0  # for which a rotated secret signs beside the new one
SECRET_BYTES: Final = 32
URL_LETTERS_MAX: Final = 1_024
KINDS_MAX: Final = 16  # of one webhook
KIND: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}(?:\.[a-z0-9_-]{0,31})?")

ACCOUNT_KINDS: Final[dict[str, frozenset[str]]] = {
    "advisory.published": frozenset({"digest", "id", "revision"}),
    "patch.published": frozenset({"digest", "product", "sequence"}),
    "root.published": frozenset({"digest", "version"}),
}
"""What an account is told: kind of audit row -> the keys of its data. All of it is public on the wire.

Nothing else: other rows count or name devices of several accounts, or say what the maker decides inside,
such as who signed a patch (``patch.signed``) and which keys come and go (``trust.key-made``): of those a
webhook that is the fleet's own is told.
"""


def secret(master: bytes, webhook: str, turn: int = 0) -> bytes:
    """Return the secret of a webhook: HKDF-SHA256 of the workspace's own secret (32 bytes).

    Args:
        master: random bytes of the workspace.
        webhook: id.
        turn: 0, and one more with each rotation.
    """
    info = f"tocsin webhook {webhook} {turn}".encode()
    return HKDF(hashes.SHA256(), SECRET_BYTES, salt=None, info=info).derive(master)


def secret_text(key: bytes) -> str:
    """Return a secret as it is handed to a receiver: ``whsec_`` and base64."""
    return "whsec_" + base64.b64encode(key).decode()


def signature(key: bytes, id_: str, timestamp: int, body: bytes) -> str:
    """Return what ``webhook-signature`` says for one secret.

    Args:
        key: the secret's bytes.
        id_: of the message; the same in every attempt.
        timestamp: UTC seconds of the attempt.
        body: as it is sent.
    """
    said = f"{id_}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()


def headers(keys: Iterable[bytes], id_: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers; more than one key signs while a rotated secret still counts."""
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, id_, timestamp, body) for key in keys),
    }


def message(index: int, time: float, kind: str, data: Any) -> str:
    """Return the body that tells of one audit row: canonical JSON."""
    return canonical({"data": data, "index": index, "kind": kind, "time": time})


def for_account(kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
    """Return what an account may see of an audit row's data; None: it is not for accounts."""
    keys = ACCOUNT_KINDS.get(kind)
    return None if keys is None else {key: value for key, value in data.items() if key in keys}


def next_try(attempts: int, since: float, now: float, share: float, asked: float = 0.0) -> float | None:
    """Return when a delivery that failed is tried again, in UTC seconds; None: it is given up.

    Args:
        attempts: so far, the last one included.
        since: from when on its time counts (UTC seconds).
        now: UTC seconds.
        share: random, from 0 to 1: attempts of many are spread out.
        asked: seconds that the receiver asked us to wait (Retry-After).
    """
    left = since + GIVE_UP_SECONDS - now
    if left <= 0:
        return None
    pause = min(FIRST_PAUSE * float(_FACTOR ** min(attempts - 1, 16)), LONGEST_PAUSE)
    low, high = _JITTER
    pause = max(pause * (low + (high - low) * share), min(asked, ASKED_PAUSE_MAX))
    return now + min(pause, left)  # the last attempt is made when its time is over


def kinds_fault(kinds: Sequence[str], *, account: bool) -> str | None:
    """Return what is wrong with beginnings of kinds, or None."""
    if not 1 <= len(kinds) <= KINDS_MAX:
        return f"name 1 to {KINDS_MAX} beginnings of kinds"
    for kind in kinds:
        if not KIND.fullmatch(kind):
            return f"'{kind}' is not the beginning of a kind such as 'rollout.' or 'advisory.published'"
        if account and not any(known.startswith(kind) for known in ACCOUNT_KINDS):
            return f"an account is not told of '{kind}', only of {', '.join(ACCOUNT_KINDS)}"
    return None


def url_fault(url: str, allowed: Sequence[Network] = ()) -> str | None:
    """Return why nothing is ever sent to a URL, or None.

    Where its name leads is judged at each attempt, by :func:`address_fault`.

    Args:
        url: absolute.
        allowed: networks that ``tocsin.toml`` opens.
    """
    if len(url) > URL_LETTERS_MAX or not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        return f"it is not up to {URL_LETTERS_MAX} plain ASCII letters without spaces"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "it cannot be read"
    if parts.scheme not in {"https", "http"} or not host or port == 0:
        return "it has to look like https://hooks.example.com/tocsin"
    if "@" in parts.netloc or parts.fragment:
        return "a name, password or fragment does not belong in it"
    return _host_fault(parts, host, allowed)


def _host_fault(parts: SplitResult, host: str, allowed: Sequence[Network]) -> str | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        named = host == "localhost" or re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host)
        if not named or re.fullmatch(r"(0x[0-9a-f]*|\d+)", host.rpartition(".")[2]):
            return "its host is neither a name nor an address"
        return "only https goes to others than this machine" if _open(parts, host) else None
    return address_fault(address, allowed, secure=parts.scheme == "https")


def _open(parts: SplitResult, host: str) -> bool:
    return parts.scheme == "http" and host != "localhost"


def address_fault(address: Address, allowed: Sequence[Network] = (), *, secure: bool = True) -> str | None:
    """Return why nothing is sent to an address, or None.

    What is not reached over the Internet is refused: whoever may name a URL must not reach what stands
    beside the gateway. An address that wraps another is judged by the one inside.

    Args:
        address: that a name led to.
        allowed: networks that ``tocsin.toml`` opens.
        secure: over TLS.
    """
    inner = _inner(address)
    if not secure and not inner.is_loopback:
        return "only https goes to others than this machine"
    if any(inner in network for network in allowed if network.version == inner.version):
        return None
    closed = inner.is_multicast or inner.is_reserved or inner.is_unspecified
    if not inner.is_global or closed or any(inner in network for network in _BESIDE):
        return f"{inner} is not an address of the Internet, and webhook_networks does not open it"
    return None


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_BESIDE: Final = (  # which Python calls global: protocol assignments (RFC 6890), site-local (RFC 3879)
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv6Network("fec0::/10"),
)


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to by a known way, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
