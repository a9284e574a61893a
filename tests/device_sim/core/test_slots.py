"""The boot loader's decision."""

import pytest

from device_sim.core.slots import BootRecord, confirmed, load_record, on_trial, select
from keys.codec import dump
from keys.errors import DamagedError


@pytest.mark.parametrize(
    ("record", "slot", "stored"),
    [
        (b"", 0, BootRecord(active=0)),
        (confirmed(1), 1, BootRecord(active=1)),
        (on_trial(0, 1), 1, BootRecord(active=0, trial=1, tried=True)),
        (dump(BootRecord(active=0, trial=1, tried=True)), 0, BootRecord(active=0)),
        (dump(BootRecord(active=0, trial=1, tried=False)), 1, BootRecord(active=0, trial=1, tried=True)),
    ],
    ids=["new device", "confirmed", "trial", "trial that was not confirmed", "trial not yet tried"],
)
def test_a_trial_boots_once_and_then_the_active_slot_again(record, slot, stored) -> None:
    chosen, new = select(record)
    assert chosen == slot
    assert load_record(new) == stored


@pytest.mark.parametrize("record", [b"\xff", b"\xa0", dump(BootRecord(active=0)) + b"x", bytes(100)])
def test_a_damaged_record_is_said_to_be_damaged(record) -> None:
    with pytest.raises(DamagedError, match="boot record"):
        select(record)
