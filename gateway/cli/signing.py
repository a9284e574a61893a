"""Whose key signs: one of the workspace, or one on this machine where a command works through a server.

A server hands out what is to be signed and takes the signature; it never sees a private key. Nothing that
it hands out is signed unseen: it is judged like any other signing request, shown, and asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import ask_passphrase, confirm, console, emit, say
from gateway.cli.sign_request import print_judged
from gateway.operations import afar
from gateway.operations.trust import requests
from gateway.operations.trust.keys import signer_for
from gateway.operations.trust.requests import Judged
from gateway.workspace.folder import Workspace
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.signer import Signer, open_signer

AgreeOption = Annotated[
    bool, typer.Option("--yes", help="Through a server: sign what it hands out without asking.")
]


def agreed(*, yes: bool, as_json: bool) -> Callable[[str, Sequence[str]], None]:
    """Return who asks a person about entries of a catalogue that nobody vouches for here."""

    def ask(product: str, strange: Sequence[str]) -> None:
        if not as_json:
            say(f"The server's catalogue of {product} lists what no catalogue before it vouches for:")(
                console()
            )
            for entry in strange:
                say(f"  {entry}")(console())
        confirm(f"Sign the catalogue of {product} with these?", yes=yes)

    return ask


def role_signer(opened: Workspace, folder: Path | None, role: str, key: str | None) -> Signer:
    """Open the key that acts for a role: the one named, or the only one there is.

    Args:
        opened: where the command works.
        folder: a workspace on this machine whose keys.toml names keys, where that is a server.
        role: e.g. ``operator``.
        key: its name; or, through a server, where it lies: file:PATH, env:NAME or pkcs11:...

    Raises:
        InputError: KEY_NOT_NAMED; NO_KEY_FOR_ROLE, WHICH_KEY, or of opening the key.
    """
    if not isinstance(opened, afar.Server):
        return signer_for(opened, role, ask_passphrase, key)
    if key is not None and ":" in key:
        return open_signer(key, ask_passphrase)
    return signer_for(_own(folder), role, ask_passphrase, key)


def _named(folder: Path | None, key: str) -> Signer:
    return open_signer(key, ask_passphrase) if ":" in key else _own(folder).signer(key, ask_passphrase)


def _own(folder: Path | None) -> Workspace:
    """Open the workspace on this machine that names the keys which are here."""
    if folder is None and not Path("tocsin.toml").is_file():
        message = "A key on this machine has to sign, and it is not said where it lies."
        mend = "Say --key file:PATH, or name the folder of its keys.toml with --workspace."
        raise InputError("KEY_NOT_NAMED", message, mend=mend)
    return Workspace.open(folder or Path())


def answered(
    request: bytes,
    meant: Callable[[Judged], bool],
    key: str,
    folder: Path | None,
    *,
    yes: bool,
    as_json: bool,
) -> bytes:
    """Judge a signing request that a server handed out, show it, and sign it here; return the answer.

    Args:
        request: untrusted bytes.
        meant: says whether it is about what was asked for.
        key: see :func:`role_signer`.
        folder: see :func:`role_signer`; its roots, if it has any, say which fleet is meant.
        yes: sign without asking.
        as_json: nothing is shown: ``yes`` has to be said.

    Raises:
        InputError: NOT_CONFIRMED, KEY_NOT_NAMED, KEY_NOT_IN_ROOT, WRONG_ROLE, or of opening the key.
        RefusedError: WRONG_SUBJECT, when it is about something else; WRONG_FLEET; of judging it.
    """
    judged = requests.judge(request)
    if not meant(judged):
        raise RefusedError(Reason.WRONG_SUBJECT, "the server handed out something else to be signed")
    fleet = _fleet(folder)
    if fleet not in {None, judged.fleet.hex()}:
        raise RefusedError(Reason.WRONG_FLEET, f"expected {fleet}, the server says {judged.fleet.hex()}")
    if not as_json:
        emit(as_json, {}, lambda out: print_judged(judged, fleet, out))
    signer = _named(folder, key)
    entry = judged.signer(signer.public)
    who = f"{entry.holder} ({', '.join(sorted(judged.roles() & set(entry.roles)))})"
    confirm(f"Sign these exact bytes as {who}, key {signer.public.thumbprint.hex()[:16]}?", yes=yes)
    return requests.sign(judged, signer)


def _fleet(folder: Path | None) -> str | None:
    """Return the fleet's digest as a workspace on this machine knows it; None where there is none."""
    if folder is None or not (folder / "tocsin.toml").is_file():
        return None
    own = Workspace.open(folder)
    return own.fleet().hex() if own.root_documents() else None
