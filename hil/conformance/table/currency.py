"""Whether a notice is current: catalogue and timestamp confirm it; nothing that they leave out hides it."""

from __future__ import annotations

from typing import Any, Final

from advisories.states import NoticeState
from hil.conformance.bench import Bench
from hil.conformance.fleet import DAY, HOUR, MINUTE, NOW
from hil.conformance.rows import Make, Row, Scene, must
from hil.conformance.steps import Carrier, Check, Clock, Notice, Send, Shows
from hil.conformance.table.common import ID, TEXT_TO, TO, genuine, signed
from hil.conformance.table.notices import HEADER, SHOWN, SUPPRESSION, TEXT, story, told
from keys.reasons import Reason

R, N = Reason, NoticeState


def catalogue(scene: Scene, **fields: Any) -> Any:
    """Return the catalogue that names the header."""
    return scene.fleet.catalogue(told(scene), **fields)


CATALOGUE: Final = Send(TO["catalogue"], signed(catalogue))
TIMESTAMP: Final = Send(TO["timestamp"], signed(lambda scene: scene.fleet.timestamp(catalogue(scene))))


def stamp(**fields: Any) -> Make:
    """Return a timestamp over that catalogue with other fields."""
    return signed(lambda scene: scene.fleet.timestamp(catalogue(scene), **fields))


def listed(topic: str) -> Check:
    """Return a check: the board asks for what is missing on this topic."""

    def look(bench: Bench, scene: Scene) -> None:
        def asked() -> bool:
            bench.listen(scene)
            wanted = {name for want in bench.said.wants for name in want.topics}
            return scene.topic(topic).removeprefix(f"{scene.facts.prefix}/") in wanted

        must(bench.until(asked), f"the board never asks for {topic}")

    return Check(f"the board asks for {topic}", look)


ROWS: Final[tuple[Row, ...]] = (
    story(
        "metadata issued far ahead silences nobody",
        Send(TO["notice"], signed(lambda s: told(s, expires=NOW + HOUR))),
        TEXT,
        Send(TO["timestamp"], stamp(issued=NOW + DAY, expires=NOW + 2 * DAY)),
        Notice(ID, N.SHOWN),
        threat=SUPPRESSION,
    ),
    story(
        "confirmed by catalogue and timestamp",
        *SHOWN,
        CATALOGUE,
        TIMESTAMP,
        Notice(ID, N.SHOWN, R.OK, confirmed=True),
        Shows(ID, confirmed=True),
    ),
    story(
        "a catalogue alone confirms nothing",
        *SHOWN,
        CATALOGUE,
        Notice(ID, N.SHOWN, R.STALE, confirmed=False),
        threat="freeze",
    ),
    story(
        "a timestamp alone confirms nothing",
        *SHOWN,
        TIMESTAMP,
        Notice(ID, N.SHOWN, R.STALE, confirmed=False),
        threat="mix and match",
    ),
    story(
        "a timestamp of another catalogue",
        *SHOWN,
        CATALOGUE,
        Send(TO["timestamp"], stamp(catalogue_digest=bytes(32))),
        Notice(ID, N.SHOWN, R.STALE, confirmed=False),
        threat="mix and match",
    ),
    story(
        "a timestamp of another catalogue's version",
        *SHOWN,
        CATALOGUE,
        Send(TO["timestamp"], stamp(catalogue_version=NOW + 1)),
        Notice(ID, N.SHOWN, R.STALE, confirmed=False),
        threat="mix and match",
    ),
    story(
        "a timestamp that names a root that is not here",
        *SHOWN,
        CATALOGUE,
        Send(TO["timestamp"], stamp(root_version=2)),
        Notice(ID, N.SHOWN, R.STALE, confirmed=False),
        threat="key compromise",
    ),
    story(
        "a catalogue that leaves it out hides nothing",
        *SHOWN,
        Send(TO["catalogue"], genuine("catalogue")),
        Send(TO["timestamp"], genuine("timestamp")),
        Notice(ID, N.SHOWN, R.STALE, confirmed=False),
        Shows(ID),
        threat=SUPPRESSION,
    ),
    story(
        "a catalogue that names it otherwise",
        *SHOWN,
        Send(TO["catalogue"], signed(lambda s: s.fleet.catalogue(notices=((ID, 1, bytes(32)),)))),
        Send(
            TO["timestamp"],
            signed(lambda s: s.fleet.timestamp(s.fleet.catalogue(notices=((ID, 1, bytes(32)),)))),
        ),
        Notice(ID, N.SHOWN, R.STALE, confirmed=False),
        threat="mix and match",
    ),
    story(
        "six hours later it is stale",
        *SHOWN,
        CATALOGUE,
        TIMESTAMP,
        Clock(6 * HOUR),
        Shows(ID, confirmed=False),
        threat="freeze",
    ),
    story(
        "a second before it is still current",
        *SHOWN,
        CATALOGUE,
        TIMESTAMP,
        Clock(6 * HOUR - 20),
        Shows(ID, confirmed=True),
    ),
    story(
        "a clock put back does not make it fresh",
        *SHOWN,
        CATALOGUE,
        TIMESTAMP,
        Send(TO["timestamp"], stamp(version=NOW + DAY, issued=NOW + DAY, expires=NOW + DAY + MINUTE)),
        Clock(MINUTE),
        Send(TO["timestamp"], stamp(version=NOW + 2, expires=NOW + HOUR), R.EXPIRED),
        threat="freeze",
    ),
    story(
        "named by the catalogue, and missed",
        Carrier(up=True),
        CATALOGUE,
        TIMESTAMP,
        Clock(2 * MINUTE),
        listed(f"notice/{{product}}/{ID}"),
        threat=SUPPRESSION,
    ),
    story(
        "its text is missed", Carrier(up=True), HEADER, Clock(2 * MINUTE), listed(TEXT_TO), threat=SUPPRESSION
    ),
)
