"""What people did about a matter, one event after the other: the only memory of an incident.

An event is recorded once and never changed; whatever is known about an incident (its clocks, who was told,
what was asked) follows from its events. Each kind is a record registered with :func:`event` by the room
that knows what it means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import ValidationError

from advisories.facts.parts import Part

KINDS: Final[dict[str, type[Event]]] = {}
"""Every kind of event by its name, such as ``incident.opened``."""


class Event(Part):
    """What an event says. A subclass is one kind."""

    @property
    def kind(self) -> str:
        """The name under which it is recorded."""
        return next(name for name, cls in KINDS.items() if cls is type(self))


E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its circumstances."""

    seq: int
    """Rises with every event of a workspace."""
    at: float
    """UTC seconds at which it was recorded; when it happened, the event itself may say."""
    by: str
    """Who said so."""
    incident: str | None
    advisory: str | None
    data: Event


def event(kind: str) -> Callable[[type[E]], type[E]]:
    """Register a kind of event; names have at most 32 letters, such as ``reply.received``."""

    def register(cls: type[E]) -> type[E]:
        assert kind not in KINDS, f"event {kind} is registered twice"
        assert len(kind) <= 32, kind
        KINDS[kind] = cls
        return cls

    return register


def encode(data: Event) -> str:
    """Return an event as JSON."""
    return data.model_dump_json(exclude_defaults=True)


def decode(kind: str, text: str) -> Event:
    """Read what :func:`encode` wrote.

    Raises:
        ValueError: an unknown kind, or a text that is not of this kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no kind of event '{kind}'")
    try:
        return KINDS[kind].model_validate_json(text, strict=False)
    except ValidationError:
        raise ValueError(f"this is no event of the kind '{kind}'") from None
