"""Draw the pictures of the README from a finished demo: ``python docs/pictures.py build/demo``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from PIL import Image
from rich.console import Console

from advisories.compose import compose
from advisories.facts import load_facts
from advisories.render import small
from advisories.story import CODE_SLOT
from gateway.cli.demo.cast import Outcome, demanded, draw
from gateway.cli.demo.screen import Screen
from gateway.operations import fonts

IMAGES = Path(__file__).parent / "images"
SCALE, GAP, PAGES = 2, 8, 4
LANGUAGES = ("en", "de", "fr", "es", "it", "pl", "ja", "zh", "ar")


def screens() -> None:
    """Put the small screen's pages of the example side by side, one language a row, twice as large."""
    file = Path(__file__).parents[1] / "examples" / "advisories" / "EX-2026-0001.yaml"
    facts = load_facts(file.read_bytes(), where=file.name)
    known = fonts.installed()
    made = compose(
        facts, fleet=bytes(32), issued=1_795_305_600, revision=1, exercise=True, version=1, fonts=known
    )
    width, height = 128 * SCALE, 64 * SCALE
    size = (PAGES * (width + GAP) + GAP, len(LANGUAGES) * (height + GAP) + GAP)
    sheet = Image.new("RGB", size, "#3b4252")
    for row, language in enumerate(LANGUAGES):
        for column in range(PAGES):
            lines = made.outputs.get(f"{language}/small-{column + 1}.txt")
            if lines is not None:
                shown = lines.decode().replace(CODE_SLOT, "K7Q-4MD").splitlines()
                page = small.draw(shown, language, font=small.font_of(language, known))
                large = page.convert("RGB").resize((width, height), Image.Resampling.NEAREST)
                sheet.paste(large, (GAP + column * (width + GAP), GAP + row * (height + GAP)))
    sheet.save(IMAGES / "screens.png", optimize=True)


def terminal(workspace: Path) -> None:
    """Record what the terminal shows at the beginning and the end of a demo."""
    console = Console(record=True, width=84, file=sys.stderr, force_terminal=True)
    summary = json.loads((workspace / "summary.json").read_text())
    note = json.loads((workspace / ".tocsin-demo.json").read_text())
    seconds = summary.pop("seconds")
    screen = Screen(console)
    screen.title(summary["devices"], "mqtt://127.0.0.1:1883", "build/demo")
    lines = (workspace / "screens" / "en" / "console.txt").read_text(encoding="utf-8").splitlines()
    cast = draw(note["devices"], note["seed"])
    star = next(m for m in cast if m.language == "en" and m.affected)
    screen.device(star.id, lines)
    screen.trouble("a forged notice, signed with keys that no root lists, to all thermostats")
    screen.trouble("a notice without Legal's signature, to all doorbells")
    screen.closing(demanded(cast), Outcome(**summary), seconds)
    drawing = console.export_svg(title="make demo")
    # rich names a font on another server; a page of ours asks nobody else for anything.
    drawing = re.sub(r"@font-face \{.*?\}\n?", "", drawing, flags=re.DOTALL)
    (IMAGES / "demo.svg").write_text(re.sub(r"[ \t]+$", "", drawing, flags=re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    screens()
    terminal(Path(sys.argv[1]))
