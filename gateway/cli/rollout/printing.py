"""Rollouts as text."""

from __future__ import annotations

from rich.console import Console

from gateway.cli.output import table, utc
from gateway.core.rollout import Counts, LeftOut, RolloutState
from gateway.operations.rollouts import RolloutView
from gateway.operations.rollouts.making import Rehearsal
from gateway.store.selecting import Found

_RARE = (
    "failing",
    "waiting",
    "silent",
    "declined",
    "revoked",
)  # a column only where there is something to count

_SAID = {
    RolloutState.PAUSED,
    RolloutState.STOPPING,
    RolloutState.STOPPED,
    RolloutState.APPROVAL_DENIED,
}
"""States that somebody wants to know the reason of."""

_LEFT_OUT = {
    LeftOut.RECORD: "without a valid record",
    LeftOut.PRODUCT: "of another product by now",
    LeftOut.OVERTAKEN: "with a later offer of another patch",
}


def seen(text: str | None) -> str:
    """Return what somebody typed with nothing in it that a terminal obeys, or that begins another line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text or "-")


def print_rollout(view: RolloutView, out: Console) -> None:
    """Print one rollout, group by group."""
    state = view.state.name.lower().replace("_", " ")
    out.print(f"rollout {view.id}: {state}, until {utc(view.plan.deadline)}", markup=False)
    if view.state in _SAID:
        said = f": {seen(view.why)}" if view.why else ""
        out.print(f"{state} since {utc(view.changed)} by {seen(view.changed_by)}{said}", markup=False)
    if view.state is RolloutState.CREATING:
        out.print(
            f"being made since {utc(view.changed)} by {seen(view.changed_by)}. If that was interrupted:"
            " make it again under this name, or cancel it.",
            markup=False,
        )
    rare = [name for name in _RARE if any(getattr(group.counts, name) for group in view.groups)]
    rows = [
        (
            number,
            g.share,
            g.state.name.lower(),
            g.counts.total,
            g.counts.proven,
            g.counts.failed,
            g.counts.not_applicable,
            *(getattr(g.counts, name) for name in rare),
        )
        for number, g in enumerate(view.groups, 1)
    ]
    columns = ("group", "share", "state", "devices", "patched", "failed", "not applicable", *rare)
    out.print(table(columns, rows))
    for number, group in enumerate(view.groups, 1):
        _print_reasons(number, group.counts, out)


def _print_reasons(number: int, counts: Counts, out: Console) -> None:
    if counts.failures:
        found = ", ".join(f"{name} {many}" for name, many in counts.failures.items())
        out.print(f"group {number} failed at: {found}", markup=False)
    if counts.left_out:
        found = ", ".join(f"{many} {_LEFT_OUT[why]}" for why, many in counts.left_out.items())
        out.print(f"group {number} left out: {found}", markup=False)


def print_found(found: Found, out: Console, *, product: str) -> None:
    """Print how many devices a selection means."""
    out.print(
        f"{product}: {found.devices} devices; {found.invalid} more are revoked or not valid now,"
        f" {found.unreachable} are without our core and go on the letter list",
        markup=False,
    )


def print_rehearsal(found: Rehearsal, out: Console) -> None:
    """Print who would get what and when."""
    plan, view = found.rollout.plan, found.rollout
    out.print(f"rollout {view.id} would offer {view.patch[:16]} until {utc(plan.deadline)}", markup=False)
    print_found(found.selected, out, product=view.product)
    rows = [
        (number, g.share, g.devices, utc(g.offered_first), utc(g.offered_last), " ".join(g.first))
        for number, g in enumerate(found.groups, 1)
    ]
    out.print(table(("group", "share", "devices", "first offer", "last offer", "first devices"), rows))
    if found.window is not None:
        begin, end = found.window
        out.print(f"first window: {utc(begin)} to {utc(end)}", markup=False)
    if found.approval:
        out.print("Somebody other than its author has to approve it before it starts.")
