"""Questions and answers: what everybody asks, answered from the facts; then what people asked here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from advisories.facts.matter import Kind
from advisories.render.channel.html import fill, style
from advisories.render.channel.sections import data_sentences, fix_sentences, payment, used
from advisories.render.channel.view import View
from advisories.story import Story


@dataclass(frozen=True, slots=True)
class Entry:
    """A question with its answer."""

    question: str
    answers: tuple[str, ...]
    points: tuple[str, ...] = ()
    since: str = ""
    new: bool = False
    ways: bool = False
    """Whether the ways to reach us stand below."""


def faq(story: Story, language: str) -> str:
    """Return the page of questions and answers as a complete HTML document."""
    view = View(story, language)
    return fill(
        "faq.j2",
        v=view,
        say=view.say,
        title=f"{view.say('head.faq')} · {view.notice.id}",
        css=style("page.css"),
        news=[event for event in view.revisions if event.what.text] if view.notice.revision > 1 else [],
        entries=[*derived(view), *asked(view)],
    )


def derived(view: View) -> list[Entry]:
    """Return the questions that every matter raises; what is not known yet is said to be so."""
    say = view.say
    ask = {
        name: say(f"ask.{name}")
        for name in ("affected", "do", "data", "used", "fixed", "genuine", "password")
    }
    found = [_affected(view, ask["affected"]), Entry(ask["do"], (view.text.action,), view.written.steps)]
    if view.facts.kind is not Kind.END_OF_SUPPORT or view.facts.data:
        found.append(Entry(ask["data"], tuple(filter(None, (*data_sentences(view), payment(view))))))
    if used(view):
        found.append(Entry(ask["used"], (used(view),)))
    fix = fix_sentences(view)
    if fix:
        found.append(Entry(ask["fixed"], tuple(fix)))
    as_of = say("answer.as_of", date=view.issued)
    found = [replace(entry, since=as_of) for entry in found]
    lead = say("proof.lead", id=view.notice.id, revision=view.notice.revision, code=view.story.code)
    found += [
        Entry(ask["genuine"], (lead, say("proof.compare"), say("proof.differs"), say("proof.alone"))),
        Entry(ask["password"], (say("answer.password"),)),
        Entry(say("ask.more"), tuple(_more(view))),
        Entry(say("ask.whom"), (view.text.contact,), ways=True),
    ]
    return found


def _affected(view: View, question: str) -> Entry:
    say = view.say
    concerned = [row for row in view.rows if row.concerned]
    spared = [row.name for row in view.rows if not row.concerned]
    points = tuple(f"{row.name}{say('date.colon')}{row.affected}" for row in concerned)
    answers = [say("answer.device" if view.rows else "answer.unsure")]
    if spared:
        answers.append(say("answer.unaffected", products=say.joined(spared)))
    if concerned:
        answers.append(say("answer.affected"))
    return Entry(question, tuple(answers), points)


def _more(view: View) -> list[str]:
    say, seconds = view.say, view.notice.next_update
    first = say("answer.next", when=view.own.when(seconds)) if seconds is not None else say("answer.closed")
    page = [say("answer.page", address=view.address)] if view.address else []
    return [first, *page, say("answer.by_device")]


def asked(view: View) -> list[Entry]:
    """Return what people asked in this matter, with its day; what came since the last revision is new."""
    before = view.previous_day
    return [
        Entry(
            entry.q,
            (entry.a,),
            since=view.say("answer.since", date=view.say.day(entry.date)) if entry.date else "",
            new=_is_new(entry.date, before),
        )
        for entry in view.written.faq
    ]


def _is_new(day: date | None, before: date | None) -> bool:
    return day is not None and before is not None and day > before
