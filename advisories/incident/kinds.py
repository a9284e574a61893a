"""Kinds of events of an incident. Each says when it happened and, in one line, what it tells."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from advisories.clocks.regimes import AnyMatter
from advisories.events import Event, Recorded, event
from advisories.facts.matter import Audience, Tlp
from advisories.facts.parts import Id, Instant, Prose
from advisories.notice import Severity
from advisories.yamlfile import choice, near_miss, not_one_of, shown
from keys.errors import InputError

E = TypeVar("E", bound=Event)

SEVERITIES: Final = tuple(severity.name.lower() for severity in Severity)
SEVERE: Final = ("high", "critical")
"""From here on an incident is watched more closely."""
DIRECTIONS: Final = ("in", "out")
COUNTED: Final = ("customers", "devices", "people")
_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _plain(value: str) -> str:
    """Refuse what would steer a terminal, or turn words around, wherever the event is shown."""
    if not value:
        raise ValueError("it is empty")
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in _TURNS for c in value):
        raise ValueError("it holds control characters")
    return value


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _word_of(known: tuple[str, ...]) -> BeforeValidator:
    def read(value: object) -> object:
        if value not in known:
            raise not_one_of(value, known)
        return value

    return BeforeValidator(read)


Plain = Annotated[Prose, AfterValidator(_plain)]
"""Words of one line that anybody may be shown."""
When = Annotated[Instant, AfterValidator(_utc)]
"""A moment, kept in UTC."""
AnyAudience = Annotated[Audience, BeforeValidator(choice(Audience))]


class Happening(Event):
    """An event about something that happened at a moment of its own."""

    when: When

    def line(self) -> str:
        """Return what it tells, in one line for the timeline."""
        raise NotImplementedError


@event("incident.opened")
class Opened(Happening):
    """We became aware; ``when`` is that moment, from which clocks run."""

    matter: AnyMatter = Field(strict=False)
    title: Plain | None = None
    regimes: tuple[Id, ...] = Field(default=(), strict=False)
    """Regimes of which the person who opened it said that they apply: awareness starts their clocks."""

    def line(self) -> str:
        """Return what it tells."""
        chosen = f"; applies: {', '.join(self.regimes)}" if self.regimes else ""
        return f"became aware of it ({self.matter.value}){chosen}"


@event("incident.trigger")
class Triggered(Happening):
    """Something happened that starts a clock."""

    trigger: Id
    correction: Plain | None = None
    """Why a time that was recorded before was wrong."""

    def line(self) -> str:
        """Return what it tells."""
        return f"{self.trigger}{_corrected(self.correction)}"


@event("incident.submitted")
class Submitted(Happening):
    """A step of a regime was done: told, filed, sent."""

    regime: Id
    step: Id
    reference: Plain | None = None
    """The authority's number for it."""
    correction: Plain | None = None

    def line(self) -> str:
        """Return what it tells."""
        reference = f", reference {self.reference}" if self.reference else ""
        return f"submitted {self.regime} {self.step}{reference}{_corrected(self.correction)}"


def _corrected(reason: str | None) -> str:
    return f" (corrected: {reason})" if reason else ""


@event("incident.regime")
class Decided(Happening):
    """Legal decided whether a regime applies, and why."""

    regime: Id
    applies: bool
    reason: Plain

    def line(self) -> str:
        """Return what it tells."""
        return f"{self.regime} {'applies' if self.applies else 'does not apply'}: {self.reason}"


@event("incident.hold")
class Held(Happening):
    """Law enforcement asked to wait."""

    office: Plain
    until: When | None = None
    regimes: tuple[Id, ...] = Field(default=(), strict=False)
    """Empty: every regime that lets any office ask."""

    def line(self) -> str:
        """Return what it tells."""
        which = f" for {', '.join(self.regimes)}" if self.regimes else ""
        until = f" until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        return f"{self.office} asked to wait{which}{until}"

    @model_validator(mode="after")
    def _in_order(self) -> Held:
        if self.until is not None and self.until <= self.when:
            raise ValueError("until is not later than the hold itself")
        return self


@event("incident.hold-lifted")
class Lifted(Happening):
    """Law enforcement no longer asks to wait."""

    office: Plain

    def line(self) -> str:
        """Return what it tells."""
        return f"{self.office} no longer asks to wait"


@event("incident.credit")
class Credited(Happening):
    """Who found it, and whether they agreed to be named."""

    name: Plain
    agreed: bool
    organisation: Plain | None = None

    def line(self) -> str:
        """Return what it tells."""
        of = f" ({self.organisation})" if self.organisation else ""
        return f"reported by {self.name}{of}, {'agreed' if self.agreed else 'did not agree'} to be named"


