"""What the gateway costs: reports in, two workers, a notice out, pages over a million devices; see README.md.

python -m bench.gateway [--runs N] [--devices N] [--out FILE] [--only NAME]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench import fanout_case, gateway_pages, ingest_case, workers_case
from bench.gateway_load import make_load
from bench.measure import Limit, machine, report
from gateway.service.runtime import settle
from tests.gateway.databases import server

LIMITS = (
    Limit("ingest_ratio", "reports taken in, over what the sum of the parts allows", at_least=0.8),
    Limit("two_workers_cpu_ratio", "processor time a report, two workers over one", at_most=1.1),
    Limit("fanout_ratio", "a notice to all devices, over the same by bare paho", at_most=1.3),
    Limit("page_p95_ms", "the slowest page on a million devices, 95 of 100 calls", at_most=100.0),
)
REPORTING = 2_000  # devices that report four times each
SHARING = 5_000  # the same, for several workers: what each takes to begin is no cost of a report


def _micro(seconds: list[float]) -> dict[str, float]:
    return {
        "median": round(median(seconds) * 1e6, 1),
        "minimum": round(min(seconds) * 1e6, 1),
        "maximum": round(max(seconds) * 1e6, 1),
    }


def ingest(runs: int) -> dict[str, Any]:
    """Return the ratio of rates, and microseconds a report: the parts, and all of it."""
    load = make_load(REPORTING)
    found: dict[str, list[float]] = {name: [] for name in ("receive", "verify", "write", "end_to_end")}
    ratios = []
    for _ in range(runs):
        verify, reports = ingest_case.verified(load)
        parts = (ingest_case.received(load), verify, ingest_case.written(load, reports))
        whole = ingest_case.end_to_end(load)
        ratios.append(sum(parts) / whole)
        for name, seconds in zip(found, (*parts, whole), strict=True):
            found[name].append(seconds)
    return {
        "ratio": round(median(ratios), 4),
        "ratios": [round(one, 3) for one in sorted(ratios)],
        "us_a_report": {name: _micro(seconds) for name, seconds in found.items()},
        "reports_a_second": round(1 / median(found["end_to_end"])),
    }


def two_workers(runs: int) -> dict[str, Any]:
    """Return the ratio of processor time a report with two workers to that with one."""
    load, store = make_load(SHARING), server()
    one, two = [], []
    for _ in range(runs):
        one.append(workers_case.cost(load, 1, store))
        two.append(workers_case.cost(load, 2, store))
    ratios = [b / a for a, b in zip(one, two, strict=True)]
    return {
        "ratio": round(median(ratios), 4),
        "ratios": [round(ratio, 3) for ratio in sorted(ratios)],
        "us_a_report": {"one": _micro(one), "two": _micro(two)},
    }


def fanout(runs: int, devices: int) -> dict[str, Any]:
    """Return the ratio of seconds from a publication until every device has fetched it."""
    ours = fanout_case.ours(devices, runs)
    bare = fanout_case.bare(devices, ours)
    ratios = [a / b for a, b in zip(ours.seconds, bare.seconds, strict=True)]
    return {
        "ratio": round(median(ratios), 4),
        "ratios": [round(ratio, 3) for ratio in sorted(ratios)],
        "ours_s": [round(seconds, 3) for seconds in ours.seconds],
        "bare_s": [round(seconds, 3) for seconds in bare.seconds],
        "devices": devices,
        "bytes": [sum(len(payload) for _, payload in messages) for messages in ours.sent],
    }


def pages(runs: int) -> dict[str, Any]:
    """Return the slowest page's milliseconds on a million devices."""
    with tempfile.TemporaryDirectory() as folder:
        return gateway_pages.measure(Path(folder), runs=runs)


def main() -> int:
    """Measure, print, write the file; return 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description="Measure what the gateway costs.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--devices", type=int, default=10_000, help="that a notice goes to")
    parser.add_argument("--only", choices=("ingest", "workers", "fanout", "pages"))
    parser.add_argument("--out", type=Path, default=Path("build/bench/gateway.json"))
    options = parser.parse_args()
    settle()  # as whoever serves does; what is compared with it has the same
    cases: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        "ingest": ("ingest_ratio", lambda: ingest(options.runs)),
        "workers": ("two_workers_cpu_ratio", lambda: two_workers(options.runs)),
        "fanout": ("fanout_ratio", lambda: fanout(options.runs, options.devices)),
        "pages": ("page_p95_ms", lambda: pages(options.runs)),
    }
    figures: dict[str, float] = {}
    details: dict[str, Any] = {}
    for name, (figure, case) in cases.items():
        if options.only in {None, name}:
            details[name] = found = case()
            figures[figure] = found["page_p95_ms" if name == "pages" else "ratio"]
    limits = [limit for limit in LIMITS if limit.name in figures]
    missed = report(limits, figures)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    said = {**figures, "details": details, "machine": machine("paho-mqtt", "cryptography", "sqlalchemy")}
    options.out.write_text(json.dumps(said, indent=2) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
