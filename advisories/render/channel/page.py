"""The notice's own page: static, whole in one file, made to be read on a bad day."""

from __future__ import annotations

from typing import Final

from advisories.glossaries import glossary
from advisories.render.channel.html import fill, style
from advisories.render.channel.sections import sections
from advisories.render.channel.view import View
from advisories.story import Story

NUMBERS_MAX: Final = 12
"""Public numbers of weaknesses named on a page; beyond that the CSAF file lists them all."""


def web(story: Story, language: str) -> str:
    """Return the page as a complete HTML document without script and without any request."""
    view = View(story, language)
    numbers = [weakness.cve for weakness in view.facts.vulnerabilities if weakness.cve]
    statements = view.facts.legal.statements if view.facts.legal else ()
    return fill(
        "web.j2",
        v=view,
        say=view.say,
        s=sections(view),
        title=f"{view.text.title} · {view.notice.id}",
        css=style("page.css"),
        numbers=view.say.joined(numbers) if len(numbers) <= NUMBERS_MAX else "",
        legal=[view.said(f"legal.statements.{n}") for n, _ in enumerate(statements)],
        terms=terms(view),
    )


def terms(view: View) -> list[tuple[str, str]]:
    """Return the terms of the glossary that the words of this language use, each with its plain words."""
    matcher = glossary(view.language).matcher({})
    found = {
        jargon.term: (jargon.word, jargon.plain)
        for text in reversed(view.written.fields().values())
        for jargon in reversed(matcher.find(text))
    }
    return sorted(found.values(), key=lambda row: row[0].casefold())
