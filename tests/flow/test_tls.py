"""TLS 1.3 with client certificates against Mosquitto: who is let in, and who is kept out and told why."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advisories.topics import Topics
from device_sim import tls
from device_sim.fleet import Fleet
from device_sim.home import Home
from device_sim.link import MqttLink
from gateway.cli import homes
from gateway.operations import status
from gateway.operations.identity import device_ca, devices, revocation
from gateway.service import tls as gateway_tls
from gateway.service.link import Link
from gateway.service.runtime import Gateway
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.errors import InputError, UnavailableError
from tests.cli.conftest import (
    ADVISORY,
    Tocsin,
    no_passphrase,
    template,  # noqa: F401 - a fixture
    tocsin,  # noqa: F401 - a fixture
)
from tests.gateway.brokers import mosquitto, mosquitto_tls

pytestmark = pytest.mark.mosquitto
TOPICS = Topics()


def now() -> int:
    return int(time.time())


@pytest.fixture(scope="module")
def certified(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811 - the fixture
    """A workspace with a CA, and certificates for gateway, broker and all four devices."""
    path = tmp_path_factory.mktemp("certified") / "fleet"
    shutil.copytree(template, path)
    workspace = Workspace.open(path)
    ca = device_ca.new(workspace, passphrase=b"", algorithm=Algorithm.ESP256, days=30, now=now())
    device_ca.issue_gateway(workspace, ca, now=now())
    device_ca.issue_broker(workspace, ca, ["127.0.0.1", "localhost"], now=now())
    give_all(workspace)
    return path


def give_all(workspace: Workspace) -> None:
    ca = device_ca.open_ca(workspace, no_passphrase)
    names = homes.names(workspace)
    for one in device_ca.issue(workspace, ca, names, now=now()):
        homes.give_certificate(workspace, homes.open_home(workspace, one.name), one)


@pytest.fixture
def workspace(certified: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(certified, tmp_path / "fleet")
    return Workspace.open(tmp_path / "fleet")


@pytest.fixture
def broker(workspace: Workspace, tmp_path: Path) -> Iterator[str]:
    with mosquitto_tls(tmp_path / "broker", workspace.path) as url:
        yield url


def ids(workspace: Workspace, product: str = "thermostat") -> list[str]:
    return [row.id for row in devices.rows(workspace) if row.product == product]


def home(workspace: Workspace, device: str) -> Home:
    return Home.open(workspace.path / "devices" / device, durable=False)


def link(url: str, name: str, context: ssl.SSLContext) -> MqttLink:
    return MqttLink(url, name, tls=context, backoff_s=(0.02, 0.1))


async def run_until(
    workspace: Workspace, url: str, found: list[Home], done: Callable[[Fleet], bool]
) -> Fleet:
    """Run the gateway and some devices until all is done that was awaited."""
    with workspace.store() as store:
        trusted = workspace.trusted()
        signer = workspace.signer("gateway", no_passphrase)
        gateway = Gateway(
            store, workspace.artefacts, workspace.topics, trusted.fleet, trusted, signer, standing=True
        )
        stop = asyncio.Event()
        serving = asyncio.create_task(gateway.run(url, stop, gateway_tls.context_for(workspace, url)))
        fleet = Fleet(found, url)
        running = asyncio.create_task(fleet.run(stop))
        try:
            async with asyncio.timeout(60):
                while not done(fleet):
                    for task in (serving, running):
                        if task.done():
                            task.result()
                    await asyncio.sleep(0.05)
        finally:
            stop.set()
            await asyncio.gather(serving, running, return_exceptions=True)
            await gateway.close()
    return fleet


def reported(workspace: Workspace) -> set[str]:
    return {row.id for row in devices.rows(workspace) if row.seen is not None}


async def test_a_fleet_receives_a_notice_and_reports_over_tls(
    workspace: Workspace,
    broker: str,
    tocsin: Tocsin,  # noqa: F811 - the fixture
) -> None:
    here = ("-w", workspace.path, "--json")
    for role in ("engineering", "legal", "communications"):
        assert tocsin("advisory", "approve", ADVISORY, "--key", role, "--yes", *here).status == 0
    assert tocsin("advisory", "publish", ADVISORY, *here).status == 0

    def acknowledged(_fleet: Fleet) -> bool:
        return status.status(workspace).advisories[0].products["thermostat"].acknowledged == 2

    fleet = await run_until(workspace, broker, [home(workspace, id_) for id_ in ids(workspace)], acknowledged)
    assert not fleet.failures
    assert reported(workspace) == set(ids(workspace))


async def test_a_revoked_device_is_kept_out_and_the_others_go_on(
    workspace: Workspace, tmp_path: Path
) -> None:
    first, second = ids(workspace)
    operator = workspace.signer("operator", no_passphrase)
    devices.revoke(workspace, first, "Stolen", operator, now=now())
    with workspace.lock():
        revocation.write(workspace, device_ca.open_ca(workspace, no_passphrase), now=now())
    with mosquitto_tls(tmp_path / "broker", workspace.path) as url:
        fleet = await run_until(
            workspace,
            url,
            [home(workspace, first), home(workspace, second)],
            lambda fleet: second in reported(workspace) and first in fleet.failures,
        )
    assert "revoked" in str(fleet.failures[first])
    assert reported(workspace) == {second}


async def test_a_device_that_is_cut_off_without_a_word_does_not_keep_the_others_away(
    workspace: Workspace, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, cut = MqttLink.connect, []

    async def connect_but_the_first(link: MqttLink, timeout: float = 10.0) -> None:
        if not cut:
            cut.append(link)
            raise UnavailableError("BROKER_UNREACHABLE", "It closed the connection.")
        await connect(link, timeout)

    monkeypatch.setattr(MqttLink, "connect", connect_but_the_first)
    both = set(ids(workspace)[:2])
    homes = [home(workspace, device) for device in sorted(both)]
    await run_until(workspace, broker, homes, lambda _fleet: both <= reported(workspace))
    assert cut


async def test_a_device_with_another_key_reports_and_the_old_one_is_kept_out(
    workspace: Workspace,
    tmp_path: Path,
    tocsin: Tocsin,  # noqa: F811 - the fixture
) -> None:
    device = ids(workspace)[0]
    shutil.copytree(workspace.path / "devices" / device, tmp_path / "old")
    assert tocsin("device", "replace", device, "--simulated", "--yes", "-w", workspace.path).status == 0
    with mosquitto_tls(tmp_path / "broker", workspace.path) as url:
        await run_until(workspace, url, [home(workspace, device)], lambda _: device in reported(workspace))
        with pytest.raises(UnavailableError, match="revoked"):
            await link(url, device, Home.open(tmp_path / "old").tls()).connect()


def foreign(workspace: Workspace, folder: Path) -> ssl.SSLContext:
    """A certificate for the same id, by another CA."""
    other = Workspace.open(Path(shutil.copytree(workspace.path, folder / "other")))
    shutil.rmtree(other.path / "tls")
    device_ca.new(other, passphrase=b"", algorithm=Algorithm.ED25519, days=30, now=now())
    give_all(other)
    path = other.path / "devices" / ids(workspace)[0]
    return tls.client_context(workspace.path / "tls" / "ca.pem", path / "cert.pem", path / "key.pem")


def without(workspace: Workspace, _folder: Path) -> ssl.SSLContext:
    return tls.client_context(workspace.path / "tls" / "ca.pem")


def old_tls(workspace: Workspace, _folder: Path) -> ssl.SSLContext:
    context = home(workspace, ids(workspace)[0]).tls()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def untrusting(workspace: Workspace, _folder: Path) -> ssl.SSLContext:
    path = workspace.path / "devices" / ids(workspace)[0]
    return tls.client_context(None, path / "cert.pem", path / "key.pem")


def expired(workspace: Workspace, _folder: Path) -> ssl.SSLContext:
    device = ids(workspace)[0]
    ca = device_ca.open_ca(workspace, no_passphrase)
    (made,) = device_ca.issue(workspace, ca, [device], now=now() - 2 * 86_400 + 3_600, days=1)
    homes.give_certificate(workspace, home(workspace, device), made)
    return home(workspace, device).tls()


KEPT_OUT = {
    "another CA": (foreign, "does not know the CA"),
    "no certificate": (without, "asks for the device's certificate"),
    "TLS 1.2": (old_tls, "TLS"),
    "broker not trusted": (untrusting, "nobody that the device trusts"),
    "expired": (expired, "expired"),
}


@pytest.mark.parametrize(("make", "words"), KEPT_OUT.values(), ids=KEPT_OUT)
async def test_who_is_not_let_in_is_told_why(
    make: Callable[[Workspace, Path], ssl.SSLContext],
    words: str,
    workspace: Workspace,
    broker: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(UnavailableError) as caught:
        await link(broker, ids(workspace)[0], make(workspace, tmp_path)).connect()
    assert caught.value.code == "BROKER_TLS"
    assert words in caught.value.message
    assert caught.value.mend


async def test_a_link_that_is_refused_gives_up_instead_of_trying_for_ever(
    workspace: Workspace, broker: str
) -> None:
    refused = link(broker, ids(workspace)[0], without(workspace, Path()))
    told: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    refused.on_failure = told.set_result
    refused.connect_later()
    async with asyncio.timeout(20):
        assert "asks for the device's certificate" in str(await told)
    await refused.close()


async def test_a_broker_of_another_name_is_not_spoken_to(workspace: Workspace, tmp_path: Path) -> None:
    ca = device_ca.open_ca(workspace, no_passphrase)
    device_ca.issue_broker(workspace, ca, ["broker.example.com"], now=now())
    with mosquitto_tls(tmp_path / "broker", workspace.path) as url:
        with pytest.raises(UnavailableError, match="another address"):
            await link(url, "d", home(workspace, ids(workspace)[0]).tls()).connect()
        with pytest.raises(UnavailableError, match="another host"):
            await link(
                url.replace("127.0.0.1", "localhost"), "d", home(workspace, ids(workspace)[0]).tls()
            ).connect()
        with pytest.raises(UnavailableError, match="another address"):
            await Link.open(url, "g", lambda _: None, gateway_tls.context_for(workspace, url))


async def test_a_device_speaks_only_for_itself(workspace: Workspace, broker: str) -> None:
    own, other = ids(workspace)
    device = link(broker, own, home(workspace, own).tls())
    await device.connect()
    assert await device.publish_acked(TOPICS.device(own, "report"), b"x")
    assert not await device.publish_acked(TOPICS.device(other, "report"), b"x")
    assert not await device.publish_acked(TOPICS.device(own, "answer"), b"x")
    assert not await device.publish_acked(TOPICS.catalogue("thermostat"), b"x")
    ack = device.subscribe(TOPICS.device(other, "offer"))
    assert ack is None or not await ack or device.refused >= 3
    await device.close()


async def test_the_gateway_is_told_why_it_is_not_let_in(workspace: Workspace, broker: str) -> None:
    found = gateway_tls.files_of(workspace)
    cases = {
        "asks for a client certificate": gateway_tls.TlsFiles(found.ca),
        "nobody that is trusted here": gateway_tls.TlsFiles(None, found.certificate, found.key),
    }
    for words, files in cases.items():
        with pytest.raises(UnavailableError, match=words) as caught:
            await Link.open(broker, "g", lambda _: None, gateway_tls.client_context(files))
        assert caught.value.code == "BROKER_TLS"


async def test_a_broker_without_tls_is_told_apart(workspace: Workspace, tmp_path: Path) -> None:
    with mosquitto(tmp_path) as plain:
        url = plain.replace("mqtt:", "mqtts:")
        with pytest.raises(UnavailableError) as caught:
            await Link.open(url, "g", lambda _: None, gateway_tls.context_for(workspace, url))
    assert caught.value.code in {"BROKER_TLS", "BROKER_UNREACHABLE"}


def test_files_that_are_no_pair_are_named(workspace: Workspace, tmp_path: Path) -> None:
    found = gateway_tls.files_of(workspace)
    wrong = gateway_tls.TlsFiles(found.ca, found.certificate, workspace.path / "keys" / "tls-broker.pem")
    with pytest.raises(InputError) as caught:
        gateway_tls.client_context(wrong)
    assert caught.value.code == "TLS_FILE"
    with pytest.raises(InputError, match="missing"):
        gateway_tls.client_context(gateway_tls.TlsFiles(tmp_path / "none.pem"))
