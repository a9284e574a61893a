"""One gateway worker as a process of its own: ``python -m tests.gateway.runtime.worker NAME PLACE URL SEED``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from advisories.topics import Topics
from gateway.service.runtime import Gateway, settle
from gateway.store.engine import Store
from gateway.store.trust import load_trusted
from keys.signer import from_seed

ROOT = Path(__file__).parents[3]


async def spawn(name: str, place: str, url: str, seed: bytes) -> asyncio.subprocess.Process:
    """Start a worker."""
    words = ("-m", "tests.gateway.runtime.worker", name, place, url, seed.hex())
    return await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT)


async def main(name: str, place: str, url: str, seed: str) -> None:
    store = Store.open(place)
    with store.read() as session:
        trusted = load_trusted(session, store.where)
    signer = from_seed(bytes.fromhex(seed))
    gateway = Gateway(store, ROOT, Topics(), trusted.fleet, trusted, signer, worker=name, standing=True)
    settle()
    await gateway.run(url, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
