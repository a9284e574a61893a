"""The table [home_assistant] in device.toml."""

from pathlib import Path
from typing import Any

import pytest

from device_sim.home import Home
from device_sim.homeassistant.settings import (
    NAME_CHARACTERS_MAX,
    PASSWORD_BYTES_MAX,
    PREFIX_CHARACTERS_MAX,
    Settings,
    read_settings,
    write_settings,
)
from device_sim.sockets import parse_url
from device_sim.toml import read_device, write_profile
from keys.errors import InputError, UnavailableError
from tests.device_sim.test_shell import PROFILE
from tests.helpers import key

BROKER = "mqtt://homeassistant.local:1883"
ALL = Settings(
    broker="mqtts://[2001:db8::1]:8883",
    enabled=False,
    username='a "b" ü',
    password_file="home.password",
    ca_file="home-ca.pem",
    prefix="home/ha",
    name="Hall",
    manufacturer="Example",
    buttons=False,
)


@pytest.mark.parametrize("settings", [Settings(broker=BROKER), ALL])
def test_what_is_written_is_read_back_from_a_whole_file(settings: Settings) -> None:
    written = write_profile(PROFILE) + write_settings(settings)
    profile, board = read_device(written, where="device.toml")
    assert (profile, board.home_assistant) == (PROFILE, settings)
    assert write_profile(profile, board) == written


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "a table [home_assistant]"),
        ("mqtt://x", "a table [home_assistant]"),
        ({"name": "Hall"}, "'broker'"),
        ({"broker": "homeassistant.local"}, "'broker'"),
        ({"broker": "http://x"}, "'broker'"),
        ({"broker": "mqtt://user:secret@x"}, "without name and password"),
        ({"broker": 1}, "'broker'"),
        ({"broker": BROKER, "brokr": 1}, "no other keys in it than broker, enabled"),
        ({"broker": BROKER, "enabled": 1}, "true or false for 'enabled'"),
        ({"broker": BROKER, "buttons": "no"}, "true or false for 'buttons'"),
        ({"broker": BROKER, "username": ""}, "a name for 'username'"),
        ({"broker": BROKER, "password_file": "x.password"}, "a 'username' beside"),
        ({"broker": BROKER, "username": "u", "password_file": "key.pem"}, "a name such as"),
        ({"broker": BROKER, "username": "u", "password_file": "../x.password"}, "a name such as"),
        ({"broker": BROKER, "username": "u", "password_file": ".password"}, "a name such as"),
        ({"broker": BROKER, "ca_file": "/etc/ca.pem"}, "a name such as"),
        ({"broker": BROKER, "prefix": "a/#"}, "'prefix'"),
        ({"broker": BROKER, "prefix": "/a"}, "'prefix'"),
        ({"broker": BROKER, "name": "a\nb"}, "'name'"),
        ({"broker": BROKER, "ca_file": 7}, "for 'ca_file'"),
    ],
)
def test_a_wrong_table_says_what_to_write(table: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        read_settings(table)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "limit"),
    [
        ("name", NAME_CHARACTERS_MAX),
        ("manufacturer", NAME_CHARACTERS_MAX),
        ("username", NAME_CHARACTERS_MAX),
        ("prefix", PREFIX_CHARACTERS_MAX),
    ],
)
def test_texts_have_limits(key: str, limit: int) -> None:
    for length in (limit - 1, limit):
        assert read_settings({"broker": BROKER, key: "x" * length})
    with pytest.raises(ValueError, match=key):
        read_settings({"broker": BROKER, key: "x" * (limit + 1)})


def test_the_line_of_the_table_is_told() -> None:
    written = write_profile(PROFILE) + '\n[home_assistant]\nbroker = "x"\n'
    with pytest.raises(InputError) as caught:
        read_device(written, where="device.toml")
    line = written.splitlines().index("[home_assistant]") + 1
    assert str(caught.value).startswith(f"device.toml:{line}: The value of 'home_assistant' is wrong.")
    assert "Write an address such as mqtt://homeassistant.local:1883" in str(caught.value)


