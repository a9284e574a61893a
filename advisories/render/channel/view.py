"""One story in one language: what every channel asks of it, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final
from urllib.parse import quote

from advisories.facts import Facts
from advisories.facts.matter import Contact, ContactKind, Kind, Status
from advisories.facts.texts import Words
from advisories.languages import Words as ScreenWords
from advisories.languages import on_calendar, primary, words
from advisories.notice import Notice, Phase, Text
from advisories.phrases import Phrases, phrases
from advisories.story import Story
from advisories.versions import Range, format_version, parse_range

_LINK = re.compile(r"https?://[^\s<>\"'`{}|\\^]+")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{4,30}")
CLOSED: Final = frozenset({Phase.RESOLVED, Phase.WITHDRAWN})


@dataclass(frozen=True, slots=True)
class Said:
    """Some words, and their language where it is not that of the page."""

    text: str
    foreign: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One product: which of its versions are affected, and which one mends it."""

    name: str
    affected: str
    fixed: str
    """Empty while there is none."""
    concerned: bool


@dataclass(frozen=True, slots=True)
class Way:
    """A way to reach somebody."""

    kind: ContactKind
    label: str
    value: str
    href: str | None
    hours: Said | None
    languages: str
    """Empty: this language is answered too."""


@dataclass(frozen=True, slots=True)
class Event:
    """A moment, a fact or a revision: when, what, and one word about it."""

    when: str
    what: Said
    note: str = ""
    code: str = ""
    number: int = 0


