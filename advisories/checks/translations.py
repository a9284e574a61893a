"""Rules about languages: nothing missing, nothing said otherwise, and a person who stands for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from advisories.checks.frame import Context, Level, Point, parts, rule
from advisories.checks.numbers import numbers
from advisories.facts import Facts
from advisories.glossaries import glossary, search
from advisories.languages import has_words, primary

_NOT_COMPARED: Final = frozenset({"contact", "social"})
"""A contact may be another one in each language; a post has rules of its own."""
_OWED: Final = ("steps", "workaround", "offer")
"""What every reader must get if one gets it."""
_USUAL: Final = ("prevention", "apology", "faq")
_SCRIPTS: Final = {
    "ja": re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
}
SAME_WORDS_MIN: Final = 5
"""A paragraph of so many words is not the same in two languages by chance."""


@rule("language-missing", Level.BLOCK, 35)
def language_missing(facts: Facts, context: Context) -> Iterator[Point]:
    """A language that devices ask for and that has no text."""
    for language in context.served:
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


@rule("address", Level.ADVICE, 38)
def address(facts: Facts, _: Context) -> Iterator[Point]:
    """A reader who is addressed as that language's readers are not by a company."""
    for language, written in facts.texts.items():
        for name, text in written.fields().items():
            found = search(language, "familiar", text)
            if found:
                note = glossary(language).notes.get("address", "")
                yield Point(
                    ("texts", language, *parts(name)),
                    f"'{found.group()}' is not how a company speaks to its customers in '{language}'.",
                    f"Usual there: {note}",
                )


@rule("translation-signed", Level.BLOCK, 36)
def translation_signed(facts: Facts, _: Context) -> Iterator[Point]:
    """A translation for which no person stands; only an exercise may waive it, by name."""
    waived = facts.waived_sign_off is not None
    if waived and not facts.exercise:
        yield Point(
            ("waived_sign_off",),
            "Only an exercise may go out without a person's sign-off, and this is none.",
            "Have each translation read and signed off, and leave this out.",
        )
    for language, written in facts.texts.items():
        if language == facts.source_language or (written.translator and written.signed_off):
            continue
        yield Point(
            ("texts", language),
            f"The text in '{language}' does not say who translated it and who signed it off.",
            "Add 'translator:' and 'signed_off:'.",
            Level.ADVICE if waived and facts.exercise else None,
        )


@rule("translation-incomplete", Level.BLOCK, 35)
def translation_incomplete(facts: Facts, _: Context) -> Iterator[Point]:
    """Something that readers of one language are told and those of another are not."""
    for language, written in facts.texts.items():
        if language == facts.source_language:
            continue
        for key in (*_OWED, *_USUAL):
            wanted, got = getattr(facts.source, key), getattr(written, key)
            if isinstance(wanted, tuple):
                short = len(got) < len(wanted)
                lack = f"{len(got)} of {len(wanted)} entries of '{key}'"
            else:
                short = bool(wanted) and not got
                lack = f"no '{key}'"
            if short:
                yield Point(
                    ("texts", language, key),
                    f"The text in '{language}' has {lack}, unlike the text in '{facts.source_language}'.",
                    "Translate what is missing.",
                    None if key in _OWED else Level.ADVICE,
                )


@rule("untranslated", Level.BLOCK, 35)
def untranslated(facts: Facts, _: Context) -> Iterator[Point]:
    """A paragraph still in the source language, or in the wrong script."""
    source = facts.source.fields()
    for language, written in facts.texts.items():
        if primary(language) == primary(facts.source_language):
            continue
        script = _SCRIPTS.get(primary(language))
        for name, text in written.fields().items():
            if name == "contact":
                continue
            same = text == source.get(name) and len(text.split()) >= SAME_WORDS_MIN
            foreign = script is not None and text.strip() and not script.search(text)
            if same or foreign:
                yield Point(
                    ("texts", language, *parts(name)),
                    f"This is not in '{language}' yet.",
                    "Translate it.",
                )


@rule("numbers-differ", Level.BLOCK, 36)
def numbers_differ(facts: Facts, _: Context) -> Iterator[Point]:
    """A number, version, date or id of a translation that the source text does not have, or the reverse."""
    source = facts.source_language
    wanted = _numbers(facts.source.fields(), source)
    for language, written in facts.texts.items():
        if language == source:
            continue
        got = _numbers(written.fields(), language)
        # What a translation leaves out altogether has a rule of its own.
        everywhere = set().union(*wanted.values())
        anywhere = set().union(*got.values())
        for name, mine in got.items():
            missing = sorted(wanted.get(name, set()) - anywhere)
            extra = sorted(mine - everywhere)
            faults = [f"lacks {', '.join(missing)}"] if missing else []
            faults += [f"has {', '.join(extra)}"] if extra else []
            if faults:
                yield Point(
                    ("texts", language, *parts(name)),
                    f"'{name}' in '{language}' {' and '.join(faults)}, unlike the text in '{source}'.",
                    "Make numbers, versions, dates and ids the same.",
                )


def _numbers(fields: dict[str, str], language: str) -> dict[str, set[str]]:
    return {name: numbers(text, language) for name, text in fields.items() if name not in _NOT_COMPARED}
