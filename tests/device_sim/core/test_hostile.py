"""What somebody without keys, with one stolen key, or with a hold on the clock must not achieve."""

from __future__ import annotations

import pytest

from tests.device_sim.core.world import FLEET, World
from tests.helpers import DAY, NOW, PRODUCT
from tests.helpers import notice as make_notice


def connected(**profile: object) -> World:
    w = World(**profile)
    w.connect()
    return w


@pytest.mark.parametrize(
    "below",
    [
        f"notice/{PRODUCT}/EX-OTHER",
        f"text/{PRODUCT}/en/EX-2026-0001",
        f"catalogue/{PRODUCT}",
        f"timestamp/{PRODUCT}",
        "root/2",
        "device/device-0001/offer",
        "device/device-0001/answer",
    ],
)
def test_a_genuine_notice_sent_to_a_wrong_topic_first_is_still_taken_at_its_own(below: str) -> None:
    w = connected()
    w.send(f"{w.topics.prefix}/{below}", w.seal(make_notice(FLEET)))
    w.notice()
    assert [show.notice.id for show in w.shows] == ["EX-2026-0001"]


def test_a_notice_for_which_there_was_no_room_is_taken_when_there_is() -> None:
    w = connected()
    for number in range(32):
        w.notice(make_notice(FLEET, id=f"EX-{number}", expires=NOW + DAY), texts=("en",))
    w.notice(make_notice(FLEET, id="EX-LATE"), texts=("en",))
    assert "EX-LATE" not in {show.notice.id for show in w.shows}
    w.advance(2 * DAY)
    w.disconnect()
    w.connect()
    assert w.shows[-1].notice.id == "EX-LATE"
