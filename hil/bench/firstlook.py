"""A board that nothing is known of: what ``hil init`` finds out on its port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from hil.bench.line import Line
from hil.bench.listen import ANSWER_S, BAUDS, LISTEN_S, Heard, find_baud
from hil.bench.port import resolve
from hil.bench.probe import probe_smp
from hil.errors import BenchError, SmpFailure, SmpRefused
from hil.smp.client import SmpClient

T = TypeVar("T")

BUFFER_DEFAULT: Final = 384
_BY_ID: Final = Path("/dev/serial/by-id")


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of the board on a port."""

    url: str
    """As the board file should name it."""
    heard: Heard
    capabilities: frozenset[str] = frozenset()
    """Of the firmware; empty without SMP."""
    buffer: int = BUFFER_DEFAULT
    info: str = ""
    """What runs, as the board says it; empty if it does not."""
    kind: str = ""
    """Its device class; empty if it does not say."""
    slots: int = 0
    """Image slots that hold something."""

    def groups(self) -> list[str]:
        """Return the groups that it answers, in the order of their numbers."""
        known = ("os", "img", "stat", "group.notifier")
        return [name.removeprefix("group.") for name in known if name in self.capabilities]

    def told(self) -> str:
        """Return in one sentence what was found."""
        rate = f"at {self.heard.baud} baud"
        if self.heard.smp:
            build = ", of a test build" if "notifier.press" in self.capabilities else ""
            return f"SMP {rate}: {', '.join(self.groups())}{build}."
        what = "a console that prints" if self.heard.lines() else "a shell"
        return f"No SMP {rate}, but {what}."


def look(
    url: str,
    *,
    bauds: Sequence[int] = BAUDS,
    listen_s: float = LISTEN_S,
    answer_s: float = ANSWER_S,
    tells: Callable[[str], object] = len,
) -> Found:
    """Find out what is on a port.

    Args:
        url: the port, as a person typed it.
        bauds: rates to try.
        listen_s: seconds to listen at each.
        answer_s: seconds to wait for an answer at each.
        tells: told what is being done.

    Raises:
        BenchError: PORT_*; NOTHING_HEARD, GARBAGE_HEARD: neither SMP nor text at any rate.
        DeviceGone: the port went away meanwhile.
    """
    heard, tried = find_baud(url, bauds, listen_s=listen_s, answer_s=answer_s, tells=tells)
    if heard is None:
        raise _nothing(url, tried, listen_s)
    name = stable_name(url)
    if not heard.smp:
        return Found(name, heard)
    line = Line.open(url, baud=heard.baud)
    try:
        client = SmpClient(line, timeout_s=max(answer_s, 1.0))
        client.wait_ready(max(answer_s, 1.0))
        tells(f"{url}: it speaks SMP; asking what it can do")
        capabilities = probe_smp(client)
        info = _asked(lambda: client.os.info("a"), "")
        kind = ""
        if "group.notifier" in capabilities:
            about = client.notifier.info()
            info = info or f"{about.id}, firmware {about.fw}, hardware {about.hw}"
            kind = about.class_
        buffer = _asked(client.learn_buffer, BUFFER_DEFAULT)
        slots = _asked(lambda: len(client.img.state()), 0) if "img" in capabilities else 0
    finally:
        line.close()
    return Found(name, heard, capabilities, buffer, _one_line(info), _one_line(kind), slots)


def _asked(ask: Callable[[], T], otherwise: T) -> T:
    try:
        return ask()
    except (SmpRefused, SmpFailure):
        return otherwise


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:120].strip()


def _nothing(url: str, tried: Sequence[Heard], listen_s: float) -> BenchError:
    rates = ", ".join(str(heard.baud) for heard in tried)
    if any(heard.garbage for heard in tried):
        message = f"What comes from {url} is no text at {rates} baud."
        mend = "Give the firmware's rate with --baud, and look at ground and voltage of the cable."
        return BenchError("GARBAGE_HEARD", message, mend=mend)
    message = (
        f"Nothing came from {url}: {listen_s:g} s were listened to at each of {rates} baud, "
        "then an SMP echo and an empty line were sent."
    )
    mend = (
        "Look at power, port and RX/TX; if it speaks only at its start: --listen 30, and reset it. "
        f"'hil doctor {url}' looks further."
    )
    return BenchError("NOTHING_HEARD", message, mend=mend)


def stable_name(url: str, folder: Path = _BY_ID) -> str:
    """Return the name of a port that survives replugging, if udev gives one; else its path or URL.

    Args:
        url: as typed. A link of somebody's own is kept.
        folder: udev's links.
    """
    if "://" in url:
        return url
    path = Path(url).absolute()
    if path.is_symlink():
        return str(path)
    device = resolve(url)
    links = sorted(folder.iterdir()) if folder.is_dir() else []
    return next((str(link) for link in links if str(link.resolve()) == device), str(path))
