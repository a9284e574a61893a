"""``tocsin advisory approve``, ``reject``, ``comments``, ``condition`` and ``show``: who signs what."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.approval import Rejected, Remark
from advisories.limits import NOTICE_BYTES_MAX, NOTICE_TEXT_BYTES_MAX
from advisories.notice import Notice, Text, check_code
from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import (
    JsonOption,
    KeyOption,
    WorkspaceOption,
    ask_passphrase,
    confirm,
    console,
    emit,
    example,
    now,
    open_workspace,
    say,
    utc,
)
from gateway.cli.own import Own, is_afar, own_key
from gateway.cli.show import approvals_data, line, next_step, notice_data, print_approvals, print_notice
from gateway.cli.sign_request import print_judged
from gateway.operations import advisories
from gateway.operations.advisories import handing, views
from gateway.operations.advisories.views import Shown
from gateway.operations.trust import requests
from gateway.workspace.folder import Workspace
from keys.cbor import decode
from keys.codec import load, unpack
from keys.errors import InputError, RefusedError
from keys.reasons import Reason

ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")]


def _notice(shown: Shown) -> Notice:
    return unpack(Notice, decode(shown.header, size_max=NOTICE_BYTES_MAX))


def _texts(shown: Shown) -> dict[str, Text]:
    found = shown.texts.items()
    return {language: load(Text, data, size_max=NOTICE_TEXT_BYTES_MAX) for language, data in found}


def _data(shown: Shown) -> dict[str, Any]:
    return {
        **notice_data(_notice(shown), shown.digest, _texts(shown), list(shown.outputs)),
        **approvals_data(shown.approvals),
    }


def _print(shown: Shown, out: Console) -> None:
    print_notice(out, _notice(shown), shown.digest, _texts(shown), list(shown.outputs))
    print_approvals(out, shown.approvals)


def remark_data(remark: Remark) -> dict[str, Any]:
    """Return one remark for ``--json``."""
    said = remark.said
    return {
        "seq": remark.seq,
        "kind": remark.kind,
        "by": remark.by,
        "roles": list(said.roles),
        "at": remark.at,
        "revision": said.revision,
        "digest": said.digest,
        "check_code": check_code(bytes.fromhex(said.digest)),
        "current": remark.current,
        "comment": said.comment,
        "condition": remark.condition,
        "condition_number": remark.number,
        "met": None if remark.met is None else {"by": remark.met[0], "at": remark.met[1]},
        "taken_back": remark.ended,
        "stops": remark.stops,
    }


def print_remark(out: Console, remark: Remark) -> None:
    """Print one remark with the check code and digest that it was about."""
    said = remark.said
    verb = {"given": "approved", "rejected": "rejected", "comment": "commented on"}[remark.kind]
    stale = "" if remark.current else ", which was changed since"
    line(
        out,
        f"{utc(remark.at)}  {remark.by} ({', '.join(said.roles)}) {verb} revision {said.revision}, "
        f"check code {check_code(bytes.fromhex(said.digest))}{stale}",
    )
    out.print(f"    digest {said.digest}")
    if said.comment:
        line(out, f"    {said.comment}")
    if remark.condition:
        state = "OPEN" if remark.met is None else f"met: {remark.met[0]}, {utc(remark.met[1])}"
        line(out, f"    condition {remark.number} ({state}): {remark.condition}")
    if isinstance(said, Rejected) and remark.ended is not None:
        line(out, f"    taken back {utc(remark.ended)}")
    elif isinstance(said, Rejected) and remark.stops:
        line(out, "    It stands: this cannot be published.")


@app.command("approve", epilog=example("advisory approve EX-2026-0001 --key legal-1"))
def approve(
    advisory: IdArgument,
    *,
    key: KeyOption,
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="Kept with the approval.")] = None,
    condition: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What has to be done first: until it is, nothing is published."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking; you have read it.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Leave the approvals so far aside and start over.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show exactly what is signed, then sign it with one role's key."""
    opened = open_workspace(workspace)
    if is_afar():
        own = own_key(key, workspace)
        answer = _signed_here(opened, advisory, own, restart=restart, yes=yes, as_json=as_json)
        done = handing.take(opened, advisory, answer=answer, comment=comment, condition=condition, now=now())
    else:
        reviewed = advisories.review(opened, advisory, now=now(), restart=restart)
        if not as_json:
            emit(as_json, {}, lambda out: _print(views.shown(reviewed), out))
        confirm(f"Sign these exact bytes with the key {key}?", yes=yes)
        done = views.shown(
            advisories.approve(opened, reviewed, key, ask_passphrase, comment=comment, condition=condition)
        )
    rest = next_step(done.approvals, f"tocsin advisory publish {advisory}")
    emit(as_json, _data(done), say(f"{key} approved {advisory} revision {_notice(done).revision}; {rest}."))


