"""How the command ``hil`` ends where the system stops it."""

from __future__ import annotations

import errno
import os

import pytest

from gateway.cli import run as front_door


@pytest.mark.parametrize(("program", "status"), [("hil", 3), ("tocsin", 4)])
def test_what_the_system_refuses_is_the_benchs_on_a_bench(
    program: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_arguments: list[str], _program: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out.json")

    monkeypatch.setattr(front_door, "_invoke", full)
    assert front_door.run(["doctor"], program) == status
    assert capsys.readouterr().err == (
        "error: out.json: The system says: No space left on device. Check the path and its rights.\n"
    )
