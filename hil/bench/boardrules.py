"""Rules between keys of one board: what cannot work is refused when the file is read, not in mid-test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hil.bench.board import Entry, Spawn
from hil.bench.boardfaults import Fault, near

_SCHEMES: Final = ("hwgrep", "socket", "rfc2217", "loop", "spy", "alt", "cp2110")
_NETWORK: Final = frozenset({"socket", "rfc2217"})
_SELECTS: Final[dict[str, tuple[str, dict[str, tuple[set[str], set[str]]]]]] = {
    "reset": (
        "by",
        {
            "none": (set(), set()),
            "dtr": (set(), {"active_low", "hold_s"}),
            "rts": (set(), {"active_low", "hold_s"}),
            "esp32": (set(), {"hold_s"}),
            "command": ({"command"}, set()),
            "smp": (set(), set()),
        },
    ),
    "power": (
        "driver",
        {
            "none": (set(), set()),
            "command": ({"on", "off"}, {"off_s", "settle_s"}),
            "uhubctl": ({"hub", "port"}, {"off_s", "settle_s"}),
            "process": (set(), {"off_s", "settle_s"}),
            "manual": (set(), {"off_s", "settle_s"}),
        },
    ),
    "spawn": (
        "driver",
        {
            "process": ({"command"}, {"serial", "env", "cwd"}),
            "qemu": ({"machine", "elf"}, {"command", "serial", "env", "cwd"}),
        },
    ),
}
"""Table -> the key that selects, and for each choice the keys that it needs, and others it knows."""


def faults(name: str, entry: Entry) -> Iterator[Fault]:
    """Yield what cannot work in one board, though each key by itself is right."""
    at = ("board", name)
    for rule in (_selected, _link, _lines, _reset_and_power, _boot, _spawn):
        for fault in rule(entry):
            yield Fault((*at, *fault.path), f"board.{name}.{fault.message}", fault.mend)


def _selected(entry: Entry) -> Iterator[Fault]:
    for table, (key, choices) in _SELECTS.items():
        part = getattr(entry, table)
        if part is None:
            continue
        chosen = getattr(part, key)
        needed, known = choices[chosen]
        for missing in sorted(needed - part.model_fields_set):
            message = f"{table} needs the key '{missing}' for {key} = \"{chosen}\"."
            yield Fault((table,), message, f"Add {missing}.")
        for extra in sorted(part.model_fields_set - needed - known - {key}):
            fits = [choice for choice, keys in choices.items() if extra in keys[0] | keys[1]]
            message = f'{table}.{extra} says nothing where {key} is "{chosen}".'
            yield Fault((table, extra), message, f"It belongs to {key} = {' or '.join(fits)}.")


def _link(entry: Entry) -> Iterator[Fault]:
    url = entry.link.url
    if entry.spawn is None and url is None:
        yield Fault(("link",), "link needs the key 'url'.", "Name the port, or let 'spawn' start a program.")
    if entry.spawn is not None and url is not None:
        message = "link.url and spawn exclude each other: what is spawned brings its own port."
        yield Fault(("link", "url"), message, "Leave one of them out.")
    for table, value in (("link", url), ("console", entry.console.url)):
        scheme, separator, _ = (value or "").partition("://")
        if separator and scheme not in _SCHEMES:
            yield Fault((table, "url"), f"{table}.url begins with an unknown scheme.", near(scheme, _SCHEMES))
        wrong = why_no_url(value or "")
        if wrong:
            yield Fault((table, "url"), f"{table}.url {wrong[0]}.", wrong[1])


def why_no_url(url: str) -> tuple[str, str] | None:
    """Return what no port's name may have, and what to do, without repeating it; None if all is well.

    Names of ports stand in lists, locks and evidence, so that a password in one would be in all of them.
    """
    scheme, separator, rest = url.partition("://")
    if "\0" in url:
        return "holds a zero byte", "Write the port's name as text."
    if separator and scheme.lower() in _NETWORK and "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        mend = f"Write {scheme}://HOST:PORT; a server that asks who it is needs a tunnel, such as ssh -L."
        return "names a user or a password, which nothing sends", mend
    return None


def _without_lines(entry: Entry) -> str:
    """Say what the link is, if it has no DTR and RTS that reach a board."""
    url = entry.link.url or ""
    if entry.spawn is not None:
        return "a spawned program"
    if why_no_url(url):
        return ""
    if url.startswith("socket://"):
        return "a socket:// link"
    # A link may be a name of a PTY; what is not there yet is believed to be a port.
    return "a PTY" if "://" not in url and str(Path(url).resolve()).startswith("/dev/pts/") else ""


def _lines(entry: Entry) -> Iterator[Fault]:
    what = _without_lines(entry)
    if not what:
        return
    if entry.reset.by in {"dtr", "rts", "esp32"}:
        message = f'reset.by = "{entry.reset.by}" cannot work: {what} has no DTR and RTS.'
        mend = 'Take "smp", "command" or "none"; over a network rfc2217:// has both lines.'
        yield Fault(("reset", "by"), message, mend)
    for line in ("dtr", "rts"):
        if getattr(entry.link, line) is not None:
            message = f"link.{line} cannot be set: {what} has no {line.upper()}."
            yield Fault(("link", line), message, "Leave it out.")


def _reset_and_power(entry: Entry) -> Iterator[Fault]:
    claimed = entry.capabilities
    if claimed is not None:
        if entry.reset.by == "smp" and "os" not in claimed:
            message = 'reset.by = "smp" needs SMP, and capabilities do not name "os".'
            yield Fault(("reset", "by"), message, 'Add "os" to capabilities, or reset by other means.')
        if entry.boot.ready == "echo" and "os" not in claimed:
            message = 'boot.ready = "echo" needs SMP, and capabilities do not name "os".'
            yield Fault(("boot",), message, 'Take ready = "banner" or "none".')
        if entry.reset.by == "none" and "reset" in claimed:
            message = 'capabilities name "reset", and reset.by is "none".'
            yield Fault(("capabilities",), message, "Say by what the board is reset.")
        power = [name for name in claimed if name.startswith("power.")]
        if entry.power.driver == "none" and power:
            message = f'capabilities name "{power[0]}", and power.driver is "none".'
            yield Fault(("capabilities",), message, "Say by what its power is cut.")
    if entry.power.driver == "process" and entry.spawn is None:
        message = 'power.driver = "process" kills what spawn started, and there is no spawn.'
        yield Fault(("power", "driver"), message, "Take another driver, or add spawn.")


def _boot(entry: Entry) -> Iterator[Fault]:
    if entry.boot.ready == "banner" and entry.boot.banner is None:
        message = "boot needs the key 'banner' for ready = \"banner\"."
        yield Fault(("boot",), message, "Add a regular expression of a line that comes at every start.")
    if entry.boot.banner is not None:
        try:
            re.compile(entry.boot.banner)
        except re.error as error:
            message = f"boot.banner is no regular expression: {error.msg}."
            yield Fault(("boot", "banner"), message, "Put a backslash before what is meant as it stands.")


def _spawn(entry: Entry) -> Iterator[Fault]:
    if entry.spawn is None or entry.spawn.driver != "process" or entry.spawn.command is None:
        return
    wanted = placeholders(entry.spawn)
    found = {word for part in entry.spawn.command for word in re.findall(r"\{(\w+)\}", part)}
    for missing in sorted(wanted - found):
        message = f"spawn.command does not say {{{missing}}}, where the program gets its serial line."
        yield Fault(("spawn", "command"), message, f"Put {{{missing}}} into it, or change serial.")
    for extra in sorted(found - wanted):
        message = f"spawn.command has {{{extra}}}, and serial gives no such line."
        mend = f"With this serial it may say {', '.join(f'{{{word}}}' for word in sorted(wanted))}."
        yield Fault(("spawn", "command"), message, mend)


def placeholders(spawn: Spawn) -> set[str]:
    """Return the words that stand in braces in a spawned program's command, one for each serial line."""
    return set(names(spawn))


def names(spawn: Spawn) -> list[str]:
    """Return the placeholder of each serial line, in order: ``pty``, ``port``, ``pty2``, ``port2``."""
    given: list[str] = []
    for kind in spawn.serial:
        word = "port" if kind == "tcp" else "pty"
        given.append(word if word not in given else f"{word}2")
    return given
