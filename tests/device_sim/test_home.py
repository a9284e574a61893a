import stat
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.limits import PAYLOAD_BYTES_MAX
from advisories.states import Surface
from advisories.topics import Topics
from device_sim.core.profile import AutoConsent, Platform, Profile, Window
from device_sim.core.slots import load_record
from device_sim.home import Home
from device_sim.toml import read_profile, write_profile
from keys.errors import DamagedError, InputError, UnavailableError
from tests.helpers import key

PROFILE = Profile(
    id="d-1",
    product="thermostat",
    vendor_id=b"v" * 16,
    class_id=b"c" * 16,
    languages=("de", "en"),
    slot_bytes=4_096,
)
IMAGE = bytes(range(256))


@pytest.fixture(params=[False, True], ids=["fleet", "durable"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return Home.create(tmp_path / "d-1", PROFILE, key("d-1"), b"root", IMAGE, durable=request.param)


def test_a_created_device_opens_again_as_it_was_made(home: Home) -> None:
    again = Home.open(home.path)
    assert again.profile == PROFILE
    assert again.signer.public == key("d-1").public
    assert again.root_1 == b"root"
    assert again.read_state() is None
    assert again.read_slot(0) == IMAGE
    assert again.read_slot(1) == b""
    assert load_record(again.read_boot()).active == 0


def test_the_private_key_is_for_its_owner_only(home: Home) -> None:
    assert stat.S_IMODE((home.path / "key.pem").stat().st_mode) == 0o600


def test_state_and_boot_record_are_replaced(home: Home) -> None:
    home.save_state(b"one")
    home.save_state(b"two")
    home.save_boot(b"\xa1\x01\x01")
    again = Home.open(home.path)
    assert again.read_state() == b"two"
    assert again.read_boot() == b"\xa1\x01\x01"
    assert sorted(path.name for path in home.path.iterdir()) == [
        "boot.cbor", "device.toml", "key.pem", "made.toml", "root-1.cose", "slot-0.bin", "slot-1.bin", "state.cbor",
    ]  # fmt: skip


def test_a_slot_is_erased_written_in_place_and_read_back(home: Home) -> None:
    home.write_slot(1, 0, b"abcd")
    home.write_slot(1, 4, b"efgh")
    home.write_slot(1, 2, b"CD")
    assert home.read_slot(1) == b"abCDefgh"
    assert home.read_slot(1, 3) == b"abC"
    home.erase_slot(1)
    assert home.read_slot(1) == b""


def test_what_a_power_cut_left_behind_is_no_part_of_a_device(tmp_path: Path) -> None:
    (tmp_path / ".d-1.new").mkdir()
    (tmp_path / ".d-1.new" / "junk").write_bytes(b"x")
    home = Home.create(tmp_path / "d-1", PROFILE, key("d-1"), b"root", IMAGE)
    (home.path / ".state.cbor.new").write_bytes(b"torn")
    assert Home.open(home.path).read_state() is None
    home.save_state(b"whole")
    assert Home.open(home.path).read_state() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["d-1"]


def test_a_device_is_not_made_over_another(home: Home) -> None:
    with pytest.raises(InputError) as caught:
        Home.create(home.path, PROFILE, key("d-1"), b"root", IMAGE)
    assert caught.value.code == "HOME_EXISTS"


@pytest.mark.parametrize("size", [0, 4_097])
def test_an_image_that_does_not_fit_is_refused_and_leaves_nothing(size: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="slot"):
        Home.create(tmp_path / "d", PROFILE, key("d"), b"root", bytes(size))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["device.toml", "key.pem", "root-1.cose", "state.cbor", "boot.cbor", "slot-0.bin", "slot-1.bin"]
)
def test_a_missing_file_is_named_with_the_mend(home: Home, name: str) -> None:
    (home.path / name).unlink()
    with pytest.raises(DamagedError) as caught:
        Home.open(home.path)
    assert caught.value.where == str(home.path / name)
    assert "missing" in caught.value.message
    assert caught.value.mend


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("device.toml", b""),
        ("device.toml", b"id = '\xff'"),
        ("key.pem", b"not a key"),
        ("root-1.cose", b""),
        ("root-1.cose", bytes(200_000)),
    ],
)
def test_a_damaged_file_is_named(home: Home, name: str, data: bytes) -> None:
    (home.path / name).write_bytes(data)
    with pytest.raises(DamagedError) as caught:
        Home.open(home.path)
    assert caught.value.code == "HOME_DAMAGED"
    assert caught.value.where == str(home.path / name)


