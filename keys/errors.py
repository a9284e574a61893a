"""The tree of exceptions: a class per person who must act, a stable code per cause.

    TocsinError
     +- InputError        the operator typed or wrote something wrong        exit status 2
     +- RefusedError      a document is not what it claims to be             exit status 3
     +- UnavailableError  a part of the surroundings is missing or silent    exit status 4
     +- DamagedError      stored state is not whole                          exit status 5

Exit status 1 is left for "ran well, and the answer is no" (findings, a scenario not met).
Every message is one sentence; ``mend`` says what to do; ``where`` is ``file`` or ``file:line``.
Nothing secret may ever be put into an error.
"""

from __future__ import annotations

from typing import ClassVar, Final

from keys.reasons import Reason

_DETAIL_CHARACTERS_MAX: Final = 200


def _plain(detail: str) -> str:
    """Return one short printable line: a detail may quote what an attacker wrote."""
    line = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in detail[: _DETAIL_CHARACTERS_MAX + 1])
    return line if len(line) <= _DETAIL_CHARACTERS_MAX else line[:_DETAIL_CHARACTERS_MAX] + "..."


class TocsinError(Exception):
    """Base of everything that Tocsin raises on purpose."""

    exit_status: ClassVar[int] = 1

    def __init__(self, code: str, message: str, *, mend: str = "", where: str = "") -> None:
        """Keep the parts apart, so that a shell can print or serialise them."""
        super().__init__(message)
        self.code = code
        """Stable, upper-case, for scripts and for looking it up in the docs."""
        self.message = message
        self.mend = mend
        self.where = where

    def __str__(self) -> str:
        """One line: where, what, and how to mend it."""
        place = f"{self.where}: " if self.where else ""
        mend = f" {self.mend}" if self.mend else ""
        return f"{place}{self.message}{mend}"


class InputError(TocsinError):
    """The operator's input is wrong; nothing was written."""

    exit_status = 2


class RefusedError(TocsinError):
    """A document was refused; ``reason`` is what a device would report."""

    exit_status = 3

    def __init__(self, reason: Reason, detail: str = "", *, where: str = "") -> None:
        """``detail`` carries the values expected and got; it is cut and escaped for the reader's terminal."""
        detail = _plain(detail)
        message = f"Refused ({reason.name}): {reason.means}" + (f": {detail}" if detail else "") + "."
        super().__init__(reason.name, message, where=where)
        self.reason = reason
        self.detail = detail


class UnavailableError(TocsinError):
    """Something outside is not there: broker, port, file system."""

    exit_status = 4


class DamagedError(TocsinError):
    """Stored state cannot be read back as it was written."""

    exit_status = 5
