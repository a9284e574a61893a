"""Rules about words: nothing unfinished, nothing unexplained, nothing that has to be read twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from advisories.checks.frame import CLOSED, Context, Level, Point, paragraphs, rule, said
from advisories.checks.reading import reading, sentences
from advisories.facts import Facts
from advisories.glossaries import SPACELESS, extra_for, glossary, search
from advisories.languages import primary
from advisories.notice import Action, Phase

SENTENCE_WORDS_MAX: Final = 20
SENTENCE_LETTERS_MAX: Final = 60
"""The same for scripts without spaces between words."""
PARAGRAPH_SENTENCES_MAX: Final = 5
SENTENCES_WITHOUT_STEPS_MAX: Final = 3
"""Sentences of what to do; more of them are easier to follow as steps."""
STEPS_MAX: Final = 7
READING_WORDS_MIN: Final = 30
"""Below this many words a formula says nothing."""

_PLACEHOLDER = re.compile(
    r"\[[^\]]*\]|<[^<>@]+>|\{[^}]*\}|[_?*]{3,}"
    r"|\b(?:TODO|TBD|TBA|FIXME|[Xx]{3,})\b|\b[Ll]orem ipsum\b"
)
_ADDRESSES = re.compile(r"\S+@\S+|https?://\S+|www\.\S+")
_FALSE_LAW = re.compile(r"Data Security (?:and |& )?Breach Notification Act", re.IGNORECASE)


@rule("placeholder", Level.BLOCK, 16)
def placeholder(facts: Facts, context: Context) -> Iterator[Point]:
    """A template's gap that nobody filled."""
    for path, language, text in said(facts):
        matcher = None
        for match in _PLACEHOLDER.finditer(text):
            matcher = matcher or glossary(language).matcher(extra_for(context.extra_terms, language))
            before = text[: match.start()].rstrip()
            if not any(found.end == len(before) for found in matcher.find(before)):
                yield Point(path, f"'{match.group()}' looks like a gap that nobody filled.", "Fill it in.")


@rule("jargon", Level.BLOCK, 31)
def jargon(facts: Facts, context: Context) -> Iterator[Point]:
    """A term that owners do not know, without its explanation there or further up.

    A title, a post and each question of the FAQ stand alone; the rest is read from the top.
    """
    for language, written in facts.texts.items():
        matcher = glossary(language).matcher(extra_for(context.extra_terms, language))
        known: set[int] = set()
        for name, text in written.fields().items():
            seen = set() if name in {"title", "social"} or name.startswith("faq") else known
            for found in matcher.find(text):
                if found.explained:
                    seen.add(found.term)
                elif found.term not in seen:
                    path = ("texts", language, *_path(name))
                    yield Point(
                        path,
                        f"'{found.word}' is jargon.",
                        f"Say '{found.plain}', or explain it right behind: '{found.word} ({found.plain})'.",
                    )


def _path(name: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in name.split("."))


@rule("sentence-length", Level.ADVICE, 32)
def sentence_length(facts: Facts, _: Context) -> Iterator[Point]:
    """A sentence that has to be read twice."""
    for path, language, name, text in paragraphs(facts):
        if name == "contact":
            continue
        spaceless = primary(language) in SPACELESS
        most, unit = (SENTENCE_LETTERS_MAX, "letters") if spaceless else (SENTENCE_WORDS_MAX, "words")
        sizes = [len(part) if spaceless else len(part.split()) for part in sentences(text)]
        if max(sizes, default=0) > most:
            yield Point(
                path, f"A sentence has {max(sizes)} {unit}; {most} are easy to read.", "Make two of it."
            )


@rule("paragraph-length", Level.ADVICE, 33)
def paragraph_length(facts: Facts, _: Context) -> Iterator[Point]:
    """A paragraph that the eye slides off."""
    for path, _language, name, text in paragraphs(facts):
        size = len(sentences(text))
        if name != "contact" and size > PARAGRAPH_SENTENCES_MAX:
            yield Point(
                path,
                f"The paragraph has {size} sentences; {PARAGRAPH_SENTENCES_MAX} are read.",
                "Leave out what the reader does not need, or move it to 'faq'.",
            )


@rule("steps", Level.ADVICE, 33)
def steps(facts: Facts, _: Context) -> Iterator[Point]:
    """What to do, told as a story instead of a list; or a list that nobody finishes."""
    for language, written in facts.texts.items():
        size = len(sentences(written.action))
        if size > SENTENCES_WITHOUT_STEPS_MAX and not written.steps:
            yield Point(
                ("texts", language, "action"),
                f"What to do takes {size} sentences, and there is no list of steps.",
                "Keep the first one here and put one step a line into 'steps'.",
            )
        if len(written.steps) > STEPS_MAX:
            yield Point(
                ("texts", language, "steps"),
                f"There are {len(written.steps)} steps; people follow {STEPS_MAX}.",
                "Join some of them, or move what is not needed at once to 'faq'.",
            )


