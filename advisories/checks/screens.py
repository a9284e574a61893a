"""Every check of an advisory before it may be approved, and the rules about its facts and screens.

``check`` runs all rules. Rules about words live in :mod:`advisories.words`; the frame in
:mod:`advisories.rules`. A finding that blocks keeps an advisory from being approved; advice does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from advisories import limits
from advisories.checks.frame import Context, Level, Point, rule
from advisories.compose import header_of, text_of
from advisories.facts import TEXT_FIELDS, Facts, Status
from advisories.languages import has_words
from advisories.notice import Phase, Text
from advisories.render import console, layout, small
from keys.codec import dump, load
from keys.errors import RefusedError

TITLE_LINES_MAX: Final = 2  # lines of the small screen
_CODE = "WWW-WWW"  # as wide as any check code
_VERSION = "255.255.65535"  # as wide as any version without a build number
_CONTACT = re.compile(r"\S+@\S+\.\S+|\+?\d[\d ()/-]{4,}\d|https?://\S+")
_CLOSED = frozenset({Phase.RESOLVED, Phase.WITHDRAWN})


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


def _seen(text: str) -> str:
    """Return what an owner sees of a text: zero-width letters and soft hyphens alone are nothing."""
    return layout.clean(text).replace(layout.SOFT_HYPHEN, "").strip("\u200c\u200d ")


@rule("empty-field", Level.BLOCK, 23)
def empty_field(facts: Facts, _: Context) -> Iterator[Point]:
    """Something an owner has to be told is left empty."""
    for language, written in facts.texts.items():
        for field in TEXT_FIELDS:
            if field not in {"action", "contact"} and not _seen(getattr(written, field)):
                yield Point(("texts", language, field), f"'{field}' is empty.", "Write it.")


@rule("action-first", Level.BLOCK, 24)
def action_first(facts: Facts, _: Context) -> Iterator[Point]:
    """What the owner must do comes first on every surface, so it must be there."""
    for language, written in facts.texts.items():
        if not _seen(written.action):
            yield Point(
                ("texts", language, "action"),
                "'action' is empty, and it is what every screen begins with.",
                "Say what the owner must do, or that there is nothing to do.",
            )


@rule("contact", Level.BLOCK, 29)
def contact(facts: Facts, _: Context) -> Iterator[Point]:
    """No way to ask a person."""
    for language, written in facts.texts.items():
        if not _CONTACT.search(written.contact):
            yield Point(
                ("texts", language, "contact"),
                "'contact' names no phone number, mail address or page.",
                "Add one, with the hours in which somebody answers.",
            )


@rule("language-missing", Level.BLOCK, 35)
def language_missing(facts: Facts, context: Context) -> Iterator[Point]:
    """A language that devices ask for and that has no text."""
    for language in context.served(facts):
        waived = facts.waived_languages.get(language)
        if language in facts.texts:
            continue
        if waived:
            yield Point(
                ("waived_languages", language),
                f"Owners who read '{language}' get the text in another language; {waived} decided that.",
                "Add the translation when it is there.",
                Level.ADVICE,
            )
        else:
            yield Point(
                ("texts",),
                f"Devices ask for '{language}', and there is no such text.",
                f"Add it, or waive it by name: 'waived_languages: {{{language}: <who decided>}}'.",
            )


@rule("screen-words", Level.ADVICE, 38)
def screen_words(facts: Facts, _: Context) -> Iterator[Point]:
    """A language whose screens would speak English around the text."""
    for language in facts.texts:
        if not has_words(language):
            yield Point(
                ("texts", language),
                f"The fixed words of screens are not there in '{language}'; English ones stand in.",
                "Add a table to advisories/languages.toml.",
            )


@rule("translation-signed", Level.ADVICE, 36)
def translation_signed(facts: Facts, _: Context) -> Iterator[Point]:
    """A translation for which no person stands."""
    for language, written in facts.texts.items():
        if language != facts.source_language and not (written.translator and written.signed_off):
            yield Point(
                ("texts", language),
                f"The text in '{language}' does not say who translated it and who signed it off.",
                "Add 'translator:' and 'signed_off:'.",
            )


@rule("next-update", Level.BLOCK, 19)
def next_update(facts: Facts, _: Context) -> Iterator[Point]:
    """An open matter without a time at which owners hear again."""
    if facts.next_update is None and facts.phase not in _CLOSED:
        yield Point(
            ("phase",),
            "The matter is open, and 'next_update' does not say when owners hear again.",
            "Add 'next_update:' with a date, a time and a zone.",
        )


@rule("affected-version", Level.BLOCK, 7)
def affected_version(facts: Facts, _: Context) -> Iterator[Point]:
    """A first notice that concerns no device."""
    if facts.phase is Phase.INITIAL and not any(product.affected for product in facts.products.values()):
        yield Point(
            ("products",),
            "No product has an affected version, so no device would show this first notice.",
            "Add the affected versions.",
        )


@rule("fact-source", Level.ADVICE, 8)
def fact_source(facts: Facts, _: Context) -> Iterator[Point]:
    """A fact said to be confirmed by nobody."""
    for number, fact in enumerate(facts.facts):
        if fact.status is Status.CONFIRMED and not fact.source:
            yield Point(("facts", number), "A confirmed fact names no source.", "Add 'source:' and 'date:'.")


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
    product = max(facts.products, key=layout.width)
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
