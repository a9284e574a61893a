"""The page on enrolling devices is run word for word, as the tutorial is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.test_tutorial import ROOT, Shell, pattern_of, read_steps

PAGE = ROOT / "docs" / "how-to" / "enrol-devices.md"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program makes the requests")
def test_every_command_of_the_page_prints_what_it_says(tmp_path: Path) -> None:
    steps = read_steps(PAGE.read_text(encoding="utf-8"))
    assert len(steps) > 25
    shell = Shell(tmp_path)
    try:
        for step in steps:
            printed = shell.run(step)
            assert "Traceback" not in printed
            assert pattern_of(step.expected).fullmatch(printed), (
                f"{PAGE.name}:{step.line}: $ {step.command}\nprinted\n{printed}\nthe page says\n"
                + "\n".join(step.expected)
            )
    finally:
        shell.close()


def test_the_access_list_of_the_page_is_the_one_that_is_tested() -> None:
    from tests.gateway.brokers import ACL

    assert ACL.format(prefix="tocsin/v1") in PAGE.read_text(encoding="utf-8")
