"""Evidence without secrets: private keys and customers' texts are blanked before anything is written.

What is blanked keeps its length, so that a trace still decodes and a log still lines up.

- ``notifier.provision`` of a key: the key, in the request and wherever eight bytes of it or more come by
  again, as they are, in hexadecimal or in base64. That covers an echo, a debug print and a broken frame.
- PEM blocks, to their end or for 16 KiB.
- ``notifier.put``: the staged bytes; ``notifier.notice``: the lines on the display.

It cannot know what firmware prints about a customer in words of its own.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import cbor2

from advisories.smp import NOTIFIER_GROUP, NOTIFIER_NOTICE, NOTIFIER_PROVISION, NOTIFIER_PUT
from hil.wire.header import HEADER_BYTES, Header
from hil.wire.record import Kind, Record

WINDOW_BYTES: Final = 8
"""As many bytes of a key in a row are taken for a part of it."""
PEM_BYTES_MAX: Final = 16_384
Fields = dict[Any, Any]
Rule = Callable[[Fields], list[Any]]
"""Names what is secret in the fields of a message."""
_BLANK: Final = b"*"
_NO_KEYS: Final = frozenset({"root", "version", "id", "erase"})
_PEM: Final = re.compile(
    rb"-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)", re.DOTALL
)
_PEM_END: Final = re.compile(rb"-----END [A-Z0-9 ]{1,40}-----")
_HEX: Final = re.compile(rb"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ \t:,_-]{0,2}){8,}")
_HEX_EXTRA: Final = re.compile(rb"0x|\\x|[^0-9A-Fa-f]")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


class Redactor:
    """Blanks records on their way into evidence; it remembers the keys that it has seen."""

    def __init__(self, *, group: int = NOTIFIER_GROUP) -> None:
        """Know no key yet.

        Args:
            group: number of the notifier group in this firmware.
        """
        self._group = group
        self._windows: set[bytes] = set()
        self._rules: Mapping[str, Rule] = {
            NOTIFIER_PROVISION.name: self._provision,
            NOTIFIER_PUT.name: _put,
            NOTIFIER_NOTICE.name: _notice,
        }
        self._pem_left = 0  # bytes of console for which an unfinished block is still believed

    def __call__(self, record: Record) -> Record:
        """Return the record as it may be written."""
        if record.kind is Kind.MESSAGE:
            return replace(record, data=self.blank(self._message(record.data)))
        if record.kind is Kind.EVENT:
            return replace(record, note=self.text(record.note))
        return replace(record, data=self._stream(record.data))

    def text(self, text: str) -> str:
        """Return a text without keys and PEM blocks."""
        return self.blank(text.encode(errors="surrogatepass")).decode(errors="replace")

    def blank(self, data: bytes) -> bytes:
        """Return bytes of the same length without keys and PEM blocks."""
        data = _PEM.sub(_blanked, data)
        if not self._windows:
            return data
        data = self._blank_raw(data)
        data = _HEX.sub(self._blank_if(_from_hex), data)
        return _BASE64.sub(self._blank_if(_from_base64), data)

    def _remember(self, secret: bytes) -> None:
        self._windows.update(_windows(secret))

    def _holds(self, data: bytes) -> bool:
        return not self._windows.isdisjoint(_windows(data))

    def _blank_raw(self, data: bytes) -> bytes:
        blanked = bytearray(data)
        for at in range(len(data) - WINDOW_BYTES + 1):
            if data[at : at + WINDOW_BYTES] in self._windows:
                blanked[at : at + WINDOW_BYTES] = _BLANK * WINDOW_BYTES
        return bytes(blanked)

    def _blank_if(self, decode: Callable[[bytes], Iterator[bytes]]) -> Callable[[re.Match[bytes]], bytes]:
        def run(match: re.Match[bytes]) -> bytes:
            return _blanked(match) if any(map(self._holds, decode(match[0]))) else match[0]

        return run

    def _stream(self, data: bytes) -> bytes:
        """Blank console output, in which a block may go on from one record to the next."""
        head = b""
        if self._pem_left:
            end = _PEM_END.search(data)
            cut = end.end() if end else len(data)
            head, data = _BLANK * cut, data[cut:]
            self._pem_left = 0 if end else max(0, self._pem_left - cut)
        opened = [match for match in _PEM.finditer(data) if not _PEM_END.search(match[0])]
        if opened:
            self._pem_left = PEM_BYTES_MAX
        return head + self.blank(data)

    def _message(self, message: bytes) -> bytes:
        header = Header.peek(message)
        command = header.command(self._group) if header else None
        rule = self._rules.get(command.name) if command else None
        return message[:HEADER_BYTES] + _body(message[HEADER_BYTES:], rule) if rule else message

    def _provision(self, fields: Fields) -> list[Any]:
        what, value = fields.get("what"), fields.get("value")
        if isinstance(what, str) and what in _NO_KEYS:
            return []
        if isinstance(value, bytes):
            self._remember(value)
        return [value]


def _body(body: bytes, rule: Rule) -> bytes:
    """Blank in place, so that nothing moves however it was encoded; where that cannot be done, everything."""
    for word in _words(body, rule):
        body = body.replace(cbor2.dumps(word), cbor2.dumps(_stars(word)))
    left = _words(body, rule)
    return _BLANK * len(body) if any(word != _stars(word) for word in left) else body


def _words(body: bytes, rule: Rule) -> list[str | bytes]:
    """Return the texts and bytes that a rule names; all of a body that is no map, or not only one."""
    stream = io.BytesIO(body)
    try:
        fields = cbor2.load(stream)
    except (cbor2.CBORDecodeError, ValueError, RecursionError):
        return [body]
    if not isinstance(fields, dict) or stream.tell() != len(body):
        return [body]
    return [word for word in rule(fields) if isinstance(word, str | bytes)]


def _stars(word: str | bytes) -> str | bytes:
    return "*" * len(word.encode(errors="surrogatepass")) if isinstance(word, str) else _BLANK * len(word)


def _put(fields: Fields) -> list[Any]:
    return [fields.get("data")]


def _notice(fields: Fields) -> list[Any]:
    lines = fields.get("lines")
    return lines if isinstance(lines, list) else [lines]


def _blanked(match: re.Match[bytes]) -> bytes:
    return re.sub(rb"[^\r\n]", _BLANK, match[0])


def _windows(data: bytes) -> Iterator[bytes]:
    return (data[at : at + WINDOW_BYTES] for at in range(len(data) - WINDOW_BYTES + 1))


def _from_hex(run: bytes) -> Iterator[bytes]:
    digits = _HEX_EXTRA.sub(b"", run)
    for start in (0, 1):
        yield bytes.fromhex(digits[start : start + (len(digits) - start) // 2 * 2].decode())


def _from_base64(run: bytes) -> Iterator[bytes]:
    plain = run.translate(_URL_SAFE)
    for start in range(4):
        part = plain[start:]
        try:
            yield base64.b64decode(part[: len(part) // 4 * 4])
        except binascii.Error:
            continue
