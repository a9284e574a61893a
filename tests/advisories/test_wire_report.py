"""Reports: only the device's own key, over its own report; and what hangs from digests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from advisories.notice import check_code
from advisories.report import (
    EXTERNAL_AAD,
    journal_genesis,
    journal_head,
    open_report,
    report_kid,
    seal_report,
)
from keys import cose
from keys.codec import dump
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.advisories.wire import FLEET, NOTICE, P256, REPORT
from tests.helpers import DEVICE, PRODUCT

SIGNER = FLEET.device()
GOOD = seal_report(REPORT, SIGNER)


def opened(data: bytes, **kwargs: Any) -> Any:
    public = kwargs.pop("key", SIGNER.public)
    return open_report(data, public, **{"fleet": FLEET.id, "device": DEVICE, **kwargs})


def test_a_report_comes_back_as_its_device_signed_it() -> None:
    report = opened(GOOD)
    assert (report, report.device, report.order) == (REPORT, DEVICE, (3, 7))
    assert report_kid(GOOD) == SIGNER.public.thumbprint


def _signed(typ: str | None = "tocsin/report", aad: bytes = EXTERNAL_AAD, **kwargs: Any) -> bytes:
    return cose.sign1(dump(kwargs.pop("body", REPORT)), SIGNER, typ=typ, external_aad=aad, **kwargs)


@pytest.mark.parametrize(
    ("data", "kwargs", "reason"),
    [
        (_signed(aad=b""), {}, Reason.BAD_SIGNATURE),
        (_signed(typ=None), {}, Reason.WRONG_TYPE),
        (_signed(typ="tocsin/notice"), {}, Reason.WRONG_TYPE),
        (_signed(detached=True), {}, Reason.MALFORMED),
        (_signed(body=replace(REPORT, type="answer")), {}, Reason.WRONG_TYPE),
        (_signed(body=replace(REPORT, fleet=bytes(32))), {}, Reason.WRONG_FLEET),
        (_signed(body=replace(REPORT, subject=(DEVICE, "device-0002"))), {}, Reason.WRONG_SUBJECT),
        (_signed(body=replace(REPORT, subject=())), {}, Reason.WRONG_SUBJECT),
        (GOOD, {"device": "device-0002"}, Reason.WRONG_SUBJECT),
        (GOOD, {"key": FLEET.device("device-0002").public}, Reason.BAD_SIGNATURE),
        (GOOD, {"key": P256.signer("gateway").public}, Reason.ALGORITHM_MISMATCH),
        (FLEET.seal(NOTICE), {}, Reason.MALFORMED),
        (GOOD[:-1], {}, Reason.MALFORMED),
    ],
)
def test_anything_else_is_refused(data: bytes, kwargs: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(RefusedError) as caught:
        opened(data, **kwargs)
    assert caught.value.reason is reason


def test_every_flipped_byte_of_a_report_is_refused() -> None:
    for index in range(len(GOOD)):
        wrong = bytearray(GOOD)
        wrong[index] ^= 1
        with pytest.raises(RefusedError):
            opened(bytes(wrong))


def test_the_journals_head_hangs_from_every_entry_and_their_order() -> None:
    first = REPORT.journal[0]
    second = replace(first, index=1)
    start = journal_genesis(FLEET.id, DEVICE)
    assert journal_head(start, ()) == start
    assert journal_head(start, (first, second)) == journal_head(journal_head(start, (first,)), (second,))
    assert journal_head(start, (first, second)) != journal_head(start, (second, first))
    assert start != journal_genesis(FLEET.id, "device-0002")


def test_a_notice_affects_by_product_and_version() -> None:
    assert NOTICE.affects(PRODUCT, (1, 4, 1, 0))
    assert not NOTICE.affects(PRODUCT, (1, 4, 2, 0))
    assert not NOTICE.affects("toaster", (1, 4, 1, 0))


@pytest.mark.parametrize(
    ("digest", "code"),
    [(bytes(32), "000-000"), (b"\xff" * 32, "ZZZ-ZZZ"), (bytes([0, 0, 0, 7]) + bytes(28), "000-001")],
)
def test_the_check_code_is_the_first_30_bits(digest: bytes, code: str) -> None:
    assert check_code(digest) == code
    assert len(check_code(hashlib.sha256(digest).digest())) == 7
