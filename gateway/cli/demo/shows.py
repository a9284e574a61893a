"""The screens that the demo keeps: for each language one device's console and 128x64 screen."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from advisories.notice import Text
from advisories.versions import Version
from device_sim.core.effects import Show
from device_sim.core.profile import Ability, Profile
from device_sim.display import ConsoleDisplay, Display, open_display
from device_sim.displays.small import lacking
from device_sim.home import Home
from gateway.cli.demo.cast import LANGUAGES, Member, Trouble
from gateway.cli.demo.stage import SCREENS, Stage


class Shows:
    """Gives the first affected device of each language a console and a screen in ``screens/<language>/``.

    Args:
        stage: who plays.
        without: devices that show their notices elsewhere.
    """

    def __init__(self, stage: Stage, *, without: Collection[str] = ()) -> None:
        self._folder = stage.workspace.path / SCREENS
        self._stars: dict[str, Member] = {}
        for member in stage.cast:
            if member.affected and member.trouble is Trouble.NONE and member.id not in without:
                self._stars.setdefault(member.language, member)
        self.missing: list[str] = []
        """What could not be drawn, and why: one sentence each."""

    def display(self, home: Home) -> Display | None:
        """Return the display of a device that is looked at; None for all others."""
        language = home.profile.languages[0]
        star = self._stars.get(language)
        if star is None or star.id != home.profile.id:
            return None
        folder = self._folder / language
        folder.mkdir(parents=True, exist_ok=True)
        displays: list[Display] = [ConsoleDisplay(folder / "console.txt")]
        lack = lacking((language,))
        if lack is None:
            displays.append(open_display("png", folder, languages=(language,)))
        else:
            self.missing.append(str(lack))
        return _Both(displays)

    def console(self) -> tuple[str, list[str]] | None:
        """Return the first language's device id and what its console shows; None before it shows anything."""
        star = next((self._stars[language] for language in LANGUAGES if language in self._stars), None)
        path = self._path(star) if star else None
        if star is None or path is None or not path.exists():
            return None
        return star.id, path.read_text(encoding="utf-8").splitlines()

    def _path(self, star: Member) -> Path:
        return self._folder / star.language / "console.txt"


class _Both:
    remark = ""

    def __init__(self, displays: list[Display]) -> None:
        self._displays = displays

    def able(self, text: Text) -> Ability:
        return self._displays[0].able(text)

    def show(self, shown: Show, device: Profile, installed: Version) -> None:
        for display in self._displays:
            display.show(shown, device, installed)
