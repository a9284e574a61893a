"""The pages on keeping, erasing and PostgreSQL are run word for word; commands of ours in this process, for speed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.core.retention import RULES, setting
from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin
from tests.gateway.databases import server
from tests.pages import ROOT, Step, pattern_of, read_steps

KEEP = ROOT / "docs" / "how-to" / "keep-and-erase.md"
POSTGRESQL = ROOT / "docs" / "how-to" / "postgresql.md"
ADDRESS = "postgresql+psycopg://gateway@db.example.com/tocsin?sslmode=verify-full"


def run(step: Step, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch) -> str:
    program, *arguments = shlex.split(step.command)
    if program == "tocsin":
        given = {name: os.environ[name] for name in ("TOCSIN_WORKSPACE",)}
        ran = tocsin(*arguments, env=given)
        return ran.out + ran.err
    if program == "export":
        monkeypatch.setenv(*arguments[0].split("="))
        return ""
    done = subprocess.run(["bash", "-c", step.command], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def follow(text: str, page: Path, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch, *, least: int) -> None:
    steps = read_steps(text)
    assert len(steps) >= least
    for step in steps:
        printed = run(step, tocsin, monkeypatch)
        assert pattern_of(step.expected).fullmatch(printed), (
            f"{page.name}:{step.line}: $ {step.command}\nprinted\n{printed}\nthe page says\n"
            + "\n".join(step.expected)
        )


def test_every_command_of_the_page_on_keeping_prints_what_the_page_says(
    workspace: Workspace, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = KEEP.read_text(encoding="utf-8")
    follow(text, KEEP, tocsin, monkeypatch, least=11)
    listed = re.findall(r"^\| `(keep_\w+_days)` \|", text, re.MULTILINE)
    assert listed == [setting(rule) for rule in RULES]
    assert Workspace.open(workspace.path).settings.keep == {"reports": 365, "quarantine": 90}


def test_every_command_of_the_page_on_postgresql_prints_what_the_page_says(
    workspace: Workspace, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = POSTGRESQL.read_text(encoding="utf-8")
    (script,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    with server().connect("postgres") as connection:
        for statement in filter(None, map(str.strip, script.split(";"))):
            connection.execute(statement)
    here = server().url("tocsin").replace("postgres@", "gateway@")
    assert ADDRESS in text
    folder = str(server().folder)
    shown = here.replace(folder, quote(folder, safe=""))
    follow(
        text.replace(f'"{ADDRESS}"', f'"{here}"').replace(ADDRESS, shown),
        POSTGRESQL,
        tocsin,
        monkeypatch,
        least=6,
    )
    with workspace.open(workspace.path).store() as store:
        assert store.dialect == "postgresql"
    codes = set(re.findall(r"`(STORE_[A-Z]+)`", text))
    rooms = [*(ROOT / "gateway" / "store").glob("*.py"), ROOT / "gateway" / "operations" / "stores.py"]
    sources = "".join(path.read_text() for path in rooms)
    assert all(f'"{code}"' in sources for code in codes)
