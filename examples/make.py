"""``make examples``: take every example advisory through check, approval, every output, site and CSAF.

The clock stands still at the hours of the examples, so that every run says the same; only keys and what
follows from them differ. Fails loudly when something is missing, cut short or blocked.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import whole
from rich.console import Console

from advisories.facts import load_facts
from gateway.operations import advisories, site
from gateway.operations.advisories import checking, csaf, rendering
from gateway.operations.trust import keys, roots
from gateway.workspace.folder import Workspace
from keys.errors import TocsinError

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
NOW: Final = 1_795_341_600
"""2026-11-22, 10:00 UTC: when the ten are published."""
BEGUN: Final = 1_791_000_000
"""2026-10-03: when the fleet's root was signed."""
EARLIER: Final = {
    "EX-2026-0006": 1_792_605_600,
    "EX-2026-0003": 1_794_499_200,
    "EX-2026-0010": 1_794_819_600,
    "EX-2026-0009": 1_795_003_200,
}
"""Advisory that had a revision before -> when that was published, UTC seconds, the oldest first."""
ROLES: Final = ("engineering", "legal", "communications")
LANGUAGES: Final = ("en", "de", "fr", "es", "it", "pl", "ja", "zh", "ar")
SECOND: Final = ROOT / ".venv" / "csaf-validator"
"""Where the second validator of CSAF documents is installed."""

out = Console(highlight=False, soft_wrap=True)


@dataclass
class Made:
    """What one advisory came to."""

    advisory: str
    code: str = ""
    outputs: int = 0
    pictures: int = 0
    documents: int = 0
    advice: int = 0
    faults: list[str] = field(default_factory=list)


def _no_passphrase(_name: str) -> bytes:
    return b""


def fleet(folder: Path) -> Workspace:
    """Make an exercise workspace: who speaks, what is sold, keys of every role, and a root in force."""
    workspace = Workspace.create(folder, exercise=True)
    for name in ("organisation.yaml", "products.toml"):
        shutil.copyfile(HERE / name, folder / name)
    for role in (*ROLES, "operator", "gateway", "release", "security"):
        keys.new(workspace, role, roles=[role], holder=f"exercise-{role}", now=BEGUN, by="exercise")
    for name in ("anna", "ben", "carla"):
        keys.new(
            workspace, f"root-{name}", roles=["root"], holder=f"exercise-{name}", now=BEGUN, by="exercise"
        )
    roots.draft(workspace, now=BEGUN, by="exercise")
    for name in ("anna", "ben"):
        roots.sign_draft(workspace, f"root-{name}", _no_passphrase, now=BEGUN, by="exercise")
    roots.publish(workspace, now=BEGUN, by="exercise")
    return workspace


def approve(workspace: Workspace, advisory: str, *, now: int) -> None:
    """Let every role approve the exact bytes."""
    for role in ROLES:
        reviewed = advisories.review(workspace, advisory, now=now)
        advisories.approve(workspace, reviewed, role, _no_passphrase)


def publish(workspace: Workspace, advisory: str, *, now: int) -> None:
    """Publish what was approved."""
    operator = workspace.signer("operator", _no_passphrase)
    advisories.publish(workspace, advisory, operator, now=now)


def before(workspace: Workspace, chosen: Sequence[Path]) -> None:
    """Publish the first revisions of those that have one, then put the newer words in their place."""
    names = {path.stem for path in chosen}
    for advisory, moment in EARLIER.items():
        if advisory in names:
            path = advisories.add(workspace, HERE / "advisories" / "earlier" / f"{advisory}.yaml")
            approve(workspace, advisory, now=moment)
            publish(workspace, advisory, now=moment)
            path.write_bytes((HERE / "advisories" / f"{advisory}.yaml").read_bytes())
    for path in chosen:
        if path.stem not in EARLIER:
            advisories.add(workspace, path)


