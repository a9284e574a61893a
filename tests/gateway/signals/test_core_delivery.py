"""Signatures by the published vector, pauses, and where nothing may go."""

from __future__ import annotations

import base64
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import delivery as core

SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
NOW = 1_700_000_000.0


def test_the_vector_of_standard_webhooks() -> None:
    signed = core.signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_rotated_secret_signs_beside_the_new_one() -> None:
    made = core.headers([b"new", b"old"], "wh_1_5", 7, b"{}")
    assert made["webhook-id"] == "wh_1_5"
    assert made["webhook-timestamp"] == "7"
    assert made["webhook-signature"].split(" ") == [
        core.signature(key, "wh_1_5", 7, b"{}") for key in (b"new", b"old")
    ]


def test_each_webhook_and_each_turn_has_a_secret_of_its_own() -> None:
    master = bytes(32)
    found = {core.secret(master, name, turn) for name in ("wh_a", "wh_b", "wh_a 1") for turn in (0, 1)}
    assert len(found) == 6
    assert {len(key) for key in found} == {32}
    assert core.secret(bytes(31) + b"1", "wh_a") not in found
    text = core.secret_text(core.secret(master, "wh_a"))
    assert text.startswith("whsec_")
    assert base64.b64decode(text.removeprefix("whsec_")) == core.secret(master, "wh_a")


def test_the_body_is_canonical() -> None:
    assert core.message(3, 1.5, "a.b", {"z": "ü", "a": 1}) == (
        '{"data":{"a":1,"z":"ü"},"index":3,"kind":"a.b","time":1.5}'
    )


def test_an_account_sees_public_kinds_and_of_those_public_keys_only() -> None:
    assert core.for_account("rollout.changed", {"id": "x"}) is None
    assert core.for_account("advisory.published", {"id": "EX-1", "nth": {"advisory:EX-1": 3}}) == {
        "id": "EX-1"
    }


def test_pauses_grow_and_end_with_the_time() -> None:
    pauses = [core.next_try(n, NOW, NOW, 0.5) for n in range(1, 9)]
    assert [round(due - NOW) for due in pauses if due is not None] == [
        5,
        20,
        80,
        320,
        1280,
        5120,
        20480,
        21600,
    ]
    end = NOW + core.GIVE_UP_SECONDS
    assert core.next_try(30, NOW, end - 1, 0.5) == end
    assert core.next_try(30, NOW, end, 0.5) is None
    assert core.next_try(1, NOW, NOW, 0.5, asked=600) == NOW + 600
    assert core.next_try(1, NOW, NOW, 0.5, asked=1e9) == NOW + core.ASKED_PAUSE_MAX


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, core.GIVE_UP_SECONDS - 1), st.floats(0, 1e12))
def test_a_next_attempt_is_later_and_within_the_time(
    attempts: int, share: float, age: float, asked: float
) -> None:
    due = core.next_try(attempts, NOW, NOW + age, share, asked)
    assert due is not None
    assert NOW + age < due <= NOW + core.GIVE_UP_SECONDS


def test_a_schedule_ends_after_some_twenty_attempts() -> None:
    now, attempts = NOW, 0
    while (due := core.next_try(attempts + 1, NOW, now, 0.5)) is not None:
        now, attempts = due, attempts + 1
    assert now == NOW + core.GIVE_UP_SECONDS
    assert 15 <= attempts <= 25


@pytest.mark.parametrize(
    ("kinds", "account", "good"),
    [
        (["rollout."], False, True),
        (["advisory.published", "patch."], False, True),
        (["a"], False, True),
        (["patch.signed", "trust.key-", "trust.key-revoked"], False, True),
        (["patch.signed"], True, False),
        (["trust.key-"], True, False),
        ([], False, False),
        (["x."] * 17, False, False),
        (["%"], False, False),
        (["Rollout."], False, False),
        (["rollout.*"], False, False),
        ([" rollout."], False, False),
        (["rollout.\n"], False, False),
        (["advisory."], True, True),
        (["rollout."], True, False),
        (["advisory.published.x"], True, False),
    ],
)
def test_kinds_that_may_be_asked_for(kinds: list[str], account: bool, good: bool) -> None:
    assert (core.kinds_fault(kinds, account=account) is None) is good


GOOD = (
    "https://hooks.example.com/a?b=c",
    "https://hooks.example.com:8443/",
    "https://192.0.2.1.example.com/",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/x",
    "http://localhost:8080/",
)
BAD = (
    *(
        "",
        "hooks.example.com",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "gopher://x/",
    ),
    *(
        "https://user:secret@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:0/",
    ),
    *(
        "http://hooks.example.com/",
        "http://8.8.8.8/",
        "https://hooks.example.com:99999/",
        "https://[::1",
        "https://a b/",
    ),
    *(
        "https://hooks.example.com/\n",
        "https://hooks.example.com\\@10.0.0.1/",
        "https://bücher.example/",
        "https://-x/",
    ),
    *(
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/",
        "https://[fd00::1]/",
        "https://0/",
    ),
    *(
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://[::ffff:10.0.0.1]/",
    ),
    *("https://hooks.example.com./", "https://" + "a" * 1_100),
)


@pytest.mark.parametrize("url", GOOD)
def test_urls_that_may_be_sent_to(url: str) -> None:
    assert core.url_fault(url) is None


@pytest.mark.parametrize("url", BAD)
def test_urls_that_nothing_is_sent_to(url: str) -> None:
    assert core.url_fault(url)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1"),
        *("fd12::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:0a00:0001::1", "2001:db8::1"),
        *("fec0::1", "feff::1", "192.0.0.8", "192.0.0.192", "::ffff:192.0.0.8"),
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo, which leads to 10.0.0.1
    ],
)
def test_addresses_that_are_not_of_the_internet(address: str) -> None:
    assert core.address_fault(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet(address: str) -> None:
    assert core.address_fault(ipaddress.ip_address(address)) is None
    assert core.address_fault(ipaddress.ip_address(address), secure=False)


def test_a_network_that_is_opened() -> None:
    allowed = [ipaddress.ip_network(each) for each in ("10.1.0.0/16", "127.0.0.0/8", "fd00::/8")]
    for good in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "127.0.0.1"):
        assert core.address_fault(ipaddress.ip_address(good), allowed) is None
    assert core.address_fault(ipaddress.ip_address("10.2.0.1"), allowed)
    assert core.address_fault(ipaddress.ip_address("10.1.2.3"), allowed, secure=False)
    assert core.address_fault(ipaddress.ip_address("127.0.0.1"), allowed, secure=False) is None
    assert core.url_fault("http://127.0.0.1:9/", allowed) is None
    assert core.url_fault("https://10.2.0.1/", allowed)


@given(st.text(max_size=60))
def test_no_text_makes_it_fall_over(url: str) -> None:
    assert core.url_fault(url) is None or core.url_fault(url)
    core.url_fault("https://" + url)
