"""Whose key signs: one of the workspace, or one on this machine where a command works through a server.

A server hands out what is to be signed and takes the signature; it never sees a private key. Nothing that
it hands out is signed unseen: it is judged like any other signing request, shown, and asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import ask_passphrase, confirm, console, say
from gateway.cli.own import own_key
from gateway.cli.sign_request import print_judged
from gateway.operations import afar
from gateway.operations.trust import public, requests
from gateway.operations.trust.choosing import signer_for
from gateway.operations.trust.requests import Judged
from gateway.workspace.folder import Workspace
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.signer import Signer

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
        folder: as :func:`gateway.cli.own.own_key` takes it, where that is a server.
        role: e.g. ``operator``.
        key: its name; or, through a server, where it lies.

    Raises:
        InputError: NO_KEY_HERE, NO_KEY_FOR_ROLE, WHICH_KEY, or of opening the key.
        RefusedError: WRONG_FLEET.
    """
    if not isinstance(opened, afar.Server):
        return signer_for(opened, role, ask_passphrase, key)
    own = own_key(key, folder, role=role)
    own.require_fleet(public.fleet(opened))
    return own.signer


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
        folder: see :func:`role_signer`.
        yes: sign without asking.
        as_json: nothing is shown: ``yes`` has to be said.

    Raises:
        InputError: NOT_CONFIRMED, NO_KEY_HERE, KEY_NOT_IN_ROOT, WRONG_ROLE, or of opening the key.
        RefusedError: WRONG_SUBJECT, when it is about something else; WRONG_FLEET; of judging it.
    """
    judged = requests.judge(request)
    if not meant(judged):
        raise RefusedError(Reason.WRONG_SUBJECT, "the server handed out something else to be signed")
    own = own_key(key, folder)
    own.require_fleet(judged.fleet)
    entry = judged.signer(own.signer.public, own.name)
    if not as_json:
        print_judged(judged, None if own.fleet is None else own.fleet.hex(), console())
    who = f"{entry.holder} ({', '.join(sorted(judged.roles() & set(entry.roles)))})"
    confirm(f"Sign these exact bytes as {who}, key {own.signer.public.thumbprint.hex()[:16]}?", yes=yes)
    return requests.sign(judged, own.signer)
