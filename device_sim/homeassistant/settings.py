"""``[home_assistant]`` in ``device.toml``: which broker the home has, and what may be done from there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from keys.errors import InputError

PREFIX: Final = "homeassistant"
"""Below which Home Assistant looks for devices unless it was told otherwise."""
PASSWORD_BYTES_MAX: Final = 1_024
NAME_CHARACTERS_MAX: Final = 64
PREFIX_CHARACTERS_MAX: Final = 64
_BROKER: Final = re.compile(r"mqtts?://[A-Za-z0-9.:\[\]_-]{1,255}")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_FILE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,90}\.password")
_EVERYBODY: Final = 0o007
_MEND: Final = "Write the password into it as one line, and let nobody else read it ('chmod 600')."


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the owner decided about Home Assistant."""

    broker: str
    """``mqtt://HOST:PORT`` or ``mqtts://HOST:PORT`` of the home's broker."""
    enabled: bool = True
    """False: connect once and take everything back that was announced."""
    username: str = ""
    password_file: str = ""
    """In the device's folder and named ``*.password``, for a factory reset deletes it; one line."""
    ca_file: str = ""
    """PEM of whom to trust for ``mqtts://``, in the device's folder; empty: the system's."""
    prefix: str = PREFIX
    name: str = ""
    """What the owner calls the device; empty: its product."""
    manufacturer: str = ""
    buttons: bool = True
    """Home Assistant may install, put off, decline and acknowledge; else it only shows."""

    def url(self, folder: Path) -> str:
        """Return the broker's address as a link takes it, with the password in it: never print it.

        Raises:
            InputError: HOME_ASSISTANT, when the password's file cannot be read, or everybody may read it.
        """
        scheme, _, host = self.broker.partition("://")
        password = f":{quote(_password(folder / self.password_file), safe='')}" if self.password_file else ""
        user = f"{quote(self.username, safe='')}{password}@" if self.username else ""
        return f"{scheme}://{user}{host}"


def read_settings(table: Any) -> Settings:
    """Read the table strictly.

    Raises:
        ValueError: saying what to write, such as ``true or false for 'buttons'``.
    """
    if not isinstance(table, dict) or not table:
        raise ValueError('a table [home_assistant] with broker = "mqtt://HOST:PORT"')
    for key, value in table.items():
        if key not in _KEYS:
            raise ValueError(f"no other keys in it than {', '.join(_KEYS)}")
        what, fits = _KEYS[key]
        if not fits(value):
            raise ValueError(f"{what} for '{key}'")
    if "broker" not in table:
        raise ValueError(f"{_KEYS['broker'][0]} for 'broker'")
    if "password_file" in table and "username" not in table:
        raise ValueError("a 'username' beside 'password_file'")
    return Settings(**table)


def write_settings(settings: Settings) -> str:
    """Write the table as :func:`read_settings` reads it; it must stand at the end of the file."""
    values = ((field.name, getattr(settings, field.name), field.default) for field in fields(settings))
    lines = [f"{name} = {json.dumps(value)}\n" for name, value, usual in values if value != usual]
    return "\n[home_assistant]\n" + "".join(lines)


def _password(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            data = file.read(PASSWORD_BYTES_MAX + 1)
        password = data.decode().partition("\n")[0].strip("\r")
    except (OSError, UnicodeDecodeError):
        raise _wrong(path, "The password for the broker of the home cannot be read.") from None
    if mode & _EVERYBODY:
        raise _wrong(path, "Everybody on this machine may read the password for the broker of the home.")
    if not password or len(data) > PASSWORD_BYTES_MAX:
        raise _wrong(path, f"This is no password: it has 1 to {PASSWORD_BYTES_MAX} bytes in one line.")
    return password


def _wrong(path: Path, message: str) -> InputError:
    return InputError("HOME_ASSISTANT", message, mend=_MEND, where=str(path))


def _is_text(characters: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and 0 < len(value) <= characters and value.isprintable()


def _is_file(name: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and name.fullmatch(value) is not None


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_broker(value: Any) -> bool:
    return isinstance(value, str) and _BROKER.fullmatch(value) is not None


def _is_prefix(value: Any) -> bool:
    is_text = isinstance(value, str) and len(value) <= PREFIX_CHARACTERS_MAX
    return is_text and _PREFIX.fullmatch(value) is not None


_KEYS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "broker": ("an address such as mqtt://homeassistant.local:1883, without name and password", _is_broker),
    "enabled": ("true or false", _is_flag),
    "username": ("a name", _is_text(NAME_CHARACTERS_MAX)),
    "password_file": ("a name such as home-assistant.password", _is_file(_PASSWORD)),
    "ca_file": ("a name such as home-ca.pem", _is_file(_FILE)),
    "prefix": (f"topic levels joined by slashes, such as {PREFIX},", _is_prefix),
    "name": (f"a text of at most {NAME_CHARACTERS_MAX} characters", _is_text(NAME_CHARACTERS_MAX)),
    "manufacturer": (f"a text of at most {NAME_CHARACTERS_MAX} characters", _is_text(NAME_CHARACTERS_MAX)),
    "buttons": ("true or false", _is_flag),
}
"""Key -> what to write, and whether a value is that."""
