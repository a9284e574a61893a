"""How HTML is made here: every word of ours or of the facts is escaped, and nothing unseen gets through.

An isolate of :mod:`advisories.phrases` becomes ``<bdi>``, so that ids, versions and codes keep their order
in any line. Style sheets are our own files and stand inside the page: it asks nobody for anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from advisories.phrases import END, ISOLATE, isolated, tidy
from advisories.render.channel.view import Way, is_link

_VALUE: Final = re.compile(f"{ISOLATE}([^{ISOLATE}{END}]*){END}")
_EDGE: Final = str.maketrans({ISOLATE: None, END: None})


def shown(value: object) -> Markup:
    """Return words as HTML: cleaned, escaped, values in ``<bdi>``."""
    if isinstance(value, Markup):
        return value
    found = Markup()
    last = 0
    text = str(value)
    for match in _VALUE.finditer(text):
        found += _plain(text[last : match.start()]) + Markup("<bdi>{}</bdi>").format(_plain(match[1]))
        last = match.end()
    return found + _plain(text[last:])


@lru_cache(maxsize=1_024)  # pages and letters say the same words
def _plain(text: str) -> Markup:
    """Clean and escape; a space at an end belongs to the sentence."""
    cleaned = tidy(text)
    if not cleaned:
        return Markup(" ") if text[:1].isspace() else Markup()
    before = " " if text[0].isspace() else ""
    after = " " if text[-1].isspace() else ""
    return escape(before + cleaned + after)


def linked(text: str, ways: Iterable[Way]) -> Markup:
    """Return words in which every way that is named becomes a link."""
    links = {way.value: way.href for way in ways if way.href}
    found, rest = Markup(), tidy(text)
    while named := [value for value in links if value in rest]:
        value = min(named, key=rest.index)
        before, _, rest = rest.partition(value)
        found += _plain(before) + Markup('<a href="{}"><bdi>{}</bdi></a>').format(links[value], value)
    return found + _plain(rest)


def page_link(text: str) -> Markup:
    """Return words in which a value that is a page on the web becomes a link."""
    found, last = Markup(), 0
    for match in _VALUE.finditer(text):
        if is_link(match[1]):
            link = Markup('<a href="{0}" rel="noreferrer"><bdi>{0}</bdi></a>').format(match[1])
            found += _plain(text[last : match.start()]) + link
            last = match.end()
    return found + shown(text[last:])


def attribute(value: object) -> Markup:
    """Return words for an attribute: cleaned and escaped, without elements."""
    return escape(tidy(str(value).translate(_EDGE)))


@cache
def environment() -> Environment:
    """Return the templates' environment."""
    made = Environment(
        loader=PackageLoader("advisories", "render/channel/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    made.filters["attribute"] = attribute
    made.filters["linked"] = linked
    made.filters["page_link"] = page_link
    made.filters["isolated"] = isolated
    return made


@cache
def style(name: str) -> Markup:
    """Return a style sheet of ours."""
    folder = resources.files("advisories").joinpath("render/channel/templates")
    return Markup(folder.joinpath(name).read_text("utf-8"))  # noqa: S704 - a file of this package, no word of others


def fill(template: str, **values: object) -> str:
    """Return a filled template."""
    return environment().get_template(template).render(**values)
