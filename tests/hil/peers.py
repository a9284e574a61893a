"""Boards to test against: firmware that behaves as real ones do, behind a PTY or a socket.

    with PtyHost(Zephyr) as host:                 # a board on a PTY; host.path is its port
        line = Line.open(str(host.path))
    python peers.py pty LINK Mynewt               # the same as a program, for `spawn`
    python peers.py tcp PORT Zephyr

Frames are read and written here without the code under test.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import select
import socket
import struct
import sys
import threading
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2

HEADER = struct.Struct(">BBHHBB")  # op and version, flags, length, group, sequence, id
ENOTSUP = 8


def frame(message: bytes, end: bytes = b"\n", line_bytes: int = 127) -> list[bytes]:
    """The lines of one message."""
    whole = struct.pack(">H", len(message) + 2) + message
    code = base64.b64encode(whole + struct.pack(">H", binascii.crc_hqx(message, 0)))
    room = (line_bytes - 3) // 4 * 4
    cut = [code[at : at + room] for at in range(0, len(code), room)]
    return [(b"\x04\x14" if number else b"\x06\x09") + piece + end for number, piece in enumerate(cut)]


def read_frame(lines: list[bytes]) -> bytes | None:
    """The message in a frame's lines; None where it is broken."""
    try:
        whole = base64.b64decode(b"".join(line[2:].strip() for line in lines), validate=True)
    except binascii.Error:
        return None
    message, crc = whole[2:-2], whole[-2:]
    good = len(whole) >= 12 and binascii.crc_hqx(message, 0) == int.from_bytes(crc, "big")
    return message if good and int.from_bytes(whole[:2], "big") == len(whole) - 2 else None


