"""The short way through paho: what takes it is read as paho reads it, and all else is left to paho."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes

from gateway.service import buffered
from gateway.service.buffered import Client, expiry_of, properties_of

HEADS = st.integers(0x30, 0x3F)


def publish(topic: bytes, mid: int, properties: bytes, payload: bytes) -> bytes:
    return struct.pack("!H", len(topic)) + topic + struct.pack("!H", mid) + properties + payload


def agrees(head: int, packet: bytes) -> bool:
    """Hold the short way against paho, and say whether it was taken."""
    found = buffered._plain(head, packet)
    if found is None:
        return False
    said = _packet.decode_publish(head, packet, MQTTProtocolVersion.MQTTv5)
    assert found == (said.topic.decode(), bytes(said.payload), said.mid)
    assert said.qos == 1
    assert str(said.properties) == "[]"
    return True


@given(HEADS, st.text(max_size=40), st.integers(0, 65_535), st.binary(max_size=200))
def test_a_message_of_qos_1_without_properties_is_read_as_paho_reads_it(
    head: int, topic: str, mid: int, payload: bytes
) -> None:
    packet = publish(topic.encode(), mid, b"\0", payload)
    assert agrees(head, packet) == (head & 0x06 == 0x02)


@given(HEADS, st.binary(max_size=60))
def test_whatever_else_comes_is_read_as_paho_reads_it_or_not_at_all(head: int, packet: bytes) -> None:
    agrees(head, packet)


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (publish(b"a/b", 1, b"\x05\x02\0\0\0\x09", b"x"), "it has a lifetime"),
        (publish(b"a/\xff", 1, b"\0", b"x"), "its topic is no text"),
        (publish(b"a/b", 1, b"", b""), "it ends before its properties"),
        (b"\0", "it has no topic"),
        (b"", "there is nothing"),
    ],
)
def test_what_is_unusual_is_left_to_paho(packet: bytes, why: str) -> None:
    assert buffered._plain(0x32, packet) is None, why


class Standing(Client):
    """A client that has packets in hand, and tells what was done with them."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        super().__init__(
            lambda *found: self.done.append(("plain", *found)),
            CallbackAPIVersion.VERSION2,
            protocol=mqtt.MQTTv5,
            manual_ack=True,
        )
        self.on_message = lambda *found: self.done.append(("paho", found[2].topic, found[2].payload))
        self.on_publish = lambda *found: self.done.append((found[2], str(found[3]), found[4].isEmpty()))

    def get(self, head: int, packet: bytes) -> None:
        """Take a packet as if it had come."""
        self._in_packet["command"], self._in_packet["packet"] = head, bytearray(packet)
        self._packet_handle()

    def wait_for(self, mid: int) -> None:
        """Have a message that waits for its PUBACK."""
        published = SimpleNamespace(qos=1, info=SimpleNamespace(_set_as_published=lambda: None))
        self._out_messages[mid] = published  # type: ignore[assignment] # as much of one as is looked at


def test_both_ways_end_at_the_same_place() -> None:
    client = Standing()
    client.get(0x32, publish(b"a/b", 7, b"\0", b"x"))
    client.get(0x32, publish(b"a/b", 8, b"\x05\x02\0\0\0\x09", b"y"))
    client.get(0x30, b"\0\x03a/b\0z")
    assert client.done == [("plain", "a/b", b"x", 7), ("paho", "a/b", b"y"), ("paho", "a/b", b"z")]


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (b"\0\x07", "Success"),
        (b"\0\x07\x10", "No matching subscribers"),
        (b"\0\x07\x87\0", "Not authorized"),
        (b"\0\x07\x87\x05\x1f\0\x02no", "Not authorized"),
    ],
)
def test_a_puback_ends_its_message_once(packet: bytes, said: str) -> None:
    client = Standing()
    client.wait_for(7)
    client.get(0x40, packet)
    client.get(0x40, packet)
    client.get(0x40, b"\0\x09")
    assert client.done == [(7, said, len(packet) < 5)]


@given(st.integers(1, 2**32 - 1))
def test_a_lifetime_is_sent_as_paho_sends_it(seconds: int) -> None:
    properties = properties_of(PacketTypes.PUBLISH)
    properties.MessageExpiryInterval = seconds
    made = expiry_of(seconds)
    assert made.pack() == properties.pack()  # type: ignore[no-untyped-call] # paho leaves this one untyped
    assert str(made) == str(properties)
