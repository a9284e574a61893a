"""The ``pkcs11:`` key URI (RFC 7512): bytes of text in, the place of one private key out.

Stricter than the RFC: an attribute that we do not use is refused, and so is ``pin-value``, since a key URI
stands in lists, logs and argument lists. No value is repeated in an error: it might be the PIN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote_to_bytes

from keys.errors import InputError

URI_CHARACTERS_MAX: Final = 4_096

_TOKEN = {"token": "label", "serial": "serial", "manufacturer": "manufacturer_id", "model": "model"}
_PATH = frozenset({*_TOKEN, "object", "id", "type"})
_QUERY = frozenset({"module-path", "module-name", "pin-source"})
_CHARACTER = r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=%s]|%%[0-9A-Fa-f]{2})+"
_VALUE = {";": re.compile(_CHARACTER % "&"), "&": re.compile(_CHARACTER % "/?|")}  # RFC 7512, section 2.3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a private key is, and how to get there."""

    where: str
    """The URI without its query, for errors."""
    token: dict[str, str]
    """Attribute of a python-pkcs11 token -> the value it must have."""
    label: str | None
    id: bytes | None
    module_path: str
    module_name: str
    pin_file: str


def parse(uri: str) -> Place:
    """Take a ``pkcs11:`` URI apart.

    Raises:
        InputError: KEY_URI.
    """
    scheme, _, rest = uri.partition(":")
    if scheme != "pkcs11" or not rest or len(uri) > URI_CHARACTERS_MAX:
        raise _bad(
            "This is no pkcs11: URI, or it is too long.", "Write pkcs11:token=NAME;object=NAME (RFC 7512)."
        )
    path, _, query = rest.partition("?")
    found, asked = _attributes(path, ";", _PATH), _attributes(query, "&", _QUERY)
    if found.pop("type", b"private") != b"private":
        raise _bad("The pkcs11: URI names something other than a private key.", "Leave type out.")
    id_ = found.pop("id", None)
    texts = {name: _text(name, value) for name, value in (found | asked).items()}
    module_path, module_name = texts.get("module-path", ""), texts.get("module-name", "")
    if module_path and module_name:
        raise _bad("The pkcs11: URI names the module twice.", "Give module-path or module-name.")
    if module_path and not PurePosixPath(module_path).is_absolute():
        raise _bad("The module-path is not absolute.", "Start it with '/'.")
    if "/" in module_name:
        raise _bad("The module-name is a path.", "Give a name without path and extension, or module-path.")
    return Place(
        where=f"pkcs11:{path}",
        token={attribute: texts[name] for name, attribute in _TOKEN.items() if name in texts},
        label=texts.get("object"),
        id=id_,
        module_path=module_path,
        module_name=module_name,
        pin_file=_pin_file(texts.get("pin-source")),
    )


def _attributes(text: str, separator: str, names: frozenset[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else ():
        name, _, value = part.partition("=")
        if name.lower() == "pin-value":
            raise _bad(
                "A PIN does not belong in a key URI: lists, logs and histories keep it.",
                "Take pin-value out; give the PIN at the prompt, in TOCSIN_PASSPHRASE or a pin-source file.",
            )
        if name not in names:
            raise _bad(
                "The pkcs11: URI has an attribute that is unknown or in the wrong place.",
                f"Use {', '.join(sorted(_PATH))}; after a '?', {', '.join(sorted(_QUERY))}.",
            )
        if name in found:
            raise _bad(f"The pkcs11: URI gives {name} twice.", "Give it once.")
        if not _VALUE[separator].fullmatch(value):
            raise _bad(
                f"The value of {name} in the pkcs11: URI is empty or has a character that must be escaped.",
                "Write such a character as %XX, a space as %20.",
            )
        found[name] = unquote_to_bytes(value)
    return found


def _text(name: str, value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    if text.encode() != value or not text.isprintable():
        raise _bad(
            f"The value of {name} in the pkcs11: URI is not printable UTF-8.", "Check its %XX escapes."
        )
    return text


def _pin_file(source: str | None) -> str:
    if source is None:
        return ""
    kind, _, path = source.partition(":")
    path = path.removeprefix("//")  # with a machine's name in between, what is left is not absolute
    if kind != "file" or not PurePosixPath(path).is_absolute():
        raise _bad(
            "The pin-source is not a file with an absolute path.", "Write pin-source=file:/path/to/pin."
        )
    return path


def _bad(message: str, mend: str) -> InputError:
    return InputError("KEY_URI", message, mend=mend)
