"""Who publishes a document, under which id, in which state, and what came before (CSAF 2.0, section 3.2.1).

A document that was taken over and is still published under the same namespace goes on with its own id,
numbers and history. Under another publisher it begins anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from advisories.csaf.words import phrases
from advisories.facts.matter import Origin, Publisher
from advisories.languages import on_calendar
from advisories.notice import Phase
from advisories.phases import CLOSED, word
from advisories.story import RegisteredProduct, Story

STATES: Final = ("draft", "interim", "final")
_SEMANTIC = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(\+.*)?", re.ASCII)
_DRAFT = re.compile(r"0|0\..*|[^+]*-.*")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks, in which language, and from where."""

    publisher: Publisher
    origin: Origin | None
    """Set when the document goes on with its own history."""
    language: str | None
    """None: the document does not say."""
    source_language: str | None
    id: str
    original_id: str
    translated: bool


def time_text(moment: datetime) -> str:
    """Return a moment as RFC 3339 writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def seconds_text(seconds: int) -> str:
    """Return UTC seconds as RFC 3339 writes them."""
    return time_text(on_calendar(seconds))


def identity(story: Story, language: str) -> Identity:
    """Return who publishes the document of one language, and as what."""
    facts = story.facts
    publisher, origin = _publisher(story), facts.origin
    if origin is not None and origin.publisher.namespace != publisher.namespace:
        origin = None
    original_id = origin.id if origin is not None else facts.id
    if language != facts.source_language:
        source = facts.texts[language].translated_from or facts.source_language
        if origin is not None and source == facts.source_language:
            source = origin.language or source
        translator = publisher.model_copy(update={"category": "translator"})
        return Identity(translator, origin, language, source, f"{original_id}-{language}", original_id, True)
    if origin is not None:
        return Identity(
            publisher, origin, origin.language, origin.source_language, origin.id, origin.id, False
        )
    return Identity(publisher, None, language, None, facts.id, facts.id, False)


def _publisher(story: Story) -> Publisher:
    """Return who publishes: as the organisation says, else as the document said, else the vendor."""
    organisation = story.setting.organisation
    if organisation.publisher is not None:
        return organisation.publisher
    if story.facts.origin is not None:
        return story.facts.origin.publisher
    vendor = next(
        (product.vendor for _, product in sorted(story.setting.products.items())),
        RegisteredProduct.model_fields["vendor"].default,
    )
    return Publisher(name=organisation.name or vendor, namespace=organisation.site or f"https://{vendor}")


def state(story: Story) -> str:
    """Return the state of a published revision: final once the matter is closed."""
    phases = [*(past.phase for past in story.setting.past), word(story.facts.phase)]
    last = next((phase for phase in reversed(phases) if phase != word(Phase.CORRECTION)), "")
    return "final" if last in {word(phase) for phase in CLOSED} else "interim"


def tracking(
    story: Story, who: Identity, language: str, *, status: str | None, published: bool
) -> dict[str, Any]:
    """Return ``tracking``.

    Args:
        story: the revision.
        who: as :func:`identity` says.
        language: of the document.
        status: draft, interim or final; None: by phase, or a draft while unpublished.
        published: False for facts that are still worked on. What was only taken over stays what it was.
    """
    origin = who.origin
    wanted = status or (origin.status if origin is not None else "")
    if origin is not None and _stays(origin, story, wanted, published=published):
        rows = [_row(item.number, item.date, item.summary, item.legacy_version) for item in origin.history]
        version, first, current = origin.version, time_text(origin.first), time_text(origin.current)
        if wanted != "draft":
            rows = [row for row in rows if not _DRAFT.fullmatch(row["number"])] or rows
    else:
        wanted = status or (state(story) if published else "draft")
        rows = _history(story, origin, language, draft=wanted == "draft" and not published)
        version, current = rows[-1]["number"], rows[-1]["date"]
        first = time_text(origin.first) if origin is not None else rows[0]["date"]
    found = {
        "id": who.id,
        "status": wanted,
        "version": version,
        "initial_release_date": first,
        "current_release_date": current,
        "revision_history": rows,
        "generator": {"engine": {"name": "Tocsin"}},
    }
    if origin is not None and origin.aliases:
        found["aliases"] = list(dict.fromkeys(origin.aliases))
    return found


def _stays(origin: Origin, story: Story, wanted: str, *, published: bool) -> bool:
    """Say whether a document was only taken over; what they called a draft is no more than one."""
    ours = published or bool(story.setting.past)
    return not ours and (wanted == "draft" or not _DRAFT.fullmatch(origin.version))


def _history(story: Story, origin: Origin | None, language: str, *, draft: bool) -> list[dict[str, str]]:
    known = phrases(language)
    ours = [(past.issued, past.changed.get(language) or known[past.phase]) for past in story.setting.past]
    phase = word(story.facts.phase)
    ours.append((story.notice.issued, story.facts.texts[language].changed or known[phase]))
    earlier = [
        _row(item.number, item.date, item.summary, item.legacy_version)
        for item in (origin.history if origin is not None else ())
        if not _DRAFT.fullmatch(item.number)
    ]
    number = earlier[-1]["number"] if earlier else "0"
    if draft and len(ours) == 1 and not earlier:
        return [{"number": "0", "date": seconds_text(ours[0][0]), "summary": ours[0][1]}]
    for issued, summary in ours:
        number = _next(number)
        earlier.append({"number": number, "date": seconds_text(issued), "summary": summary})
    return earlier


def _row(number: str, date: datetime, summary: str, legacy: str | None) -> dict[str, str]:
    found = {"number": number, "date": time_text(date), "summary": summary}
    return found | ({"legacy_version": legacy} if legacy else {})


def _next(number: str) -> str:
    semantic = _SEMANTIC.fullmatch(number)
    if semantic:
        return f"{semantic[1]}.{int(semantic[2]) + 1}.0"
    return str(int(number) + 1) if number.isascii() and number.isdigit() else "1"
