"""States and the transitions between them, as data: for devices, gateway, docs and C alike.

A track is what one device lives through with one advisory or one patch. Anything not in a table
is an illegal transition: the device core never makes one, the gateway keeps one as an anomaly.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class NoticeState(IntEnum):
    """How far one advisory has come on one device (QUEUED and SENT are the gateway's own)."""

    QUEUED = 0
    SENT = 1
    DELIVERED = 2
    VERIFIED = 3
    SHOWN = 4
    ACKNOWLEDGED = 5
    REJECTED = 6
    EXPIRED = 7
    SUPERSEDED = 8
    WITHDRAWN = 9
    NOT_APPLICABLE = 10


class PatchState(IntEnum):
    """How far one patch has come on one device."""

    QUEUED = 0
    OFFERED = 1
    WAITING_FOR_CONFIRMATION = 2
    DEFERRED = 3
    WAITING_FOR_WINDOW = 4
    DOWNLOADING = 5
    DOWNLOADED = 6
    VERIFIED = 7
    INSTALLING = 8
    INSTALLED = 9
    REBOOTING = 10
    TESTING = 11
    SUCCEEDED = 12
    ROLLED_BACK = 13
    FAILED = 14
    DECLINED = 15
    REJECTED = 16
    TIMED_OUT = 17
    CANCELING = 18
    CANCELED = 19
    CANCEL_REJECTED = 20
    ALREADY_INSTALLED = 21
    NOT_APPLICABLE = 22
    SUPERSEDED = 23
    REMOVED = 24


class Surface(IntEnum):
    """Where a notice was shown; an LED never counts as text shown."""

    NONE = 0
    SCREEN = 1
    CONSOLE = 2
    LED = 3
    COMPANION = 4


_N = NoticeState
NOTICE_ENDS = frozenset({_N.EXPIRED, _N.SUPERSEDED, _N.WITHDRAWN})
"""What may end the story of a notice from any open state."""

NOTICE_TRANSITIONS: Mapping[NoticeState, frozenset[NoticeState]] = {
    _N.QUEUED: frozenset({_N.SENT, _N.DELIVERED, _N.REJECTED}) | NOTICE_ENDS,
    _N.SENT: frozenset({_N.DELIVERED, _N.REJECTED}) | NOTICE_ENDS,
    _N.DELIVERED: frozenset({_N.VERIFIED, _N.REJECTED, _N.NOT_APPLICABLE}) | NOTICE_ENDS,
    _N.VERIFIED: frozenset({_N.SHOWN, _N.NOT_APPLICABLE}) | NOTICE_ENDS,
    _N.SHOWN: frozenset({_N.ACKNOWLEDGED, _N.NOT_APPLICABLE}) | NOTICE_ENDS,
    _N.ACKNOWLEDGED: frozenset({_N.NOT_APPLICABLE}) | NOTICE_ENDS,
    _N.NOT_APPLICABLE: frozenset({_N.VERIFIED}) | NOTICE_ENDS,
    _N.REJECTED: frozenset(),
    _N.EXPIRED: frozenset(),
    _N.SUPERSEDED: frozenset(),
    _N.WITHDRAWN: frozenset(),
}
"""From -> to. NOT_APPLICABLE -> VERIFIED: an affected version was installed afterwards."""

NOTICE_RESETS: Mapping[NoticeState, NoticeState] = {_N.SHOWN: _N.VERIFIED, _N.ACKNOWLEDGED: _N.VERIFIED}
"""What a factory reset takes back: the next owner has not been told. Legal only behind a journaled reset."""

_P = PatchState
PATCH_STOPS = frozenset({_P.CANCELING, _P.CANCELED, _P.SUPERSEDED, _P.TIMED_OUT, _P.FAILED, _P.REJECTED})
"""What may stop a patch at any time before it is being installed."""

PATCH_TRANSITIONS: Mapping[PatchState, frozenset[PatchState]] = {
    _P.QUEUED: frozenset({_P.OFFERED}) | PATCH_STOPS,
    _P.OFFERED: frozenset(
        {
            _P.WAITING_FOR_CONFIRMATION,
            _P.WAITING_FOR_WINDOW,
            _P.DOWNLOADING,
            _P.ALREADY_INSTALLED,
            _P.NOT_APPLICABLE,
        }
    )
    | PATCH_STOPS,
    _P.WAITING_FOR_CONFIRMATION: frozenset({_P.WAITING_FOR_WINDOW, _P.DOWNLOADING, _P.DEFERRED, _P.DECLINED})
    | PATCH_STOPS,
    _P.DEFERRED: frozenset({_P.WAITING_FOR_CONFIRMATION}) | PATCH_STOPS,
    _P.WAITING_FOR_WINDOW: frozenset({_P.DOWNLOADING}) | PATCH_STOPS,
    _P.DOWNLOADING: frozenset({_P.DOWNLOADED}) | PATCH_STOPS,
    _P.DOWNLOADED: frozenset({_P.VERIFIED, _P.DOWNLOADING}) | PATCH_STOPS,
    _P.VERIFIED: frozenset({_P.INSTALLING}) | PATCH_STOPS,
    _P.INSTALLING: frozenset({_P.INSTALLED, _P.FAILED, _P.CANCEL_REJECTED}),
    _P.INSTALLED: frozenset({_P.REBOOTING, _P.FAILED, _P.CANCEL_REJECTED}),
    _P.REBOOTING: frozenset({_P.TESTING, _P.ROLLED_BACK, _P.FAILED}),
    _P.TESTING: frozenset({_P.SUCCEEDED, _P.ROLLED_BACK}),
    _P.SUCCEEDED: frozenset({_P.REMOVED}),
    _P.ROLLED_BACK: frozenset({_P.OFFERED, _P.SUPERSEDED, _P.REMOVED}),
    _P.FAILED: frozenset({_P.OFFERED, _P.SUPERSEDED, _P.REMOVED}),
    _P.DECLINED: frozenset({_P.OFFERED, _P.SUPERSEDED, _P.REMOVED}),
    _P.TIMED_OUT: frozenset({_P.OFFERED, _P.SUPERSEDED, _P.REMOVED}),
    _P.CANCELING: frozenset({_P.CANCELED, _P.CANCEL_REJECTED}),
    _P.CANCELED: frozenset({_P.OFFERED, _P.SUPERSEDED, _P.REMOVED}),
    _P.CANCEL_REJECTED: frozenset({_P.INSTALLED, _P.REBOOTING, _P.FAILED}),
    _P.REJECTED: frozenset({_P.OFFERED, _P.SUPERSEDED, _P.REMOVED}),
    _P.ALREADY_INSTALLED: frozenset({_P.OFFERED, _P.SUPERSEDED, _P.REMOVED}),
    _P.NOT_APPLICABLE: frozenset({_P.OFFERED, _P.SUPERSEDED, _P.REMOVED}),
    _P.SUPERSEDED: frozenset({_P.OFFERED}),
    _P.REMOVED: frozenset(),
}
"""From -> to. From INSTALLING on there is no return until the new image has booted or been reverted;
an end leads on only by a new, higher offer."""

NOTICE_DONE = NOTICE_ENDS | {_N.REJECTED}
PATCH_FAILED = frozenset({_P.ROLLED_BACK, _P.FAILED, _P.REJECTED, _P.TIMED_OUT})
PATCH_ENDED = PATCH_FAILED | {
    _P.SUCCEEDED,
    _P.DECLINED,
    _P.CANCELED,
    _P.ALREADY_INSTALLED,
    _P.NOT_APPLICABLE,
    _P.SUPERSEDED,
    _P.REMOVED,
}
PATCH_ON_TRIAL = frozenset({_P.INSTALLED, _P.REBOOTING, _P.TESTING, _P.CANCEL_REJECTED})
"""The image that runs may be unconfirmed: what it can do may be gone after the next boot."""
PATCH_PROVEN = frozenset({_P.SUCCEEDED, _P.ALREADY_INSTALLED})
"""What a rollout gate may count as success: the measured version runs, confirmed."""
