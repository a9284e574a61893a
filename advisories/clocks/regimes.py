"""Legal regimes as data (``regimes.toml``): who tells whom, what starts each clock, where that is written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from advisories.facts.parts import Id, Part
from advisories.yamlfile import choice
from keys.errors import InputError

AMOUNT_MAX: Final = 1_000
"""Of hours, days, months or business days: far above what any law says."""
SUBMITTED: Final = "submitted:"
"""Begins the name of a trigger that is the submission of another step."""
REGIMES_BYTES_MAX: Final = 262_144


class Matter(StrEnum):
    """What an incident is about, as far as clocks care."""

    VULNERABILITY = "vulnerability"
    INCIDENT = "incident"
    PERSONAL_DATA = "personal-data"


class Unit(StrEnum):
    """In what a period is counted."""

    HOURS = "hours"
    DAYS = "days"
    MONTHS = "months"
    BUSINESS_DAYS = "business-days"


class Calendar(StrEnum):
    """By whose rules days are counted."""

    UTC = "utc"
    """As they come."""
    US_FEDERAL = "us-federal"
    """Without weekends and federal holidays, in New York's time."""
    EU_1182 = "eu-1182"
    """By Regulation (EEC, Euratom) 1182/71, Article 3."""


AnyMatter = Annotated[Matter, BeforeValidator(choice(Matter))]


def _time(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        return time.fromisoformat(value)
    raise ValueError("a time of day is written like 17:30")


class Step(Part):
    """One duty of a regime, with its own clock."""

    id: Id
    name: str = Field(min_length=1)
    whom: str = ""
    """Empty: as the regime says."""
    trigger: str
    amount: int | None = Field(default=None, ge=1, le=AMOUNT_MAX)
    """None: the law names no number."""
    unit: Annotated[Unit, BeforeValidator(choice(Unit))] | None = None
    calendar: Annotated[Calendar, BeforeValidator(choice(Calendar))] = Calendar.UTC
    day_ends: Annotated[time, BeforeValidator(_time)] = time(17, 0)
    """When a business day ends, in New York; the default is when offices close."""
    customers: bool = False
    """True: it speaks to customers, so that it ends the silence and needs an approved notice."""
    content: tuple[str, ...] = Field(default=(), strict=False)
    """What has to be said: items of ``incident/items.toml``."""
    late: tuple[str, ...] = Field(default=(), strict=False)
    """What has to be said beside it when it comes late."""

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if (self.amount is None) != (self.unit is None):
            raise ValueError(f"{self.id}: amount and unit go together")
        if self.unit is Unit.BUSINESS_DAYS and self.calendar is not Calendar.US_FEDERAL:
            raise ValueError(f"{self.id}: business days are counted by us-federal")
        return self


class Regime(Part):
    """One law, or a policy that is kept like one."""

    id: Id
    name: str = Field(min_length=1)
    jurisdiction: str
    source: str = Field(min_length=1)
    """Law and article."""
    verified_on: date | None = None
    """When somebody read it in its source."""
    enabled: bool = True
    reason: str = ""
    """Why it is off."""
    in_force: date | None = None
    """Before this day nothing is computed."""
    note: str = ""
    who: str
    whom: str
    kinds: tuple[AnyMatter, ...] = Field(strict=False)
    """Kinds of incident to which it is applied unasked, where Legal lists the regime."""
    certain: tuple[AnyMatter, ...] = Field(default=(), strict=False)
    """Kinds whose awareness is this regime's awareness, without another word."""
    aware: str = ""
    """The trigger that awareness of the incident stands for; empty: it must be recorded."""
    hold: str = ""
    """Where the law lets law enforcement ask to wait; empty: nowhere."""
    hold_days_max: int | None = Field(default=None, ge=1)
    """A hold pauses no longer than this; None: as long as it is held."""
    hold_named: bool = False
    """Only a hold that names this regime pauses it: not every office may ask for it."""
    steps: tuple[Step, ...] = Field(strict=False)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [step.id for step in self.steps]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.id}: two steps have one id")
        for step in self.steps:
            other = step.trigger.removeprefix(SUBMITTED)
            if step.trigger.startswith(SUBMITTED) and (other not in names or other == step.id):
                raise ValueError(f"{self.id}: there is no other step {other}")
        if self.enabled == bool(self.reason):
            raise ValueError(f"{self.id}: a regime that is off says why, one that is on has no reason")
        if self.enabled and self.verified_on is None:
            raise ValueError(f"{self.id}: verified_on is missing; what nobody read in its source is off")
        return self

    def step(self, name: str) -> Step | None:
        """Return a step by its id, or None."""
        return next((step for step in self.steps if step.id == name), None)

    def recipient(self, step: Step) -> str:
        """Return who has to be told by a step."""
        return step.whom or self.whom


class Regimes(Part):
    """All regimes, and what may start their clocks."""

    triggers: dict[Id, str]
    """Name -> what happened."""
    regimes: dict[str, Regime]

    @model_validator(mode="after")
    def _known(self) -> Self:
        for regime in self.regimes.values():
            for name in (regime.aware, *(step.trigger for step in regime.steps)):
                if name and not name.startswith(SUBMITTED) and name not in self.triggers:
                    raise ValueError(f"{regime.id}: there is no trigger {name}")
        return self

    def meaning(self, trigger: str) -> str:
        """Return in words what a trigger is."""
        if trigger.startswith(SUBMITTED):
            return f"the step {trigger.removeprefix(SUBMITTED)} was submitted"
        return self.triggers.get(trigger, trigger)


@cache
def builtin() -> Regimes:
    """Return the regimes that come with the program."""
    text = resources.files("advisories.clocks").joinpath("regimes.toml").read_bytes()
    return load_regimes(text, where="regimes.toml")


def load_regimes(text: bytes, *, where: str, base: Regimes | None = None) -> Regimes:
    """Read regimes from TOML.

    Args:
        text: untrusted, UTF-8.
        where: the file's name, for messages.
        base: regimes to which these are added; one of the same id is replaced.

    Raises:
        InputError: BAD_REGIMES, with the file and what is wrong.
    """
    if len(text) > REGIMES_BYTES_MAX:
        raise _bad(f"it has more than {REGIMES_BYTES_MAX} bytes", where)
    try:
        data = tomllib.loads(text.decode())
    except RecursionError:
        raise _bad("its brackets lie too deep in each other", where) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _bad(f"it is not TOML ({error})", where) from None
    tables = data.pop("regimes", {})
    triggers = data.pop("triggers", {})
    if data or not isinstance(tables, dict) or not isinstance(triggers, dict):
        raise _bad("it has other tables than [triggers] and [regimes.ID]", where)
    values: dict[str, Any] = {
        "triggers": {**(base.triggers if base else {}), **triggers},
        "regimes": {
            **(base.regimes if base else {}),
            **{name: {"id": name, **_table(row, name, where)} for name, row in tables.items()},
        },
    }
    try:
        return Regimes.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        message = str(fault.get("ctx", {}).get("error") or fault["msg"])
        raise _bad(f"{place}: {message}" if place else message, where) from None


def _table(row: object, name: str, where: str) -> Mapping[str, Any]:
    if not isinstance(row, dict) or "id" in row:
        raise _bad(f"regimes.{name} is no table of a regime", where)
    return row


def _bad(what: str, where: str) -> InputError:
    mend = "Mend it; docs/reference/regimes.md shows rows of this form."
    return InputError("BAD_REGIMES", f"The file of regimes cannot be used: {what}.", mend=mend, where=where)
