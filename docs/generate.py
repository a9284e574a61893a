"""Make the reference pages that follow from tables in the code: ``python docs/generate.py``.

``docs/check.py`` fails when a committed page differs from what is made here.
"""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT))

from advisories import states  # noqa: E402 - the repository's root stands on the path only now
from gateway.core.rollout import table  # noqa: E402 - the same
from keys import reasons  # noqa: E402

_LIMIT = re.compile(r"^(?P<name>[A-Z][A-Z0-9_]*)(: Final)?( = )(?P<value>[^#]+?)(\s+# (?P<meaning>.*))?$")


def _mark(source: str) -> str:
    return f"<!-- Made from {source} by docs/generate.py; edit the source. -->"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def reasons_page() -> str:
    """Every reason code with its number, what it means and who must act."""
    rows = [
        (row["number"], f"`{name}`", row["means"], row["who"])
        for name, row in sorted(reasons.table().items(), key=lambda item: int(item[1]["number"]))
    ]
    lines = [
        "# Reasons",
        "",
        _mark("keys/reasons.toml"),
        "",
        "Why a document was refused, or how a patch ended. A reason travels in device reports, so its number",
        "never changes and is never used again. 0 to 11 are the update results of LwM2M object 5.",
        "",
        *_table(("number", "name", "what happened", "who acts"), rows),
        "",
        "*attacker* means that nobody at the fleet has to mend anything, but that somebody should look:",
        "an honest sender does not send such a document.",
    ]
    return "\n".join(lines) + "\n"


def limits_page() -> str:
    """Every constant of every ``limits`` module, with its unit."""
    lines = [
        "# Limits",
        "",
        _mark("the limits modules"),
        "",
        "Each is checked before anything of that size is kept or done, and tested at -1, 0 and +1.",
    ]
    for path in sorted([*ROOT.glob("*/limits.py"), *ROOT.glob("*/core/limits.py")]):
        place = path.relative_to(ROOT)
        module = importlib.import_module(".".join(place.with_suffix("").parts))
        rows = []
        for line in path.read_text(encoding="utf-8").splitlines():
            found = _LIMIT.match(line)
            if found:
                value = getattr(module, found["name"])
                shown = f"{value:,}" if isinstance(value, int) else str(value)
                rows.append((f"`{found['name']}`", shown, found["meaning"] or "as its name says"))
        lines += ["", f"## {place}", "", *_table(("limit", "value", "what it bounds"), rows)]
    return "\n".join(lines) + "\n"


def _diagram(
    transitions: Mapping[IntEnum, frozenset[IntEnum]], groups: Mapping[str, frozenset[IntEnum]]
) -> list[str]:
    """A Mermaid state diagram; states that share a whole set of targets stand in one box."""
    inside: dict[IntEnum, str] = {}
    for name, targets in groups.items():
        for state, to in transitions.items():
            if state not in inside and targets <= to:
                inside[state] = name
    lines = ["```mermaid", "stateDiagram-v2", f"  [*] --> {next(iter(transitions)).name}"]
    for name, targets in groups.items():
        lines.append(f"  state {name} {{")
        lines += [f"    {state.name}" for state, group in inside.items() if group == name]
        lines.append("  }")
        lines += [f"  {name} --> {target.name}" for target in sorted(targets)]
    for state, to in transitions.items():
        shared = groups[inside[state]] if state in inside else frozenset()
        lines += [f"  {state.name} --> {target.name}" for target in sorted(to - shared)]
        if not to:
            lines.append(f"  {state.name} --> [*]")
    return [*lines, "```"]


def _section(
    title: str, transitions: Mapping[IntEnum, frozenset[IntEnum]], groups: Mapping[str, frozenset[IntEnum]]
) -> list[str]:
    rows = [
        (state.value, f"`{state.name}`", ", ".join(f"`{to.name}`" for to in sorted(targets)) or "nothing")
        for state, targets in transitions.items()
    ]
    return [
        f"## {title}",
        "",
        *_diagram(transitions, groups),
        "",
        *_table(("number", "state", "may lead to"), rows),
        "",
    ]


