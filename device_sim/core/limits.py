"""Limits and times of the device core, with units."""

from __future__ import annotations

from typing import Final

STATE_BYTES_MAX: Final = 2_097_152  # stored state with everything in it at its largest; normally a few KiB
NOTICE_TRACKS_MAX: Final = 32  # advisories remembered on one device
PATCH_TRACKS_MAX: Final = 8  # patches remembered on one device
OPERATIONS_MAX: Final = 64  # operations of one manifest, with those of alternatives that failed
COMPONENTS_MAX: Final = 16  # components of one device
JOURNAL_MAX: Final = 512  # entries kept until a receipt covers them
JOURNAL_REFUSALS_MAX: Final = 384  # above this, refusals are no longer journaled, transitions still are
REFUSALS_PER_BOOT_MAX: Final = 32  # refused documents journaled in one boot

CLOCK_BACK_SECONDS: Final = 2.0  # a clock that goes back by more was set, and what waits is due anew

WAITING_PIECES_MAX: Final = 16  # texts that wait for their header
WAITING_SECONDS: Final = 10.0  # before a text that fits no header counts as wrong
HELD_DOCUMENTS_MAX: Final = 8  # documents that wait for a newer root
REMEMBERED_MAX: Final = 256  # digests of documents that need no second look

FETCH_SECONDS: Final = 3.0  # a retained message comes within this time, or is not there
PROBE_SECONDS: Final = 60.0  # how long "there is no newer root" is believed
WANT_GRACE_SECONDS: Final = 2.0  # what is missing may be under way
RETRY_SECONDS_MIN: Final = 10.0  # first pause before asking again; doubles
RETRY_SECONDS_MAX: Final = 300.0

DISPLAY_SECONDS_MIN: Final = 60.0  # first pause before a notice is drawn again that could not be; doubles
DISPLAY_SECONDS_MAX: Final = 3_600.0

SENSING_SECONDS: Final = 1.0  # after a boot, for the shell to say how battery and work are
HOLD_SECONDS: Final = 60.0  # why an install is held up is another reason at most so often
FINAL_SECONDS: Final = 21_600  # before it is too late, or the last quarter: a patch can be put off no more

BLOCK_SECONDS: Final = 3.0  # without a block, the window is asked for again
BLOCK_SECONDS_MAX: Final = 60.0  # the pause doubles up to this
CHECKPOINT_BYTES: Final = 262_144  # of a payload, between two that are remembered as certainly here
CHECKPOINT_BYTES_MAX: Final = 8_388_608  # the same, where they come faster than once in CHECKPOINT_SECONDS
CHECKPOINT_SECONDS: Final = 1.0
TRANSFER_SECONDS_MIN: Final = 2.0  # first pause after a transfer broke off; doubles
TRANSFER_SECONDS_MAX: Final = 300.0
SLOW_SECONDS: Final = 60.0  # a transfer that brings less than SLOW_BYTES in this time counts as lost
SLOW_BYTES: Final = 8_192
ATTEMPT_SECONDS: Final = 2.0  # pause before what did not match is brought again; doubles
INSTALLER_SECONDS_MIN: Final = 10.0  # first pause before a busy installer is asked again; doubles
INSTALLER_SECONDS_MAX: Final = 3_600.0
REVERTS_MAX: Final = 3  # boots in which an installer is asked to go back
PROGRESS_SECONDS: Final = 15.0  # between two reports of how far a download has come
DOWNLOAD_ATTEMPTS_MAX: Final = 3  # whole downloads that did not match, before FAILED

REPORT_SECONDS_MIN: Final = 0.2  # between two reports of changes
RECEIPT_SECONDS_MIN: Final = 5.0  # before a report without a receipt is repeated; doubles
RECEIPT_SECONDS_MAX: Final = 300.0
NONCES_MAX: Final = 4  # of the last reports, and of the last wants, that an answer may name
