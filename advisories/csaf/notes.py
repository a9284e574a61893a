"""Notes, references and acknowledgments of a document (CSAF 2.0, sections 3.1.1, 3.1.5 and 3.1.10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from advisories.csaf.gaps import GAP
from advisories.csaf.tracking import Identity
from advisories.csaf.words import phrases
from advisories.facts.parts import folded
from advisories.facts.vulnerabilities import Credit, Link, Note
from advisories.languages import words
from advisories.story import Story


def notes(known: Iterable[Note]) -> list[dict[str, Any]]:
    """Return notes as the facts have them."""
    return [{key: value for key, value in note.model_dump().items() if value is not None} for note in known]


def references(known: Iterable[Link], *, own: bool = True) -> list[dict[str, str]]:
    """Return references; ``own`` says whether those to the document itself are."""
    return [
        {
            "category": "self" if link.own and own else "external",
            "summary": link.summary,
            "url": link.url,
        }
        for link in known
    ]


def credits_(known: Iterable[Credit]) -> list[dict[str, Any]]:
    """Return acknowledgments of those who agreed to be named."""
    found = []
    for credit in known:
        parts = {
            "names": list(credit.names),
            "organization": credit.organisation,
            "summary": credit.summary,
            "urls": list(credit.urls),
        }
        made = {key: value for key, value in parts.items() if value}
        if credit.agreed and made:
            found.append(made)
    return found


def document_notes(story: Story, language: str) -> list[dict[str, Any]]:
    """Return what a document says as a whole, in the order in which owners read it."""
    facts, written = story.facts, story.facts.texts[language]
    screen, known = words(language), phrases(language)
    action = "\n".join((written.action, *(f"- {step}" for step in written.steps)))
    found: list[tuple[str, str | None, str | None]] = []
    if facts.exercise or story.notice.exercise:
        found.append(("general", screen.exercise, screen.exercise_note))
    found += [
        ("summary", screen.happened, written.happened),
        ("general", screen.action, action),
        ("details", screen.affected, written.affected),
        ("details", screen.doing, written.doing),
        ("details", known["prevention"], written.prevention),
        ("general", known["offer"], written.offer),
        ("general", known["apology"], written.apology),
    ]
    if facts.next_update_seconds is not None:
        found.append(("general", screen.next_update, screen.when(facts.next_update_seconds)))
    found.append(("general", screen.contact, written.contact))
    found += [("faq", item.q, item.a) for item in written.faq]
    for number, statement in enumerate(facts.legal.statements if facts.legal else ()):
        found.append(
            ("legal_disclaimer", None, written.elsewhere.get(f"legal.statements.{number}", statement))
        )
    told = _told(story)
    made = [
        {"category": category, "text": text, **({"title": title} if title else {})}
        for category, title, text in found
        if text and not GAP.fullmatch(text) and folded(text) not in told
    ]
    foreign = "" if language == facts.source_language else words(facts.source_language).name
    for note in notes(facts.notes):
        if foreign and note.get("title"):
            note["title"] = known["source"].format(title=note["title"], language=foreign)
        made.append(note)
    return made


def _told(story: Story) -> frozenset[object]:
    """Return what a document that was taken over says already in a place of its own."""
    facts = story.facts
    if facts.origin is None:
        return frozenset()
    contact = facts.origin.publisher.contact
    return frozenset(folded(text) for text in (*(note.text for note in facts.notes), contact) if text)


def document_references(
    story: Story, who: Identity, language: str, addresses: dict[str, str]
) -> list[dict[str, str]]:
    """Return where more is said.

    Args:
        story: the revision.
        who: who publishes it, and as what.
        language: of the document.
        addresses: language -> address of the document in that language; empty when no pages are known.
    """
    facts, organisation, known = story.facts, story.setting.organisation, phrases(language)
    found: list[dict[str, str]] = []
    if who.translated and facts.source_language in addresses:
        url = addresses[facts.source_language]
        found.append({"category": "external", "summary": known["original"], "url": url})
    if language in addresses and who.origin is None:
        found.append({"category": "self", "summary": known["self"], "url": addresses[language]})
    ours = who.origin is not None and not who.translated
    found += references(facts.references, own=ours)
    if who.origin is None:
        pages = ((known["page"], organisation.site), (known["policy"], organisation.policy))
        found += [{"category": "external", "summary": summary, "url": url} for summary, url in pages if url]
    return found
