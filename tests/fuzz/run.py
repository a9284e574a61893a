"""Fuzz the C core (libFuzzer, ASan, UBSan) and the Python parsers (atheris), and compare their verdicts.

    hil/refdevice/fuzz/run [--seconds 60] [--documents 100000] [--only c python differential] [--jobs 2]
    hil/refdevice/fuzz/run --within 60

SECONDS is what the C programs take together, and as long again the Python parsers, at the same time where
there are two processors. --within is for a slice: all steps share so many seconds, once the programs are built. First everything is tried again that ever broke something (tests/fuzz/crashes).
Exit code 1: something was found. It lies in build/refdevice/fuzz/found, named after the parser it is for.

Needs clang with libFuzzer and the development environment; atheris is installed below build/ where it is
missing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import arguments
from tests.fuzz.seeds import seeds as known
from tests.fuzz.seeds import write

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build/refdevice/fuzz"
FOUND = OUT / "found"
KEPT = ROOT / "tests/fuzz/crashes"
ATHERIS = ROOT / "build/atheris"
LOCK = ROOT / "tests/fuzz/atheris.lock"

STEPS = ("c", "python", "differential")
TARGETS = {
    "cbor": (3, 4_200, ("cbor", "root", "notice", "text", "patch")),
    "cose": (2, 4_200, ("root", "notice", "offer", "sign1", "report")),
    "device": (6, 6_000, ("device",)),
    "ed25519": (1, 1_024, ("sign1", "report")),
    "frames": (1, 1_024, ("lines", "smp")),
    "root": (2, 2_600, ("root",)),
}
"""C program -> its share of the time, the longest input, the kinds of its seeds."""


def said(words: list[str]) -> tuple[int, str]:
    """Run a program to its end; return its exit code and what it said."""
    environment = {**os.environ, "PYTHONPATH": f"{ATHERIS}:{ROOT}", "TN_FUZZ_ROOT": str(OUT / "root-1")}
    done = subprocess.run(
        words, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, errors="replace"
    )
    return done.returncode, done.stdout + done.stderr


def build() -> None:
    """Build the C programs; end if one does not build."""
    code, told = said(["make", "-s", "-j2", "-C", "hil/refdevice/fuzz", f"PYTHON={sys.executable}"])
    if code:
        sys.exit(told)


def seeds() -> None:
    """Write a genuine document of every kind into the programs' folders, beside what they found themselves before."""
    (OUT / "root-1").write_bytes(known()["root"][0])
    write(OUT / "corpus", {name: kinds for name, (_, _, kinds) in TARGETS.items()})


def in_c(seconds: float) -> list[str]:
    """Fuzz the C programs one after the other."""
    failed = []
    whole = sum(share for share, _, _ in TARGETS.values())
    for name, (share, longest, _) in TARGETS.items():
        program = [str(OUT / name), f"-artifact_prefix={FOUND}/c-{name}-", f"-max_len={longest}"]
        kept = [str(path) for path in sorted(KEPT.glob(f"c-{name}-*"))]
        code, told = said([*program, *kept]) if kept else (0, "")
        if not code:
            limit = f"-max_total_time={max(1, round(seconds * share / whole))}"
            code, told = said(
                [*program, limit, "-timeout=10", "-print_final_stats=1", str(OUT / "corpus" / name)]
            )
        _report(f"c {name}", code, told)
        if code:
            failed.append(name)
    return failed


def in_python(seconds: float) -> list[str]:
    """Fuzz the Python parsers together."""
    folder = OUT / "python"
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "tests.fuzz.watched", str(folder)]
    code, told = said(
        [*words, f"-max_total_time={max(1, round(seconds))}", "-timeout=20", "-print_final_stats=1"]
    )
    _report("python", code, told)
    for path in (folder / "found").iterdir():
        path.rename(FOUND / path.name)
    return ["python"] if code else []


def compared(documents: int, seed: int | None, seconds: float | None = None) -> list[str]:
    """Compare the verdicts of C and Python; for no more than so many seconds, where they are given."""
    words = [sys.executable, "-m", "tests.fuzz.differential", "--found", str(FOUND)]
    words += [] if seed is None else ["--seed", str(seed)]
    words += [] if seconds is None else ["--seconds", str(seconds)]
    code, told = said([*words, "--documents", str(documents)])
    print(told, end="", flush=True)
    return ["differential"] if code else []


def _report(what: str, code: int, told: str) -> None:
    lines = told.splitlines()
    runs = [line.split(":")[-1].strip() for line in lines if "number_of_executed_units" in line]
    reached = [line for line in lines if " cov: " in line]
    cov = reached[-1].split(" cov: ")[1].split()[0] if reached else "?"
    print(
        f"  {what:<14} {runs[-1] if runs else '?':>10} inputs, {cov} places reached, {'ok' if not code else 'FOUND'}"
    )
    if code:
        print("\n".join(lines[-60:]))
    sys.stdout.flush()


def _have_atheris() -> None:
    if said([sys.executable, "-c", "import atheris"])[0]:
        install = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--require-hashes",
            "--target",
            str(ATHERIS),
        ]
        code, told = said([*install, "-r", str(LOCK)])
        if code:
            sys.exit(told)


def shared(within: float, steps: int, jobs: int) -> float:
    """Return the seconds that each step may take: as many as there are jobs are done at a time."""
    return within / -(-steps // jobs)


def main() -> int:
    """Do what was asked; return the exit code."""
    parser = argparse.ArgumentParser(prog="run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=arguments.seconds, default=60)
    parser.add_argument("--documents", type=arguments.whole(1), default=100_000)
    parser.add_argument(
        "--seed", type=int, help="of the documents that are compared; another one at every run"
    )
    parser.add_argument(
        "--only", nargs="+", choices=("c", "python", "differential"), default=("c", "python", "differential")
    )
    parser.add_argument("--jobs", type=arguments.whole(1), default=os.cpu_count() or 1)
    parser.add_argument(
        "--within", type=arguments.seconds, help="seconds for all steps together, in place of --seconds"
    )
    options = parser.parse_args()
    jobs = min(options.jobs, 2)
    each = shared(options.within, len(options.only), jobs) if options.within else None
    seconds = options.seconds if each is None else each
    FOUND.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    steps: list[Callable[[], list[str]]] = []
    if "c" in options.only:
        build()
        seeds()
        steps.append(lambda: in_c(seconds))
    if "python" in options.only:
        _have_atheris()
        steps.append(lambda: in_python(seconds))
    if "differential" in options.only:
        steps.append(lambda: compared(options.documents, options.seed, each))
    with ThreadPoolExecutor(jobs) as pool:
        failed = [name for names in pool.map(lambda step: step(), steps) for name in names]
    print(
        f"fuzz: {time.monotonic() - begun:.0f} s, {'nothing found' if not failed else 'found: ' + ', '.join(failed)}"
    )
    if failed:
        print(
            f"The inputs lie in {FOUND.relative_to(ROOT)}; keep them in {KEPT.relative_to(ROOT)} (tests/fuzz/test_fuzz.py)."
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
