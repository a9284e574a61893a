"""The ordinary manifest: one image for one component, as :func:`advisories.suit.author.build` lays it out.

Nearly every manifest is of this form, and what such a one means follows from the eight values in it. So it
is recognised as a whole, to its last bit, instead of being read step by step and run. Whatever differs in
anything is left to the general way, which also says what is wrong with it. Tests hold that both come to the
same.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from advisories.limits import PAYLOAD_BYTES_MAX
from advisories.suit.envelope import Envelope, digest_of
from advisories.suit.numbers import REPORT_FAILURE, EnvelopeKey, Section
from advisories.suit.operations import Fetch, Origin
from advisories.suit.survey import Content
from advisories.suit.texts import NO_TEXTS, Texts, ordinary, texts
from keys.limits import VERSION_MAX

_NUMBER: Final = (
    rb"([\x00-\x17]|\x18[\x18-\xff]|\x19(?!\x00)..|\x1a(?!\x00\x00)....|\x1b(?!\x00\x00\x00\x00)........)"
)
"""An unsigned integer, no longer than it need be."""
_DIGEST: Final = rb"\x82\x2f\x58\x20(.{32})"

_FORM: Final = re.compile(
    rb"\xa7\x01\x01\x02" + _NUMBER  # manifest version 1, sequence number
    + rb"\x03\x58(.)\xa2\x02\x81\x81([\x40-\x57])(.{0,23}?)\x04\x58(.)"  # common: component, shared sequence:
    + rb"\x86\x14\xa4\x01\x50(.{16})\x02\x50(.{16})"  # override-parameters: vendor, class,
    + rb"\x03\x58\x24" + _DIGEST + rb"\x0e" + _NUMBER  # digest, size;
    + rb"\x01\x0f\x02\x0f"  # vendor-id, class-id
    + rb"\x07\x43\x82\x03\x0f"  # validate: image-match
    + rb"\x09\x43\x82\x17\x02"  # invoke: invoke
    + rb"\x14([\x40-\x57]|\x58[\x18-\xff])\x86\x14\xa1\x15"  # install: override-parameters,
    + rb"([\x61-\x77]|\x78[\x18-\xff])(.{1,255})"  # uri;
    + rb"\x15\x02\x03\x0f"  # fetch, image-match
    + rb"\x17" + _DIGEST,  # text, severed
    re.DOTALL,
)  # fmt: skip
_TEXT: Final = EnvelopeKey.TEXT.value


class Ordinary(NamedTuple):
    """What an ordinary manifest says."""

    sequence: int
    vendor_id: bytes
    class_id: bytes
    content: Content
    fetch: Fetch
    texts: Texts


def recognise(envelope: Envelope) -> Ordinary | None:
    """Return what the manifest of an envelope says if it is an ordinary one, else None.

    Raises:
        RefusedError: of :func:`advisories.suit.texts.texts`.
    """
    found = _FORM.fullmatch(envelope.manifest)
    if found is None or envelope.payloads:
        return None
    (
        number, common, name_head, name, shared, vendor, class_id, digest, length,
        install, uri_head, uri, text_digest,
    ) = found.groups()  # fmt: skip
    end = found.end(9) + 4  # of the shared sequence, and of common
    if (
        common[0] != end - found.end(2)
        or shared[0] != end - found.end(5)
        or name_head[0] != 0x40 + len(name)
        or uri_head != _head(0x60, len(uri))
        or install != _head(0x40, len(uri_head) + len(uri) + 8)
        or uri[0] == 0x23
    ):
        return None
    component = (name,)
    try:
        address, words = uri.decode(), NO_TEXTS
        for member, content in envelope.severed.items():
            if member != _TEXT or digest_of(content) != text_digest:
                return None
            usual = ordinary(content, b"\x81" + name_head + name, component)
            words = texts(content) if usual is None else usual
    except (IndexError, UnicodeDecodeError):
        return None
    sequence, size = _value(number), _value(length)
    if sequence > VERSION_MAX or size > PAYLOAD_BYTES_MAX:
        return None
    origin = Origin(Section.INSTALL, 4 + len(uri_head) + len(uri), 0, REPORT_FAILURE)
    fetch = Fetch(component, address, digest, size, origin=origin)
    return Ordinary(sequence, vendor, class_id, Content(component, digest, size, address), fetch, words)


def _head(major: int, size: int) -> bytes:
    """Return the head of a string of less than 256 bytes."""
    return bytes((major + size,)) if size < 24 else bytes((major + 24, size))


def _value(number: bytes) -> int:
    return int.from_bytes(number[1:] or number, "big")