@event("incident.log")
class Logged(Happening):
    """One contact in the coordination with another party."""

    party: Plain
    what: Plain
    direction: Annotated[str, _word_of(DIRECTIONS)]
    tlp: Annotated[Tlp, BeforeValidator(choice(Tlp))] = Field(default=Tlp.AMBER, strict=False)

    def line(self) -> str:
        """Return what it tells."""
        way = "from" if self.direction == "in" else "to"
        return f"{way} {self.party} (TLP:{self.tlp.value.upper().replace('-', '+')}): {self.what}"


@event("incident.note")
class Noted(Happening):
    """Anything else worth keeping."""

    text: Plain

    def line(self) -> str:
        """Return what it tells."""
        return self.text


@event("incident.told")
class Told(Happening):
    """A stakeholder was told."""

    audience: AnyAudience = Field(strict=False)
    name: Plain
    how: Plain | None = None

    def line(self) -> str:
        """Return what it tells."""
        how = f" by {self.how}" if self.how else ""
        return f"told {self.name} ({self.audience.value}){how}"


@event("incident.estimate")
class Estimated(Happening):
    """How many are concerned, as it was known then; earlier numbers stay as the trail."""

    count: int = Field(ge=0, le=10**12)
    of: Annotated[str, _word_of(COUNTED)] = "customers"
    source: Plain

    def line(self) -> str:
        """Return what it tells."""
        return f"about {self.count} {self.of} concerned ({self.source})"


@event("incident.severity")
class Graded(Happening):
    """How severe it is; a severe one is watched more closely from then on."""

    severity: Annotated[str, _word_of(SEVERITIES)]
    reason: Plain | None = None

    def line(self) -> str:
        """Return what it tells."""
        raised = "; monitoring raised" if self.severity in SEVERE else ""
        return f"severity {self.severity}{f' ({self.reason})' if self.reason else ''}{raised}"


@event("incident.linked")
class Linked(Happening):
    """An advisory speaks about this incident."""

    advisory: Id

    def line(self) -> str:
        """Return what it tells."""
        return f"advisory {self.advisory} speaks about it"


@event("incident.fact")
class Stated(Happening):
    """What a report to an authority says under one of its items."""

    item: Id
    text: Plain
    source: Plain | None = None

    def line(self) -> str:
        """Return what it tells."""
        return f"{self.item}: {self.text}{f' ({self.source})' if self.source else ''}"


@event("incident.draft-signed")
class DraftSigned(Happening):
    """Legal approved a draft for an authority."""

    regime: Id
    step: Id
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 of the draft's bytes."""
    holder: Plain

    def line(self) -> str:
        """Return what it tells."""
        return f"{self.holder} approved the draft {self.regime} {self.step} (SHA-256 {self.digest[:16]}...)"


@event("incident.closed")
class Closed(Happening):
    """Nothing is left to be done."""

    reason: Plain

    def line(self) -> str:
        """Return what it tells."""
        return f"closed: {self.reason}"


@event("incident.reopened")
class Reopened(Happening):
    """Something was left after all."""

    reason: Plain

    def line(self) -> str:
        """Return what it tells."""
        return f"opened again: {self.reason}"


def _require_text(name: str, word: str) -> None:
    """Refuse bytes that are no text, which arrive from the command line as half letters."""
    try:
        word.encode()
    except UnicodeEncodeError:
        message = f"{name}: '{shown(word)}' holds bytes that are no text."
        raise InputError("BAD_VALUE", message, mend="Write it in UTF-8.") from None


def made(cls: type[E], **values: Any) -> E:
    """Make an event of what a person typed; None counts as left out.

    Raises:
        InputError: BAD_VALUE, naming the value.
    """
    for name, value in values.items():
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str) and not word.isprintable():
                _require_text(name, word)
    try:
        return cls.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in fault["loc"])
    context = fault.get("ctx", {})
    if fault["type"] == "not_one_of":
        message = f"'{shown(context['value'])}' is not one of {', '.join(context['known'])}"
        raise InputError(
            "BAD_VALUE", f"{name}: {message}.", mend=near_miss(context["value"], context["known"])
        )
    said = shown(str(context.get("error") or fault["msg"].replace("Input", "it")))
    raise InputError("BAD_VALUE", f"{name}: {said}." if name else f"{said}.", mend="Write it otherwise.")


def moment(recorded: Recorded) -> datetime:
    """Return when an event happened: as it says itself, else when it was recorded."""
    if isinstance(recorded.data, Happening):
        return recorded.data.when
    return datetime.fromtimestamp(recorded.at, UTC)
