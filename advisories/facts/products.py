"""Which products are concerned: our own with version ranges, and any others by name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from advisories import limits
from advisories.facts.parts import Long, Part, RangeText, VersionText
from advisories.versions import Range, Version, contains, parse_range, parse_version


class Product(Part):
    """Which versions of one of our products are concerned, and which version mends it."""

    affected: tuple[RangeText, ...] = Field(max_length=limits.VERSION_RANGES_MAX, strict=False)
    fixed: VersionText | None = None

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The affected versions as half-open ranges."""
        return tuple(parse_range(item) for item in self.affected)

    @property
    def fixed_version(self) -> Version | None:
        """The version that mends it, or None while there is none."""
        return None if self.fixed is None else parse_version(self.fixed)

    @model_validator(mode="after")
    def _fixed_is_not_affected(self) -> Product:
        version = self.fixed_version
        if version is not None and any(contains(bounds, version) for bounds in self.ranges):
            raise ValueError(f"the fixed version {self.fixed} is itself in the affected range")
        return self


class Branch(Part):
    """One level above a named product, from the vendor down (CSAF 2.0, section 3.1.2)."""

    category: str
    """As CSAF says: vendor, product_family, product_name, product_version, architecture ..."""
    name: Long


class FileHash(Part):
    """Digests of one file of a product."""

    filename: str
    hashes: dict[str, str] = Field(min_length=1)
    """Algorithm -> hexadecimal digest."""


class GenericUri(Part):
    """A product's name in another scheme."""

    namespace: str
    uri: str


class Identification(Part):
    """How machines tell a product (CSAF 2.0, section 3.1.3.3)."""

    cpe: str | None = None
    purl: str | None = None
    hashes: tuple[FileHash, ...] = Field(default=(), strict=False)
    model_numbers: tuple[str, ...] = Field(default=(), strict=False)
    serial_numbers: tuple[str, ...] = Field(default=(), strict=False)
    skus: tuple[str, ...] = Field(default=(), strict=False)
    sbom_urls: tuple[str, ...] = Field(default=(), strict=False)
    uris: tuple[GenericUri, ...] = Field(default=(), strict=False)


class Relation(Part):
    """A product that is another one on, in or with a third (CSAF 2.0, section 3.2.2.4)."""

    category: str
    """default_component_of, external_component_of, installed_on, installed_with, optional_component_of."""
    product: str
    """Key of the product that is a part."""
    of: str
    """Key of the product it belongs to."""


class NamedProduct(Part):
    """A product that no device of ours has: a component, or what another maker's advisory names."""

    name: Long
    branches: tuple[Branch, ...] = Field(default=(), strict=False, max_length=30)
    """From the vendor down to the product itself; empty: it stands beside the tree."""
    identification: Identification | None = None
    relation: Relation | None = None
    """Set for a product that exists only as one on, in or with another."""


class Group(Part):
    """Products that are spoken of together."""

    products: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    summary: Long | None = None
