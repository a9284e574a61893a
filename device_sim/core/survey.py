"""Reads back what every bank holds, one after the other, and says whether it is what belongs there.

A component that the patch did not bring is copied from the bank that runs: a bank is always whole.
"""

from __future__ import annotations

from device_sim.core import effects as do
from device_sim.core.measure import Measurement
from device_sim.core.plan import Bank
from device_sim.core.session import Session
from keys.reasons import Reason

Found = dict[int, Measurement]
"""Component -> what its bank holds."""


class Survey:
    """One survey at a time; it lives in one boot."""

    __slots__ = (
        "_asked",
        "_banks",
        "_copied",
        "_failed",
        "_found",
        "_key",
        "_repairs",
        "_runs",
        "_session",
        "_slot",
    )

    def __init__(self, session: Session) -> None:
        self._session = session
        self._key: object = None
        self._banks: list[Bank] = []
        self._slot = 0
        self._repairs = False
        self._runs: Measurement | None = None
        """What runs of the component that is looked at, where that decides."""
        self._copied = False
        self._asked: tuple[int, int] | None = None
        """Slot and component that are being read."""
        self._found: Found = {}
        self._failed = False

    def forget(self) -> None:
        """Let go of what is under way."""
        self._key = self._asked = None

    def step(
        self, key: object, slot: int, banks: tuple[Bank, ...], *, repairs: bool = False
    ) -> Found | Reason | None:
        """Go on; None while flash is being read, DIGEST_MISMATCH when a bank holds something else.

        Args:
            key: which survey this is: another one begins anew.
            slot: number of the bank of all components.
            banks: what has to be where.
            repairs: copy what belongs to what runs, where it is not there.
        """
        if self._key != key:
            self._key, self._slot, self._banks, self._repairs = key, slot, list(banks), repairs
            self._found, self._failed, self._asked = {}, False, None
            self._next()
        if self._failed:
            return Reason.DIGEST_MISMATCH
        if self._banks:
            return None
        return self._found

    def measured(self, slot: int, component: int, found: Measurement) -> bool:
        """Take what was read; False where this survey did not ask for it."""
        if self._key is None or self._asked != (slot, component):
            return False
        self._asked = None
        bank = self._banks[0]
        if bank.digest is None and self._runs is None:
            self._runs = found
            self._ask(self._slot, component, self._session.profile.slot_bytes)
        elif self._fits(bank, found):
            self._found[component] = found
            self._banks.pop(0)
            self._next()
        elif bank.digest is None and self._repairs and not self._copied:
            self._copy(component)
        else:
            self._failed = True
        return True

    def _next(self) -> None:
        self._runs, self._copied = None, False
        if self._banks:
            bank, session = self._banks[0], self._session
            if bank.digest is None:
                self._ask(session.slot, bank.component, session.profile.slot_bytes)
            else:
                self._ask(self._slot, bank.component, _room(bank, session))

    def _fits(self, bank: Bank, found: Measurement) -> bool:
        if bank.digest is not None:
            return found.digest == bank.digest and bank.size in {None, found.size}
        assert self._runs is not None
        return (found.size, found.digest) == (self._runs.size, self._runs.digest)

    def _copy(self, component: int) -> None:
        session, runs = self._session, self._runs
        assert runs is not None
        self._copied = True
        session.emit(do.EraseSlot(self._slot, component))
        if runs.size:
            session.emit(do.CopySlot(session.slot, component, self._slot, component, runs.size))
        self._ask(self._slot, component, session.profile.slot_bytes)

    def _ask(self, slot: int, component: int, size: int) -> None:
        self._asked = (slot, component)
        self._session.emit(do.MeasureSlot(slot, size, component))


def _room(bank: Bank, session: Session) -> int:
    """Return how many bytes are read: those that belong there, or all that there is room for."""
    return bank.size if bank.size is not None else session.profile.slot_bytes
