"""What a renderer may know: the facts, the header, and the setting in which they are told.

The setting is frozen when a revision is composed and bound by the release list, so that any machine can make
every output again from what was approved, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import Field

from advisories.facts import Facts
from advisories.facts.parts import Day, Id, Language, Part, Prose
from advisories.notice import Notice, Text
from advisories.organisation import Organisation

CODE_SLOT: Final = "***-***"
"""Stands in approved outputs for the check code, which is known only when the header is complete."""
SLOT: Final = "***"
"""The same for what each device fills in by itself: product and installed version."""
SETTING_BYTES_MAX: Final = 262_144


def filled(output: bytes, code: str) -> bytes:
    """Return an approved output as it is published: with the check code of the finished header."""
    return output.replace(CODE_SLOT.encode(), code.encode())


class RegisteredProduct(Part):
    """What the registry says about one product."""

    name: Prose
    vendor: Prose = "example.com"
    languages: tuple[Language, ...] = Field(default=(), strict=False)
    versions: tuple[str, ...] = Field(default=(), strict=False)
    """Every version that was released, oldest first."""
    end_of_support: Day | None = None


class Past(Part):
    """A revision that was published."""

    revision: int = Field(ge=1)
    phase: Annotated[str, Field(pattern="^(initial|update|resolved|withdrawn|correction)$")]
    """Name as in the file of facts."""
    issued: int = Field(ge=0)
    """UTC seconds."""
    changed: dict[Language, Prose] = Field(default_factory=dict)
    """Language -> what was new in it."""
    code: str = ""
    """Its check code."""


class Setting(Part):
    """In which the facts of one revision are told."""

    organisation: Organisation = Organisation()
    products: dict[Id, RegisteredProduct] = Field(default_factory=dict)
    past: tuple[Past, ...] = Field(default=(), strict=False)

    def product_name(self, product: str) -> str:
        """Return the name that people know, or the id of a product that is not in the registry."""
        known = self.products.get(product)
        return known.name if known else product

    def encode(self) -> bytes:
        """Return the bytes that the release list binds: JSON, the same for the same setting."""
        return self.model_dump_json(exclude_defaults=True).encode() + b"\n"


def load_setting(data: bytes) -> Setting:
    """Read what :meth:`Setting.encode` wrote.

    Raises:
        ValueError: pydantic's, for anything else.
    """
    if len(data) > SETTING_BYTES_MAX:
        raise ValueError(f"it has more than {SETTING_BYTES_MAX} bytes")
    return Setting.model_validate_json(data, strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One revision as every renderer sees it. ``texts`` has each language of the facts."""

    facts: Facts
    notice: Notice
    """The header; what it binds by digest does not matter here."""
    texts: dict[str, Text]
    setting: Setting = field(default_factory=Setting)
    code: str = CODE_SLOT
