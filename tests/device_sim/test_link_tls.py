"""What anybody on the way could have caused never ends a device's link: only the broker's own verdict does."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct

import pytest

from device_sim import tls
from device_sim.link import MqttLink
from keys.errors import UnavailableError

ANSWERS = {  # what comes instead of a broker's TLS -> the code of a first attempt
    "nothing, and the connection closes": (b"", "BROKER_UNREACHABLE"),
    "half a message": (b"\x16\x03\x03\x00\x7a\x02", "BROKER_UNREACHABLE"),
    "a text in the clear": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "BROKER_TLS"),
    "an alert in the clear: certificate revoked": (b"\x15\x03\x03\x00\x02\x02\x2c", "BROKER_TLS"),
    "an alert in the clear: unknown CA": (b"\x15\x03\x03\x00\x02\x02\x30", "BROKER_TLS"),
    "a reset": (None, "BROKER_UNREACHABLE"),
}


@pytest.mark.parametrize(("answer", "code"), ANSWERS.values(), ids=ANSWERS)
async def test_a_device_tries_again_whatever_stands_in_for_its_broker(
    answer: bytes | None, code: str
) -> None:
    thrice, met = asyncio.Event(), []

    async def stand_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(await reader.read(4_096))  # the ClientHello
        if len(met) > 3:
            thrice.set()
        if answer is None:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(stand_in, "127.0.0.1", 0)
    url = f"mqtts://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    link = MqttLink(url, "d", tls=tls.client_context(), backoff_s=(0.01, 0.02))
    ended: list[Exception] = []
    link.on_failure = ended.append
    with pytest.raises(UnavailableError) as caught:
        await link.connect()
    assert caught.value.code == code
    link.connect_later()
    async with asyncio.timeout(20):
        await thrice.wait()
    await link.close()
    server.close()
    assert not ended


@pytest.mark.parametrize(
    ("reason", "final"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True),
        ("TLSV1_ALERT_UNKNOWN_CA", True),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", True),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", False),  # or the broker's list of revoked ones is over
        ("TLSV1_ALERT_INTERNAL_ERROR", False),
        ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", False),  # somebody wrote into the connection
    ],
)
def test_only_a_verdict_on_the_certificate_itself_is_final(reason: str, final: bool) -> None:
    alert = ssl.SSLError(1, reason)
    alert.reason = reason
    assert tls.is_final(alert) is final
    assert not tls.is_final(None)
