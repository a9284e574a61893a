"""Rules about what comes out: every output says the same, within its room, and nothing that stays with us."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from html.parser import HTMLParser
from typing import Final

from advisories.checks.frame import Context, Level, Point, paragraphs, rule
from advisories.checks.honesty import overlap
from advisories.checks.numbers import DATE, ID, VERSION, digits, numbers
from advisories.facts import Facts
from advisories.facts.products import Product
from advisories.glossaries import SPACELESS
from advisories.languages import CALENDAR_END, has_words, primary, words
from advisories.versions import contains, format_version, parse_version
from advisories.yamlfile import Path

SOCIAL_LETTERS_MAX: Final = 280
"""Of a post; more is cut by the network."""
PAGE_WORDS_MAX: Final = 300
SECTION_WORDS_MAX: Final = 60
"""Of the page, counting the sections that carry the notice's own words."""
LETTER_WORDS_MAX: Final = 350
"""Of one printed page, with everything on it."""
_PAGE: Final = "web.html"
_LETTERS: Final = ("letter.txt", "letter-california.txt")
_SHOWN_MAX: Final = 5
_FRAME: Final = re.compile(r"[\s|]+")
"""What stands between words on a screen of fixed width."""
_SKIPPED: Final = frozenset({"script", "style", "title", "head"})
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4"})


