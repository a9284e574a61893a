"""What is said, in the order in which it is said on every channel.

What you must do, what happened, what is affected, what we are doing, next update, contact, proof. A part
whose facts are missing is left out; what is not known yet is said to be so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from advisories.facts.matter import FINANCIAL, Data, DataType, Kind, Status
from advisories.facts.vulnerabilities import Exploitation
from advisories.render.channel.view import Said, View, is_link

_WORST = (Exploitation.ACTIVE, Exploitation.SUSPECTED, Exploitation.UNKNOWN, Exploitation.NONE_KNOWN)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its paragraphs, its points and what belongs below it."""

    key: str
    heading: str
    paragraphs: tuple[Said, ...] = ()
    points: tuple[Said, ...] = ()
    parts: tuple[Section, ...] = field(default=())

    def __bool__(self) -> bool:
        """Whether anything is said in it."""
        return bool(self.paragraphs or self.points or self.parts)


def sections(view: View) -> dict[str, Section]:
    """Return everything by its key: do, happened, affected, doing, next, contact, proof."""
    made = (
        _do(view),
        _happened(view),
        _affected(view),
        _doing(view),
        _next(view),
        _contact(view),
        _proof(view),
    )
    return {section.key: section for section in made}


def _said(*texts: str | None) -> tuple[Said, ...]:
    return tuple(Said(text) for text in texts if text)


def _filled(*parts: Section) -> tuple[Section, ...]:
    return tuple(part for part in parts if part)


def _do(view: View) -> Section:
    say, written = view.say, view.written
    workaround = _said(written.workaround) if view.open else ()
    return Section(
        "do",
        view.own.action,
        _said(view.text.action),
        _said(*written.steps),
        _filled(
            Section("payment", say("head.payment"), _said(payment(view))),
            Section("workaround", say("head.workaround"), workaround),
        ),
    )


def _happened(view: View) -> Section:
    cause = view.facts.cause
    found = [view.say(f"cause.{cause.status}")] if cause else []
    statement = view.said("cause.statement") if cause and cause.status == "found" else None
    return Section(
        "happened",
        view.own.happened,
        (*_said(view.text.happened, used(view), *found), *([statement] if statement else [])),
    )


def _affected(view: View) -> Section:
    data = Section("data", view.say("head.data"), _said(*data_sentences(view))) if view.facts.data else None
    return Section(
        "affected",
        view.own.affected,
        _said(view.text.affected, estimate(view)),
        parts=_filled(data) if data else (),
    )


def _doing(view: View) -> Section:
    say, written, facts = view.say, view.written, view.facts
    prevention = _dated(view, "measures", [(step.date, step.done) for step in facts.measures])
    if written.prevention:
        prevention = tuple(point for point in prevention if point.foreign is None)
    contained = [view.said(f"containment.{n}.what") for n, _ in enumerate(facts.containment)]
    return Section(
        "doing",
        view.own.doing,
        _said(view.text.doing, authorities(view)),
        tuple(point for point in contained if point and point.foreign is None),
        _filled(
            Section("fix", say("head.fix"), *_fix(view)),
            Section("offer", say("head.offer"), _said(written.offer), () if written.offer else _offers(view)),
            Section("prevention", say("head.prevention"), _said(written.prevention), prevention),
        ),
    )


def _fix(view: View) -> tuple[tuple[Said, ...], tuple[Said, ...]]:
    """Return sentences about the fix, and where it can be had."""
    fix = view.facts.fix
    if fix is None:
        return (), ()
    page = view.say("fix.page", address=fix.page) if fix.planned and fix.page and is_link(fix.page) else None
    return _said(*fix_sentences(view)), _said(page)


def _dated(view: View, place: str, steps: list[tuple[date | None, bool]]) -> tuple[Said, ...]:
    """Return what was done or will be by a day, each with its day."""
    found = []
    for n, (day, done) in enumerate(steps):
        what = view.said(f"{place}.{n}.what")
        assert what is not None
        note = view.say("work.done") if done else view.say("work.on", date=view.say.day(day)) if day else ""
        found.append(
            Said(f"{note}{view.say('date.colon')}{what.text}") if note and not what.foreign else what
        )
    return tuple(found)


