"""The product tree of a document, and which product ids stand for a key of the facts (CSAF 2.0, 3.2.2).

A product of ours becomes a version range for each affected range, a version for each released one, and the
fixed version. What no device of ours has stands there as the facts name it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from advisories.facts import Product
from advisories.facts.products import Identification, NamedProduct
from advisories.story import RegisteredProduct, Story
from advisories.versions import (
    Range,
    Version,
    contains,
    format_range,
    format_version,
    parse_range,
    parse_version,
)


@dataclass(frozen=True, slots=True)
class Own:
    """Product ids that stand for one product of ours."""

    affected: tuple[str, ...]
    fixed: tuple[str, ...]
    first_fixed: tuple[str, ...]
    clean: tuple[str, ...]
    """Neither affected nor mended: they never had the fault."""

    @property
    def every(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.affected, *self.fixed, *self.clean)


class Tree:
    """Built once for a document."""

    def __init__(self, story: Story, vendor: str) -> None:
        self._story = story
        self._vendor = vendor
        self._branches: list[dict[str, Any]] = []
        self._levels: dict[tuple[tuple[str, str], ...], list[dict[str, Any]]] = {}
        self._names: list[dict[str, Any]] = []
        self._relations: list[dict[str, Any]] = []
        facts = story.facts
        self.own: Final[dict[str, Own]] = {
            key: self._ours(key, facts.products[key]) for key in sorted(facts.products)
        }
        for key, product in facts.named_products.items():
            self._named(key, product)
        self._groups: Final = {key: self.ids(group.products) for key, group in facts.groups.items()}

    def ids(self, references: Iterable[str], part: str = "every") -> list[str]:
        """Return the product ids of some keys.

        Args:
            references: keys of ``products`` or ``named_products``.
            part: of a product of ours: affected, fixed, first_fixed, clean or every.
        """
        found: dict[str, None] = {}
        for key in references:
            own = self.own.get(key)
            found |= dict.fromkeys((key,) if own is None else getattr(own, part))
        return list(found)

    def references(
        self, products: Iterable[str], groups: Iterable[str], part: str = "affected"
    ) -> dict[str, list[str]]:
        """Return ``product_ids`` and ``group_ids``; a group of one, which CSAF lacks, becomes its product."""
        wanted = self.ids(products, part)
        named: list[str] = []
        for group in dict.fromkeys(groups):
            if len(members := self._groups.get(group, [])) == 1:
                wanted += [member for member in members if member not in wanted]
            else:
                named.append(group)
        return {key: value for key, value in (("product_ids", wanted), ("group_ids", named)) if value}

    def made(self) -> dict[str, Any]:
        """Return ``product_tree``; empty when no product is named at all."""
        groups = []
        for key, group in self._story.facts.groups.items():
            if len(members := self._groups[key]) > 1:
                made: dict[str, Any] = {"group_id": key, "product_ids": members}
                groups.append(made | ({"summary": group.summary} if group.summary else {}))
        parts = {
            "branches": self._branches,
            "full_product_names": self._names,
            "relationships": self._relations,
            "product_groups": groups,
        }
        return {key: value for key, value in parts.items() if value}

    def _id(self, wanted: str) -> str:
        while wanted in self._story.facts.named_products:
            wanted += "'"
        return wanted

    def _ours(self, key: str, product: Product) -> Own:
        known = self._story.setting.products.get(key) or RegisteredProduct(name=key, vendor=self._vendor)
        above = [("vendor", known.vendor), ("product_name", known.name)]
        full = f"{known.vendor} {known.name}"
        affected, fixed, clean = [], [], []
        for bounds in dict.fromkeys(product.ranges):
            name = vers(bounds)
            affected.append(identity := self._id(f"{key}:{name}"))
            leaf = {"name": f"{full} {format_range(bounds)}", "product_id": identity}
            self._hang([*above, ("product_version_range", name)], leaf)
        for version in _versions(known, product):
            name = format_version(version)
            identity = self._id(f"{key}:{name}")
            self._hang(
                [*above, ("product_version", name)], {"name": f"{full} {name}", "product_id": identity}
            )
            if any(contains(bounds, version) for bounds in product.ranges):
                affected.append(identity)
            elif product.fixed_version is not None and version >= product.fixed_version:
                fixed.append(identity)
            else:
                clean.append(identity)
        if not (affected or fixed or clean):
            clean.append(identity := self._id(key))
            self._hang(above, {"name": full, "product_id": identity})
        return Own(tuple(affected), tuple(fixed), tuple(fixed[:1]), tuple(clean))

    def _named(self, key: str, product: NamedProduct) -> None:
        leaf: dict[str, Any] = {"name": product.name, "product_id": key}
        if product.identification is not None:
            leaf["product_identification_helper"] = _helper(product.identification)
        relation = product.relation
        if relation is not None:
            first, second = self.ids([relation.product])[:1], self.ids([relation.of])[:1]
            self._relations.append(
                {
                    "category": relation.category,
                    "full_product_name": leaf,
                    "product_reference": first[0],
                    "relates_to_product_reference": second[0],
                }
            )
        elif product.branches:
            self._hang([(branch.category, branch.name) for branch in product.branches], leaf)
        else:
            self._names.append(leaf)

    def _hang(self, path: list[tuple[str, str]], leaf: dict[str, Any]) -> None:
        """Hang a product below its branches, those that are there already and new ones."""
        level = self._branches
        for depth, (category, name) in enumerate(path[:-1], 1):
            place = tuple(path[:depth])
            if place not in self._levels:
                self._levels[place] = []
                level.append({"category": category, "name": name, "branches": self._levels[place]})
            level = self._levels[place]
        category, name = path[-1]
        level.append({"category": category, "name": name, "product": leaf})


def vers(bounds: Range) -> str:
    """Return a range as a version range specifier (vers), e.g. ``vers:generic/>=1.0.0|<1.4.2``."""
    low, high = bounds
    if low is not None and parse_range(f"={format_version(low)}") == bounds:
        return f"vers:generic/{_escaped(low)}"
    parts = [f">={_escaped(low)}"] if low is not None else []
    parts += [f"<{_escaped(high)}"] if high is not None else []
    return f"vers:generic/{'|'.join(parts) or '*'}"


def _escaped(version: Version) -> str:
    return format_version(version).replace("+", "%2B")


def _versions(known: RegisteredProduct, product: Product) -> list[Version]:
    found = set()
    for text in known.versions:
        with contextlib.suppress(
            ValueError
        ):  # a version in another scheme: no range can say anything about it
            found.add(parse_version(text))
    if product.fixed_version is not None:
        found.add(product.fixed_version)
    return sorted(found)


def _helper(known: Identification) -> dict[str, Any]:
    hashes = [
        {
            "filename": item.filename,
            "file_hashes": [{"algorithm": name, "value": value} for name, value in item.hashes.items()],
        }
        for item in known.hashes
    ]
    found = {
        "cpe": known.cpe,
        "purl": known.purl,
        "hashes": hashes,
        "model_numbers": list(dict.fromkeys(known.model_numbers)),
        "serial_numbers": list(dict.fromkeys(known.serial_numbers)),
        "skus": list(known.skus),
        "sbom_urls": list(known.sbom_urls),
        "x_generic_uris": [{"namespace": item.namespace, "uri": item.uri} for item in known.uris],
    }
    return {key: value for key, value in found.items() if value}
