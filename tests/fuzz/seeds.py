"""What fuzzing begins with: a genuine document of every kind, and the lines and messages of a serial board."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cbor2

from advisories import mcuboot, smp
from advisories.report import Block, Want
from advisories.smp_types import Command
from advisories.suit import manifest_digest
from hil.smp.frames import encode as encode_lines
from hil.smp.message import request
from keys import cose
from keys.cbor import encode
from keys.codec import dump
from keys.document import body_bytes, seal
from tests.advisories import suit_case
from tests.helpers import (
    HOLDERS,
    Fleet,
    answer,
    catalogue,
    devices,
    key,
    make_fleet,
    notice,
    offer,
    report,
    text,
    timestamp,
)

Seeds = Mapping[str, tuple[bytes, ...]]


@cache
def fleet() -> Fleet:
    """The fleet whose documents these are: few enough keys for a root of 2,048 bytes."""
    return make_fleet()


def next_root() -> bytes:
    """Root 2 of the fleet."""
    body = fleet().next_root()
    return seal(body, [key(name) for name in HOLDERS["root"][:2]])


_SMP = (
    ("0800000700000100", {"d": "hello"}),
    ("0a00001f00400201", {"data": b"x" * 20, "off": 0, "len": 20}),
    ("0b00000500400302", {"rc": 0}),
    ("0900001300400403", {"err": {"group": 64, "rc": 3}}),
)


def _messages() -> tuple[bytes, ...]:
    """SMP messages whose heads say how long they are."""
    made = []
    for head, body in _SMP:
        code = encode(body)
        start = bytearray.fromhex(head)
        start[2:4] = len(code).to_bytes(2, "big")
        made.append(bytes(start) + code)
    return tuple(made)


@cache
def seeds() -> Seeds:
    """Kind -> examples; a kind is the leaf of a topic, or what a parser is called by."""
    f = fleet()
    header = notice(f)
    drawn = replace(text("ja"), pages=(hashlib.sha256(bytes(1_024)).digest(),))
    listed = catalogue(f, header)
    patch = suit_case.signed(f)
    image = mcuboot.pack(b"code " * 20, (1, 4, 2, 7), security_counter=3)
    return {
        "root": (f.root_document, next_root()),
        "root-body": (body_bytes(f.root_document), body_bytes(next_root())),
        "timestamp": (f.seal(timestamp(f, listed)),),
        "catalogue": (f.seal(listed), f.seal(catalogue(f))),
        "notice": (f.seal(header), f.seal(header, "engineering"), f.seal(notice(f, revision=2))),
        "text": (dump(text()), dump(drawn)),
        "pages": (bytes(1_024),),
        "offer": tuple(
            f.seal(offer(f, **more))
            for more in (
                {"digest": manifest_digest(patch)},
                {"digest": manifest_digest(patch), "cancel": True},
                {},
            )
        ),
        "answer": (f.seal(answer(f)),),
        "devices": (f.seal(devices(f)),),
        "report": (f.report(report(f)),),
        "patch": (patch, *(suit_case.signed(f, envelope=make()) for make in suit_case.OURS.values())),
        "block": (dump(Block(digest=hashlib.sha256(image).digest(), offset=0, data=image[:200])),),
        "want": (dump(Want(nonce=bytes(16), topics=("root/2",), blocks=(bytes(32), 0, 4))),),
        "image": (image, suit_case.IMAGE),
        "sign1": (cose.sign1(b"payload", key("one"), typ="tocsin/x"),),
        "cbor": tuple(
            encode(value)
            for value in (
                {1: [1, -1, "é", b"\0"], "k": {b"": None, -1: True}},
                cbor2.CBORTag(98, [[[[[]]]], {}]),
                [0, 23, 24, 255, 256, 65_535, 65_536, 2**32, 2**64 - 1, -(2**64)],
            )
        ),
        "smp": _messages(),
        "lines": (
            *(encode_lines(message, 40) for message in _messages()),
            b"uart:~$ \x06\x09AAA\nboot\r\n" + encode_lines(_messages()[0]),
        ),
    }


TOPICS = (
    "root", "timestamp", "catalogue", "notice", "text", "pages", "patch", "offer", "answer", "block",
)  # fmt: skip
"""Topics by their numbers in hil/refdevice/fuzz/device.c."""


def _message(kind: str, data: bytes) -> bytes:
    return bytes((0, TOPICS.index(kind))) + len(data).to_bytes(2, "little") + data


def _request(command: Command, **body: Any) -> bytes:
    message = request(command, body, 7)
    return b"\x06" + len(message).to_bytes(2, "little") + message


def _by_line() -> Iterator[bytes]:
    """Every command of a serial board, and a document that is put piece by piece and submitted."""
    kinds = {"uint": 1, "int": 1, "text": "yes", "bytes": b"b" * 32, "bool": True, "array": [], "map": {}}
    commands = [one for one in vars(smp).values() if isinstance(one, Command)]
    for command in sorted(commands, key=lambda one: one.name != "notifier.carrier"):
        body = {name: kinds[kind.rstrip("?")] for name, kind in command.request.items()}
        if command.name not in {"os.reset", "notifier.provision", "notifier.fault"}:
            yield _request(command, **body)
    document = fleet().seal(catalogue(fleet()))
    sha = hashlib.sha256(document).digest()
    for at in range(0, len(document), 200):
        length = {} if at else {"len": len(document)}
        yield _request(smp.NOTIFIER_PUT, sha=sha, off=at, data=document[at : at + 200], **length)
    yield _request(smp.NOTIFIER_SUBMIT, sha=sha, topic="tocsin/v1/catalogue/thermostat", key=3)
    for command in (
        smp.NOTIFIER_REPORT,
        smp.NOTIFIER_NOTICE,
        smp.NOTIFIER_STATE,
        smp.STAT_LIST,
        smp.IMG_STATE,
    ):
        yield _request(command)
    yield _request(smp.STAT_SHOW, name="smp")
    yield _request(smp.NOTIFIER_PRESS, button="later", key=4)
    yield _request(smp.NOTIFIER_PROVISION, what="language", value=b"de", key=5)
    yield _request(smp.NOTIFIER_PROVISION, what="erase", key=6)
    yield _request(smp.OS_RESET)


@cache
def current() -> tuple[tuple[str, bytes], ...]:
    """A catalogue that names the notice and the patch, and its timestamp."""
    f = fleet()
    of = catalogue(f, notice(f), patches=((7, manifest_digest(seeds()["patch"][0])),))
    return ("catalogue", f.seal(of)), ("timestamp", f.seal(timestamp(f, of)))


@cache
def device() -> tuple[bytes, ...]:
    """Lists of things that happen to a device, as hil/refdevice/fuzz/device.c reads them."""
    s = seeds()
    header, patch = s["notice"][0], s["patch"][0]
    known = b"".join(_message(kind, data) for kind, data in current())
    told = _message("notice", header) + _message("text", s["text"][0])
    offered = s["offer"][0]
    image = suit_case.IMAGE
    name = hashlib.sha256(image).digest()
    asked = _message("offer", offered) + _message("patch", patch)
    blocks = tuple(
        _message("block", dump(Block(digest=name, offset=at, data=image[at : at + 512])))
        for at in range(0, len(image), 512)
    )
    yes, later, tick, acknowledge, up, taken, again = (
        b"\x0b",
        b"\x1b",
        b"\x99",
        b"\x0a",
        b"\x0c",
        b"\x0d",
        b"\x0e",
    )
    answered = _message("answer", s["answer"][0])
    by_line = list(_by_line())
    lists = (
        (up, known, told, acknowledge, tick, again, tick),
        (up, known, asked, yes, *blocks, tick, again, tick),
        (up, known, told, asked, yes, *blocks[::-1], tick, *blocks, again, tick),
        (up, known, asked, later, tick, taken, tick, asked, yes, blocks[0], again, up, blocks[1], tick),
        (up, _message("root", s["root"][1]), known, told, again),
        (up, answered, tick, taken, tick, answered),
        by_line,
        (up, known, told, *by_line[-12:]),
        (up, known, asked, *by_line[-12:]),
    )
    return tuple(b"".join(one) for one in lists)


def write(folder: Path, kinds: Mapping[str, tuple[str, ...]]) -> None:
    """Write the seeds of each target into a folder of its own, named by their digests."""
    for target, wanted in kinds.items():
        place = folder / target
        place.mkdir(parents=True, exist_ok=True)
        for kind in wanted:
            for data in device() if kind == "device" else seeds()[kind]:
                (place / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
