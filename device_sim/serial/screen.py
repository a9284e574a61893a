"""A display that keeps what it shows, so that it can be read over the line."""

from __future__ import annotations

from dataclasses import dataclass

from advisories.notice import Text
from advisories.render import console
from advisories.versions import Version, format_version
from device_sim.core.effects import Show
from device_sim.core.profile import Ability, Profile
from device_sim.display import Display, NoDisplay


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands on the screen."""

    id: str
    revision: int
    severity: str
    language: str
    confirmed: bool
    lines: tuple[str, ...]


class KeptScreen:
    """Draws on another display and keeps the lines of 80 x 24 characters.

    Args:
        beside: where it is drawn as well.
    """

    def __init__(self, beside: Display | None = None) -> None:
        self._beside: Display = beside or NoDisplay()
        self.remark = self._beside.remark
        self.shown: Shown | None = None
        """The notice drawn last since the last boot."""

    def able(self, text: Text) -> Ability:
        """Leave it to the other display: these lines can be kept in any letters."""
        return self._beside.able(text)

    def show(self, shown: Show, device: Profile, installed: Version) -> None:
        """Draw it beside, then keep the lines (UnavailableError of that display: then it is not shown)."""
        self._beside.show(shown, device, installed)
        notice = shown.notice
        lines = console.render(
            notice,
            shown.text,
            product=device.product,
            installed=format_version(installed),
            code=shown.check_code,
            confirmed=shown.confirmed,
            wanted=shown.wanted,
        )
        self.shown = Shown(
            notice.id,
            notice.revision,
            notice.severity.name.lower(),
            shown.text.language,
            shown.confirmed,
            tuple(lines),
        )
