"""What a supplier's advisory says about components of ours: the few fields of CSAF 2.0 that this needs.

The whole import of a CSAF document is another matter (:mod:`advisories.csaf`); here its products are matched
against what our own products are made of. The document is untrusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from packageurl import PackageURL

from advisories.components import Bound, Wanted, parse_bounds
from keys.errors import InputError

CSAF_BYTES_MAX: Final = 64 * 1024 * 1024
PRODUCTS_MAX: Final = 100_000
_AFFECTED: Final = ("known_affected", "first_affected", "last_affected")
_UNSURE: Final = "under_investigation"
_CVE: Final = re.compile(r"CVE-\d{4}-\d{4,}")
_LETTERS_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class Supplied:
    """What a supplier says."""

    id: str
    title: str
    publisher: str
    url: str | None
    """Where the document lies, where it says so."""
    cves: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    """Products that are affected, or under investigation, as components of ours."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A product of the tree with what stands above it."""

    name: str
    version: str | None
    bounds: str | None
    purl: str | None


def read_supplied(data: bytes, *, where: str) -> Supplied:
    """Read a supplier's CSAF 2.0 document.

    Raises:
        InputError: CSAF, with one sentence that says why it cannot be used.
    """
    if len(data) > CSAF_BYTES_MAX:
        raise _bad(f"It has more than {CSAF_BYTES_MAX} bytes", where)
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise _bad("It nests too deep", where) from None
    except ValueError:
        raise _bad("It is not JSON", where) from None
    document = _object(value, "document")
    if document is None or _text(document.get("csaf_version")) not in {"2.0", "2.1"}:
        raise _bad("It is no CSAF 2.0 document", where)
    tracking, publisher = _object(document, "tracking") or {}, _object(document, "publisher") or {}
    named = _products(_object(value, "product_tree") or {}, where)
    cves: dict[str, None] = {}
    affected: dict[str, None] = {}
    unsure: dict[str, None] = {}
    for weakness in _objects(value.get("vulnerabilities")):
        cve = _text(weakness.get("cve"))
        if cve and _CVE.fullmatch(cve):
            cves[cve] = None
        status = _object(weakness, "product_status") or {}
        for name in _AFFECTED:
            affected |= _references(status.get(name))
        unsure |= _references(status.get(_UNSURE))
    found = [_wanted(named[ref]) for ref in affected if ref in named]
    found += [
        replace(_wanted(named[ref]), bounds=None, why="under investigation")
        for ref in unsure
        if ref in named and ref not in affected
    ]
    wanted = tuple(dict.fromkeys(found))
    if not wanted:
        raise _bad("It names no affected product", where, "Take the supplier's advisory, not its index.")
    return Supplied(
        id=_text(tracking.get("id")) or "without an id",
        title=_text(document.get("title")) or "without a title",
        publisher=_text(publisher.get("name")) or "unknown supplier",
        url=_own_address(document),
        cves=tuple(cves),
        wanted=wanted,
    )


def _references(value: Any) -> dict[str, None]:
    return dict.fromkeys(item for item in _list(value) if isinstance(item, str))


def _own_address(document: dict[str, Any]) -> str | None:
    """Return the document's own address: https, for people follow it."""
    for reference in _objects(document.get("references")):
        url = _text(reference.get("url"))
        if reference.get("category") == "self" and url and url.startswith("https://"):
            return url
    return None


def _products(tree: dict[str, Any], where: str) -> dict[str, _Named]:
    """Return every product of a tree by its id."""
    found: dict[str, _Named] = {}
    waiting: list[tuple[Any, dict[str, str]]] = [(tree.get("branches"), {})]
    while waiting:
        branches, above = waiting.pop()
        for branch in _objects(branches):
            category, name = _text(branch.get("category")), _text(branch.get("name"))
            known = {**above, category: name} if category and name else above
            _keep(found, branch.get("product"), known)
            waiting.append((branch.get("branches"), known))
            if len(found) > PRODUCTS_MAX:
                raise _bad(f"It names more than {PRODUCTS_MAX} products", where)
    for product in _objects(tree.get("full_product_names")):
        _keep(found, product, {})
    for relation in _objects(tree.get("relationships")):
        # A component in somebody's product is still that component in ours.
        part, whole = _text(relation.get("product_reference")), _object(relation, "full_product_name")
        id_ = _text(whole.get("product_id")) if whole else None
        if id_ and part in found:
            found[id_] = found[part]
    return found


def _keep(found: dict[str, _Named], product: Any, above: dict[str, str]) -> None:
    if not isinstance(product, dict):
        return
    id_, name = _text(product.get("product_id")), _text(product.get("name"))
    helper = _object(product, "product_identification_helper") or {}
    if id_ and name:
        found[id_] = _Named(
            name=above.get("product_name", name),
            version=above.get("product_version"),
            bounds=above.get("product_version_range"),
            purl=_text(helper.get("purl")),
        )


def _wanted(named: _Named) -> Wanted:
    purl, version = None, named.version
    try:
        found = PackageURL.from_string(named.purl) if named.purl else None
    except ValueError:
        found = None
    if found is not None:
        purl = found._replace(version=None, qualifiers=None, subpath=None).to_string()
        version = version or found.version
    bounds, why = _bounds(named.bounds, version)
    return Wanted(name=named.name, bounds=bounds, purl=purl, why=why)


def _bounds(written: str | None, version: str | None) -> tuple[tuple[Bound, ...] | None, str]:
    """Return a range, or None and what was written where a person has to read it."""
    if written is not None:
        plain = re.sub(r"^vers:[a-z0-9]+/", "", written).replace("|", " ")
        try:
            return parse_bounds(plain), written
        except ValueError:
            return None, written
    if version is not None:
        return (Bound("=", version),), version
    return None, "no version"


def _object(value: Any, key: str) -> dict[str, Any] | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (item for item in _list(value) if isinstance(item, dict))


def _text(value: Any) -> str | None:
    """Return a text of one line that can be shown and written, cut to a sensible length, or None."""
    if not isinstance(value, str):
        return None
    plain = "".join(letter for letter in " ".join(value.split()) if letter.isprintable())
    return plain[:_LETTERS_MAX] or None


def _bad(why: str, where: str, mend: str = "Fetch the supplier's document again.") -> InputError:
    return InputError("CSAF", f"This supplier's document cannot be used: {why}.", mend=mend, where=where)
