"""Addresses of brokers and how to speak to them, as a device is given them."""

import pytest

from device_sim.link import MqttLink
from device_sim.sockets import parse_url
from keys.errors import InputError


def test_an_address_is_read_with_its_defaults() -> None:
    assert parse_url("mqtt://broker.example.com").port == 1883
    assert parse_url("mqtts://broker.example.com").port == 8883
    full = parse_url("mqtt://us%40er:pa%3Ass@broker.example.com:99")
    assert (full.port, full.user, full.password) == (99, "us@er", "pa:ss")
    assert "pa:ss" not in repr(full)


@pytest.mark.parametrize(
    "url",
    ["", "broker", "http://broker", "mqtt://", "mqtt://h:99999", "mqtt://h/path", "mqtt://u:secret@h/x"],
)
def test_a_wrong_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_url(url)
    assert caught.value.code == "BROKER_URL"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("keepalive", [0, 65_536])
def test_a_keepalive_out_of_range_is_refused(keepalive: int) -> None:
    with pytest.raises(InputError, match="keepalive"):
        MqttLink("mqtt://127.0.0.1", "d", keepalive=keepalive)
