"""What the workspace's tables say: settings, products and keys, each read strictly from TOML."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any, Final

from advisories.limits import PAYLOAD_BYTES_MAX
from advisories.topics import DEFAULT_PREFIX, is_id
from advisories.versions import parse_version
from gateway import files, values
from gateway.core import retention
from gateway.core.rate import (
    HTTP_BYTES_PER_SECOND,
    MQTT_BYTES_PER_SECOND,
    PAYLOAD_RATES,
    REPORT_RATES,
    REPORTS_PER_MINUTE,
)
from gateway.core.retention import RULES
from gateway.files import Field
from gateway.store import address
from keys.algorithms import PublicKey
from keys.cbor import decode, encode
from keys.errors import InputError, RefusedError
from keys.limits import NAME_BYTES_MAX

FORMAT: Final = 1
POLICY_FILE: Final = "policy.toml"
STORE_FILE: Final = "store.sqlite"
PRODUCT_LETTERS_MAX: Final = 200  # of a product's name, and of its vendor's
PUBLIC_KEY_BYTES_MAX: Final = 4_096  # of an encoded COSE_Key; ML-DSA-65 takes 1,966
ADDRESS_LETTERS_MAX: Final = 254  # of a mail address (RFC 5321, errata 1690)
SURFACES: Final = ("screen", "console", "led", "companion", "none")


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``tocsin.toml`` says."""

    exercise: bool
    """True for drills: every root says so, and one holder may act for several roles."""
    prefix: str
    """What every topic starts with."""
    broker: str | None
    """URL of the MQTT broker, e.g. ``mqtt://broker.example.com:1883``; None: one in process."""
    http: int | None
    """TCP port on which documents are served over HTTP; None: none."""
    tls_ca: str | None = None
    """PEM file of the CA that vouches for an ``mqtts`` broker; None: ``tls/ca.pem``, or the system's."""
    tls_certificate: str | None = None
    """PEM file of the gateway's certificate; None: ``tls/gateway.pem``, where it exists."""
    tls_key: str | None = None
    """PEM file of that certificate's key; None: ``keys/tls-gateway.pem``."""
    https_certificate: str | None = None
    """PEM file of the server certificate with which ``http`` is served over TLS; None: without TLS."""
    https_key: str | None = None
    """PEM file of that certificate's key."""
    mqtt_payload_rate: int = MQTT_BYTES_PER_SECOND
    """Bytes of payloads a second that all devices together are sent over MQTT."""
    http_payload_rate: int = HTTP_BYTES_PER_SECOND
    """The same over HTTP."""
    report_rate: int = REPORTS_PER_MINUTE
    """Reports a minute that one device may send to one worker, and so many at once."""
    webhook_networks: tuple[str, ...] = ()
    """Networks such as ``10.1.0.0/16`` to which webhooks may go although they are not of the Internet."""
    webhook_ca: str | None = None
    """PEM file of the CA that vouches for receivers of webhooks; None: the system's."""
    mail_host: str | None = None
    """Mail server that takes alerts; None: none are mailed."""
    mail_port: int | None = None
    """TCP port there; None: 587 for starttls, 465 for tls, 25 for none."""
    mail_tls: str = "starttls"
    """``starttls``, ``tls`` from the first byte, or ``none``, which goes to this machine only."""
    mail_from: str | None = None
    """Address that alerts come from."""
    mail_to: tuple[str, ...] = ()
    """Addresses that alerts go to."""
    mail_user: str | None = None
    """Name at the mail server; None: no log-in."""
    mail_password_file: str | None = None
    """File with the password, readable by its owner only; TOCSIN_MAIL_PASSWORD wins."""
    mail_ca: str | None = None
    """PEM file of the CA that vouches for the mail server; None: the system's."""
    store: str | None = None
    """Address of the store's database, or path of its file; None: ``store.sqlite``. TOCSIN_STORE wins."""
    keep: Mapping[str, int] = field(default_factory=dict)
    """Rule of :data:`gateway.core.retention.RULES` -> days; what has no rule is kept."""
    log_format: str = "text"
    """``text`` or ``json``: how ``serve`` writes its log."""


