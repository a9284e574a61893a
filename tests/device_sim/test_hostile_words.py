"""Addresses and files that somebody typed wrong, or on purpose: one sentence, no traceback, no secret."""

from __future__ import annotations

import pytest

from advisories.limits import LANGUAGE_BYTES_MAX, TOPIC_BYTES_MAX, TOPIC_SLASHES_MAX
from advisories.topics import Topics
from device_sim.http import HttpLink
from device_sim.sockets import parse_url
from device_sim.toml import read_profile
from keys.errors import InputError

REQUIRED = f'id = "a"\nproduct = "p"\nvendor_id = "{"00" * 16}"\nclass_id = "{"00" * 16}"\n'


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://user:secret@host:99999",
        "mqtt://user:secret@:1883",
        "mqtt://user:se@secret@[bad]/",
        "user:secret@host",
        "http://user:secret@host/x",
        "mqtt://[::1",
        "nonsense",
    ],
)
def test_an_address_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    with pytest.raises(InputError) as error:
        parse_url(url)
    assert "secret" not in str(error.value)
    assert "user" not in str(error.value)


@pytest.mark.parametrize("url", ["http://[::1", "http://host:99999", "http://host:port", "http://u:secret@h"])
def test_a_gateway_address_that_cannot_be_read_is_told(url: str) -> None:
    with pytest.raises(InputError, match=r"not a gateway's address") as error:
        HttpLink(url, Topics())
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("value", ["[" * 50_000, "9" * 6_000, '"\0"', "{a = " * 5_000])
def test_a_profile_that_no_reader_can_hold_is_told_in_one_sentence(value: str) -> None:
    with pytest.raises(InputError, match="This is not TOML"):
        read_profile(f"x = {value}", where="device.toml")


@pytest.mark.parametrize(("longer", "good"), [(0, True), (1, False)])
def test_a_language_tag_longer_than_a_report_can_carry_is_refused(longer: int, *, good: bool) -> None:
    tag = "en-" + "-".join(["abcdefg"] * 4)
    tag += "x" * (LANGUAGE_BYTES_MAX + longer - len(tag))
    text = f'{REQUIRED}languages = ["{tag}"]'
    if good:
        assert read_profile(text, where="device.toml").languages == (tag,)
    else:
        with pytest.raises(InputError, match="'languages' is wrong"):
            read_profile(text, where="device.toml")


@pytest.mark.parametrize("levels", [1, 4, 5])
def test_a_prefix_leaves_room_for_every_topic(levels: int) -> None:
    text = f'{REQUIRED}prefix = "{"/".join(["a"] * levels)}"'
    if levels == 5:
        with pytest.raises(InputError, match="at most 4 levels"):
            read_profile(text, where="device.toml")
        return
    topic = read_profile(text, where="device.toml").topics.text("p" * 64, "l" * 35, "a" * 64)
    assert topic.count("/") <= TOPIC_SLASHES_MAX


@pytest.mark.parametrize(("longer", "good"), [(0, True), (1, False)])
def test_a_prefix_is_no_longer_than_the_longest_topic_allows(longer: int, *, good: bool) -> None:
    rest = len(Topics("").text("p" * 64, "l" * LANGUAGE_BYTES_MAX, "a" * 64))
    text = f'{REQUIRED}prefix = "{"a" * (TOPIC_BYTES_MAX - rest + longer)}"'
    if good:
        read_profile(text, where="device.toml")
    else:
        with pytest.raises(InputError, match="'prefix' is wrong"):
            read_profile(text, where="device.toml")