def test_damage_that_shows_only_when_it_is_read_is_named_too(home: Home) -> None:
    (home.path / "state.cbor").write_bytes(bytes(3_000_000))
    with pytest.raises(DamagedError, match=r"state\.cbor"):
        home.read_state()
    (home.path / "boot.cbor").write_bytes(b"")
    with pytest.raises(DamagedError, match="empty"):
        home.read_boot()
    (home.path / "slot-1.bin").unlink()
    with pytest.raises(DamagedError, match=r"slot-1\.bin"):
        home.read_slot(1)
    with pytest.raises(UnavailableError, match=r"slot-1\.bin"):
        home.write_slot(1, 0, b"x")


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(home: Home, tmp_path: Path) -> None:
    (home.path / "state.cbor").unlink()
    (home.path / "state.cbor").mkdir()
    with pytest.raises(UnavailableError) as caught:
        home.save_state(b"x")
    assert caught.value.code == "HOME_WRITE"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnavailableError):
        Home.create(tmp_path / "file" / "d", PROFILE, key("d"), b"root", IMAGE)
    (home.path / "slot-0.bin").unlink()
    (home.path / "slot-0.bin").mkdir()
    with pytest.raises(UnavailableError):
        home.erase_slot(0)


@given(
    st.builds(
        Profile,
        id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
        product=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
        vendor_id=st.binary(min_size=16, max_size=16),
        class_id=st.binary(min_size=16, max_size=16),
        languages=st.lists(st.sampled_from(["en", "de", "ja", "zh-Hant"]), min_size=1).map(tuple),
        surface=st.sampled_from(Surface),
        auto_consent=st.sampled_from(AutoConsent),
        defer_max=st.integers(0, 255),
        defer_seconds=st.integers(1, 31_536_000),
        topics=st.sampled_from([Topics(), Topics("a/b")]),
        slot_bytes=st.integers(1, PAYLOAD_BYTES_MAX),
        zone=st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")]),
        windows=st.lists(
            st.builds(
                Window,
                st.integers(0, 1_439),
                st.integers(0, 1_440),
                st.frozensets(st.integers(0, 6), min_size=1),
            ),
            max_size=16,
        ).map(tuple),
        battery_min=st.integers(0, 100),
        platform=st.sampled_from(Platform),
        artefacts=st.sampled_from([None, "https://example.com/", "https://example.com:8443/a/"]),
        components=st.lists(
            st.lists(st.binary(max_size=4), min_size=1, max_size=3).map(tuple),
            min_size=1,
            max_size=4,
            unique=True,
        ).map(tuple),
        delta=st.booleans(),
        rate=st.none() | st.integers(1, PAYLOAD_BYTES_MAX),
    )
)
def test_every_profile_is_read_as_it_was_written(profile: Profile) -> None:
    assert read_profile(write_profile(profile), where="device.toml") == profile


@pytest.mark.parametrize(("said", "meant"), [("true", AutoConsent.ALWAYS), ("false", AutoConsent.NEVER)])
def test_a_wish_of_before_there_was_more_than_yes_and_no_is_understood(said: str, meant: AutoConsent) -> None:
    text = write_profile(PROFILE).replace('auto_consent = "never"', f"auto_consent = {said}")
    assert read_profile(text, where="device.toml").auto_consent is meant


