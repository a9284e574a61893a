"""One message to one receiver over HTTP, and the secrets with which webhooks are signed.

A receiver's name is looked up first and the connection goes to the very address that was judged: a name that
leads elsewhere a moment later gets nothing. Redirects are not followed, nothing of the answer's body is read.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from gateway import files
from gateway.core import delivery as core
from gateway.core.delivery import Address, Network
from gateway.store.deliveries import Webhook
from gateway.store.engine import Session
from gateway.workspace.folder import Workspace
from keys.errors import DamagedError, InputError, UnavailableError

SECONDS: Final = 15.0  # for one attempt, from the look-up of the name to the answer
CONNECT_SECONDS: Final = 5.0
_MARK: Final = "webhook_secret"  # single value of the store: by which a wrong file is noticed
_IN_TROUBLE: Final = {
    408,
    410,
    425,
    429,
}  # of 4xx: what does not speak of this one message (RFC 9110, 6585, 8470)
_AGENT: Final = "tocsin"
_LOOKUPS: Final = 8  # names looked up at a time; one that hangs keeps nobody else waiting


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt met."""

    ok: bool
    says: str
    """In a few words; nothing that the receiver wrote."""
    asked: float = 0.0
    """Seconds that it asked us to wait."""
    gone: bool = False
    """It wants no more (HTTP 410)."""

    @property
    def refused(self) -> bool:
        """Whether its receiver is well, and does not take this delivery."""
        return self.says.startswith(core.REFUSED)


def networks(workspace: Workspace) -> tuple[Network, ...]:
    """Return the networks that ``tocsin.toml`` opens to webhooks that are no account's."""
    return tuple(ipaddress.ip_network(each) for each in workspace.settings.webhook_networks)


def trust(workspace: Workspace, named: str | None) -> ssl.SSLContext:
    """Return what a client trusts: the CA of a PEM file in or beside the workspace, or the system's.

    Raises:
        InputError: CA_FILE.
    """
    path = None if named is None else workspace.path / named
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError):
        raise InputError(
            "CA_FILE", "This is no PEM file of a CA.", mend="Name another in tocsin.toml.", where=str(path)
        ) from None


def secret_path(workspace: Workspace) -> Path:
    """Return where the secret lies that all webhooks' are derived from."""
    return workspace.path / "keys" / "webhooks.secret"


def make_master(workspace: Workspace, session: Session) -> bytes:
    """Return the workspace's own secret; the first webhook makes it.

    Raises:
        UnavailableError: WEBHOOK_SECRET; FILE.
    """
    if session.meta(_MARK) is None and not secret_path(workspace).exists():
        files.write_atomic(secret_path(workspace), os.urandom(core.SECRET_BYTES), mode=0o600)
    if session.meta(_MARK) is None:
        session.set_meta(_MARK, _mark(_read(workspace)))
    return master(workspace, session)


def master(workspace: Workspace, session: Session) -> bytes:
    """Return the workspace's own secret, once it is certain that it is the right one.

    Raises:
        UnavailableError: WEBHOOK_SECRET, where this machine has none or another.
    """
    found = _read(workspace)
    if session.meta(_MARK) != _mark(found):
        raise UnavailableError(
            "WEBHOOK_SECRET",
            "This is not the secret that the receivers of webhooks know.",
            mend="Copy the file from the machine on which the first webhook was added; chmod 600.",
            where=str(secret_path(workspace)),
        )
    return found


def _read(workspace: Workspace) -> bytes:
    path = secret_path(workspace)
    try:
        found = files.read_stored(path, what="secret of webhooks", mend="")
        mode = path.stat().st_mode
    except (DamagedError, OSError):
        found, mode = b"", 0
    if len(found) != core.SECRET_BYTES or mode & 0o077:
        raise UnavailableError(
            "WEBHOOK_SECRET",
            "The secret of webhooks is missing, cut short, or readable by others.",
            mend="Restore it from a copy, or from the machine that made it; chmod 600.",
            where=str(path),
        )
    return found


def _mark(secret: bytes) -> str:
    return hashlib.sha256(b"tocsin webhooks" + secret).hexdigest()[:16]