@dataclass(frozen=True, slots=True)
class Product:
    """One product as ``products.toml`` says."""

    id: str
    name: str
    languages: tuple[str, ...]
    """BCP 47; a notice for this product needs a text in each of them."""
    surface: str
    """Where its devices show a notice: one of :data:`SURFACES`."""
    vendor: str
    """A domain name of the vendor; the SUIT vendor id is made from it."""
    slot_bytes: int
    """Size of one image slot, in bytes."""
    consent: str
    """``ask`` the owner before installing; ``agreed`` beforehand, or only to ``urgent`` security patches."""
    versions: tuple[str, ...] = ()
    """Every version that was released, oldest first."""
    end_of_support: str | None = None
    """Last day on which it gets security updates, as ``2030-01-31``; None: not decided."""

    @property
    def vendor_id(self) -> bytes:
        """UUID version 5 of the vendor's domain name (RFC 9019's recommendation): 16 bytes."""
        return vendor_id_of(self.vendor)

    @property
    def class_id(self) -> bytes:
        """UUID version 5 of the product's id below the vendor id: 16 bytes."""
        return class_id_of(self.vendor, self.id)


def vendor_id_of(vendor: str) -> bytes:
    """Return the SUIT vendor id of a domain name: 16 bytes."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, vendor).bytes


def class_id_of(vendor: str, product: str) -> bytes:
    """Return the SUIT class id of a vendor's product: 16 bytes."""
    return uuid.uuid5(uuid.UUID(bytes=vendor_id_of(vendor)), product).bytes


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One key as ``keys.toml`` says."""

    name: str
    uri: str | None
    """Key URI; a relative ``file:`` path starts at the workspace. None: the private key is elsewhere."""
    roles: tuple[str, ...]
    holder: str
    """The person or machine that uses it."""
    public: PublicKey
    revoked: int | None = None
    """UTC seconds at which it was revoked: the next root leaves it out."""
    reason: str | None = None
    """Why it was revoked."""

    @property
    def kid(self) -> str:
        """First 16 hex digits of the thumbprint, for people to compare."""
        return self.public.thumbprint.hex()[:16]


def read_versions(value: Any) -> tuple[str, ...]:
    """Return released versions, each newer than the one before it.

    Raises:
        ValueError: saying what is wrong.
    """
    found = values.texts(value) if value else ()
    numbers = [parse_version(version) for version in found]
    for before, after in pairwise(zip(numbers, found, strict=True)):
        if before[0] >= after[0]:
            raise ValueError(f"'{after[1]}' is not newer than '{before[1]}' before it")
    return found


def read_store(place: str) -> str:
    """Return where a store lies, as it was written.

    Raises:
        ValueError: saying what is wrong; a password in it is not repeated.
    """
    try:
        address.read(place)
    except InputError as error:
        raise ValueError(f"{error.message} {error.mend}".removesuffix(".")) from None
    return place


def read_day(value: Any) -> str:
    """Return a day as ``2030-01-31``.

    Raises:
        ValueError: for anything else.
    """
    try:
        return date.fromisoformat(values.a_text(value)).isoformat()
    except ValueError:
        raise ValueError("expected a date like 2030-01-31 in quotes") from None


def read_networks(value: Any) -> tuple[str, ...]:
    """Return networks such as ``10.1.0.0/16``.

    Raises:
        ValueError: saying what is wrong.
    """
    found = values.texts(value)
    for each in found:
        try:
            ipaddress.ip_network(each)
        except ValueError:
            raise ValueError(f"'{each}' is not a network such as 10.1.0.0/16") from None
    return found


def read_address(value: Any) -> str:
    """Return a plain mail address.

    Raises:
        ValueError: saying what is wrong.
    """
    text = values.a_text(value)
    if len(text) > ADDRESS_LETTERS_MAX or not re.fullmatch(r"[!-?A-~]+@[A-Za-z0-9.-]+", text):
        raise ValueError(f"'{text}' is not a plain mail address such as security@example.com")
    return text


SETTINGS: Mapping[str, Field] = {
    "format": Field(values.an_int(FORMAT, FORMAT)),
    "exercise": Field(values.a_bool),
    "prefix": Field(lambda value: check_prefix(values.a_text(value)), required=False, default=DEFAULT_PREFIX),
    "broker": Field(values.a_text, required=False),
    "http": Field(values.an_int(1, 65_535), required=False),
    "tls_ca": Field(values.a_text, required=False),
    "tls_certificate": Field(values.a_text, required=False),
    "tls_key": Field(values.a_text, required=False),
    "https_certificate": Field(values.a_text, required=False),
    "https_key": Field(values.a_text, required=False),
    "mqtt_payload_rate": Field(values.an_int(*PAYLOAD_RATES), required=False, default=MQTT_BYTES_PER_SECOND),
    "http_payload_rate": Field(values.an_int(*PAYLOAD_RATES), required=False, default=HTTP_BYTES_PER_SECOND),
    "report_rate": Field(values.an_int(*REPORT_RATES), required=False, default=REPORTS_PER_MINUTE),
    "webhook_networks": Field(read_networks, required=False, default=()),
    "webhook_ca": Field(values.a_text, required=False),
    "mail_host": Field(values.a_text, required=False),
    "mail_port": Field(values.an_int(1, 65_535), required=False),
    "mail_tls": Field(values.one_of("starttls", "tls", "none"), required=False, default="starttls"),
    "mail_from": Field(read_address, required=False),
    "mail_to": Field(lambda value: tuple(map(read_address, values.texts(value))), required=False, default=()),
    "mail_user": Field(values.a_text, required=False),
    "mail_password_file": Field(values.a_text, required=False),
    "mail_ca": Field(values.a_text, required=False),
    "store": Field(lambda value: read_store(values.a_text(value)), required=False),
    **{retention.setting(rule): Field(values.an_int(*retention.DAYS), required=False) for rule in RULES},
    "log_format": Field(values.one_of("text", "json"), required=False, default="text"),
}


def settings_of(found: Mapping[str, Any]) -> Settings:
    """Return the settings of which :data:`SETTINGS` has read each value."""
    kept = {rule: found[retention.setting(rule)] for rule in RULES}
    rest = {name: found[name] for name in found.keys() - {"format"} - set(map(retention.setting, RULES))}
    return Settings(keep={rule: days for rule, days in kept.items() if days is not None}, **rest)


def _short(value: Any) -> str:
    """Return a text that has room on a page, and in the setting of a release."""
    text = values.a_text(value)
    if len(text) > PRODUCT_LETTERS_MAX:
        raise ValueError(f"it has {len(text)} letters, at most {PRODUCT_LETTERS_MAX}")
    return text


PRODUCT: Mapping[str, Field] = {
    "name": Field(_short),
    "languages": Field(values.texts),
    "surface": Field(values.one_of(*SURFACES), required=False, default="screen"),
    "vendor": Field(_short, required=False, default="example.com"),
    "slot_bytes": Field(values.an_int(1_024, PAYLOAD_BYTES_MAX), required=False, default=1_048_576),
    "consent": Field(values.one_of("ask", "urgent", "agreed"), required=False, default="ask"),
    "versions": Field(read_versions, required=False, default=()),
    "end_of_support": Field(read_day, required=False),
}


def check_prefix(prefix: str) -> str:
    """Return a topic prefix that leaves room for our levels.

    Raises:
        ValueError: saying what is wrong.
    """
    levels = prefix.split("/")
    if not all(is_id(level) for level in levels) or len(levels) > 3:
        raise ValueError(f"'{prefix}' is not a prefix of one to three levels such as {DEFAULT_PREFIX}")
    return prefix


def roles_of(known: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    """Return the reader of a list of roles, each among those known."""

    def read(value: Any) -> tuple[str, ...]:
        roles = values.texts(value)
        for role in roles:
            if role not in known:
                hint = files.near(role, list(known))[:-1]
                raise ValueError(f"'{role}' is not a role; {hint}. A row of {POLICY_FILE} makes it one")
        return roles

    return read


def _holder(value: Any) -> str:
    holder = values.a_text(value)
    if len(holder.encode()) > NAME_BYTES_MAX:
        raise ValueError(f"a holder has at most {NAME_BYTES_MAX} bytes")
    return holder


def _public(value: Any) -> PublicKey:
    try:
        data = bytes.fromhex(values.a_text(value))
        return PublicKey.from_cose(decode(data, size_max=PUBLIC_KEY_BYTES_MAX))
    except RefusedError:
        raise ValueError("this is not a public key") from None


def key_fields(known: Sequence[str]) -> Mapping[str, Field]:
    """Return the fields of a key in ``keys.toml``, where these roles are known."""
    return {
        "uri": Field(values.a_text, required=False),
        "roles": Field(roles_of(known)),
        "holder": Field(_holder),
        "public": Field(_public),
        "revoked": Field(values.a_time, required=False),
        "reason": Field(values.a_text, required=False),
    }


PUBLIC_KEY: Mapping[str, Field] = {
    "roles": Field(values.texts),
    "holder": Field(_holder),
    "public": Field(_public),
}
"""What a key's public file says: all that may leave the machine on which the private key lies."""


def public_values(entry: KeyEntry) -> dict[str, Any]:
    """Return what :data:`PUBLIC_KEY` reads."""
    public = encode(entry.public.to_cose()).hex()
    return {"roles": entry.roles, "holder": entry.holder, "public": public}


def require_id(name: str, what: str) -> str:
    """Return ``name`` if it may be one topic level.

    Raises:
        InputError: BAD_ID.
    """
    if not is_id(name):
        raise InputError(
            "BAD_ID",
            f"'{name}' is not {what}.",
            mend="Use 1 to 64 letters, digits, dots, underscores or hyphens, a letter or digit first.",
        )
    return name
