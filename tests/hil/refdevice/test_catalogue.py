"""The catalogue on the C device: how many rows it may have."""

from __future__ import annotations

import pytest

from advisories.limits import CATALOGUE_ENTRIES_MAX
from keys import cose
from keys.cbor import encode
from keys.codec import pack
from keys.reasons import Reason
from tests.helpers import PRODUCT, catalogue

from .build import Core
from .device_of_c import FLEET, Device

HASH = bytes(32)


@pytest.mark.parametrize(
    ("notices", "patches", "reason"),
    [
        (0, CATALOGUE_ENTRIES_MAX, Reason.OK),
        (1, CATALOGUE_ENTRIES_MAX - 1, Reason.OK),
        (1, CATALOGUE_ENTRIES_MAX, Reason.MALFORMED),
        (0, CATALOGUE_ENTRIES_MAX + 1, Reason.MALFORMED),
    ],
)
def test_the_rows_of_both_lists_are_counted_together(
    core: Core, notices: int, patches: int, reason: Reason
) -> None:
    """One that is refused leaves no trace: the next one of the same version is taken."""
    device = Device(core)
    body = pack(catalogue(FLEET, version=7))
    body |= {10: [["EX-1", 1, HASH]] * notices, 11: [[1, HASH]] * patches}
    data = cose.sign(encode(body), FLEET.signers("operator"), typ="tocsin/catalogue")
    assert len(data) <= core.constants["TN_DOCUMENT_BYTES_MAX"]
    assert device.put(f"catalogue/{PRODUCT}", data) is reason
    fewer = FLEET.seal(catalogue(FLEET, version=7))
    taken = Reason.OK if reason is Reason.MALFORMED else Reason.EQUIVOCATION
    assert device.put(f"catalogue/{PRODUCT}", fewer) is taken
