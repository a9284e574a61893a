from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.limits import ID_BYTES_MAX, TOPIC_BYTES_MAX, TOPIC_SLASHES_MAX
from advisories.topics import DEFAULT_PREFIX, Topics, is_id

TOPICS = Topics()
LONGEST = "x" * ID_BYTES_MAX
LEAVES = ("offer", "answer", "block", "report", "online", "want")
ALL = [
    TOPICS.root(2**53 - 1),
    TOPICS.timestamp(LONGEST),
    TOPICS.catalogue(LONGEST),
    TOPICS.notice(LONGEST, LONGEST),
    TOPICS.text(LONGEST, "zh-Hant-TW", LONGEST),
    TOPICS.pages(LONGEST, "zh-Hant-TW", LONGEST),
    TOPICS.patch(LONGEST, 2**53 - 1),
    *(TOPICS.device(LONGEST, leaf) for leaf in LEAVES),
]


def matches(pattern: str, topic: str) -> bool:
    """MQTT's own rule for ``+``, which is all that our filters use."""
    ours, theirs = pattern.split("/"), topic.split("/")
    return len(ours) == len(theirs) and all(a in ("+", b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("topic", ALL)
def test_the_longest_topic_keeps_within_the_limits(topic: str) -> None:
    assert len(topic.encode()) <= TOPIC_BYTES_MAX
    assert topic.count("/") <= TOPIC_SLASHES_MAX
    assert topic.startswith(f"{DEFAULT_PREFIX}/")


def test_a_device_needs_seven_filters_of_which_none_overlap() -> None:
    filters = TOPICS.device_filters("thermostat", "en", "device-1")
    assert len(filters) == len(set(filters)) == 7
    assert not any("#" in f or "$" in f for f in filters)
    for topic in [*ALL, TOPICS.notice("thermostat", "A"), TOPICS.text("thermostat", "en", "A"), *filters[4:]]:
        assert sum(matches(f, topic) for f in filters) <= 1


def test_a_device_hears_what_is_for_it_and_nothing_else() -> None:
    filters = TOPICS.device_filters("thermostat", "en", "device-1")
    heard = [
        TOPICS.timestamp("thermostat"),
        TOPICS.catalogue("thermostat"),
        TOPICS.notice("thermostat", "EX-1"),
        TOPICS.text("thermostat", "en", "EX-1"),
        *(TOPICS.device("device-1", leaf) for leaf in ("offer", "answer", "block")),
    ]
    unheard = [
        TOPICS.timestamp("lock"),
        TOPICS.notice("lock", "EX-1"),
        TOPICS.text("thermostat", "de", "EX-1"),
        TOPICS.device("device-2", "offer"),
        TOPICS.device("device-1", "report"),
        TOPICS.device("device-1", "want"),
        TOPICS.root(1),
        TOPICS.patch("thermostat", 1),
        TOPICS.pages("thermostat", "en", "EX-1"),
    ]
    assert all(any(matches(f, topic) for f in filters) for topic in heard)
    assert not any(matches(f, topic) for f in filters for topic in unheard)


def test_gateways_share_what_all_devices_send() -> None:
    assert TOPICS.shared("report") == "$share/tocsin/tocsin/v1/device/+/report"
    assert TOPICS.shared("want", "blue") == "$share/blue/tocsin/v1/device/+/want"


@pytest.mark.parametrize("prefix", ["tocsin/v1", "a", "fleet/7/x"])
def test_a_topic_is_read_back_by_its_levels(prefix: str) -> None:
    topics = Topics(prefix)
    assert topics.split(topics.notice("thermostat", "EX-1")) == ("notice", "thermostat", "EX-1")
    assert topics.split(topics.root(3)) == ("root", "3")
    assert topics.split(f"other/{topics.root(3)}") is None
    assert topics.split(prefix) is None


@pytest.mark.parametrize("text", ["a", "0", "EX-2026-0001", "a.b_c-d", "x" * ID_BYTES_MAX])
def test_an_id_is_one_safe_level(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "-a",
        "_a",
        "a/b",
        "a b",
        "+",
        "#",
        "$share",
        "é",
        "a\n",
        "a\0",
        "x" * (ID_BYTES_MAX + 1),
    ],
)
def test_nothing_else_is_an_id(text: str) -> None:
    assert not is_id(text)


@given(st.text(max_size=70))
def test_an_id_never_changes_the_number_of_levels(text: str) -> None:
    if is_id(text):
        assert TOPICS.split(TOPICS.notice(text, text)) == ("notice", text, text)
