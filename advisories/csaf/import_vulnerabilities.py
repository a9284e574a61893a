"""From a document's vulnerabilities to those of the facts (CSAF 2.0, section 3.2.3), and what both share."""

from __future__ import annotations

from typing import Any, Final

from advisories.csaf.losses import Node
from advisories.csaf.readers import moment, shaped, text, uri, vector, word
from advisories.facts.vocabulary import (
    CVE,
    CWE,
    FLAGS,
    INVOLVEMENTS,
    NOTES,
    PARTIES,
    REMEDIES,
    RESTARTS,
    THREATS,
    score,
)
from advisories.facts.vulnerabilities import ProductStatus

_CVE: Final = shaped(CVE, "a CVE number")
_CWE: Final = shaped(CWE, "a CWE number")
_MODIFIED: Final = {
    "modifiedAttackVector": "MAV",
    "modifiedAttackComplexity": "MAC",
    "modifiedPrivilegesRequired": "MPR",
    "modifiedUserInteraction": "MUI",
    "modifiedScope": "MS",
    "modifiedConfidentialityImpact": "MC",
    "modifiedIntegrityImpact": "MI",
    "modifiedAvailabilityImpact": "MA",
}
"""Values for which the library gives those of the base where the vector defines none."""
_FOLLOWS: Final = "it follows from the vector"


def filled(**values: Any) -> dict[str, Any]:
    """Return the values that are there."""
    return {key: value for key, value in values.items() if value not in (None, [], {})}


def vulnerability(node: Node) -> dict[str, Any]:
    """Return one vulnerability as the facts write it."""
    cwe = node.below("cwe")
    found = filled(
        title=node.take("title", text),
        cve=node.take("cve", _CVE),
        ids=_all(node, "ids", _identifier),
        cwe=None if cwe is None else _cwe(cwe),
        discovered=node.take("discovery_date", moment),
        released=node.take("release_date", moment),
        status=_status(node),
        scores=[made for item in node.items("scores") for made in _scores(item)],
        remedies=_all(node, "remediations", _remedy),
        threats=_all(node, "threats", _threat),
        flags=_all(node, "flags", _flag),
        involvements=_all(node, "involvements", _involvement),
        notes=notes(node),
        references=references(node),
        credits=credits_(node),
    )
    if not found:
        node.drop("nothing in this vulnerability can be held")
    return found


def notes(node: Node) -> list[dict[str, Any]]:
    """Return the notes of a document or of a vulnerability."""
    return _all(node, "notes", _note)


def references(node: Node) -> list[dict[str, Any]]:
    """Return the references of a document or of a vulnerability."""
    return _all(node, "references", _reference)


def credits_(node: Node) -> list[dict[str, Any]]:
    """Return the acknowledgments of a document or of a vulnerability."""
    return _all(node, "acknowledgments", _credit)


def _all(node: Node, key: str, read: Any) -> list[dict[str, Any]]:
    return [made for item in node.items(key) if (made := read(item))]


def _note(node: Node) -> dict[str, Any] | None:
    category, words = node.take("category", word(NOTES)), node.take("text", text)
    rest = filled(title=node.take("title", text), audience=node.take("audience", text))
    if category is None or words is None:
        node.drop("a note needs a category and a text")
        return None
    return {"category": category, **rest, "text": words}


def _reference(node: Node) -> dict[str, Any] | None:
    category = node.take("category", word(("external", "self")))
    url, summary = node.take("url", uri), node.take("summary", text)
    if url is None or summary is None:
        node.drop("a reference needs an address and a summary")
        return None
    return {"url": url, "summary": summary, **({"own": True} if category == "self" else {})}


def _credit(node: Node) -> dict[str, Any] | None:
    found = filled(
        names=node.each("names", text),
        organisation=node.take("organization", text),
        summary=node.take("summary", text),
        urls=node.each("urls", uri),
    )
    return found or None


def _identifier(node: Node) -> dict[str, Any] | None:
    system, number = node.take("system_name", text), node.take("text", text)
    if system is None or number is None:
        node.drop("an id needs a system and a text")
        return None
    return {"system": system, "text": number}


def _cwe(node: Node) -> dict[str, Any] | None:
    number, name = node.take("id", _CWE), node.take("name", text)
    if number is None or name is None:
        node.drop("a kind of weakness needs an id and a name")
        return None
    return {"id": number, "name": name}


def _status(node: Node) -> dict[str, list[str]]:
    status = node.below("product_status")
    if status is None:
        return {}
    found = {member.value: status.each(member.value.replace("-", "_"), text) for member in ProductStatus}
    return {key: products for key, products in found.items() if products}


def _scores(node: Node) -> list[dict[str, Any]]:
    products = node.each("products", text)
    found = filled(v2=_vector(node.below("cvss_v2"), "2"), v3=_vector(node.below("cvss_v3"), "3"))
    if not products or not found:
        node.drop("a score needs products and a vector of CVSS 2.0, 3.0 or 3.1")
        return []
    return [{"products": products, **found}]


def _vector(node: Node | None, major: str) -> str | None:
    """Return a score's vector; what else is said of it is compared with what the vector says."""
    if node is None:
        return None
    found = node.take("vectorString", vector)
    known = score(found) if found else {}
    if found is None or known["version"][0] != major:
        node.drop(f"it has no vector of CVSS {major}")
        return None
    for key, value in node.value.items():
        if key == "vectorString":
            continue
        if key in known and type(value) in (str, int, float) and value == known[key]:
            node.derive(key, _FOLLOWS)
        elif key in _MODIFIED and value == "NOT_DEFINED" and f"/{_MODIFIED[key]}:" not in found:
            node.derive(key, "the vector does not define it either")
        elif key in known:
            node.lose(key, f"the vector says {known[key]}")
    return found


def _remedy(node: Node) -> dict[str, Any] | None:
    category, details = node.take("category", word(REMEDIES)), node.take("details", text)
    restart = node.below("restart_required")
    rest = filled(
        **_products(node),
        url=node.take("url", uri),
        date=node.take("date", moment),
        entitlements=node.each("entitlements", text),
        restart=None if restart is None else _restart(restart),
    )
    if category is None or details is None:
        node.drop("a remedy needs a category and details")
        return None
    return {"category": category, "details": details, **rest}


def _restart(node: Node) -> dict[str, Any] | None:
    category, details = node.take("category", word(RESTARTS)), node.take("details", text)
    if category is None:
        node.drop("a restart needs a category")
        return None
    return filled(category=category, details=details)


def _threat(node: Node) -> dict[str, Any] | None:
    category, details = node.take("category", word(THREATS)), node.take("details", text)
    rest = filled(**_products(node), date=node.take("date", moment))
    if category is None or details is None:
        node.drop("a threat needs a category and details")
        return None
    return {"category": category, "details": details, **rest}


def _flag(node: Node) -> dict[str, Any] | None:
    label = node.take("label", word(FLAGS))
    rest = filled(**_products(node), date=node.take("date", moment))
    if label is None:
        node.drop("a flag needs a label")
        return None
    return {"label": label, **rest}


def _involvement(node: Node) -> dict[str, Any] | None:
    party, status = node.take("party", word(PARTIES)), node.take("status", word(INVOLVEMENTS))
    rest = filled(summary=node.take("summary", text), date=node.take("date", moment))
    if party is None or status is None:
        node.drop("an involvement needs a party and a status")
        return None
    return {"party": party, "status": status, **rest}


def _products(node: Node) -> dict[str, list[str]]:
    return {"products": node.each("product_ids", text), "groups": node.each("group_ids", text)}