class Firmware:
    """A board that answers echo, img.state, stat.list and reset, in version 1, and nothing else.

    Subclasses change what is special about them. ``say`` puts bytes on the line; ``asked`` holds (group, id)
    of each request that was understood.
    """

    BOOT = b"*** Booting Zephyr OS build v2.5.0 ***\r\n"
    END = b"\n"

    def __init__(self, say: Callable[[bytes], None]) -> None:
        self.say = say
        self.asked: list[tuple[int, int]] = []
        self.boots = 0
        self._line = bytearray()
        self._frame: list[bytes] = []

    def boot(self) -> None:
        self._line.clear()
        self._frame.clear()
        self.boots += 1
        self.say(self.BOOT)

    def take(self, data: bytes) -> None:
        """Bytes came; a line is looked at when it is over, so a line without its end eats the next one."""
        for byte in data:
            self._line.append(byte)
            if byte == 0x0A:
                line, self._line = bytes(self._line), bytearray()
                self.on_line(line)

    def on_line(self, line: bytes) -> None:
        if line[:2] == b"\x06\x09":
            self._frame = [line]
        elif line[:2] == b"\x04\x14" and self._frame:
            self._frame.append(line)
        else:
            self.on_text(line)
            return
        message = read_frame(self._frame)
        if message is not None:
            self._frame = []
            self.on_message(message)

    def on_text(self, line: bytes) -> None:
        """Console input; nobody listens."""

    def on_message(self, message: bytes) -> None:
        op, _, _, group, sequence, id_ = HEADER.unpack(message[:8])
        self.asked.append((group, id_))
        self.on_request(op & 7, group, id_, sequence, cbor2.loads(message[8:]))

    def on_request(self, op: int, group: int, id_: int, sequence: int, body: dict[str, Any]) -> None:
        if (answer := self.answer(group, id_, body)) is not None:
            self.reply(op, group, id_, sequence, answer)
        if (group, id_) == (0, 5):
            self.boot()

    def answer(self, group: int, id_: int, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer's body; None for silence."""
        known = {
            (0, 0): {"r": body.get("d", "")},
            (0, 5): {"rc": 0},
            (1, 0): {"images": [{"slot": 0, "version": "1.0.0", "hash": bytes(32), "active": True}]},
            (2, 1): {"stat_list": ["a", "b"]},
        }
        return known.get((group, id_), {"rc": ENOTSUP})

    def reply(self, op: int, group: int, id_: int, sequence: int, body: dict[str, Any]) -> None:
        code = cbor2.dumps(body)
        self.put(frame(HEADER.pack(op + 1, 0, len(code), group, sequence, id_) + code, self.END))

    def put(self, lines: list[bytes]) -> None:
        for line in lines:
            self.say(line)


class Zephyr(Firmware):
    """Drains its FIFO right after boot: the first request is lost."""

    def boot(self) -> None:
        self.deaf = True
        super().boot()

    def on_message(self, message: bytes) -> None:
        if self.deaf:
            self.deaf = False
        else:
            super().on_message(message)


class Mynewt(Firmware):
    """Echoes what it gets, ends lines with CR LF, and says a prompt in colour around every frame."""

    BOOT = b"\x1b[0m000000 compat> boot\r\n"
    END = b"\r\n"
    PROMPT = b"\x1b[1;32m000012 compat> \x1b[0m"

    def take(self, data: bytes) -> None:
        self.say(data.replace(b"\n", b"\r\n"))
        super().take(data)

    def on_text(self, line: bytes) -> None:
        if line.strip():
            self.say(b"Unrecognized command: " + line.strip() + b"\r\n" + self.PROMPT)

    def put(self, lines: list[bytes]) -> None:
        self.say(b"000013 [ts=13, mod=4 level=1] ")
        super().put(lines)
        self.say(self.PROMPT)


class Truncates(Firmware):
    """The first answer to img.state breaks off in its first line, without a line end."""

    cut = False

    def on_request(self, op: int, group: int, id_: int, sequence: int, body: dict[str, Any]) -> None:
        if (group, id_) == (1, 0) and not self.cut:
            self.cut = True
            say, self.say = self.say, lambda data: say(data[:20]) if data[:2] == b"\x06\x09" else None
            super().on_request(op, group, id_, sequence, body)
            self.say = say
        else:
            super().on_request(op, group, id_, sequence, body)


class Late(Firmware):
    """The answer to the first img.state comes only when it is asked again."""

    held: tuple[Any, ...] | None = None

    def on_request(self, op: int, group: int, id_: int, sequence: int, body: dict[str, Any]) -> None:
        if (group, id_) == (1, 0) and self.held is None:
            self.held = (op, group, id_, sequence, body)
            return
        if self.held:
            held, self.held = self.held, ()
            super().on_request(*held)
        super().on_request(op, group, id_, sequence, body)


class Hangs(Firmware):
    """Answers a reset, and never says anything again, until its power is cut."""

    hung = False

    def boot(self) -> None:
        self.hung = self.boots > 0
        if not self.hung:
            super().boot()

    def take(self, data: bytes) -> None:
        if not self.hung:
            super().take(data)


class Reboots(Firmware):
    """Starts anew when it is asked for img.state."""

    def on_request(self, op: int, group: int, id_: int, sequence: int, body: dict[str, Any]) -> None:
        if (group, id_) == (1, 0):
            self.boot()
        else:
            super().on_request(op, group, id_, sequence, body)


class Silent(Firmware):
    """Knows echo, and has nothing to say to anything else."""

    def answer(self, group: int, id_: int, body: dict[str, Any]) -> dict[str, Any] | None:
        return super().answer(group, id_, body) if (group, id_) == (0, 0) else None


class Interrupts(Firmware):
    """Writes a log line between the lines of every frame, and noise at its boot; half lines everywhere."""

    BOOT = b"\x00\xff\xfe\x06garbage \x04\x14AAAA\r\n\x06\x09not base64!\r\nBooting\r\nloading "

    def put(self, lines: list[bytes]) -> None:
        for line in lines:
            for piece in (b"I (42) wifi: sta", b"tion joined\r\n", line[:7], line[7:]):
                self.say(piece)
        self.say(b"> ")


class Shell(Firmware):
    """No SMP: a shell with a prompt that repeats each line."""

    BOOT = b"shell ready\r\n$ "

    def on_line(self, line: bytes) -> None:
        self.say(b"you said: " + line.strip() + b"\r\n$ ")


KINDS = {kind.__name__: kind for kind in (Firmware, *Firmware.__subclasses__())}


class _Host:
    """A thread that hands what comes on a file descriptor to firmware."""

    def __init__(self, kind: Callable[[Callable[[bytes], None]], Firmware]) -> None:
        self.firmware = kind(self.say)
        self._fd = -1
        self._thread: threading.Thread | None = None
        self._stop, self._stopper = os.pipe()

    def say(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._fd, data) :]

    def _serve(self) -> None:
        while self._fd >= 0:
            ready, _, _ = select.select([self._fd, self._stop], [], [])
            if self._stop in ready:
                return
            data = b""
            with contextlib.suppress(OSError):
                data = os.read(self._fd, 4096)
            if not data:
                return
            self.firmware.take(data)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _halt(self) -> None:
        if self._thread is not None:
            os.write(self._stopper, b".")
            self._thread.join()
            self._thread = None
            os.read(self._stop, 1)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.off()  # of the class below
        os.close(self._stop)
        os.close(self._stopper)


