"""Any order, repeats, restarts and losses: the same end."""

import itertools
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.states import NoticeState
from device_sim.core import limits
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from tests.device_sim.core.test_inbox import rotated
from tests.device_sim.core.world import FLEET, World
from tests.helpers import (
    DEVICE,
    PRODUCT,
    catalogue,
    key,
    notice,
    text,
    timestamp,
)

ID = "EX-2026-0001"
TOPICS = [
    "tocsin/v1/root/2",
    "tocsin/v1/root/x",
    f"tocsin/v1/timestamp/{PRODUCT}",
    f"tocsin/v1/catalogue/{PRODUCT}",
    f"tocsin/v1/notice/{PRODUCT}/{ID}",
    f"tocsin/v1/notice/{PRODUCT}/",
    f"tocsin/v1/text/{PRODUCT}/en/{ID}",
    f"tocsin/v1/patch/{PRODUCT}/7",
    f"tocsin/v1/device/{DEVICE}/offer",
    f"tocsin/v1/device/{DEVICE}/answer",
    f"tocsin/v1/device/{DEVICE}/block",
    f"tocsin/v1/device/{DEVICE}/report",
    "tocsin/v1",
    "",
    "\ud800",
]


MESSAGES = ("header", "text", "catalogue", "timestamp", "root")


def everything(w: World) -> dict[str, tuple[str, bytes]]:
    """One message of each kind, all signed under root 2 where it matters."""
    holders = {"legal": ("legal-9",), "gateway": ("gateway-9",)}
    rotated(w, **holders)
    header = notice(FLEET)
    listed = catalogue(FLEET, header)
    stamp = timestamp(FLEET, listed, root_version=2)
    trio = [key("engineering-1"), key("legal-9"), key("communications-1")]
    found = {
        "header": (w.topics.notice(PRODUCT, ID), seal(header, trio)),
        "text": (w.topics.text(PRODUCT, "en", ID), dump(text())),
        "catalogue": (w.topics.catalogue(PRODUCT), FLEET.seal(listed)),
        "timestamp": (w.topics.timestamp(PRODUCT), seal(stamp, [key("gateway-9")])),
        "root": (w.topics.root(2), w.retained[w.topics.root(2)]),
    }
    w.retained.update(dict(found.values()))
    return found


def same_end(w: World) -> None:
    w.advance(limits.RETRY_SECONDS_MAX * 2)
    track = w.notice_track()
    assert (track.state, track.language, track.reason) == (NoticeState.SHOWN, "en", Reason.OK)
    assert track.confirmed
    assert w.agent.trusted.root.version == 2
    assert w.path(ID) == [NoticeState.DELIVERED, NoticeState.VERIFIED, NoticeState.SHOWN]
    assert w.refusals() == []
    assert w.most_filters <= 8


@pytest.mark.parametrize("order", list(itertools.permutations(MESSAGES)), ids="-".join)
def test_any_order_leads_to_the_same_end(order) -> None:
    w = World()
    found = everything(w)
    retained, w.retained = w.retained, {w.topics.root(2): found["root"][1]}
    w.connect()
    w.retained = retained
    for name in order:
        w.send(*found[name])
    same_end(w)


@settings(max_examples=int(os.environ.get("TOCSIN_EXAMPLES", "60")))
@given(st.lists(st.sampled_from([*MESSAGES, "restart", "offline", "wait"]), max_size=14))
def test_any_order_with_repeats_restarts_and_losses_leads_to_the_same_end(order) -> None:
    w = World()
    found = everything(w)
    retained, w.retained = w.retained, {w.topics.root(2): found["root"][1]}
    w.connect()
    w.retained = retained
    for name in order:
        if name == "restart":
            w.start()
            w.pump()
        elif name == "offline":
            w.disconnect()
        elif name == "wait":
            w.advance(1)
        else:
            w.send(*found[name])
    w.restart()
    same_end(w)
