"""The gateway's own server with payloads behind it, over TLS by a CA of this moment."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fastapi import FastAPI, Request, Response

from gateway.web.artefacts import Artefacts, add
from gateway.web.problems import Problem, document
from gateway.web.server import listen, serve

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Pki:
    """PEM files of a CA, and of a server at :data:`HOST`."""

    ca: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """The server's side."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        """A client's side."""
        return ssl.create_default_context(cafile=self.ca)


def make_pki(folder: Path) -> Pki:
    """Write a CA and a server certificate that are valid today."""
    now = dt.datetime.fromtimestamp(time.time(), dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in ("exercise-ca", HOST)]
    pki = Pki(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    for subject, key, path in zip(names, keys, (pki.ca, pki.certificate), strict=True):
        is_ca = path is pki.ca
        builder = (
            x509.CertificateBuilder(names[0], subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        if not is_ca:
            address = x509.IPAddress(ipaddress.ip_address(HOST))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        path.write_bytes(builder.sign(keys[0], hashes.SHA256()).public_bytes(Encoding.PEM))
    pki.key.write_bytes(keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pki


@contextlib.asynccontextmanager
async def payload_site(artefacts: Artefacts, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Serve payloads; gives the address below which they lie."""
    app = FastAPI()
    add(app, artefacts)

    @app.exception_handler(Problem)
    async def _on_problem(_request: Request, problem: Problem) -> Response:
        return document(problem.status, problem.code, problem.detail, problem.headers)

    stop, listener = asyncio.Event(), listen(HOST, 0)
    scheme = "http" if tls is None else "https"
    base = f"{scheme}://{HOST}:{listener.getsockname()[1]}/artefact/"
    serving = asyncio.ensure_future(serve(app, listener, stop, tls))
    try:
        yield base
    finally:
        stop.set()
        await serving
