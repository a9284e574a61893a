"""Where the broker is, whom TLS trusts there, and what it means when it does not answer."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from hil.errors import BenchError
from keys.errors import InputError

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a broker listens; never printed with its password."""

    host: str
    port: int
    tls: bool = False
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for ``mqtts://``."""

    ca: Path | None = None
    """Whom the bridge trusts; the system's certificate authorities if None."""
    certificate: Path | None = None
    """The device's own, where the broker asks for one."""
    key: Path | None = None


def parse_url(url: str) -> Place:
    """Read ``mqtt://[user:password@]host[:port]`` or ``mqtts://``.

    Raises:
        InputError: BROKER_URL; what was given is not repeated, for it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        good = bool(parts.hostname) and port != 0 and not parts.path.strip("/") and not parts.query
    except ValueError:
        good = False
    if not good or parts.scheme not in _PORTS:
        raise InputError(
            "BROKER_URL",
            "This is not the address of a broker.",
            mend="Write it as mqtt://HOST:PORT or mqtts://HOST:PORT.",
        )
    return Place(
        str(parts.hostname),
        port or _PORTS[parts.scheme],
        parts.scheme == "mqtts",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


class _Careful(ssl.SSLSocket):
    """Closes itself when the handshake fails: paho does not."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of ssl
        """Shake hands, see :meth:`ssl.SSLSocket.do_handshake`."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def context_for(place: Place, files: TlsFiles) -> ssl.SSLContext | None:
    """Return the context for a broker; None where it is spoken to in the clear.

    Raises:
        InputError: TLS_FILE; also where files are given and nothing would be encrypted, or a key alone.
    """
    if place.tls and files.key is not None and files.certificate is None:
        message, mend = "A private key is of no use without its certificate.", "Name it with --cert."
        raise InputError("TLS_FILE", message, mend=mend, where=str(files.key))
    if place.tls:
        return context(files)
    if files != TlsFiles():
        message = "Files for TLS are given, and mqtt:// encrypts nothing."
        raise InputError("TLS_FILE", message, mend="Write mqtts://, or leave the files out.")
    return None


def context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context that speaks TLS 1.3 only and verifies the broker's name.

    Raises:
        InputError: TLS_FILE, naming the file that cannot be used.
    """
    where = files.ca
    try:
        made = ssl.create_default_context(cafile=files.ca)
        where = files.certificate
        if files.certificate is not None:
            made.load_cert_chain(files.certificate, files.key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        missing = isinstance(error, FileNotFoundError)
        why = "is not there" if missing else "is no certificate in PEM, or its key is another one"
        if where == files.certificate and missing and where is not None and where.exists():
            where = files.key
        message = f"A file for TLS {why}."
        raise InputError("TLS_FILE", message, mend="Name another.", where=str(where)) from None
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.sslsocket_class = _Careful
    return made


def unreachable(place: Place, error: BaseException | str) -> BenchError:
    """Return what a failed attempt to connect means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate is refused: {error.verify_message}"
        return _tls(place, why, "Name its CA with --ca, and the host as its certificate does.")
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        why = (error.reason or "no TLS").lower().replace("_", " ")
        return _tls(place, why, "Check that this port speaks TLS 1.3; mqtt:// is for one that has no TLS.")
    if isinstance(error, str):
        why = error
    elif isinstance(error, TimeoutError):
        why = "no answer in time"
    else:
        number = error.errno if isinstance(error, ConnectionError) else None
        told = getattr(error, "strerror", None)
        why = (os.strerror(number) if number else told or type(error).__name__).lower()
    return BenchError(
        "BROKER_UNREACHABLE",
        f"No MQTT 5 broker answers at {place} ({why}).",
        mend="Start it, or give the right address with --broker.",
    )


def _tls(place: Place, why: str, mend: str) -> BenchError:
    return BenchError("BROKER_TLS", f"TLS with the broker at {place} fails ({why}).", mend=mend)
