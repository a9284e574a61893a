"""The owner's way into a running device without a keyboard: a Unix socket in its folder.

    {"do": "answer", "answer": "yes"}      ->  {"answer": "yes", "version": "1.4.2", ...}
    {"do": "acknowledge"}                  ->  {"acknowledged": ["EX-2026-0001"]}
    {"do": "status"}, {"do": "reset"}

One request a connection; it and its answer are one line of JSON each. Who may open the socket may answer: the
user as whom the device runs, and the members of one group.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from keys.errors import DamagedError, InputError, TocsinError, UnavailableError

NAME: Final = "control.sock"
RESET: Final = ".reset"
"""In a device's folder: it was reset while it did not run, and forgets at its next start."""
LINE_BYTES_MAX: Final = 1_024
"""Of a request."""
ANSWER_BYTES_MAX: Final = 65_536
WAIT_S: Final = 5.0
"""How long a client may take to ask, and the device to answer, in seconds."""
_CLIENTS_MAX: Final = 8
_KINDS: Final = {kind.exit_status: kind for kind in (InputError, UnavailableError, DamagedError)}

CarryOut = Callable[[dict[str, Any]], dict[str, Any]]


class Control:
    """Listens in a device's folder; requests are carried out in the event loop, one at a time.

    Args:
        home: the folder; the caller holds its lock, so that a socket found there is a dead process's.
        carry_out: does what a request says; its TocsinError is the answer.
        group: may connect too; empty: nobody else.

    Raises:
        InputError: NO_GROUP.
        UnavailableError: CONTROL_SOCKET.
    """

    def __init__(self, home: Path, carry_out: CarryOut, *, group: str = "") -> None:
        self._home = home
        self._carry_out = carry_out
        self._clients = 0
        self._server: asyncio.Server | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            number = grp.getgrnam(group).gr_gid if group else -1
            with _path(home) as path:
                Path(path).unlink(missing_ok=True)
                os.fchmod(self._socket.fileno(), 0o600)  # of the file that bind makes: never open to more
                self._socket.bind(path)
                if group:
                    os.chown(path, -1, number)
                    os.chmod(path, 0o660)  # noqa: PTH101 - through the folder's handle
        except KeyError:
            self._socket.close()
            message = f"There is no group '{group}'."
            raise InputError("NO_GROUP", message, mend="Make it, or correct device.toml.") from None
        except OSError as error:
            self._socket.close()
            message = f"The device's socket cannot be made ({error.strerror})."
            mend = "Check the folder's permissions."
            raise UnavailableError("CONTROL_SOCKET", message, mend=mend, where=str(home / NAME)) from None

    async def start(self) -> None:
        """Take requests from now on."""
        self._server = await asyncio.start_unix_server(self._serve, sock=self._socket, limit=LINE_BYTES_MAX)

    async def close(self) -> None:
        """Take no more, and leave nothing behind."""
        if self._server is not None:
            self._server.close()
        self._socket.close()
        with contextlib.suppress(OSError):  # the disk may be read-only by now; the next start clears it away
            (self._home / NAME).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                async with asyncio.timeout(WAIT_S):
                    if self._clients <= _CLIENTS_MAX:
                        answer = self._answer(await reader.readline())
                        writer.write(json.dumps(answer).encode() + b"\n")
                        await writer.drain()
        finally:
            self._clients -= 1
            writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                request = {}
            return self._carry_out(request)
        except (ValueError, RecursionError):
            error: TocsinError = InputError("BAD_REQUEST", "This is no JSON.")
        except TocsinError as found:
            error = found
        told = {"code": error.code, "message": error.message, "mend": error.mend, "where": error.where}
        return {"error": told, "exit_status": error.exit_status}


def call(home: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    """Ask the device that runs in a folder; None where none does.

    Raises:
        TocsinError: what the device said.
        UnavailableError: CONTROL_SOCKET: no answer, or no right to ask.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, _path(home) as path:
            sock.settimeout(WAIT_S)
            sock.connect(path)
            sock.sendall(json.dumps(request).encode() + b"\n")
            data = b""
            while (
                b"\n" not in data and len(data) < ANSWER_BYTES_MAX and (more := sock.recv(ANSWER_BYTES_MAX))
            ):
                data += more
        answer = json.loads(data)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no answer"
        message = f"The device cannot be asked ({why})."
        mend = "Run this as the device's user or group, or start the device again."
        raise UnavailableError("CONTROL_SOCKET", message, mend=mend, where=str(home / NAME)) from None
    if "error" in answer:
        kind = _KINDS.get(answer["exit_status"], UnavailableError)
        told = answer["error"]
        raise kind(told["code"], told["message"], mend=told["mend"], where=told["where"])
    return dict(answer)


@contextlib.contextmanager
def _path(home: Path) -> Iterator[str]:
    """Name the socket through a handle of its folder: a socket's own path has room for 107 bytes only."""
    handle = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{NAME}"
    finally:
        os.close(handle)
