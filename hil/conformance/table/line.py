"""The commands of a test build: what they refuse, and that a request that is sent again acts once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from advisories import smp
from advisories.smp import Command, Rc
from hil.conformance.bench import Bench
from hil.conformance.rows import Row, Scene, must
from hil.conformance.steps import Check, Send
from hil.conformance.table.common import TO, genuine
from hil.errors import SmpRefused
from keys.reasons import Reason

SHA: Final = hashlib.sha256(b"message").digest()


def refused(what: str, ask: Callable[[Bench], object], rc: Rc) -> Row:
    """Return a row: a command that is answered with an error."""

    def look(bench: Bench, _scene: Scene) -> None:
        found = "OK"
        try:
            bench.calm(lambda: ask(bench))
        except SmpRefused as error:
            found = Rc(error.rc).name if error.rc in set(Rc) else str(error.rc)
        must(found == rc.name, f"the answer is {found}, it must be {rc.name}")

    return Row(name=f"line: {what}", steps=(Check(f"the answer is {rc.name}", look),), keeps=True)


def asked(command: Command, body: Mapping[str, Any]) -> Callable[[Bench], object]:
    """Return a question that the client's own verbs would not ask."""
    return lambda bench: bench.session.smp.request(command, body)


def part(**fields: Any) -> Mapping[str, Any]:
    """Return a part of a message to be staged."""
    return {"sha": SHA, "off": 0, "len": 7, "data": b"mess", **fields}


def staging(bench: Bench, _scene: Scene) -> None:
    """Stage a message in parts, with a gap, a repetition, and another message in between."""

    def put(**fields: Any) -> int:
        body = {name: value for name, value in part(**fields).items() if value is not None}
        return int(bench.session.smp.request(smp.NOTIFIER_PUT, body)["off"])

    must(put() == 4, "the first part of a message: the next byte is 4")
    must(put(off=6, len=None, data=b"e") == 4, "a gap is filled by nobody")
    must(put(off=0) in {0, 4}, "the first part again begins again, or changes nothing")
    must(put(off=4, len=None, data=b"age") == 7, "the last part: all 7 bytes are there")
    other = hashlib.sha256(b"other").digest()
    must(put(sha=other, off=3, len=None) == 0, "another message begins at its first byte")


def once(bench: Bench, scene: Scene) -> None:
    """Submit with the same key twice: the second answer is the first one, and nothing is done again."""
    digest = bench.notifier.put(genuine("notice", fleet=bytes([7]) * 32)(scene))
    body = {"sha": digest, "topic": scene.topic(TO["notice"]), "key": 77}
    first = bench.session.smp.request(smp.NOTIFIER_SUBMIT, body)
    before = bench.state()
    second = bench.session.smp.request(smp.NOTIFIER_SUBMIT, body)
    must(first["verdict"] == second["verdict"], f"with the same key: {first}, then {second}")
    must(bench.state().journal == before.journal, "it was journaled twice")
    must(first["verdict"] == Reason.WRONG_FLEET, f"the verdict is {first['verdict']}")


ROWS: Final[tuple[Row, ...]] = (
    refused("a message whose bytes have another digest", asked(smp.NOTIFIER_PUT, part(len=4)), Rc.EINVAL),
    refused("a digest of 31 bytes", asked(smp.NOTIFIER_PUT, part(sha=SHA[:31])), Rc.EINVAL),
    refused(
        "a message without a length", asked(smp.NOTIFIER_PUT, {"sha": SHA, "off": 0, "data": b"m"}), Rc.EINVAL
    ),
    refused("a message shorter than its first part", asked(smp.NOTIFIER_PUT, part(len=3)), Rc.EINVAL),
    refused(
        "what was never staged",
        lambda bench: bench.notifier.submit(hashlib.sha256(b"never").digest(), "x"),
        Rc.ENOENT,
    ),
    refused("a button that there is not", lambda bench: bench.notifier.press("maybe"), Rc.EINVAL),
    refused("provisioning luck", lambda bench: bench.notifier.provision("luck"), Rc.EINVAL),
    refused("a key of 31 bytes", lambda bench: bench.notifier.provision("key", bytes(31)), Rc.EINVAL),
    refused("an id with a slash", lambda bench: bench.notifier.provision("id", b"a/b"), Rc.EINVAL),
    refused("a version of words", lambda bench: bench.notifier.provision("version", b"new"), Rc.EINVAL),
    refused("a power cut at no write", lambda bench: bench.notifier.fault(0, "before"), Rc.EINVAL),
    refused("a power cut some time", lambda bench: bench.notifier.fault(1, "sometime"), Rc.EINVAL),
    Row(
        name="line: a message comes in parts", steps=(Check("each byte is taken once", staging),), keeps=True
    ),
    Row(name="line: the same request twice acts once", steps=(Check("one answer, one act", once),)),
    Row(
        name="line: an empty topic",
        steps=(Send("", genuine("notice"), Reason.WRONG_TYPE),),
        keeps=True,
    ),
)
