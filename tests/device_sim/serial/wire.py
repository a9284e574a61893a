"""A board without a line: requests go in as bytes, answers and console log come out as bytes."""

from __future__ import annotations

import hashlib
import itertools
import struct
from pathlib import Path
from typing import Any

import cbor2

from advisories import smp
from advisories.smp import Command, Rc
from device_sim.core.profile import Profile
from device_sim.home import Home
from device_sim.serial.board import Board
from device_sim.serial.frames import Requests, encode
from tests.device_sim.core.firmware import CLASS, VENDOR, image
from tests.helpers import DEVICE, NOW, PRODUCT, make_fleet

FLEET = make_fleet()
HEADER = struct.Struct(">BBHHBB")
OLD = image()


class PowerCutError(Exception):
    """The power failed."""


class RefusedRequest(Exception):
    def __init__(self, rc: int) -> None:
        super().__init__(Rc(rc).name)
        self.rc = rc


def cut() -> None:
    raise PowerCutError


def profile(**changes: Any) -> Profile:
    base: dict[str, Any] = {
        "id": DEVICE,
        "product": PRODUCT,
        "vendor_id": VENDOR,
        "class_id": CLASS,
        "slot_bytes": 1 << 20,
    }
    return Profile(**{**base, **changes})


def make_home(folder: Path, **changes: Any) -> Home:
    made = profile(**changes)
    key = FLEET.device(made.id, made.product)
    return Home.create(folder / "home", made, key, FLEET.root_document, OLD, durable=False)


def request(command: Command, body: Any, *, sequence: int = 0, version: int = 2) -> bytes:
    data = body if isinstance(body, bytes) else cbor2.dumps(body)
    first = (version - 1) << 3 | (2 if command.write else 0)
    return HEADER.pack(first, 0, len(data), command.group, sequence, command.id) + data


def rc_of(body: dict[str, Any]) -> int:
    """The error code of an answer of either version; 0 where it has none."""
    return int(body["err"]["rc"] if "err" in body else body.get("rc", 0))


class Wire:
    """The bench's end of a line, in the same process."""

    def __init__(self, home: Home, *, on: bool = True, **options: Any) -> None:
        self.out = bytearray()
        self.keys = itertools.count(1)
        self.numbers = itertools.count()
        base: dict[str, Any] = {"test_build": True, "clock": lambda: NOW + 60.0, "die": cut}
        self.board = Board(home, self.out.extend, **{**base, **options})
        if on:
            self.board.power_on()

    @property
    def log(self) -> list[str]:
        """The console log so far."""
        lines = bytes(self.out).split(b"\n")[:-1]
        return [line.decode().rstrip("\r") for line in lines if line[:2] not in {b"\x06\x09", b"\x04\x14"}]

    def boots(self) -> list[str]:
        return [line for line in self.log if line.startswith("tocsin: boot")]

    def send(self, message: bytes) -> list[bytes]:
        """Send one message; return the messages that came back for it."""
        before = len(self.out)
        self.board.receive(encode(message))
        return Requests().feed(bytes(self.out[before:]))

    def ask(self, command: Command, body: Any = None, *, version: int = 2) -> dict[str, Any]:
        sequence = next(self.numbers) % 256
        (answer,) = self.send(request(command, body or {}, sequence=sequence, version=version))
        first, _, length, group, echoed, number = HEADER.unpack_from(answer)
        assert first == (version - 1) << 3 | (3 if command.write else 1)
        assert (group, echoed, number) == (command.group, sequence, command.id)
        data = answer[HEADER.size :]
        assert len(data) == length
        found: dict[str, Any] = cbor2.loads(data)
        if rc := rc_of(found):
            raise RefusedRequest(rc)
        assert smp.fits(command.answer, found) is None
        return found

    def act(self, command: Command, **body: Any) -> dict[str, Any]:
        """Send a request with a fresh key."""
        return self.ask(command, {**body, "key": next(self.keys)})

    def put(self, data: bytes) -> bytes:
        """Stage a message; return its digest."""
        part = min(1_500, self.board.machine.buffer_bytes - 128)
        sha = hashlib.sha256(data).digest()
        off = 0
        while True:
            body = {"sha": sha, "off": off, "data": data[off : off + part]}
            off = self.ask(smp.NOTIFIER_PUT, {**body, "len": len(data)} if not off else body)["off"]
            if off == len(data):
                return sha

    def submit(self, topic: str, data: bytes) -> dict[str, Any]:
        return self.act(smp.NOTIFIER_SUBMIT, sha=self.put(data), topic=topic)

    def take(self) -> list[tuple[int, str, bytes]]:
        """Everything that waits to be said, in order."""
        found = []
        head = self.ask(smp.NOTIFIER_REPORT)
        while head:
            data = head["data"]
            while len(data) < head["len"]:
                data += self.ask(smp.NOTIFIER_REPORT, {"off": len(data)})["data"]
            found.append((head["kind"], head["topic"], data))
            head = self.ask(smp.NOTIFIER_REPORT, {"ack": head["number"]})
        return found

    def screen(self) -> list[str]:
        """All lines that the device shows."""
        lines: list[str] = []
        while True:
            part = self.ask(smp.NOTIFIER_NOTICE, {"off": len(lines)})
            lines += part["lines"]
            if len(lines) == part["count"]:
                return lines

    def upload(self, data: bytes, *, part: int = 1_500, **first: Any) -> dict[str, Any]:
        """Upload an image; return the last answer."""
        sha, off, answer = hashlib.sha256(data).digest(), 0, {}
        while off < len(data):
            body: dict[str, Any] = {"off": off, "data": data[off : off + part]}
            if off == 0:
                body |= {"len": len(data), "sha": sha, "image": 0, **first}
            answer = self.ask(smp.IMG_UPLOAD, body)
            off = answer["off"]
        return answer

    def images(self) -> dict[int, dict[str, Any]]:
        return {row["slot"]: row for row in self.ask(smp.IMG_STATE)["images"]}

    def state(self) -> dict[str, Any]:
        return self.ask(smp.NOTIFIER_STATE)

    def close(self) -> None:
        self.board.machine.timers.stop()
