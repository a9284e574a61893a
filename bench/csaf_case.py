"""A long CSAF document as a large supplier publishes it, to time what takes it over."""

from __future__ import annotations

import json
from typing import Any

VULNERABILITIES = 1_000
PRODUCTS = 50
SECONDS_MAX = 5.0
"""For ``advisories.csaf.read_csaf(document(), where="case.json")`` on one core of a common machine."""

_TIME = "2026-11-20T09:00:00Z"


def document(vulnerabilities: int = VULNERABILITIES) -> bytes:
    """Return a valid document of so many vulnerabilities in 50 products of two versions each."""
    affected = [f"P{number}-old" for number in range(PRODUCTS)]
    fixed = [f"P{number}-new" for number in range(PRODUCTS)]
    made = {
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "lang": "en",
            "title": "Many weaknesses in many controllers",
            "distribution": {"tlp": {"label": "WHITE", "url": "https://www.first.org/tlp/"}},
            "notes": [{"category": "summary", "text": "An update of parts closes many weaknesses."}],
            "publisher": {"category": "vendor", "name": "Example", "namespace": "https://example.com"},
            "tracking": {
                "id": "EX-2026-1000",
                "status": "final",
                "version": "1",
                "initial_release_date": _TIME,
                "current_release_date": _TIME,
                "revision_history": [{"number": "1", "date": _TIME, "summary": "First version"}],
            },
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": "Example",
                    "branches": [_product(number) for number in range(PRODUCTS)],
                }
            ]
        },
        "vulnerabilities": [_vulnerability(number, affected, fixed) for number in range(vulnerabilities)],
    }
    return json.dumps(made, indent=2).encode()


def _product(number: int) -> dict[str, Any]:
    leaves = (("product_version_range", "<2.0", "old"), ("product_version", "2.0", "new"))
    return {
        "category": "product_name",
        "name": f"Controller {number}",
        "branches": [
            {
                "category": category,
                "name": name,
                "product": {"name": f"Controller {number} {name}", "product_id": f"P{number}-{end}"},
            }
            for category, name, end in leaves
        ],
    }


def _vulnerability(number: int, affected: list[str], fixed: list[str]) -> dict[str, Any]:
    some = [affected[(number + step) % PRODUCTS] for step in range(8)]
    return {
        "cve": f"CVE-2026-{10_000 + number}",
        "title": f"A weakness in part {number}",
        "cwe": {
            "id": "CWE-79",
            "name": "Improper Neutralization of Input During Web Page Generation ('Cross-site Scripting')",
        },
        "notes": [
            {
                "category": "description",
                "title": "What it is",
                "text": f"Part {number} does not check the length of what it reads. " * 4,
            }
        ],
        "product_status": {
            "known_affected": some,
            "fixed": [fixed[(number + step) % PRODUCTS] for step in range(8)],
        },
        "references": [
            {"category": "external", "summary": "More", "url": f"https://example.com/weakness/{number}"}
        ],
        "remediations": [
            {
                "category": "vendor_fix",
                "date": _TIME,
                "details": "Install version 2.0 or a later one.",
                "product_ids": some,
                "url": "https://example.com/download",
            },
            {"category": "mitigation", "details": "Keep it in a network of its own.", "product_ids": some},
        ],
        "scores": [
            {
                "products": some,
                "cvss_v3": {
                    "version": "3.1",
                    "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
                    "baseScore": 9.8,
                    "baseSeverity": "CRITICAL",
                },
            }
        ],
        "threats": [{"category": "impact", "details": "Code of a stranger runs.", "product_ids": some}],
    }
