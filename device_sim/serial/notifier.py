"""Tocsin's own group: messages in and out, what is shown, what is stored; in test builds also the rest.

A message is staged in parts, checked by its SHA-256 and handed to the core as if it had come on a topic. What
may act only once carries a key, so that a request whose answer was lost can be sent again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from advisories import smp
from advisories.smp import Command, Rc
from advisories.versions import format_version
from device_sim.core.state import State
from device_sim.owner import Answer
from device_sim.serial import factory
from device_sim.serial.basics import YEAR_10000
from device_sim.serial.flash import When
from device_sim.serial.machine import Machine
from device_sim.serial.server import Ask, Handler, RequestError, size
from keys.algorithms import Algorithm
from keys.limits import DOCUMENT_BYTES_MAX
from keys.reasons import Reason

PROTOCOL: Final = 1
HARDWARE: Final = "simulator"
KID_BYTES: Final = 8
"""Of a key's or a patch's digest, as the state tells it."""
REFUSED_MAX: Final = 64
"""Refused messages that are remembered: the core takes no second look at them, and says nothing."""
NOTHING_STORED: Final = "nothing was stored: held, not needed, or known already"

_SHA_BYTES: Final = hashlib.sha256().digest_size
_ANSWERS: Final[Mapping[str, Answer]] = {"yes": "yes", "later": "defer", "no": "no"}


class Notifier:
    """Handlers of the group."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._sha = b""
        self._length = 0
        self._staged = bytearray()
        self._refused: OrderedDict[tuple[int, str, bytes], tuple[Reason, str]] = OrderedDict()
        """By root version, topic and digest."""
        self.submitted = 0
        """Messages handed to the core."""
        self.refused = 0
        """Of these, refused by it."""

    def handlers(self) -> Mapping[Command, Handler]:
        """Return what this firmware can do; a release build lacks what is for tests."""
        return {
            command: handler
            for command, handler in {
                smp.NOTIFIER_INFO: self._info,
                smp.NOTIFIER_PUT: self._put,
                smp.NOTIFIER_SUBMIT: self._submit,
                smp.NOTIFIER_NOTICE: self._notice,
                smp.NOTIFIER_REPORT: self._report,
                smp.NOTIFIER_PRESS: self._press,
                smp.NOTIFIER_STATE: self._state,
                smp.NOTIFIER_FAULT: self._fault,
                smp.NOTIFIER_CLOCK: lambda ask: {"utc": int(ask.now)},
                smp.NOTIFIER_CLOCK_SET: self._set_clock,
                smp.NOTIFIER_PROVISION: self._provision,
                smp.NOTIFIER_CARRIER: self._carrier,
            }.items()
            if self._machine.test_build or not command.test_build
        }

    def forget(self) -> None:
        """Lose what a reset loses."""
        self._sha, self._length = b"", 0
        self._staged.clear()
        self._refused.clear()

    # Who and what.

    def _info(self, _ask: Ask) -> Mapping[str, Any]:
        machine = self._machine
        algorithms = machine.agent.trusted.algorithms
        return {
            "proto": PROTOCOL,
            "id": machine.flash.profile.id,
            "class": machine.flash.profile.product,
            "hw": HARDWARE,
            "fw": machine.version(machine.flash.running or 0),
            "algs": [int(one) for one in Algorithm if one in algorithms],
            "max": DOCUMENT_BYTES_MAX,
            "caps": [command.name.partition(".")[2] for command in self.handlers()],
            "filters": list(machine.link.filters),
            "boot": machine.boot,
        }

    def _state(self, ask: Ask) -> Mapping[str, Any]:
        machine, stored = self._machine, self._machine.stored()
        record = machine.flash.record
        answer: dict[str, Any] = {
            "boot": machine.boot,
            "epoch": stored.boot_epoch,
            "cause": machine.cause,
            "slot": machine.flash.running,
            "installed": format_version(machine.agent.installed),
            "floors": self._floors(stored),
            "root": stored.trusted.root.version,
            "journal": stored.journal_count,
            "head": stored.journal_head,
            "writes": machine.flash.writes,
            "kids": [entry.key.thumbprint[:KID_BYTES] for entry in stored.trusted.root.keys],
            "patches": [
                {
                    "digest": track.digest[:KID_BYTES],
                    "sequence": track.sequence,
                    "state": int(track.state),
                    "reason": int(track.reason),
                }
                for track in stored.patches.values()
            ],
            "notices": [
                {
                    "id": track.id,
                    "revision": track.header.revision,
                    "state": int(track.state),
                    "reason": int(track.reason),
                    "confirmed": track.confirmed is not None,
                }
                for track in stored.notices.values()
            ],
        }
        if record.trial is not None and not record.tried:
            answer["pending"] = machine.version(record.trial)
        for name in ("kids", "patches", "notices"):  # the newest stand at the end and stay longest
            while answer[name] and size(answer) > ask.room:
                del answer[name][0]
        return answer

    def _floors(self, stored: State) -> Mapping[str, int]:
        """Return what may never fall: anti-rollback counter, patch, root, and newest versions."""
        profile = self._machine.flash.profile
        names = {"catalogue": profile.product, "timestamp": profile.product, "offer": profile.id}
        found = {kind: stored.trusted.floor(kind, name) for kind, name in names.items()}
        versions = {kind: floor.version for kind, floor in found.items() if floor is not None}
        own = {"counter": stored.security_counter, "patch": stored.patch_floor[0]}
        return {**own, "root": stored.trusted.root.version, **versions}

    # Messages in.

    def _put(self, ask: Ask) -> Mapping[str, Any]:
        body = ask.body
        sha, off, data, length = body["sha"], body["off"], body["data"], body.get("len")
        if len(sha) != _SHA_BYTES:
            raise RequestError(Rc.EINVAL)
        if sha != self._sha:
            if off != 0:
                return {"off": 0}
            if length is None or length < max(1, len(data)):
                raise RequestError(Rc.EINVAL)
            if length > DOCUMENT_BYTES_MAX:
                raise RequestError(Rc.NOMEM)
            self._sha, self._length = sha, length
            self._staged.clear()
        if off != len(self._staged) or off == self._length:
            return {"off": len(self._staged)}
        if off + len(data) > self._length:
            raise RequestError(Rc.EINVAL)
        self._staged += data
        if len(self._staged) == self._length and hashlib.sha256(self._staged).digest() != sha:
            self._sha, self._length = b"", 0
            self._staged.clear()
            raise RequestError(Rc.EINVAL)
        return {"off": len(self._staged)}

    def _whole(self, sha: bytes) -> bytes:
        """Return the staged message with this digest (RequestError when there is none)."""
        if not sha or sha != self._sha or len(self._staged) != self._length:
            raise RequestError(Rc.ENOENT)
        return bytes(self._staged)

    def _submit(self, ask: Ask) -> Mapping[str, Any]:
        sha, topic = ask.body["sha"], ask.body["topic"]

        def act() -> Mapping[str, Any]:
            machine, message = self._machine, self._whole(sha)
            before = machine.flash.writes
            place = (machine.agent.trusted.root.version, topic, sha)
            reason, text = machine.deliver(topic, message)
            if reason is Reason.OK and machine.flash.writes == before:
                reason, text = self._refused.get(place, (Reason.OK, NOTHING_STORED))
            self.submitted += 1
            if reason is not Reason.OK:
                self.refused += 1
                self._refused[place] = (reason, text)
                while len(self._refused) > REFUSED_MAX:
                    self._refused.popitem(last=False)
            return {"verdict": int(reason), "name": reason.name, **({"text": text} if text else {})}

        return self._machine.once("submit", ask.body["key"], act)

    # Messages out.

    def _report(self, ask: Ask) -> Mapping[str, Any]:
        link, off = self._machine.link, ask.body.get("off", 0)
        link.acknowledge(ask.body.get("ack", 0))
        head = link.head()
        if head is None:
            return {}
        if off > len(head.data):
            raise RequestError(Rc.EINVAL)
        answer = {
            "number": head.number,
            "kind": int(head.kind),
            "topic": head.topic,
            "len": len(head.data),
            "off": off,
            "data": b"",
        }
        room = ask.room - size(answer) - 2  # a byte string's length takes up to two bytes more
        return {**answer, "data": head.data[off : off + room]}

    def _carrier(self, ask: Ask) -> Mapping[str, Any]:
        def act() -> Mapping[str, Any]:
            self._machine.link.carrier(up=ask.body["up"])
            return {}

        return self._machine.once("carrier", ask.body["key"], act)

    # What the owner sees and presses.

    def _notice(self, ask: Ask) -> Mapping[str, Any]:
        shown, off = self._machine.screen.shown, ask.body.get("off", 0)
        lines = shown.lines if shown else ()
        if off > len(lines):
            raise RequestError(Rc.EINVAL)
        answer: dict[str, Any] = {"count": len(lines), "off": off, "lines": []}
        if shown:
            fields = ("id", "revision", "severity", "language", "confirmed")
            answer |= {name: getattr(shown, name) for name in fields}
        asking = self._machine.asking
        if asking is not None:
            version = asking.facts.version if asking.facts is not None else None
            answer["asks"] = format_version(version) if version is not None else ""
        room = ask.room - size(answer) - 2  # an array's length takes up to two bytes more
        for line in lines[off:]:
            room -= size(line)
            if room < 0:
                break
            answer["lines"].append(line)
        return answer

    def _press(self, ask: Ask) -> Mapping[str, Any]:
        machine, button = self._machine, ask.body["button"]

        def act() -> Mapping[str, Any]:
            if button == "acknowledge":
                if machine.screen.shown is None:
                    raise RequestError(Rc.EBADSTATE)
                machine.shell.acknowledge(machine.screen.shown.id)
            elif button not in _ANSWERS:
                raise RequestError(Rc.EINVAL)
            elif machine.asking is None or machine.shell.asked is None:
                raise RequestError(Rc.EBADSTATE)
            else:
                machine.shell.consent(_ANSWERS[button], machine.shell.asked.question)
            return {}

        return machine.once("press", ask.body["key"], act)

    # Test builds.

    def _fault(self, ask: Ask) -> Mapping[str, Any]:
        at, when = ask.body["at"], ask.body["when"]
        if at < 1 or when not in set(When):
            raise RequestError(Rc.EINVAL)

        def act() -> Mapping[str, Any]:
            self._machine.flash.cut_power(at, When(when))
            return {}

        return self._machine.once("fault", ask.body["key"], act)

    def _set_clock(self, ask: Ask) -> Mapping[str, Any]:
        if ask.body["utc"] >= YEAR_10000:
            raise RequestError(Rc.EINVAL)

        def act() -> Mapping[str, Any]:
            self._machine.set_clock(ask.body["utc"])
            return {}

        return self._machine.once("clock_set", ask.body["key"], act)

    def _provision(self, ask: Ask) -> Mapping[str, Any]:
        what, value = ask.body["what"], ask.body.get("value", b"")

        def act() -> Mapping[str, Any]:
            document = self._whole(value) if what == "root" else value
            try:
                self._machine.factory.append(factory.change(self._machine.flash, what, document))
            except ValueError:
                raise RequestError(Rc.EINVAL) from None
            return {}

        return self._machine.once("provision", ask.body["key"], act)