class PtyHost(_Host):
    """A board on a PTY that is there from the beginning; ``link`` is made to point to it."""

    def __init__(
        self, kind: Callable[[Callable[[bytes], None]], Firmware] = Firmware, link: Path | None = None
    ) -> None:
        super().__init__(kind)
        self._link = link
        self._slave = -1
        self.device = Path()
        self.on()

    @property
    def path(self) -> Path:
        """The port."""
        return self._link or self.device

    def on(self) -> None:
        """The port appears, under whatever name is free, and the board boots."""
        self._plug()
        self.firmware.boot()
        self._start()

    def off(self) -> None:
        """The port goes away."""
        self._halt()
        self.hang_up()

    def replug(self) -> None:
        """The port goes away for a while and the board boots; called by the firmware itself."""
        self.hang_up()
        select.select([], [], [], 0.1)
        self._plug()
        self.firmware.boot()

    def _plug(self) -> None:
        self._fd, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.device = Path(os.ttyname(self._slave))
        if self._link is not None:
            fresh = self._link.with_name(self._link.name + ".new")
            fresh.symlink_to(self.device)
            fresh.replace(self._link)

    def hang_up(self) -> None:
        """The port goes away; may be called by the firmware itself."""
        if self._fd >= 0:
            os.close(self._fd)
            os.close(self._slave)
            self._fd = self._slave = -1
        if self._link:
            self._link.unlink(missing_ok=True)


class SocketHost(_Host):
    """A board behind a TCP port; it boots when somebody connects, and serves one after the other."""

    def __init__(self, kind: Callable[[Callable[[bytes], None]], Firmware] = Firmware, port: int = 0) -> None:
        super().__init__(kind)
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._start()

    @property
    def url(self) -> str:
        return f"socket://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._stop], [], [])
            if self._stop in ready:
                return
            connection, _ = self._listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._fd = connection.fileno()
                self.firmware.boot()
                super()._serve()
            if select.select([self._stop], [], [], 0)[0]:
                return

    def hang_up(self) -> None:
        """The connection ends; may be called by the firmware itself."""
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._fd)) as connection:
            connection.shutdown(socket.SHUT_RDWR)

    def off(self) -> None:
        self._halt()
        self._listener.close()


def main(arguments: list[str]) -> None:
    """Run as a program: ``pty LINK KIND`` or ``tcp PORT KIND``; ends when it is killed."""
    how, where, kind = arguments
    if how == "pty":
        PtyHost(KINDS[kind], Path(where))
    else:
        SocketHost(KINDS[kind], int(where))
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
