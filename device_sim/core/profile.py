"""What a device is: fixed when it was made, or set by its owner; never by a message."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import Enum

from advisories.limits import IMAGE_BYTES_MAX
from advisories.notice import Text
from advisories.states import Surface
from advisories.suit import COMPONENT, ComponentId
from advisories.topics import Topics

DAY_SECONDS = 86_400
ALL_DAYS = frozenset(range(7))


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


class AutoConsent(Enum):
    """What the owner agreed to beforehand."""

    NEVER = "never"
    """Nothing: every patch is asked for."""
    URGENT = "urgent"
    """Patches that a genuine notice of high or critical severity names."""
    ALWAYS = "always"
    """Every patch."""


class Platform(Enum):
    """Who writes images and boots them."""

    SLOTS = "slots"
    """We do: two slots and a boot record, images in MCUboot format."""
    INSTALLER = "installer"
    """The platform's own updater, which is given each payload as a file."""
    NONE = "none"
    """Somebody else, and we only tell: notices are shown, patches are never installed."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week in which the owner lets the device install and restart, by the device's clock."""

    start: int
    """Minute of the day, 0 to 1,439."""
    end: int
    """Minute of the day before which an install begins; not above ``start``: it ends on the next day."""
    days: frozenset[int] = ALL_DAYS
    """Days on which it starts: 0 is Monday."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the shell knows of the device's surroundings at a moment."""

    battery: int | None = None
    """Charge in percent; None: no battery, or on mains."""
    busy: bool = False
    """True while the device must not be interrupted."""


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
    auto_consent: AutoConsent = AutoConsent.NEVER
    defer_max: int = 3
    """How many times the owner may put a patch off."""
    defer_seconds: int = DAY_SECONDS
    """How long one deferral lasts."""
    topics: Topics = Topics()
    slot_bytes: int = IMAGE_BYTES_MAX
    """Size of one image slot."""
    slots: int = 2
    """Image slots: the one that runs, and the one that is written."""
    zone: tzinfo = UTC
    """Of the device, for its windows."""
    windows: tuple[Window, ...] = ()
    """When it may install; empty: at any time."""
    battery_min: int = 30
    """Percent of charge below which nothing is installed."""
    platform: Platform = Platform.SLOTS
    components: tuple[ComponentId, ...] = (COMPONENT,)
    """What a manifest may bring; the first one boots and has the version."""
    artefacts: str | None = None
    """``https://`` address below which relative addresses of payloads lie; None: payloads come as blocks."""
    delta: bool = False
    """The shell can rebuild an image from a base and a delta."""
    rate: int | None = None
    """Bytes a second that a download may take; None: no limit."""

    @property
    def uuid(self) -> bytes:
        """What a manifest's device-id condition is compared with: UUIDv5 of the id in the class, 16 bytes."""
        return uuid.uuid5(uuid.UUID(bytes=self.class_id), self.id).bytes

    def __post_init__(self) -> None:
        """Refuse a device that could not work."""
        if not self.languages or self.slots != 2 or len(self.vendor_id) != 16 or len(self.class_id) != 16:
            raise ValueError("a device has a language, two slots, and vendor and class of 16 bytes")
