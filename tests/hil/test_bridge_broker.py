"""The bridge's connection to real brokers."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.service.broker import DemoBroker
from hil.bridge.broker import Place, TlsFiles, context, parse_url, unreachable
from hil.bridge.effects import Acknowledge, Publish, Subscribe, Unsubscribe
from hil.bridge.mqtt import Answered, Arrived, Connection, Happening, Lost
from hil.errors import BenchError
from keys.errors import InputError
from tests.gateway.brokers import BROKERS, mosquitto
from tests.hil.bridge_clients import BOARD, FILTERS, OWN, connect

pytestmark = pytest.mark.usefixtures("left_nothing")


def until(connection: Connection, wanted: Callable[[Happening], bool]) -> list[Happening]:
    """What happens up to the first that is wanted."""
    found: list[Happening] = []
    while not found or not wanted(found[-1]):
        happened = connection.take(30.0)
        assert happened is not None, found
        found.append(happened)
    return found


def self_signed(certificate: Path, key: Path) -> None:
    """Make a certificate for 127.0.0.1 that vouches for itself."""
    private = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.fromtimestamp(time.time(), dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(private, None)
    )
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


# Addresses and errors.


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mqtt://127.0.0.1", Place("127.0.0.1", 1883)),
        ("mqtts://broker.example.com", Place("broker.example.com", 8883, tls=True)),
        ("mqtt://a:b%40@127.0.0.1:7", Place("127.0.0.1", 7, user="a", password="b@")),
    ],
)
def test_addresses(url: str, place: Place) -> None:
    assert parse_url(url) == place
    assert "b@" not in repr(parse_url(url)) + str(parse_url(url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1",
        "http://127.0.0.1",
        "mqtt://",
        "mqtt://h:0",
        "mqtt://h:x",
        "mqtt://h:1/p",
        "mqtt://h?q=1",
    ],
)
def test_what_is_no_address_is_not_repeated(url: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_url(url.replace("//", "//user:hidden@", 1))
    assert caught.value.code == "BROKER_URL"
    assert "hidden" not in str(caught.value)


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    nonsense, good = tmp_path / "nonsense.pem", tmp_path / "good.pem"
    nonsense.write_text("nonsense")
    self_signed(good, tmp_path / "good-key.pem")
    for files, named in (
        (TlsFiles(ca=nonsense), "nonsense.pem"),
        (TlsFiles(ca=tmp_path / "missing.pem"), "missing.pem"),
        (TlsFiles(certificate=nonsense), "nonsense.pem"),
        (TlsFiles(certificate=good, key=tmp_path / "no-key.pem"), "no-key.pem"),
    ):
        with pytest.raises(InputError) as caught:
            context(files)
        assert caught.value.code == "TLS_FILE"
        assert named in str(caught.value)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (TimeoutError(), "no answer in time"),
        (ConnectionRefusedError(111, "x"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (ValueError(), "valueerror"),
        ("it sleeps", "it sleeps"),
    ],
)
def test_why_nobody_answers(error: BaseException | str, why: str) -> None:
    told = unreachable(Place("127.0.0.1", 7), error)
    assert told.code == "BROKER_UNREACHABLE"
    assert f"127.0.0.1:7 ({why})" in told.message


def test_a_port_where_nobody_listens() -> None:
    with pytest.raises(BenchError) as caught:
        connect("mqtt://127.0.0.1:9")
    assert caught.value.code == "BROKER_UNREACHABLE"


@contextmanager
def closing_server() -> Iterator[int]:
    """Accepts one connection, reads a little, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_server_that_speaks_no_mqtt() -> None:
    with closing_server() as port, pytest.raises(BenchError) as caught:
        connect(f"mqtt://127.0.0.1:{port}")
    assert caught.value.code == "BROKER_UNREACHABLE"
    assert "must speak MQTT 5" in caught.value.message


def test_a_server_that_speaks_no_tls() -> None:
    tls = context(TlsFiles())
    with closing_server() as port, pytest.raises(BenchError) as caught:
        Connection.open(parse_url(f"mqtts://127.0.0.1:{port}"), BOARD, tls=tls, will=None)
    assert caught.value.code in {"BROKER_UNREACHABLE", "BROKER_TLS"}


@pytest.mark.mosquitto
def test_a_broker_that_lets_nobody_in(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path, "allow_anonymous false") as url,
        pytest.raises(BenchError) as caught,
    ):
        connect(url.replace("//", "//exercise:hidden@"))
    assert caught.value.code == "BROKER_REFUSED"
    assert "hidden" not in str(caught.value)


