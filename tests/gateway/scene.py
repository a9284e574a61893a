"""A published scene for gateway tests: a fleet, a store, documents and devices."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisories.catalogue import DeviceRecord
from advisories.notice import Notice, ReleaseList
from gateway.core.publication import build_catalogue
from gateway.store.engine import Store
from gateway.store.publication import Published, publish_advisory, publish_root, register_devices
from keys.codec import dump
from tests.gateway import databases
from tests.gateway.databases import fresh_place
from tests.helpers import Fleet, device_record, devices, make_fleet, notice, text

OUTPUTS: Mapping[str, bytes] = {"en/console.txt": b"words", "de/console.txt": "Wörter".encode()}
RELEASE_LIST = hashlib.sha256(
    dump(ReleaseList(outputs={name: hashlib.sha256(data).digest() for name, data in OUTPUTS.items()}))
).digest()


def texts(*languages: str) -> dict[str, bytes]:
    return {language: dump(text(language)) for language in languages or ("en", "de")}


def header(fleet: Fleet, **fields: Any) -> Notice:
    return notice(fleet, **{"release_list": RELEASE_LIST, **fields})


def catalogues(fleet: Fleet, *notices: Notice, now: float | None = None, patches: Any = ()) -> list[bytes]:
    entries = [(n.id, n.revision, hashlib.sha256(dump(n)).digest()) for n in notices]
    at = fleet.now if now is None else now
    return [
        fleet.seal(build_catalogue(fleet.id, product, entries, patches, last=None, now=at))
        for product in fleet.products
    ]


def publish(store: Store, fleet: Fleet, body: Notice, *, now: float | None = None) -> Published:
    at = fleet.now if now is None else now
    return publish_advisory(
        store, fleet.seal(body), texts(), OUTPUTS, catalogues(fleet, body, now=at), now=at
    )


def make_store(
    path: Path,
    fleet: Fleet | None = None,
    records: tuple[DeviceRecord, ...] = (),
    *,
    engine: str | None = None,
) -> tuple[Store, Fleet]:
    fleet = fleet or make_fleet()
    store = Store.open(fresh_place(engine or databases.ENGINE, path))
    publish_root(store, fleet.root_document, fleet.now)
    document = fleet.seal(devices(fleet, *(records or (device_record(fleet),))))
    register_devices(store, document, fleet.now)
    return store, fleet
