"""Live through a virtual month and say how it ended: ``python -m tests.device_sim.month --seed 1 --devices 1000``."""

from __future__ import annotations

import argparse
import sys
import time

from tests.device_sim.month.month import Month, Outcome


def summary(found: Outcome) -> str:
    """The outcome in words."""
    counts = (("Versions", found.versions), ("Patches", found.patches), ("Notices", found.notices))
    lines = [
        *found.lines,
        "",
        *(
            f"{name}: " + ", ".join(f"{what} {many}" for what, many in sorted(seen.items()))
            for name, seen in counts
        ),
        f"Reports: {found.reports}; power cuts: {found.cuts}; events: {found.events}",
        f"Digest over journals and states: {found.digest}",
        *(f"FAULT: {fault}" for fault in found.faults),
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.device_sim.month", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--devices", type=int, default=1_000)
    chosen = parser.parse_args()
    began = time.process_time()
    month = Month(chosen.seed, chosen.devices)
    month.live()
    found = month.outcome()
    print(summary(found))
    print(f"{chosen.devices} devices, seed {chosen.seed}: {time.process_time() - began:.0f} s of one core")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
