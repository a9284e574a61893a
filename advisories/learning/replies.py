"""What people answer: mentions and replies, each one recorded and decided upon.

A reply is not left lying: somebody decides to ignore it, to monitor it or to respond, and says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from advisories.events import Event, Recorded, event
from advisories.facts.parts import Instant, Language, Long, Prose, words_of
from advisories.yamlfile import choice

REPLY_LETTERS_MAX: Final = 4_096


class Channel(StrEnum):
    """Where people answered."""

    PHONE = "phone"
    MAIL = "mail"
    LETTER = "letter"
    SOCIAL = "social"
    PRESS = "press"
    SUPPORT = "support"
    FORUM = "forum"


class Topic(StrEnum):
    """What it is about; the review counts by it."""

    GENUINE = "genuine"
    AFFECTED = "affected"
    WHAT_TO_DO = "what-to-do"
    DATA = "data"
    FIX = "fix"
    COMPENSATION = "compensation"
    BLAME = "blame"
    PRESS = "press"
    OTHER = "other"


class Decision(StrEnum):
    """What is done about it."""

    IGNORE = "ignore"
    MONITOR = "monitor"
    RESPOND = "respond"


@event("reply.received")
class Received(Event):
    """Somebody said something about the matter."""

    channel: Annotated[Channel, BeforeValidator(choice(Channel)), words_of(Channel)]
    topic: Annotated[Topic, BeforeValidator(choice(Topic)), words_of(Topic)] = Topic.OTHER
    text: Annotated[Long, Field(max_length=REPLY_LETTERS_MAX)]
    who: Prose | None = None
    """As they are known there; leave it out where it does not matter."""
    language: Language | None = None
    where: Prose | None = None
    """Address or number of the post or letter."""
    at: Instant | None = None
    """When it was said; None: when it was recorded."""


@event("reply.triaged")
class Triaged(Event):
    """Somebody decided what is done about a reply."""

    reply: int = Field(ge=1)
    """Number of the event that recorded it."""
    decision: Annotated[Decision, BeforeValidator(choice(Decision)), words_of(Decision)]
    reason: Prose
    answer: Long | None = None
    """What was answered, where it was."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply with every decision about it; the last one counts."""

    number: int
    recorded: Recorded
    received: Received
    decisions: tuple[tuple[Recorded, Triaged], ...] = ()

    @property
    def decision(self) -> Triaged | None:
        """What is done about it; None while nobody has decided."""
        return self.decisions[-1][1] if self.decisions else None

    @property
    def waiting(self) -> bool:
        """Whether somebody still owes something: a decision, or the answer that was decided on."""
        last = self.decision
        return last is None or (last.decision is Decision.RESPOND and not last.answer)


def replies(events: Iterable[Recorded]) -> list[Reply]:
    """Return every reply with its decisions, oldest first.

    Args:
        events: in their order; other kinds are passed over.
    """
    found: dict[int, Reply] = {}
    for each in events:
        if isinstance(each.data, Received):
            found[each.seq] = Reply(each.seq, each, each.data)
        elif isinstance(each.data, Triaged) and each.data.reply in found:
            old = found[each.data.reply]
            found[old.number] = Reply(
                old.number, old.recorded, old.received, (*old.decisions, (each, each.data))
            )
    return list(found.values())


def by_topic(found: Iterable[Reply]) -> dict[str, int]:
    """Count replies by topic, most frequent first."""
    counts = Counter(reply.received.topic.value for reply in found)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
