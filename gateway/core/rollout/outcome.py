"""How one device stands in one rollout, and what failed where: tables over patch states and reasons. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from advisories.states import PATCH_FAILED, PATCH_PROVEN, PatchState
from keys.reasons import Reason


class Outcome(IntEnum):
    """How a device of a rollout stands, as gates, cells and people count it; numbers never change."""

    PLANNED = 0
    """Its turn has not come."""
    OFFERED = 1
    """Offered, and nothing was heard since."""
    WAITING = 2
    """Waits for its owner or a window."""
    UNDER_WAY = 3
    """Being brought, installed or tested; also success that was claimed and not measured."""
    FAILING = 4
    """Failed since the offer, and is to be tried again or to be judged."""
    PROVEN = 6
    """Runs the patch's version: confirmed after its boot, and measured."""
    DECLINED = 7
    """Its owner said no."""
    NOT_APPLICABLE = 8
    LEFT = 9
    """Went over to another patch, or its offer was taken back."""
    SILENT = 10
    """Nothing was heard for longer than the plan allows; a later word ends that."""
    REVOKED = 11
    """Its record was revoked since: no gate waits for it."""
    NO_RECORD = 12
    """Left out when its turn came, here and in the next two: its record was not valid any more."""
    MOVED = 13
    """It belonged to another product."""
    OVERTAKEN = 14
    """It had a later offer, of another patch."""
    FAILED_DOWNLOAD = 20
    """Failed for good, here and below."""
    FAILED_VERIFY = 21
    FAILED_INSTALL = 22
    FAILED_BOOT = 23
    FAILED_TIME = 24
    FAILED_OTHER = 25


class Failure(StrEnum):
    """What a device failed at: gates and retries may tell them apart."""

    DOWNLOAD = "download"
    VERIFY = "verify"
    INSTALL = "install"
    BOOT = "boot"
    TIME = "time"
    OTHER = "other"


FAILED_AS: Final[Mapping[Failure, Outcome]] = {
    Failure.DOWNLOAD: Outcome.FAILED_DOWNLOAD,
    Failure.VERIFY: Outcome.FAILED_VERIFY,
    Failure.INSTALL: Outcome.FAILED_INSTALL,
    Failure.BOOT: Outcome.FAILED_BOOT,
    Failure.TIME: Outcome.FAILED_TIME,
    Failure.OTHER: Outcome.FAILED_OTHER,
}
FAILED: Final = frozenset(FAILED_AS.values())


class LeftOut(StrEnum):
    """Why a device gets no offer when its turn comes, and none later."""

    RECORD = "record"
    PRODUCT = "product"
    OVERTAKEN = "overtaken"


LEFT_OUT_AS: Final[Mapping[LeftOut, Outcome]] = {
    LeftOut.RECORD: Outcome.NO_RECORD,
    LeftOut.PRODUCT: Outcome.MOVED,
    LeftOut.OVERTAKEN: Outcome.OVERTAKEN,
}
LEFT_OUT: Final = frozenset(LEFT_OUT_AS.values())
ASIDE: Final = frozenset({Outcome.NOT_APPLICABLE, Outcome.LEFT}) | LEFT_OUT
"""Done, and counted for neither side."""
ENDED: Final = FAILED | ASIDE | {Outcome.PROVEN, Outcome.DECLINED}
OPEN: Final = frozenset({Outcome.OFFERED, Outcome.WAITING, Outcome.UNDER_WAY, Outcome.SILENT})
"""Has an offer and may still act on it."""

BY_STATE: Final[Mapping[PatchState, Failure]] = {
    PatchState.ROLLED_BACK: Failure.BOOT,
    PatchState.TIMED_OUT: Failure.TIME,
}
"""States that say by themselves what failed; for the others the reason does."""

