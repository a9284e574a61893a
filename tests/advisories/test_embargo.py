"""What may leave, when, and where to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.embargo import CARRIES, STAYS, Channel, Lift, ends, label, require_free, warnings
from advisories.facts.matter import Tlp
from keys.codec import dump, load
from keys.errors import InputError

END = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
T = int(END.timestamp())


@dataclass
class Marks:
    tlp: Tlp = Tlp.CLEAR
    embargo_until: datetime | None = None


TABLE = """
devices     clear
site        clear
customers   clear
webhook     clear
log         clear
recipients  clear green amber
own         clear green amber amber-strict
screen      clear green amber amber-strict red
"""


def test_the_labels_of_each_channel() -> None:
    told = {line.split()[0]: set(line.split()[1:]) for line in TABLE.strip().splitlines()}
    assert {channel.value: {tlp.value for tlp in found} for channel, found in CARRIES.items()} == told
    assert set(CARRIES) == set(Channel)


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("tlp", Tlp)
def test_a_label_goes_only_where_the_table_says(channel: Channel, tlp: Tlp) -> None:
    if tlp in CARRIES[channel]:
        require_free(Marks(tlp), None, T, channel)
        return
    with pytest.raises(InputError) as raised:
        require_free(Marks(tlp), None, T, channel)
    assert raised.value.code == "TLP"
    assert label(tlp) in raised.value.message
    assert channel.value in raised.value.message


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize(
    ("lifted", "now", "free"),
    [
        (None, T - 1, False),
        (None, T, True),
        (None, T + 1, True),
        (T - 60, T - 61, False),
        (T - 60, T - 60, True),
        (T + 60, T, True),  # lifting never makes it longer
        (T + 60, T - 1, False),
    ],
)
def test_nothing_leaves_before_the_embargo_ends(
    channel: Channel, lifted: int | None, now: int, free: bool
) -> None:
    marks = Marks(embargo_until=END)
    if free or channel in STAYS:
        require_free(marks, lifted, now, channel)
        return
    with pytest.raises(InputError) as raised:
        require_free(marks, lifted, now, channel)
    assert raised.value.code == "EMBARGO"
    assert f"{datetime.fromtimestamp(min(T, lifted or T), UTC):%Y-%m-%dT%H:%M:%SZ}" in raised.value.message


def test_the_time_is_told_before_the_label() -> None:
    with pytest.raises(InputError, match="embargo until 2026-11-24T09:00:00Z"):
        require_free(Marks(Tlp.RED, END), None, T - 1, Channel.SITE)


@given(st.integers(-10_000, 10_000), st.none() | st.integers(-10_000, 10_000), st.sampled_from([*Channel]))
def test_what_may_leave_goes_on_being_free(offset: int, lift: int | None, channel: Channel) -> None:
    marks = Marks(embargo_until=END)
    lifted = None if lift is None else T + lift
    end = ends(marks, lifted)
    assert end is not None
    assert end <= T
    free = channel in STAYS or T + offset >= end
    try:
        require_free(marks, lifted, T + offset, channel)
    except InputError:
        assert not free
    else:
        assert free
        require_free(marks, lifted, T + offset + 1, channel)


def test_readers_are_warned() -> None:
    assert warnings(Marks(), None, T) == []
    assert warnings(Marks(embargo_until=END), None, T) == []
    assert warnings(Marks(Tlp.RED, END), None, T - 1) == [
        "EMBARGO until 2026-11-24T09:00:00Z: nothing leaves before.",
        "TLP:RED: for your eyes only. Do not copy, print or send it.",
    ]
    assert warnings(Marks(Tlp.AMBER_STRICT), None, T) == ["TLP:AMBER+STRICT: it may go to own, screen only."]
    assert ends(Marks(), T) is None


def test_the_zone_of_an_embargo_does_not_matter() -> None:
    there = END.astimezone(tz=None).astimezone(UTC) + timedelta(0)
    assert ends(Marks(embargo_until=there), None) == T


def test_a_lifting_is_the_same_bytes_again() -> None:
    lift = Lift(
        type=Lift.TYPE,
        fleet=bytes(32),
        subject=("thermostat",),
        version=T,
        issued=T,
        author=("anna", "engineering"),
        id="EX-2026-0001",
        facts=bytes(32),
        old=T + 3_600,
        new=T,
    )
    assert load(Lift, dump(lift), size_max=Lift.BYTES_MAX) == lift
