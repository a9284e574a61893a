"""``tocsin sign-request``: signing on a machine without network, with three files carried by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.notice import Notice, check_code
from gateway import files
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    ask_passphrase,
    confirm,
    emit,
    example,
    group,
    now,
    open_workspace,
    person,
    utc,
)
from gateway.cli.show import (
    line,
    notice_data,
    patch_data,
    print_notice,
    print_patch,
    print_root,
    root_data,
)
from gateway.operations.trust import ceremonies, expiry, requests
from gateway.operations.trust.ceremonies import Exported
from gateway.operations.trust.request_files import VENDOR
from gateway.operations.trust.requests import Judged
from gateway.workspace.folder import Workspace
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.root import Root
from keys.signer import open_signer

app = group("Signing on a machine without network: export, carry, sign, carry, import.")
export_app = group("Write a request: everything a signer needs to judge what is signed.")
RequestArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The request.")]
OutArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Where the request is written.")]
FleetOption = Annotated[
    str | None,
    typer.Option(metavar="DIGEST", help="The fleet's digest as you know it; another one is refused."),
]


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    app.add_typer(export_app, name="export")
    parent.add_typer(app, name="sign-request")


def _export(
    out: Path, export: Callable[[Workspace], Exported], workspace: Path | None, *, as_json: bool
) -> None:
    files.require_replaceable(out)
    done = export(open_workspace(workspace))
    files.write_atomic(out, done.data)

    def human(console: Console) -> None:
        line(console, f"Wrote {out}: {done.name}, {len(done.data)} bytes.")
        console.print(f"digest {done.digest}")
        line(
            console,
            f"Tell the signers this digest in full. Next, on their machines: tocsin sign-request sign {out}",
        )

    emit(as_json, {"file": out, "name": done.name, "digest": done.digest, "bytes": len(done.data)}, human)


@export_app.command("root", epilog=example("sign-request export root root-2.request"))
def export_root(file: OutArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Write a request for the draft of a root."""
    _export(file, ceremonies.export_root, workspace, as_json=as_json)


