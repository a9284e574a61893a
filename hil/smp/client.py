"""The client of a board: requests, typed verbs, and whether it is ready."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from advisories import smp
from advisories.smp import Command, Rc, Retry
from hil.errors import DeviceGone, DeviceHung, SmpRefused, Timeout
from hil.smp.exchange import FRAME_BYTES, Channel, Exchange, Operation
from hil.smp.groups import ImgGroup, OsGroup, StatGroup
from hil.smp.message import MalformedAnswer
from hil.smp.notifier import NotifierGroup

__all__ = ["Channel", "SmpClient", "supports"]

READY_EVERY_S: Final = 0.3
"""A board that boots is asked again after so long: what comes before it is ready is lost."""
_UNKNOWN: Final = frozenset({Rc.ENOTSUP, Rc.ENOENT})
_BUFFER_MIN: Final = 64


class SmpClient(Exchange):
    """Speaks SMP with one board over a channel (arguments of `Exchange`)."""

    @cached_property
    def os(self) -> OsGroup:
        """Operating system."""
        return OsGroup(self)

    @cached_property
    def img(self) -> ImgGroup:
        """Images."""
        return ImgGroup(self)

    @cached_property
    def stat(self) -> StatGroup:
        """Statistics."""
        return StatGroup(self)

    @cached_property
    def notifier(self) -> NotifierGroup:
        """Tocsin's own group."""
        return NotifierGroup(self)

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until the board answers an echo.

        Raises:
            DeviceHung: it did not, within ``timeout_s``.
            DeviceGone: the port went away.
        """
        operation = Operation(self, smp.OS_ECHO)
        end = self.clock() + timeout_s
        asked: set[int] = set()
        try:
            while True:
                asked.add(operation.send({"d": "ready?"}))
                until = min(end, self.clock() + READY_EVERY_S)
                if self._echoed(asked, until):
                    return
                if self.clock() >= end:
                    break
        except DeviceGone as error:
            raise operation.gone(error) from None
        raise DeviceHung(
            f"The board was not ready after {timeout_s:g} s: it was asked {operation.sent} times.",
            last_frame=self.last_frame,
            mend="Look at the console, the baud rate and the board's power.",
        )

    def _echoed(self, asked: set[int], until: float) -> bool:
        """Say whether an echo comes until then; what is no answer is waited past, and not asked anew for."""
        while True:
            try:
                return self.receive(smp.OS_ECHO, asked, until) is not None
            except MalformedAnswer:
                if self.clock() >= until:
                    return False

    def learn_buffer(self) -> int:
        """Ask the board for the size of its buffer, take it over, and return the one in use.

        A board that does not say, as many, leaves it as it is.

        Raises:
            Timeout, DeviceHung, DeviceGone, DeviceRebooted: as a request.
        """
        try:
            size = self.os.parameters().buf_size
        except (SmpRefused, MalformedAnswer):
            return self.buffer_bytes
        if size >= _BUFFER_MIN:
            self.buffer_bytes = min(size, 0xFFFF + FRAME_BYTES)
        return self.buffer_bytes


def supports(client: SmpClient, command: Command) -> bool:
    """Say whether the board knows a command; nothing is written for it.

    A command of the notifier group is known if the device lists it; one that only reads, if asking is not
    refused as unknown; any other, if its group is there. Silence to a request, where an echo is answered,
    counts as not knowing it.

    Raises:
        DeviceHung, DeviceGone, DeviceRebooted: as a request.
    """
    try:
        if command.group == smp.NOTIFIER_GROUP:
            caps = client.notifier.info().caps
            return command is smp.NOTIFIER_INFO or command.name.partition(".")[2] in caps
        harmless = command.retry is Retry.READ and command is not smp.STAT_SHOW
        asked = command if harmless else _OF_GROUP[command.group]
        client.request(asked, {name: "" for name, kind in asked.request.items() if not kind.endswith("?")})
    except SmpRefused as error:
        return error.rc not in _UNKNOWN or not client.shares(error.group)
    except Timeout:
        return False
    except MalformedAnswer:
        return True
    return True


_OF_GROUP: Final = {0: smp.OS_ECHO, 1: smp.IMG_STATE, 2: smp.STAT_LIST}
