"""What is known about the matter, what is done about it, and whom it concerns.

Everything here is said in the source language or is a date, a number or a choice. What owners read
stands in :mod:`advisories.facts.texts`, one language beside the other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from advisories.facts.parts import Day, Instant, Language, Long, Name, Part, Prose, Role, Url, words_of
from advisories.yamlfile import choice


class Kind(StrEnum):
    """What sort of matter an advisory is about."""

    VULNERABILITY = "vulnerability"
    INCIDENT = "incident"
    END_OF_SUPPORT = "end-of-support"


class Tlp(StrEnum):
    """Traffic light protocol 2.0 (FIRST): how far a document may travel."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber-strict"
    RED = "red"


class Status(StrEnum):
    """How sure we are of a fact; *unknown* is allowed and said honestly."""

    CONFIRMED = "confirmed"
    SUSPECTED = "suspected"
    UNKNOWN = "unknown"


Sure = Annotated[Status, BeforeValidator(choice(Status)), words_of(Status)]


class DataType(StrEnum):
    """What kinds of personal data are concerned: a precise list, so that nobody says "some data".

    The words for owners are in ``phrases/<language>.toml``, table ``data_type``.
    """

    NAME = "name"
    POSTAL_ADDRESS = "postal-address"
    EMAIL_ADDRESS = "email-address"
    PHONE_NUMBER = "phone-number"
    DATE_OF_BIRTH = "date-of-birth"
    ACCOUNT_NAME = "account-name"
    PASSWORD = "password"  # noqa: S105 - the name of a kind of data
    PASSWORD_HASH = "password-hash"  # noqa: S105 - the name of a kind of data
    DEVICE_ID = "device-id"
    USAGE_DATA = "usage-data"
    LOCATION = "location"
    HOME_NETWORK = "home-network"
    CAMERA_OR_SOUND = "camera-or-sound"
    MESSAGES = "messages"
    PAYMENT_CARD = "payment-card"
    BANK_ACCOUNT = "bank-account"
    PURCHASES = "purchases"
    IDENTITY_DOCUMENT = "identity-document"
    SOCIAL_SECURITY_NUMBER = "social-security-number"
    TAX_NUMBER = "tax-number"
    HEALTH = "health"
    BIOMETRIC = "biometric"


FINANCIAL = frozenset({DataType.PAYMENT_CARD, DataType.BANK_ACCOUNT})
"""Data whose loss is told apart and prominently."""
IDENTITY = frozenset({DataType.IDENTITY_DOCUMENT, DataType.SOCIAL_SECURITY_NUMBER, DataType.TAX_NUMBER})
"""Data whose loss calls for an offer such as identity protection."""


class Author(Part):
    """Who wrote it: counts only for the author's own role when the notice is signed."""

    holder: Name
    role: Role


class Reminder(Part):
    """How often a device reminds an owner who has not acknowledged."""

    every_hours: int = Field(ge=1, le=8_760)
    at_most: int = Field(ge=1, le=255)


class Fact(Part):
    """One statement with how sure we are, who says so, and since when."""

    statement: Prose
    status: Sure
    source: Prose | None = None
    date: Day | None = None


class Data(Part):
    """Personal data that is concerned."""

    types: tuple[Annotated[DataType, BeforeValidator(choice(DataType)), words_of(DataType)], ...] = Field(
        default=(), strict=False
    )
    concerned: bool = True
    """False: we looked, and none is."""
    status: Sure = Status.UNKNOWN
    source: Prose | None = None
    date: Day | None = None

    @model_validator(mode="after")
    def _none_has_no_types(self) -> Data:
        if self.types and not self.concerned:
            raise ValueError("data that is not concerned has no types")
        return self

    @property
    def financial(self) -> bool:
        """Whether money can be lost by it."""
        return not FINANCIAL.isdisjoint(self.types)

    @property
    def identity(self) -> bool:
        """Whether somebody could pass for the owner with it."""
        return not IDENTITY.isdisjoint(self.types)


class Estimate(Part):
    """How many people or devices are concerned, as it was known on a day; the last one counts."""

    count: int = Field(ge=0)
    of: Annotated[str, Field(pattern="^(customers|devices|people)$")] = "customers"
    date: Day
    source: Prose


class Step(Part):
    """Something that was done, or will be by a day."""

    what: Prose
    date: Day | None = None
    done: bool = False


class MeasureKind(StrEnum):
    """What a measure of prevention consists of."""

    CODE = "code"
    CONFIGURATION = "configuration"
    TEST = "test"
    PENETRATION_TEST = "penetration-test"
    CONTROL_REVIEW = "control-review"
    MONITORING = "monitoring"
    TRAINING = "training"
    KEY_CHANGE = "key-change"
    SUPPLIER = "supplier"


class Measure(Step):
    """What keeps it from happening again: concrete, with a kind and a day."""

    kind: Annotated[MeasureKind, BeforeValidator(choice(MeasureKind)), words_of(MeasureKind)]


