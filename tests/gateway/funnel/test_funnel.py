"""The funnel as the store tells it, from reports that devices signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisories.report import Track
from advisories.states import NoticeState, Surface
from gateway.service.committing import Committer, Item, Receipt
from gateway.store import cells, funnel
from gateway.store.engine import Store
from keys.errors import InputError
from keys.reasons import Reason
from tests.gateway.peer import Peer, entry, status, walked
from tests.gateway.scene import header, make_store, publish
from tests.helpers import DAY, PRODUCT, Fleet, device_record, make_fleet

N = NoticeState
ID = "EX-2026-0001"


def send(store: Store, fleet: Fleet, at: float, *reports: tuple[str, bytes]) -> list[object]:
    committer = Committer(store, fleet.id, clock=lambda: at)
    return list(committer.commit([Item(f"t/{d}", d, data, at, lambda _: None) for d, data in reports]))


def test_a_funnel_counts_by_product_and_language_and_measures_the_time(tmp_path: Path) -> None:
    fleet = make_fleet()
    ids = [f"device-{i}" for i in range(5)]
    store, _ = make_store(tmp_path, fleet, tuple(device_record(fleet, id_) for id_ in ids))
    done = publish(store, fleet, header(fleet))
    peers = {id_: Peer(fleet, id_) for id_ in ids}
    shown = walked(ID, N.DELIVERED, N.VERIFIED, N.SHOWN)
    for id_ in ids[:3]:
        peers[id_].journal += shown
    forged = entry(3, ID, N.DELIVERED, N.REJECTED, reason=Reason.UNKNOWN_KEY, digest=b"f" * 32)
    refused = entry(4, "catalogue", 0, 1, track=Track.REFUSAL, reason=Reason.REPLAYED)
    peers[ids[0]].journal += [forged, refused]
    state = status(ID, done.digest, N.SHOWN)
    lit = status(ID, done.digest, N.SHOWN, surface=Surface.LED)
    outcomes = send(
        store,
        fleet,
        fleet.now + 2.5,
        (ids[0], peers[ids[0]].sign(notices=(state,))),
        (
            ids[1],
            peers[ids[1]].sign(notices=(status(ID, done.digest, N.SHOWN, language="de"),), language="de"),
        ),
        (ids[2], peers[ids[2]].sign(notices=(lit,))),
        (
            ids[3],
            peers[ids[3]].sign(notices=(status(ID, done.digest, N.NOT_APPLICABLE),), installed=(2, 0, 0, 0)),
        ),
        ("stranger", b"garbage"),
    )
    assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 4
    with store.read() as session:
        found = funnel.advisory_funnel(session, ID)
        assert funnel.published(session) == [ID]
        assert cells.faults(session) == []
        assert funnel.refusals(session) == {"REPLAYED": 1, "UNKNOWN_KEY": 1}
        assert funnel.quarantined(session) == {"UNKNOWN_DEVICE": 1}
        assert funnel.anomalies(session) == {}
        assert funnel.patch_funnel(session, bytes(32)) == {}
        with pytest.raises(InputError) as caught:
            funnel.advisory_funnel(session, "EX-2026-9999")
    assert caught.value.code == "ADVISORY_UNKNOWN"
    whole = found.total
    assert (whole.devices, whole.affected, whole.shown, whole.led) == (5, 3, 2, 1)
    assert (whole.not_applicable, whole.silent, whole.rejected) == (1, 1, 0)
    assert found.by("product", "language")[PRODUCT, "en"].devices == 3
    assert (found.seconds_p50, found.seconds_p99) == (2.5, 2.5)
    store.close()


def test_two_contents_under_one_sequence_are_kept_as_an_anomaly_with_their_bytes(tmp_path: Path) -> None:
    store, fleet = make_store(tmp_path)
    peer = Peer(fleet, "device-0001")
    first = peer.sign()
    peer.sequence = 0
    second = peer.sign(language="de")
    send(store, fleet, fleet.now, (peer.id, first), (peer.id, second))
    send(store, fleet, fleet.now + DAY, (peer.id, second), (peer.id, first))
    with store.read() as session:
        assert funnel.anomalies(session) == {"equivocation": 2}
        assert funnel.quarantined(session) == {"EQUIVOCATION": 1}  # the same bytes take no more room
    store.close()


def test_several_reports_of_one_device_in_one_batch_are_judged_in_turn(tmp_path: Path) -> None:
    store, fleet = make_store(tmp_path)
    peer = Peer(fleet, "device-0001")
    reports = []
    for i in range(4):
        peer.journal.append(entry(i, "boot", 0, 1, track=Track.DEVICE))
        reports.append((peer.id, peer.sign()))  # each carries all of its journal: nothing is receipted yet
    outcomes = send(store, fleet, fleet.now, *reports, reports[0])
    assert [o.order for o in outcomes if isinstance(o, Receipt)] == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 4)]
    with store.read() as session:
        assert funnel.anomalies(session) == {}
    store.close()
