"""The root chain: gaps, replays, both policies, faulty roots, revoked keys, recovery, the end of a root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from advisories.smp import Rc
from advisories.states import NoticeState
from hil.conformance.bench import Bench
from hil.conformance.drafts import draft, render
from hil.conformance.fleet import DAY, NOW, Fleet, entry, first_root, root_keys, row_of, rows
from hil.conformance.rows import DiffersError, Make, Row, Scene, Step, must
from hil.conformance.steps import Check, Clock, Notice, Restart, Send, State
from hil.conformance.table.common import ID, TO, genuine, root_signed
from hil.conformance.table.policy import TRIO
from hil.errors import SmpRefused
from keys.algorithms import Algorithm, PublicKey
from keys.document import seal
from keys.reasons import Reason
from keys.root import Body, RootKey

R = Reason
ROLLBACK, COMPROMISE, FREEZE, APPROVAL = "rollback", "key compromise", "freeze", "missing approval"
ASLEEP: Final = "a device that was asleep"
ROOT_3: Final = "root/3"
LATER: Final = 366 * DAY
"""Root 1 is over by then."""


def follows(*names: str, **changes: Any) -> Make:
    """Return root 2 with these changes, signed by two root keys unless told otherwise."""
    return root_signed(lambda scene: scene.fleet.next_root(**changes), *names)


def third(**changes: Any) -> Make:
    """Return root 3."""
    return follows(version=3, issued=NOW + 2, **changes)


def refused(what: str, make: Make, reason: Reason, threat: str) -> Row:
    """Return a row of a root 2 that is refused."""
    return Row(name=f"root: {what}", steps=(Send(TO["root"], make, reason),), threat=threat, keeps=True)


def story(what: str, *steps: Step, threat: str = "", **more: Any) -> Row:
    """Return a row of several steps."""
    return Row(name=f"root: {what}", steps=steps, threat=threat, **more)


# -- roots that cannot be

FAULTS: Final[Mapping[str, Callable[[Scene], dict[str, Any]]]] = {
    "an empty row": lambda _: {"policy": rows(notice={})},
    "a row with threshold 0": lambda _: {"policy": rows(notice={"legal": 0})},
    "a row that demands one holder more than there is": lambda _: {"policy": rows(patch={"release": 2})},
    "a row for a role that nobody has": lambda _: {"policy": rows(notice={"nobody": 1})},
    "a row that demands seventeen signatures": lambda _: {
        "policy": rows(notice={f"role-{n}": 1 for n in range(15)} | {"legal": 2})
    },
    "a row that stands twice": lambda _: {"policy": (*rows(), rows(notice={"legal": 1})[1])},
    "an impossible row of one product": lambda scene: {
        "policy": (*rows(), row_of(scene.facts.product, "patch", release=2))
    },
    "an empty row of one product": lambda scene: {"policy": (*rows(), row_of(scene.facts.product, "patch"))},
    "no row for the root": lambda _: {"policy": rows(root=None)},
    "a root row of another role": lambda _: {"policy": rows(root={"legal": 1})},
    "a root row with a second role": lambda _: {"policy": rows(root={"root": 2, "legal": 1})},
    "a root row of one product": lambda scene: {
        "policy": (*rows(), row_of(scene.facts.product, "root", root=1))
    },
    "as many root keys as the threshold": lambda _: {"keys": root_keys(("root-3",))},
    "a key listed twice": lambda _: {"keys": (*root_keys(), entry("lawyer", "legal", holder="another"))},
    "a key listed twice in two roles": lambda _: {"keys": (*root_keys(), entry("lawyer", "communications"))},
    "one holder in all three roles of a row": lambda _: {
        "keys": (
            *root_keys(("engineer", "lawyer", "lawyer-2", "speaker")),
            entry("m-1", "engineering", holder="m"),
            entry("m-2", "legal", holder="m"),
            entry("m-3", "communications", holder="m"),
        )
    },
}


def faulty(change: Callable[[Scene], dict[str, Any]]) -> Make:
    """Return a root 2 with a fault."""
    return root_signed(lambda scene: scene.fleet.next_root(**change(scene)))


def odd(algorithm: Algorithm, x: bytes, y: bytes = b"") -> Make:
    """Return a root 2 with a key that is a second spelling of another, or that anybody can sign for."""
    key = RootKey(key=PublicKey(algorithm, x, y), roles=("legal",), holder="odd")
    return follows(keys=(*root_keys(), key))


ODD: Final[Mapping[str, bytes]] = {
    "a point of low order": bytes(32),
    "the neutral element": b"\x01" + bytes(31),
    "a point written above the prime": b"\xee" + b"\xff" * 31,
    "a key of 31 bytes": b"\x05" * 31,
}


def alien(members: dict[int, Any]) -> Make:
    """Return a root 2 that lists a key of a kind that is none of ours."""

    def make(scene: Scene) -> bytes:
        made = draft(scene.fleet, "root")
        keys = [*made.fields[10], {1: members, 2: ["legal"], 3: "alien"}]
        return render(replace(made, fields={**made.fields, 10: keys}))

    return make


# -- first roots, which a factory provisions


def provisions(make: Callable[[Fleet], bytes]) -> Step:
    """Return a step: the board refuses to be provisioned with this root."""

    def look(bench: Bench, scene: Scene) -> None:
        digest = bench.notifier.put(make(scene.fleet))
        try:
            bench.notifier.provision("root", digest)
        except SmpRefused as error:
            must(error.rc == Rc.EINVAL, f"provision answers {error.message}")
        else:
            raise DiffersError("the board took it as its root 1")

    return Check("provisioning it as root 1 is refused (EINVAL)", look)


def first(what: str, make: Callable[[Fleet], bytes]) -> Row:
    """Return a row of a root 1 that cannot be provisioned."""
    place = "wrong type, product, device or fleet"
    return Row(name=f"root 1: {what}", steps=(provisions(make),), threat=place, keeps=True)


def by_roots(body: Body, fleet: Fleet, *names: str) -> bytes:
    """Sign a body with root keys."""
    return seal(body, [fleet.signer(name) for name in names or ("root-1", "root-2")])


# -- keys that change

FRESH: Final = tuple(entry(f"new-{n}", "root") for n in (1, 2, 3))
MOVED: Final = {"keys": (*root_keys(("root-1", "root-2", "root-3")), *FRESH)}


def noticed(*names: str, **changes: Any) -> Make:
    """Return a notice."""
    return genuine("notice", *names, **changes)


LASTING: Final = {"expires": NOW + 900 * DAY}
TAKEN: Final = Send(TO["root"], follows())

ROWS: Final[tuple[Row, ...]] = (
    *(refused(n, faulty(change), R.BAD_ROOT, APPROVAL) for n, change in FAULTS.items()),
    *(
        refused(f"an Ed25519 key that is {n}", odd(Algorithm.ED25519, x), R.MALFORMED, APPROVAL)
        for n, x in ODD.items()
    ),
    refused("a key of an unknown type", alien({1: 99, -1: bytes(32)}), R.UNSUPPORTED, "algorithm confusion"),
    refused(
        "a key on an unknown curve", alien({1: 1, -1: 7, -2: bytes(57)}), R.UNSUPPORTED, "algorithm confusion"
    ),
    refused(
        "a key with a private part",
        alien({1: 1, -1: 6, -2: b"\x05" * 32, -4: bytes(32)}),
        R.MALFORMED,
        COMPROMISE,
    ),
    refused(
        "one root key and everybody else",
        follows("root-1", *TRIO, "gateway", "operator"),
        R.THRESHOLD_NOT_MET,
        COMPROMISE,
    ),
    refused("new root keys that only the old ones signed", follows(**MOVED), R.UNKNOWN_KEY, COMPROMISE),
    refused(
        "new root keys that only they signed", follows("new-1", "new-2", **MOVED), R.UNKNOWN_KEY, COMPROMISE
    ),
    refused(
        "new root keys of which one is missing",
        follows("root-1", "root-2", "new-1", **MOVED),
        R.THRESHOLD_NOT_MET,
        COMPROMISE,
    ),
    refused(
        "new root keys that one old one signed",
        follows("root-1", "new-1", "new-2", **MOVED),
        R.THRESHOLD_NOT_MET,
        COMPROMISE,
    ),
    first("signed by one root key", lambda fleet: by_roots(first_root(), fleet, "root-1")),
    first("of version 2", lambda fleet: by_roots(fleet.next_root(), fleet)),
    first(
        "with a policy that cannot be met",
        lambda fleet: by_roots(first_root(policy=rows(patch={"release": 2})), fleet),
    ),
    first(
        "with one bit changed", lambda fleet: fleet.root_document[:-1] + bytes([fleet.root_document[-1] ^ 1])
    ),
    first("that is no root", lambda fleet: fleet.signed(fleet.notice())),
    story("the next one", TAKEN, State({"root": 2, "floors.root": 2})),
    story("the very same again", TAKEN, Send(TO["root"], follows()), State({"root": 2})),
    story("the first one again", Send("root/1", lambda scene: scene.fleet.root_document), State({"root": 1})),
    story("it outlives a reset", TAKEN, Restart(), State({"root": 2})),
    story(
        "one that was left out, then both",
        Send(ROOT_3, third(), R.ROOT_GAP),
        TAKEN,
        Send(ROOT_3, third()),
        State({"root": 3}),
        threat=ROLLBACK,
    ),
    story("two in order", TAKEN, Send(ROOT_3, third()), State({"root": 3}), threat=ASLEEP),
    story(
        "an older one after a newer one",
        TAKEN,
        Send(ROOT_3, third()),
        Send(TO["root"], follows(), R.REPLAYED),
        State({"root": 3}),
        threat=ROLLBACK,
    ),
    story(
        "the first one after a newer one",
        TAKEN,
        Send("root/1", lambda scene: scene.fleet.root_document, R.REPLAYED),
        threat=ROLLBACK,
    ),
    story(
        "another one of the same version",
        TAKEN,
        Send(TO["root"], follows(issued=NOW + 3), R.REPLAYED),
        State({"root": 2}),
        threat=ROLLBACK,
    ),
    story(
        "new root keys that both sides signed",
        Send(TO["root"], follows("root-1", "root-2", "new-1", "new-2", **MOVED)),
        State({"root": 2}),
    ),
    story(
        "old root keys after new ones",
        Send(TO["root"], follows("root-1", "root-2", "new-1", "new-2", **MOVED)),
        Send(ROOT_3, third(**MOVED), R.UNKNOWN_KEY),
        State({"root": 2}),
        threat=COMPROMISE,
    ),
    story(
        "a higher threshold counts for the next one",
        Send(
            TO["root"],
            follows(
                "root-1",
                "root-2",
                "root-3",
                "new-1",
                keys=(*root_keys(), FRESH[0]),
                policy=rows(root={"root": 3}),
            ),
        ),
        Send(
            ROOT_3, third(keys=(*root_keys(), FRESH[0]), policy=rows(root={"root": 3})), R.THRESHOLD_NOT_MET
        ),
        threat=APPROVAL,
    ),
    # A root whose time is over.
    *(
        story(
            f"after its end no {type_} is believed",
            Clock(LATER),
            Send(TO[type_], genuine(type_, **LASTING), R.EXPIRED),
            threat=FREEZE,
        )
        for type_ in ("catalogue", "timestamp", "offer")
    ),
    story(
        "after its end a notice is believed all the same",
        Clock(LATER),
        Send(TO["notice"], noticed(**LASTING)),
        Notice(ID, NoticeState.VERIFIED),
        threat="suppression of a notice",
    ),
    story(
        "after its end it verifies its successor, and all goes on",
        Clock(LATER),
        Send(TO["root"], follows(expires=NOW + 2 * LATER)),
        Send(TO["catalogue"], genuine("catalogue", **LASTING)),
        State({"root": 2, "floors.catalogue": NOW}),
        threat=ASLEEP,
    ),
    story(
        "one that is over itself is walked past",
        Clock(LATER),
        Send(TO["root"], follows()),
        Send(ROOT_3, third(expires=NOW + 2 * LATER)),
        State({"root": 3}),
        threat=ASLEEP,
    ),
)