class View:
    """A story as one language tells it."""

    def __init__(self, story: Story, language: str) -> None:
        self.story = story
        self.language = language
        self.facts: Facts = story.facts
        self.notice: Notice = story.notice
        self.text: Text = story.texts[language]
        self.written: Words = story.facts.texts[language]
        self.own: ScreenWords = words(language)
        self.say: Phrases = phrases(language)

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return self.say("culture.direction")

    @property
    def spaced(self) -> bool:
        """Whether sentences stand apart by a space."""
        return primary(self.language) not in {"ja", "zh"}

    @property
    def organisation(self) -> str:
        """Who speaks; empty when nobody wrote it down."""
        return self.story.setting.organisation.name

    @property
    def signer(self) -> str:
        """Who signs a letter."""
        return self.story.setting.organisation.legal_name or self.organisation

    @property
    def open(self) -> bool:
        """Whether the matter goes on."""
        return self.notice.phase not in CLOSED

    @property
    def issued(self) -> str:
        """The day of this revision in words (UTC)."""
        return self.day(self.notice.issued)

    def day(self, seconds: int) -> str:
        """Return the day of UTC seconds in words."""
        return self.say.day(on_calendar(seconds).date())

    @property
    def next_update(self) -> str:
        """When owners hear again, as screens say it."""
        seconds = self.notice.next_update
        return self.own.no_next_update if seconds is None else self.own.when(seconds)

    @property
    def address(self) -> str:
        """The public address of this page, as the site is laid out; empty when no site is known."""
        site = self.story.setting.organisation.site
        return f"{site.rstrip('/')}/notices/{self.notice.id}/{self.language}/web.html" if site else ""

    @cached_property
    def _outside(self) -> dict[str, str]:
        return self.facts.elsewhere

    def said(self, place: str) -> Said | None:
        """Return a sentence that stands outside ``texts``: translated, or marked as foreign."""
        source = self._outside.get(place)
        if source is None:
            return None
        if self.language == self.facts.source_language:
            return Said(source)
        translated = self.written.elsewhere.get(place)
        return Said(translated) if translated else Said(source, self.facts.source_language)

    @cached_property
    def rows(self) -> list[Row]:
        """Every product of ours with its versions."""
        return [self._row(product) for product in sorted(self.facts.products)]

    @property
    def mendable(self) -> bool:
        """Whether an update would mend it: in an incident, "no update yet" would only mislead."""
        return self.facts.kind is not Kind.INCIDENT or any(row.fixed for row in self.rows)

    def _row(self, product: str) -> Row:
        known = self.facts.products[product]
        ranges = [self.range_in_words(parse_range(item)) for item in known.affected]
        return Row(
            name=self.story.setting.product_name(product),
            affected=self.say.joined(ranges) or self.say("page.not_affected"),
            fixed=known.fixed or "",
            concerned=bool(ranges),
        )

    def range_in_words(self, bounds: Range) -> str:
        """Return a version range as people say it; ``<=3.1.4`` ends with 3.1.4, not before its next build."""
        low, high = bounds
        if low is not None and parse_range(f"={format_version(low)}") == bounds:
            return self.say("range.one", low=format_version(low))
        lowest = None if low is None or not any(low) else format_version(low)
        if high is None:
            return self.say("range.from", low=lowest) if lowest else self.say("range.all")
        if high[3] > 0:
            last = format_version((*high[:3], high[3] - 1))
            return self._between("range.both", "range.through", lowest, last)
        return self._between("range.between", "range.before", lowest, format_version(high))

    def _between(self, both: str, only: str, low: str | None, high: str) -> str:
        return self.say(both, low=low, high=high) if low else self.say(only, high=high)

    @property
    def ways(self) -> list[Way]:
        """Ways to reach us; those that answer this language come first."""
        if self.facts.contacts:
            ways = [self._way(way, self._hours(n)) for n, way in enumerate(self.facts.contacts)]
        else:
            general = self.story.setting.organisation.contacts
            ways = [self._way(way, Said(way.hours) if way.hours else None) for way in general]
        return sorted(ways, key=lambda way: bool(way.languages))

    def _hours(self, number: int) -> Said | None:
        """Return hours in this language only: the text about contact says them too."""
        hours = self.said(f"contacts.{number}.hours")
        return hours if hours and not hours.foreign else None

    @property
    def other_ways(self) -> list[Way]:
        """Ways that the text about contact does not name already."""
        return [way for way in self.ways if way.value not in self.text.contact]

    def _way(self, way: Contact, hours: Said | None) -> Way:
        answered = {primary(tag) for tag in way.languages}
        known = not answered or primary(self.language) in answered
        names = [] if known else [words(tag).name for tag in way.languages]
        kind = f"contact.{way.kind.value}"
        return Way(way.kind, self.say(kind), way.value, href(way), hours, self.say.joined(names))

    @property
    def phone(self) -> str:
        """The first number that answers this language; empty without one."""
        return next((way.value for way in self.ways if way.kind is ContactKind.PHONE), "")

    @property
    def timeline(self) -> list[Event]:
        """What owners may read of the timeline, oldest first."""
        moments = sorted(
            ((moment.at, n, moment) for n, moment in enumerate(self.facts.timeline) if moment.public),
            key=lambda item: item[:2],
        )
        found = []
        for at, n, moment in moments:
            what = self.said(f"timeline.{n}.what") or Said(moment.what)
            found.append(Event(self.own.when(int(at.timestamp())), what, self._doubt(moment.status)))
        return found

    def _doubt(self, status: Status) -> str:
        return "" if status is Status.CONFIRMED else self.say(f"status.{status.value}")

    @property
    def known(self) -> list[Event]:
        """What is known, what is likely and what is not known yet, in this order."""
        order = list(Status)
        found = []
        for n, fact in sorted(enumerate(self.facts.facts), key=lambda item: order.index(item[1].status)):
            what = self.said(f"facts.{n}.statement") or Said(fact.statement)
            when = self.say.day(fact.date) if fact.date else ""
            found.append(Event(when, what, self.say(f"status.{fact.status.value}")))
        return found

    @property
    def revisions(self) -> list[Event]:
        """This revision, then those before it, each with what was new."""
        mine = self._revision(
            self.notice.revision,
            self.notice.phase.name.lower(),
            self.notice.issued,
            {tag: written.changed for tag, written in self.facts.texts.items() if written.changed},
            self.story.code,
        )
        past = sorted(self.story.setting.past, key=lambda past: -past.revision)
        return [mine] + [
            self._revision(old.revision, old.phase, old.issued, old.changed, old.code)
            for old in past
            if old.revision < self.notice.revision
        ]

    def _revision(self, number: int, phase: str, issued: int, changed: dict[str, str], code: str) -> Event:
        source = self.facts.source_language
        if self.language in changed:
            what = Said(changed[self.language])
        elif source in changed:
            what = Said(changed[source], source)
        else:
            what = Said(self.say("page.first") if number == 1 else "")
        return Event(self.day(issued), what, self.say(f"phase.{phase}"), code, number)

    @property
    def previous_day(self) -> date | None:
        """The day of the revision before this one; None for the first."""
        before = [old.issued for old in self.story.setting.past if old.revision < self.notice.revision]
        return on_calendar(max(before)).date() if before else None


def href(way: Contact) -> str | None:
    """Return where a way leads: only what is plainly a page, a mail address or a number becomes a link."""
    value = way.value
    if way.kind is ContactKind.PAGE and _LINK.fullmatch(value):
        return value
    if way.kind is ContactKind.MAIL and _MAIL.fullmatch(value):
        return f"mailto:{quote(value, safe='@+')}"
    if way.kind is ContactKind.PHONE and _PHONE.fullmatch(value):
        return f"tel:{re.sub(r'[^+0-9]', '', value)}"
    return None


def is_link(address: str | None) -> bool:
    """Say whether an address may become a link: a page on the web and nothing else."""
    return address is not None and _LINK.fullmatch(address) is not None
