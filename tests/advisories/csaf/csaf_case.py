"""Documents and facts to try, and both validators."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from csaf.csaf import v20

from advisories.compose import header_of
from advisories.csaf.losses import leaves
from advisories.facts import Facts, load_facts
from advisories.organisation import Organisation
from advisories.story import Past, RegisteredProduct, Setting, Story

ROOT = Path(__file__).parents[3]
VECTORS = ROOT.parent / "shared" / "vectors"
CASES = VECTORS / "csaf" / "csaf_2.0" / "test" / "validator" / "data"
SECOND = ROOT / ".venv" / "csaf-validator"
LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "pl", "zh")
ISSUED = 1_795_000_000

PUBLISHER = {"name": "Example Devices", "namespace": "https://psirt.example.com", "category": "vendor"}
ORGANISATION = Organisation.model_validate(
    {
        "name": "Example Devices",
        "site": "https://example.com/security",
        "policy": "https://example.com/security/policy.html",
        "publisher": PUBLISHER,
    }
)
PRODUCTS = {
    "thermostat": RegisteredProduct(
        name="Thermostat", vendor="example.com", versions=("0.9.0", "1.0.0", "1.4.1", "1.4.2", "1.5.0", "B-7")
    ),
    "doorbell": RegisteredProduct(name="Doorbell", vendor="example.com", versions=("2.0.0", "2.3.0")),
}


def words(language: str, **more: Any) -> dict[str, Any]:
    """What owners read, in every language the same but for a mark."""
    return {
        "title": f"Please install the update ({language})",
        "action": "Please accept the update.",
        "happened": f"A weakness lets strangers change settings ({language}).",
        "affected": "Thermostat before version 1.4.2.",
        "doing": "The update closes the weakness.",
        "contact": "support@example.com",
        **more,
    }


def facts(languages: Iterable[str] = ("en", "de"), **more: Any) -> Facts:
    """An advisory on two products."""
    made = {
        "id": "EX-2026-0001",
        "author": {"holder": "exercise-engineering", "role": "engineering"},
        "phase": "initial",
        "severity": "high",
        "action": "act-now",
        "products": {
            "thermostat": {"affected": [">=1.0.0 <1.4.2"], "fixed": "1.4.2"},
            "doorbell": {"affected": ["<2.3.0"], "fixed": "2.3.0"},
        },
        "expires_days": 90,
        "source_language": "en",
        "texts": {language: words(language) for language in languages},
        **more,
    }
    return load_facts(json.dumps(made, ensure_ascii=False), where="facts.yaml")


def story(
    of: Facts,
    *,
    organisation: Organisation = ORGANISATION,
    past: tuple[Past, ...] = (),
    exercise: bool = False,
) -> Story:
    """One revision of it, in the setting of a maker."""
    header = header_of(of, issued=ISSUED, revision=len(past) + 1, exercise=exercise)
    products = {key: known for key, known in PRODUCTS.items() if key in of.products}
    setting = Setting(organisation=organisation, products=products, past=past)
    return Story(facts=of, notice=header, texts={}, setting=setting)


def past(*phases: str, **more: Any) -> tuple[Past, ...]:
    """Revisions that were published, an hour apart."""
    return tuple(
        Past(revision=number, phase=phase, issued=ISSUED - 3_600 * (len(phases) - number + 1), **more)
        for number, phase in enumerate(phases, 1)
    )


def faults(document: dict[str, Any]) -> list[str]:
    """What the first validator says against a document."""
    report = v20.validate(document)
    return [f"{test.id}: {fault}" for test in report.results for fault in test.errors]


def second_opinions(folder: Path, documents: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """What the second validator says against each of some documents, in one process."""
    if not (SECOND / "node_modules").is_dir() or shutil.which("node") is None:
        pytest.skip("the second validator is not installed: tests/csaf-validator/install")
    paths = {}
    for number, (name, document) in enumerate(documents.items()):
        path = folder / f"{number}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        paths[str(path)] = name
    done = subprocess.run(
        ["node", str(ROOT / "tests" / "csaf-validator" / "validate.js")],
        cwd=SECOND,
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(documents)
    return {paths[row["path"]]: row["errors"] for row in rows}


@cache
def cases(kind: str) -> tuple[str, ...]:
    """Names of the official cases that are ``valid`` or ``failures``; none where they are not there."""
    index = CASES / "testcases.json"
    if not index.exists():
        return ()
    groups = json.loads(index.read_text("utf-8"))["tests"]
    return tuple(str(case["name"]) for group in groups for case in group.get(kind, ()))


@cache
def published() -> tuple[str, ...]:
    """Advisories that were really published."""
    return tuple(str(path) for path in sorted((VECTORS / "advisories").glob("*.json")))


def read(name: str) -> bytes:
    """The bytes of an official case or of a published advisory."""
    return (CASES / name).read_bytes()


def normal(value: Any) -> Any:
    """A leaf so that equal moments and equal numbers are equal."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).isoformat()
        except ValueError:
            return value
    return json.dumps(value)


def said(document: dict[str, Any]) -> set[tuple[tuple[str, ...], Any]]:
    """Every leaf with its place, lists without their order."""
    return {
        (tuple("*" if isinstance(step, int) else step for step in path), normal(value))
        for path, value in leaves(document)
    }


def statuses(document: dict[str, Any]) -> list[dict[str, list[str]]]:
    """Product status of each vulnerability."""
    return [
        {key: sorted(set(products)) for key, products in item.get("product_status", {}).items()}
        for item in document.get("vulnerabilities", ())
    ]
