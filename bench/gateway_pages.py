"""How long the status and rollout pages take on a store of a million devices; see README.md.

python -m bench.gateway_pages [--devices N] [--calls N] [--runs N] [--out FILE]

The store is filled in bulk, and its cells counted once; the pages are the operations that the API calls, each
opening the store as a request does, in a process that has settled as ``tocsin serve`` does before it serves.
Regions have a main language and accounts a home region and a few products, as customers have.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

from advisories.states import NoticeState, PatchState, Surface
from bench.measure import Limit, machine, report
from gateway.core.chain import canonical
from gateway.core.rollout.plan import Group, Plan, to_data
from gateway.core.rollout.table import GroupState, RolloutState
from gateway.operations import status, untold
from gateway.operations.inventory import listing
from gateway.operations.rollouts import views
from gateway.service.runtime import settle
from gateway.store import cells
from gateway.workspace.folder import Workspace
from keys.document import digest
from tests import helpers

LIMITS: Final = (
    Limit("page_p95_ms", "the slowest page on a million devices, 95 of 100 calls", at_most=100.0),
)
ADVISORY: Final = "EX-2026-0001"
ROLLOUT: Final = "bench"
PRODUCTS: Final = tuple(f"product-{number:02}" for number in range(12))
LANGUAGES: Final = ("en", "de", "fr", "es", "it", "ja")
REGIONS: Final = tuple(f"region-{number:02}" for number in range(20))
ACCOUNTS: Final = tuple(f"account-{number:02}" for number in range(50))
VERSIONS: Final = ("1.2.0", "1.3.0", "1.4.1", "1.4.2")
GROUPS: Final = (1, 9, 30, 60)  # per cent
DEVICES: Final = 1_000_000
SEED: Final = 20_261
_BATCH: Final = 20_000


@dataclass(frozen=True, slots=True)
class Device:
    """What is drawn for one device; ``None`` where there is nothing."""

    id: str
    product: str
    region: str
    account: str
    language: str
    version: str
    seen: float | None
    state: NoticeState | None
    surface: Surface
    shown: float | None
    patch: PatchState | None


def draw(rng: random.Random, number: int, published: float) -> Device:
    """Draw one device: most were shown the notice, some are silent, and some were never heard of."""
    account = rng.randrange(len(ACCOUNTS))
    away = rng.random() < 0.2
    region = rng.randrange(len(REGIONS)) if away else account % len(REGIONS)
    language = LANGUAGES[rng.randrange(len(LANGUAGES)) if rng.random() < 0.2 else region % len(LANGUAGES)]
    product = PRODUCTS[(account * 5 + min(int(rng.expovariate(1.0)), 3)) % len(PRODUCTS)]
    version = VERSIONS[min(int(rng.expovariate(0.8)), 3)]
    seen: float | None = published + rng.uniform(0, 500_000)
    state, surface, shown, patch = None, Surface.NONE, None, None
    fate = rng.random()
    if fate < 0.02:
        seen = None
    elif fate < 0.05:
        seen = published - rng.uniform(1, 5_000_000)
    elif fate < 0.08:
        state = NoticeState.DELIVERED
    elif version == VERSIONS[-1]:
        state = NoticeState.NOT_APPLICABLE
    else:
        state = NoticeState.ACKNOWLEDGED if rng.random() < 0.4 else NoticeState.SHOWN
        surface = rng.choices(
            [Surface.SCREEN, Surface.COMPANION, Surface.CONSOLE, Surface.LED], [70, 20, 5, 5]
        )[0]
        shown = published + min(rng.lognormvariate(9, 1.5), 400_000.0)
    if product == PRODUCTS[0] and state is not None:
        ends = (PatchState.SUCCEEDED, PatchState.DOWNLOADING, PatchState.ROLLED_BACK)
        patch = rng.choices(ends, [80, 18, 2])[0]
    return Device(
        f"bench-{number:07}",
        product,
        REGIONS[region],
        ACCOUNTS[account],
        language,
        version,
        seen,
        state,
        surface,
        shown,
        patch,
    )


def make(folder: Path, devices: int) -> tuple[Workspace, float]:
    """Make a workspace whose store holds so many devices; return it and the time of publication."""
    workspace = Workspace.create(folder / "workspace", exercise=True)
    fleet = helpers.make_fleet(PRODUCTS, exercise=True)
    published, rng = float(fleet.now), random.Random(SEED)
    manifest = hashlib.sha256(b"bench").digest()
    notice = helpers.notice(fleet, id=ADVISORY, patches={PRODUCTS[0]: (manifest,)})
    document = fleet.seal(notice)
    plan = Plan(groups=tuple(Group(percent=percent) for percent in GROUPS), deadline=fleet.now + 86_400)
    raw = sqlite3.connect(workspace.store_path, isolation_level=None)
    raw.executescript("PRAGMA journal_mode=OFF; PRAGMA foreign_keys=OFF; PRAGMA cache_size=-400000; BEGIN")
    indices = raw.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"
    ).fetchall()
    for name, _ in indices:  # made at the end, they are the same and take less time
        raw.execute(f"DROP INDEX {name}")
    _put(
        raw,
        "advisories",
        id=ADVISORY,
        revision=1,
        digest=digest(document),
        document=document,
        published=published,
    )
    _put(
        raw, "patches", digest=manifest, product=PRODUCTS[0], sequence=1, version="1.4.2",
        envelope=b"", payload=bytes(32), size=1, published=published,
    )  # fmt: skip
    _put(
        raw, "rollouts", id=ROLLOUT, product=PRODUCTS[0], digest=manifest, state=int(RolloutState.RUNNING),
        plan=canonical(to_data(plan)), created=published,
    )  # fmt: skip
    for number in range(len(GROUPS)):
        _put(raw, "rollout_groups", rollout=ROLLOUT, index=number, state=int(GroupState.RUNNING))
    drawn = (draw(rng, number, published) for number in range(devices))
    while batch := list(islice(drawn, _BATCH)):
        for table, rows in _rows(batch, published, manifest, digest(document)):
            if rows:
                names = ", ".join(f'"{name}"' for name in rows[0])
                marks = ", ".join("?" * len(rows[0]))
                raw.executemany(
                    f"INSERT INTO {table} ({names}) VALUES ({marks})", [tuple(row.values()) for row in rows]
                )
    for _, statement in indices:
        raw.execute(statement)
    raw.execute("COMMIT")
    raw.execute("PRAGMA journal_mode=WAL")
    raw.close()
    with workspace.store() as store, store.write() as session:
        cells.recount(session)
    return workspace, published


def _put(raw: sqlite3.Connection, table: str, **values: Any) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    raw.execute(
        f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", tuple(values.values())
    )


def _rows(
    batch: list[Device], published: float, manifest: bytes, header: bytes
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the rows of some devices, table by table."""
    heard = [device for device in batch if device.seen is not None]
    rolled = [device for device in batch if device.product == PRODUCTS[0]]
    starts = [sum(GROUPS[:place]) for place in range(len(GROUPS))]
    yield "devices", [
        {
            "id": d.id, "product": d.product, "key": b"k" * 40, "kid": hashlib.sha256(d.id.encode()).digest(),
            "valid_from": 0, "valid_to": 1 << 40, "revoked": 0,
        }
        for d in batch
    ]  # fmt: skip
    yield "inventory", [
        {
            "id": d.id, "product": d.product, "account": d.account, "region": d.region, "version": None,
            "source": "csv", "external": None, "updated": published,
        }
        for d in batch
    ]  # fmt: skip
    yield "device_states", [
        {
            "device": d.id, "epoch": 1, "sequence": 1, "installed": d.version, "language": d.language,
            "root_version": 1, "journal_count": 0, "journal_head": bytes(32), "journal_life": 0,
            "next_nonce": bytes(16), "seen": d.seen,
        }
        for d in heard
    ]  # fmt: skip
    yield "notice_states", [
        {
            "device": d.id, "advisory": ADVISORY, "revision": 1, "digest": header, "state": int(d.state),
            "reason": 0, "surface": int(d.surface), "language": d.language, "verified": d.seen,
            "shown": d.shown,
            "acknowledged": d.shown if d.state is NoticeState.ACKNOWLEDGED else None, "confirmed": d.seen,
            "shown_received": d.shown,
        }
        for d in heard
        if d.state is not None
    ]  # fmt: skip
    yield "patch_states", [
        {
            "device": d.id, "digest": manifest, "sequence": 1, "state": int(d.patch), "reason": 0, "time": 0,
            "changed": published + 60,
        }
        for d in heard
        if d.patch is not None
    ]  # fmt: skip
    yield "rollout_devices", [
        {
            "rollout": ROLLOUT, "device": d.id, "offered": published,
            "group": sum(int(d.id[-2:]) >= start for start in starts) - 1,
        }
        for d in rolled
    ]  # fmt: skip


