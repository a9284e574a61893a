"""Every channel beside the device's own screens: one table, from which a release is rendered.

A renderer is a pure function ``(story, language) -> text``; it never cuts a text short and never says
what the facts do not. Its output is approved byte for byte, with
:data:`advisories.story.CODE_SLOT` where the check code will stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from advisories.briefings.outputs import SHEETS
from advisories.csaf import render as csaf
from advisories.render.channel import letter
from advisories.render.channel.faq import faq
from advisories.render.channel.mail import mail
from advisories.render.channel.page import web
from advisories.render.channel.short import banner, social
from advisories.story import Story

Renderer = Callable[[Story, str], str]

CHANNELS: Final[Mapping[str, Renderer]] = MappingProxyType(
    {
        "web.html": web,
        "faq.html": faq,
        "letter.html": letter.html,
        "letter.txt": letter.text,
        "letter-california.html": letter.california_html,
        "letter-california.txt": letter.california_text,
        "email.txt": mail,
        "banner.html": banner,
        "social.txt": social,
        "csaf.json": csaf,
        **SHEETS,
    }
)
"""File name below the language's folder -> what makes it. An empty text: not for this matter."""


def render(story: Story, language: str) -> dict[str, bytes]:
    """Return every channel's output in one language: ``<language>/<name>`` -> UTF-8 bytes."""
    made = {f"{language}/{name}": make(story, language).encode() for name, make in CHANNELS.items()}
    return {name: text for name, text in made.items() if text}