GOOD = write_profile(PROFILE)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("languages", "langauges", 10, "Did you mean 'languages'?"),
        ("surface = ", "colour = ", 11, "Known keys: id, product"),
        ("slot_bytes = 4096", "slot_bytes = 'big'", 6, "'slot_bytes' is wrong. Write a number from 1"),
        ("slot_bytes = 4096", "slot_bytes = true", 6, "a number"),
        ("defer_max = 3", "defer_max = 256", 13, "a number from 0 to 255"),
        ('"console"', '"telepathy"', 11, "one of none, screen, console, led, companion"),
        ('"console"', "3", 11, "one of none"),
        ('auto_consent = "never"', "auto_consent = 'no'", 12, "never, urgent, always"),
        ('id = "d-1"', 'id = "d/1"', 2, "letters, digits"),
        ('id = "d-1"', "id = 1", 2, "letters, digits"),
        ('["de", "en"]', "[]", 10, "a list of language tags"),
        ('["de", "en"]', '["d e"]', 10, "a list of language tags"),
        ('"tocsin/v1"', '"tocsin/#"', 7, "topic levels"),
        (PROFILE.vendor_id.hex(), "00", 4, "32 hexadecimal digits"),
        ("slot_bytes = 4096", "slot_bytes = ", 6, "not TOML"),
        ("slot_bytes = 4096", "zone = 'Europe'", 6, "Europe/Vienna"),
        ("slot_bytes = 4096", "zone = '../UTC'", 6, "Europe/Vienna"),
        ("slot_bytes = 4096", "zone = 1", 6, "Europe/Vienna"),
        ("slot_bytes = 4096", "windows = '02:00-04:00'", 6, "a list of times"),
        ("slot_bytes = 4096", "windows = ['02:00-04:60']", 6, "a list of times"),
        ("slot_bytes = 4096", "windows = ['24:00-04:00']", 6, "a list of times"),
        ("slot_bytes = 4096", "windows = ['02:00-24:01']", 6, "a list of times"),
        ("slot_bytes = 4096", "windows = ['mon,day 02:00-04:00']", 6, "a list of times"),
        ("slot_bytes = 4096", "windows = ['mon- 02:00-04:00']", 6, "a list of times"),
        ("slot_bytes = 4096", "windows = [1]", 6, "a list of times"),
        ("slot_bytes = 4096", f"windows = {['02:00-04:00'] * 17}", 6, "a list of times"),
        ("slot_bytes = 4096", "battery_min = 101", 6, "a number from 0 to 100"),
        ("slot_bytes = 4096", 'busy_command = "/bin/x \\u0000"', 6, "a program's path"),
        ("slot_bytes = 4096", "platform = 'cloud'", 6, "slots, installer, none"),
        ("slot_bytes = 4096", "artefacts = 'http://example.com'", 6, "begins with https://"),
        ("slot_bytes = 4096", "components = []", 6, "component identifiers"),
        ("slot_bytes = 4096", "components = [[]]", 6, "component identifiers"),
        ("slot_bytes = 4096", "components = [['0']]", 6, "component identifiers"),
        ("slot_bytes = 4096", "components = [['00'], ['00']]", 6, "each component once"),
        ("slot_bytes = 4096", "delta = 1", 6, "true or false"),
        ("slot_bytes = 4096", "slot_bytes = 4096\n[more]\nx = 1\n[end]", 7, "'more' is unknown"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_line(old: str, new: str, line: int, says: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        read_profile(GOOD.replace(old, new, 1), where="device.toml")
    assert caught.value.where == f"device.toml:{line}"
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("written", "days", "again"),
    [
        ("02:00-04:30", {0, 1, 2, 3, 4, 5, 6}, "02:00-04:30"),
        ("mon-fri 02:00-04:30", {0, 1, 2, 3, 4}, "mon-fri 02:00-04:30"),
        ("sat,sun 00:00-24:00", {5, 6}, "sat-sun 00:00-24:00"),
        ("fri-mon 22:00-06:00", {4, 5, 6, 0}, "mon,fri-sun 22:00-06:00"),
        ("wed,mon-mon 22:00-06:00", {0, 2}, "mon,wed 22:00-06:00"),
    ],
)
def test_windows_are_written_as_a_person_would(written: str, days: set[int], again: str) -> None:
    profile = read_profile(f'{GOOD}windows = ["{written}"]\n', where="device.toml")
    assert profile.windows[0].days == days
    assert f'windows = ["{again}"]' in write_profile(profile)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InputError, match="'product' is missing"):
        read_profile(GOOD.replace('product = "thermostat"\n', ""), where="device.toml")


def test_equal_parts_of_many_devices_are_one_object() -> None:
    one = read_profile(GOOD, where="a")
    two = read_profile(write_profile(replace(PROFILE, id="d-2")), where="b")
    assert one.languages is two.languages
    assert one.topics is two.topics
    assert one.vendor_id is two.vendor_id


def test_parts_of_one_value_and_different_kinds_stay_what_they_are() -> None:
    written = write_profile(replace(PROFILE, delta=True, surface=Surface.SCREEN, defer_max=1, battery_min=1))
    for _ in range(2):
        read = read_profile(written, where="a")
        assert (read.delta, read.surface, read.defer_max) == (True, Surface.SCREEN, 1)
        assert (type(read.delta), type(read.surface), type(read.defer_max)) == (bool, Surface, int)
        assert write_profile(read) == written
