"""Two advisories without a fault, and a way to put one into them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from advisories import yamlfile
from advisories.checks import Finding, check
from advisories.facts import Facts, load_facts
from advisories.story import Past, RegisteredProduct, Setting

FOLDER = Path(__file__).parent
BASES = FOLDER / "bases"
NOW = 1_795_341_600
"""2026-11-22, 10:00 UTC."""
LANGUAGES = {"doorbell": {"en", "de"}, "thermostat": {"en", "de"}}
FIRST = Past(revision=1, phase="initial", issued=NOW - 86_400, changed={}, code="AAA-AAA")
PAST = {"vulnerability": (), "incident": (FIRST,)}


@cache
def _base(name: str) -> dict[str, Any]:
    path = BASES / f"{name}.yaml"
    value: dict[str, Any] = yamlfile.load(path.read_bytes(), where=path.name)[0]
    return value


def edited(name: str, put: Mapping[str, Any] | None = None, drop: list[str] | None = None) -> Facts:
    """A base with parts put in or taken out; paths are dotted, as ``texts.en.title`` or ``facts.0.source``."""
    value = deepcopy(_base(name))
    for path in drop or []:
        holder, last = _holder(value, path)
        del holder[last]
    for path, new in (put or {}).items():
        holder, last = _holder(value, path)
        if isinstance(holder, list) and last == len(holder):
            holder.append(new)
        else:
            holder[last] = new
    return load_facts(json.dumps(value, indent=1, ensure_ascii=False), where=f"{name}.yaml")


def _holder(value: Any, path: str) -> tuple[Any, Any]:
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in steps:
        value = value[step]
    return value, last


def setting(name: str, facts: Facts, **organisation: Any) -> Setting:
    """The setting in which a base is told."""
    products = {key: RegisteredProduct(name=key.capitalize(), versions=("1.0.0",)) for key in facts.products}
    made = Setting(products=products, past=PAST[name])
    return made.model_copy(update={"organisation": made.organisation.model_copy(update=organisation)})


def found(
    name: str,
    put: Mapping[str, Any] | None = None,
    drop: list[str] | None = None,
    *,
    languages: Mapping[str, set[str]] | None = None,
    now: int | None = NOW,
    **organisation: Any,
) -> list[Finding]:
    """What the checks find in an edited base, with all that they may know."""
    facts = edited(name, put, drop)
    return check(
        facts,
        languages=LANGUAGES if languages is None else languages,
        setting=setting(name, facts, **organisation),
        previous=edited(name) if PAST[name] else None,
        now=now,
    )
