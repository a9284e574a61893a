"""The page on rotating the root is run word for word, as the tutorial is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_tutorial import ROOT, Shell, pattern_of, read_steps

PAGE = ROOT / "docs" / "how-to" / "rotate-the-root.md"


@pytest.mark.slow
def test_every_command_of_the_rotation_prints_what_the_page_says(tmp_path: Path) -> None:
    steps = read_steps(PAGE.read_text(encoding="utf-8"))
    assert len(steps) > 30
    shell = Shell(tmp_path)
    try:
        for step in steps:
            printed = shell.run(step)
            assert "Traceback" not in printed
            if not step.command.endswith("&"):
                assert pattern_of(step.expected).fullmatch(printed), (
                    f"{PAGE.name}:{step.line}: $ {step.command}\nprinted\n{printed}\nthe page says\n"
                    + "\n".join(step.expected)
                )
    finally:
        shell.close()
    for secret in tmp_path.glob("machine-*/*.pem"):
        inside = secret.read_bytes().splitlines()[1]
        carried = [*tmp_path.glob("usb/*"), *(p for p in tmp_path.glob("fleet/**/*") if p.is_file())]
        assert not [path for path in carried if inside in path.read_bytes()]
