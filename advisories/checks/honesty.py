"""Rules about honesty: what is known and by whom, what is not, and nothing promised without a measure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from advisories.checks.frame import CLOSED, Context, Level, Point, paragraphs, rule
from advisories.checks.reading import sentences
from advisories.facts import Facts, Status
from advisories.facts.matter import Kind, MeasureKind
from advisories.glossaries import SPACELESS, glossary, search
from advisories.languages import primary
from advisories.notice import Phase, Severity

SAME_WORDS_MIN: Final = 5
SAME_LETTERS_MIN: Final = 12
"""So long a piece of a fact in a text means that the text tells this fact."""
LONG_TERM: Final = frozenset({MeasureKind.PENETRATION_TEST, MeasureKind.CONTROL_REVIEW})
_FINANCIAL_FIELDS: Final = ("title", "action", "happened", "affected")


@rule("fact-source", Level.BLOCK, 8)
def fact_source(facts: Facts, _: Context) -> Iterator[Point]:
    """A fact said to be confirmed by nobody."""
    for number, fact in enumerate(facts.facts):
        if fact.status is not Status.CONFIRMED:
            continue
        if not fact.source:
            yield Point(
                ("facts", number),
                "A confirmed fact names no source.",
                "Add 'source:' and 'date:', or call it suspected.",
            )
        elif fact.date is None:
            yield Point(
                ("facts", number), "A confirmed fact has no date.", "Add 'date:': since when.", Level.ADVICE
            )
    if facts.data and facts.data.status is Status.CONFIRMED and not facts.data.source:
        yield Point(
            ("data",),
            "The kinds of data are confirmed by nobody.",
            "Add 'source:' and 'date:', or call it suspected.",
        )


@rule("facts-first", Level.ADVICE, 22)
def facts_first(facts: Facts, _: Context) -> Iterator[Point]:
    """An early word without one confirmed fact under it."""
    said = {fact.status for fact in facts.facts}
    if facts.phase is Phase.INITIAL and Status.CONFIRMED not in said:
        yield Point(
            ("facts",),
            "Nothing is confirmed yet; an early notice stands on confirmed facts.",
            "Add what is confirmed to 'facts:', with its source and date; say what is 'unknown'.",
            Level.ADVICE if Status.UNKNOWN in said else Level.BLOCK,
        )


@rule("suspected-as-certain", Level.ADVICE, 8)
def suspected_as_certain(facts: Facts, _: Context) -> Iterator[Point]:
    """A suspicion told as if it were known: its words stand in a text without may, might or suspect."""
    language = facts.source_language
    if "hedge" not in glossary(language).patterns:
        return
    for fact in facts.facts:
        if fact.status is Status.CONFIRMED or search(language, "no_evidence", fact.statement):
            continue
        for path, tag, _name, text in paragraphs(facts):
            if tag != language:
                continue
            for sentence in sentences(text):
                if overlap(fact.statement, sentence, language) and not search(language, "hedge", sentence):
                    what = fact.statement[:60]
                    yield Point(
                        path,
                        f"A fact that is only {fact.status.value} is told as certain: '{what}'.",
                        "Say may, might or suspect; or confirm the fact.",
                    )


def overlap(one: str, other: str, language: str) -> str | None:
    """Return a long piece that two texts share word for word, in any case and with any marks; or None."""
    if primary(language) in SPACELESS:
        mine, theirs, least, glue = _letters(one), "".join(_letters(other)), SAME_LETTERS_MIN, ""
    else:
        mine, theirs, least, glue = _words(one), f" {' '.join(_words(other))} ", SAME_WORDS_MIN, " "
    for start in range(len(mine) - least + 1):
        piece = glue.join(mine[start : start + least])
        if (f" {piece} " if glue else piece) in theirs:
            return piece
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _letters(text: str) -> list[str]:
    return [letter for letter in text.casefold() if letter.isalnum()]


@rule("no-evidence", Level.BLOCK, 9)
def no_evidence(facts: Facts, _: Context) -> Iterator[Point]:
    """``No evidence that ...`` without saying who looked, until when, and that people go on looking."""
    language = facts.source_language
    backed = False
    for number, fact in enumerate(facts.facts):
        if search(language, "no_evidence", fact.statement) is None:
            continue
        if fact.source and fact.date:
            backed = True
        else:
            yield Point(
                ("facts", number),
                "'No evidence' is said without a source and a date.",
                "Add who looked ('source:') and until when ('date:').",
            )
    looking = facts.phase in CLOSED or (facts.investigation is not None and facts.investigation.running)
    for path, tag, _name, text in paragraphs(facts):
        found = search(tag, "no_evidence", text)
        if found and not backed:
            yield Point(
                path,
                f"'{found.group()}' rests on no fact with a source and a date.",
                "Add such a fact to 'facts:', or leave the words out.",
            )
        elif found and not looking:
            yield Point(
                path,
                f"'{found.group()}' is said, and nobody is looking.",
                "Add 'investigation: {running: true}' if people are, or leave the words out.",
            )


@rule("empty-promise", Level.BLOCK, 25)
def empty_promise(facts: Facts, _: Context) -> Iterator[Point]:
    """``We take security seriously`` without one measure."""
    for path, language, _name, text in paragraphs(facts):
        found = search(language, "seriously", text)
        if found is None or facts.measures:
            continue
        written = facts.texts[language]
        if not any(search(language, "measure", said) for said in (written.doing, written.prevention or "")):
            yield Point(
                path,
                f"'{found.group()}' is said without one concrete measure.",
                "Say in 'doing' what was changed, or leave the words out.",
            )


@rule("prevention", Level.BLOCK, 25)
def prevention(facts: Facts, _: Context) -> Iterator[Point]:
    """A matter that is closed, and nothing keeps it from coming back."""
    if facts.phase is not Phase.RESOLVED or facts.kind is Kind.END_OF_SUPPORT:
        return
    if not facts.measures:
        yield Point(
            ("phase",),
            "The matter is resolved, and 'measures' names nothing that keeps it from happening again.",
            "Add each measure with its kind and its day.",
        )
    for number, measure in enumerate(facts.measures):
        if not measure.done and measure.date is None:
            yield Point(
                ("measures", number),
                "A measure is neither done nor has a day.",
                "Add 'done: true' or 'date:'.",
                Level.ADVICE,
            )


@rule("long-term-plan", Level.ADVICE, 26)
def long_term_plan(facts: Facts, _: Context) -> Iterator[Point]:
    """A grave matter closed without a look at what else may be wrong."""
    kinds = {measure.kind for measure in facts.measures}
    grave = facts.severity >= Severity.HIGH and facts.kind is not Kind.END_OF_SUPPORT
    if facts.phase is Phase.RESOLVED and grave and kinds and not kinds & LONG_TERM:
        yield Point(
            ("measures",),
            "No measure looks further: no penetration test, no review of controls.",
            "Plan one and give it a day.",
        )


@rule("cooperation", Level.BLOCK, 27)
def cooperation(facts: Facts, _: Context) -> Iterator[Point]:
    """Said to work with police or investigators, and the facts do not say with whom, since when, by whom."""
    known = facts.investigation
    true = bool(known and known.with_authorities and known.since and known.source)
    for path, language, _name, text in paragraphs(facts):
        found = None if true else search(language, "cooperation", text)
        if found:
            yield Point(
                path,
                f"'{found.group()}' is said, and 'investigation' does not bear it out.",
                "Add 'with_authorities', 'since' and 'source' if it is true; else leave the words out.",
            )


@rule("data-types", Level.BLOCK, 10)
def data_types(facts: Facts, _: Context) -> Iterator[Point]:
    """Personal data is concerned, and after the first notice nobody says which."""
    if (
        facts.data
        and facts.data.concerned
        and not facts.data.types
        and facts.phase in {Phase.UPDATE, Phase.RESOLVED}
    ):
        yield Point(
            ("data",),
            "Personal data is concerned, and 'types' names no kind of it.",
            "Name each kind in 'types:'.",
        )


@rule("financial-words", Level.BLOCK, 11)
def financial_words(facts: Facts, _: Context) -> Iterator[Point]:
    """Money can be lost, and the words do not say so where people look."""
    if not (facts.data and facts.data.financial):
        return
    for language, written in facts.texts.items():
        pattern = glossary(language).patterns.get("financial")
        if pattern and not any(pattern.search(getattr(written, name)) for name in _FINANCIAL_FIELDS):
            yield Point(
                ("texts", language, "affected"),
                "Card or bank data is concerned, and neither title nor the first three parts say so.",
                "Name card, account or payment data in 'affected'.",
            )


@rule("offer", Level.BLOCK, 28)
def offer(facts: Facts, context: Context) -> Iterator[Point]:
    """Somebody could pass for the reader, and no help is offered."""
    for number, one in enumerate(facts.offers):
        if one.until and context.today and one.until < context.today:
            yield Point(
                ("offers", number), f"The offer ended on {one.until}.", "Give it a later day.", Level.ADVICE
            )
    if not (facts.data and facts.data.identity):
        return
    if not facts.offers:
        yield Point(
            ("data",),
            "Identity data is concerned, and 'offers' has no help for those concerned.",
            "Add an offer such as identity protection, and how to get it.",
        )
    for language, written in facts.texts.items():
        if not written.offer:
            yield Point(
                ("texts", language),
                f"Identity data is concerned, and the text in '{language}' offers no help.",
                "Add 'offer:'.",
            )


@rule("estimates", Level.BLOCK, 12)
def estimates(facts: Facts, context: Context) -> Iterator[Point]:
    """Estimates that lose their trail: out of order, or older ones taken away."""
    known = facts.estimates
    for number in range(1, len(known)):
        if known[number].of == known[number - 1].of and known[number].date < known[number - 1].date:
            yield Point(
                ("estimates", number),
                "This estimate is older than the one before it; the last one counts.",
                "Put them in the order of their days.",
            )
    for old in context.previous.estimates if context.previous else ():
        if old not in known:
            yield Point(
                ("estimates",),
                f"The estimate of {old.date} ({old.count} {old.of}) was published and is gone.",
                "Keep it, and add the new one below it.",
            )
