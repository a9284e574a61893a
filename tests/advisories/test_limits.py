from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from advisories import limits
from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice, ReleaseList
from advisories.offer import Answer, Offer
from advisories.report import Block, Report, Want, open_block, open_report, open_want
from keys.codec import dump, load, pack, unpack
from keys.document import open_document
from keys.errors import RefusedError
from keys.limits import DOCUMENT_BYTES_MAX, SIGNATURES_BYTES_MAX
from keys.reasons import Reason
from tests.advisories.wire import BLOCK, FLEET, NOTICE, RECORDS, RELEASE_LIST, REPORT, WANT
from tests.helpers import DEVICE, catalogue, device_record, devices, offer

DIGEST = bytes(32)
RANGE = ((None, None),)


def records(count: int) -> Devices:
    record = device_record(FLEET)
    return devices(FLEET, *(replace(record, id=f"d{n}") for n in range(count)))


COUNTS: list[tuple[str, int, Callable[[int], Any]]] = [
    (
        "languages",
        limits.NOTICE_LANGUAGES_MAX,
        lambda n: replace(NOTICE, texts={f"l{i}": DIGEST for i in range(n)}),
    ),
    (
        "products",
        limits.NOTICE_PRODUCTS_MAX,
        lambda n: replace(NOTICE, affected={f"p{i}": () for i in range(n)}),
    ),
    (
        "patched",
        limits.NOTICE_PRODUCTS_MAX,
        lambda n: replace(NOTICE, patches={f"p{i}": () for i in range(n)}),
    ),
    (
        "drawn pages",
        limits.NOTICE_PAGES_MAX,
        lambda n: replace(RECORDS["text-pages"], pages=(DIGEST,) * n),
    ),
    ("ranges", limits.VERSION_RANGES_MAX, lambda n: replace(NOTICE, affected={"p": RANGE * n})),
    ("patches", limits.NOTICE_PATCHES_MAX, lambda n: replace(NOTICE, patches={"p": (DIGEST,) * n})),
    ("advisory id", limits.ID_BYTES_MAX, lambda n: replace(NOTICE, id="x" * n)),
    ("product", limits.ID_BYTES_MAX, lambda n: offer(FLEET, product="x" * n)),
    ("device records", limits.DEVICE_RECORDS_MAX, records),
    ("notice states", limits.REPORT_STATES_MAX, lambda n: replace(REPORT, notices=REPORT.notices * n)),
    ("patch states", limits.REPORT_STATES_MAX, lambda n: replace(REPORT, patches=REPORT.patches * n)),
    ("journal", limits.REPORT_JOURNAL_MAX, lambda n: replace(REPORT, journal=REPORT.journal * n)),
    ("language", limits.LANGUAGE_BYTES_MAX, lambda n: replace(REPORT, language="x" * n)),
    ("topics", limits.WANT_TOPICS_MAX, lambda n: replace(WANT, topics=("t",) * n)),
    ("topic", limits.TOPIC_BYTES_MAX, lambda n: replace(WANT, topics=("t" * n,))),
    ("window", limits.BLOCK_WINDOW_MAX, lambda n: replace(WANT, blocks=(DIGEST, 0, n))),
    ("wanted offset", limits.IMAGE_BYTES_MAX, lambda n: replace(WANT, blocks=(DIGEST, n, 1))),
    ("offset", limits.IMAGE_BYTES_MAX, lambda n: replace(BLOCK, offset=n)),
    ("block", limits.BLOCK_BYTES_MAX, lambda n: replace(BLOCK, data=bytes(n))),
    ("outputs", 4_096, lambda n: replace(RELEASE_LIST, outputs={str(i): DIGEST for i in range(n)})),
]


@pytest.mark.parametrize(("limit", "make"), [row[1:] for row in COUNTS], ids=[row[0] for row in COUNTS])
def test_one_more_than_the_limit_is_malformed(limit: int, make: Callable[[int], Any]) -> None:
    for count in (limit - 1, limit, limit + 1):
        value = make(count)
        if count > limit:
            with pytest.raises(RefusedError, match="MALFORMED"):
                load(type(value), dump(value), size_max=1_000_000)
        else:
            assert load(type(value), dump(value), size_max=1_000_000) == value


@pytest.mark.parametrize("notices", [0, 1, limits.CATALOGUE_ENTRIES_MAX])
def test_a_catalogues_entries_are_counted_together(notices: int) -> None:
    entry, patch = ("EX-1", 1, DIGEST), (1, DIGEST)
    full = limits.CATALOGUE_ENTRIES_MAX - notices
    for patches in {max(full - 1, 0), full}:
        catalogue(FLEET, notices=(entry,) * notices, patches=(patch,) * patches)
    with pytest.raises(ValueError, match="entries"):
        catalogue(FLEET, notices=(entry,) * notices, patches=(patch,) * (full + 1))
    packed = pack(catalogue(FLEET))
    packed |= {10: [list(entry)] * notices, 11: [list(patch)] * (full + 1)}
    with pytest.raises(RefusedError, match="MALFORMED"):
        unpack(Catalogue, packed)


@pytest.mark.parametrize(
    ("cls", "limit"),
    [
        (Notice, limits.NOTICE_BYTES_MAX),
        (Catalogue, limits.CATALOGUE_BYTES_MAX),
        (Timestamp, limits.TIMESTAMP_BYTES_MAX),
        (Offer, limits.OFFER_BYTES_MAX),
        (Answer, limits.ANSWER_BYTES_MAX),
        (Devices, limits.DEVICES_BYTES_MAX),
    ],
)
def test_a_document_is_measured_before_it_is_decoded(cls: Any, limit: int) -> None:
    assert limit == cls.BYTES_MAX
    largest = min(limit + SIGNATURES_BYTES_MAX, DOCUMENT_BYTES_MAX)
    for size in (largest - 1, largest, largest + 1):
        with pytest.raises(RefusedError) as caught:
            open_document(bytes(size), cls, FLEET.root, fleet=FLEET.id)
        assert caught.value.reason is (Reason.TOO_BIG if size > largest else Reason.MALFORMED)


@pytest.mark.parametrize(
    ("read", "limit"),
    [
        (
            lambda d: open_report(d, FLEET.device().public, fleet=FLEET.id, device=DEVICE),
            limits.REPORT_BYTES_MAX,
        ),
        (open_want, limits.WANT_BYTES_MAX),
        (open_block, limits.BLOCK_BYTES_MAX + 64),
    ],
)
def test_what_comes_unsigned_or_from_a_device_is_measured_first(
    read: Callable[[bytes], Any], limit: int
) -> None:
    for size in (limit - 1, limit, limit + 1):
        with pytest.raises(RefusedError) as caught:
            read(bytes(size))
        assert caught.value.reason is (Reason.TOO_BIG if size > limit else Reason.MALFORMED)


def test_the_largest_block_and_the_largest_release_list_can_be_read() -> None:
    largest = Block(digest=DIGEST, offset=limits.IMAGE_BYTES_MAX, data=bytes(limits.BLOCK_BYTES_MAX))
    assert open_block(dump(largest)) == largest
    assert open_want(dump(WANT)) == WANT
    assert load(ReleaseList, dump(RELEASE_LIST), size_max=1_000) == RELEASE_LIST
    assert {Report.BYTES_MAX, Want.__name__} == {limits.REPORT_BYTES_MAX, "Want"}
