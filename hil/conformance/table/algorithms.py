"""Algorithms: a key is bound to one, and what a board has none for is passed over, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hil.conformance.drafts import Alter, Draft, draft, mark, render, spoil
from hil.conformance.fleet import entry, first_root, key, root_keys, rows
from hil.conformance.rows import Make, Row, Scene, Situation
from hil.conformance.steps import Send
from hil.conformance.table.common import OFFERED, TO, altered, genuine, root_signed
from hil.conformance.table.signatures import label
from keys.algorithms import Algorithm, PublicKey
from keys.document import seal
from keys.reasons import Reason
from keys.root import RootKey

R = Reason
CONFUSION: Final = "algorithm confusion"
P256: Final = Algorithm.ESP256
ML: Final = Algorithm.ML_DSA_44
N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # order of P-256


def p256_keys() -> tuple[RootKey, ...]:
    """Return the usual keys; all but the root's own are of P-256."""
    return tuple(
        found if "root" in found.roles else entry(found.holder, *found.roles, algorithm=P256)
        for found in root_keys()
    )


ALL_P256: Final = Situation(
    name="everybody signs with P-256, but for the root's own keys",
    root=lambda _: first_root(keys=p256_keys()),
    algorithm=P256,
)
OFFERED_P256: Final = replace(
    ALL_P256, name="a patch is offered, and everybody signs with P-256", before=OFFERED.before
)
ENGINEER_P256: Final = Situation(
    name="the engineer signs with P-256, everybody else with Ed25519",
    root=lambda _: first_root(
        keys=(*root_keys(("engineer",)), entry("engineer", "engineering", algorithm=P256))
    ),
)


def row(
    what: str, type_: str, make: Make, reason: Reason, on: Situation, *, needs: str = "alg:-9", **more: Any
) -> Row:
    """Return a row of one message, for a board that can verify with P-256."""
    step = Send(TO[type_], make, reason, asks=bool(needs))
    refused = reason is not R.OK
    return Row(
        name=f"algorithm: {what}",
        steps=(step,),
        on=on,
        needs=frozenset(needs.split()),
        threat=CONFUSION * refused,
        keeps=refused,
        **more,
    )


