"""From a template and a person's answers to the text of a new file of facts.

Pure, and always well-formed: whatever was answered, the text reads back as facts. It keeps comments that
teach how to go on, and [brackets] wherever something is missing.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

from advisories.facts.matter import Contact
from advisories.languages import primary
from advisories.notice import Severity
from advisories.phases import word
from advisories.templates import Template, TemplateText, phrases, speaks
from advisories.versions import Range, format_range, format_version

SCHEMA_FILE: Final = "advisory.schema.json"
"""Name of the JSON Schema beside the files of facts, for editors."""
_WIDTH = 100
_UNITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """What is known about one of our products."""

    name: str
    affected: tuple[Range, ...] | None = None
    """None: nobody said which versions."""
    fixed: str | None = None
    end: date | None = None
    """Last day of its support."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What was taken over from a supplier, or found in what our products are made of."""

    cves: tuple[str, ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    """Address and what stands there."""
    known: tuple[tuple[str, str], ...] = ()
    """Confirmed statement and its source."""
    unknown: tuple[str, ...] = ()
    """Statements that somebody has yet to confirm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a new file says beside the template; None: not answered."""

    id: str
    exercise: bool
    holder: str
    languages: tuple[str, ...]
    """In which the text is needed."""
    source: str
    """One of them: the language in which the answers were given."""
    products: Mapping[str, Concerned]
    happened: str | None = None
    action: str | None = None
    contact: str | None = None
    contacts: tuple[Contact, ...] = ()
    next_update: datetime | None = None
    proposed_update: datetime | None = None
    """When owners would usually hear again; stands in a comment until somebody decides."""
    carried: Carried = field(default_factory=Carried)


def write(template: Template, answers: Answers) -> str:
    """Return the text of a new file of facts."""
    parts = (
        _head(template, answers),
        _products(answers),
        _times(template, answers),
        _facts(template, answers),
        _weaknesses(template, answers),
        [template.more.rstrip() + "\n"] if template.more else [],
        _contacts(answers),
        _texts(template, answers),
    )
    return "\n".join("\n".join(lines).rstrip() + "\n" for part in parts if (lines := list(part)))


def _head(template: Template, answers: Answers) -> Iterator[str]:
    yield f"# yaml-language-server: $schema={SCHEMA_FILE}"
    yield f"# {template.name}: {template.for_}"
    yield "# Everything that anybody reads is made from this one file. What is missing stands in [brackets]."
    yield f"# Fill it in, then run: tocsin advisory check {answers.id}"
    yield ""
    yield f"id: {_scalar(answers.id)}"
    yield f"exercise: {json.dumps(answers.exercise)}"
    yield f"kind: {template.kind.value}"
    yield ""
    yield "author:                  # who wrote it; the author's signature counts for this role only"
    yield f"  holder: {_scalar(answers.holder)}"
    yield "  role: engineering"
    yield ""
    yield f"phase: {word(template.phase)}"
    words = ", ".join(each.name.lower() for each in Severity)
    yield f"severity: {template.severity.name.lower()}  # {words}: for an affected owner"
    action = template.action.name.lower().replace("_", "-")
    yield f"action: {action}  # act-now, act-soon, for-information, resolved: all that an LED can say"


def _products(answers: Answers) -> Iterator[str]:
    yield "products:                # each device compares its installed version by itself"
    for product, concerned in answers.products.items():
        yield f"  {_scalar(product)}:"
        if concerned.affected is None:
            yield '    affected: []         # which versions, e.g. [">=1.0.0 <1.4.2"]'
        else:
            ranges = ", ".join(_quoted(format_range(bounds)) for bounds in concerned.affected)
            yield f"    affected: [{ranges}]"
        yield f"    fixed: {_quoted(concerned.fixed)}" if concerned.fixed else '    # fixed: "1.4.2"'


def _times(template: Template, answers: Answers) -> Iterator[str]:
    yield f"expires_days: {template.expires_days}          # afterwards devices stop showing it"
    if answers.next_update is not None:
        yield f"next_update: {_instant(answers.next_update)}"
    elif answers.proposed_update is not None:
        yield f"# next_update: {_instant(answers.proposed_update)}  # when owners hear again: decide"
    if template.reminder is not None:
        every, most = template.reminder.every_hours, template.reminder.at_most
        yield f"reminder: {{every_hours: {every}, at_most: {most}}}"


def _facts(template: Template, answers: Answers) -> Iterator[str]:
    yield "facts:                   # what you know, how sure you are, who says so, since when"
    happened = answers.happened or _spoken(template, answers, answers.source).happened
    yield from _item("statement", happened)
    yield "    status: suspected    # confirmed, suspected or unknown"
    yield '    source: "[who says so]"'
    for statement, source in answers.carried.known:
        yield from _item("statement", statement)
        yield "    status: confirmed"
        yield f"    source: {_scalar(source)}"
    for statement in answers.carried.unknown:
        yield from _item("statement", statement)
        yield "    status: unknown"


def _weaknesses(template: Template, answers: Answers) -> Iterator[str]:
    if template.weakness is not None or answers.carried.cves:
        exploited = f"    exploited: {template.weakness.value}" if template.weakness else ""
        yield "vulnerabilities:"
        for cve in answers.carried.cves:
            yield f"  - cve: {cve}"
            if exploited:
                yield exploited
        if not answers.carried.cves:
            yield '  - title: "[name of the weakness]"'
            yield exploited
    if answers.carried.references:
        yield "references:"
        for url, summary in answers.carried.references:
            yield f"  - url: {_scalar(url)}"
            yield f"    summary: {_scalar(summary)}"


def _contacts(answers: Answers) -> Iterator[str]:
    if not answers.contacts:
        return
    yield "contacts:                # try each before publishing, and say when"
    for contact in answers.contacts:
        yield f"  - kind: {contact.kind.value}"
        yield f"    value: {_scalar(contact.value)}"
        if contact.hours:
            yield f"    hours: {_scalar(contact.hours)}"
        if contact.languages:
            yield f"    languages: [{', '.join(contact.languages)}]"
        if contact.tested:
            yield f"    tested: {contact.tested.isoformat()}"
        if contact.tested_by:
            yield f"    tested_by: {_scalar(contact.tested_by)}"


def _texts(template: Template, answers: Answers) -> Iterator[str]:
    yield f"source_language: {answers.source}    # the others are compared with this one"
    yield "texts:"
    source = _written(template, answers, answers.source)
    for language in dict.fromkeys((answers.source, *answers.languages)):
        yield f"  {language}:"
        fields = source
        if language != answers.source:
            fields = _translated(source, _written(template, answers, language), answers, language)
        for name, text in fields.items():
            yield from _prose(name, text, indent=_UNITS)
        if language != answers.source:
            yield '    translator: "[name]"'


def _written(template: Template, answers: Answers, language: str) -> dict[str, str]:
    """Return what a file says in one language, from the answers and else from the template."""
    text, own = _spoken(template, answers, language), language == answers.source
    found = {
        "title": text.title,
        "action": (answers.action if own else None) or text.action,
        "happened": (answers.happened if own else None) or text.happened,
        "affected": " ".join(affected(each, language) for each in answers.products.values()),
        "doing": text.doing,
        "contact": answers.contact or phrases(language).contact,
        "apology": text.apology,
    }
    if text.changed:
        found["changed"] = text.changed
    return found


def _translated(
    source: Mapping[str, str], own: Mapping[str, str], answers: Answers, language: str
) -> dict[str, str]:
    """Return another language's text: the template's own words where it has them, else what to translate."""
    answered = {"action": answers.action, "happened": answers.happened, "contact": answers.contact}
    # A bare number or address is the same everywhere.
    bare = {"contact"} if answers.contact in {contact.value for contact in answers.contacts} else set()
    found = {}
    for name, text in own.items():
        if name in bare:
            found[name] = source[name]
        elif name == "title" and not speaks(language):
            found[name] = "[title]"
        elif answered.get(name) or not speaks(language):
            found[name] = f"[translate: {source[name].replace('[', '(').replace(']', ')')}]"
        else:
            found[name] = text
    return found


def _spoken(template: Template, answers: Answers, language: str) -> TemplateText:
    text = template.texts.get(primary(language), template.texts["en"])
    ends = sorted({each.end for each in answers.products.values() if each.end})
    end = " / ".join(day.isoformat() for day in ends) or phrases(language).end
    filled = {name: value.replace("{end}", end) for name, value in text if isinstance(value, str)}
    return text.model_copy(update=filled)


def affected(concerned: Concerned, language: str) -> str:
    """Return which versions of a product are meant, as a sentence or two."""
    if concerned.affected is None:
        return phrases(language).which.format(product=concerned.name)
    if not concerned.affected:
        return phrases(language).none.format(product=concerned.name)
    return " ".join(_versions(concerned.name, bounds, language) for bounds in concerned.affected)


def _versions(product: str, bounds: Range, language: str) -> str:
    low, high = bounds
    # An end with a build number came of "up to and including" the one before it.
    last = (*high[:3], high[3] - 1) if high is not None and high[3] else None
    if low is None:
        pattern = "every" if high is None else "through" if last else "before"
    elif high is None:
        pattern = "since"
    else:
        pattern = "only" if last == low else "from_through" if last else "between"
    numbers = {"low": low, "high": high, "last": last}
    shown = {name: format_version(number) for name, number in numbers.items() if number}
    return str(getattr(phrases(language), pattern)).format(product=product, **shown)


def _item(name: str, text: str) -> Iterable[str]:
    lines = list(_prose(name, text, indent=_UNITS))
    return [f"  - {lines[0].lstrip()}", *lines[1:]]


def _prose(name: str, text: str, *, indent: int) -> Iterator[str]:
    """Yield a key with its words, folded; one that a block could not hold is quoted."""
    plain = " ".join(text.split())
    lead = " " * indent
    if not plain or not plain.isprintable():
        yield f"{lead}{name}: {_quoted(plain)}"
    elif len(plain) + indent + len(name) < _WIDTH:
        yield f"{lead}{name}: {_scalar(plain)}"
    else:
        yield f"{lead}{name}: >-"
        wrapped = textwrap.wrap(plain, _WIDTH - indent - 2, break_long_words=False, break_on_hyphens=False)
        yield from (f"{lead}  {line}" for line in wrapped)


def _scalar(text: str) -> str:
    """Return one plain word as it is, and everything else in quotes."""
    simple = text.isascii() and text.replace("-", "").replace(".", "").isalnum() and text[0].isalpha()
    return text if simple and text.lower() not in _WORDS else _quoted(text)


_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def _quoted(text: str) -> str:
    """Return a text in double quotes as YAML has it; what no file could hold becomes a replacement letter."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(letter: str) -> str:
    if letter in {'"', "\\"}:
        return f"\\{letter}"
    if "\ud800" <= letter <= "\udfff":
        return "\ufffd"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def _instant(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
