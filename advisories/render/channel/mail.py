"""The message by mail: its first line is the subject, then an empty line and plain text (RFC 5322, RFC 6532).

There is no version in HTML on purpose: plain words carry no hidden link, and no reader has to learn which
of the links in a letter from us may be followed. The only address is that of the notice's own page.
"""

from __future__ import annotations

from advisories.render.channel.plain import block, ended, one_line
from advisories.render.channel.sections import Section, sections
from advisories.render.channel.view import Said, View
from advisories.story import Story


def mail(story: Story, language: str) -> str:
    """Return the whole message in one language."""
    view = View(story, language)
    say = view.say
    made = sections(view)
    subject = say("mail.subject", id=view.notice.id, title=view.text.title)
    drill = f"{view.own.exercise}{say('date.colon')}" if view.notice.exercise else ""
    found = [one_line(view, f"Subject: {drill}{subject}"), ""]
    if view.notice.exercise:
        found += block(view, f"*** {drill}{view.own.exercise_note} ***")
    found += block(view, say("culture.greeting"))
    if view.notice.revision > 1 and view.written.changed:
        found += block(view, _heading(say("head.changed")), view.written.changed)
    for section in made.values():
        found += _section(view, section)
        if section.key == "contact":
            found += _ways(view)
        for part in section.parts:
            found += _section(view, part)
    address = [say("answer.page", address=view.address)] if view.address else []
    found += block(view, *address, say("mail.no_login"), say("mail.why"))
    found += block(view, view.written.apology or "")
    found += block(view, say("culture.closing"), view.signer)
    return ended(found)


def _heading(words: str) -> str:
    return f"== {words} =="


def _section(view: View, section: Section) -> list[str]:
    return block(view, _heading(section.heading), *_texts(section.paragraphs), points=_texts(section.points))


def _texts(said: tuple[Said, ...]) -> list[str]:
    return [item.text for item in said]


def _ways(view: View) -> list[str]:
    colon = view.say("date.colon")
    found = []
    for way in view.other_ways:
        hours = f" ({way.hours.text})" if way.hours else ""
        found.append(f"{way.label}{colon}{way.value}{hours}")
        found += [view.say("contact.languages", languages=way.languages)] if way.languages else []
    return block(view, points=found)
