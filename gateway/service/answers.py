"""Answers to devices, signed with the gateway's key; made only from what is committed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.core.speech import build_answer
from gateway.service.ingest import Receipt
from keys.document import seal
from keys.signer import Signer

_DEVICES_MAX: Final = 20_000  # whose last answer is remembered


class Answers:
    """Signs answers; remembers each device's last version so that the next is higher.

    Versions begin with the second after the start, so a restart within one second does not repeat one.
    """

    def __init__(self, fleet: bytes, signer: Signer, clock: Callable[[], float]) -> None:
        self._fleet, self._signer, self._clock = fleet, signer, clock
        self._start = int(clock())
        self._last: OrderedDict[str, tuple[int, bytes]] = OrderedDict()

    def receipt(self, receipt: Receipt) -> bytes:
        """Return the answer to a committed report."""
        return self.say(
            receipt.device,
            receipt.nonce,
            receipt=receipt.order,
            journal_count=receipt.journal_count,
            next_nonce=receipt.next_nonce,
        )

    def say(
        self,
        device: str,
        nonce: bytes,
        *,
        receipt: tuple[int, int] | None,
        journal_count: int,
        next_nonce: bytes,
    ) -> bytes:
        """Return an answer document; see :func:`gateway.core.speech.build_answer`."""
        body = build_answer(
            self._fleet,
            device,
            nonce,
            receipt=receipt,
            journal_count=journal_count,
            next_nonce=next_nonce,
            last=self._last.pop(device, (self._start, b""))[0],
            now=self._clock(),
        )
        document = seal(body, [self._signer])
        self._last[device] = (body.version, document)
        if len(self._last) > _DEVICES_MAX:
            self._last.popitem(last=False)
        return document

    def latest(self, device: str) -> bytes | None:
        """Return the last answer to a device, for one that polls; None when it is not remembered."""
        return self._last.get(device, (0, None))[1]
