"""A port that nothing is known of: what it says, at which baud rate, and whether it speaks SMP."""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hil.bench.console import plain
from hil.bench.line import Line
from hil.errors import BenchError, DeviceGone, DeviceHung
from hil.smp.client import SmpClient

BAUDS: Final = (115_200, 57_600, 38_400, 19_200, 9_600, 230_400, 460_800, 921_600, 1_000_000)
"""Rates that boards come with, the usual one first."""
LISTEN_S: Final = 1.0
ANSWER_S: Final = 1.2  # a board answers within milliseconds; the first request after its boot may be lost
_PROMPT_S: Final = 0.4
_GARBAGE: Final = 0.25  # text at a wrong rate is mostly more; text at the right one hardly any
_LINE_MAX: Final = 60  # characters of a console line that a test expects
_NUMBER: Final = re.compile(r"0x[0-9A-Fa-f]+|[0-9]+")
_WORTH_BYTES: Final = 4  # of which anything can be said
_TEXT: Final = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from a port at one baud rate."""

    baud: int
    data: bytes = b""
    """Console bytes that nobody asked for."""
    smp: bool = False
    """True where it answered an SMP echo."""
    prompt: bytes = b""
    """Without SMP: what came after an empty line was sent."""

    @property
    def garbage(self) -> bool:
        """Say whether what came can be no text."""
        return not self.smp and share_of_garbage(self.data + self.prompt) >= _GARBAGE

    @property
    def useful(self) -> bool:
        """Say whether this is the board's baud rate, as far as can be told."""
        return self.smp or (bool(self.data.strip() or self.prompt.strip()) and not self.garbage)

    def lines(self) -> list[str]:
        """Return whole lines that came without being asked for."""
        return [line.strip() for line in plain(self.data).split("\n")[:-1] if line.strip()]

    def asked(self) -> str:
        """Return the last line that came after an empty line: a shell's prompt."""
        found = [line.strip() for line in plain(self.prompt).split("\n") if line.strip()]
        return found[-1] if found else ""


def share_of_garbage(data: bytes) -> float:
    """Return the share of characters that no console prints; 0.0 where there is too little to tell.

    A character cut in two at the end, and the escape sequences of colours, are text.
    """
    if len(data) < _WORTH_BYTES:
        return 0.0
    text = codecs.getincrementaldecoder("utf-8")(errors="replace").decode(data)
    return 1 - len(_TEXT.findall(text)) / max(1, len(text))


def pattern_of(line: str) -> str:
    """Return a regular expression of a console line in which the numbers may be others."""
    words = [
        re.escape(word).replace("\\ ", " ").replace("\\-", "-") for word in _NUMBER.split(line[:_LINE_MAX])
    ]
    return "[0-9A-Fa-fx]+".join(words)


def hear(
    url: str, baud: int, *, listen_s: float = LISTEN_S, answer_s: float = ANSWER_S, smp: bool = True
) -> Heard:
    """Open a port, listen, ask for an SMP echo, and send an empty line where there is no answer.

    Args:
        url: any URL that a board file may name.
        baud: bits a second.
        listen_s: seconds to listen before anything is sent.
        answer_s: seconds to wait for an answer.
        smp: whether SMP is tried.

    Raises:
        BenchError: PORT_*; PORT_LOST: it went away meanwhile.
    """
    line = Line.open(url, baud=baud)
    try:
        threading.Event().wait(listen_s)
        line.mark()  # lets out a half line
        data = line.console.raw(0)
        if smp and _echoes(line, answer_s):
            return Heard(baud, data, smp=True)
        since = line.mark()
        line.write(b"\r\n")
        threading.Event().wait(min(_PROMPT_S, answer_s))
        line.mark()
        return Heard(baud, data, prompt=line.console.raw(since))
    except DeviceGone:
        last = next(reversed([one for one in plain(line.console.raw(0)).split("\n") if one.strip()]), "")
        said = "".join(c for c in last[:_LINE_MAX] if c.isprintable()).strip()
        message = f"{url} went away while it was listened to{f'; it said last: {said!r}' if said else ''}."
        mend = "Look at cable and power; at a socket, whether it lets only one client in at a time."
        raise BenchError("PORT_LOST", message, mend=mend) from None
    finally:
        line.close()


def _echoes(line: Line, answer_s: float) -> bool:
    try:
        SmpClient(line).wait_ready(answer_s)
    except DeviceHung:
        return False
    return True


def find_baud(
    url: str,
    bauds: Sequence[int] = BAUDS,
    *,
    listen_s: float = LISTEN_S,
    answer_s: float = ANSWER_S,
    tells: Callable[[str], object] = len,
) -> tuple[Heard | None, list[Heard]]:
    """Try baud rates until one gives SMP or text.

    Returns:
        The rate that is the board's, or None; and everything that was heard.

    Raises:
        BenchError: PORT_*; PORT_LOST: it went away meanwhile.
    """
    tried: list[Heard] = []
    for baud in bauds:
        tells(f"{url}: listening at {baud} baud")
        heard = hear(url, baud, listen_s=listen_s, answer_s=answer_s)
        tried.append(heard)
        if heard.useful:
            return heard, tried
        if url.startswith("socket://"):
            break  # the rate is set at the other end
    return None, tried
