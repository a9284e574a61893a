"""The page on breaking boards is followed word for word, and its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hil.sweep.invariants import INVARIANTS
from hil.sweep.points import Cut
from hil.wire.faults import FaultPlan
from hil.wire.plan import LOG_LINE, PARAMETERS, FaultKind
from tests.hil.bridge_scene import make_workspace
from tests.pages import ROOT, Step, followed

PAGE = ROOT / "docs" / "how-to" / "break-a-board.md"
_FILE = re.compile(r"`([\w.-]+\.toml)`:\n\n```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def rows(text: str, head: str) -> dict[str, str]:
    table = text.split(head, 1)[1].split("\n\n", 1)[0]
    return dict(re.findall(r"^\| `([\w-]+)` \|(?:.*\|)?([^|]*)\|$", table, re.MULTILINE))


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    kinds = rows(text, "| kind | what arrives | its own keys |")
    own = {str(kind): set(PARAMETERS.get(kind, {})) for kind in FaultKind}
    own["log_line"] = {"text"}
    assert {kind: set(re.findall(r"`(\w+)`", keys)) for kind, keys in kinds.items()} == own
    assert list(rows(text, "| `--cut` |")) == [str(cut) for cut in Cut]
    assert list(rows(text, "| invariant |")) == list(INVARIANTS)
    assert LOG_LINE


def test_the_example_is_a_faults_file_and_so_is_the_page_s() -> None:
    plan = FaultPlan.load(ROOT / "examples" / "bench" / "faults.toml")
    assert {rule.kind for rule in plan.rules} == {
        FaultKind.DROP,
        FaultKind.FLIP,
        FaultKind.LOG_LINE,
        FaultKind.DELAY,
    }


@pytest.mark.slow
def test_every_command_of_the_page_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in ("HIL_BOARDS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    make_workspace(tmp_path / "tocsin-demo")
    written: set[int] = set()

    def write_files(step: Step) -> None:
        for found in _FILE.finditer("\n".join(text.splitlines()[: step.line - 1])):
            if found.start() not in written:
                written.add(found.start())
                with (tmp_path / found[1]).open("a", encoding="utf-8") as file:
                    file.write(found[2])

    with followed(PAGE, tmp_path, steps_min=10, before=write_files):
        pass
