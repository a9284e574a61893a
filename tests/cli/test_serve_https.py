"""``http`` over TLS, with the certificate that ``tocsin.toml`` names."""

from __future__ import annotations

import ssl
import time

import httpx
import pytest

from gateway.operations.identity import device_ca
from gateway.service import tls
from gateway.web.artefacts import Artefacts
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.errors import InputError
from tests.cli.conftest import Tocsin, no_passphrase
from tests.gateway.https import payload_site

NAMES = 'https_certificate = "tls/broker.pem"\nhttps_key = "keys/tls-broker.pem"\n'


def named(workspace: Workspace, lines: str) -> Workspace:
    with (workspace.path / "tocsin.toml").open("a") as file:
        file.write(lines)
    return Workspace.open(workspace.path)


async def test_payloads_are_served_with_the_certificate_of_the_device_ca(workspace: Workspace) -> None:
    now = int(time.time())
    device_ca.new(workspace, passphrase=b"", algorithm=Algorithm.ESP256, days=10, now=now)
    ca = device_ca.open_ca(workspace, no_passphrase)
    device_ca.issue_broker(workspace, ca, ["127.0.0.1"], now=now)
    opened = named(workspace, NAMES)
    (opened.artefacts / ("0" * 64)).write_bytes(b"payload")
    trust = ssl.create_default_context(cafile=opened.path / "tls" / "ca.pem")
    async with payload_site(Artefacts(opened.artefacts), tls.server_context(opened)) as base:
        assert base.startswith("https://")
        async with httpx.AsyncClient(base_url=base, verify=trust, trust_env=False) as client:
            assert (await client.get("0" * 64)).content == b"payload"


def test_without_a_certificate_there_is_no_tls(workspace: Workspace) -> None:
    assert tls.server_context(workspace) is None


@pytest.mark.parametrize(
    ("made", "lines"),
    [
        ((), NAMES),
        (("tls/broker.pem",), NAMES),
        (("tls/broker.pem", "keys/tls-broker.pem"), NAMES),
        (("tls/broker.pem",), 'https_certificate = "tls/broker.pem"\n'),
    ],
)
def test_a_file_that_cannot_be_used_is_named(workspace: Workspace, made: tuple[str, ...], lines: str) -> None:
    for name in made:
        path = workspace.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no PEM")
    with pytest.raises(InputError) as caught:
        tls.server_context(named(workspace, lines))
    assert caught.value.code == "TLS_FILE"
    assert str(workspace.path) in caught.value.where


@pytest.mark.parametrize("name", ["mqtt_payload_rate", "http_payload_rate"])
@pytest.mark.parametrize(("rate", "fits"), [(4_095, False), (4_096, True), (2**40, True), (2**40 + 1, False)])
def test_a_rate_has_its_limits(
    workspace: Workspace, tocsin: Tocsin, name: str, rate: int, fits: bool
) -> None:
    with (workspace.path / "tocsin.toml").open("a") as file:
        file.write(f"{name} = {rate}\n")
    ran = tocsin("device", "list", "--workspace", workspace.path)
    assert (ran.status == 0) is fits
    assert fits or name in ran.err
