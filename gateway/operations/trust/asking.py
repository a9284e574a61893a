"""``tocsin doctor --broker``: does a broker do what a fleet needs?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cryptography import x509

from advisories.topics import is_id
from gateway.operations.trust.expiry import Check, State
from gateway.service import tls
from gateway.service.asking.access import PLAIN, UNASKED, Device, ask_access
from gateway.service.asking.questions import RESTART_UNASKED, Asking, Grade, ask
from gateway.service.asking.visitor import Door
from gateway.service.link import parse_url
from gateway.workspace.folder import Workspace
from keys.errors import InputError

_GRADES: Final = {Grade.OK: State.OK, Grade.WARN: State.WARN, Grade.FAIL: State.FAIL}


def ask_broker(
    workspace: Workspace,
    url: str,
    *,
    device: tuple[Path, Path] | None = None,
    device_url: str | None = None,
    thorough: bool = False,
    entropy: Callable[[int], bytes] = os.urandom,
) -> Iterator[Check]:
    """Ask a broker over the wire whether it does what a fleet needs; nothing of it stays there.

    Args:
        workspace: as whose gateway.
        url: of the broker, where gateways come in.
        device: certificate and key of a device that nobody uses, to try what devices can do.
        device_url: where devices come in; as ``url`` if left out.
        thorough: ask also what takes some seconds.
        entropy: random bytes.

    Raises:
        InputError: BROKER_URL, TLS_FILE, NOT_A_DEVICE.
    """
    parse_url(url)
    asking = Asking(Door(url, tls.context_for(workspace, url)), workspace.topics, entropy(6).hex())
    tried = _device(workspace, device, device_url or url)
    answers = list(ask(asking, thorough=thorough))
    plain = not url.lower().startswith("mqtts:")
    if plain:
        answers.insert(0, PLAIN)
    if answers[-1].code == RESTART_UNASKED:  # else it could not be asked anything
        answers += [UNASKED] if tried is None else ask_access(asking, tried)
    for each in answers:
        yield Check(each.name, _GRADES[each.grade], each.message, each.code, each.mend)


def _device(workspace: Workspace, pair: tuple[Path, Path] | None, url: str) -> Device | None:
    if pair is None:
        return None
    certificate, key = pair
    parse_url(url)
    context = tls.client_context(tls.TlsFiles(tls.files_of(workspace).ca, certificate, key))
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).subject.get_attributes_for_oid(
        x509.NameOID.COMMON_NAME
    )
    name = str(names[0].value) if names else ""
    if not is_id(name):
        message = "This is not the certificate of a device."
        mend = "Issue one with 'tocsin device certificate ID'."
        raise InputError("NOT_A_DEVICE", message, mend=mend, where=str(certificate))
    return Device(name, Door(url, context if url.lower().startswith("mqtts:") else None))
