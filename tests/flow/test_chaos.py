"""Kill -9 of gateway, worker, broker or PostgreSQL at random moments under load: nothing that counts is lost.

``make chaos`` takes a hundred moments; CI takes ten.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.flow.chaos import Site

MOMENTS = int(os.environ.get("TOCSIN_KILLS", "10"))
SEED = int(os.environ.get("TOCSIN_SEED", "20261122"))
DEVICES = 10
BETWEEN = (5, 60)
"""Receipts between two moments."""
VICTIMS = {
    "sqlite": ("gateway", "worker", "broker"),
    "postgresql": ("gateway", "worker", "broker", "postgresql"),
}


@pytest.mark.slow
@pytest.mark.mosquitto
@pytest.mark.parametrize(
    ("engine", "moments"), [("sqlite", MOMENTS * 3 // 10), ("postgresql", MOMENTS - MOMENTS * 3 // 10)]
)
async def test_whoever_is_killed_what_was_receipted_is_there_once(
    engine: str, moments: int, tmp_path: Path
) -> None:
    dice = random.Random(f"{SEED} {engine}")
    # The patch goes on step by step, about as long as people are killed.
    site = Site(tmp_path, engine, DEVICES, pace=max(1, moments * sum(BETWEEN) // 2 // DEVICES // 40))
    killed: list[str] = []
    try:
        await site.open()
        await site.until(lambda: site.receipts >= DEVICES)
        for _ in range(moments):
            wanted = site.receipts + dice.randint(*BETWEEN)
            await site.until(lambda wanted=wanted: site.receipts >= wanted)
            killed.append(dice.choice(VICTIMS[engine]))
            site.kill(killed[-1])
        wanted = site.receipts + 2 * DEVICES
        await site.until(lambda: site.receipts >= wanted and site.finished())
        figures = site.check()
    finally:
        await site.close()
    print(engine, f"seed {SEED}", killed, figures)
    assert figures["reports"] >= figures["receipts"]
