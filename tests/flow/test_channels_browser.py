"""Pages and letters in a real browser: nothing overflows a phone, and a letter is one page of paper."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advisories.channels import render
from advisories.compose import header_of, text_of
from advisories.facts import load_facts
from advisories.organisation import Organisation
from advisories.phrases import LANGUAGES
from advisories.story import Past, Setting, Story

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]
EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "advisories").glob("EX-*.yaml"))
ISSUED = 1_795_345_600
WIDTHS = (320, 1_280)  # pixels of a small phone and of a desk
PAPER = ("A4", "Letter")
SETTING = Setting(
    organisation=Organisation(
        name="Example Devices",
        legal_name="Example Devices Ltd",
        address=("1 Example Street", "Example Town"),
        site="https://notices.example.com",
    ),
    past=(Past(revision=1, phase="initial", issued=ISSUED - 86_400, code="7Q3-4MD"),),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as runs:
        program = runs.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield program
        program.close()


def outputs(example: Path, language: str) -> dict[str, str]:
    facts = load_facts(example.read_bytes(), where=example.name)
    story = Story(
        facts=facts,
        notice=header_of(facts, issued=ISSUED, revision=2, exercise=True),
        texts={tag: text_of(facts, tag) for tag in facts.texts},
        setting=SETTING,
    )
    if language not in facts.texts:
        return {}
    return {name.partition("/")[2]: data.decode() for name, data in render(story, language).items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_is_one_page_and_every_page_fits(browser: Any, language: str) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for example in EXAMPLES:
        for name, text in outputs(example, language).items():
            if not name.endswith(".html"):
                continue
            page.set_content(text)
            for pixels in WIDTHS:
                page.set_viewport_size({"width": pixels, "height": 800})
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= pixels, f"{example.name} {language}/{name}: {wide} of {pixels} pixels"
            for paper in PAPER if name.startswith("letter") else ():
                sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper)))
                assert sheets == 1, f"{example.name} {language}/{name}: {sheets} pages of {paper}"
    assert asked == []
    page.close()


def test_the_page_reads_with_a_keyboard_in_the_dark_and_in_large_letters(browser: Any) -> None:
    text = outputs(EXAMPLES[-1], "en")["web.html"]
    page = browser.new_page(color_scheme="dark", viewport={"width": 640, "height": 800})
    page.set_content(text)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", ground)[:3])) < 120
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.add_style_tag(content="html { font-size: 200% }")  # WCAG 2.2, 1.4.4
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    page.close()
