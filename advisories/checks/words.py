"""Rules about words: plain, honest, complete in every language, and never a bait."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import pyphen

from advisories.checks.frame import Context, Level, Point, prose, rule, said
from advisories.facts import Facts
from advisories.languages import has_words, primary, words

SENTENCE_WORDS_MAX: Final = 20
SENTENCE_LETTERS_MAX: Final = 60
"""The same for scripts without spaces between words."""
GRADE_MAX: Final = 8.0
"""Flesch-Kincaid school grade for a text to the public."""
GRADE_WORDS_MIN: Final = 30
"""Below this many words the formula says nothing."""

_PLACEHOLDER = re.compile(
    r"\[[^\]]*\]|<[^<>@]+>|\{[^}]*\}|_{3,}|\b(?:TODO|TBD|TBA|FIXME|XXX+)\b|\blorem ipsum\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[。！？])|(?<!\s\d\.)(?<!\s\d\d\.)(?<=[.!?])\s+")  # noqa: RUF001 - Japanese marks
_LINK = re.compile(
    r"https?://\S*(?:log-?in|sign-?in|account|password|passwort|verify|auth)\S*", re.IGNORECASE
)
_FALSE_LAW = re.compile(r"Data Security (?:and )?Breach Notification Act", re.IGNORECASE)
_NUMBER = re.compile(r"[A-Z]{2,}(?:-\d+)+|\d+(?:\.\d+){2,}(?:\+\d+)?|\d{1,2}:\d{2}|\d+(?:[.,]\d+)*")
_COMPARED = ("title", "action", "happened", "affected", "doing")
"""Fields whose numbers must be the same in every language; a contact may be another one in each."""


@dataclass(frozen=True, slots=True)
class Glossary:
    """Terms of one language with the plain words, and patterns by what they find."""

    terms: Mapping[str, str]
    patterns: Mapping[str, re.Pattern[str]]


@cache
def glossary(language: str) -> Glossary:
    """Return the glossary of a language; empty where there is none yet."""
    text = resources.files("advisories.checks").joinpath("glossary/old.toml").read_text("utf-8")
    data: dict[str, dict[str, Any]] = tomllib.loads(text)
    tag = primary(language)
    return Glossary(
        data["terms"].get(tag, {}),
        {name: re.compile(p, re.IGNORECASE) for name, p in data["patterns"].get(tag, {}).items()},
    )


def _matching(facts: Facts, pattern: str) -> Iterator[tuple[str, str, str]]:
    """Yield (language, field, found words) where a pattern of the text's language is met."""
    for language, field, text in prose(facts):
        found = glossary(language).patterns.get(pattern)
        match = found.search(text) if found else None
        if match:
            yield language, field, match.group()


def _term(term: str, language: str) -> re.Pattern[str]:
    if primary(language) == "ja":
        return re.compile(re.escape(term))
    flags = re.NOFLAG if term.isupper() else re.IGNORECASE
    return re.compile(rf"\b{re.escape(term)}(?:e?s)?\b(?!-\d)", flags)  # CVE-2026-1 is an id, not jargon


def jargon(text: str, language: str) -> list[tuple[str, str, bool]]:
    """Return (word found, plain words, explained) for each glossary term; the longest term wins."""
    found: list[tuple[str, str, bool]] = []
    rest = text
    terms = glossary(language).terms
    for term in sorted(terms, key=len, reverse=True):
        for match in _term(term, language).finditer(rest):
            explained = re.match(r"\s?[\[(（]", rest[match.end() :]) is not None  # noqa: RUF001 - full width
            found.append((match.group(), terms[term], explained))
        rest = _term(term, language).sub(lambda match: "\0" * len(match.group()), rest)
    return found


@rule("placeholder", Level.BLOCK, 16)
def placeholder(facts: Facts, _: Context) -> Iterator[Point]:
    """A template's gap that nobody filled."""
    for path, language, text in said(facts):
        for match in _PLACEHOLDER.finditer(text):
            before = text[: match.start()].rstrip()
            glossed = any(before.lower().endswith(word.lower()) for word, _, _ in jargon(before, language))
            if not glossed:
                yield Point(path, f"'{match.group()}' looks like a gap that nobody filled.", "Fill it in.")


@rule("jargon", Level.BLOCK, 31)
def unexplained_jargon(facts: Facts, _: Context) -> Iterator[Point]:
    """A term that owners do not know, without its explanation."""
    for language, field, text in prose(facts):
        for word, plain, explained in jargon(text, language):
            if not explained:
                yield Point(
                    ("texts", language, field),
                    f"'{word}' is jargon.",
                    f"Say '{plain}', or explain it right behind: '{word} ({plain})'.",
                )


