"""The forgeries of the demo: what an attacker without the right keys can put on the broker.

Each is made once and kept in the workspace: a run that goes on after an interruption sends the very
same bytes, which a device that met them before recognises.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from advisories.notice import Notice
from gateway.files import write_atomic
from keys.document import peek, seal
from keys.signer import Signer, generate

FORGED_ID = "EX-2026-9001"
UNAPPROVED_ID = "EX-2026-9002"


def forged_notice(folder: Path, genuine: bytes, product: str) -> bytes:
    """A notice in the maker's name, signed with keys that no root lists."""

    def make() -> bytes:
        body = dataclasses.replace(
            peek(genuine, Notice), id=FORGED_ID, subject=(product,), affected={product: ()}
        )
        return seal(body, [generate(), generate(), generate()])

    return _once(folder / "forged-notice.cose", make)


def unapproved_notice(folder: Path, genuine: bytes, product: str, signers: list[Signer]) -> bytes:
    """A notice that Engineering and Communications signed, and Legal did not."""

    def make() -> bytes:
        body = dataclasses.replace(
            peek(genuine, Notice), id=UNAPPROVED_ID, subject=(product,), affected={product: ()}
        )
        return seal(body, signers)

    return _once(folder / "unapproved-notice.cose", make)


def _once(path: Path, make: Callable[[], bytes]) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, make())
    return path.read_bytes()
