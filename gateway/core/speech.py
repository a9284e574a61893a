"""What the gateway says to one device: the bodies of answers and offers. Pure; the runtime signs them."""

from __future__ import annotations

from typing import Final

from advisories.offer import Answer, Consent, Offer
from gateway.core.publication import next_version

ANSWER_SECONDS: Final = 600  # an answer's lifetime: minutes
OFFER_SECONDS_MIN: Final = 60  # an offer, or its taking back, lives at least this long


def build_answer(
    fleet: bytes,
    device: str,
    nonce: bytes,
    *,
    receipt: tuple[int, int] | None,
    journal_count: int,
    next_nonce: bytes,
    last: int | None,
    now: float,
) -> Answer:
    """Return the receipt for everything committed of a device.

    Args:
        fleet: digest of root 1.
        device: to whom.
        nonce: the device's own, 16 bytes, from the message that is answered.
        receipt: (boot epoch, sequence) of its newest committed report, None when there is none.
        journal_count: journal entries committed.
        next_nonce: 16 bytes to be carried by its next report.
        last: version of the answer before.
        now: UTC seconds; it becomes the signed time.
    """
    return Answer(
        type=Answer.TYPE,
        fleet=fleet,
        subject=(device,),
        version=next_version(last, now),
        issued=int(now),
        expires=int(now) + ANSWER_SECONDS,
        nonce=nonce,
        receipt=receipt,
        journal_count=journal_count,
        next_nonce=next_nonce,
    )


def build_offer(
    fleet: bytes,
    device: str,
    product: str,
    patch: tuple[int, bytes],
    *,
    catalogue_version: int,
    deadline: int,
    window: tuple[int, int] | None,
    ask: bool,
    cancel: bool,
    last: int | None,
    now: float,
) -> Offer:
    """Return the offer of a patch to one device, or the higher offer that takes it back.

    Args:
        fleet: digest of root 1.
        device: to whom.
        product: whose patch.
        patch: (sequence number, manifest digest).
        catalogue_version: of the current catalogue, which names the patch.
        deadline: UTC seconds by which an install must have begun.
        window: UTC seconds from and to between which it may install, None for any time.
        ask: True asks the owner even where the owner agreed beforehand.
        cancel: True takes the offer back.
        last: version of the newest offer to this device.
        now: UTC seconds.
    """
    return Offer(
        type=Offer.TYPE,
        fleet=fleet,
        subject=(device,),
        version=next_version(last, now),
        issued=int(now),
        expires=max(deadline, int(now) + OFFER_SECONDS_MIN),
        product=product,
        sequence=patch[0],
        digest=patch[1],
        catalogue_version=catalogue_version,
        deadline=deadline,
        window=window,
        consent=Consent.ASK if ask else Consent.AS_OWNER_SET,
        cancel=cancel,
    )
