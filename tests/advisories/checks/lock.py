"""Write what the checks advise about the good examples: ``python -m tests.advisories.checks.lock``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from advisories.checks import Finding, check
from advisories.facts import Facts, load_facts
from advisories.story import Past, Setting

LOCK = Path(__file__).with_name("advice.lock")
EXAMPLES = Path(__file__).parents[3] / "examples" / "advisories"
GOOD = sorted([*EXAMPLES.glob("*.yaml"), *(EXAMPLES / "earlier").glob("*.yaml")])
NOW = 1_795_341_600
"""2026-11-22, 10:00 UTC; an example that promised an update before that is looked at when it was new."""
DAY_SECONDS = 86_400


def served(facts: Facts) -> dict[str, set[str]]:
    return {product: set(facts.texts) for product in facts.products}


def now(facts: Facts) -> int:
    update = facts.next_update_seconds
    return NOW if update is None else min(NOW, update - DAY_SECONDS)


def earlier(path: Path) -> Facts | None:
    """The revision before, of an example that is not the first."""
    before = EXAMPLES / "earlier" / path.name
    return load_facts(before.read_bytes(), where=path.name) if path != before and before.exists() else None


@cache
def findings(path: Path) -> list[Finding]:
    facts, before = load_facts(path.read_bytes(), where=path.name), earlier(path)
    past = (
        (Past(revision=1, phase=before.phase.name.lower(), issued=now(facts) - DAY_SECONDS),)
        if before
        else ()
    )
    return check(facts, languages=served(facts), setting=Setting(past=past), previous=before, now=now(facts))


def advice() -> str:
    return "".join(
        f"{path.relative_to(EXAMPLES)}:{one.line}: {one.severity}: {one.message} {one.mend} [{one.rule}]\n"
        for path in GOOD
        for one in findings(path)
    )


if __name__ == "__main__":
    LOCK.write_text(advice(), "utf-8")
