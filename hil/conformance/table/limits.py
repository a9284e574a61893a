"""Limits, one below, at and one above: of the wire, and of the board where it declares smaller ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from advisories import limits as wire
from advisories.notice import Phase
from advisories.smp import Rc
from advisories.states import NoticeState
from hil.conformance.bench import Bench
from hil.conformance.fleet import NOW, entry, root_keys, rows, text
from hil.conformance.rows import CONSTRAINED_BYTES_MAX, Make, Row, Scene, must
from hil.conformance.steps import Check, Notice, Send
from hil.conformance.table.common import ID, TEXT_TO, TO, genuine, root_signed, signed
from hil.conformance.table.notices import told
from hil.conformance.table.policy import TRIO
from keys import limits
from keys.codec import dump
from keys.reasons import Reason
from keys.root import Body, RootKey

R = Reason
BOMB: Final = "oversized input and decoder bombs"
NEAR: Final = (-1, 0, 1)


def row(what: str, *steps: Any, refused: bool) -> Row:
    """Return a row about a limit."""
    return Row(name=f"limit: {what}", steps=steps, threat=BOMB * refused, keeps=refused)


def padded(body: Body, size: int) -> Body:
    """Return a body of exactly so many bytes: more subjects, which change nothing else."""
    made = body
    while (lack := size - len(dump(made))) > 0:
        taken = len(made.subject)
        length = min(64, max(1, lack - (2 if lack > 24 else 1) - (taken == 23)))
        if 0 < lack - length - 2 < 3:  # what is left must hold one more
            length -= 3
        made = replace(made, subject=(*made.subject, f"p{taken:02}".ljust(length, "x")[:length]))
    if len(dump(made)) != size:
        raise ValueError(f"a body of {size} bytes cannot be made: {len(dump(made))}")
    return made


def sized(type_: str, size: int) -> Make:
    """Return a document whose body has so many bytes."""
    return signed(lambda scene: padded(scene.fleet.body(type_), size))


def bodies() -> tuple[Row, ...]:
    """Return the sizes of small bodies, to the byte."""
    found = []
    for type_, most in (
        ("timestamp", wire.TIMESTAMP_BYTES_MAX),
        ("offer", wire.OFFER_BYTES_MAX),
        ("answer", wire.ANSWER_BYTES_MAX),
    ):
        fits = R.WRONG_NONCE if type_ == "answer" else R.OK
        for more in NEAR:
            reason = R.TOO_BIG if more > 0 else fits
            step = Send(TO[type_], sized(type_, most + more), reason)
            found.append(row(f"{type_} of {most + more:,} bytes", step, refused=more > 0))
    return tuple(found)


# -- texts


def words(size: int) -> Callable[[Scene], bytes]:
    """Return a text of exactly so many bytes."""

    def make(scene: Scene) -> bytes:
        base = text(scene.facts.language, happened="x" * 300, doing="x" * 300, affected="x")
        lack = size - len(dump(base))
        made = replace(
            base, affected="x" * (lack + 1 - (1 if lack + 1 > 23 else 0) - (1 if lack + 1 > 256 else 0))
        )
        if len(dump(made)) != size:
            raise ValueError(f"a text of {size} bytes cannot be made: {len(dump(made))}")
        return dump(made)

    return make


def heading(make: Callable[[Scene], bytes]) -> Send:
    """Return the notice that names this text."""
    return Send(
        TO["notice"],
        signed(lambda s: told(s, texts={s.facts.language: hashlib.sha256(make(s)).digest()})),
    )


def titled(length: int) -> Callable[[Scene], bytes]:
    """Return a text whose title has so many letters."""
    return lambda scene: dump(text(scene.facts.language, title="x" * length))


# -- the board's own


def staged(more: int) -> Row:
    """Return the longest message that the board stages."""

    def look(bench: Bench, scene: Scene) -> None:
        found = bench.refuses(hashlib.shake_256(b"staged").digest(scene.facts.max + more))
        expected = Rc.NOMEM.name if more > 0 else ""
        must(found == expected, f"put answers {found or 'OK'}, it must answer {expected or 'OK'}")

    size = "info.max" + (f" {more:+}" if more else "")
    return row(
        f"a message of {size} bytes",
        Check("it is staged" if more <= 0 else "put answers NOMEM", look),
        refused=True,
    )


def documents(type_: str, most: int, size: Callable[[Scene, int], bytes]) -> tuple[Row, ...]:
    """Return the largest documents that every board must take, and one byte more."""
    found = []
    for more in NEAR:

        def expected(facts: Any, more: int = more) -> Reason:
            return R.TOO_BIG if facts.constrained and more > 0 else R.OK

        def make(scene: Scene, more: int = more) -> bytes:
            return size(scene, most + more)

        found.append(
            row(
                f"{type_} of {most + more:,} bytes with its signatures",
                Send(TO[type_], make, expected, exact=True),
                refused=False,
            )
        )
    return tuple(found)


def notice_of(scene: Scene, size: int) -> bytes:
    """Return a notice that has so many bytes with its signatures."""
    body = scene.fleet.notice()
    return scene.fleet.signed(
        padded(body, size - len(scene.fleet.signed(body)) + len(dump(body)) - _longer(body, size))
    )


def _longer(body: Body, size: int) -> int:
    """Bytes that the length of a longer body takes more: it stands before the body."""
    return 1 if len(dump(body)) < 256 <= size else 0


def whole_notice(size: int) -> Make:
    """Return a notice whose body has so many bytes: subjects and languages enough for that."""
    languages = {f"x-{n:02}".ljust(30, "y"): bytes(32) for n in range(60)}
    return signed(lambda s: padded(s.fleet.notice(texts={"en": bytes(32), **languages}), size))


# -- numbers


def many_keys(count: int) -> tuple[RootKey, ...]:
    """Return so many keys."""
    usual = root_keys()
    return (*usual, *(entry(f"k{n}", "legal") for n in range(count - len(usual))))


def crowd(bench: Bench, scene: Scene) -> None:
    """Fill the board's memory for advisories; one that ended makes room again."""
    verdicts = []
    for number in range(1, 64):
        name = f"EX-2027-{number:04}"
        topic = f"notice/{{product}}/{name}"
        found = bench.send(scene.topic(topic), genuine("notice", id=name)(scene))
        verdicts.append(Reason(found.number))
        if verdicts[-1] is not R.OK:
            break
    must(
        verdicts[-1] is R.LIMIT_REACHED,
        f"after {len(verdicts)} advisories the verdict is {verdicts[-1].name}",
    )
    must(len(verdicts) > 4, f"only {len(verdicts) - 1} advisories are remembered")
    ended = genuine("notice", id="EX-2027-0001", revision=2, version=NOW + 1, phase=Phase.WITHDRAWN)
    Send("notice/{product}/EX-2027-0001", ended).do(bench, scene)
    name = f"EX-2027-{len(verdicts):04}"
    Send(f"notice/{{product}}/{name}", genuine("notice", id=name, version=NOW + 1)).do(bench, scene)
    Notice(name, NoticeState.VERIFIED).do(bench, scene)


