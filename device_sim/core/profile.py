"""What a device is: fixed when it was made, or set by its owner; never by a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from advisories.limits import IMAGE_BYTES_MAX
from advisories.notice import Text
from advisories.states import Surface
from advisories.topics import Topics

DAY_SECONDS = 86_400


class Ability(Enum):
    """What a surface can do with one text."""

    WORDS = 1
    """It shows the words."""
    PAGES = 2
    """It has no font for them and shows drawn pages."""
    NOTHING = 3
    """It can show neither."""


Able = Callable[[Text], Ability]
"""Asks the surface that this device has; the same text always gets the same answer while it runs."""


def shows_all(_text: Text) -> Ability:
    """Any text: of a surface with every letter."""
    return Ability.WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A device's identity, abilities and its owner's wishes."""

    id: str
    """Random, one topic level."""
    product: str
    vendor_id: bytes
    """16 bytes, compared with a manifest's vendor condition."""
    class_id: bytes
    """16 bytes, compared with a manifest's class condition."""
    languages: tuple[str, ...] = ("en",)
    """BCP 47 tags by preference; the first one is subscribed, the others are fetched when needed."""
    surface: Surface = Surface.CONSOLE
    auto_consent: bool = False
    """True: the owner agreed beforehand to installing patches."""
    defer_max: int = 3
    """How many times the owner may put a patch off."""
    defer_seconds: int = DAY_SECONDS
    """How long one deferral lasts."""
    topics: Topics = Topics()
    slot_bytes: int = IMAGE_BYTES_MAX
    """Size of one image slot."""
    slots: int = 2
    """Image slots: the one that runs, and the one that is written."""

    def __post_init__(self) -> None:
        """Refuse a device that could not work."""
        if not self.languages or self.slots != 2 or len(self.vendor_id) != 16 or len(self.class_id) != 16:
            raise ValueError("a device has a language, two slots, and vendor and class of 16 bytes")
