"""What ``tocsin advisory new`` proposes from components, and the question before it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from advisories.components import Verdict
from advisories.versions import format_range
from gateway.cli.output import confirm, table
from gateway.cli.show import line
from gateway.operations import sboms
from gateway.operations.sboms import Proposal
from gateway.workspace.folder import Workspace
from keys.errors import InputError


def proposal_of(
    workspace: Workspace, component: str | None, range_: str | None, supplier: Path | None
) -> Proposal | None:
    """Return what the options ask for, or None where they ask for nothing.

    Raises:
        InputError: USAGE for options that do not go together; as :mod:`gateway.operations.sboms`.
    """
    if supplier is not None and (component or range_):
        message = "--from-supplier says itself which components are meant."
        raise InputError("USAGE", message, mend="Leave out --component and --range.")
    if supplier is not None:
        return sboms.of_supplier(workspace, supplier)
    if (component is None) != (range_ is None):
        message = "--component and --range belong together."
        raise InputError("USAGE", message, mend="E.g. --component openssl --range '<3.0.7'.")
    if component is None or range_ is None:
        return None
    return sboms.of_component(workspace, component, range_)


def data(found: Proposal) -> dict[str, Any]:
    """Return a proposal for ``--json``."""
    return {
        "about": found.about,
        "versions": [
            {
                "product": each.product,
                "version": each.version,
                "verdict": each.verdict.value,
                "because": each.because,
            }
            for each in found.answers
        ],
        "affected": {
            name: [format_range(bounds) for bounds in each.affected or ()]
            for name, each in found.products.items()
        },
        "cves": list(found.carried.cves),
    }


def show(found: Proposal, out: Console) -> None:
    """Print what would be written, and what somebody has to find out."""
    line(out, found.about)
    order = (Verdict.AFFECTED, Verdict.TO_CONFIRM, Verdict.NOT_AFFECTED)
    rows = [
        (each.product, each.version or "-", each.verdict.value, each.because)
        for each in sorted(found.answers, key=lambda each: order.index(each.verdict))
    ]
    out.print(table(("product", "version", "", "because"), rows))
    for name, each in found.products.items():
        written = "; ".join(format_range(bounds) for bounds in each.affected or ())
        line(out, f"{name}: {written or 'nothing is written before somebody confirms a version'}")


def require_yes(found: Proposal, *, yes: bool) -> None:
    """Ask whether the proposal is right.

    Raises:
        InputError: NOT_CONFIRMED.
    """
    open_ = sum(each.verdict is Verdict.TO_CONFIRM for each in found.answers)
    rest = f" ({open_} versions stay to confirm)" if open_ else ""
    confirm(f"Write these ranges{rest}?", yes=yes)