def states_page() -> str:
    """Both tracks of one device as diagrams and tables."""
    over = frozenset(states.PATCH_TRANSITIONS[states.PatchState.ROLLED_BACK])
    lines = [
        "# States",
        "",
        _mark("advisories/states.py"),
        "",
        "What one device lives through with one advisory and with one patch. A box stands for every state",
        "in it. A transition that is not here is illegal: a device never makes one, and the gateway keeps",
        "one as an anomaly.",
        "",
        *_section("Notice", states.NOTICE_TRANSITIONS, {"Open": states.NOTICE_ENDS}),
        *_section("Patch", states.PATCH_TRANSITIONS, {"Stoppable": states.PATCH_STOPS, "Over": over}),
        "`SUCCEEDED` follows only a confirmed boot with the measured version. An end leads on only by a new,",
        "higher offer.",
        "",
        *_machine("Rollout", table.ROLLOUT_TABLE),
        *_machine("Group of a rollout", table.GROUP_TABLE),
        "What is in no row cannot happen (`gateway/core/rollout/table.py`). Only proven boots count as",
        "success.",
    ]
    return "\n".join(lines) + "\n"


def _machine(name: str, rows: Mapping[tuple[IntEnum, Enum], IntEnum]) -> list[str]:
    """Draw and list a table of (state, event) -> state."""
    return [
        f"## {name}",
        "",
        "```mermaid",
        "stateDiagram-v2",
        *(f"  {old.name} --> {new.name}: {event.name}" for (old, event), new in rows.items()),
        "```",
        "",
        *_table(
            ("state", "event", "next"),
            ((f"`{old.name}`", event.name, f"`{new.name}`") for (old, event), new in rows.items()),
        ),
        "",
    ]


def cli_page() -> str:
    """Every command, from the application itself."""
    from gateway.cli.app import make as tocsin  # noqa: PLC0415 - a broken command must not break the other pages
    from gateway.cli.reference import reference  # noqa: PLC0415 - the same

    return reference(tocsin())


def bench_page() -> str:
    """Every command of the bench, from the application itself."""
    from gateway.cli.reference import reference  # noqa: PLC0415 - a broken command must not break the others
    from hil.cli.app import make  # noqa: PLC0415 - the same

    return reference(make(), "hil")


def regimes_page() -> str:
    """Every legal regime with its clocks."""
    from advisories.clocks import page  # noqa: PLC0415 - a fault in its data must not break the others

    return page.regimes_page()


def checks_page() -> str:
    """Every check with why it is there."""
    from advisories.checks import explain  # noqa: PLC0415 - a fault in a rule must not break the other pages

    return explain.checks_page()


def practices_page() -> str:
    """Every practice with what implements it and the tests that prove it."""
    from advisories.checks import RULES  # noqa: PLC0415 - a fault in a rule must not break the other pages
    from advisories.checks.explain import practices  # noqa: PLC0415 - the same

    found = tomllib.loads((DOCS / "practices.toml").read_text(encoding="utf-8"))
    faults = found.pop("rules_proved_by")
    rows = []
    for number, words in practices().items():
        row = found[str(number)]
        rules = row.get("rules", [])
        acts = [f"check [`{name}`](reference/checks.md#{name}) ({RULES[name].level})" for name in rules]
        acts += [f"`tocsin {name}`" for name in row.get("commands", [])]
        acts += [_link(place, place) for place in row.get("places", [])]
        tests = [*([faults] if rules else []), *row.get("tests", [])]
        proofs = [
            _link(name.removeprefix("test_").replace("_", " "), file) for file, name in map(_test, tests)
        ]
        rows.append((number, words, "<br>".join(acts), "<br>".join(proofs)))
    lines = [
        "# Practices",
        "",
        _mark("docs/practices.toml and advisories/checks/practices.toml"),
        "",
        "What guides ask of whoever must tell customers about a breach or a weakness: each practice with",
        "what acts on it, and the tests that prove that it does. A check that says *block* keeps a notice",
        "from being approved; *advice* leaves it to people. `tests/test_practices.py` holds this table to",
        "the code and to the tests.",
        "",
        *_table(("number", "practice", "what acts on it", "what proves it"), rows),
    ]
    return "\n".join(lines) + "\n"


def _test(name: str) -> tuple[str, str]:
    file, _, function = name.partition("::")
    return file, function


def _link(words: str, path: str) -> str:
    """Link from a page in ``docs`` to a file of the repository."""
    return f"[{words}]({path.removeprefix('docs/') if path.startswith('docs/') else f'../{path}'})"


PAGES = {
    "reference/reasons.md": reasons_page,
    "reference/limits.md": limits_page,
    "reference/states.md": states_page,
    "reference/cli.md": cli_page,
    "reference/hil.md": bench_page,
    "reference/regimes.md": regimes_page,
    "reference/checks.md": checks_page,
    "practices.md": practices_page,
}
"""Path under ``docs`` -> what makes it."""


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(make(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
