"""Every parser of bytes from outside in Python, and what must hold whatever it is given.

A parser returns, or refuses with one of its own errors; anything else is a finding. Some hold more: what is
accepted encodes to the same bytes; what comes out does not depend on how the input was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from advisories import mcuboot, suit
from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice, Text
from advisories.offer import Answer, Offer
from advisories.report import open_block, open_report, open_want
from device_sim.serial.frames import Requests
from hil.smp import frames
from hil.smp.message import MalformedAnswer
from hil.smp.message import answer as smp_answer
from hil.wire.record import Kind
from keys import cbor, cose
from keys.codec import dump, load
from keys.document import body_bytes, open_document
from keys.errors import RefusedError
from keys.root import Root
from keys.trusted import TrustedSet
from tests.fuzz.seeds import fleet
from tests.helpers import DEVICE

Parser = Callable[[bytes], Any]


def _cbor(data: bytes) -> None:
    value = cbor.decode(data)
    assert cbor.encode(value) == data


def _sign(data: bytes) -> None:
    message = cose.parse(data, cose.TAG_SIGN, unprotected=False)
    assert message.signatures


def _sign1(data: bytes) -> None:
    cose.parse(data, cose.TAG_SIGN1)


def _document(cls: Any, subject: str | None = None) -> Parser:
    def opened(data: bytes) -> None:
        found = open_document(data, cls, fleet().root, fleet=fleet().id, subject=subject)
        assert dump(found.body) == body_bytes(data)

    return opened


def _root(data: bytes) -> None:
    found = load(Root, data, size_max=Root.BYTES_MAX)
    assert dump(found) == data


def _next_root(data: bytes) -> None:
    trusted = fleet().trusted()
    before = trusted.dump()
    try:
        trusted.update_root(data, None)
    except RefusedError:
        assert trusted.dump() == before
        raise


def _enrol(data: bytes) -> None:
    TrustedSet.enrol(data, fleet().now)


def _text(data: bytes) -> None:
    assert dump(load(Text, data, size_max=1_024)) == data


def _patch(data: bytes) -> None:
    envelope = suit.decode(data)
    suit.parse(envelope)


def _report(data: bytes) -> None:
    key = fleet().device(DEVICE).public
    open_report(data, key, fleet=fleet().id, device=DEVICE)


def _requests(data: bytes) -> None:
    """The board's side of a line: a request is found however the line is cut."""
    whole = Requests().feed(data + b"\n")
    cut = Requests()
    parts = [cut.feed(data[at : at + 7]) for at in range(0, len(data), 7)]
    assert [one for part in (*parts, cut.feed(b"\n")) for one in part] == whole


def _scanner(data: bytes) -> None:
    """The bench's side: every byte goes into one part, however the stream is cut."""

    def parted(step: int) -> list[tuple[Kind, bytes]]:
        scanner = frames.Scanner()
        cuts = [scanner.feed(data[at : at + step]) for at in range(0, len(data), step)]
        parts = [one for cut in cuts for one in cut] + scanner.flush(final=True)
        return [(one.kind, one.data) for one in parts]

    assert parted(max(len(data), 1)) == parted(5)


PARSERS: Mapping[str, tuple[Parser, tuple[str, ...], tuple[type[Exception], ...]]] = {
    "cbor": (_cbor, ("cbor", "root", "notice", "text"), (RefusedError,)),
    "cose-sign": (_sign, ("root", "notice", "offer"), (RefusedError,)),
    "cose-sign1": (_sign1, ("sign1", "report"), (RefusedError,)),
    "root-body": (_root, ("root-body",), (RefusedError,)),
    "root": (_next_root, ("root",), (RefusedError,)),
    "enrol": (_enrol, ("root",), (RefusedError,)),
    "timestamp": (_document(Timestamp), ("timestamp",), (RefusedError,)),
    "catalogue": (_document(Catalogue), ("catalogue",), (RefusedError,)),
    "notice": (_document(Notice), ("notice",), (RefusedError,)),
    "offer": (_document(Offer, DEVICE), ("offer",), (RefusedError,)),
    "answer": (_document(Answer, DEVICE), ("answer",), (RefusedError,)),
    "devices": (_document(Devices), ("devices",), (RefusedError,)),
    "text": (_text, ("text",), (RefusedError,)),
    "report": (_report, ("report",), (RefusedError,)),
    "block": (open_block, ("block",), (RefusedError,)),
    "want": (open_want, ("want",), (RefusedError,)),
    "patch": (_patch, ("patch",), (RefusedError,)),
    "image": (mcuboot.parse, ("image",), (RefusedError,)),
    "requests": (_requests, ("lines",), ()),
    "scanner": (_scanner, ("lines",), ()),
    "smp-answer": (smp_answer, ("smp",), (MalformedAnswer,)),
}
"""Name -> the parser, the kinds of its seeds, and the errors that it may refuse with."""


def run(name: str, data: bytes) -> bool:
    """Give bytes to a parser; True when it accepted them. Any other error than its own comes out."""
    parser, _, errors = PARSERS[name]
    try:
        parser(data)
    except errors:
        return False
    return True