def take(workspace: Workspace, advisory: str, folder: Path) -> Made:
    """Check, approve, render, publish and export one advisory into its folder."""
    made = Made(advisory)
    facts = advisories.load(workspace, advisory).facts
    found = checking.findings(workspace, facts, now=NOW)
    made.faults += [f"{one.where}: {one.message} [{one.rule}]" for one in found if one.severity == "block"]
    made.advice = len(found) - len(made.faults)
    if made.faults:
        return made
    if set(facts.texts) != set(LANGUAGES):
        made.faults.append(f"languages are {' '.join(facts.texts)}")
    approve(workspace, advisory, now=NOW)
    rendered = rendering.outputs(workspace, advisory, now=NOW)
    rendering.write(rendered, folder)
    made.code, made.outputs, made.pictures = rendered.code, len(rendered.outputs), len(rendered.pictures)
    made.faults += [f"the screens in '{tag}' cannot be drawn: no font" for tag in rendered.undrawn]
    files = {name: (folder / name).read_bytes() for name in rendered.outputs}
    made.faults += whole.missing(facts, files, rendered.pictures)
    made.faults += whole.cut(facts, files)
    publish(workspace, advisory, now=NOW)
    documents = csaf.documents(workspace, advisory, now=NOW)
    csaf.validate(documents)  # the first of two validators
    made.documents = len(csaf.write(documents, folder / "csaf"))
    if made.documents != len(LANGUAGES):
        made.faults.append(f"{made.documents} CSAF documents")
    return made


def second_opinion(folder: Path) -> list[str] | None:
    """Hold every CSAF document against the second validator; None where that is not installed."""
    if not (SECOND / "node_modules").is_dir() or shutil.which("node") is None:
        return None
    paths = [str(path) for path in sorted(folder.glob("*/csaf/*.json"))]
    done = subprocess.run(  # noqa: S603 - our own script over our own files
        ["node", str(ROOT / "tests" / "csaf-validator" / "validate.js")],  # noqa: S607 - node as installed
        cwd=SECOND,
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    faults = [f"{row['path']}: {error}" for row in rows for error in row["errors"]]
    return faults if len(rows) == len(paths) else [*faults, f"{len(rows)} of {len(paths)} were read"]


def run(folder: Path, only: Sequence[str] = ()) -> int:
    """Take the examples through everything.

    Args:
        folder: where to; an earlier run in it is replaced.
        only: ids; none: all.

    Returns:
        Exit status: 0 when nothing is missing, cut or blocked.
    """
    known = sorted((HERE / "advisories").glob("EX-*.yaml"))
    chosen = [path for path in known if not only or path.stem in only]
    if not chosen or len(known) < len(only):
        out.print("There is no such example.")
        return 2
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    workspace = fleet(folder / ".workspace")
    before(workspace, chosen)
    bad = sum(_shown(workspace, path, folder) for path in chosen)
    built = site.write(workspace, folder / "site", now=NOW, by="exercise")
    out.print(f"site: {built.files} files, {len(built.notices)} notices, {built.documents} CSAF documents")
    opinion = second_opinion(folder)
    if opinion is None:
        out.print("The second CSAF validator is not installed here (it needs npm): one opinion only.")
    else:
        out.print(f"second CSAF validator: {len(opinion)} faults")
    for fault in [
        *(opinion or ()),
        *(f"site leaves out {name}: {why}" for name, why in built.left_out.items()),
    ]:
        bad += 1
        out.print(f"  {fault}", markup=False)
    missing = [path.stem for path in chosen if path.stem not in built.notices]
    out.print(f"{len(chosen) - bad} of {len(chosen)} whole, in {time.monotonic() - began:.0f} s: {folder}")
    return 1 if bad or missing else 0


def _shown(workspace: Workspace, path: Path, folder: Path) -> bool:
    """Take one advisory, tell what it came to, and say whether something was wrong."""
    facts = load_facts(path.read_bytes(), where=path.name)
    try:
        made = take(workspace, path.stem, folder / path.stem)
    except TocsinError as error:
        made = Made(path.stem, faults=[str(error)])
    kind = f"{facts.kind.value}, {facts.phase.name.lower()}"
    out.print(
        f"{made.advisory}  {made.code:7}  {made.outputs:3} outputs, {made.pictures:2} pictures, "
        f"{made.documents} CSAF, {made.advice} advice  ({kind})",
        markup=False,
    )
    for fault in made.faults:
        out.print(f"  {fault}", markup=False)
    return bool(made.faults)


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="Take the example advisories through everything.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "examples", help="folder to write")
    parser.add_argument("only", nargs="*", metavar="ID", help="e.g. EX-2026-0005; all if left out")
    given = parser.parse_args()
    return run(given.out, given.only)


if __name__ == "__main__":
    sys.exit(main())
