"""The reference page of all regimes, as Markdown, made from ``regimes.toml``."""

from __future__ import annotations

from collections.abc import Iterator

from advisories.clocks.regimes import SUBMITTED, Regime, Regimes, Step, builtin

_HEAD = """\
# Regimes and their clocks

<!-- Made from advisories/clocks/regimes.toml by docs/generate.py; edit the source. -->

Who must tell whom, and what starts each clock. This is not legal advice: Legal decides which rows apply and
lists them in `organisation.yaml` under `regimes`. A row that is off computes nothing; it says why. A file
`regimes.toml` in the workspace adds rows of the same form, or replaces rows of the same id once somebody has
read the law itself.

How ends are counted: hours run through weekends, holidays and changes of the clock. Months end on the same
day, or on the month's last day where it has no such day. Business days leave out weekends and US federal
holidays, also on the day on which they are observed. In the Union the earlier of two readings counts; the
later end that Regulation 1182/71 may allow is shown beside it. A hold by law enforcement pauses only the
regimes that name one.
"""


def regimes_page(regimes: Regimes | None = None) -> str:
    """Return the page ``docs/reference/regimes.md``.

    Args:
        regimes: those to show; the program's own if left out.
    """
    known = regimes or builtin()
    lines = [_HEAD, "## Triggers", "", "| trigger | what happened |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in known.triggers.items()]
    for regime in known.regimes.values():
        lines += ["", *_section(regime)]
    return "\n".join(lines) + "\n"


def period(step: Step) -> str:
    """Return in words how long a step's clock runs."""
    if step.amount is None or step.unit is None:
        return "no number named"
    unit = step.unit.value.replace("-", " ")
    return f"{step.amount} {unit.removesuffix('s') if step.amount == 1 else unit}"


def _section(regime: Regime) -> Iterator[str]:
    yield f"## {regime.id}"
    yield ""
    yield f"{regime.name} ({regime.jurisdiction})."
    yield ""
    yield f"- Source: {regime.source}"
    yield f"- Read in its source: {regime.verified_on or 'no'}"
    if not regime.enabled:
        yield f"- **Off.** {regime.reason}"
    if regime.in_force:
        yield f"- In force from {regime.in_force}"
    yield f"- {regime.who} to {regime.whom}"
    yield f"- Applied unasked to: {', '.join(kind.value for kind in regime.kinds) or 'nothing'}"
    named = ", only by a hold that names this regime" if regime.hold_named else ""
    longest = f", at most {regime.hold_days_max} days" if regime.hold_days_max else ""
    yield f"- Hold by law enforcement: {regime.hold + longest + named if regime.hold else 'pauses nothing'}"
    if regime.note:
        yield f"- {regime.note}"
    if regime.steps:
        yield ""
        yield "| step | starts with | within | counted by | to | content |"
        yield "|---|---|---|---|---|---|"
        for step in regime.steps:
            start = step.trigger.replace(SUBMITTED, "submission of ")
            to = regime.recipient(step)
            content = ", ".join([*step.content, *(f"{item} (when late)" for item in step.late)])
            yield f"| `{step.id}` | {start} | {period(step)} | {step.calendar.value} | {to} | {content} |"