def der(value: bytes) -> bytes:
    """The same signature as DER."""
    return encode_dss_signature(int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big"))


WRONG: Final[Mapping[str, tuple[Alter, Reason]]] = {
    "P-256 key under the Ed25519 label": (label(-19), R.ALGORITHM_MISMATCH),
    "P-256 key under the older ES256 label": (label(-7), R.ALGORITHM_MISMATCH),
    "P-256 key under the ES384 label": (label(-35), R.ALGORITHM_MISMATCH),
    "DER instead of raw r and s": (spoil(der), R.BAD_SIGNATURE),
    "r and s both zero": (spoil(lambda _: bytes(64)), R.BAD_SIGNATURE),
    "r and s both the group's order": (spoil(lambda _: N.to_bytes(32, "big") * 2), R.BAD_SIGNATURE),
    "r and s changed over": (spoil(lambda value: value[32:] + value[:32]), R.BAD_SIGNATURE),
    "one bit of a P-256 signature": (spoil(lambda value: bytes([value[0] ^ 1]) + value[1:]), R.BAD_SIGNATURE),
}


def by(signers: Mapping[str, Algorithm], *, change: Callable[[Draft], Draft] = lambda made: made) -> Make:
    """Return a maker of a notice signed by these people, each with a key of this kind."""

    def make(scene: Scene) -> bytes:
        made = draft(scene.fleet, "notice")
        marks = tuple(mark(key(name, kind)) for name, kind in signers.items())
        return render(change(replace(made, marks=marks)))

    return make


ED: Final = Algorithm.ED25519
MIXED: Final[Mapping[str, Algorithm]] = {"engineer": P256, "lawyer": ED, "speaker": ED}


def odd(x: bytes, y: bytes) -> Make:
    """Return a root 2 with a P-256 key that is none."""
    found = RootKey(key=PublicKey(P256, x, y), roles=("legal",), holder="odd")
    return root_signed(lambda scene: scene.fleet.next_root(keys=(*root_keys(), found)))


def _p256(name: str) -> PublicKey:
    return key(name, P256).public


# -- post-quantum keys: they come with root 2, for a small device has no room for a root that holds one


def quantum(algorithm: Algorithm, **policy: Mapping[str, int]) -> Send:
    """Return a root 2 that gives the role engineering, and a role of its own, to a post-quantum key."""
    keys = (*root_keys(), entry("quantum", "engineering", "quantum", algorithm=algorithm))
    return Send(
        TO["root"], root_signed(lambda scene: scene.fleet.next_root(keys=keys, policy=rows(**policy)))
    )


def with_quantum(algorithm: Algorithm, *names: str) -> Make:
    """Return a notice that the post-quantum key signed beside these people."""

    def make(scene: Scene) -> bytes:
        return seal(scene.fleet.notice(), [key("quantum", algorithm), *(key(name) for name in names)])

    return make


HYBRID: Final = {"engineering": 1, "legal": 1, "communications": 1, "quantum": 1}


def post_quantum(algorithm: Algorithm) -> tuple[Row, ...]:
    """Return the rows of one post-quantum algorithm."""
    name = algorithm.name.replace("_", "-")
    needs = frozenset({f"alg:{int(algorithm)}"})

    def story(what: str, *steps: Send) -> Row:
        return Row(name=f"algorithm: {name}: {what}", steps=steps, needs=needs)

    return (
        story(
            "in the engineer's place",
            quantum(algorithm),
            Send(TO["notice"], with_quantum(algorithm, "lawyer", "speaker"), asks=True),
        ),
        story(
            "beside all who are needed, it does no harm",
            quantum(algorithm),
            Send(TO["notice"], with_quantum(algorithm, "engineer", "lawyer", "speaker")),
        ),
        story(
            "in a row that needs it and Ed25519, with both",
            quantum(algorithm, notice=HYBRID),
            Send(TO["notice"], with_quantum(algorithm, "engineer", "lawyer", "speaker"), asks=True),
        ),
        story(
            "in a row that needs it and Ed25519, with Ed25519 alone",
            quantum(algorithm, notice=HYBRID),
            Send(TO["notice"], genuine("notice", "engineer", "lawyer", "speaker"), R.THRESHOLD_NOT_MET),
        ),
    )


ROWS: Final[tuple[Row, ...]] = (
    *(
        row(f"a {t} by P-256", t, genuine(t), R.OK, ALL_P256)
        for t in ("notice", "catalogue", "timestamp", "offer")
    ),
    *(row(f"notice: {n}", "notice", altered("notice", a), why, ALL_P256) for n, (a, why) in WRONG.items()),
    row("one of three by P-256", "notice", by(MIXED), R.OK, ENGINEER_P256),
    row(
        "one of three by P-256, and another one missing",
        "notice",
        by({"engineer": P256, "lawyer": ED}),
        R.THRESHOLD_NOT_MET,
        ENGINEER_P256,
        needs="",
    ),
    row(
        "without the one by P-256",
        "notice",
        by({"lawyer": ED, "speaker": ED}),
        R.THRESHOLD_NOT_MET,
        ENGINEER_P256,
        needs="",
    ),
    row(
        "an Ed25519 signature by nobody in the place of the one by P-256",
        "notice",
        by({"engineer": ED, "lawyer": ED, "speaker": ED}),
        R.THRESHOLD_NOT_MET,
        ENGINEER_P256,
        needs="",
    ),
    *(row for one in (ML, Algorithm.ML_DSA_65) for row in post_quantum(one)),
    *(
        Row(
            name=f"algorithm: a root with {n}",
            steps=(Send(TO["root"], odd(x, y), R.MALFORMED, also=frozenset({R.OK})),),
            threat=CONFUSION,
        )
        for n, (x, y) in {
            "a P-256 point that is not on the curve": (_p256("lawyer").x, _p256("lawyer").x),
            "a P-256 point at zero": (bytes(32), bytes(32)),
            "a P-256 coordinate above the prime": (b"\xff" * 32, _p256("lawyer").y),
        }.items()
    ),
)
