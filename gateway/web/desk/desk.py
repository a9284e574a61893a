"""What the page needs of a desk, whether there is a workspace on this machine or only a signing request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from advisories.packet import Packet


@dataclass(frozen=True, slots=True)
class Line:
    """One advisory in the list."""

    advisory: str
    title: str
    state: str
    tone: str
    """calm, good, warn or grave."""
    waits: bool = False
    """It awaits this approver."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an approver typed."""

    digest: str
    """64 hexadecimal digits: what the page showed."""
    comment: str = ""
    condition: str = ""
    act: str = ""
    """approve, reject, comment or back: the form in which it was typed."""


class Desk(Protocol):
    """One approver's desk."""

    @property
    def who(self) -> str:
        """The approver's name, as far as it is known before the key is open."""
        ...

    @property
    def role(self) -> str:
        """The role in which answers are given."""
        ...

    @property
    def secret(self) -> str:
        """What opens the key: passphrase or PIN; empty where nothing does."""
        ...

    @property
    def carried(self) -> bool:
        """Say whether answers are files that somebody carries back."""
        ...

    def lines(self) -> list[Line]:
        """Return the list, what awaits this approver first."""
        ...

    def show(self, advisory: str) -> Packet:
        """Return what has to be judged.

        Raises:
            TocsinError: whatever keeps it from being shown.
        """
        ...

    def output(self, advisory: str, digest: str, name: str) -> bytes | None:
        """Return an output of what was shown under a digest."""
        ...

    def approve(self, advisory: str, answer: Answer, secret: bytes) -> str:
        """Sign exactly what was shown, and say what happened.

        Raises:
            TocsinError: CHANGED_MEANWHILE, KEY_PASSPHRASE, or any other reason why nothing was signed.
        """
        ...

    def reject(self, advisory: str, answer: Answer) -> str:
        """Record a rejection of exactly what was shown, and say what happened."""
        ...

    def remark(self, advisory: str, answer: Answer) -> str:
        """Record a comment on exactly what was shown, and say what happened."""
        ...

    def take_back(self, advisory: str, answer: Answer) -> str:
        """Take this approver's own rejection back, and say what happened."""
        ...
