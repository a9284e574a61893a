"""Keys that go: what they signed counts no more, and a version that they set absurdly high goes with them."""

from __future__ import annotations

from typing import Any, Final

from advisories.states import NoticeState
from hil.conformance.fleet import NOW, entry, root_keys
from hil.conformance.rows import Make, Row
from hil.conformance.steps import Notice, Send, State
from hil.conformance.table.common import ID, OFFERED, TO, genuine
from hil.conformance.table.policy import TRIO
from hil.conformance.table.roots import COMPROMISE, follows, noticed, story
from keys.reasons import Reason

R = Reason

NO_LAWYER: Final = {"keys": root_keys(("lawyer",))}
NEW_GATEWAY: Final = {"keys": (*root_keys(("gateway",)), entry("gateway-2", "gateway"))}
NEW_OPERATOR: Final = {"keys": (*root_keys(("operator",)), entry("operator-2", "operator"))}
NEW_GUARD: Final = {"keys": (*root_keys(("guard",)), entry("guard-2", "security"))}
NEW_LAWYER: Final = {"keys": (*root_keys(), entry("lawyer-3", "legal"))}
ABSURD: Final = 2**53 - 1


def hurried(type_: str, *names: str, **changes: Any) -> Make:
    """Return a document of a version set absurdly high."""
    return genuine(type_, *names, version=ABSURD, **changes)


ROWS: Final[tuple[Row, ...]] = (
    story(
        "a notice that a revoked lawyer helped to sign",
        Send(TO["root"], follows(**NO_LAWYER)),
        Send(TO["notice"], noticed(*TRIO), R.THRESHOLD_NOT_MET),
        Send(TO["notice"], noticed("engineer", "lawyer-2", "speaker")),
        threat=COMPROMISE,
    ),
    story(
        "a revoked gateway's timestamp",
        Send(TO["root"], follows(**NEW_GATEWAY)),
        Send(TO["timestamp"], genuine("timestamp"), R.UNKNOWN_KEY),
        Send(TO["timestamp"], genuine("timestamp", "gateway-2")),
        threat=COMPROMISE,
    ),
    story(
        "a revoked gateway's offer",
        Send(TO["root"], follows(**NEW_GATEWAY)),
        Send(TO["offer"], genuine("offer"), R.UNKNOWN_KEY),
        Send(TO["offer"], genuine("offer", "gateway-2")),
        threat=COMPROMISE,
    ),
    story(
        "a patch that a revoked guard helped to sign",
        Send(TO["root"], follows(**NEW_GUARD)),
        Send(TO["patch"], genuine("patch"), R.THRESHOLD_NOT_MET),
        Send(TO["patch"], genuine("patch", "releaser", "guard-2")),
        on=OFFERED,
        threat=COMPROMISE,
    ),
    story(
        "a notice shown before stays when its lawyer goes",
        Send(TO["notice"], noticed(*TRIO)),
        Send(TO["root"], follows(**NO_LAWYER)),
        Notice(ID, NoticeState.VERIFIED),
        threat="suppression of a notice",
    ),
    # Recovery from a version set absurdly high.
    *(
        story(
            f"a {type_} of version 2^53-1 falls with the stolen key",
            Send(TO[type_], hurried(type_)),
            State({f"floors.{type_}": ABSURD}),
            Send(TO[type_], genuine(type_), R.REPLAYED),
            Send(TO["root"], follows(**changes)),
            State({f"floors.{type_}": 0}),
            Send(TO[type_], genuine(type_, name)),
            State({f"floors.{type_}": NOW}),
            threat=COMPROMISE,
        )
        for type_, changes, name in (
            ("catalogue", NEW_OPERATOR, "operator-2"),
            ("timestamp", NEW_GATEWAY, "gateway-2"),
            ("offer", NEW_GATEWAY, "gateway-2"),
        )
    ),
    story(
        "a notice of version 2^53-1 falls with the stolen key",
        Send(TO["notice"], hurried("notice")),
        Send(TO["notice"], noticed(*TRIO, revision=2), R.REPLAYED),
        Send(TO["root"], follows(**NO_LAWYER)),
        Send(TO["notice"], noticed("engineer", "lawyer-2", "speaker", revision=2)),
        Notice(ID, NoticeState.VERIFIED, revision=2),
        threat=COMPROMISE,
    ),
    story(
        "a floor stays where its signers stay",
        Send(TO["catalogue"], genuine("catalogue", version=NOW + 5)),
        Send(TO["root"], follows(**NEW_GATEWAY)),
        State({"floors.catalogue": NOW + 5}),
        Send(TO["catalogue"], genuine("catalogue"), R.REPLAYED),
        threat="replay",
    ),
    story(
        "an extra signature by a key that goes takes no floor along",
        Send(TO["catalogue"], genuine("catalogue", "operator", "gateway", version=NOW + 5)),
        Send(TO["root"], follows(**NEW_GATEWAY)),
        State({"floors.catalogue": NOW + 5}),
        threat="replay",
    ),
    # A key that only the next root knows.
    story(
        "what it alone knows the signer of is taken when it has come",
        Send(TO["notice"], noticed("engineer", "lawyer-3", "speaker"), R.THRESHOLD_NOT_MET),
        Send(TO["root"], follows(**NEW_LAWYER)),
        Send(TO["notice"], noticed("engineer", "lawyer-3", "speaker")),
        Notice(ID, NoticeState.VERIFIED),
    ),
)
