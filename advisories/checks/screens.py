"""Rules about screens: everything a device shows fits, and no word is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from advisories import limits
from advisories.checks.frame import Context, Level, Point, rule
from advisories.compose import header_of, text_of
from advisories.facts import TEXT_FIELDS, Facts
from advisories.notice import Text
from advisories.render import console, layout, small
from keys.codec import dump, load
from keys.errors import RefusedError

TITLE_LINES_MAX: Final = 2  # lines of the small screen
_CODE = "WWW-WWW"  # as wide as any check code
_VERSION = "255.255.65535"  # as wide as any version without a build number


@rule("text-size", Level.BLOCK, 33)
def text_size(facts: Facts, _: Context) -> Iterator[Point]:
    """A text that does not fit into the bytes a device keeps for it."""
    for language in facts.texts:
        data = dump(text_of(facts, language))
        try:
            load(Text, data, size_max=limits.NOTICE_TEXT_BYTES_MAX)
        except RefusedError as error:
            if not all(getattr(facts.texts[language], field) for field in TEXT_FIELDS):
                continue  # an empty field has its own rule
            yield Point(
                ("texts", language),
                f"The text cannot be sent: {error.detail}.",
                "Shorten it or link to a page.",
            )


@rule("title-length", Level.BLOCK, 34)
def title_length(facts: Facts, _: Context) -> Iterator[Point]:
    """A title that fills the small screen."""
    for language in facts.texts:
        text = text_of(facts, language)
        columns = small.geometry(text).columns
        lines = small.wrapped(text.title, small.geometry(text))
        if len(lines) > TITLE_LINES_MAX:
            yield Point(
                ("texts", language, "title"),
                f"The title takes {len(lines)} lines of {columns} columns on the small screen.",
                f"Shorten it to {TITLE_LINES_MAX} lines.",
            )


@rule("word-too-wide", Level.BLOCK, 34)
def word_too_wide(facts: Facts, _: Context) -> Iterator[Point]:
    """A word that the small screen would have to cut."""
    for language in facts.texts:
        text = text_of(facts, language)
        columns = small.geometry(text).columns
        for field in ("title", "action", "happened"):
            for word in layout.too_wide(getattr(text, field), columns):
                yield Point(
                    ("texts", language, field),
                    f"'{word}' is wider than the {columns} columns of the small screen.",
                    'Use a shorter word, or set "\\u00ad" where it may be hyphenated.',
                )


@rule("small-overflow", Level.BLOCK, 34)
def small_overflow(facts: Facts, _: Context) -> Iterator[Point]:
    """More than the small screen's pages."""
    notice = header_of(facts)
    for language in facts.texts:
        text = text_of(facts, language)
        count = max(len(small.pages(notice, text, code=_CODE, confirmed=sure)) for sure in (True, False))
        if count > small.PAGES_MAX:
            yield Point(
                ("texts", language, "action"),
                f"The small screen needs {count} pages; {small.PAGES_MAX} are read.",
                "Shorten 'action' or 'happened'.",
            )


@rule("console-overflow", Level.BLOCK, 34)
def console_overflow(facts: Facts, _: Context) -> Iterator[Point]:
    """More than the console's lines."""
    notice = header_of(facts, exercise=True)
    product = max(facts.products, key=layout.width, default="")  # one taken over names no product of ours yet
    for language in facts.texts:
        text = text_of(facts, language)
        count = max(
            len(console.render(notice, text, product=product, installed=_VERSION, code=_CODE, confirmed=sure))
            for sure in (True, False)
        )
        if count > console.HEIGHT:
            yield Point(
                ("texts", language),
                f"The console needs {count} lines; it has {console.HEIGHT}.",
                "Shorten the text.",
            )
