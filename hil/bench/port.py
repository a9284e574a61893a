"""Ports of pyserial as a bench needs them: told apart when they cannot be opened, and no byte thrown away."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import select
import socket
import struct
import termios
import warnings
from pathlib import Path
from typing import Any, Final

import serial
from serial.tools import list_ports

from hil.errors import BenchError

WRITE_TIMEOUT_S: Final = 5.0
"""A port that takes no byte for so long belongs to a board that hangs."""
_POLL_S: Final = 0.02  # of ports that cannot be waited for together with our own wake-up
_READ_BYTES: Final = 65_536
_HWGREP: Final = "hwgrep://"
_OPTIONS_DROPPED: Final = ("skip_busy", "logging=")

_CODES: Final = {
    errno.ENOENT: "PORT_MISSING",
    errno.ENODEV: "PORT_MISSING",
    errno.ENXIO: "PORT_MISSING",
    errno.EIO: "PORT_MISSING",
    errno.ECONNREFUSED: "PORT_MISSING",
    errno.EHOSTUNREACH: "PORT_MISSING",
    errno.EISDIR: "PORT_URL",
    errno.EACCES: "PORT_DENIED",
    errno.EPERM: "PORT_DENIED",
    errno.EBUSY: "PORT_BUSY",
    errno.EAGAIN: "PORT_BUSY",
}
_WORDS: Final = {
    "PORT_MISSING": ("There is no port {url}", "Plug the board in, power it, or mend the board file's url."),
    "PORT_DENIED": (
        "This user may not open {url}",
        "Join the port's group (often: sudo usermod -aG dialout $USER) and log in again.",
    ),
    "PORT_BUSY": ("Somebody else has {url} open", "Close the other program; hil who and fuser name it."),
    "PORT_URL": ("{url} is no serial port", "Write a device, or a URL such as socket://HOST:PORT."),
}


def port_error(code: str, url: str, why: str) -> BenchError:
    """Return the error of a port that cannot be opened."""
    said, mend = _WORDS[code]
    return BenchError(code, f"{said.format(url=url)}: {why}.", mend=mend)


def resolve(url: str) -> str:
    """Return the port that a URL means now: ``hwgrep://`` looked up, links of the file system followed.

    ``hwgrep://A&B`` means the port whose name, description or hardware ids match every one of the regular
    expressions; ``n=2`` among them means the second of such ports. Other URLs come back as they are.

    Raises:
        BenchError: PORT_MISSING, nothing matches; PORT_URL, it is no pattern.
    """
    if url.lower().startswith(_HWGREP):
        return _grep(url)
    if "://" in url:
        return url
    with contextlib.suppress(OSError, RuntimeError):  # a ring of links is told when it is opened
        return str(Path(url).resolve())
    return url


def _grep(url: str) -> str:
    wanted, number = [], 1
    for part in url[len(_HWGREP) :].split("&"):
        if part.startswith("n=") and part[2:].isdecimal():
            number = max(1, int(part[2:]))
        elif part and not part.startswith(_OPTIONS_DROPPED):
            wanted.append(part)
    try:
        patterns = [re.compile(part, re.IGNORECASE) for part in wanted]
    except re.error as error:
        raise port_error("PORT_URL", url, f"the pattern is wrong, {error}") from None
    ports = sorted(list_ports.comports())
    found = [
        port.device
        for port in ports
        if all(
            any(pattern.search(text or "") for text in (port.device, port.description, port.hwid))
            for pattern in patterns
        )
    ]
    if len(found) < number:
        there = ", ".join(f"{port.device} ({port.hwid})" for port in ports) or "none"
        raise port_error("PORT_MISSING", url, f"ports that are there: {there}")
    return str(found[number - 1])


def _cause(error: BaseException) -> tuple[str, str]:
    """Return code and reason of what pyserial raised: its exceptions hide the system's in their context."""
    reason = str(error).rstrip(".")
    if isinstance(error, ValueError) or "expected a string in the form" in reason:
        return "PORT_URL", reason
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(
            seen, (TypeError, ValueError, OverflowError)
        ):  # a URL without a port number, or a wrong one
            return "PORT_URL", reason
        if isinstance(seen, termios.error):  # a file, or a device of another kind
            return "PORT_URL", str(seen.args[-1])
        if isinstance(seen, OSError) and seen.errno in _CODES:
            return _CODES[seen.errno], os.strerror(seen.errno)
        seen = seen.__context__
    return "PORT_MISSING", reason


def _nothing() -> None:
    """Stand for what pyserial does at opening and a bench must not: lose what has come, set DTR and RTS."""


def open_port(url: str, *, baud: int, dtr: bool | None, rts: bool | None) -> Any:
    """Open a port of any kind with its lines in the given state from the first moment.

    Raises:
        BenchError: PORT_MISSING, PORT_BUSY, PORT_DENIED, PORT_URL.
    """
    found = resolve(url)
    device = "://" not in found
    try:
        port: Any = serial.serial_for_url(
            found, do_not_open=True, baudrate=baud, exclusive=True if device else None
        )
        port.timeout = 0 if _waitable(port) else _POLL_S
        if not hasattr(port, "rfc2217_set_control"):  # which has no time limit for writing
            port.write_timeout = WRITE_TIMEOUT_S
        for name, level in (("dtr", dtr), ("rts", rts)):
            if level is not None:
                setattr(port, name, level)
            else:  # a far server whose port has no such line would never answer
                setattr(port, f"_update_{name}_state", _nothing)
        port.reset_input_buffer = port._reset_input_buffer = _nothing  # noqa: SLF001 - no public way
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pyserial 3.5 names its threads the old way
            port.open()
        for name in ("dtr", "rts"):
            vars(port).pop(f"_update_{name}_state", None)
        wire = getattr(port, "_socket", None)
        if isinstance(wire, socket.socket):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a second write waits 40 ms otherwise
    except (OSError, ValueError, termios.error) as error:
        code, why = _cause(error)
        raise port_error(code, url, why) from None
    return port


def _waitable(port: Any) -> bool:
    """Say whether :func:`select.select` works on this kind of port."""
    return type(port).fileno is not serial.SerialBase.fileno


def close_port(port: Any) -> None:
    """Close a port; without pyserial's pause after a socket, and with the socket closed in any case."""
    wire = getattr(port, "_socket", None)
    if not isinstance(wire, socket.socket):
        with contextlib.suppress(OSError):
            port.close()
        return
    port.is_open = False
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    thread = getattr(port, "_thread", None)
    if thread is not None:
        thread.join()  # it wakes by the shutdown
    wire.close()


def read_port(port: Any, wake: int, wait_s: float) -> bytes:
    """Return what has come, or nothing after a while or when a byte lies in the pipe ``wake``.

    Raises:
        OSError: the port went away.
    """
    if _waitable(port):
        ready, _, _ = select.select([port.fileno(), wake], [], [], wait_s)
        if wake in ready:
            os.read(wake, 4096)
        return bytes(port.read(_READ_BYTES)) if len(ready) > (wake in ready) else b""
    first = port.read(1)
    return bytes(first + port.read(port.in_waiting)) if first else b""


def why_no_control(port: Any, url: str) -> str:
    """Return why DTR and RTS of an open port steer nothing; empty if they do."""
    if url.lower().startswith("socket://"):
        return "a plain socket has no DTR and RTS (rfc2217:// has)"
    if not isinstance(port, serial.Serial):
        return ""
    try:
        fcntl.ioctl(port.fileno(), termios.TIOCMGET, struct.pack("I", 0))
    except OSError as error:
        return f"it has no DTR and RTS ({error.strerror})"
    return ""
