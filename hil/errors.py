"""What can go wrong on a bench, by who must look: the person at the bench, or the firmware's maker.

TocsinError
 +- InputError       board file, option or argument              exit status 2
 +- BenchError       cable, port, lock, power: the bench          exit status 3
 +- SmpRefused       the board answered with an error             exit status 1
 +- SmpFailure       no answer that could be used                 exit status 1
     +- Timeout          no answer in time, yet the board is alive
     +- DeviceHung       the port is there, and nothing answers
     +- DeviceGone       the port went away
     +- DeviceRebooted   the board started anew in the middle of it
"""

from __future__ import annotations

from typing import ClassVar

from keys.errors import TocsinError


class BenchError(TocsinError):
    """The bench cannot do its part; nothing is said about the firmware."""

    exit_status: ClassVar[int] = 3


class SmpRefused(TocsinError):  # noqa: N818 - the outcome's name, as engineers say it
    """The board answered a request with an error of its own.

    Attributes:
        group: SMP group of the code; None where the answer was of version 1 and names none.
        rc: the code.
    """

    def __init__(self, code: str, message: str, *, group: int | None, rc: int, mend: str = "") -> None:
        super().__init__(code, message, mend=mend)
        self.group = group
        self.rc = rc


class SmpFailure(TocsinError):  # noqa: N818 - base of the four outcomes
    """A request got no answer that could be used.

    Attributes:
        last_frame: the last whole message seen from the board before it was given up; empty if none.
    """

    def __init__(self, message: str, *, last_frame: bytes = b"", mend: str = "", where: str = "") -> None:
        super().__init__(self.CODE, message, mend=mend, where=where)
        self.last_frame = last_frame

    CODE: ClassVar[str] = "SMP_FAILURE"


class Timeout(SmpFailure):
    """No answer in time, although the board answers a probe: a loss, or it is late."""

    CODE = "SMP_TIMEOUT"


class DeviceHung(SmpFailure):
    """The port is there, and nothing answers on it."""

    CODE = "DEVICE_HUNG"


class DeviceGone(SmpFailure):
    """The port went away: unplugged, powered off, or its process has ended."""

    CODE = "DEVICE_GONE"


class DeviceRebooted(SmpFailure):
    """The board started anew while the request was under way."""

    CODE = "DEVICE_REBOOTED"
