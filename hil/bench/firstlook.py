"""A board that nothing is known of: what ``hil init`` finds out on its port."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, TypeVar

from hil.bench.line import Line
from hil.bench.listen import ANSWER_S, BAUDS, LISTEN_S, Heard, find_baud, hear, pattern_of
from hil.bench.port import resolve
from hil.bench.probe import probe_smp
from hil.errors import BenchError, SmpFailure, SmpRefused
from hil.smp.client import SmpClient

T = TypeVar("T")

BUFFER_DEFAULT: Final = 384
_LINES: Final = 40  # of which one is chosen
_BY_ID: Final = Path("/dev/serial/by-id")


class Says(Enum):
    """When a console without SMP says what a test can expect."""

    AGAIN = "a console that prints"
    ASKED = "a shell that answers an empty line"
    ONCE = "a console that printed once"


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
    says: Says = Says.ONCE
    words: str = ""
    """Without SMP: a line of its console."""

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
        return f"No SMP {rate}, but {self.says.value}."


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
        tells(f"{url}: it speaks no SMP; listening once more")
        return _console(name, heard, hear(url, heard.baud, listen_s=listen_s, answer_s=answer_s, smp=False))
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


def _console(name: str, first: Heard, second: Heard) -> Found:
    """Find what comes each time: a first test that passed only once would be none."""
    prompt = first.asked()
    if prompt and re.search(pattern_of(prompt), second.asked()):
        return Found(name, first, says=Says.ASKED, words=prompt)
    again = "\n".join(second.lines())
    lines = sorted(first.lines()[:_LINES], key=len, reverse=True)
    for line in lines:
        if re.search(pattern_of(line), again):
            return Found(name, first, says=Says.AGAIN, words=line)
    return Found(name, first, says=Says.ONCE, words=lines[0] if lines else prompt)


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