def _offers(view: View) -> tuple[Said, ...]:
    found: list[Said] = []
    for n, offer in enumerate(view.facts.offers):
        what, how = view.said(f"offers.{n}.what"), view.said(f"offers.{n}.how")
        assert what is not None
        assert how is not None
        until = view.say("work.until", date=view.say.day(offer.until)) if offer.until else ""
        found.append(
            Said(f"{until}{view.say('date.colon')}{what.text}") if until and not what.foreign else what
        )
        found.append(how)
    return tuple(found)


def _next(view: View) -> Section:
    return Section("next", view.own.next_update, _said(view.next_update))


def _contact(view: View) -> Section:
    return Section("contact", view.own.contact, _said(view.text.contact))


def _proof(view: View) -> Section:
    say, notice = view.say, view.notice
    return Section(
        "proof",
        view.own.proof,
        _said(
            say("proof.lead", id=notice.id, revision=notice.revision, code=view.story.code),
            say("proof.compare"),
            say("proof.differs"),
            say("proof.alone"),
            say("proof.never"),
        ),
    )


def payment(view: View) -> str:
    """Return what to do when money can be lost; empty when it cannot."""
    data = view.facts.data
    if data is None or not data.financial or not view.open:
        return ""
    return view.say("data.payment", types=types_in_words(view, data, FINANCIAL))


def types_in_words(view: View, data: Data, among: frozenset[DataType] | None = None) -> str:
    """Return kinds of data by their precise words, in the order of the facts."""
    chosen = [kind for kind in data.types if among is None or kind in among]
    return view.say.joined([view.say(f"data_type.{kind.value}") for kind in chosen])


def data_sentences(view: View) -> list[str]:
    """Say which personal data is concerned, how sure we are and since when, also that we do not know."""
    say, data = view.say, view.facts.data
    if data is None or not data.concerned:
        return [say("data.none")] + (
            [say("data.as_of", date=say.day(data.date))] if data and data.date else []
        )
    types = types_in_words(view, data)
    key = {
        Status.CONFIRMED: "sure" if types else "some",
        Status.SUSPECTED: "likely" if types else "some_likely",
        Status.UNKNOWN: "open_types" if types else "open",
    }[data.status]
    first = say(f"data.{key}", types=types) if types else say(f"data.{key}")
    return [first] + ([say("data.as_of", date=say.day(data.date))] if data.date else [])


def estimate(view: View) -> str:
    """Say how many are concerned as far as we know; empty while nobody has counted."""
    if not view.facts.estimates:
        return ""
    last = view.facts.estimates[-1]
    return view.say(f"data.{last.of}", count=view.say.number(last.count), date=view.say.day(last.date))


def used(view: View) -> str:
    """Say whether a weakness was used, by the worst that is known; empty when there is no weakness."""
    found = {weakness.exploited: weakness for weakness in reversed(view.facts.vulnerabilities)}
    worst = next((status for status in _WORST if status in found), None)
    if worst is None:
        return ""
    since = found[worst].exploited_since
    if worst is Exploitation.ACTIVE and since:
        return view.say("used.active_since", date=view.say.day(since))
    return view.say(f"used.{worst.value}")


def authorities(view: View) -> str:
    """Name the offices with which we work, only where the facts say since when and who says so."""
    at_work = view.facts.investigation
    if at_work is None or not at_work.with_authorities or at_work.since is None or at_work.source is None:
        return ""
    return view.say("work.authorities", names=view.say.joined(at_work.with_authorities))


def fix_sentences(view: View) -> list[str]:
    """Say since when there is an update and how it gets on, or that there is none, or that nobody knows."""
    say, fix = view.say, view.facts.fix
    versions = [say("fix.version", product=row.name, version=row.fixed) for row in view.rows if row.fixed]
    if fix is None:
        unknown = view.open and view.facts.kind is Kind.VULNERABILITY
        return versions or ([say("fix.unknown")] if unknown else [])
    if not fix.planned:
        return [say("fix.none")]
    if fix.available is None:
        return [say("fix.planned")]
    seconds = int(fix.available.timestamp())
    key = "since" if seconds <= view.notice.issued else "from"
    return [say(f"fix.{key}", when=view.own.when(seconds)), say(f"delivery.{fix.delivery.value}")]
