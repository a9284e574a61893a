"""The scenarios, each once: what happens, and what both readers make of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.keys.model.story import (
    DAY,
    EXPIRY,
    HOUR,
    KIND,
    MISMATCH,
    POLICY,
    SIGNATURE,
    VERSION,
    Role,
    Step,
    misplace,
    publish,
    replay,
    rotate,
    say,
    visit,
    wait,
    withhold,
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """A story; ``why`` is the sentence of DESIGN.md where the two designs part on purpose."""

    name: str
    steps: tuple[Step, ...]
    why: str = ""


HOLDER = "A signature counts for one role, a holder for one role of a row; keys differ by public-key bytes."
FAST = 2**40
T2, C2, N2 = Role(1, ("t2",)), Role(1, ("c2",)), Role(2, ("n4", "n5", "n6"))
R2 = Role(2, ("r4", "r5", "r6"))


def story(name: str, *steps: Step, why: str = "") -> Scenario:
    return Scenario(name, steps, why)


SAME: tuple[Scenario, ...] = (
    story("everything in order", visit()),
    story("the same again changes nothing", visit(), visit(), visit()),
    story("a newer set", visit(), publish(), visit(), publish(), visit()),
    story("only a newer timestamp", visit(), say("timestamp"), visit()),
    story("only a newer catalogue", visit(), say("catalogue"), say("timestamp"), visit()),
    # Signatures and thresholds
    story("a timestamp by a stranger", say("timestamp", by=("x",)), visit(SIGNATURE)),
    story("a timestamp by another role", say("timestamp", by=("c1",)), visit(SIGNATURE)),
    story("a timestamp by a root key", say("timestamp", by=("r1",)), visit(SIGNATURE)),
    story("a catalogue by a stranger", say("catalogue", by=("x",)), say("timestamp"), visit(SIGNATURE)),
    story("a catalogue by the gateway", say("catalogue", by=("t1",)), say("timestamp"), visit(SIGNATURE)),
    story("a notice below its threshold", publish(), say("notice", by=("n1",)), say("catalogue"), say("timestamp"),
          visit(SIGNATURE, warned=False)),
    story("a notice by one key and a stranger", say("notice", by=("n1", "x")), say("catalogue"), say("timestamp"),
          visit(SIGNATURE, warned=False)),
    story("a notice by its two other keys", say("notice", by=("n2", "n3")), say("catalogue"), say("timestamp"), visit()),
    story("a notice by all three", say("notice", by=("n1", "n2", "n3")), say("catalogue"), say("timestamp"), visit()),
    story("an unknown signature beside enough", say("notice", by=("x", "n1", "n2")), say("catalogue"),
          say("timestamp"), visit()),
    story("only a wrong signature", say("timestamp", by=("x",), forged=("t1",)), visit(SIGNATURE)),
    story("a wrong signature instead of the second", say("notice", by=("n1",), forged=("n2",)), say("catalogue"),
          say("timestamp"), visit(SIGNATURE, warned=False)),
    # Roots
    story("a root with nothing new", rotate(), visit(), publish(), visit()),
    story("five roots in a row, slept through", visit(), *[rotate()] * 5, publish(), visit()),
    story("a root below the threshold", visit(), rotate(by=("r1",)), visit(SIGNATURE)),
    story("a root by strangers", visit(), rotate(by=("x", "y")), visit(SIGNATURE)),
    story("a root by keys of other roles", visit(), rotate(by=("n1", "n2", "n3", "t1", "c1")), visit(SIGNATURE)),
    story("new root keys, signed by the old ones only", visit(), rotate(roles={"root": R2}, by=("r1", "r2")),
          visit(SIGNATURE)),
    story("new root keys, signed by themselves only", visit(), rotate(roles={"root": R2}, by=("r4", "r5")),
          visit(SIGNATURE)),
    story("new root keys, signed by old and new", visit(), rotate(roles={"root": R2}), visit(), rotate(), visit()),
    story("a root two ahead", visit(), rotate(version=3), visit(VERSION)),
    story("a root far ahead", visit(), rotate(version=FAST), visit(VERSION)),
    story("root 1 in the place of root 3", visit(), rotate(), visit(), replay("root", 0), visit(VERSION)),
    story("a higher root threshold, met", visit(), rotate(roles={"root": Role(3, ("r1", "r2", "r3", "r4"))}),
          visit(), rotate(), visit()),
    story("a higher root threshold, then too few", rotate(roles={"root": Role(3, ("r1", "r2", "r3", "r4"))}),
          visit(), rotate(by=("r1", "r2")), visit(SIGNATURE)),
    # Time
    story("a timestamp is over: frozen", visit(), wait(DAY), visit(EXPIRY)),
    story("its last second", visit(), wait(DAY - 1), visit()),
    story("over, then a fresh one", visit(), wait(DAY), visit(EXPIRY), say("timestamp"), visit()),
    story("a catalogue is over", visit(), wait(30 * DAY), say("timestamp"), visit(EXPIRY)),
    story("a notice is over", visit(), wait(90 * DAY), say("catalogue"), say("timestamp"), visit(EXPIRY)),
    story("a new timestamp that is over already", visit(), say("timestamp", life=0), visit(EXPIRY)),
    story("the final root is over", visit(), wait(365 * DAY), publish(), visit(EXPIRY)),
    story("an expired root verifies its successor", visit(), wait(400 * DAY), rotate(), publish(), visit()),
    story("roots that are over are walked through", rotate(life=HOUR), rotate(life=HOUR), wait(DAY), rotate(),
          publish(), visit()),
    story("the last of the roots is over", rotate(), rotate(life=HOUR), wait(2 * HOUR), publish(), visit(EXPIRY)),
    # Versions
    story("an older timestamp", visit(), publish(), visit(), replay("timestamp", 0), visit(VERSION)),
    story("a whole older set", visit(), publish(), visit(), replay("notice", 0), replay("catalogue", 0),
          replay("timestamp", 0), visit(VERSION, warned=False)),
    story("a new timestamp over an older catalogue", visit(), publish(), visit(), replay("catalogue", 0),
          say("timestamp"), visit(VERSION)),
    story("a new catalogue over an older notice", visit(), publish(), visit(), replay("notice", 0), say("catalogue"),
          say("timestamp"), visit(VERSION, warned=False)),
    story("versions may be skipped", visit(), publish(version=FAST), visit(), publish(), visit()),
    # Mix and match
    story("a catalogue held back", visit(), say("catalogue"), say("timestamp"), replay("catalogue", 0),
          visit(MISMATCH)),
    story("a notice held back", visit(), publish(), replay("notice", 0), visit(MISMATCH)),
    story("first contact with mixed parts", say("catalogue"), say("timestamp"), replay("catalogue", 0),
          visit(MISMATCH)),
    # Kinds
    story("a catalogue in a timestamp's place", visit(), misplace("catalogue", "timestamp"), visit(KIND)),
    story("a notice in a timestamp's place", visit(), misplace("notice", "timestamp"), visit(KIND)),
    # Revocation and recovery
    story("a revoked timestamp key", visit(), rotate(roles={"timestamp": T2}), say("timestamp", by=("t1",)),
          visit(SIGNATURE)),
    story("what a revoked key signed before", visit(), rotate(roles={"timestamp": T2}), visit(SIGNATURE)),
    story("a new timestamp key", visit(), rotate(roles={"timestamp": T2}), say("timestamp"), visit()),
    story("a revoked catalogue key", visit(), rotate(roles={"catalogue": C2}), say("catalogue", by=("c1",)),
          say("timestamp"), visit(SIGNATURE)),
    story("a revoked notice key", visit(), rotate(roles={"notice": N2}), say("notice", by=("n1", "n2")),
          say("catalogue"), say("timestamp"), visit(SIGNATURE, warned=False)),
    story("a timestamp fast-forwarded", visit(), say("timestamp", version=FAST), visit(), say("timestamp", version=9),
          visit(VERSION)),
    story("recovered by a new timestamp key", visit(), say("timestamp", version=FAST), visit(),
          rotate(roles={"timestamp": T2}), say("timestamp", version=9), visit()),
    story("not recovered by a root that keeps the key", visit(), say("timestamp", version=FAST), visit(), rotate(),
          say("timestamp", version=9), visit(VERSION)),
    story("everything fast-forwarded, every key new", visit(), publish(version=FAST), visit(),
          rotate(roles={"timestamp": T2, "catalogue": C2, "notice": N2}), publish(version=9), visit()),
)  # fmt: skip

APART: tuple[Scenario, ...] = (
    story("a warning while everything else is over", visit(), wait(400 * DAY), visit(EXPIRY),
          why="A warning is never held up by metadata: a notice is genuine by its own signatures and is shown at once"),
    story("a warning before its catalogue", visit(), say("notice"), say("catalogue"), say("timestamp", by=("x",)),
          visit(SIGNATURE, warned=True),
          why="A warning is never held up by metadata: a notice is genuine by its own signatures and is shown at once"),
    story("two keys of one holder", visit(), rotate(holders={"n2": "n1"}), publish(),
          visit(SIGNATURE, tuf="ok", warned=False), why=HOLDER),
    story("two root keys of one holder", visit(), rotate(holders={"r2": "r1"}, by=("r1", "r3")), visit(), rotate(by=("r1", "r2")),
          visit(SIGNATURE, tuf="ok"), why=HOLDER),
    story("no root key to spare", visit(), rotate(roles={"root": Role(2, ("r1", "r2"))}), visit(POLICY, tuf="ok"),
          why="and has at least threshold + 1 root keys"),
    story("a threshold above its holders", visit(), rotate(holders={"n2": "n1", "n3": "n1"}), visit(POLICY, tuf="ok"),
          why="A root is invalid if a row is empty, has a threshold below 1 or above its holders."),
    story("a wrong signature beside enough good ones", say("notice", by=("n1", "n2"), forged=("n3",)),
          say("catalogue"), say("timestamp"), visit(SIGNATURE, tuf="ok", warned=False),
          why="Verification is ordered and numbered in the code, fails closed"),
    story("the same key twice, below the threshold", say("notice", by=("n1", "n1")), say("catalogue"),
          say("timestamp"), visit(SIGNATURE, tuf=KIND, warned=False), why=HOLDER),
    story("the same key twice, beside enough", say("notice", by=("n1", "n2", "n1")), say("catalogue"),
          say("timestamp"), visit("ok", tuf=KIND), why=HOLDER),
    story("equal version, other timestamp", visit(), say("timestamp", version=1, content=1), visit(VERSION, tuf="ok"),
          why="Every body states type, fleet (digest of root 1), subject (product or device), version and time of "
              "issue, and each is compared."),
    story("the very same root again", visit(), rotate(), visit(), replay("root", 1), visit("ok", tuf=VERSION),
          why="takes messages in any order, keeps a bounded number of pieces that wait for their header, compares "
              "digests before it verifies anything twice"),
    story("another fleet's timestamp", visit(), say("timestamp", fleet="theirs"), visit(MISMATCH, tuf="ok"),
          why="Every body states type, fleet (digest of root 1)"),
    story("a root withheld by the broker", visit(), rotate(), say("timestamp"), withhold(2),
          visit(MISMATCH, tuf="ok"), why="timestamp (per product: root version, catalogue version and digest"),
    story("a catalogue fast-forwarded, its key new", visit(), say("catalogue", version=FAST), say("timestamp"),
          visit(), rotate(roles={"catalogue": C2}), say("catalogue", version=9), say("timestamp"),
          visit("ok", tuf=VERSION), why="Revoking a key in a new root deletes the versions stored under it"),
    story("an older catalogue under a new timestamp key", visit(), publish(), visit(), rotate(roles={"timestamp": T2}),
          replay("notice", 1), replay("catalogue", 0), say("timestamp"), visit(VERSION),
          why="Revoking a key in a new root deletes the versions stored under it"),
)  # fmt: skip
