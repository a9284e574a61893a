"""Images for sweeps, and how long a board may take."""

from __future__ import annotations

from advisories import mcuboot

OLD_FILE = mcuboot.pack(b"old" * 300, (1, 0, 0, 0))
NEW_FILE = mcuboot.pack(b"new" * 300, (1, 0, 1, 0))
WAIT_S = 60.0  # a failure, not a measurement
