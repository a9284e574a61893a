"""Every channel beside the device's own screens: one table, from which a release is rendered.

A renderer is a pure function ``(story, language) -> text``; it never cuts a text short and never says
what the facts do not. Its output is approved byte for byte, with
:data:`advisories.story.CODE_SLOT` where the check code will stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from advisories.story import Story

Renderer = Callable[[Story, str], str]

CHANNELS: Final[Mapping[str, Renderer]] = MappingProxyType({})
"""File name below the language's folder, e.g. ``letter.html`` -> what makes it."""


def render(story: Story, language: str) -> dict[str, bytes]:
    """Return every channel's output in one language: ``<language>/<name>`` -> UTF-8 bytes."""
    return {f"{language}/{name}": make(story, language).encode() for name, make in CHANNELS.items()}