@pytest.mark.mosquitto
def test_tls_1_3_with_a_ca_and_without(tmp_path: Path) -> None:
    ca, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    self_signed(ca, key)
    lines = f"user root\nallow_anonymous true\ntls_version tlsv1.3\ncafile {ca}\ncertfile {ca}\nkeyfile {key}"
    with mosquitto(tmp_path, lines) as url:
        place = parse_url(url.replace("mqtt:", "mqtts:"))
        link = Connection.open(place, BOARD, tls=context(TlsFiles(ca=ca)), will=None)
        try:
            link.publish(Publish(3, "t/x", b"x"))
            assert until(link, lambda h: isinstance(h, Answered)) == [Answered(3, accepted=True)]
        finally:
            link.close()
        with pytest.raises(BenchError) as caught:
            Connection.open(place, BOARD, tls=context(TlsFiles()), will=None)
    assert caught.value.code == "BROKER_TLS"
    assert "self" in caught.value.message  # self-signed


# Messages.


@pytest.mark.parametrize("broker", BROKERS)
def test_what_is_not_acknowledged_comes_again_in_the_same_session(
    broker: Callable[[Path], Any], tmp_path: Path
) -> None:
    with broker(tmp_path) as url:
        writer, link = connect(url, "writer"), connect(url)
        try:
            assert not link.kept
            link.subscribe(Subscribe(0, (f"{OWN}/answer",)))
            assert until(link, lambda h: isinstance(h, Answered)) == [Answered(0, accepted=True)]
            for number in (1, 2):
                writer.publish(Publish(number, f"{OWN}/answer", b"%d" % number))
            first, second = until(link, lambda h: isinstance(h, Arrived) and h.message.payload == b"2")
            assert isinstance(first, Arrived)
            assert isinstance(second, Arrived)
            link.acknowledge(Acknowledge(first.token))
            link.close()
            link = connect(url)
            assert link.kept
            until(link, lambda h: isinstance(h, Arrived) and h.message.payload == b"2")
            link.close()
            link = connect(url, clean=True)
            assert not link.kept
        finally:
            link.close()
            writer.close()


@pytest.mark.parametrize(("number", "answers"), [(0, [Lost]), (4, [Answered, Answered])])
def test_a_session_that_is_not_as_mqtt_has_it_is_noticed(number: int, answers: list[type]) -> None:
    """rumqttd does not answer an unsubscription in a session of an earlier connection."""
    with DemoBroker() as broker:
        link = connect(broker.url)
        link.subscribe(Subscribe(0, FILTERS))
        until(link, lambda h: isinstance(h, Answered))
        if not number:
            link.close()
            link = connect(broker.url)
        try:
            link.unsubscribe(Unsubscribe(number, FILTERS[1:]))
            link.subscribe(Subscribe(0, FILTERS))
            found = until(link, lambda h: not isinstance(h, Answered) or h.number == 0)
            assert [type(happening) for happening in found] == answers
            if isinstance(found[0], Lost):
                assert found[0].stale
        finally:
            link.close()


@pytest.mark.parametrize("broker", BROKERS)
def test_the_will_and_the_farewell_say_the_same(broker: Callable[[Path], Any], tmp_path: Path) -> None:
    with broker(tmp_path) as url:
        watcher = connect(url, "watcher")
        try:
            watcher.subscribe(Subscribe(0, (f"{OWN}/online",)))
            until(watcher, lambda h: isinstance(h, Answered))
            link = connect(url, will=(f"{OWN}/online", b"0"))
            link.close(farewell=True)
            link.close()
            link = connect(url, will=(f"{OWN}/online", b"0"))
            raw = link._client.socket()
            assert raw is not None
            raw.shutdown(socket.SHUT_RDWR)
            until(link, lambda h: isinstance(h, Lost))
            link.close(farewell=True)
            for _ in range(2):
                (said,) = until(watcher, lambda h: isinstance(h, Arrived))
                assert isinstance(said, Arrived)
                assert said.message.payload == b"0"
        finally:
            watcher.close()


def test_what_mqtt_does_not_have_is_refused_here() -> None:
    with DemoBroker() as broker:
        link = connect(broker.url)
        try:
            link.publish(Publish(1, "no/+/wildcards", b""))
            link.subscribe(Subscribe(2, ("a/#/b",)))
            link.unsubscribe(Unsubscribe(0, ("",)))
            assert [link.take(30.0), link.take(30.0)] == [
                Answered(1, accepted=False),
                Answered(2, accepted=False),
            ]
            assert link.take(0.0) is None
        finally:
            link.close()


def test_a_broker_that_hangs_does_not_hold_up_the_end() -> None:
    with DemoBroker() as broker:
        link = connect(broker.url, will=(f"{OWN}/online", b"0"))
        pid = broker._broker._process.pid if hasattr(broker._broker, "_process") else None
        if pid is None:
            link.close()
            pytest.skip("this iotcore does not tell its process")
        os.kill(pid, signal.SIGSTOP)
        try:
            link.close(farewell=True)
        finally:
            os.kill(pid, signal.SIGCONT)
