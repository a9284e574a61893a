"""One fixed instance of every kind on the wire."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice, ReleaseList, Text
from advisories.offer import Answer, Consent, Offer
from advisories.report import (
    Agreed,
    Block,
    Consented,
    JournalEntry,
    NoticeStatus,
    PatchStatus,
    Report,
    Track,
    Want,
)
from advisories.states import NoticeState, PatchState, Surface
from keys.algorithms import Algorithm
from keys.reasons import Reason
from keys.root import Body, PolicyRow, Root
from tests.helpers import (
    DEVICE,
    HOUR,
    NOW,
    PRODUCT,
    answer,
    catalogue,
    device_record,
    devices,
    make_fleet,
    notice,
    offer,
    report,
    text,
    timestamp,
)

FLEET = make_fleet((PRODUCT, "door-lock"))
P256 = make_fleet((PRODUCT, "door-lock"), algorithm=Algorithm.ESP256)

NOTICE = notice(
    FLEET,
    author=("engineering-1", "engineering"),
    next_update=NOW + 48 * HOUR,
    reminder=(24 * HOUR, 5),
    affected={
        PRODUCT: (((1, 0, 0, 0), (1, 4, 2, 0)),),
        "door-lock": ((None, (2, 0, 0, 0)), ((3, 0, 0, 7), None)),
    },
    patches={PRODUCT: (bytes(range(32)),), "door-lock": ()},
)
REPORT = report(
    FLEET,
    version=7,
    boot_epoch=3,
    catalogue=bytes(range(32)),
    nonce=bytes(range(16)),
    asked=bytes(range(16, 32)),
    notices=(
        NoticeStatus(
            id=NOTICE.id,
            revision=1,
            digest=bytes(32),
            state=NoticeState.SHOWN,
            time=NOW + 5,
            reason=Reason.OK,
            surface=Surface.CONSOLE,
            language="en",
            confirmed=NOW + 6,
        ),
    ),
    patches=(
        PatchStatus(
            digest=bytes(32), sequence=NOW, state=PatchState.SUCCEEDED, time=NOW + 9, reason=Reason.SUCCESS
        ),
    ),
    journal_count=1,
    journal=(
        JournalEntry(
            index=0,
            time=NOW + 5,
            track=Track.NOTICE,
            name=NOTICE.id,
            old=NoticeState.VERIFIED,
            new=NoticeState.SHOWN,
            reason=Reason.OK,
            digest=bytes(32),
        ),
    ),
    algorithms=(Algorithm.ML_DSA_44, Algorithm.ED25519, Algorithm.ESP256),
)
CONSENTED = Consented(
    how=Agreed.ASKED, time=NOW + 7, question=bytes(range(32)), notice=bytes(32), language="en"
)
REPORT_PATCHED = replace(
    REPORT,
    version=8,
    audit_head=bytes(range(32)),
    patches=(
        replace(
            REPORT.patches[0],
            state=PatchState.INSTALLED,
            consent=CONSENTED,
            done=100,
            deferrals=2,
            suit=b"\x80",
        ),
    ),
)
WANT = Want(
    nonce=bytes(16),
    topics=("catalogue/thermostat", "text/thermostat/ja/EX-2026-0001"),
    blocks=(bytes(32), 4096, 16),
)
BLOCK = Block(digest=bytes(32), offset=4096, data=bytes(range(64)))
RELEASE_LIST = ReleaseList(outputs={"en/console.txt": bytes(32), "en/small-1.txt": bytes(range(32))})

BODIES: dict[str, Body] = {
    "root-1": FLEET.root,
    "root-2": FLEET.next_root(
        exercise=True,
        policy=(*FLEET.root.policy, PolicyRow(type="notice", demands={"legal": 2}, product="door-lock")),
    ),
    "notice": NOTICE,
    "notice-again": replace(NOTICE, revision=2, version=NOW + 1, same_since=1),
    "catalogue": catalogue(FLEET, NOTICE, patches=((NOW, bytes(range(32))),)),
    "timestamp": timestamp(FLEET, catalogue(FLEET, NOTICE)),
    "devices": devices(
        FLEET,
        device_record(FLEET, algorithms=(Algorithm.ED25519, Algorithm.ESP256)),
        device_record(FLEET, "device-0002", "door-lock", revoked=True),
    ),
    "offer": offer(FLEET, window=(NOW, NOW + HOUR), consent=Consent.ASK),
    "answer": answer(FLEET),
    "report": REPORT,
    "report-patched": REPORT_PATCHED,
}
RECORDS: dict[str, Any] = {
    "text": text(),
    "text-ja": text("ja", title="サーモスタットを更新してください"),
    "text-pages": text("ja", title="更新のお願い", pages=(bytes(range(32)), bytes(32))),
    "release-list": RELEASE_LIST,
    "want": WANT,
    "block": BLOCK,
}


def documents() -> dict[str, bytes]:
    """Every signed message, by name, with Ed25519 and (the shortest one) with P-256."""
    sealed = {
        name: FLEET.seal(body) for name, body in BODIES.items() if name != "root-1" and body.type != "report"
    }
    p256 = {"timestamp-p256": P256.seal(timestamp(P256))}
    reports = {name: FLEET.report(body) for name, body in BODIES.items() if isinstance(body, Report)}
    return {"root-1": FLEET.root_document, **sealed, **p256, **reports}


CLASSES: dict[str, type[Any]] = {
    "root": Root,
    "notice": Notice,
    "catalogue": Catalogue,
    "timestamp": Timestamp,
    "devices": Devices,
    "offer": Offer,
    "answer": Answer,
    "report": Report,
    "notice-text": Text,
    "release-list": ReleaseList,
    "want": Want,
    "block": Block,
}
"""CDDL rule -> the record that it describes."""


def keys_of(cls: type[Any]) -> dict[int, bool]:
    """Map key -> whether it may be left out, as the record declares them."""
    return {f.metadata["key"]: f.metadata["optional"] for f in fields(cls) if "key" in f.metadata}


__all__ = ["BODIES", "CLASSES", "DEVICE", "FLEET", "RECORDS", "documents", "keys_of"]
