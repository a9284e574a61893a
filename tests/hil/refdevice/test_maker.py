"""What a maker writes to a test build over the line: a root, names and a version, which hold from the reset on."""

from __future__ import annotations

import hashlib

import cbor2
import pytest

from advisories.smp import Rc
from advisories.states import NoticeState
from hil.smp.frames import encode
from tests.helpers import HOLDERS, PRODUCT, make_fleet, root_keys

from .device_of_c import FLEET, Device
from .notice_of_c import moves, shown
from .test_server import OS, OURS, WRITE, asked, message, told

INFO, PUT, PRESS, STATE, PROVISION = 0, 1, 5, 6, 9
PART = 400
OTHER = make_fleet(keys=root_keys({**HOLDERS, "legal": (*HOLDERS["legal"], "legal-3")}))


def staged(device: Device, data: bytes) -> bytes:
    """Put a document there, part by part; return its digest."""
    sha = hashlib.sha256(data).digest()
    for at in range(0, len(data), PART):
        head = {"sha": sha, "off": at, "data": data[at : at + PART]} | ({} if at else {"len": len(data)})
        assert asked(device, OURS, PUT, head, op=WRITE)["rc"] == Rc.OK
    return sha


def provisioned(device: Device, what: str, value: bytes, key: int = 1) -> Rc:
    """Have something written."""
    return Rc(asked(device, OURS, PROVISION, {"what": what, "value": value, "key": key}, op=WRITE)["rc"])


def restarted(device: Device) -> None:
    """Reset it by its command."""
    assert asked(device, OS, 5, {}, op=WRITE)["rc"] == Rc.OK
    assert device.core.reset_asked
    device.core.reset()
    device.lib.tn_start()


@pytest.mark.parametrize(
    ("document", "rc"),
    [
        (OTHER.root_document, Rc.OK),
        (OTHER.root_document[:-1], Rc.EINVAL),
        (OTHER.root_document[:-1] + bytes([OTHER.root_document[-1] ^ 1]), Rc.EINVAL),
        (b"no root", Rc.EINVAL),
        (bytes(2_048), Rc.EINVAL),
        (bytes(2_049), Rc.EINVAL),
        (FLEET.seal(FLEET.next_root(), "root", "root"), Rc.EINVAL),
    ],
    ids=["a root", "cut", "forged", "none", "as long as roots are", "longer", "the next root"],
)
def test_a_pinned_root_is_a_root_1_that_its_own_keys_signed(device: Device, document: bytes, rc: Rc) -> None:
    sha = staged(device, document)
    assert provisioned(device, "root", sha) == rc
    assert provisioned(device, "root", bytes(32), 2) == Rc.ENOENT
    assert provisioned(device, "erase", b"", 3) == Rc.OK
    assert len(asked(device, OURS, STATE, {})["kids"]) == len(FLEET.root.keys), (
        "until the reset all is as it was"
    )
    restarted(device)
    found = asked(device, OURS, STATE, {})
    assert len(found["kids"]) == len((OTHER if rc is Rc.OK else FLEET).root.keys)


@pytest.mark.parametrize("erase", [False, True])
def test_what_the_maker_writes_leaves_the_rest_unless_all_is_to_be_made_new(
    device: Device, *, erase: bool
) -> None:
    before = asked(device, OURS, STATE, {})
    assert provisioned(device, "version", b"9.8.7") == Rc.OK
    if erase:
        assert provisioned(device, "erase", b"", 2) == Rc.OK
    restarted(device)
    after = asked(device, OURS, STATE, {})
    assert after["installed"] == "9.8.7"
    assert after["epoch"] == (1 if erase else before["epoch"] + 1)
    assert (after["journal"] > before["journal"]) == (not erase)


def test_a_button_is_pressed_once_with_one_key(device: Device) -> None:
    shown(device)
    before = len(moves(device))
    for _ in range(2):
        assert asked(device, OURS, PRESS, {"button": "acknowledge", "key": 5}, op=WRITE)["rc"] == Rc.OK
    assert [state for _, state, _ in moves(device)[before:]] == [NoticeState.ACKNOWLEDGED]
    shown(device, id="EX-2")
    assert asked(device, OURS, PRESS, {"button": "acknowledge", "key": 5}, op=WRITE)["rc"] == Rc.OK
    assert moves(device)[-1][:2] == ("EX-2", NoticeState.SHOWN), "that key was used"


def test_info_says_what_runs_where_that_can_be_told_and_what_is_listened_to(device: Device) -> None:
    found = asked(device, OURS, 0, {})
    assert (found["fw"], len(found["filters"])) == ("1.4.1", 7)
    device.core.flash_load(device.core.constants["TN_AT_SLOTS"] + 512, bytes(8))
    device.core.reset()
    device.lib.tn_start()
    device.lib.tn_agent_connected(True)
    device.core.set_utc(FLEET.root.expires or 0)
    device.tick()
    found = asked(device, OURS, 0, {})
    assert found["fw"] == "none"
    assert found["filters"][7:] == ["tocsin/v1/root/2"]
    assert PRODUCT in found["filters"][0]


@pytest.mark.parametrize(("id_bytes", "fits"), [(36, True), (64, False)])
def test_who_it_is_fits_a_message_with_names_as_long_as_the_porting_guide_says(
    device: Device, id_bytes: int, fits: bool
) -> None:
    """With one more topic that it listens to for a while, the longest one there is."""
    assert provisioned(device, "id", b"d" * id_bytes) == Rc.OK
    restarted(device)
    (answer,) = told(device, encode(message(OURS, INFO, {})))
    said = cbor2.loads(answer[8:])
    if not fits:
        assert said == {"rc": Rc.EMSGSIZE}
        return
    assert (said["id"], said["class"]) == ("d" * 36, "thermostat")
    longest = 2 + len("tocsin/v1/pages/thermostat/en/") + 64
    assert len(answer) + longest <= device.core.constants["TN_SMP_BUFFER_BYTES"] - 4