@rule("reading-grade", Level.ADVICE, 32)
def reading_grade(facts: Facts, _: Context) -> Iterator[Point]:
    """A text that asks for more school years than the public has, by the formula of its language."""
    for language, written in facts.texts.items():
        text = f"{written.action} {written.happened} {written.affected} {written.doing}"
        found = reading(_ADDRESSES.sub("", text), language)
        if found is None or len(text.split()) < READING_WORDS_MIN:
            continue
        formula, value = found
        if formula.hard(value):
            yield Point(
                ("texts", language, "happened"),
                f"The text is hard to read: {formula.name} {value:.1f}, wanted {formula.wanted}.",
                "Use shorter sentences and shorter words.",
            )


@rule("skim-test", Level.BLOCK, 34)
def skim_test(facts: Facts, _: Context) -> Iterator[Point]:
    """A title that alone does not say how grave it is or what to do, or says another thing than the rest."""
    for language, written in facts.texts.items():
        path, title = ("texts", language, "title"), written.title
        patterns = glossary(language).patterns
        if not patterns or not title.strip():
            continue
        empty = patterns["empty_title"].search(title) is not None
        if empty or not (patterns["act"].search(title) or patterns["gravity"].search(title)):
            yield Point(
                path,
                "The title alone tells neither what to do nor how grave it is; most people read no further.",
                "Begin with the action, as in 'Please install update', or name the danger.",
                # Other words than the glossary's may name an action: people decide.
                None if empty else Level.ADVICE,
            )
        calm = patterns["nothing"].search(title)
        hurry = patterns["urgent"].search(title)
        if calm and facts.action is Action.ACT_NOW and facts.phase not in CLOSED:
            yield Point(
                path,
                f"The title says '{calm.group()}', and 'action' says act-now.",
                "Make the two say the same.",
            )
        if hurry and facts.action in {Action.FOR_INFORMATION, Action.RESOLVED}:
            yield Point(
                path,
                f"The title says '{hurry.group()}', and there is nothing to hurry for: 'action' is "
                f"{facts.action.name.lower().replace('_', '-')}.",
                "Make the two say the same.",
            )


@rule("vague-data", Level.BLOCK, 10)
def vague_data(facts: Facts, _: Context) -> Iterator[Point]:
    """``Some data`` where people must know which."""
    if facts.phase is Phase.INITIAL:
        return
    for path, language, name, text in paragraphs(facts):
        if name not in {"title", "happened", "affected", "changed", "social"}:
            continue
        found = search(language, "vague_data", text)
        if found:
            yield Point(
                path,
                f"'{found.group()}' does not tell the reader which.",
                "Name each kind of data that is concerned.",
            )


@rule("login-link", Level.BLOCK, 49)
def login_link(facts: Facts, _: Context) -> Iterator[Point]:
    """Anything that a forger's message would also do: a link to log in, a request for a password."""
    mend = "Leave it out: a real notice never does that, so that owners can tell a forged one."
    for path, language, _name, text in paragraphs(facts):
        link = _LINK.search(text)
        if link:
            yield Point(path, f"'{link.group()}' leads to a login.", mend)
        for pattern, what in (("login", "sends the reader to a login"), ("asks_secret", "asks for a secret")):
            found = _demanded(language, pattern, text)
            if found:
                yield Point(path, f"'{found}' {what}.", mend)


_LINK = re.compile(
    r"https?://\S*(?:log-?in|sign-?in|log-?on|account|password|passwort|verify|auth)\S*", re.IGNORECASE
)
_CLAUSE_END = re.compile(r"[.;:!?,。；：！？、，؛،؟]\s*|\s[-–—]\s")  # noqa: RUF001 - marks of other scripts


def _demanded(language: str, pattern: str, text: str) -> str | None:
    """Return words that demand it; "we never ask you to confirm a password" does not."""
    compiled = glossary(language).patterns.get(pattern)
    if compiled is None:
        return None
    for match in compiled.finditer(text):
        before = _CLAUSE_END.split(text[: match.start()])[-1]
        after = _CLAUSE_END.split(text[match.end() :])[0]
        if not search(language, "never", f"{before} {match.group()} {after}"):
            return match.group()
    return None


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


@rule("police-levels", Level.BLOCK, 20)
def police_levels(facts: Facts, _: Context) -> Iterator[Point]:
    """A duty to tell the police "at all levels", which no law lays down."""
    for path, language, text in said(facts):
        found = search(language, "police_levels", text)
        if found:
            yield Point(
                path,
                f"'{found.group()}': no law asks to tell the police of every level.",
                "Name the office that was told, or leave it out and ask Legal.",
            )


@rule("internal-words", Level.BLOCK, 39)
def internal_words(facts: Facts, _: Context) -> Iterator[Point]:
    """Words of a document that was never meant for customers."""
    for path, language, _name, text in paragraphs(facts):
        found = search(language, "internal", text)
        if found:
            yield Point(
                path, f"'{found.group()}' is a mark of internal documents.", "Check that this may go out."
            )
