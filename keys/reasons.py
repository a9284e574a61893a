"""Why a document was refused: stable numbers from ``reasons.toml``.

The data file is the source for this module, for C and for ``docs/reference/reasons.md``.
A reason travels in device reports, so its number never changes.
"""

from __future__ import annotations

import tomllib
from enum import IntEnum
from pathlib import Path
from typing import Any

_TABLE: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("reasons.toml").read_text(encoding="utf-8")
)


class Reason(IntEnum):
    """One refusal or failure reason; the value is its number on the wire."""

    OK = 0
    SUCCESS = 1
    NO_SPACE = 2
    OUT_OF_MEMORY = 3
    CONNECTION_LOST = 4
    DIGEST_MISMATCH = 5
    UNSUPPORTED = 6
    BAD_URI = 7
    UPDATE_FAILED = 8
    UNSUPPORTED_PROTOCOL = 9
    CANCELED = 10
    DEFERRED = 11
    MALFORMED = 20
    TOO_BIG = 21
    BAD_SIGNATURE = 22
    UNKNOWN_KEY = 23
    THRESHOLD_NOT_MET = 24
    NO_POLICY_ROW = 25
    EXPIRED = 26
    REPLAYED = 27
    EQUIVOCATION = 28
    WRONG_TYPE = 29
    WRONG_FLEET = 30
    WRONG_SUBJECT = 31
    ALGORITHM_MISMATCH = 32
    BAD_ROOT = 33
    ROOT_GAP = 34
    STALE = 35
    NOT_IN_CATALOGUE = 36
    DOWNGRADE_REFUSED = 37
    WRONG_MODEL = 38
    LOW_BATTERY = 39
    BUSY = 40
    NO_LANGUAGE = 41
    BOOT_NOT_CONFIRMED = 42
    DECLINED = 43
    NOT_AFFECTED = 44
    SUPERSEDED = 45
    UNKNOWN_DEVICE = 46
    WRONG_VERSION = 47
    WRONG_NONCE = 48
    DEADLINE_PASSED = 49
    LIMIT_REACHED = 50
    REVOKED = 51
    FONT_MISSING = 52
    SAME_WORDS = 53
    RESET = 54
    DISPLAY_FAILED = 55
    WRONG_BASE = 56
    OUT_OF_WINDOW = 57

    @property
    def means(self) -> str:
        """What happened, in one plain clause without a full stop."""
        return str(_TABLE[self.name]["means"])

    @property
    def who(self) -> str:
        """Who must act: nobody, owner, operator, engineer or attacker."""
        return str(_TABLE[self.name]["who"])


def table() -> dict[str, dict[str, Any]]:
    """Return the data file as it was read: name -> {number, who, means}."""
    return _TABLE
