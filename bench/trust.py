"""What verification costs beyond its signature checks, and beside python-tuf; see README.md.

python -m bench.trust [--blocks N] [--rounds N] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from tuf.ngclient.config import EnvelopeType

from bench.cases import ENTRIES, LANGUAGES, SIGNATURES, Refresh, refresh
from bench.measure import Limit, Times, alternate, machine, report
from bench.tuf_cases import tuf_refresh
from keys.algorithms import Algorithm

LIMITS = (
    Limit("verify_overhead_ratio", "full verification over its five signature checks", at_most=1.25),
    Limit("speedup_over_tuf", "one python-tuf refresh over ours", at_least=3.0),
)
OTHERS = (Algorithm.ESP256, Algorithm.ML_DSA_44)
MEMORY = Path("/dev/shm")


def _overhead(case: Refresh, blocks: int, rounds: int) -> tuple[Times, dict[str, Any]]:
    times = alternate(case.work(), case.bare_work(), blocks=blocks, rounds=rounds)
    return times, {
        "ratio": round(times.ratio, 4),
        "ratio_of_minima": round(times.ratio_of_minima, 4),
        "verify_us": _us(times.a),
        "signature_checks_us": _us(times.b),
        "bytes": case.sizes(),
    }


def _beside_tuf(ours: Refresh, blocks: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Return a row for each way to refresh with python-tuf."""
    usual, simple = (tuf_refresh(ours, one) for one in (EnvelopeType.METADATA, EnvelopeType.SIMPLE))
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        client = usual.client_work(folder)
        ways = {
            "trusted_set": (usual, usual.work(), ours.work()),
            "trusted_set_dsse": (simple, simple.work(), ours.work()),
            "client": (usual, client, ours.refresh_work(folder)),
            "client_from_a_start": (usual, client, ours.start_work(folder)),
        }
        theirs = {}
        for way, (case, a, b) in ways.items():
            pair = alternate(a, b, blocks=blocks, rounds=rounds)
            theirs[way] = {
                "speedup": round(pair.ratio, 4),
                "speedup_of_minima": round(pair.ratio_of_minima, 4),
                "refresh_us": _us(pair.a),
                "ours_us": _us(pair.b),
                "bytes": case.sizes(),
            }
    return theirs


def _us(values: tuple[float, ...]) -> dict[str, float]:
    return {"median": round(median(values), 1), "minimum": round(min(values), 1)}


def measure(blocks: int, rounds: int) -> dict[str, Any]:
    """Return everything that is written, figures first.

    Args:
        blocks: pairs of blocks for the two figures that have limits; a quarter for each of the others.
        rounds: verifications in a block.
    """
    ours = refresh()
    times, overhead = _overhead(ours, blocks, rounds)
    theirs = _beside_tuf(ours, blocks // 4 or 1, rounds)
    others = {one.name: _overhead(refresh(one), blocks // 4 or 1, rounds)[1] for one in OTHERS}
    figures = {
        "verify_overhead_ratio": round(times.ratio, 4),
        "speedup_over_tuf": theirs["client"]["speedup"],
    }
    return {
        **figures,
        "limits": {
            one.name: {"at_most": one.at_most} if one.at_most is not None else {"at_least": one.at_least}
            for one in LIMITS
        },
        "missed": [one.name for one in LIMITS if not one.holds(figures[one.name])],
        "content": {"signatures": SIGNATURES, "catalogue_entries": ENTRIES, "languages": len(LANGUAGES)},
        "ed25519": overhead,
        "python_tuf": theirs,
        "for_information": others,
        "blocks": blocks,
        "rounds": rounds,
        "machine": machine("tocsin", "cryptography", "cbor2", "tuf", "securesystemslib"),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description="Measure what verification costs.")
    parser.add_argument("--blocks", type=int, default=600, help="pairs of blocks (default 600)")
    parser.add_argument("--rounds", type=int, default=10, help="verifications in a block (default 10)")
    parser.add_argument("--out", type=Path, default=Path("build/bench/trust.json"), help="where to write")
    options = parser.parse_args(arguments)
    found = measure(options.blocks, options.rounds)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n")
    missed = report(LIMITS, found)
    rows = {"ED25519": found["ed25519"], **found["for_information"]}
    for name, row in rows.items():
        print(
            f"  {name:24} {row['verify_us']['median']:8.1f} us, its five checks "
            f"{row['signature_checks_us']['median']:8.1f} us, ratio {row['ratio']:.3f} "
            f"(of the fastest {row['ratio_of_minima']:.3f}), {sum(row['bytes'].values())} bytes"
        )
    for name, row in found["python_tuf"].items():
        print(
            f"  tuf {name:19} {row['refresh_us']['median']:8.1f} us, "
            f"ours {row['ours_us']['median']:8.1f} us, {row['speedup']:.2f} times ours, "
            f"{sum(row['bytes'].values())} bytes"
        )
    print(f"  load average {found['machine']['load_average']}; written to {options.out}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
