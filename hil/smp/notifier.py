"""Tocsin's own group, as verbs: messages in, what is shown, what is said, and a test build's levers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from advisories import smp
from hil.smp.exchange import Exchange
from hil.smp.message import MalformedAnswer
from hil.smp.transfer import Progress, Transfer
from keys.limits import DOCUMENT_BYTES_MAX
from keys.reasons import Reason

DIGEST_BYTES: Final = 32
LINES_MAX: Final = 1_024
"""Lines of a screen: a device that announces more would be read for ever."""
READINGS_MAX: Final = 4
"""Times that something is read from its beginning because it changed meanwhile."""
_REPORT: Final = {
    "number": "uint",
    "kind": "uint",
    "topic": "text",
    "len": "uint",
    "off": "uint",
    "data": "bytes",
}


@dataclass(frozen=True, slots=True)
class Info:
    """Who the device is, and what it can do."""

    proto: int
    id: str
    class_: str
    hw: str
    fw: str
    algs: tuple[Any, ...]
    max: int
    """Longest message in bytes that it stages."""
    caps: tuple[Any, ...]
    """Names of the group's commands that it knows."""
    filters: tuple[Any, ...]
    """MQTT filters it listens to now."""
    boot: bytes
    """Changes at every boot."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the device made of a message."""

    number: int
    """Reason code; 0 where nothing was refused."""
    name: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """What the device shows now."""

    id: str | None
    revision: int | None
    severity: str | None
    language: str | None
    confirmed: bool
    asks: str | None
    """Version that it asks consent for."""
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Something that the device wants said."""

    number: int
    """Counts from 1 in each boot."""
    kind: int
    """0 publish, 1 subscribe, 2 unsubscribe."""
    topic: str
    data: bytes


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What invariants are about."""

    boot: bytes
    epoch: int
    cause: str
    slot: int
    installed: str
    pending: str | None
    floors: Mapping[str, Any]
    root: int
    kids: tuple[Any, ...]
    notices: tuple[Any, ...]
    patches: tuple[Any, ...]
    journal: int
    head: bytes
    writes: int


