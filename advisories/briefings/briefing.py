"""A sheet for each team, for partners, for a meeting and for the first words: plain text in Markdown.

Every sheet begins with the same key messages, which are the words of the notice. Below stand the questions of
this audience; where an answer needs a fact that is not known, the question is left out rather than guessed.
The five questions of a meeting stand always, for they will be asked: what is not known is said to be so.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from advisories.facts.matter import Audience
from advisories.languages import SOURCE_LANGUAGE, primary, words
from advisories.phrases import END, ISOLATE
from advisories.render.channel.faq import derived
from advisories.render.channel.view import View
from advisories.render.layout import clean
from advisories.story import Story

QUESTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    Audience.SUPPORT: ("angry", "not_shown", "rumour"),
    Audience.SALES: ("sell", "contract", "why_late"),
    Audience.SOCIAL_MEDIA: ("reply", "rumour", "press"),
    Audience.SWITCHBOARD: ("through", "press", "angry"),
    Audience.EXECUTIVES: ("bad", "decide", "press", "who_knew"),
    Audience.SUPPLIERS: ("ours", "need", "tell"),
    Audience.DISTRIBUTORS: ("stock", "tell", "sell"),
    Audience.REGULATORS: ("measures", "reach", "who_knew"),
    "meeting": ("why_late", "who_knew", "again", "pay", "trust"),
}
"""Audience -> its questions, in the order in which they come."""
OUTSIDE: Final = frozenset({Audience.SUPPLIERS, Audience.DISTRIBUTORS, Audience.REGULATORS})
"""Those who are not of our house: nothing that is only for us stands on their sheet."""
FRONT: Final = frozenset({Audience.SUPPORT, Audience.SALES, Audience.SOCIAL_MEDIA, Audience.SWITCHBOARD})
"""Those who speak with customers: the card of the first words stands on their sheet."""

_MARKUP: Final = re.compile(r"[\\`<\[]")
_START: Final = re.compile(r"[#>~=]|[-+*_](?=[-+*_\s]|$)")
_NUMBER: Final = re.compile(r"[0-9]+(?=[.)](?:\s|$))")


@dataclass(frozen=True, slots=True)
class _Words:
    head: Mapping[str, str]
    q: Mapping[str, str]
    a: Mapping[str, str]
    card: Mapping[str, str]


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files("advisories").joinpath("briefings/words.toml").read_text("utf-8"))


@cache
def _words(language: str) -> _Words:
    tables = _tables()
    table = tables.get(language) or tables.get(primary(language)) or tables[SOURCE_LANGUAGE]
    head = {name: text for name, text in table.items() if isinstance(text, str)}
    return _Words(head, table["q"], table["a"], table["card"])


def briefing(story: Story, language: str, audience: str) -> str:
    """Return the sheet of one audience in one language.

    Args:
        story: what is told.
        language: of the sheet; English words stand in for a language without its own.
        audience: a key of :data:`QUESTIONS`.
    """
    view, own = View(story, language), _words(language)
    lines = _head(view, own, audience)
    if audience == "meeting":
        lines += [own.head["meeting_order"], ""]
    lines += _messages(view, own)
    title = "hard" if audience == "meeting" else "own"
    lines += _section(own.head[title], _questions(view, own, audience))
    if audience not in OUTSIDE:
        names = ("dont_guess", "dont_blame", "dont_detail", "dont_secret")
        lines += _section(own.head["dont"], [f"- {own.head[name]}" for name in names])
    lines += _facts(view, own)
    if audience in FRONT:
        lines += _section(own.head["empathy"], _card(own))
        lines += _section(own.head["general"], _general(view))
    return _ended(lines)


def empathy(story: Story, language: str) -> str:
    """Return the card of the first words, to lie beside the phone."""
    view, own = View(story, language), _words(language)
    lines = _head(view, own, "empathy")
    return _ended([*lines, *_card(own), "", f"**{_plain(view.text.action)}**"])


def _head(view: View, own: _Words, audience: str) -> list[str]:
    notice = view.notice
    lines = [f"# {own.head[audience]}: {_plain(view.text.title)}", ""]
    if notice.exercise:
        lines += [f"**{view.own.exercise}: {view.own.exercise_note}**", ""]
    lines += [own.head["outside" if audience in OUTSIDE else "internal"], ""]
    proof = view.say("proof.lead", id=notice.id, revision=notice.revision, code=view.story.code)
    return [*lines, f"{_plain(proof)} {view.issued}.", ""]


def _plain(text: str) -> str:
    """Return words without the isolates that pages need, and without anything that Markdown would act on."""
    words = _MARKUP.sub(r"\\\g<0>", clean(text.replace(ISOLATE, "").replace(END, "")))
    if number := _NUMBER.match(words):
        return f"{number[0]}\\{words[number.end() :]}"
    return f"\\{words}" if _START.match(words) else words


def _messages(view: View, own: _Words) -> list[str]:
    text, written = view.text, view.written
    said = [text.action, text.happened, text.affected, text.doing]
    said += [part for part in (written.prevention, written.offer) if part]
    if view.notice.next_update is not None:
        said.append(own.head["clock"].format(when=view.own.when(view.notice.next_update)))
    said.append(text.contact)
    numbered = [f"{number}. {_plain(part)}" for number, part in enumerate(said, 1)]
    return _section(own.head["messages"], [own.head["messages_note"], "", *numbered])


def _questions(view: View, own: _Words, audience: str) -> list[str]:
    known = _known(view)
    found: list[str] = []
    for name in QUESTIONS[audience]:
        answer = own.a[name]
        if all(known[gap] for gap in known if f"{{{gap}}}" in answer):
            found += [f"**{own.q[name]}**", clean(answer.format_map(known)), ""]
        elif audience == "meeting":  # it will be asked all the same, and an honest answer is better than none
            found += [f"**{own.q[name]}**", f"{view.say('status.unknown')}{view.say('date.stop')}", ""]
    source = view.facts.source_language
    more = view.facts.briefings.get(Audience(audience), ()) if audience != "meeting" else ()
    foreign = source != view.language and primary(source) != primary(view.language)
    mark = f" ({own.head['source'].format(language=words(source).name)})" if foreign else ""
    for item in more:
        found += [f"**{_plain(item.q)}**{mark}", _plain(item.a), ""]
    return found


def _known(view: View) -> dict[str, str]:
    """Return what answers are filled with; empty where nobody knows."""
    story = view.story
    fixed = [
        f"{story.setting.product_name(name)} {product.fixed}"
        for name, product in sorted(view.facts.products.items())
        if product.fixed
    ]
    return {
        "id": view.notice.id,
        "code": story.code,
        "fixed": _plain(view.say.joined(fixed)),
        "severity": view.own.severity[view.notice.severity],
        "affected": _plain(view.text.affected),
        "doing": _plain(view.text.doing),
        "contact": _plain(view.text.contact),
        "prevention": _plain(view.written.prevention or ""),
        "offer": _plain(view.written.offer or ""),
    }


def _facts(view: View, own: _Words) -> list[str]:
    rows = []
    for each in view.known:
        when = f"{each.when}: " if each.when else ""
        foreign = each.what.foreign
        only = f", {own.head['source'].format(language=words(foreign).name)}" if foreign else ""
        rows.append(f"- {when}{_plain(each.what.text)} ({each.note}{only})")
    return _section(own.head["facts"], rows) if rows else []


def _general(view: View) -> list[str]:
    found: list[str] = []
    for entry in derived(view):
        answers = [_plain(answer) for answer in entry.answers]
        points = [f"- {_plain(point)}" for point in entry.points]
        found += [f"**{entry.question}**", " ".join(answers), *points, ""]
    return found


def _card(own: _Words) -> list[str]:
    return [f"{number}. {text}" for number, text in enumerate(own.card.values(), 1)]


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _ended(lines: list[str]) -> str:
    found: list[str] = []
    for line in lines:  # never two empty lines in a row
        if line or (found and found[-1]):
            found.append(line)
    return "\n".join(found).rstrip("\n") + "\n"