def _signed_here(
    opened: Workspace, advisory: str, own: Own, *, restart: bool, yes: bool, as_json: bool
) -> bytes:
    """Fetch what is to be signed, make all of it again on this machine, show it, and sign it."""
    handed = handing.hand_out(opened, advisory, restart=restart, now=now())
    judged = requests.judge(handed.request)
    own.require_fleet(judged.fleet)
    if not isinstance(judged.content, Notice) or judged.content.id != advisory:
        raise RefusedError(Reason.WRONG_SUBJECT, f"this is not {advisory}")
    judged.signer(own.signer.public)
    if not as_json:
        print_judged(judged, None if own.fleet is None else own.fleet.hex(), console())
        print_approvals(console(), handed.approvals)
    confirm(f"Sign these exact bytes with the key {own.name}?", yes=yes)
    return requests.sign(judged, own.signer)


@app.command(
    "reject",
    epilog=example(
        "advisory reject EX-2026-0001 --role legal --by exercise-legal --comment 'The offer is missing.'"
    ),
)
def reject(
    advisory: IdArgument,
    *,
    role: Annotated[str, typer.Option("--role", help="The role in which it is said, e.g. legal.")],
    by: ByOption,
    comment: Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="Why.")] = None,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Take your own rejection of this content back.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say no, and why: this content cannot be published until it changes or you take it back."""
    about = views.reject(
        open_workspace(workspace),
        advisory,
        role=role,
        by=by,
        comment=comment or "",
        take_back=take_back,
        now=now(),
    )
    verb = "took the rejection back of" if take_back else "rejected"
    emit(
        as_json,
        {"advisory": advisory, "revision": about.revision, "digest": about.digest, "taken_back": take_back},
        say(f"{about.by} ({role}) {verb} {advisory} revision {about.revision}."),
    )


@app.command("comments", epilog=example("advisory comments EX-2026-0001"))
def comments(advisory: IdArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show all that approvers said, each with the digest it was about; nothing is ever forgotten."""
    found = views.remarks(open_workspace(workspace), advisory, now=now())

    def human(out: Console) -> None:
        if not found.items:
            line(out, f"Nobody has said anything about {advisory}.")
        for remark in found.items:
            print_remark(out, remark)

    emit(
        as_json,
        {"advisory": advisory, "stops": found.stops, "remarks": [remark_data(one) for one in found.items]},
        human,
    )


@app.command(
    "condition", epilog=example("advisory condition EX-2026-0001 1 --met --by exercise-communications")
)
def condition(
    advisory: IdArgument,
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="Its number in 'advisory comments'.")],
    *,
    met: Annotated[bool, typer.Option("--met", help="It is met now.")] = False,
    by: ByOption,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mark a condition of an approval as met, so that publishing may go on."""
    if not met:
        raise InputError("USAGE", "Nothing is said about the condition.", mend="Say --met once it is met.")
    said = views.meet(open_workspace(workspace), advisory, number, by=by, now=now())
    emit(
        as_json,
        {"advisory": advisory, "condition": number, "met": True, "by": said.by},
        say(f"Condition {number} on {advisory} is met, says {said.by}."),
    )


@app.command("show", epilog=example("advisory show EX-2026-0001"))
def show(advisory: IdArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show what an approval signs, and who signed so far."""
    found = views.show(open_workspace(workspace), advisory, now=now())

    def human(out: Console) -> None:
        for mark in found.marks:
            line(out, mark)
        _print(found, out)

    emit(as_json, {**_data(found), "tlp": found.tlp, "marks": list(found.marks)}, human)
