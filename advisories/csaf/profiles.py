"""What each profile of CSAF 2.0 asks for (section 4; tests 6.1.27.1 to 6.1.27.11).

Where the two validators that we heed differ, the stricter reading counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final

CATEGORIES: Final = MappingProxyType(
    {
        "base": "csaf_base",
        "advisory": "csaf_security_advisory",
        "incident": "csaf_security_incident_response",
        "informational": "csaf_informational_advisory",
        "vex": "csaf_vex",
    }
)
"""Our word for a profile -> its category."""
_TELLING = frozenset({"description", "details", "general", "summary"})
_WIDER: Final = MappingProxyType(
    {
        "first_affected": "known_affected",
        "last_affected": "known_affected",
        "first_fixed": "fixed",
        "recommended": None,
    }
)
"""Status -> the one of VEX that it implies."""
_VEX = ("fixed", "known_affected", "known_not_affected", "under_investigation")

Document = dict[str, Any]


def as_vex(vulnerabilities: list[dict[str, Any]], system: str, advisory: str) -> None:
    """Bring vulnerabilities into the form of VEX: four statuses, and a number for each.

    Args:
        vulnerabilities: changed in place.
        system: who numbers those that have no number: the publisher's name.
        advisory: of which they are the first, the second ...
    """
    for count, item in enumerate(vulnerabilities, 1):
        status = item.get("product_status", {})
        for narrow, wide in _WIDER.items():
            products = status.pop(narrow, [])
            if products and wide is not None:
                status[wide] = list(dict.fromkeys([*status.get(wide, []), *products]))
        if "cve" not in item and "ids" not in item:
            item["ids"] = [{"system_name": system, "text": f"{advisory}/{count}"}]


def lacking(document: Document) -> list[str]:
    """Return what the document's profile asks for and it lacks; each completes "the profile needs ..."."""
    demands = _DEMANDS.get(document["document"]["category"], ())
    return [missing for demand in demands for missing in demand(document)]


def _note(document: Document) -> Iterator[str]:
    if not any(note["category"] in _TELLING for note in document["document"].get("notes", ())):
        yield "a note that tells what happened"


def _reference(document: Document) -> Iterator[str]:
    if not any(link["category"] == "external" for link in document["document"].get("references", ())):
        yield "a reference to a page that says more"


def _tree(document: Document) -> Iterator[str]:
    if "product_tree" not in document:
        yield "a product"


def _some(document: Document) -> Iterator[str]:
    if "vulnerabilities" not in document:
        yield "a vulnerability"


def _each(wanted: Callable[[dict[str, Any]], bool], words: str) -> Callable[[Document], Iterator[str]]:
    def demand(document: Document) -> Iterator[str]:
        for number, item in enumerate(document.get("vulnerabilities", ()), 1):
            if not wanted(item):
                yield f"{words} (vulnerability {number})"

    return demand


def _conclusive(item: dict[str, Any]) -> bool:
    return set(item.get("product_status", {})) != {"under_investigation"}


def _mended(item: dict[str, Any]) -> bool:
    return "fixed" not in item.get("product_status", {}) or bool(item.get("remediations"))


def _meant(item: dict[str, Any]) -> bool:
    status = item.get("product_status", {}).values()
    known = {product for products in status for product in products}
    return all(known.issuperset(part.get("product_ids", ())) for part in item.get("remediations", ()))


def _vex_status(item: dict[str, Any]) -> bool:
    return any(key in item.get("product_status", {}) for key in _VEX)


def _covered(document: Document, parts: list[dict[str, Any]]) -> set[str]:
    groups = {
        group["group_id"]: group["product_ids"]
        for group in document.get("product_tree", {}).get("product_groups", ())
    }
    found = {product for part in parts for product in part.get("product_ids", ())}
    for part in parts:
        for group in part.get("group_ids", ()):
            found.update(groups.get(group, ()))
    return found


def _impact(document: Document) -> Iterator[str]:
    for number, item in enumerate(document.get("vulnerabilities", ()), 1):
        parts = [*item.get("flags", ()), *(t for t in item.get("threats", ()) if t["category"] == "impact")]
        covered = _covered(document, parts)
        for product in item.get("product_status", {}).get("known_not_affected", ()):
            if product not in covered:
                yield f"a flag or an impact statement why '{product}' is safe (vulnerability {number})"


def _action(document: Document) -> Iterator[str]:
    for number, item in enumerate(document.get("vulnerabilities", ()), 1):
        covered = _covered(document, item.get("remediations", []))
        for product in item.get("product_status", {}).get("known_affected", ()):
            if product not in covered:
                yield f"a remedy for '{product}' (vulnerability {number})"


_NOTES = _each(lambda item: "notes" in item, "a note for each vulnerability")
_STATUS = _each(lambda item: "product_status" in item, "a product's status for each vulnerability")
_CONCLUSIVE = _each(_conclusive, "a status that says more than that a product is looked into")
_MENDED = _each(_mended, "a remedy for each vulnerability that is fixed in a product")
_MEANT = _each(_meant, "a status for each product that a remedy names")
_VEX_STATUS = _each(_vex_status, "a product that is affected, fixed, not affected or looked into")
_NUMBER = _each(lambda item: "cve" in item or "ids" in item, "a number for each vulnerability")
_DEMANDS: Final = MappingProxyType(
    {
        CATEGORIES["advisory"]: (_tree, _some, _NOTES, _STATUS, _CONCLUSIVE, _MENDED, _MEANT),
        CATEGORIES["incident"]: (_note, _reference),
        CATEGORIES["informational"]: (_note, _reference),
        CATEGORIES["vex"]: (_tree, _some, _NOTES, _VEX_STATUS, _NUMBER, _impact, _action),
    }
)