BY_REASON: Final[Mapping[Reason, Failure]] = {
    Reason.OUT_OF_MEMORY: Failure.DOWNLOAD,
    Reason.CONNECTION_LOST: Failure.DOWNLOAD,
    Reason.BAD_URI: Failure.DOWNLOAD,
    Reason.UNSUPPORTED_PROTOCOL: Failure.DOWNLOAD,
    Reason.LIMIT_REACHED: Failure.DOWNLOAD,
    Reason.DIGEST_MISMATCH: Failure.VERIFY,
    Reason.MALFORMED: Failure.VERIFY,
    Reason.TOO_BIG: Failure.VERIFY,
    Reason.BAD_SIGNATURE: Failure.VERIFY,
    Reason.UNKNOWN_KEY: Failure.VERIFY,
    Reason.THRESHOLD_NOT_MET: Failure.VERIFY,
    Reason.EXPIRED: Failure.VERIFY,
    Reason.ALGORITHM_MISMATCH: Failure.VERIFY,
    Reason.NOT_IN_CATALOGUE: Failure.VERIFY,
    Reason.DOWNGRADE_REFUSED: Failure.VERIFY,
    Reason.WRONG_MODEL: Failure.VERIFY,
    Reason.NO_SPACE: Failure.INSTALL,
    Reason.UPDATE_FAILED: Failure.INSTALL,
    Reason.LOW_BATTERY: Failure.INSTALL,
    Reason.BUSY: Failure.INSTALL,
    Reason.WRONG_BASE: Failure.INSTALL,
    Reason.BOOT_NOT_CONFIRMED: Failure.BOOT,
    Reason.WRONG_VERSION: Failure.BOOT,
    Reason.DEADLINE_PASSED: Failure.TIME,
    Reason.OUT_OF_WINDOW: Failure.TIME,
}
"""What is not here is OTHER."""

BY_END: Final[Mapping[PatchState, Outcome]] = {
    PatchState.DECLINED: Outcome.DECLINED,
    PatchState.NOT_APPLICABLE: Outcome.NOT_APPLICABLE,
    PatchState.CANCELED: Outcome.LEFT,
    PatchState.SUPERSEDED: Outcome.LEFT,
    PatchState.REMOVED: Outcome.LEFT,
}
"""Ends that are neither success nor failure."""

WAITS: Final = frozenset(
    {PatchState.WAITING_FOR_CONFIRMATION, PatchState.DEFERRED, PatchState.WAITING_FOR_WINDOW}
)


def failure(state: PatchState, reason: Reason) -> Failure:
    """Say what a failed patch failed at."""
    return BY_STATE.get(state) or BY_REASON.get(reason, Failure.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the store knows of one device of a rollout; times are UTC seconds by the gateway's clock."""

    offered: float | None = None
    """When its newest offer was made."""
    cancelled: float | None = None
    """When that was taken back."""
    failed: float | None = None
    """When its failure was judged final."""
    silent: float | None = None
    """When it was found to have said nothing for too long."""
    left_out: Outcome | None = None
    """As what it was left out when its turn came."""
    state: PatchState | None = None
    """Of the patch, by its newest report."""
    reason: Reason = Reason.OK
    changed: float | None = None
    """When a report last changed that state."""
    measured: bool = True
    """Whether the version that it reports to run is the patch's."""
    newer: bool = False
    """Whether a newer patch is proven on it."""
    revoked: bool = False
    over: bool = False
    """Whether the rollout is: then nothing is tried again."""


def outcome(row: Row) -> Outcome:
    """Say how a device stands. The first rule that fits decides; the store has the same ones in SQL.

    What was reported before the offer does not count, but a proven version does.
    """
    if row.revoked:
        return Outcome.REVOKED
    if row.state in PATCH_PROVEN:
        return Outcome.PROVEN if row.measured else Outcome.LEFT if row.newer else Outcome.UNDER_WAY
    if row.left_out is not None or row.offered is None:
        return Outcome.PLANNED if row.left_out is None else row.left_out
    if row.state is None or row.changed is None or row.changed <= row.offered:
        if row.cancelled is not None:
            return Outcome.LEFT
        return Outcome.SILENT if row.silent is not None else Outcome.OFFERED
    return _since_the_offer(row, row.state, row.changed)


def _since_the_offer(row: Row, state: PatchState, changed: float) -> Outcome:
    if state in PATCH_FAILED:
        final = row.failed is not None or row.over
        return FAILED_AS[failure(state, row.reason)] if final else Outcome.FAILING
    if state in BY_END:
        return BY_END[state]
    if row.silent is not None and row.silent >= changed:
        return Outcome.SILENT
    return Outcome.WAITING if state in WAITS else Outcome.UNDER_WAY
