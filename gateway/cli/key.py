"""``tocsin key``: make, take in, list and revoke keys."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    ByOption,
    JsonOption,
    WorkspaceOption,
    ask_passphrase,
    emit,
    example,
    group,
    new_passphrase,
    now,
    open_workspace,
    person,
    say,
    table,
    utc,
)
from gateway.cli.own import require_here
from gateway.operations.trust import keys
from keys.algorithms import Algorithm
from keys.errors import InputError
from keys.root import ROLES

app = group("Who signs.")


class AlgorithmName(StrEnum):
    """Algorithms to make keys for."""

    ED25519 = "ed25519"
    ESP256 = "esp256"
    ML_DSA_44 = "ml-dsa-44"
    ML_DSA_65 = "ml-dsa-65"


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="key")


@app.command("new", epilog=example("key new legal-1 --role legal --holder 'Legal duty'"))
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What commands call it.")],
    *,
    role: Annotated[
        list[str],
        typer.Option(
            help="root, engineering, legal, communications, release, security, operator, gateway, or one "
            "that policy.toml demands; repeat it."
        ),
    ],
    holder: Annotated[str, typer.Option(help="The person or machine that uses it.")],
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave it unencrypted: for machines and drills.")
    ] = False,
    algorithm: Annotated[AlgorithmName, typer.Option(help="Signature algorithm.")] = AlgorithmName.ED25519,
    uri: Annotated[
        str | None,
        typer.Option(
            help="Where the private key is to lie: file:PATH, pkcs11:..., or env:NAME that holds it."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Make it outside any workspace: a private PEM and a public file, in here."
        ),
    ] = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key pair. It may do nothing until a root lists it."""

    def secret(asked: str) -> bytes:
        return b"" if no_passphrase else new_passphrase(asked)

    chosen = Algorithm[algorithm.name]
    if out is not None:
        if uri is not None:
            message = "--uri and --out exclude each other."
            raise InputError("USAGE", message, mend="Say --out to keep a key offline, else --uri.")
        asked = secret(f"new key {name}")
        made = keys.make_offline(out, name, roles=role, holder=holder, passphrase=asked, algorithm=chosen)
        _tell_offline(made, as_json=as_json)
        return
    opened = require_here(open_workspace(workspace))
    if uri is None:
        entry = keys.new(
            opened,
            name,
            roles=role,
            holder=holder,
            now=now(),
            by=person(by),
            passphrase=secret(f"new key {name}"),
            algorithm=chosen,
        )
    else:
        entry = keys.new_at(
            opened,
            name,
            uri,
            roles=role,
            holder=holder,
            now=now(),
            by=person(by),
            new_passphrase=secret,
            passphrase=ask_passphrase,
            algorithm=chosen,
        )
    emit(
        as_json,
        {"key": entry},
        say(f"Made the key {name} ({', '.join(entry.roles)}) of {holder}: {entry.kid}."),
    )


def _tell_offline(made: keys.Offline, *, as_json: bool) -> None:
    entry = made.key
    unusual = [role for role in entry.roles if role not in ROLES]

    def human(console: Console) -> None:
        console.print(
            f"Made the key {entry.name} ({', '.join(entry.roles)}) of {entry.holder}.", markup=False
        )
        console.print(f"private: {made.private}  (stays here)", markup=False)
        console.print(f"public:  {made.public}  (hand this one over)", markup=False)
        console.print(f"thumbprint {entry.public.thumbprint.hex()}")
        if unusual:
            line = f"Note: {', '.join(unusual)} is a role only where the workspace's policy.toml demands it."
            console.print(line, markup=False)

    data = {
        "key": entry,
        "private": made.private,
        "public": made.public,
        "thumbprint": entry.public.thumbprint,
        "unusual_roles": unusual,
    }
    emit(as_json, data, human)


@app.command("add", epilog=example("key add legal-1.pub.toml"))
def add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The public file that 'tocsin key new --out' wrote.")
    ],
    workspace: WorkspaceOption = None,
    *,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in the public half of a key that somebody made elsewhere; compare its thumbprint with them."""
    entry = keys.add(open_workspace(workspace), file, now=now(), by=person(by))

    def human(console: Console) -> None:
        what = f"the key {entry.name} ({', '.join(entry.roles)}) of {entry.holder}"
        console.print(f"Added {what}; its private half is elsewhere.", markup=False)
        console.print(f"thumbprint {entry.public.thumbprint.hex()}")
        console.print(f"Compare it with {entry.holder} before a root lists it.", markup=False)

    emit(as_json, {"key": entry, "thumbprint": entry.public.thumbprint}, human)


@app.command("list", epilog=example("key list"))
def list_(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """List the keys: whether the newest root knows each, and where its private half is."""
    found = keys.states(open_workspace(workspace))
    rows = [
        (
            state.key.name,
            ", ".join(state.key.roles),
            state.key.holder,
            state.key.kid,
            "yes" if state.in_root else "no",
            state.place.value,
            "" if state.key.revoked is None else "revoked",
        )
        for state in found
    ]
    columns = ("key", "roles", "holder", "id", "in root", "private", "")

    def human(console: Console) -> None:
        console.print(table(columns, rows))
        for key in (state.key for state in found if state.key.revoked is not None):
            why = f": {key.reason}" if key.reason else ""
            console.print(f"{key.name} is revoked since {utc(key.revoked)}{why}", markup=False)

    emit(as_json, {"keys": found}, human)


@app.command("revoke", epilog=example("key revoke legal-1 --reason 'Laptop lost'"))
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the key, from keys.toml.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in keys.toml.")],
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mark a key as revoked. It counts until a root without it is published."""
    done = keys.revoke(open_workspace(workspace), name, reason, now=now(), by=person(by))
    verb = "is revoked" if done.changed else "was revoked before"
    if done.in_root:
        rest = "It COUNTS until a root without it is published. Next: tocsin root rotate."
    else:
        rest = "The newest root does not list it: it counts for nothing."

    def human(console: Console) -> None:
        console.print(f"The key {name} of {done.key.holder} {verb}. {rest}", markup=False)
        for role in done.unmet:
            mend = f"'tocsin key new NAME --role {role} --holder HOLDER'"
            console.print(f"Without it holders are missing for {role}: {mend}.", markup=False)

    data = {"key": done.key, "in_root": done.in_root, "changed": done.changed, "unmet": done.unmet}
    emit(as_json, data, human)
