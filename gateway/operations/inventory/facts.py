"""Facts about a device that it does not say itself: version, region, account, name elsewhere, labels.

They end up in letters and in tables that people open: nothing in them may act as a formula or steer a
terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from advisories.topics import is_id
from advisories.versions import format_version, parse_version
from gateway import values
from gateway.operations.identity.device_list import LABEL
from gateway.store.inventory import Entry
from keys.errors import InputError

REGION_LETTERS_MAX: Final = 35
EXTERNAL_LETTERS_MAX: Final = 256
LABEL_LETTERS_MAX: Final = 128
LABELS_MAX: Final = 32  # of one device
_FORMULA: Final = ("=", "+", "-", "@")
MEND: Final = {
    "version": "Write it like 1.4.1, or leave it out.",
    "region": "Write a country such as DE, or a name of your own.",
    "account": "Write the account's id, as 'tocsin account list' has it.",
    "external": "Write the device's name or serial number there.",
}
LABEL_MEND: Final = "Name labels like ids, and write up to 128 letters that do not begin like a formula."


def version(value: Any) -> str:
    """Return a version as devices report it; a ``v`` before it is left out."""
    return format_version(parse_version(values.a_text(value).strip().removeprefix("v")))


def region(value: Any) -> str:
    """Return a region."""
    return _plain(value, REGION_LETTERS_MAX)


def account(value: Any) -> str:
    """Return an account's id."""
    text = values.a_text(value)
    if not is_id(text):
        raise ValueError("it is no id")
    return text


def external(value: Any) -> str:
    """Return what a device is called elsewhere."""
    return _plain(value, EXTERNAL_LETTERS_MAX)


def label(value: Any) -> str:
    """Return the value of a label."""
    return _plain(value, LABEL_LETTERS_MAX)


READ: Final[Mapping[str, Callable[[Any], str]]] = {
    "version": version,
    "region": region,
    "account": account,
    "external": external,
}
"""Name of a fact -> what reads it; ValueError says what is wrong."""


def check_label(name: str) -> None:
    """Raise ValueError for what is no name of a label."""
    if not is_id(name):
        raise ValueError("its name is none")


def _plain(value: Any, most: int) -> str:
    text = values.a_text(value)
    if len(text) > most:
        raise ValueError(f"it has {len(text)} letters, at most {most}")
    if text.startswith(_FORMULA):
        raise ValueError(f"it begins with '{text[0]}', as a formula does")
    return text


def entry(id_: str, product: str, source: str, said: Mapping[str, Any]) -> Entry | None:
    """Return what a row says for the inventory; None when it says nothing for it."""
    labels = {name.removeprefix(LABEL): value for name, value in said.items() if name.startswith(LABEL)}
    told = {name: said[name] for name in ("version", "region", "account", "external") if name in said}
    if not labels and not told:
        return None
    return Entry(id_, product, source, labels=labels, **told)


def read_labels(words: Iterable[str]) -> dict[str, str]:
    """Read labels such as ``site=north``; ``site=`` takes one away.

    Raises:
        InputError: BAD_LABEL.
    """
    found: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        value = value.strip()
        try:
            check_label(name)
            found[name] = label(value) if value else ""
        except ValueError as error:
            raise InputError("BAD_LABEL", f"'{word[:64]}': {error}.", mend=LABEL_MEND) from None
        if not sign:
            raise InputError("BAD_LABEL", f"'{word[:64]}' is not a label.", mend="Write it as NAME=VALUE.")
    return found
