"""The vulnerabilities of a document (CSAF 2.0, section 3.2.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from advisories.csaf.gaps import GAP
from advisories.csaf.notes import credits_, notes, references
from advisories.csaf.tracking import time_text
from advisories.csaf.tree import Tree
from advisories.csaf.words import phrases
from advisories.facts.vocabulary import URI, score
from advisories.facts.vulnerabilities import Exploitation, ProductStatus, Remedy, Score, Vulnerability
from advisories.story import Story

_AFFECTED: Final = (
    ProductStatus.KNOWN_AFFECTED,
    ProductStatus.FIRST_AFFECTED,
    ProductStatus.LAST_AFFECTED,
)
_FIXED: Final = (ProductStatus.FIXED, ProductStatus.FIRST_FIXED)
_NOT: Final = ProductStatus.KNOWN_NOT_AFFECTED
_ANSWERED: Final = frozenset({"vendor_fix", "no_fix_planned", "none_available"})
_BASE: Final = ("version", "vectorString", "baseScore", "baseSeverity")

Status = dict[ProductStatus, list[str]]


def made(story: Story, language: str, tree: Tree, *, foreign: bool) -> list[dict[str, Any]]:
    """Return every vulnerability of a document.

    Args:
        story: the revision.
        language: of the document.
        tree: its product tree.
        foreign: True for a document that was taken over: nothing is added to what it said.
    """
    known = story.facts.vulnerabilities
    if not known and story.facts.products:
        known = (Vulnerability(),)
    return [_one(story, language, tree, item, foreign=foreign) for item in known]


def _one(story: Story, language: str, tree: Tree, item: Vulnerability, *, foreign: bool) -> dict[str, Any]:
    words = story.facts.texts[language]
    status = _status(tree, item)
    said = notes(item.notes)
    if not said and not foreign:
        known = next(
            (text for text in (words.happened, item.title, words.title) if text and not GAP.fullmatch(text)),
            words.title,
        )
        said = [{"category": "description", "text": known}]
    found = {
        "title": item.title or (None if foreign or item.cve else words.title),
        "cve": item.cve,
        "ids": [{"system_name": number.system, "text": number.text} for number in item.ids],
        "cwe": {"id": item.cwe.id, "name": item.cwe.name} if item.cwe else None,
        "discovery_date": _time(item.discovered),
        "release_date": _time(item.released),
        "product_status": {key.value.replace("-", "_"): products for key, products in status.items()},
        "scores": [part for part in (_score(tree, known) for known in item.scores) if part],
        "remediations": _remedies(story, language, tree, item, status),
        "threats": _threats(language, tree, item, status),
        "flags": _flags(tree, item, status),
        "involvements": [
            _filled(party=part.party, status=part.status, summary=part.summary, date=_time(part.date))
            for part in item.involvements
        ],
        "notes": said,
        "references": references(item.references),
        "acknowledgments": credits_(item.credits),
    }
    return {key: value for key, value in found.items() if value}


def _filled(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else time_text(moment)


def _midnight(day: date) -> str:
    return time_text(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _status(tree: Tree, item: Vulnerability) -> Status:
    """Return the status of every product id; one of ours never stands in two that contradict."""
    found: Status = {}
    taken: set[str] = set()
    if not item.status:
        _add_own(found, taken, tree, tree.own)
    for status, keys in item.status.items():
        ours = [key for key in keys if key in tree.own]
        _add(found, status, tree.ids(key for key in keys if key not in tree.own))
        if status in (*_AFFECTED, *_FIXED):
            _add_own(found, taken, tree, ours)
        elif status is ProductStatus.RECOMMENDED:
            _add(found, status, tree.ids(ours, "fixed"))
    for status, keys in item.status.items():
        if status in (ProductStatus.UNDER_INVESTIGATION, _NOT):
            rest = [name for name in tree.ids(key for key in keys if key in tree.own) if name not in taken]
            _add(found, status, rest)
            taken.update(rest)
    return {status: products for status, products in found.items() if products}


def _add(found: Status, status: ProductStatus, products: Sequence[str]) -> None:
    known = found.setdefault(status, [])
    known += [product for product in dict.fromkeys(products) if product not in known]


def _add_own(found: Status, taken: set[str], tree: Tree, keys: Any) -> None:
    for key in keys:
        own = tree.own[key]
        if not taken.isdisjoint(own.every):
            continue
        _add(found, ProductStatus.KNOWN_AFFECTED, own.affected)
        _add(found, ProductStatus.FIRST_FIXED, own.first_fixed)
        _add(found, ProductStatus.FIXED, own.fixed)
        _add(found, _NOT, own.clean)
        taken.update(own.every)


def _score(tree: Tree, item: Score) -> dict[str, Any]:
    products = tree.ids(item.products, "affected")
    found: dict[str, Any] = {}
    for name, vector in (("cvss_v2", item.v2), ("cvss_v3", item.v3)):
        if vector is not None:
            known = score(vector)
            found[name] = {key: known[key] for key in _BASE if key in known}
    return {"products": products, **found} if products and found else {}


def _remedies(
    story: Story, language: str, tree: Tree, item: Vulnerability, status: Status
) -> list[dict[str, Any]]:
    affected = status.get(ProductStatus.KNOWN_AFFECTED, [])
    found = [_remedy(tree, remedy, affected) for remedy in item.remedies]
    answered = {
        product for part in found if part["category"] in _ANSWERED for product in part.get("product_ids", ())
    }
    open_ = [product for product in affected if product not in answered]
    for key, own in tree.own.items():
        ids = [product for product in own.affected if product in open_]
        if ids:
            found.append({**_answer(story, language, key), "product_ids": ids})
    workaround = story.facts.texts[language].workaround
    ours = [product for own in tree.own.values() for product in own.affected if product in affected]
    if workaround and ours:
        found.append({"category": "workaround", "details": workaround, "product_ids": ours})
    return found


def _remedy(tree: Tree, item: Remedy, affected: Sequence[str]) -> dict[str, Any]:
    restart = item.restart
    refer = tree.references(item.products, item.groups)
    return _filled(
        category=item.category,
        details=item.details,
        **(refer or {"product_ids": list(affected)}),
        url=item.url,
        date=_time(item.date),
        entitlements=list(item.entitlements),
        restart_required=_filled(category=restart.category, details=restart.details) if restart else None,
    )


def _answer(story: Story, language: str, key: str) -> dict[str, Any]:
    """Return what the facts say about the fix of one product of ours."""
    known, fix = phrases(language), story.facts.fix
    fixed = story.facts.products[key].fixed
    date = _time(fix.available) if fix is not None else None
    page = fix.page if fix is not None and fix.page and URI.fullmatch(fix.page) else None
    if fixed is not None:
        words = known["fix"].format(version=fixed, product=story.setting.product_name(key))
        return _filled(category="vendor_fix", details=words, date=date, url=page)
    if fix is not None and not fix.planned:
        return {"category": "no_fix_planned", "details": known["never"]}
    planned = known["planned"] if fix is not None else known["none"]
    return _filled(category="none_available", details=planned, date=date)


def _threats(language: str, tree: Tree, item: Vulnerability, status: Status) -> list[dict[str, Any]]:
    found = []
    if item.exploited is not Exploitation.UNKNOWN:
        since = _midnight(item.exploited_since) if item.exploited_since else None
        found.append(
            _filled(category="exploit_status", details=phrases(language)[item.exploited.value], date=since)
        )
    for threat in item.threats:
        refer = tree.references(threat.products, threat.groups)
        found.append(
            _filled(category=threat.category, details=threat.details, **refer, date=_time(threat.date))
        )
    explained = {key for flag in item.flags for key in flag.products}
    explained |= {key for threat in item.threats for key in threat.products}
    unexplained = tree.ids((key for key in tree.own if key not in explained), "every")
    clean = [product for product in status.get(_NOT, ()) if product in unexplained]
    if clean:
        details = phrases(language)["not-affected"]
        found.append({"category": "impact", "details": details, "product_ids": clean})
    return found


def _flags(tree: Tree, item: Vulnerability, status: Status) -> list[dict[str, Any]]:
    clean = status.get(_NOT, [])
    found = []
    for flag in item.flags:
        refer: Mapping[str, list[str]] = tree.references(flag.products, flag.groups, "every")
        ours = tree.ids(tree.own)
        kept = [
            product for product in refer.get("product_ids", ()) if product not in ours or product in clean
        ]
        refer = {**refer, "product_ids": kept} if refer else {"product_ids": clean}
        found.append(_filled(label=flag.label, **refer, date=_time(flag.date)))
    return found
