"""Which products are concerned: our own with version ranges, and any others by name."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, model_validator

from advisories import limits
from advisories.facts.parts import Part, RangeText, VersionText
from advisories.facts.vocabulary import BranchWord, Cpe, Digest, Filled, Purl, RelationWord, Uri
from advisories.versions import Range, Version, contains, parse_range, parse_version

BRANCHES_MAX: Final = 30
"""Levels of the tree above a product (CSAF 2.0, section 3.1.2)."""


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

    category: BranchWord
    name: Filled


class FileHash(Part):
    """Digests of one file of a product."""

    filename: Filled
    hashes: dict[Filled, Digest] = Field(min_length=1)
    """Algorithm -> hexadecimal digest."""


class GenericUri(Part):
    """A product's name in another scheme."""

    namespace: Uri
    uri: Uri


class Identification(Part):
    """How machines tell a product (CSAF 2.0, section 3.1.3.3)."""

    cpe: Cpe | None = None
    purl: Purl | None = None
    hashes: tuple[FileHash, ...] = Field(default=(), strict=False)
    model_numbers: tuple[Filled, ...] = Field(default=(), strict=False)
    serial_numbers: tuple[Filled, ...] = Field(default=(), strict=False)
    skus: tuple[Filled, ...] = Field(default=(), strict=False)
    sbom_urls: tuple[Uri, ...] = Field(default=(), strict=False)
    uris: tuple[GenericUri, ...] = Field(default=(), strict=False)


class Relation(Part):
    """A product that is another one on, in or with a third (CSAF 2.0, section 3.2.2.4)."""

    category: RelationWord
    product: Filled
    """Key of the product that is a part."""
    of: Filled
    """Key of the product it belongs to."""


class NamedProduct(Part):
    """A product that no device of ours has: a component, or what another maker's advisory names."""

    name: Filled
    branches: tuple[Branch, ...] = Field(default=(), strict=False, max_length=BRANCHES_MAX)
    """From the vendor down to the product itself; empty: it stands beside the tree."""
    identification: Identification | None = None
    relation: Relation | None = None
    """Set for a product that exists only as one on, in or with another."""


class Group(Part):
    """Products that are spoken of together."""

    products: Annotated[tuple[Filled, ...], Field(min_length=1, strict=False)]
    summary: Filled | None = None
