"""The page on making patches is run word for word; commands of ours and imgtool's in this process, for speed."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from imgtool.main import imgtool

from advisories.suit.check import RULES
from advisories.suit.check import __file__ as rules
from tests.cli.conftest import Tocsin
from tests.pages import ROOT, Step, pattern_of, read_steps

PAGE = ROOT / "docs" / "how-to" / "make-a-patch.md"


def run(step: Step, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch) -> str:
    """What one command prints."""
    program, *arguments = shlex.split(step.command)
    if program == "tocsin":
        ran = tocsin(*arguments)
        return ran.out + ran.err
    if program == "imgtool":
        return CliRunner().invoke(imgtool, arguments, catch_exceptions=False).output
    if program == "export":
        monkeypatch.setenv(*arguments[0].split("="))
        return ""
    done = subprocess.run(["bash", "-c", step.command], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_every_command_of_the_page_prints_what_the_page_says(
    tmp_path: Path, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    steps = read_steps(PAGE.read_text(encoding="utf-8"))
    assert len(steps) >= 15
    for step in steps:
        printed = run(step, tocsin, monkeypatch)
        assert pattern_of(step.expected).fullmatch(printed), f"{PAGE.name}:{step.line}\n{printed}"


def test_the_page_names_every_code_of_the_check() -> None:
    page = PAGE.read_text(encoding="utf-8")
    codes = set(
        re.findall(r'^\s+"([A-Z]+_?[A-Z]+)",$', Path(rules).read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert len(codes) >= len(RULES)
    assert {code for code in codes if code not in page} == set()
