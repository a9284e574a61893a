"""TLS 1.3 of the gateway's connection to a broker: whom it trusts, who it is, and what went wrong.

In TLS 1.3 a client is through with its handshake before the server has judged its certificate (RFC 8446,
section 4.4.2): the refusal comes as an alert on the open connection. :class:`Witness` keeps it, so that an
error can say more than that the connection is gone.
"""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.workspace.folder import Workspace
from keys.errors import InputError, UnavailableError

_CA: Final = "Name the CA of the broker's certificate as tls_ca in tocsin.toml."
_OWN: Final = "Issue a certificate to the gateway with 'tocsin device ca gateway'."
_VERIFY: Final = {  # OpenSSL's verify codes (x509_vfy.h) -> what is wrong with the broker's certificate, mend
    9: ("its certificate is not valid yet", "Set this machine's clock."),
    10: ("its certificate has expired", "Issue it again with 'tocsin device ca server HOST'."),
    18: ("nobody that is trusted here vouches for its certificate", _CA),
    19: ("nobody that is trusted here vouches for its certificate", _CA),
    20: ("nobody that is trusted here vouches for its certificate", _CA),
    21: ("nobody that is trusted here vouches for its certificate", _CA),
    62: ("its certificate is for another host", "Name the host as its certificate does."),
    64: ("its certificate is for another address", "Name the host as its certificate does."),
}
_ALERTS: Final = {  # OpenSSL's names -> what the broker holds against us, mend
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": ("it asks for a client certificate", _OWN),
    "TLSV1_ALERT_UNKNOWN_CA": ("it does not know the CA of the gateway's certificate", _OWN),
    "SSLV3_ALERT_CERTIFICATE_REVOKED": ("the gateway's certificate is revoked", _OWN),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": (
        "the gateway's certificate has expired, or the broker's list of revoked ones has",
        f"{_OWN} Or make a list with 'tocsin device ca crl'.",
    ),
    "TLSV1_ALERT_PROTOCOL_VERSION": ("it does not speak TLS 1.3", "Set tls_version tlsv1.3 there."),
    "UNSUPPORTED_PROTOCOL": ("it does not speak TLS 1.3", "Set tls_version tlsv1.3 there."),
    "WRONG_VERSION_NUMBER": ("it does not speak TLS", "Name it as mqtt://, or give the port that has TLS."),
}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a TLS client needs, as PEM files; None: the system's CAs, no certificate."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def files_of(workspace: Workspace) -> TlsFiles:
    """Return what ``tocsin.toml`` names, else what the workspace's own device CA issued."""
    settings = workspace.settings

    def find(named: str | None, own: str) -> Path | None:
        path = workspace.path / (named or own)
        return path if named is not None or path.is_file() else None

    return TlsFiles(
        find(settings.tls_ca, "tls/ca.pem"),
        find(settings.tls_certificate, "tls/gateway.pem"),
        find(settings.tls_key, "keys/tls-gateway.pem"),
    )


def context_for(workspace: Workspace, url: str) -> ssl.SSLContext | None:
    """Return the context for a broker's address; None for one without TLS (InputError: TLS_FILE)."""
    return client_context(files_of(workspace)) if url.lower().startswith("mqtts:") else None


def server_context(workspace: Workspace) -> ssl.SSLContext | None:
    """Return the context with which HTTP is served; None where ``tocsin.toml`` names no certificate.

    Raises:
        InputError: TLS_FILE, naming the file that cannot be used.
    """
    settings = workspace.settings
    if settings.https_certificate is None:
        return None
    certificate = workspace.path / settings.https_certificate
    key = workspace.path / settings.https_key if settings.https_key is not None else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        missing = next((p for p in (certificate, key) if p is not None and not p.is_file()), None)
        message = "This file is missing." if missing else "This cannot be used for TLS: not PEM, or no pair."
        mend = "Issue it again with 'tocsin device ca server HOST', or name another in tocsin.toml."
        raise InputError("TLS_FILE", message, mend=mend, where=str(missing or certificate)) from error
    return context


def client_context(found: TlsFiles) -> ssl.SSLContext:
    """Return a context that speaks TLS 1.3 only and verifies the host's name.

    Raises:
        InputError: TLS_FILE, naming the file that cannot be used.
    """
    where = found.ca
    try:
        context = ssl.create_default_context(cafile=found.ca)
        where = found.certificate
        if found.certificate is not None:
            # A key with a passphrase must not ask at the terminal: this runs unattended.
            context.load_cert_chain(found.certificate, found.key, password=lambda: b"")
    except (OSError, ValueError) as error:
        missing = error.filename or where if isinstance(error, FileNotFoundError) else None
        message = "This file is missing." if missing else "This cannot be used for TLS: not PEM, or no pair."
        mend = "Issue it again with 'tocsin device ca', or name another in tocsin.toml."
        raise InputError("TLS_FILE", message, mend=mend, where=str(missing or where)) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.sslsocket_class = Witness
    return context


class Witness(ssl.SSLSocket):
    """A TLS connection that keeps the alert which ended it."""

    alert: ssl.SSLError | None = None

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's signature
        """Shake hands, see :meth:`ssl.SSLSocket.do_handshake`; paho leaves one that failed open."""
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.close()
            raise

    def recv(self, *arguments: Any, **named: Any) -> bytes:
        """Receive, see :meth:`ssl.SSLSocket.recv`."""
        try:
            return super().recv(*arguments, **named)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.alert = error
            raise

    def send(self, *arguments: Any, **named: Any) -> int:
        """Send, see :meth:`ssl.SSLSocket.send`; where that is too late, the alert may still be there."""
        try:
            return super().send(*arguments, **named)
        except (ConnectionError, ssl.SSLEOFError):
            with contextlib.suppress(OSError):
                self.recv(1)
            raise


def refusal(where: str, error: BaseException | None) -> UnavailableError | None:
    """Return what a failed TLS connection means; None when TLS is not what failed.

    Args:
        where: host and port.
        error: from the handshake, or the alert that a :class:`Witness` kept.
    """
    if isinstance(error, ssl.SSLEOFError):  # a broker that restarts, or a network that breaks
        message = f"No MQTT 5 broker answers at {where} (it closed the connection while TLS began)."
        return UnavailableError("BROKER_UNREACHABLE", message, mend="See what the broker logged.")
    if isinstance(error, ssl.SSLCertVerificationError):
        why, mend = _VERIFY.get(
            error.verify_code, (f"its certificate is refused: {error.verify_message}", _CA)
        )
    elif isinstance(error, ssl.SSLError):
        said = (error.reason or "no TLS").lower().replace("_", " ")
        why, mend = _ALERTS.get(error.reason or "", (f"TLS failed: {said}", "See what the broker logged."))
    else:
        return None
    message = f"No TLS connection with the broker at {where}: {why}."
    return UnavailableError("BROKER_TLS", message, mend=mend)
