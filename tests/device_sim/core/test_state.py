"""The stored state: small, whole, and of this fleet."""

from dataclasses import replace

import pytest

from device_sim.core.agent import Agent
from device_sim.core.profile import Profile
from device_sim.core.state import State
from keys.document import seal
from keys.errors import DamagedError, RefusedError
from tests.device_sim.core.firmware import CLASS, VENDOR
from tests.device_sim.core.world import FLEET, World
from tests.helpers import DEVICE, make_root


def stored() -> bytes:
    w = World()
    w.connect()
    w.roll_out(w.notice())
    w.advance(5)
    assert w.state is not None
    return w.state


def test_what_is_stored_is_read_back_whole() -> None:
    data = stored()
    state = State.load(data, FLEET.root_document)
    assert state.dump() == data
    assert len(data) <= 16_384
    assert state.notices
    assert state.patches
    assert state.catalogue is not None
    assert state.timestamp is not None


def test_a_state_from_before_consents_were_kept_is_read() -> None:
    state = State.load(stored(), FLEET.root_document)
    ((patch, track),) = state.patches.items()
    assert track.consent is not None
    state.patches[patch] = replace(track, consent=None, consented=True)
    assert State.load(state.dump(), FLEET.root_document).patches[patch].consent is None


def test_every_damaged_state_is_said_to_be_damaged() -> None:
    data = stored()
    for damaged in (b"", b"\xa0", data[:-1], data + b"\x00", data[:100], bytes(len(data))):
        with pytest.raises(DamagedError, match="stored state"):
            State.load(damaged, FLEET.root_document)


def test_a_state_of_another_fleet_is_refused() -> None:
    other = seal(make_root(issued=1), [FLEET.holder(name) for name in ("root-1", "root-2")])
    with pytest.raises(DamagedError, match="another root 1"):
        State.load(stored(), other)


def test_a_root_that_is_none_is_refused() -> None:
    profile = Profile(id=DEVICE, product="thermostat", vendor_id=VENDOR, class_id=CLASS)
    with pytest.raises(RefusedError):
        Agent(profile, FLEET.device(), None, root_1=b"no root", entropy=b"", now=0)


@pytest.mark.parametrize(
    "change", [{"languages": ()}, {"slots": 3}, {"vendor_id": b""}, {"class_id": bytes(15)}]
)
def test_a_device_that_could_not_work_cannot_be_described(change) -> None:
    base = {"id": DEVICE, "product": "thermostat", "vendor_id": VENDOR, "class_id": CLASS}
    with pytest.raises(ValueError, match="two slots"):
        Profile(**{**base, **change})
