"""The eight bytes before every SMP message, as far as a bystander on the line must know them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from advisories.smp import COMMANDS, NOTIFIER_GROUP, Command

HEADER_BYTES: Final = 8
_LAYOUT: Final = struct.Struct(">BBHHBB")  # op and version, flags, length, group, sequence, command
_OP: Final = 0b111
_ANSWER: Final = 0b001
_WRITE: Final = 0b010
_BY_NUMBER: Final = {(one.group, one.id, one.write): one for one in COMMANDS.values()}


@dataclass(frozen=True, slots=True)
class Header:
    """What a message is about; its body is not looked at."""

    write: bool
    answer: bool
    version: int
    length: int
    """Bytes of the body, as the message claims."""
    group: int
    sequence: int
    id: int

    @staticmethod
    def peek(message: bytes) -> Header | None:
        """Read the first eight bytes; None where there are fewer."""
        if len(message) < HEADER_BYTES:
            return None
        op, _, length, group, sequence, id_ = _LAYOUT.unpack_from(message)
        return Header(
            write=bool(op & _WRITE),
            answer=bool(op & _OP & _ANSWER),
            version=(op >> 3) & 0b11,
            length=length,
            group=group,
            sequence=sequence,
            id=id_,
        )

    def command(self, group: int = NOTIFIER_GROUP) -> Command | None:
        """Return the command that it belongs to; None where the table has none.

        Args:
            group: the number of the notifier group in this firmware.
        """
        number = self.group
        if number == group:
            number = NOTIFIER_GROUP
        elif number == NOTIFIER_GROUP:
            return None
        return _BY_NUMBER.get((number, self.id, self.write))

    def name(self, group: int = NOTIFIER_GROUP) -> str:
        """Return the command's name; for one that is not in the table its numbers, as in ``8/0 write``."""
        known = self.command(group)
        return known.name if known else f"{self.group}/{self.id} {'write' if self.write else 'read'}"