def pages(workspace: Workspace, published: float) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    late = int(published) + 600_000
    return {
        "status_of_one": lambda: status.status(workspace, ADVISORY),
        "status_of_all": lambda: status.status(workspace),
        "status_of_an_account": lambda: status.status(workspace, ADVISORY, account=ACCOUNTS[7]),
        "status_by_region": lambda: status.status(workspace, ADVISORY, split=["region"]),
        "status_by_account": lambda: status.status(workspace, ADVISORY, split=["account"]),
        "silent_first_page": lambda: untold.silent(workspace, ADVISORY, now=late),
        "silent_since_first_page": lambda: untold.silent(
            workspace, ADVISORY, now=late, after=f"{ADVISORY}/1/"
        ),
        "silent_of_an_account": lambda: untold.silent(workspace, ADVISORY, now=late, account=ACCOUNTS[7]),
        "letters_first_page": lambda: untold.letters(workspace, ADVISORY, now=late),
        "letters_last_account": lambda: untold.letters(
            workspace, ADVISORY, now=late, after=f"{ACCOUNTS[-1]}/0/"
        ),
        "rollouts": lambda: views.list_(workspace),
        "rollout": lambda: views.show(workspace, ROLLOUT),
        "rollout_devices": lambda: views.devices(workspace, ROLLOUT),
        "rollout_failing": lambda: views.devices(workspace, ROLLOUT, state="failing"),
        "devices": lambda: listing.list_(workspace, after=f"bench-{DEVICES // 2:07}"),
        "devices_of_a_product": lambda: listing.list_(workspace, where=f"product = {PRODUCTS[3]}"),
    }


