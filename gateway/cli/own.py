"""Working through a server with what is on this machine: keys sign here, files are read and written here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.cli import server
from gateway.cli.output import ask_passphrase
from gateway.operations.trust.choosing import signer_for
from gateway.workspace.folder import Workspace
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.signer import Signer, open_signer

_SCHEMES: Final = ("file:", "env:", "pkcs11:")


def is_afar() -> bool:
    """Say whether this command works through a server."""
    return server.named() is not None


def require_here(opened: Workspace) -> Workspace:
    """Return the workspace, unless it is a server (InputError: NOT_REMOTE)."""
    if is_afar():
        raise server.not_remote()
    return opened


def place_of(path: Path) -> str:
    """Return what messages call a file of this machine: a server is told its name only."""
    return path.name if is_afar() else str(path)


def written_at(opened: Workspace, path: str) -> Path:
    """Return what people are told of a file that was written in the workspace: afar, its place there."""
    return Path(path) if is_afar() else opened.path / path


@dataclass(frozen=True, slots=True)
class Own:
    """A key on this machine, for what a server hands out to be signed."""

    name: str
    """As it was typed."""
    signer: Signer
    fleet: bytes | None
    """Of this machine's own workspace, which the signer trusts; None: nothing here says which fleet it is."""

    def require_fleet(self, fleet: bytes) -> None:
        """Refuse to sign for another fleet than that of this machine's own workspace.

        Raises:
            RefusedError: WRONG_FLEET.
        """
        if self.fleet is not None and self.fleet != fleet:
            detail = f"expected {self.fleet.hex()}, the server hands out {fleet.hex()}"
            raise RefusedError(Reason.WRONG_FLEET, detail)


def own_key(key: str | None, folder: Path | None, *, role: str | None = None) -> Own:
    """Open a key of this machine.

    Args:
        key: a key URI, or a name in the keys.toml of this machine's own workspace; None: the only one of
            ``role``.
        folder: that workspace, as ``--workspace`` names it; None: the current folder.
        role: which the key must have by keys.toml; None: the server judges that.

    Raises:
        InputError: NO_KEY_HERE, where no workspace lists it; or of opening the key.
    """
    if key is not None and key.startswith(_SCHEMES):
        return Own(key, open_signer(key, ask_passphrase), None)
    path = folder or Path()
    if not (path / "tocsin.toml").is_file():
        raise InputError(
            "NO_KEY_HERE",
            "What is signed is signed on this machine, and no workspace of yours here lists that key.",
            mend="Say --key file:PATH or --key pkcs11:..., or name your own workspace with --workspace.",
            where=str(path),
        )
    own = Workspace.open(path)
    fleet = own.fleet() if own.newest_root() is not None else None
    if role is not None or key is None:
        return Own(key or "", signer_for(own, role or "", ask_passphrase, key), fleet)
    return Own(key, own.signer(key, ask_passphrase), fleet)