class _Reader(HTMLParser):
    """Takes the words out of a page, one list for each section."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[list[str]] = [[]]
        self._skipping = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's signature
        self._skipping += tag in _SKIPPED
        if tag in _HEADINGS:
            self.sections.append([])

    def handle_endtag(self, tag: str) -> None:
        self._skipping -= tag in _SKIPPED and self._skipping > 0

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self.sections[-1].append(data)


@lru_cache(maxsize=512)
def sections(name: str, text: str) -> tuple[str, ...]:
    """Return the words of an output that people see, one text for each section with its heading."""
    if not name.endswith(".html"):
        return (text,)
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return tuple(" ".join(" ".join(section).split()) for section in reader.sections if section)


def seen(name: str, text: str) -> str:
    """Return the words of an output that people see."""
    return " ".join(sections(name, text))


def size(text: str, language: str) -> int:
    """Return the number of words; two letters of a script without spaces count as one."""
    if primary(language) not in SPACELESS:
        return len(text.split())
    letters = sum(letter.isalpha() and not letter.isascii() for letter in text)
    return (letters + 1) // 2 + len(re.findall(r"[A-Za-z0-9][\w.@:/-]*", text, re.ASCII))


@rule("outputs", Level.BLOCK, 5)
def unmade(_: Facts, context: Context) -> Iterator[Point]:
    """Outputs that cannot be made from these facts."""
    error = context.unmade
    if error is not None:
        yield Point(
            ("texts",), f"The outputs cannot be made: {error.message}", error.mend or "Mend the facts."
        )


@rule("social-length", Level.BLOCK, 46)
def social_length(facts: Facts, context: Context) -> Iterator[Point]:
    """A post that the network would cut."""
    for language, written in facts.texts.items():
        made = context.outputs.get(f"{language}/social.txt", written.social or "").strip()
        if len(made) > SOCIAL_LETTERS_MAX:
            yield Point(
                ("texts", language, "social"),
                f"The post has {len(made)} letters with its link; {SOCIAL_LETTERS_MAX} are shown.",
                "Write a shorter one into 'social'.",
            )


@rule("page-length", Level.ADVICE, 33)
def page_length(facts: Facts, context: Context) -> Iterator[Point]:
    """A page or letter that nobody reads to the end."""
    for language in facts.texts:
        found = _own_sections(facts, language, context.outputs.get(f"{language}/{_PAGE}", ""))
        letters = [context.outputs.get(f"{language}/{name}", "") for name in _LETTERS]
        counts = (
            ("The page's own words are", sum(found), PAGE_WORDS_MAX),
            ("A section of the page has", max(found, default=0), SECTION_WORDS_MAX),
            ("The letter has", max(size(text, language) for text in letters), LETTER_WORDS_MAX),
        )
        for what, count, most in counts:
            if count > most:
                yield Point(
                    ("texts", language),
                    f"{what} {count} words; {most} are read.",
                    "Leave out what the reader does not need, or move it to 'faq'.",
                )


def _own_sections(facts: Facts, language: str, page: str) -> list[int]:
    """Return the sizes of the sections that carry paragraphs of the text, not only what every page says."""
    fields = facts.texts[language].fields().items()
    own = ["".join(text.split()) for name, text in fields if name != "title" and not name.startswith("faq")]
    return [
        size(part, language)
        for part in sections(_PAGE, page)
        if any(text and text in "".join(part.split()) for text in own)
    ]


@rule("annex-leak", Level.BLOCK, 30)
def annex_leak(facts: Facts, context: Context) -> Iterator[Point]:
    """Something of the private annex in what everybody may read."""
    if facts.annex is None:
        return
    terms = [re.compile(_whole_word(term), re.IGNORECASE) for term in facts.annex.terms if term.strip()]
    mend = "Leave it out: it would help an attacker."
    told = False
    for path, language, text in _public(facts):
        for term in terms:
            found = term.search(text)
            if found:
                told = True
                yield Point(path, f"'{found.group()}' stands in the annex and must not go out.", mend)
        for detail in facts.annex.details:
            piece = overlap(detail, text, language)
            if piece:
                told = True
                yield Point(path, f"'{piece}' is a detail of the annex and must not go out.", mend)
    if told:
        return  # what a text says, every output says
    for name, text in context.outputs.items():
        shown = seen(name, text)
        for found in filter(None, (term.search(shown) for term in terms)):
            yield Point(("annex",), f"{name} says '{found.group()}', which stands in the annex.", mend)


def _whole_word(term: str) -> str:
    begin = r"(?<!\w)" if term[:1].isascii() and term[:1].isalnum() else ""
    end = r"(?!\w)" if term[-1:].isascii() and term[-1:].isalnum() else ""
    return begin + re.escape(term) + end


def _public(facts: Facts) -> Iterator[tuple[Path, str, str]]:
    """Yield (path, language, words) of what goes out: the texts, and facts that channels repeat."""
    for path, language, _name, text in paragraphs(facts):
        yield path, language, text
    source = facts.source_language
    for number, moment in enumerate(facts.timeline):
        if moment.public:
            yield ("timeline", number, "what"), source, moment.what
    for number, measure in enumerate(facts.measures):
        yield ("measures", number, "what"), source, measure.what
    for number, weakness in enumerate(facts.vulnerabilities):
        for place, note in enumerate(weakness.notes):
            yield ("vulnerabilities", number, "notes", place, "text"), source, note.text
        if weakness.title:
            yield ("vulnerabilities", number, "title"), source, weakness.title
    for number, note in enumerate(facts.notes):
        yield ("notes", number, "text"), source, note.text


@rule("credit-named", Level.BLOCK, 30)
def credit_named(facts: Facts, context: Context) -> Iterator[Point]:
    """Somebody named who did not agree to it."""
    everyone = [(("credits", n), one) for n, one in enumerate(facts.credits)]
    everyone += [
        (("vulnerabilities", w, "credits", n), one)  # type: ignore[misc]
        for w, weakness in enumerate(facts.vulnerabilities)
        for n, one in enumerate(weakness.credits)
    ]
    for path, one in everyone:
        hidden = [name for name in (*one.names, one.organisation) if name] if not one.agreed else []
        for name in hidden:
            pattern = re.compile(_whole_word(name), re.IGNORECASE)
            places = [where for where, _, text in _public(facts) if pattern.search(text)]
            shown = [made for made, text in context.outputs.items() if pattern.search(seen(made, text))]
            if places or shown:
                yield Point(
                    places[0] if places else path,
                    f"'{name}' did not agree to be named{'' if places else f', and {shown[0]} does'}.",
                    "Leave the name out, or ask again and write 'agreed: true'.",
                )


@rule("version-unknown", Level.BLOCK, 5)
def version_unknown(facts: Facts, context: Context) -> Iterator[Point]:
    """A version in a text that the facts do not know: neither affected nor the one that mends."""
    known = _known_versions(facts, context)
    for path, _language, _name, text in paragraphs(facts):
        for version in VERSION.findall(_without_pages(digits(text))):
            if version not in known and not _affected(facts, version):
                yield Point(
                    path,
                    f"'products' knows no version {version}.",
                    "Make text and 'products' say the same.",
                )


def _without_pages(text: str) -> str:
    return re.sub(r"https?://\S+", " ", text)


def _known_versions(facts: Facts, context: Context) -> set[str]:
    known = {one.fixed for one in facts.products.values() if one.fixed}
    known |= {
        version for one in facts.products.values() for version in VERSION.findall(" ".join(one.affected))
    }
    known |= set(VERSION.findall(_behind(facts)))
    if context.setting:
        known |= {version for one in context.setting.products.values() for version in one.versions}
    return known


def _behind(facts: Facts) -> str:
    """Return every word of the facts that is not a text for owners."""
    rest = facts.model_dump_json(exclude={"texts", "products", "briefings"}, exclude_defaults=True)
    return digits(rest)


def _affected(facts: Facts, version: str) -> bool:
    try:
        parsed = parse_version(version)
    except ValueError:
        return False
    return any(contains(bounds, parsed) for one in facts.products.values() for bounds in one.ranges)


@rule("post-differs", Level.BLOCK, 5)
def post_differs(facts: Facts, context: Context) -> Iterator[Point]:
    """A post of one's own with a number, date or version that nothing else says."""
    behind = numbers(_behind(facts) + context.story.setting.model_dump_json(exclude_defaults=True), "en")
    for language, written in facts.texts.items():
        if not written.social:
            continue
        fields = {name: text for name, text in written.fields().items() if name != "social"}
        rest = behind.union(*(numbers(text, language) for text in fields.values()))
        new = sorted(numbers(written.social, language) - rest - _date_parts(facts))
        if new:
            yield Point(
                ("texts", language, "social"),
                f"The post says {', '.join(new[:_SHOWN_MAX])}, and nothing else does.",
                "Make it say the same as the notice.",
            )