class NotifierGroup:
    """The notifier group; every verb raises what `Exchange.request` raises."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._ask = exchange.request

    def info(self) -> Info:
        """Return who the device is, and what it can do."""
        found = self._ask(smp.NOTIFIER_INFO)
        fields: dict[str, Any] = {name: found[name] for name in smp.NOTIFIER_INFO.answer}
        fields |= {name: tuple(found[name]) for name in ("algs", "caps", "filters")}
        return Info(class_=fields.pop("class"), **fields)

    def put(self, data: bytes, progress: Progress | None = None) -> bytes:
        """Stage a message, or the rest of it, and return its digest.

        Raises:
            SmpRefused: EINVAL: what arrived has another digest; the staging area is empty again.
        """
        digest = hashlib.sha256(data).digest()

        def fields(off: int) -> dict[str, Any]:
            return {"sha": digest, "off": off, **({"len": len(data)} if off == 0 else {})}

        Transfer(self._exchange, smp.NOTIFIER_PUT, fields, data, progress=progress).run()
        return digest

    def submit(self, what: bytes, topic: str, *, timeout_s: float | None = None) -> Verdict:
        """Hand a message to the device as if it had come on this topic.

        Args:
            what: the digest of what is staged; any other length than 32 bytes is a message, staged first.
            topic: where it would have come.
            timeout_s: what the device may take to judge it.

        Raises:
            SmpRefused: ENOENT: nothing is staged that has this digest.
        """
        digest = what if len(what) == DIGEST_BYTES else self.put(what)
        body = {"sha": digest, "topic": topic}
        found = self._ask(smp.NOTIFIER_SUBMIT, body, timeout_s=timeout_s)
        return Verdict(found["verdict"], found.get("name") or _name(found["verdict"]), found.get("text", ""))

    def deliver(self, data: bytes, topic: str, *, timeout_s: float | None = None) -> Verdict:
        """Stage a message of any length, and submit it (errors of both)."""
        return self.submit(self.put(data), topic, timeout_s=timeout_s)

    def notice(self) -> Screen | None:
        """Return what the device shows now, all lines of it; None where it shows nothing."""
        for _ in range(READINGS_MAX):
            first = self._ask(smp.NOTIFIER_NOTICE, {"off": 0})
            self._bounded("notice", "lines", first["count"], LINES_MAX)
            lines = list(first["lines"])
            page = first
            while _same_screen(page, first) and page["lines"] and len(lines) < first["count"]:
                page = self._ask(smp.NOTIFIER_NOTICE, {"off": len(lines)})
                lines += page["lines"]
            if _same_screen(page, first) and len(lines) == first["count"]:
                return _screen(first, lines)
        raise self._restless("notice")

    def take(self, *, ack: int | None = None) -> Outgoing | None:
        """Return the first thing that the device wants said, whole; None where there is none.

        It stays the first until it is acknowledged.

        Args:
            ack: drops everything up to this number first.
        """
        body: dict[str, Any] = {} if ack is None else {"ack": ack}
        for _ in range(READINGS_MAX):
            page = first = self._report(body)
            if not first:
                return None
            self._bounded("report", "bytes", first["len"], DOCUMENT_BYTES_MAX)
            data = b""
            while page and page["number"] == first["number"] and page["off"] == len(data):
                data += page["data"]
                if len(data) >= first["len"] or not page["data"]:
                    break
                page = self._report({"off": len(data)})
            if len(data) == first["len"]:
                return Outgoing(first["number"], first["kind"], first["topic"], data)
        raise self._restless("report")

    def ack(self, number: int) -> None:
        """Drop everything that the device wanted said up to this number; it may be repeated."""
        self._ask(smp.NOTIFIER_REPORT, {"ack": number})

    def state(self) -> DeviceState:
        """Return counters, floors, versions, keys and tracks."""
        found = self._ask(smp.NOTIFIER_STATE)
        fields: dict[str, Any] = {name: found.get(name) for name in smp.NOTIFIER_STATE.answer}
        fields |= {name: tuple(found[name]) for name in ("kids", "notices", "patches")}
        return DeviceState(**fields)

    def clock(self) -> int:
        """Return the device's idea of time, in seconds since 1970."""
        return int(self._ask(smp.NOTIFIER_CLOCK)["utc"])

    def carrier(self, up: bool) -> None:  # noqa: FBT001 - up is what the one verb says
        """Say whether the way to the gateway is open."""
        self._ask(smp.NOTIFIER_CARRIER, {"up": up})

    def press(self, button: str) -> None:
        """Press a button for the owner: acknowledge, yes, later or no (test build)."""
        self._ask(smp.NOTIFIER_PRESS, {"button": button})

    def fault(self, at: int, when: str) -> None:
        """Lose power at the at-th write to flash from now: before it, torn, or after it (test build)."""
        self._ask(smp.NOTIFIER_FAULT, {"at": at, "when": when})

    def clock_set(self, utc: int) -> None:
        """Move the device's clock (test build)."""
        self._ask(smp.NOTIFIER_CLOCK_SET, {"utc": utc})

    def provision(self, what: str, value: bytes | None = None) -> None:
        """Erase, or set root, key, version or id, from the next reset (test build)."""
        body = {"what": what} if value is None else {"what": what, "value": value}
        self._ask(smp.NOTIFIER_PROVISION, body)

    def _report(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return one answer to report, all fields of it, or nothing at all."""
        page = self._ask(smp.NOTIFIER_REPORT, body)
        if "number" not in page:
            return {}
        why = smp.fits(_REPORT, page)
        if why is not None:
            raise MalformedAnswer(
                f"The device's report is not whole: {why}.", last_frame=self._exchange.last_frame
            )
        return page

    def _bounded(self, what: str, unit: str, count: int, most: int) -> None:
        """Refuse to read what a hostile device announces without end."""
        if count > most:
            raise MalformedAnswer(
                f"The device's {what} announces {count} {unit}, at most {most} are read.",
                last_frame=self._exchange.last_frame,
            )

    def _restless(self, what: str) -> MalformedAnswer:
        return MalformedAnswer(
            f"The device's {what} did not hold still: {READINGS_MAX} readings were not whole.",
            last_frame=self._exchange.last_frame,
        )


def _name(verdict: int) -> str:
    """Name a reason: a small board says its number only, and a newer one may say one that is unknown here."""
    return next((reason.name for reason in Reason if reason == verdict), f"reason {verdict}")


def _same_screen(page: Mapping[str, Any], first: Mapping[str, Any]) -> bool:
    return all(page.get(name) == first.get(name) for name in ("id", "revision", "language", "count"))


def _screen(first: Mapping[str, Any], lines: list[Any]) -> Screen | None:
    if "id" not in first and "asks" not in first and not lines:
        return None
    return Screen(
        id=first.get("id"),
        revision=first.get("revision"),
        severity=first.get("severity"),
        language=first.get("language"),
        confirmed=first.get("confirmed", False),
        asks=first.get("asks"),
        lines=tuple(str(line) for line in lines),
    )