def test_a_password_comes_from_its_file_and_nobody_else_reads_it(tmp_path: Path) -> None:
    settings = Settings(broker="mqtt://x:1", username="u@v", password_file="p")
    file = tmp_path / "p"
    with pytest.raises(InputError, match="cannot be read"):
        settings.url(tmp_path)
    file.write_text("a:b/c@ü\r\nsecond line\n", encoding="utf-8")
    file.chmod(0o604)
    with pytest.raises(InputError, match="Everybody") as caught:
        settings.url(tmp_path)
    assert caught.value.where == str(file)
    assert "chmod 600" in caught.value.mend
    file.chmod(0o640)
    where = parse_url(settings.url(tmp_path))
    assert (where.host, where.port, where.user, where.password) == ("x", 1, "u@v", "a:b/c@ü")
    assert "a:b/c" not in repr(where)


@pytest.mark.parametrize("size", [0, PASSWORD_BYTES_MAX - 1, PASSWORD_BYTES_MAX, PASSWORD_BYTES_MAX + 1])
def test_a_password_has_a_length(tmp_path: Path, size: int) -> None:
    settings = Settings(broker="mqtt://x", username="u", password_file="p")
    file = tmp_path / "p"
    file.touch(mode=0o600)
    file.write_bytes(b"x" * size)
    if 0 < size <= PASSWORD_BYTES_MAX:
        assert parse_url(settings.url(tmp_path)).password == "x" * size
    else:
        with pytest.raises(InputError, match="no password"):
            settings.url(tmp_path)


def test_bytes_that_are_no_text_are_no_password(tmp_path: Path) -> None:
    (tmp_path / "p").touch(mode=0o600)
    (tmp_path / "p").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        Settings(broker="mqtt://x", username="u", password_file="p").url(tmp_path)


def test_without_a_name_nothing_stands_before_the_host() -> None:
    assert Settings(broker=BROKER).url(Path("/nowhere")) == BROKER
    assert Settings(broker=BROKER, username="u").url(Path("/nowhere")) == "mqtt://u@homeassistant.local:1883"


def test_a_factory_reset_leaves_the_home_of_the_former_owner(tmp_path: Path) -> None:
    made = Home.create(tmp_path / "d", PROFILE, key("d-1"), b"root", b"image", durable=False)
    plain = (made.path / "device.toml").read_text(encoding="utf-8")
    table = write_settings(Settings(broker=BROKER, username="u", password_file="home.password"))
    (made.path / "device.toml").write_text('display = "none"\n' + plain + table, encoding="utf-8")
    (made.path / "home.password").write_text("secret")
    home = Home.open(made.path, durable=False)
    assert home.board.home_assistant is not None
    home.forget_wishes()
    assert not (made.path / "home.password").exists()
    again = Home.open(made.path, durable=False)
    assert (again.board.home_assistant, again.board.display) == (None, "none")
    again.forget_wishes()
    assert Home.open(made.path, durable=False).profile == PROFILE


def test_a_home_that_the_device_was_made_with_stays(tmp_path: Path) -> None:
    made = Home.create(tmp_path / "d", PROFILE, key("d-1"), b"root", b"image", durable=False)
    table = write_settings(Settings(broker=BROKER, username="u", password_file="home.password"))
    for name in ("device.toml", "made.toml"):
        (made.path / name).write_text(write_profile(PROFILE) + table, encoding="utf-8")
    (made.path / "home.password").write_text("secret")
    Home.open(made.path, durable=False).forget_wishes()
    assert (made.path / "home.password").exists()
    assert Home.open(made.path, durable=False).board.home_assistant is not None


def test_a_password_that_cannot_be_forgotten_is_told(tmp_path: Path) -> None:
    made = Home.create(tmp_path / "d", PROFILE, key("d-1"), b"root", b"image", durable=False)
    (made.path / "home.password").mkdir()  # no file, and so it cannot be unlinked
    table = write_settings(Settings(broker=BROKER, username="u", password_file="home.password"))
    (made.path / "device.toml").write_text(write_profile(PROFILE) + table, encoding="utf-8")
    with pytest.raises(UnavailableError) as caught:
        Home.open(made.path, durable=False).forget_wishes()
    assert caught.value.code == "HOME_WRITE"
