"""``tocsin drill --people``: what people do meanwhile does not end it; being asked to end does, wholly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import ADVISORY, Tocsin

PATIENCE = 60.0  # seconds; far above what a drill needs to get so far


class Drill:
    """A drill that runs beside the test, in a session of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "drill"
        self.said = folder / "said.txt"
        with self.said.open("w") as out:
            self.process = subprocess.Popen(
                [Path(sys.executable).parent / "tocsin", "drill", "drill", "--devices", "6", "--people"],
                cwd=folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def until(self, text: str) -> None:
        """Wait until it has said something."""
        end = time.monotonic() + PATIENCE
        while text not in self.said.read_text("utf-8"):
            assert time.monotonic() < end, self.said.read_text("utf-8")
            assert self.process.poll() is None, self.said.read_text("utf-8")
            time.sleep(0.05)

    def left(self) -> list[int]:
        """Processes of its session that still run."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[3] == str(self.process.pid) and fields[0] != "Z":
                found.append(int(entry.name))
        return found


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    made = Drill(tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def test_a_file_that_people_are_still_writing_does_not_end_the_drill(drill: Drill) -> None:
    drill.until("waiting for engineering")
    facts = drill.folder / "advisories" / f"{ADVISORY}.yaml"
    whole = facts.read_bytes()
    facts.write_bytes(whole + b"\nbad: [red]x[/red] [\n")
    drill.until("This is not well-formed YAML")
    facts.write_bytes(whole)
    tocsin = Path(sys.executable).parent / "tocsin"
    approve: list[str | Path] = [
        tocsin,
        "advisory",
        "approve",
        ADVISORY,
        "--yes",
        "-w",
        drill.folder,
        "--key",
    ]
    for role in ("engineering", "legal", "communications"):
        done = subprocess.run([*approve, role], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    drill.until("first notice published")
    os.kill(drill.process.pid, signal.SIGTERM)
    assert drill.process.wait(60) == 130
    assert drill.said.read_text("utf-8").endswith("error: Interrupted.\n")
    assert drill.left() == []
    assert not (drill.folder / "drill-report.md").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("other",), "DRILL_FOLDER"),
        (("file",), "DRILL_FOLDER"),
        (("new", "--devices", "5"), "USAGE"),
        (("new", "--devices", "10001"), "USAGE"),
        (("new", "--seed", "x"), "USAGE"),
        (("new", "--record-in", "other"), "NOT_A_WORKSPACE"),
        (("file/below",), "FILE"),
        (("a\0b",), "USAGE"),
    ],
)
def test_a_wrong_command_is_one_sentence_and_makes_nothing(
    tocsin: Tocsin, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    ran = tocsin("drill", *arguments, "--json")
    assert ran.status in {2, 4}
    assert ran.json["error"]["code"] == code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "other"]
    assert (tmp_path / "file").read_text() == "mine"