class Delivery(StrEnum):
    """How the fix gets on."""

    AUTOMATIC = "automatic"
    OFFERED = "offered"
    DOWNLOAD = "download"
    SERVICE = "service"


class Fix(Part):
    """The remedy and its time."""

    available: Instant | None = None
    """Since when, or from when."""
    delivery: Annotated[Delivery, BeforeValidator(choice(Delivery)), words_of(Delivery)] = Delivery.OFFERED
    planned: bool = True
    """False: there will be none."""
    page: Url | None = None
    """Where it can be downloaded."""


class Cause(Part):
    """How far the search for the cause has come."""

    status: Annotated[str, Field(pattern="^(not-started|running|found)$")] = "not-started"
    statement: Prose | None = None
    date: Day | None = None


class Investigation(Part):
    """Whether people still look, and with whom."""

    running: bool = False
    with_authorities: tuple[Name, ...] = Field(default=(), strict=False)
    """Offices with which we cooperate now: only those with a date and a source below may be told."""
    since: Day | None = None
    source: Prose | None = None


class Offer(Part):
    """Help for those concerned."""

    what: Prose
    how: Prose
    until: Day | None = None


class ContactKind(StrEnum):
    """How people reach us."""

    PHONE = "phone"
    MAIL = "mail"
    PAGE = "page"
    POST = "post"


class Contact(Part):
    """A way to reach a person, and when somebody last tried it."""

    kind: Annotated[ContactKind, BeforeValidator(choice(ContactKind)), words_of(ContactKind)]
    value: Prose
    hours: Prose | None = None
    languages: tuple[Language, ...] = Field(default=(), strict=False)
    """Languages that are answered; empty: all of the notice."""
    tested: Day | None = None
    tested_by: Name | None = None


class Audience(StrEnum):
    """Who is spoken to, beside the owners."""

    SUPPORT = "support"
    SALES = "sales"
    SOCIAL_MEDIA = "social-media"
    SWITCHBOARD = "switchboard"
    EXECUTIVES = "executives"
    SUPPLIERS = "suppliers"
    DISTRIBUTORS = "distributors"
    REGULATORS = "regulators"
    LAW_ENFORCEMENT = "law-enforcement"
    CUSTOMERS = "customers"


class Stakeholder(Part):
    """Who has to be told, how, and when that was done."""

    audience: Annotated[Audience, BeforeValidator(choice(Audience)), words_of(Audience)]
    name: Name
    how: Prose | None = None
    told: Instant | None = None


class Moment(Part):
    """One line of the timeline."""

    at: Instant
    what: Prose
    status: Sure = Status.CONFIRMED
    public: bool = False
    """True: owners may read it on the page."""


class Legal(Part):
    """What Legal states; only Legal changes it."""

    statements: tuple[Prose, ...] = Field(default=(), strict=False)
    """Sentences that stand in letters and pages as they are, in the source language."""
    laws: tuple[Prose, ...] = Field(default=(), strict=False)
    """Laws under which people are told, for authority drafts."""
    hold_until: Instant | None = None
    """Law enforcement asked to wait until then."""
    hold_by: Name | None = None


class Annex(Part):
    """What stays with us: details that would help an attacker. No output carries it, and a check compares."""

    details: tuple[Long, ...] = Field(default=(), strict=False)
    terms: tuple[Prose, ...] = Field(default=(), strict=False)
    """Words that may stand in no output at all: a function's name, a port, a path."""


class Publisher(Part):
    """Who issues a document (CSAF 2.0, section 3.2.1.8)."""

    name: str = Field(min_length=1)
    namespace: str
    """An address under the issuer's control, e.g. ``https://psirt.example.com``."""
    category: str = "vendor"
    """coordinator, discoverer, other, translator, user or vendor."""
    contact: Long | None = None
    authority: Long | None = None


class Earlier(Part):
    """A revision that was issued before this file was kept here."""

    number: str
    date: Instant
    summary: Long
    legacy_version: Long | None = None
    """Its number in an older scheme."""


class Origin(Part):
    """Where a file was taken from: what a CSAF document said of itself."""

    publisher: Publisher
    id: str
    category: str
    version: str
    status: Annotated[str, Field(pattern="^(draft|interim|final)$")]
    first: Instant
    current: Instant
    history: tuple[Earlier, ...] = Field(min_length=1, strict=False)
    aliases: tuple[str, ...] = Field(default=(), strict=False)
    language: str | None = None
    """As written there; None where it said nothing."""
    source_language: str | None = None
    tlp: Annotated[Tlp, BeforeValidator(choice(Tlp)), words_of(Tlp)] | None = None
    tlp_text: Long | None = None
    tlp_url: str | None = None
    """Where its traffic light protocol is explained; None: at FIRST."""
    title: Long | None = None
    """Its title, where ``texts`` cannot hold it letter for letter."""
    severity: Long | None = None
    severity_namespace: str | None = None
