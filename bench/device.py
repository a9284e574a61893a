"""What a device costs: opening a patch, an agent in memory, a download; see README.md.

python -m bench.device [--blocks N] [--rounds N] [--devices N] [--pairs N] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.core_case import bytes_per_device
from bench.download_case import Downloads
from bench.measure import Limit, alternate, machine, report
from bench.start_case import starts
from bench.suit_case import Opening, opening
from keys.algorithms import Algorithm

LIMITS = (
    Limit("suit_verify_overhead_ratio", "a SUIT envelope opened, over its hash and two checks", at_most=1.3),
    Limit("core_bytes_per_device", "memory of an agent with a notice and a patch, bytes", at_most=16_384),
    Limit("download_ratio_curl", "curl's download over ours, the same file over HTTPS", at_least=0.7),
)
MIB = 1024 * 1024
ROWS = {
    "ED25519": (Algorithm.ED25519, None),
    "ESP256": (Algorithm.ESP256, None),
    "ESP256+ML_DSA_44": (Algorithm.ESP256, Algorithm.ML_DSA_44),
}


def _row(case: Opening, blocks: int, rounds: int) -> dict[str, Any]:
    times = alternate(case.work(), case.bare_work(), blocks=blocks, rounds=rounds)
    return {
        "ratio": round(times.ratio, 4),
        "ratio_of_minima": round(times.ratio_of_minima, 4),
        "open_us": {"median": round(median(times.a), 1), "minimum": round(min(times.a), 1)},
        "checks_us": {"median": round(median(times.b), 1), "minimum": round(min(times.b), 1)},
        "languages": case.languages,
        "bytes": case.sizes(),
    }


def _opened(blocks: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Return a row for each pair of algorithms, and one with a single language."""
    found = {
        name: _row(opening(*pair), blocks if name == "ED25519" else blocks // 4 or 1, rounds)
        for name, pair in ROWS.items()
    }
    alone = opening(Algorithm.ED25519, languages=1)
    return {**found, "ED25519 (one language)": _row(alone, blocks // 4 or 1, rounds)}


def _downloaded(pairs: int, size: int) -> dict[str, Any]:
    """Return the figures of downloads in turn, curl first in every other pair."""
    by_curl, by_device = [], []
    with tempfile.TemporaryDirectory() as name:
        case = Downloads(Path(name), size)
        with case.serving():
            case.device()  # what is imported once is not the matter here
            for number in range(pairs):
                if number % 2:
                    by_curl.append(case.curl())
                    by_device.append(case.device())
                else:
                    by_device.append(case.device())
                    by_curl.append(case.curl())
    ratios = [a / b for a, b in zip(by_curl, by_device, strict=True)]
    return {
        "ratio": round(median(ratios), 4),
        "ratio_of_minima": round(min(by_curl) / min(by_device), 4),
        "ratios": [round(one, 3) for one in sorted(ratios)],
        "curl_s": {"median": round(median(by_curl), 4), "minimum": round(min(by_curl), 4)},
        "device_s": {"median": round(median(by_device), 4), "minimum": round(min(by_device), 4)},
        "bytes": size,
        "curl": subprocess.run(
            ["curl", "--version"], capture_output=True, text=True, check=True
        ).stdout.split()[1],
    }


def measure(blocks: int, rounds: int, devices: int, pairs: int, size: int = 64 * MIB) -> dict[str, Any]:
    """Return everything that is written, figures first.

    Args:
        blocks: pairs of blocks for the row that has a limit; a quarter for each of the others.
        rounds: openings in a block.
        devices: agents in memory.
        pairs: downloads by each.
        size: bytes of the payload.
    """
    rows = _opened(blocks, rounds)
    downloaded = _downloaded(pairs, size)
    figures = {
        "suit_verify_overhead_ratio": rows["ED25519"]["ratio"],
        "core_bytes_per_device": round(bytes_per_device(devices)),
        "download_ratio_curl": downloaded["ratio"],
    }
    return {
        **figures,
        "limits": {
            one.name: {"at_most": one.at_most} if one.at_most is not None else {"at_least": one.at_least}
            for one in LIMITS
        },
        "missed": [one.name for one in LIMITS if not one.holds(figures[one.name])],
        "suit": rows,
        "download": downloaded,
        "for_information": starts(3),
        "devices": devices,
        "blocks": blocks,
        "rounds": rounds,
        "machine": machine("tocsin", "cryptography", "cbor2"),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description="Measure what a device costs.")
    parser.add_argument("--blocks", type=int, default=400, help="pairs of blocks (default 400)")
    parser.add_argument("--rounds", type=int, default=10, help="openings in a block (default 10)")
    parser.add_argument("--devices", type=int, default=1_000, help="agents in memory (default 1,000)")
    parser.add_argument("--pairs", type=int, default=15, help="downloads by each (default 15)")
    parser.add_argument("--mib", type=int, default=64, help="size of the payload, MiB (default 64)")
    parser.add_argument("--out", type=Path, default=Path("build/bench/device.json"), help="where to write")
    options = parser.parse_args(arguments)
    found = measure(options.blocks, options.rounds, options.devices, options.pairs, options.mib * MIB)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n")
    missed = report(LIMITS, found)
    for name, row in found["suit"].items():
        print(
            f"  {name:24} {row['open_us']['median']:8.1f} us, its hash and checks "
            f"{row['checks_us']['median']:8.1f} us, ratio {row['ratio']:.3f} "
            f"(of the fastest {row['ratio_of_minima']:.3f}), {row['bytes']['envelope']} bytes, "
            f"{row['languages']} languages"
        )
    row = found["download"]
    print(
        f"  {row['bytes'] // MIB} MiB: curl {row['curl_s']['median']:.3f} s, "
        f"device {row['device_s']['median']:.3f} s, of the fastest {row['ratio_of_minima']:.3f}"
    )
    row = found["for_information"]
    print(f"  a device starts in {row['start_s']} s and has taken {row['peak_mb']} MB at most by then")
    print(f"  load average {found['machine']['load_average']}; written to {options.out}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
