"""Publishing into the store: verified first, all or nothing, in order, and the same again changes nothing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from advisories.notice import ReleaseList, Text, page_digests
from advisories.render.pages import to_pbm
from advisories.topics import Topics
from gateway.store import audit
from gateway.store.engine import Store
from gateway.store.publication import (
    publish_advisory,
    publish_catalogue,
    publish_root,
    register_devices,
)
from keys.codec import dump
from keys.document import seal
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from tests.gateway.scene import OUTPUTS, catalogues, header, make_store, publish, texts
from tests.helpers import DAY, PRODUCT, Fleet, device_record, devices, key, make_fleet, text

TOPICS = Topics()
pytestmark = pytest.mark.usefixtures("both_engines")


@pytest.fixture
def scene(tmp_path: Path):
    store, fleet = make_store(tmp_path)
    yield store, fleet
    store.close()


def retained(store: Store) -> list[str]:
    with store.read() as session:
        return [row.topic for row in session.retained_after(0)]


def test_an_advisory_is_retained_as_header_texts_catalogue_in_this_order(scene: tuple[Store, Fleet]) -> None:
    store, fleet = scene
    done = publish(store, fleet, header(fleet))
    assert done.changed
    assert retained(store) == [
        TOPICS.root(1),
        TOPICS.notice(PRODUCT, "EX-2026-0001"),
        TOPICS.text(PRODUCT, "de", "EX-2026-0001"),
        TOPICS.text(PRODUCT, "en", "EX-2026-0001"),
        TOPICS.catalogue(PRODUCT),
    ]
    audit.verify_chain(store)


def test_the_same_bytes_again_change_nothing(scene: tuple[Store, Fleet]) -> None:
    store, fleet = scene
    body = header(fleet)
    publish(store, fleet, body)
    before = audit.verify_chain(store)
    assert not publish(store, fleet, body).changed
    assert audit.verify_chain(store) == before


def test_a_second_product_gets_its_own_copies(tmp_path: Path) -> None:
    fleet = make_fleet(("thermostat", "doorbell"))
    store, _ = make_store(tmp_path, fleet)
    publish(store, fleet, header(fleet))
    assert len(retained(store)) == 1 + 2 * 3 + 2
    store.close()


PAGES = tuple(bytes([number]) * 1_024 for number in (1, 2))
JAPANESE = text("ja", title="更新のお願い", pages=page_digests(PAGES))


def publish_drawn(
    store: Store, fleet: Fleet, told: Text, outputs: dict[str, bytes], *, revision: int = 1
) -> None:
    listed = {name: hashlib.sha256(data).digest() for name, data in outputs.items()}
    body = header(
        fleet,
        revision=revision,
        version=fleet.now + revision,
        texts={told.language: told.digest()},
        release_list=hashlib.sha256(dump(ReleaseList(outputs=listed))).digest(),
    )
    found = catalogues(fleet, body, now=fleet.now + revision)
    publish_advisory(store, fleet.seal(body), {told.language: dump(told)}, outputs, found, now=fleet.now)


def test_drawn_pages_are_retained_between_header_and_text(scene: tuple[Store, Fleet]) -> None:
    store, fleet = scene
    publish_drawn(
        store, fleet, JAPANESE, {f"ja/small-{n}.pbm": to_pbm(page) for n, page in enumerate(PAGES, 1)}
    )
    page, words = TOPICS.pages(PRODUCT, "ja", "EX-2026-0001"), TOPICS.text(PRODUCT, "ja", "EX-2026-0001")
    assert retained(store)[1:] == [
        TOPICS.notice(PRODUCT, "EX-2026-0001"),
        page,
        words,
        TOPICS.catalogue(PRODUCT),
    ]
    with store.read() as session:
        row = session.retained(page)
    assert row is not None
    assert row.payload == b"".join(PAGES)
    publish_drawn(store, fleet, replace(JAPANESE, pages=None), {}, revision=2)
    with store.read() as session:
        row = session.retained(page)
    assert row is not None
    assert row.payload == b""


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"ja/small-1.pbm": to_pbm(PAGES[0])},
        {"ja/small-1.pbm": to_pbm(PAGES[1]), "ja/small-2.pbm": to_pbm(PAGES[0])},
        {"ja/small-1.pbm": PAGES[0], "ja/small-2.pbm": PAGES[1]},
    ],
    ids=["none", "one missing", "turned round", "not files of pictures"],
)
def test_pages_that_a_text_does_not_name_are_not_published(
    scene: tuple[Store, Fleet], outputs: dict[str, bytes]
) -> None:
    store, fleet = scene
    with pytest.raises(RefusedError, match="drawn pages in 'ja'") as caught:
        publish_drawn(store, fleet, JAPANESE, outputs)
    assert caught.value.reason is Reason.DIGEST_MISMATCH
    assert retained(store) == [TOPICS.root(1)]


REFUSED = [
    ("a forged notice", Reason.UNKNOWN_KEY),
    ("without Legal", Reason.THRESHOLD_NOT_MET),
    ("a changed text", Reason.DIGEST_MISMATCH),
    ("a changed output", Reason.DIGEST_MISMATCH),
    ("expired", Reason.EXPIRED),
    ("a product that is not a subject", Reason.WRONG_SUBJECT),
]


@pytest.mark.parametrize(("case", "reason"), REFUSED)
def test_what_is_not_genuine_is_refused_and_nothing_is_written(
    scene: tuple[Store, Fleet], case: str, reason: Reason
) -> None:
    store, fleet = scene
    affected = {"other": ()} if case.startswith("a product") else header(fleet).affected
    body = header(fleet, affected=affected)
    document, words, outputs, now = fleet.seal(body), texts(), dict(OUTPUTS), float(fleet.now)
    if case == "a forged notice":
        document = seal(body, [key("mallory")])
    elif case == "without Legal":
        document = fleet.seal(body, "engineering", "communications")
    elif case == "a changed text":
        words["en"] = words["de"]
    elif case == "a changed output":
        outputs["en/console.txt"] = b"other"
    elif case == "expired":
        now = float(fleet.now + 91 * DAY)
    before = retained(store)
    with pytest.raises(RefusedError) as caught:
        publish_advisory(store, document, words, outputs, catalogues(fleet, body), now=now)
    assert caught.value.reason is reason
    assert retained(store) == before


def test_an_older_revision_or_a_second_content_of_a_version_is_refused(scene: tuple[Store, Fleet]) -> None:
    store, fleet = scene
    second = header(fleet, revision=2, version=fleet.now + 5)
    publish(store, fleet, second)
    with pytest.raises(RefusedError) as caught:
        publish(store, fleet, header(fleet))
    assert caught.value.reason is Reason.REPLAYED
    with pytest.raises(RefusedError) as caught:
        publish(store, fleet, header(fleet, revision=3, version=fleet.now + 5), now=fleet.now + 9)
    assert caught.value.reason is Reason.EQUIVOCATION
    with pytest.raises(RefusedError) as caught:
        publish(store, fleet, header(fleet, revision=2, version=fleet.now + 6), now=fleet.now + 9)
    assert caught.value.reason is Reason.REPLAYED


def test_a_catalogue_that_does_not_list_the_notice_is_no_use(scene: tuple[Store, Fleet]) -> None:
    store, fleet = scene
    body = header(fleet)
    with pytest.raises(InputError) as caught:
        publish_advisory(store, fleet.seal(body), texts(), OUTPUTS, catalogues(fleet), now=fleet.now)
    assert caught.value.code == "NOT_LISTED"
    with pytest.raises(InputError) as caught:
        publish_advisory(
            store, fleet.seal(body), texts("en"), OUTPUTS, catalogues(fleet, body), now=fleet.now
        )
    assert caught.value.code == "TEXT_MISSING"


def test_a_catalogue_cannot_go_back(scene: tuple[Store, Fleet]) -> None:
    store, fleet = scene
    new, old = catalogues(fleet, now=fleet.now + 10)[0], catalogues(fleet)[0]
    assert publish_catalogue(store, new, fleet.now + 10).changed
    with pytest.raises(RefusedError) as caught:
        publish_catalogue(store, old, fleet.now + 10)
    assert caught.value.reason is Reason.REPLAYED


def test_roots_are_walked_one_by_one(scene: tuple[Store, Fleet]) -> None:
    store, fleet = scene
    signers = [fleet.holder("root-1"), fleet.holder("root-2")]
    third = seal(fleet.next_root(version=3), signers)
    with pytest.raises(RefusedError) as caught:
        publish_root(store, third, fleet.now + DAY)
    assert caught.value.reason is Reason.ROOT_GAP
    second = seal(fleet.next_root(), signers)
    assert publish_root(store, second, fleet.now + DAY)
    assert not publish_root(store, second, fleet.now + DAY)
    assert publish_root(store, third, fleet.now + DAY)
    assert retained(store) == [TOPICS.root(n) for n in (1, 2, 3)]


def test_nothing_is_published_before_root_1(tmp_path: Path) -> None:
    store, fleet = Store.create(tmp_path / "store.sqlite"), make_fleet()
    with pytest.raises(InputError) as caught:
        publish(store, fleet, header(fleet))
    assert caught.value.code == "ROOT_MISSING"
    store.close()


def test_device_records_need_the_operator_and_distinct_keys(scene: tuple[Store, Fleet]) -> None:
    store, fleet = scene
    again = fleet.seal(devices(fleet))
    assert not register_devices(store, again, fleet.now).changed
    with pytest.raises(RefusedError) as caught:
        register_devices(store, fleet.seal(devices(fleet, version=fleet.now + 1), "gateway"), fleet.now)
    assert caught.value.reason is Reason.THRESHOLD_NOT_MET
    thief = device_record(fleet, "device-0002", key=device_record(fleet).key)
    with pytest.raises(InputError) as caught:
        register_devices(store, fleet.seal(devices(fleet, thief, version=fleet.now + 1)), fleet.now)
    assert caught.value.code == "DEVICE_KEY_TAKEN"
    revoked = devices(fleet, device_record(fleet, revoked=True), version=fleet.now + 1)
    assert register_devices(store, fleet.seal(revoked), fleet.now).changed
