"""What the workspace's tables say: settings, products and keys, each read strictly from TOML."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from advisories.limits import IMAGE_BYTES_MAX
from advisories.topics import DEFAULT_PREFIX, is_id
from gateway.service import files
from gateway.service.files import Field
from keys.algorithms import PublicKey
from keys.cbor import decode
from keys.errors import InputError, RefusedError
from keys.limits import NAME_BYTES_MAX
from keys.root import ROLES

FORMAT: Final = 1
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
    """``ask`` the owner before installing, or ``agreed`` beforehand."""

    @property
    def vendor_id(self) -> bytes:
        """UUID version 5 of the vendor's domain name (RFC 9019's recommendation): 16 bytes."""
        return uuid.uuid5(uuid.NAMESPACE_DNS, self.vendor).bytes

    @property
    def class_id(self) -> bytes:
        """UUID version 5 of the product's id below the vendor id: 16 bytes."""
        return uuid.uuid5(uuid.UUID(bytes=self.vendor_id), self.id).bytes


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One key as ``keys.toml`` says."""

    name: str
    uri: str
    """Key URI; a relative ``file:`` path starts at the workspace."""
    roles: tuple[str, ...]
    holder: str
    """The person or machine that uses it."""
    public: PublicKey

    @property
    def kid(self) -> str:
        """First 16 hex digits of the thumbprint, for people to compare."""
        return self.public.thumbprint.hex()[:16]


SETTINGS: Mapping[str, Field] = {
    "format": Field(files.an_int(FORMAT, FORMAT)),
    "exercise": Field(files.a_bool),
    "prefix": Field(lambda value: check_prefix(files.a_text(value)), required=False, default=DEFAULT_PREFIX),
    "broker": Field(files.a_text, required=False),
    "http": Field(files.an_int(1, 65_535), required=False),
}
PRODUCT: Mapping[str, Field] = {
    "name": Field(files.a_text),
    "languages": Field(files.texts),
    "surface": Field(files.one_of(*SURFACES), required=False, default="screen"),
    "vendor": Field(files.a_text, required=False, default="example.com"),
    "slot_bytes": Field(files.an_int(1_024, IMAGE_BYTES_MAX), required=False, default=1_048_576),
    "consent": Field(files.one_of("ask", "agreed"), required=False, default="ask"),
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


def _roles(value: Any) -> tuple[str, ...]:
    roles = files.texts(value)
    for role in roles:
        if role not in ROLES:
            raise ValueError(f"'{role}' is not a role; {files.near(role, ROLES)[:-1]}")
    return roles


def _holder(value: Any) -> str:
    holder = files.a_text(value)
    if len(holder.encode()) > NAME_BYTES_MAX:
        raise ValueError(f"a holder has at most {NAME_BYTES_MAX} bytes")
    return holder


def _public(value: Any) -> PublicKey:
    try:
        return PublicKey.from_cose(decode(bytes.fromhex(files.a_text(value)), size_max=256))
    except RefusedError:
        raise ValueError("this is not a public key") from None


KEY: Mapping[str, Field] = {
    "uri": Field(files.a_text),
    "roles": Field(_roles),
    "holder": Field(_holder),
    "public": Field(_public),
}


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
