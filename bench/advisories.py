"""What the checks of an advisory and the import of a CSAF document take; see README.md.

python -m bench.advisories [--rounds N] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from advisories.checks import RULES, check
from advisories.csaf.import_ import read_csaf
from advisories.facts import Facts, load_facts
from advisories.story import Setting
from bench.csaf_case import SECONDS_MAX, document
from bench.measure import Limit, machine, report

LIMITS = (
    Limit("checks_largest_s", "all checks of the largest example, again (s)", at_most=1.0),
    Limit("checks_largest_first_s", "the same in a new process, without its start (s)", at_most=1.0),
    Limit("csaf_import_1000", "import of a CSAF document of 1,000 vulnerabilities (s)", at_most=SECONDS_MAX),
)
EXAMPLES = Path(__file__).parents[1] / "examples" / "advisories"
_FIRST = "import bench.advisories as b; f = b.largest(); print(b.seconds(lambda: b.all_checks(f)))"
DAY_SECONDS = 86_400


def largest() -> Facts:
    """Return the facts of the example with the longest file."""
    path = max(EXAMPLES.glob("*.yaml"), key=lambda one: one.stat().st_size)
    return load_facts(path.read_bytes(), where=path.name)


def all_checks(facts: Facts) -> int:
    """Run every rule with all that it may know; return how much was found."""
    languages = {product: set(facts.texts) for product in facts.products}
    now = (facts.next_update_seconds or 0) - DAY_SECONDS
    return len(check(facts, languages=languages, setting=Setting(), previous=facts, now=now))


def seconds(run: Callable[[], object]) -> float:
    """Return the processor time of one run."""
    start = time.process_time()
    run()
    return time.process_time() - start


def measure(rounds: int) -> dict[str, Any]:
    """Return everything that is written, figures first."""
    facts = largest()
    fresh = [
        float(
            subprocess.run([sys.executable, "-c", _FIRST], capture_output=True, check=True, text=True).stdout
        )
        for _ in range(min(rounds, 3))
    ]
    all_checks(facts)
    warm = [seconds(lambda: all_checks(facts)) for _ in range(rounds)]
    data = document()
    imports = [seconds(lambda: read_csaf(data, where="case.json")) for _ in range(min(rounds, 3))]
    figures = {
        "checks_largest_s": round(median(warm), 4),
        "checks_largest_first_s": round(min(fresh), 4),
        "csaf_import_1000": round(median(imports), 4),
    }
    return {
        **figures,
        "limits": {one.name: {"at_most": one.at_most} for one in LIMITS},
        "missed": [one.name for one in LIMITS if not one.holds(figures[one.name])],
        "content": {
            "example": facts.id,
            "bytes": len(facts.file),
            "languages": len(facts.texts),
            "rules": len(RULES),
        },
        "rounds": rounds,
        "machine": machine("tocsin", "pydantic", "jinja2", "ruamel.yaml"),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description="Measure checks and import of advisories.")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each (default 7)")
    parser.add_argument(
        "--out", type=Path, default=Path("build/bench/advisories.json"), help="where to write"
    )
    options = parser.parse_args(arguments)
    found = measure(options.rounds)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n")
    missed = report(LIMITS, found)
    print(f"  {found['content']}, load average {found['machine']['load_average']}; written to {options.out}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
