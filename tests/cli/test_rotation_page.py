"""The page on rotating the root is run word for word, as the tutorial is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "rotate-the-root.md"


@pytest.mark.slow
def test_every_command_of_the_rotation_prints_what_the_page_says(tmp_path: Path) -> None:
    with followed(PAGE, tmp_path, steps_min=30):
        pass
    for secret in tmp_path.glob("machine-*/*.pem"):
        inside = secret.read_bytes().splitlines()[1]
        carried = [*tmp_path.glob("usb/*"), *(p for p in tmp_path.glob("fleet/**/*") if p.is_file())]
        assert not [path for path in carried if inside in path.read_bytes()]
