"""Notices: whom they concern, their texts, their phases, and what replaces what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from advisories.notice import Phase
from advisories.states import NoticeState
from advisories.versions import Range, Version
from hil.conformance.bench import Bench
from hil.conformance.fleet import DAY, FIXED, HOUR, MINUTE, NOW, VERSION, text
from hil.conformance.rows import PLAIN, Make, Row, Scene, Situation, Step, must
from hil.conformance.steps import Check, Clock, Notice, Press, Restart, Send, Shows, State
from hil.conformance.table.common import ID, TEXT_TO, TO, genuine, signed
from hil.conformance.table.policy import DRILL
from keys.codec import dump
from keys.reasons import Reason

R, N = Reason, NoticeState
SUPPRESSION: Final = "suppression of a notice"
REPLAY: Final = "replay"
OTHER: Final = "EX-2027-0002"
AFFECTED: Final = ((1, 0, 0, 0), FIXED)


def story(what: str, *steps: Step, on: Situation = PLAIN, threat: str = "", keeps: bool = False) -> Row:
    """Return a row of several steps."""
    return Row(name=f"notice: {what}", steps=steps, on=on, threat=threat, keeps=keeps)


def words(scene: Scene, **fields: Any) -> bytes:
    """Return the text in the language that the board listens to."""
    return dump(text(scene.facts.language, **fields))


def told(scene: Scene, **fields: Any) -> Any:
    """Return the header whose text is in the board's language."""
    mine = hashlib.sha256(words(scene)).digest()
    return scene.fleet.notice(**{"texts": {scene.facts.language: mine}, **fields})


def header(**fields: Any) -> Make:
    """Return a maker of the notice whose text is in the board's language."""
    return signed(lambda scene: told(scene, **fields))


def of_range(*ranges: Range) -> Make:
    """Return a maker of a notice that affects these versions of the board's product."""
    return signed(lambda scene: told(scene, affected={scene.facts.product: ranges}))


HEADER: Final = Send(TO["notice"], header())
TEXT: Final = Send(TEXT_TO, words)
SHOWN: Final = (HEADER, TEXT)


def range_rows() -> tuple[Row, ...]:
    """Return what each border of a range means: from is inclusive, to is exclusive."""
    cases: Mapping[str, tuple[tuple[Range, ...], Version, bool]] = {
        "the version is the first of its range": (((VERSION, FIXED),), VERSION, True),
        "the version is the last before its end": ((((1, 0, 0, 0), (1, 4, 1, 1)),), VERSION, True),
        "the version is the end of its range": ((((1, 0, 0, 0), VERSION),), VERSION, False),
        "the version is one build before its range": ((((1, 4, 1, 1), FIXED),), VERSION, False),
        "its range has no beginning": (((None, FIXED),), VERSION, True),
        "its range has no end": (((VERSION, None),), VERSION, True),
        "its range has neither": (((None, None),), VERSION, True),
        "its range is empty": (((VERSION, VERSION),), VERSION, False),
        "the second of its ranges counts, too": (
            (((1, 0, 0, 0), (1, 1, 0, 0)), (VERSION, None)),
            VERSION,
            True,
        ),
        "the version lies between its ranges": (
            (((1, 0, 0, 0), (1, 4, 1, 0)), ((1, 4, 1, 1), None)),
            VERSION,
            False,
        ),
        "no version of the product is affected": ((), VERSION, False),
        "255 is more than 4": ((((1, 5, 0, 0), None),), (1, 255, 65_535, 2**32 - 1), True),
        "the build number counts": ((((1, 4, 1, 2**32 - 1), None),), (1, 4, 1, 2**32 - 1), True),
    }
    found = []
    for what, (ranges, version, affected) in cases.items():
        state = N.VERIFIED if affected else N.NOT_APPLICABLE
        reason = None if affected else R.NOT_AFFECTED
        on = (
            PLAIN
            if version == VERSION
            else Situation(name=f"it runs {'.'.join(map(str, version))}", version=version)
        )
        found.append(
            story(
                f"affected: {what}", Send(TO["notice"], of_range(*ranges)), Notice(ID, state, reason), on=on
            )
        )
    return tuple(found)


