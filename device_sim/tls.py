"""TLS 1.3 of a device's connection: its certificate, whom it trusts, and what went wrong.

In TLS 1.3 a client is through with its handshake before the server has judged its certificate (RFC 8446,
section 4.4.2): the refusal comes as an alert on the open connection. :class:`Witness` keeps it, so that an
error can say more than that the connection is gone.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from typing import Any, Final

from keys.errors import DamagedError, UnavailableError

_CA: Final = "Give the device the CA of the broker with 'tocsin device certificate ID --simulated'."
_OWN: Final = "Issue one with 'tocsin device certificate ID --simulated'."
_VERIFY: Final = {  # OpenSSL's verify codes (x509_vfy.h) -> what is wrong with the broker's certificate, mend
    9: ("the broker's certificate is not valid yet", "Set the device's clock."),
    10: ("the broker's certificate has expired", "Issue it again with 'tocsin device ca server HOST'."),
    18: ("nobody that the device trusts vouches for the broker's certificate", _CA),
    19: ("nobody that the device trusts vouches for the broker's certificate", _CA),
    20: ("nobody that the device trusts vouches for the broker's certificate", _CA),
    21: ("nobody that the device trusts vouches for the broker's certificate", _CA),
    62: ("the broker's certificate is for another host", "Name the host as its certificate does."),
    64: ("the broker's certificate is for another address", "Name the host as its certificate does."),
}
_ALERTS: Final = {  # OpenSSL's names -> what the broker holds against the device, mend
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": ("the broker asks for the device's certificate", _OWN),
    "TLSV1_ALERT_UNKNOWN_CA": ("the broker does not know the CA of the device's certificate", _OWN),
    "SSLV3_ALERT_CERTIFICATE_REVOKED": (
        "the device's certificate is revoked",
        "Enrol the device again, or leave it out.",
    ),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": (
        "the device's certificate has expired, or the broker's list of revoked ones has",
        f"{_OWN} Or make a list with 'tocsin device ca crl'.",
    ),
    "TLSV1_ALERT_PROTOCOL_VERSION": ("the broker does not speak TLS 1.3", "Set tls_version tlsv1.3 there."),
    "UNSUPPORTED_PROTOCOL": ("the broker does not speak TLS 1.3", "Set tls_version tlsv1.3 there."),
    "WRONG_VERSION_NUMBER": (
        "the broker does not speak TLS",
        "Name it as mqtt://, or give the port that has TLS.",
    ),
}
_FINAL: Final = frozenset(
    {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_CERTIFICATE_REVOKED"}
)


class Witness(ssl.SSLSocket):
    """A TLS connection that keeps the alert which ended it."""

    alert: ssl.SSLError | None = None

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
        except ConnectionError:
            with contextlib.suppress(OSError):
                self.recv(1)
            raise


def client_context(
    ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return a context that speaks TLS 1.3 only and verifies the host's name.

    Args:
        ca: PEM of whom the device trusts; None: the system's certificate authorities.
        certificate: PEM of the device's own, None for none.
        key: PEM of its key.

    Raises:
        DamagedError: HOME_DAMAGED, naming the file that cannot be used.
    """
    where = ca
    try:
        context = ssl.create_default_context(cafile=ca)
        where = certificate
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ValueError):
        raise DamagedError(
            "HOME_DAMAGED",
            "A file of the device cannot be used for TLS: it is no certificate, or not of the device's key.",
            mend="Issue it again with 'tocsin device certificate ID --simulated'.",
            where=str(where),
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.sslsocket_class = Witness
    return context


def refusal(where: str, error: BaseException | None) -> UnavailableError | None:
    """Return what a failed TLS connection means; None when TLS is not what failed.

    Args:
        where: host and port.
        error: from the handshake, or the alert that a :class:`Witness` kept.
    """
    if isinstance(error, ssl.SSLEOFError):  # a broker that restarts, or a network that breaks
        message = f"The broker at {where} cannot be reached (it closed the connection while TLS began)."
        return UnavailableError("BROKER_UNREACHABLE", message, mend="See what the broker logged.")
    if isinstance(error, ssl.SSLCertVerificationError):
        other = f"the broker's certificate is refused: {error.verify_message}"
        why, mend = _VERIFY.get(error.verify_code, (other, _CA))
    elif isinstance(error, ssl.SSLError):
        said = (error.reason or "no TLS").lower().replace("_", " ")
        why, mend = _ALERTS.get(error.reason or "", (f"TLS failed: {said}", "See what the broker logged."))
    else:
        return None
    message = f"The broker at {where} cannot be reached over TLS: {why}."
    return UnavailableError("BROKER_TLS", message, mend=mend)


def is_final(alert: BaseException | None) -> bool:
    """Say whether the broker itself turned the device's certificate down, so that trying again is in vain.

    Whatever goes wrong before the broker's own certificate has been verified may be anybody's doing: a byte
    in the clear would silence a device for ever. A certificate that is over is not among these: the same
    alert says that the broker's list of revoked ones is.

    Args:
        alert: what a :class:`Witness` kept.
    """
    return isinstance(alert, ssl.SSLError) and alert.reason in _FINAL
