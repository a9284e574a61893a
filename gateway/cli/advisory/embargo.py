"""``tocsin advisory embargo``: until when nothing leaves, and ending that early."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.embargo import Lift, label
from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import (
    JsonOption,
    KeyOption,
    WorkspaceOption,
    ask_passphrase,
    confirm,
    emit,
    example,
    group,
    now,
    open_workspace,
    say,
    utc,
)
from gateway.cli.own import is_afar, own_key
from gateway.cli.show import line
from gateway.cli.times import moment
from gateway.operations.advisories import embargo, lifting
from keys.cbor import decode
from keys.codec import unpack
from keys.document import seal
from keys.errors import InputError, RefusedError
from keys.reasons import Reason

embargo_app = group("Until when nothing leaves, and lifting that early.")
app.add_typer(embargo_app, name="embargo")


def _data(standing: embargo.Standing) -> dict[str, Any]:
    signed, lifting = standing.approvals, standing.lifting
    return {
        "advisory": standing.advisory,
        "tlp": standing.tlp.value,
        "embargo_until": standing.until,
        "lifting": {
            "old": lifting.old,
            "new": lifting.new,
            "facts": lifting.facts,
            "signed": [each.holder for each in signed.signed],
            "missing": list(signed.missing),
        }
        if lifting and signed
        else None,
    }


@embargo_app.command("show", epilog=example("advisory embargo show EX-2026-0001"))
def show(advisory: IdArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show until when nothing leaves, how far it may travel, and who wants to lift it."""
    found = embargo.show(open_workspace(workspace), advisory, now=now())
    standing = found.standing

    def human(out: Console) -> None:
        until = "no embargo" if standing.until is None else f"embargo until {utc(standing.until)}"
        line(out, f"{advisory}: {label(standing.tlp)}, {until}")
        for words in found.marks:
            line(out, words)
        if standing.lifting and standing.approvals:
            _print_lifting(out, standing.lifting, standing)

    emit(as_json, _data(standing), human)


def _print_lifting(out: Console, lift: Lift, standing: embargo.Standing) -> None:
    assert standing.approvals is not None
    line(out, f"lifting from {utc(lift.old)} to {utc(lift.new)}")
    line(out, f"facts {lift.facts.hex()}")
    for each in standing.approvals.signed:
        line(out, f"signed by {each.holder} ({', '.join(each.roles)})")
    if standing.approvals.missing:
        line(out, f"missing: {', '.join(standing.approvals.missing)}")


@embargo_app.command("lift", epilog=example("advisory embargo lift EX-2026-0001 --key legal"))
def lift(
    advisory: IdArgument,
    *,
    key: KeyOption,
    until: Annotated[
        str | None, typer.Option(help="When it shall end instead: a time, 24h or 2d. Default: now.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking; you have read it.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign that the embargo ends early; it does when every role of a notice has signed."""
    opened = open_workspace(workspace)
    try:
        wanted = None if until is None else int(moment(until, now=now()).timestamp())
    except ValueError as error:
        raise InputError("BAD_VALUE", f"--until: {error}.") from None
    if is_afar():
        own = own_key(key, workspace)
        body = lifting.prepare(opened, advisory, until=wanted, now=now())
        found = unpack(Lift, decode(body, size_max=Lift.BYTES_MAX))
        own.require_fleet(found.fleet)
        if (found.type, found.id) != (Lift.TYPE, advisory):
            raise RefusedError(Reason.WRONG_SUBJECT, f"this lifts no embargo of {advisory}")
    else:
        facts, found = embargo.review_lift(opened, advisory, until=wanted, now=now())
    if not as_json:
        emit(
            as_json,
            {},
            say(
                f"{advisory}: the embargo until {utc(found.old)} shall end at {utc(found.new)}; "
                f"facts {found.facts.hex()}"
            ),
        )
    confirm(f"Sign this with the key {key}?", yes=yes)
    if is_afar():
        standing = lifting.take(opened, advisory, document=seal(found, [own.signer]), now=now())
    else:
        standing = embargo.lift_embargo(opened, facts, found, key, ask_passphrase, now=now())
    missing = standing.approvals.missing if standing.approvals else ()
    rest = f"still missing: {', '.join(missing)}" if missing else "the embargo is lifted"
    emit(as_json, _data(standing), say(f"{key} signed; {rest}."))