def _severity(bench: Bench) -> str | None:
    screen = bench.notifier.notice()
    return screen.severity if screen else None


def _grows(bench: Bench, scene: Scene) -> None:
    before = bench.state()
    Send(TO["notice"], genuine("notice", fleet=bytes(32)), R.WRONG_FLEET).do(bench, scene)
    after = bench.state()
    must(
        after.journal == before.journal + 1,
        f"the journal has {after.journal} entries, before {before.journal}",
    )


ROWS: Final[tuple[Row, ...]] = (
    *range_rows(),
    story("genuine, without its text", HEADER, Notice(ID, N.VERIFIED, R.OK, 1), Shows(None)),
    story(
        "its text comes after it",
        *SHOWN,
        Notice(ID, N.SHOWN, R.STALE),
        Shows(ID, "Update your device", False),
    ),
    story(
        "its text comes before it, and again where a board keeps no piece that waits",
        TEXT,
        HEADER,
        TEXT,
        Notice(ID, N.SHOWN),
        Shows(ID, "Update your device"),
    ),
    story("it is shown again after a reset", *SHOWN, Restart(), Shows(ID, "Update your device")),
    story("it survives a reset without its text", HEADER, Restart(), TEXT, Shows(ID, "Update your device")),
    story(
        "its severity is told",
        Send(TO["notice"], header()),
        TEXT,
        Check("high", lambda b, _: must(_severity(b) == "high", "severity")),
    ),
    story(
        "one that does not concern the owner is not shown", Send(TO["notice"], of_range()), TEXT, Shows(None)
    ),
    story("an exercise says that it is one", *SHOWN, Shows(ID, "EXERCISE"), on=DRILL),
    story(
        "another text under its name",
        HEADER,
        Send(TEXT_TO, lambda s: words(s, title="Pay here")),
        Notice(ID, N.VERIFIED),
        Shows(None),
        threat="forgery",
    ),
    story(
        "another text, then the right one",
        HEADER,
        Send(TEXT_TO, lambda s: words(s, title="Pay here")),
        TEXT,
        Shows(ID, "Update your device"),
        threat="forgery",
    ),
    story("a text without its notice", TEXT, Shows(None), Notice(ID, None), threat="forgery"),
    story(
        "a text of another language than its name says",
        Send(TO["notice"], signed(lambda s: told(s, texts={s.facts.language: text("xx").digest()}))),
        Send(TEXT_TO, lambda _: dump(text("xx")), R.MALFORMED),
        Shows(None),
        threat="forgery",
    ),
    story(
        "a text that is no CBOR of ours",
        Send(
            TO["notice"],
            signed(lambda s: told(s, texts={s.facts.language: hashlib.sha256(b"\x65hello").digest()})),
        ),
        Send(TEXT_TO, lambda _: b"\x65hello", R.MALFORMED),
        Shows(None),
        threat="oversized input and decoder bombs",
    ),
    story(
        "a text that the owner cannot read stays away",
        HEADER,
        Send(f"text/{{product}}/xx/{ID}", lambda _: dump(text("xx"))),
        Shows(None),
    ),
    # Phases and what replaces what.
    story("a resolved one is shown", Send(TO["notice"], header(phase=Phase.RESOLVED)), TEXT, Shows(ID)),
    story(
        "an update of one that was shown",
        *SHOWN,
        Send(TO["notice"], header(revision=2, version=NOW + 1, phase=Phase.UPDATE)),
        Notice(ID, N.VERIFIED, revision=2),
        TEXT,
        Notice(ID, N.SHOWN, revision=2),
    ),
    story(
        "an older revision after a newer one",
        Send(TO["notice"], header(revision=2, version=NOW + 1)),
        Send(TO["notice"], header(), R.REPLAYED),
        Notice(ID, N.VERIFIED, revision=2),
        threat=REPLAY,
    ),
    story("the very same again", *SHOWN, HEADER, Notice(ID, N.SHOWN, revision=1), threat=REPLAY),
    story(
        "another one of the same version",
        HEADER,
        Send(TO["notice"], header(revision=2), R.EQUIVOCATION),
        Notice(ID, N.VERIFIED, revision=1),
        threat=REPLAY,
    ),
    story("acknowledged", *SHOWN, Press("acknowledge"), Notice(ID, N.ACKNOWLEDGED), threat=""),
    story(
        "acknowledged, and so after a reset",
        *SHOWN,
        Press("acknowledge"),
        Restart(),
        Notice(ID, N.ACKNOWLEDGED),
    ),
    story("nothing to acknowledge", Press("acknowledge", refused=True), keeps=True),
    story(
        "a new revision is to be acknowledged anew",
        *SHOWN,
        Press("acknowledge"),
        Send(TO["notice"], header(revision=2, version=NOW + 1)),
        Notice(ID, N.VERIFIED, revision=2),
    ),
    story(
        "a withdrawal of one that was shown",
        *SHOWN,
        Send(TO["notice"], header(revision=2, version=NOW + 1, phase=Phase.WITHDRAWN)),
        TEXT,
        Notice(ID, N.WITHDRAWN, revision=2),
        Shows(ID),
    ),
    story(
        "a withdrawal of one that was never shown",
        Send(TO["notice"], header(phase=Phase.WITHDRAWN)),
        TEXT,
        Notice(ID, N.WITHDRAWN),
        Shows(None),
    ),
    story(
        "a withdrawal that one role did not sign",
        *SHOWN,
        Send(
            TO["notice"],
            signed(
                lambda s: told(s, revision=2, version=NOW + 1, phase=Phase.WITHDRAWN), "engineer", "lawyer"
            ),
            R.THRESHOLD_NOT_MET,
        ),
        Notice(ID, N.SHOWN, revision=1),
        threat="missing approval",
    ),
    story(
        "over since this second",
        Send(TO["notice"], header(issued=NOW - DAY, version=NOW, expires=NOW + MINUTE)),
        TEXT,
        Notice(ID, N.EXPIRED, R.EXPIRED),
        Shows(None),
    ),
    story(
        "over one second from now on",
        Send(TO["notice"], header(expires=NOW + HOUR)),
        TEXT,
        Clock(HOUR - 30),
        Notice(ID, N.SHOWN),
        Clock(HOUR),
        Notice(ID, N.EXPIRED, R.EXPIRED),
    ),
    story(
        "a clock set ahead silences nobody",
        Send(TO["notice"], header(expires=NOW + HOUR)),
        TEXT,
        Clock(2 * HOUR),
        Notice(ID, N.EXPIRED),
        Clock(MINUTE),
        Notice(ID, N.SHOWN),
        threat=SUPPRESSION,
    ),
    # A language added later.
    story(
        "only languages were added: what was acknowledged stays so",
        *SHOWN,
        Press("acknowledge"),
        Send(
            TO["notice"],
            signed(
                lambda s: told(
                    s,
                    revision=2,
                    version=NOW + 1,
                    same_since=1,
                    texts={s.facts.language: hashlib.sha256(words(s)).digest(), "xx": bytes(32)},
                )
            ),
        ),
        Notice(ID, N.ACKNOWLEDGED, revision=2),
    ),
    story(
        "said to be the same, and other words",
        *SHOWN,
        Press("acknowledge"),
        Send(
            TO["notice"],
            signed(
                lambda s: told(
                    s, revision=2, version=NOW + 1, same_since=1, texts={s.facts.language: bytes(32)}
                )
            ),
        ),
        Notice(ID, N.VERIFIED, revision=2),
        threat="forgery",
    ),
    story(
        "two advisories stand side by side",
        *SHOWN,
        Send(f"notice/{{product}}/{OTHER}", header(id=OTHER)),
        Notice(ID, N.SHOWN),
        Notice(OTHER, N.VERIFIED),
    ),
    story("the journal counts what was refused", Check("the journal grew by one", _grows)),
    story(
        "floors outlive a reset",
        Send(TO["catalogue"], genuine("catalogue")),
        Restart(),
        Send(TO["catalogue"], genuine("catalogue", version=NOW - 1), R.REPLAYED),
        State({"floors.catalogue": NOW}),
        threat=REPLAY,
    ),
)
