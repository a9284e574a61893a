"""What only a full broker does: TLS, access lists, sessions that outlive a connection, taking one over."""

import asyncio
import datetime as dt
import ipaddress
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from device_sim.link import MqttLink
from keys.errors import UnavailableError
from tests.device_sim.conftest import MOSQUITTO, _wait_until_it_listens, free_port

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
FAST = (0.02, 0.1)


@contextmanager
def mosquitto(folder: Path, *lines: str) -> Iterator[int]:
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text("\n".join([f"listener {port} 127.0.0.1", "user root", *lines]) + "\n")
    process = subprocess.Popen(
        [str(MOSQUITTO), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_it_listens(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
async def links() -> AsyncIterator[Callable[..., MqttLink]]:
    made: list[MqttLink] = []

    def make(url: str, name: str, **options: object) -> MqttLink:
        made.append(MqttLink(url, name, backoff_s=FAST, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        await one.close()


def certificate(folder: Path) -> None:
    """Write a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker.example.com")])
    now = dt.datetime.fromtimestamp(time.time(), dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


async def test_messages_pass_through_tls_however_many_come_at_once(
    tmp_path: Path, links: Callable[..., MqttLink]
) -> None:
    certificate(tmp_path)
    lines = (f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem", "allow_anonymous true")
    with mosquitto(tmp_path, *lines) as port:
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        device = links(f"mqtts://127.0.0.1:{port}", "d", tls=context)
        seen: list[bytes] = []
        all_seen = asyncio.Event()

        def take(_topic: str, payload: bytes) -> None:
            seen.append(payload)
            if len(seen) == 300:
                all_seen.set()

        device.on_message = take
        await device.connect()
        await device.subscribe("a")
        for number in range(300):
            device.publish("a", number.to_bytes(2, "big") + bytes(2_000))
        async with asyncio.timeout(20):
            await all_seen.wait()
        assert [int.from_bytes(payload[:2], "big") for payload in seen] == list(range(300))


async def test_a_certificate_nobody_vouches_for_is_refused(
    tmp_path: Path, links: Callable[..., MqttLink]
) -> None:
    certificate(tmp_path)
    lines = (f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem", "allow_anonymous true")
    with mosquitto(tmp_path, *lines) as port:
        with pytest.raises(UnavailableError) as caught:
            await links(f"mqtts://127.0.0.1:{port}", "d").connect()
        assert "certificate" in str(caught.value)


async def test_wrong_credentials_are_told_and_not_shown(
    tmp_path: Path, links: Callable[..., MqttLink]
) -> None:
    (tmp_path / "passwords").write_text("")
    with (
        mosquitto(tmp_path, "allow_anonymous false", f"password_file {tmp_path}/passwords") as port,
        pytest.raises(UnavailableError) as caught,
    ):
        await links(f"mqtt://somebody:secret@127.0.0.1:{port}", "d").connect()
    assert caught.value.code == "BROKER_REFUSED"
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_publish_that_the_access_list_forbids_is_counted(
    tmp_path: Path, links: Callable[..., MqttLink]
) -> None:
    (tmp_path / "acl").write_text("topic write own/#\n")
    with mosquitto(tmp_path, "allow_anonymous true", f"acl_file {tmp_path}/acl") as port:
        device = links(f"mqtt://localhost:{port}", "d")
        await device.connect()
        assert await device.publish_acked("own/report", b"")
        assert not await device.publish_acked("foreign/report", b"")
        assert device.refused == 1


async def test_a_kept_session_brings_what_came_meanwhile(
    tmp_path: Path, links: Callable[..., MqttLink]
) -> None:
    with mosquitto(tmp_path, "allow_anonymous true") as port:
        url = f"mqtt://127.0.0.1:{port}"
        device, gateway = links(url, "d", session_expiry_s=60), links(url, "g")
        await device.connect()
        await device.subscribe("a")
        await device.close()
        await gateway.connect()
        await gateway.publish_acked("a", b"meanwhile")
        again = links(url, "d", session_expiry_s=60)
        kept: list[bool] = []
        came: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        again.on_connect = kept.append
        again.on_message = lambda _topic, payload: came.set_result(payload)
        await again.connect()
        async with asyncio.timeout(10):
            assert await came == b"meanwhile"
        assert kept == [True]


async def test_an_error_without_a_listener_reaches_the_loop(
    tmp_path: Path, links: Callable[..., MqttLink]
) -> None:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: told.set_result(context["message"])
    )
    with mosquitto(tmp_path, "allow_anonymous true") as port:
        device = links(f"mqtt://127.0.0.1:{port}", "d")

        def wrong(_kept: bool) -> None:
            raise ValueError

        device.on_connect = wrong
        await device.connect()
        async with asyncio.timeout(10):
            assert "gave up" in await told
