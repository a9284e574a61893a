"""Small one-bit screens: the simulator's, kept as pictures, and real ones that luma.oled drives on I2C."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from luma.core.device import dummy
from PIL import Image

from advisories.languages import SOURCE_LANGUAGE, words
from advisories.notice import Text
from advisories.render import console, pages, small
from advisories.render.plain import to_ascii
from advisories.versions import Version
from device_sim.core.effects import Show
from device_sim.core.profile import Ability, Profile
from device_sim.display import Prompt, unknown, unwritable
from keys.errors import InputError, UnavailableError

SCREENS_MAX: Final = 10
"""Pages that a screen may have kept of an older notice."""
_ASKED_MAX: Final = 64  # texts of which a screen remembers whether it can draw them
_FONTS: Final = Path("/usr/share/fonts/opentype/unifont")
_I2C_PORT, _I2C_ADDRESS = 1, 0x3C  # where small OLED boards answer unless they were soldered otherwise


class SmallDisplay:
    """A 128 x 64 one-bit screen behind luma's interface; the simulator's is luma's dummy.

    Args:
        screen: a luma device; pages are handed to its ``display`` in their order.
        folder: where each page is kept as a PNG; None keeps none.
        languages: of the device; a font that one of them needs and that is not here is remarked on now.
    """

    def __init__(self, screen: Any, folder: Path | None, languages: Sequence[str] = ()) -> None:
        self._screen = screen
        self._folder = folder
        self._pages: list[Image.Image] = []
        """Of the notice shown last."""
        self._at = 0
        self._asks = False
        self._asked: dict[Text, Ability] = {}
        lack = lacking(languages)
        self.remark = f"{lack} Until then drawn pages are shown, where a notice has them." if lack else ""

    def able(self, text: Text) -> Ability:
        """Draw Latin letters always, others with the font; without it show drawn pages."""
        if text not in self._asked:
            if len(self._asked) >= _ASKED_MAX:
                self._asked.clear()
            self._asked[text] = Ability.WORDS if small.can_draw(text, _font(text)) else Ability.PAGES
        return self._asked[text]

    def show(self, shown: Show, device: Profile, installed: Version) -> None:  # noqa: ARG002 - no room for them
        """Draw every page; the first one stays on the screen."""
        images = _drawn(shown) if shown.pages else _written(shown)
        for number, image in reversed(list(enumerate(images, 1))):
            self._display(image)
            if self._folder is not None:
                self._keep(f"screen-{number}.png", image)
        self._pages, self._at = images, 0
        if self._folder is not None:
            for number in range(len(images) + 1, SCREENS_MAX + 1):
                (self._folder / f"screen-{number}.png").unlink(missing_ok=True)

    def tell(self, prompt: Prompt | None) -> None:
        """Draw a page of its own, in Latin letters; without one the notice comes back."""
        self._asks = prompt is not None
        if prompt is not None:
            image = _prompted(prompt)
            self._display(image)
            if self._folder is not None:
                self._keep("prompt.png", image)
            return
        if self._folder is not None:
            (self._folder / "prompt.png").unlink(missing_ok=True)
        if self._pages:
            self._display(self._pages[self._at])

    def turn(self) -> None:
        """Show the next page of the notice; a question stays until it is answered."""
        if len(self._pages) > 1 and not self._asks:
            self._at = (self._at + 1) % len(self._pages)
            self._display(self._pages[self._at])

    def _display(self, image: Image.Image) -> None:
        try:
            self._screen.display(image)
        except Exception as error:  # noqa: BLE001 - every board's driver has errors of its own
            raise _silent(type(self._screen).__name__, error) from None

    def _keep(self, name: str, image: Image.Image) -> None:
        assert self._folder is not None
        path = self._folder / name
        try:
            image.save(path)
        except OSError as error:
            raise unwritable(path, error) from None


def _prompted(prompt: Prompt) -> Image.Image:
    """Draw what the device says by itself, as far as ASCII can say it and as far as there is room."""
    shape = small.LATIN
    said = [to_ascii(part, prompt.language) or "" for part in prompt.lines]
    lines = [line for part in said for line in small.wrapped(part, shape)][: shape.lines - 1]
    title = (to_ascii(prompt.title, prompt.language) or "")[: shape.columns]
    return small.draw([title, *lines, *[""] * (shape.lines - 1 - len(lines))], SOURCE_LANGUAGE)


def _written(shown: Show) -> list[Image.Image]:
    """Draw the words."""
    text, wanted = shown.text, shown.wanted
    instead = console.stand_in(text.language, wanted, ascii_only=True) if wanted else ""
    found = small.pages(shown.notice, text, code=shown.check_code, confirmed=shown.confirmed, instead=instead)
    font = unifont(text.language) if small.geometry(text) is small.WIDE else None
    return [small.draw(page, text.language, font=font) for page in found]


def _drawn(shown: Show) -> list[Image.Image]:
    """Take the drawn pages as they are, and draw the proof in Latin letters behind them."""
    proofs = small.proofs(
        shown.notice, code=shown.check_code, confirmed=shown.confirmed, after=len(shown.pages)
    )
    return [*map(pages.image, shown.pages), *(small.draw(page, SOURCE_LANGUAGE) for page in proofs)]


def _font(text: Text) -> bytes | None:
    """Return the font for a text that needs one, as far as it is here."""
    try:
        return unifont(text.language) if small.geometry(text) is small.WIDE else None
    except UnavailableError:
        return None


def lacking(languages: Sequence[str]) -> UnavailableError | None:
    """Return what to say of the first of some languages for which the font is not here."""
    for language in languages:
        if any(ord(letter) > 0x24F for letter in words(language).confirmed):
            try:
                unifont(language)
            except UnavailableError as error:
                return error
    return None


@lru_cache(maxsize=4)
def unifont(language: str) -> bytes:
    """Return the font that has the letters of scripts other than Latin; Japanese forms for Japanese.

    Raises:
        UnavailableError: FONT_MISSING, naming font and package.
    """
    names = small.font_names(language)
    for name in names:
        try:
            return (_FONTS / name).read_bytes()
        except OSError:
            continue
    raise UnavailableError(
        "FONT_MISSING",
        f"The font {small.FONT_NAME}, needed to draw '{language}', is not at {_FONTS / names[0]}.",
        mend=f"Install the package {small.FONT_PACKAGE}, or give the device another surface.",
    )


@lru_cache(maxsize=1)
def imitation() -> Any:
    """Return one dummy for all: luma registers each of its devices for the end of the process."""
    return dummy(width=small.WIDTH_PX, height=small.HEIGHT_PX, mode="1")


def oled(name: str, argument: str) -> Any:
    """Return a screen of luma.oled on I2C.

    Args:
        name: of luma's driver, such as ``ssd1306``.
        argument: ``PORT``, or ``PORT:ADDRESS`` with an address such as ``0x3c``; empty for what is usual.

    Raises:
        InputError: DISPLAY_UNKNOWN, DISPLAY_ADDRESS.
        UnavailableError: DISPLAY_SILENT.
    """
    try:
        driver = getattr(importlib.import_module("luma.oled.device"), name)
        serial = importlib.import_module("luma.core.interface.serial")
    except (ImportError, AttributeError):
        raise unknown(name) from None
    port, _, address = argument.partition(":")
    try:
        place = (int(port or str(_I2C_PORT), 0), int(address or str(_I2C_ADDRESS), 0))
    except ValueError:
        mend = f"Write it as {name}:PORT:ADDRESS, such as {name}:1:0x3c."
        raise InputError("DISPLAY_ADDRESS", f"'{argument}' is no place on I2C.", mend=mend) from None
    try:
        return driver(serial.i2c(port=place[0], address=place[1]))
    except Exception as error:  # noqa: BLE001 - every board's driver has errors of its own
        raise _silent(name, error) from None


def _silent(name: str, error: Exception) -> UnavailableError:
    return UnavailableError(
        "DISPLAY_SILENT", f"The display '{name}' does not answer ({error}).", mend="Check its wiring."
    )