def refusals(bench: Bench, scene: Scene) -> None:
    """Refuse more documents than a boot journals; the journal stays bounded, and the verdicts stay right."""
    before = bench.state().journal
    count = 40
    for number in range(count):
        made = genuine("notice", fleet=bytes([number]) * 32)
        Send(TO["notice"], made, R.WRONG_FLEET).do(bench, scene)
    grown = bench.state().journal - before
    must(0 < grown <= count, f"the journal grew by {grown} entries")


LONGEST: Final = "n" * limits.NAME_BYTES_MAX


def root_of(**changes: Any) -> Make:
    """Return a root 2."""
    return root_signed(lambda scene: scene.fleet.next_root(**changes))


def entries(count: int) -> Make:
    """Return a catalogue of so many patches, past what its own class lets be made."""

    def body(scene: Scene) -> Any:
        made = scene.fleet.catalogue()
        patches = tuple((NOW + n, bytes([n]) * 32) for n in range(count))
        object.__setattr__(made, "patches", patches)
        return made

    return signed(body)


ROWS: Final[tuple[Row, ...]] = (
    *bodies(),
    *(
        row(
            f"text of {size:,} bytes",
            heading(words(size)),
            Send(TEXT_TO, words(size)),
            Notice(ID, NoticeState.SHOWN),
            refused=False,
        )
        for size in (wire.NOTICE_TEXT_BYTES_MAX - 1, wire.NOTICE_TEXT_BYTES_MAX)
    ),
    row(
        f"text of {wire.NOTICE_TEXT_BYTES_MAX + 1:,} bytes",
        Send(TEXT_TO, words(wire.NOTICE_TEXT_BYTES_MAX + 1), R.TOO_BIG),
        refused=True,
    ),
    row(
        "title of 160 letters",
        heading(titled(160)),
        Send(TEXT_TO, titled(160)),
        Notice(ID, NoticeState.SHOWN),
        refused=False,
    ),
    Row(
        name="limit: title of 161 letters",
        steps=(
            heading(titled(161)),
            Send(TEXT_TO, titled(161), R.MALFORMED),
            Notice(ID, NoticeState.VERIFIED),
        ),
        threat=BOMB,
    ),
    *documents("notice", CONSTRAINED_BYTES_MAX, notice_of),
    *(staged(more) for more in NEAR),
    *(
        row(
            f"notice whose body has {wire.NOTICE_BYTES_MAX + more:,} bytes",
            Send(TO["notice"], whole_notice(wire.NOTICE_BYTES_MAX + more), R.TOO_BIG if more > 0 else R.OK),
            refused=more > 0,
        )
        for more in NEAR
    ),
    row("16 keys in a root", Send(TO["root"], root_of(keys=many_keys(16))), refused=False),
    row("64 keys in a root", Send(TO["root"], root_of(keys=many_keys(64))), refused=False),
    row("65 keys in a root", Send(TO["root"], root_of(keys=many_keys(65)), R.MALFORMED), refused=True),
    row(
        "16 roles of a key",
        Send(TO["root"], root_of(keys=(*root_keys(), entry("k", *(f"r{n}" for n in range(16)))))),
        refused=False,
    ),
    row(
        "17 roles of a key",
        Send(
            TO["root"], root_of(keys=(*root_keys(), entry("k", *(f"r{n}" for n in range(17))))), R.MALFORMED
        ),
        refused=True,
    ),
    row(
        "a key without a role",
        Send(TO["root"], root_of(keys=(*root_keys(), entry("k"))), R.MALFORMED),
        refused=True,
    ),
    row(
        "a holder of 64 bytes",
        Send(TO["root"], root_of(keys=(*root_keys(), entry("k", "legal", holder=LONGEST)))),
        refused=False,
    ),
    row(
        "a holder of 65 bytes",
        Send(
            TO["root"], root_of(keys=(*root_keys(), entry("k", "legal", holder=LONGEST + "n"))), R.MALFORMED
        ),
        refused=True,
    ),
    row(
        "a threshold of 17",
        Send(TO["root"], root_of(policy=rows(publication={"legal": 17})), R.MALFORMED),
        refused=True,
    ),
    row("no policy at all", Send(TO["root"], root_of(policy=()), R.MALFORMED), refused=True),
    row(
        "16 signatures",
        Send(TO["catalogue"], genuine("catalogue", "operator", *(f"s{n}" for n in range(15)))),
        refused=False,
    ),
    row(
        "17 signatures",
        Send(TO["catalogue"], genuine("catalogue", "operator", *(f"s{n}" for n in range(16))), R.MALFORMED),
        refused=True,
    ),
    row("64 entries in a catalogue", Send(TO["catalogue"], entries(64)), refused=False),
    row("65 entries in a catalogue", Send(TO["catalogue"], entries(65), R.MALFORMED), refused=True),
    row(
        "64 subjects",
        Send(
            TO["timestamp"],
            signed(lambda s: s.fleet.timestamp(subject=(s.facts.product, *(f"p{n}" for n in range(63))))),
        ),
        refused=False,
    ),
    row(
        "the board's product as the last of 64 subjects",
        Send(
            TO["timestamp"],
            signed(lambda s: s.fleet.timestamp(subject=(*(f"p{n}" for n in range(63)), s.facts.product))),
        ),
        refused=False,
    ),
    row("version 2^53-1", Send(TO["notice"], genuine("notice", *TRIO, version=2**53 - 1)), refused=False),
    row("revision 65,535", Send(TO["notice"], genuine("notice", revision=65_535)), refused=False),
    row(
        "reminder every 31,536,000 seconds, 255 times",
        Send(TO["notice"], genuine("notice", reminder=(31_536_000, 255))),
        refused=False,
    ),
    row(
        "sixteen ranges",
        Send(TO["notice"], signed(lambda s: told(s, affected={s.facts.product: ((None, None),) * 16}))),
        Notice(ID, NoticeState.VERIFIED),
        refused=False,
    ),
    row(
        "an id of 64 bytes",
        Send(f"notice/{{product}}/{'E' * 64}", genuine("notice", id="E" * 64)),
        Notice("E" * 64, NoticeState.VERIFIED),
        refused=False,
    ),
    row(
        "a topic with an id of 65 bytes",
        Send(f"notice/{{product}}/{'E' * 65}", genuine("notice"), R.WRONG_TYPE),
        refused=True,
    ),
    row(
        "a root's number of 17 digits", Send(f"root/{'1' * 17}", genuine("root"), R.WRONG_TYPE), refused=True
    ),
    row(
        "more advisories than the board remembers",
        Check("LIMIT_REACHED, until one has ended", crowd),
        refused=False,
    ),
    row(
        "more refusals than a boot journals",
        Check("each has its verdict, and the journal stays bounded", refusals),
        refused=False,
    ),
)