@export_app.command(
    "advisory", epilog=example("sign-request export advisory EX-2026-0001 EX-2026-0001.request")
)
def export_advisory(
    advisory: Annotated[str, typer.Argument(metavar="ID", help="Advisory id, e.g. EX-2026-0001.")],
    file: OutArgument,
    workspace: WorkspaceOption = None,
    *,
    restart: Annotated[
        bool, typer.Option("--restart", help="Leave what was signed or handed out so far aside.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a request for an advisory, with its texts in every language."""
    time = now()
    _export(
        file,
        lambda opened: ceremonies.export_advisory(opened, advisory, now=time, restart=restart),
        workspace,
        as_json=as_json,
    )


@export_app.command("patch", epilog=example("sign-request export patch thermostat@1.4.2 patch.request"))
def export_patch(
    patch: Annotated[str, typer.Argument(metavar="SEQ", help="Sequence number, or PRODUCT@VERSION.")],
    file: OutArgument,
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write a request for a patch."""
    _export(file, lambda opened: ceremonies.export_patch(opened, patch), workspace, as_json=as_json)


def open_request(file: Path, fleet: str | None) -> Judged:
    """Judge a request and compare its fleet with the one that the signer knows."""
    judged = requests.judge(files.read_bytes(file, what="request", mend="Check the path."), where=str(file))
    if fleet is not None:
        wanted = "".join(fleet.split()).lower()
        if not re.fullmatch(r"[0-9a-f]{64}", wanted):
            message = "A fleet's digest has 64 hexadecimal digits."
            raise InputError("BAD_VALUE", message, mend="Copy it in full: 'tocsin root show 1' prints it.")
        if wanted != judged.fleet.hex():
            detail = f"expected {wanted}, the request says {judged.fleet.hex()}"
            raise RefusedError(Reason.WRONG_FLEET, detail, where=str(file))
    return judged


def _data(judged: Judged, fleet: str | None) -> dict[str, Any]:
    content = judged.content
    if isinstance(content, Root):
        about = root_data(content, judged.change)
    elif isinstance(content, Notice):
        about = notice_data(content, judged.digest, judged.texts, list(judged.outputs))
        about["pages_not_compared"] = list(judged.unseen)
    else:
        about = patch_data(judged.product, content)
    return {
        "kind": judged.request.kind,
        "digest": judged.digest,
        "check_code": check_code(judged.digest),
        "fleet": judged.fleet,
        "fleet_pinned": fleet is not None,
        "root": judged.root.version,
        "roles": sorted(judged.roles()),
        "content": about,
    }


def print_judged(judged: Judged, fleet: str | None, out: Console) -> None:
    """Print exactly what would be signed, and by whose signatures it counts."""
    content, digest = judged.content, judged.digest
    out.print(f"WHAT IS BEING SIGNED: {_WORDS[judged.request.kind.name]}")
    if isinstance(content, Root):
        print_root(out, content, digest.hex(), judged.change, draft=True)
    elif isinstance(content, Notice):
        print_notice(out, content, digest, judged.texts, list(judged.outputs))
        for language in judged.unseen:
            line(out, f"The drawn pages in '{language}' were not compared: there is no font for them here.")
    else:
        print_patch(out, judged.product, content)
        names = [part.decode("utf-8", "backslashreplace") for part in content.component]
        line(out, f"component {'/'.join(names)}, vendor {judged.request.attachments[VENDOR].decode()}")
        line(out, f"fetched from {content.uri}")
        line(out, "A patch names no fleet: this signature counts in every fleet whose root lists the key.")
    out.print(f"full digest {digest.hex()}")
    out.print(f"check code {check_code(digest)} (helps to find it, proves nothing: compare the full digest)")
    out.print(f"fleet {judged.fleet.hex()}")
    if fleet is not None:
        out.print("It is the fleet that you named.")
    else:
        out.print(
            "The enclosed roots are this request's own claim: compare the fleet's digest, or say --fleet."
        )
    judge = f"root {judged.root.version}, which expires {utc(judged.root.expires)}"
    line(out, f"Counts by {judge}: signatures of {', '.join(sorted(judged.roles()))}.")
    for check in expiry.of_root(judged.root, now()):
        out.print(f"warning: {check.message}")


_WORDS = {
    "ROOT": "who may say what from now on (a root)",
    "NOTICE": "a notice to owners, with every text below",
    "PATCH": "a patch that devices will install",
}


@app.command("show", epilog=example("sign-request show root-2.request"))
def show(file: RequestArgument, *, fleet: FleetOption = None, as_json: JsonOption = False) -> None:
    """Show what a request asks to be signed, without signing it."""
    judged = open_request(file, fleet)
    emit(as_json, _data(judged, fleet), lambda out: print_judged(judged, fleet, out))


@app.command("sign", epilog=example("sign-request sign root-2.request --key-uri file:root-1.pem"))
def sign(
    file: RequestArgument,
    *,
    key_uri: Annotated[
        str, typer.Option("--key-uri", metavar="URI", help="Private key: file:PATH, env:NAME or pkcs11:...")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the answer is written; beside the request if left out."),
    ] = None,
    fleet: FleetOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking; you have read it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show exactly what is signed, then sign it. Needs no workspace and no network."""
    if as_json and not yes:
        message = "With --json nothing is shown before it is signed."
        mend = "Read it with 'tocsin sign-request show', then say --yes."
        raise InputError("NOT_CONFIRMED", message, mend=mend)
    judged = open_request(file, fleet)
    if not as_json:
        emit(as_json, {}, lambda console: print_judged(judged, fleet, console))
    signer = open_signer(key_uri, ask_passphrase)
    entry = judged.signer(signer.public)
    kid = signer.public.thumbprint.hex()[:16]
    path = out or file.with_name(f"{file.stem}.{kid[:8]}.answer")
    files.require_replaceable(path)
    who = f"{entry.holder} ({', '.join(sorted(judged.roles() & set(entry.roles)))})"
    confirm(f"Sign these exact bytes as {who}, key {kid}?", yes=yes)
    files.write_atomic(path, requests.sign(judged, signer))

    def human(console: Console) -> None:
        line(console, f"Signed by {who}, key {kid}, digest {judged.digest.hex()}")
        line(console, f"Wrote {path}. Carry it back: tocsin sign-request import {path.name}")

    data = {**_data(judged, fleet), "answer": path, "kid": signer.public.thumbprint, "holder": entry.holder}
    emit(as_json, data, human)


@app.command("import", epilog=example("sign-request import root-2.8f0c11d2.answer"))
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The answer that the signer brought.")],
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Take a signature in, once it is verified: right bytes, right key, right role."""
    opened = open_workspace(workspace)
    data = files.read_bytes(file, what="answer", mend="Check the path.")
    done = ceremonies.take(opened, data, now=now(), by=person(None), where=str(file))

    def human(console: Console) -> None:
        verb = "signed" if done.changed else "had signed already:"
        line(
            console,
            f"{done.signed.holder} ({', '.join(done.signed.roles)}) {verb} {done.name}, digest {done.digest}",
        )
        console.print(f"still missing: {', '.join(done.missing) or 'nobody'}")

    emit(
        as_json,
        {
            "name": done.name,
            "digest": done.digest,
            "signed": done.signed,
            "changed": done.changed,
            "missing": done.missing,
        },
        human,
    )