def keys_of(secret: bytes, webhook: Webhook, now: float) -> tuple[bytes, ...]:
    """Return the secrets that sign for a webhook now, the newest first."""
    turned = webhook.turned is not None and now < webhook.turned + core.OVERLAP_SECONDS
    turns = [webhook.turn, webhook.turn - 1] if turned else [webhook.turn]
    return tuple(core.secret(secret, webhook.id, turn) for turn in turns)


class Poster:
    """Sends messages over HTTP.

    Args:
        tls: whom to trust.
        allowed: networks that are open although they are not of the Internet.
        seconds: for one attempt.
    """

    def __init__(
        self, tls: ssl.SSLContext, allowed: Sequence[Network] = (), *, seconds: float = SECONDS
    ) -> None:
        self._tls, self._allowed, self._seconds = tls, tuple(allowed), seconds
        self._lookups = ThreadPoolExecutor(_LOOKUPS, "lookup")

    def close(self) -> None:
        """Wait for no look-up that still hangs."""
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, headers: dict[str, str], body: bytes, *, outside: bool = False) -> Answer:
        """Send one message; whatever happens comes back as an answer.

        Args:
            url: of the receiver.
            headers: of ours.
            body: as it was signed.
            outside: to an address of the Internet only, whatever else is open.
        """
        allowed = () if outside else self._allowed
        fault = core.url_fault(url, allowed)
        if fault is not None:
            return Answer(False, f"not sent: {fault}")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(httpx.URL(url), headers, body, allowed)
        except TimeoutError:
            return Answer(False, f"no answer within {self._seconds:g} s")

    async def _post(
        self, url: httpx.URL, headers: dict[str, str], body: bytes, allowed: Sequence[Network]
    ) -> Answer:
        addresses = await self._look_up(url)
        if not addresses:
            return Answer(False, "its name is not known")
        secure = url.scheme == "https"
        faults = [core.address_fault(each, allowed, secure=secure) for each in addresses]
        good = [each for each, fault in zip(addresses, faults, strict=True) if fault is None]
        if not good:
            return Answer(False, f"not sent: {faults[0]}")
        said = Answer(False, "it cannot be reached")
        for address in good[:2]:  # of a name with an address in either family, one may lead nowhere
            try:
                return await self._to(address, url, headers, body)
            except httpx.ConnectError as error:
                said = Answer(False, _reason(error))
            except (httpx.HTTPError, OSError, ValueError) as error:
                return Answer(False, f"the connection failed ({type(error).__name__})")
        return said

    async def _look_up(self, url: httpx.URL) -> list[Address]:
        port = url.port or (443 if url.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._lookups, lambda: socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError):
            return []
        return list(dict.fromkeys(ipaddress.ip_address(row[4][0]) for row in found))

    async def _to(self, address: Address, url: httpx.URL, headers: dict[str, str], body: bytes) -> Answer:
        # No connection is kept: to the pool, names on one address are the same place, to us they are not.
        limits = httpx.Limits(max_keepalive_connections=0)
        timeout = httpx.Timeout(self._seconds, connect=CONNECT_SECONDS)
        extensions = {"sni_hostname": url.host} if url.scheme == "https" else {}
        given = {
            **headers,
            "host": url.netloc.decode("ascii"),
            "content-type": "application/json",
            "user-agent": _AGENT,
        }
        async with (
            httpx.AsyncClient(
                verify=self._tls, trust_env=False, limits=limits, timeout=timeout, follow_redirects=False
            ) as client,
            client.stream(
                "POST",
                url.copy_with(host=str(address)),
                content=body,
                headers=given,
                extensions=extensions,
            ) as response,
        ):
            return _judged(response)


def _judged(response: httpx.Response) -> Answer:
    status, asked = response.status_code, response.headers.get("retry-after", "")
    wait = float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0.0
    if 200 <= status < 300:
        return Answer(True, f"HTTP {status}")
    if 400 <= status < 500 and status not in _IN_TROUBLE:
        return Answer(False, f"{core.REFUSED}HTTP {status}", wait)
    also = ": redirects are not followed" if 300 <= status < 400 else ""
    return Answer(False, f"HTTP {status}{also}", wait, gone=status == 410)


def _reason(error: BaseException) -> str:
    """Say why there was no connection, in words of ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate does not hold ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return "it does not speak TLS as it should"
        cause = cause.__cause__ or cause.__context__
    return "it cannot be reached"