def _date_parts(facts: Facts) -> set[str]:
    update = facts.next_update
    if update is None:
        return set()
    return {
        str(update.day),
        str(update.month),
        str(update.year),
        f"{update.hour}:{update:%M}",
        str(update.hour),
    }


@rule("outputs-differ", Level.BLOCK, 5)
def outputs_differ(facts: Facts, context: Context) -> Iterator[Point]:
    """Two outputs that say different ids, revisions, severities, versions or dates."""
    for name, what in contradictions(facts, context):
        yield Point(("id",), f"{name} says {what}.", "Make every output say what the facts say.")


def contradictions(facts: Facts, context: Context) -> Iterator[tuple[str, str]]:
    """Yield (output, what it says otherwise) for each output that does not agree with the facts.

    Ids, versions and ISO dates of an output must stand in the facts, the setting or the header; a severity or
    revision said in the fixed words of a language, or by a CSAF document, must be that of the header.
    """
    if not context.outputs:
        return
    said = digits(_everything(facts, context))
    ids, versions, dates = set(ID.findall(said)), set(VERSION.findall(said)), set(DATE.findall(said))
    for name, text in context.outputs.items():
        shown = digits(seen(name, text))
        strange = [
            *sorted(set(ID.findall(shown)) - ids),
            *sorted(one for one in set(VERSION.findall(shown)) - versions if not _affected(facts, one)),
            *sorted(set(DATE.findall(shown)) - dates),
        ]
        language = name.partition("/")[0]
        strange += _other_severities(language, shown, context)
        strange += _other_revision(language, text if name.endswith(".json") else shown, context)
        if strange:
            yield name, ", ".join(strange[:_SHOWN_MAX])


def _everything(facts: Facts, context: Context) -> str:
    story = context.story
    times = [story.notice.issued, story.notice.expires, story.notice.next_update or 0]
    times += [past.issued for past in story.setting.past]
    return " ".join(
        [
            facts.model_dump_json(exclude_defaults=True),
            story.setting.model_dump_json(exclude_defaults=True),
            *(_iso(seconds) for seconds in times if seconds is not None),
            *(_bounds(one) for one in facts.products.values()),
        ]
    )


def _bounds(product: Product) -> str:
    """Return the ends of the affected ranges, as they are sent: ``<=3.1.4`` ends before ``3.1.4+1``."""
    return " ".join(format_version(end) for bounds in product.ranges for end in bounds if end is not None)


def _iso(seconds: int) -> str:
    return f"{datetime.fromtimestamp(min(seconds, CALENDAR_END), UTC):%Y-%m-%d}"


def _other_severities(language: str, shown: str, context: Context) -> Iterable[str]:
    """Return the fixed phrases of a severity that is not the header's."""
    if not has_words(language):
        return []
    own = words(language)
    phrases = [own.notice.format(severity=word).casefold() for word in own.severity]
    right = phrases[context.story.notice.severity]
    text = " ".join(shown.casefold().split()).replace(right, "")
    return [phrase for phrase in phrases if phrase != right and phrase not in right and phrase in text]


def _other_revision(language: str, shown: str, context: Context) -> Iterable[str]:
    """Return revisions, and in a CSAF document ids and severities, that are not the header's."""
    notice = context.story.notice
    if not has_words(language):
        return []
    own = words(language)
    if shown.startswith("{"):
        if context.facts.origin is not None:
            return []  # it goes on with the numbers and words of the document that it was taken from
        document = json.loads(shown)["document"]
        tracking = document["tracking"]
        severity = document.get("aggregate_severity", {}).get("text", own.severity[notice.severity])
        right = tracking["version"] == str(notice.revision)
        return [
            *([] if right else [f"revision {tracking['version']}"]),
            *([] if severity == own.severity[notice.severity] else [severity]),
        ]
    said = own.genuine.format(id=notice.id, revision="\0", code=context.story.code)
    pattern = re.escape(_FRAME.sub("", digits(said))).replace("\0", r"(\d+)")
    found = re.findall(pattern, _FRAME.sub("", shown))
    return [f"revision {number}" for number in sorted(set(found)) if number != str(notice.revision)]