def p95_ms(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """Return the milliseconds that 95 of 100 calls do not exceed: on the clock, and of the processor."""
    took, worked = [], []
    for _ in range(calls):
        start, began = time.perf_counter(), time.thread_time()
        call()
        took.append((time.perf_counter() - start) * 1_000)
        worked.append((time.thread_time() - began) * 1_000)
    place = max(0, -(-95 * calls // 100) - 1)
    return sorted(took)[place], sorted(worked)[place]


def measure(folder: Path, *, devices: int = DEVICES, calls: int = 100, runs: int = 5) -> dict[str, Any]:
    """Return ``page_p95_ms``, the slowest page's median over the runs, and every page's."""
    workspace, published = make(folder, devices)
    timed = pages(workspace, published)
    for call in timed.values():
        call()  # what is read or compiled once is not the matter here
    settle()
    found, worked = {}, {}
    for name, call in timed.items():
        took = [p95_ms(call, calls) for _ in range(runs)]
        found[name], worked[name] = (round(median(each), 2) for each in zip(*took, strict=True))
    return {
        "page_p95_ms": max(found.values()),
        "pages_p95_ms": found,
        "pages_processor_p95_ms": worked,
        "devices": devices,
        "calls": calls,
        "runs": runs,
        "store_bytes": workspace.store_path.stat().st_size,
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description="Measure the status and rollout pages.")
    parser.add_argument("--devices", type=int, default=DEVICES, help="in the store (default 1,000,000)")
    parser.add_argument("--calls", type=int, default=100, help="of each page in a run (default 100)")
    parser.add_argument("--runs", type=int, default=5, help="of which the median counts (default 5)")
    parser.add_argument("--out", type=Path, help="where to write")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), devices=options.devices, calls=options.calls, runs=options.runs)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found | {"machine": machine("sqlalchemy")}, indent=2) + "\n")
    for page, figure in found["pages_p95_ms"].items():
        print(f"  {page:24} {figure:8.2f} ms")
    return 1 if report(LIMITS, {"page_p95_ms": found["page_p95_ms"]}) else 0


if __name__ == "__main__":
    sys.exit(main())