def sentences(text: str) -> list[str]:
    """Split a text into sentences; a number's dot (``24. November``, ``1.4.2``) does not end one."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


@rule("sentence-length", Level.ADVICE, 32)
def sentence_length(facts: Facts, _: Context) -> Iterator[Point]:
    """A sentence that has to be read twice."""
    for language, field, text in prose(facts):
        for sentence in sentences(text):
            spaceless = primary(language) in {"ja", "zh", "th"}
            size, most, unit = (
                (len(sentence), SENTENCE_LETTERS_MAX, "letters")
                if spaceless
                else (len(sentence.split()), SENTENCE_WORDS_MAX, "words")
            )
            if field != "contact" and size > most:
                yield Point(
                    ("texts", language, field),
                    f"A sentence has {size} {unit}; {most} are easy to read.",
                    "Make two of it.",
                )


def grade(text: str) -> float:
    """Return the Flesch-Kincaid school grade of an English text (syllables by hyphenation)."""
    hyphens = pyphen.Pyphen(lang="en_US")
    found = re.findall(r"[A-Za-z]+(?:'[a-z]+)?", text)
    syllables = sum(len(hyphens.positions(word)) + 1 for word in found)
    return 0.39 * len(found) / max(1, len(sentences(text))) + 11.8 * syllables / max(1, len(found)) - 15.59


@rule("reading-grade", Level.ADVICE, 32)
def reading_grade(facts: Facts, _: Context) -> Iterator[Point]:
    """English that asks for more school years than the public has."""
    for language, written in facts.texts.items():
        text = f"{written.action} {written.happened} {written.affected} {written.doing}"
        if primary(language) == "en" and len(text.split()) >= GRADE_WORDS_MIN and grade(text) > GRADE_MAX:
            yield Point(
                ("texts", language, "happened"),
                f"The text needs school grade {grade(text):.1f}; the public reads grade {GRADE_MAX:.0f}.",
                "Use shorter sentences and shorter words.",
            )


@rule("no-evidence", Level.BLOCK, 9)
def no_evidence(facts: Facts, _: Context) -> Iterator[Point]:
    """``No evidence that ...`` without saying who looked, and when."""
    pattern = glossary(facts.source_language).patterns.get("no_evidence")
    backed = False
    for number, fact in enumerate(facts.facts):
        if pattern is None or not pattern.search(fact.statement):
            continue
        if fact.source and fact.date:
            backed = True
        else:
            yield Point(
                ("facts", number),
                "'No evidence' is said without a source and a date.",
                "Add who looked ('source:') and until when ('date:').",
            )
    if not backed:
        for language, field, phrase in _matching(facts, "no_evidence"):
            yield Point(
                ("texts", language, field),
                f"'{phrase}' rests on no fact with a source and a date.",
                "Add such a fact to 'facts:', or leave the words out.",
            )


@rule("empty-promise", Level.BLOCK, 25)
def empty_promise(facts: Facts, _: Context) -> Iterator[Point]:
    """``We take security seriously`` without one measure."""
    for language, field, phrase in _matching(facts, "seriously"):
        measure = glossary(language).patterns["measure"]
        if not measure.search(facts.texts[language].doing):
            yield Point(
                ("texts", language, field),
                f"'{phrase}' is said without one concrete measure.",
                "Say in 'doing' what was changed, or leave the words out.",
            )


@rule("login-link", Level.BLOCK, 49)
def login_link(facts: Facts, _: Context) -> Iterator[Point]:
    """Anything that a forger's message would also do: a link to log in, a request for a password."""
    mend = "Leave it out: a real notice never does that, so that owners can tell a forged one."
    for language, field, text in prose(facts):
        link = _LINK.search(text)
        if link:
            yield Point(("texts", language, field), f"'{link.group()}' leads to a login.", mend)
    for pattern, what in (("login", "sends the reader to a login"), ("asks_secret", "asks for a secret")):
        for language, field, phrase in _matching(facts, pattern):
            yield Point(("texts", language, field), f"'{phrase}' {what}.", mend)


@rule("false-law", Level.BLOCK, 20)
def false_law(facts: Facts, _: Context) -> Iterator[Point]:
    """A citation of the "Data Security Breach Notification Act of 2015", which never became law."""
    for path, _language, text in said(facts):
        match = _FALSE_LAW.search(text)
        if match:
            yield Point(
                path,
                f"The '{match.group()}' never became law (H.R. 1770, 114th Congress).",
                "Leave it out and ask Legal which law applies.",
            )


def numbers(text: str, language: str) -> set[str]:
    """Return numbers, versions, dates and ids of a text in one spelling for all languages."""
    plain = unicodedata.normalize("NFKC", text)
    if has_words(language):
        for number, month in enumerate(words(language).months, 1):
            if not month[0].isdigit():
                plain = re.sub(rf"(?<=\d)(\.? ){month}\b|\b{month}(?= \d)", rf" {number} ", plain)
    return {_canonical(match) for match in _NUMBER.findall(plain)}


def _canonical(number: str) -> str:
    if number[0].isalpha() or (number.count(".") >= 2 and not re.fullmatch(r"\d{1,3}(\.\d{3})+", number)):
        return number
    if ":" in number:
        hour, minute = number.split(":")
        return str(int(hour)) if minute == "00" else f"{int(hour)}:{minute}"
    if re.fullmatch(r"[1-9]\d{0,2}([.,]\d{3})+", number):
        return re.sub("[.,]", "", number)
    return number.replace(",", ".") if not number.isdigit() else str(int(number))


@rule("numbers-differ", Level.BLOCK, 36)
def numbers_differ(facts: Facts, _: Context) -> Iterator[Point]:
    """A number, version, date or id of a translation that the source text does not have, or the reverse."""
    source = facts.source_language
    wanted = {f: numbers(getattr(facts.source, f), source) for f in _COMPARED}
    for language, written in facts.texts.items():
        if language == source:
            continue
        got = {f: numbers(getattr(written, f), language) for f in _COMPARED}
        everything_wanted, everything_got = set().union(*wanted.values()), set().union(*got.values())
        for field in _COMPARED:
            missing = sorted(wanted[field] - everything_got)
            extra = sorted(got[field] - everything_wanted)
            faults = [f"lacks {', '.join(missing)}"] if missing else []
            faults += [f"has {', '.join(extra)}"] if extra else []
            if faults:
                yield Point(
                    ("texts", language, field),
                    f"'{field}' in '{language}' {' and '.join(faults)}, unlike the text in '{source}'.",
                    "Make numbers, versions, dates and ids the same.",
                )
