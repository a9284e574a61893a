"""A small screen that turns its pages, as a stand-in for what luma drives."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from device_sim.display import Speaking
from device_sim.displays import small
from keys.errors import UnavailableError
from tests.device_sim.test_display import INSTALLED, PROFILE, shown
from tests.device_sim.test_surfaces import ASKS


class Oled:
    """A screen of luma's kind that keeps what it was given."""

    def __init__(self) -> None:
        self.images: list[bytes] = []
        self.broken = False

    def display(self, image: Image.Image) -> None:
        if self.broken:
            raise OSError(121, "Remote I/O error")
        self.images.append(image.tobytes())


def test_a_small_screen_turns_its_pages_but_a_question_stays(tmp_path: Path) -> None:
    oled = Oled()
    screen: Speaking = small.SmallDisplay(oled, tmp_path)
    screen.turn()
    screen.show(shown(), PROFILE, INSTALLED)
    pages = oled.images[::-1]
    assert len(pages) > 1
    first = oled.images[-1]
    for page in [*pages[1:], first]:
        screen.turn()
        assert oled.images[-1] == page
    screen.tell(ASKS)
    asked = oled.images[-1]
    assert asked not in pages
    assert (tmp_path / "prompt.png").exists()
    screen.turn()
    assert oled.images[-1] == asked
    screen.tell(None)
    assert oled.images[-1] == first
    assert not (tmp_path / "prompt.png").exists()


def test_a_small_screen_whose_wire_is_off_is_told() -> None:
    oled = Oled()
    screen = small.SmallDisplay(oled, None)
    screen.show(shown(), PROFILE, INSTALLED)
    oled.broken = True
    for draw in (lambda: screen.show(shown(), PROFILE, INSTALLED), screen.turn, lambda: screen.tell(ASKS)):
        with pytest.raises(UnavailableError) as caught:
            draw()
        assert caught.value.code == "DISPLAY_SILENT"
