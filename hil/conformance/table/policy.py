"""Who may say what: rows of the policy, holders who count once, authors, narrowed rows, exercises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from hil.conformance.fleet import NOW, Fleet, entry, first_root, root_keys, row_of, rows
from hil.conformance.rows import PLAIN, Facts, Make, Row, Scene, Situation
from hil.conformance.steps import Send
from hil.conformance.table.common import OFFERED, TO, TYPES, genuine
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, Root

R = Reason
APPROVAL: Final = "missing approval"
SIGNERS: Final = {
    "root": ("root-1", "root-2"),
    "notice": ("engineer", "lawyer", "speaker"),
    "patch": ("releaser", "guard"),
    "catalogue": ("operator",),
    "timestamp": ("gateway",),
    "offer": ("gateway",),
    "answer": ("gateway",),
}
"""Type -> who signs it, in the order of its row's roles."""
TRIO: Final = SIGNERS["notice"]


def keyed(name: str, root: Callable[[Facts], Root], *, offered: bool = False) -> Situation:
    """Return a situation with another root."""
    return Situation(name=name, root=root, before=OFFERED.before if offered else ())


def row(
    what: str, type_: str, make: Make, reason: Reason, *, on: Situation | None = None, threat: str = APPROVAL
) -> Row:
    """Return a row of one message."""
    where = on or (OFFERED if type_ == "patch" else PLAIN)
    refused = reason is not R.OK
    step = Send(TO[type_], make, reason)
    return Row(name=f"{type_}: {what}", steps=(step,), on=where, threat=threat * refused, keeps=refused)


def _without(type_: str) -> tuple[Row, ...]:
    """Return a row for each role of a type: everybody signed but its holder."""
    names = SIGNERS[type_]
    roles = tuple(DEFAULT_POLICY[type_])
    found = []
    for number, name in enumerate(names):
        role = roles[number] if len(roles) > 1 else roles[0]
        others = tuple(one for one in names if one != name) or (
            "engineer" if role != "engineering" else "lawyer",
        )
        nth = "second " if len(roles) == 1 and number else ""
        what = f"signed by all but the {nth}holder of {role}"
        found.append(row(what, type_, genuine(type_, *others), R.THRESHOLD_NOT_MET))
    return tuple(found)


_MALLORY: Final = keyed(
    "one person holds three keys in three roles",
    lambda _: first_root(
        keys=(
            *root_keys(),
            entry("m-1", "engineering", holder="mallory"),
            entry("m-2", "legal", holder="mallory"),
            entry("m-3", "communications", holder="mallory"),
        )
    ),
)
_ONE_KEY: Final = keyed(
    "one key has three roles",
    lambda _: first_root(keys=(*root_keys(), entry("m-1", "engineering", "legal", "communications"))),
)
_PATCH_TWICE: Final = keyed(
    "one person holds both roles of a patch",
    lambda _: first_root(
        keys=(*root_keys(), entry("m-1", "release", holder="m"), entry("m-2", "security", holder="m"))
    ),
    offered=True,
)
_LEGAL_TWO: Final = keyed(
    "notices need two lawyers, and one of them has two keys",
    lambda _: first_root(
        keys=(*root_keys(), entry("spare", "legal", holder="lawyer")),
        policy=rows(notice={"engineering": 1, "legal": 2, "communications": 1}),
    ),
)
_AUTHOR: Final = keyed(
    "the author has a key in a second role",
    lambda _: first_root(keys=(*root_keys(), entry("second", "legal", holder="engineer"))),
)
_STRICT: Final = keyed(
    "this product's notices need two lawyers",
    lambda facts: first_root(
        policy=(*rows(), row_of(facts.product, "notice", engineering=1, legal=2, communications=1))
    ),
)
_LENIENT: Final = keyed(
    "another product's notices need nobody but a lawyer",
    lambda _: first_root(policy=(*rows(), row_of("another", "notice", legal=1))),
)
_OFFER_STRICT: Final = keyed(
    "this product's offers need the operator, too",
    lambda facts: first_root(policy=(*rows(), row_of(facts.product, "offer", gateway=1, operator=1))),
)
_NO_ROW: Final = keyed("the policy has no row for notices", lambda _: first_root(policy=rows(notice=None)))
_NO_PATCH_ROW: Final = keyed(
    "the policy has no row for patches", lambda _: first_root(policy=rows(patch=None)), offered=True
)
_EITHER: Final = keyed(
    "one key has two roles, and another person one of them",
    lambda _: first_root(keys=(*root_keys(("engineer",)), entry("both", "engineering", "legal"))),
)
DRILL: Final = keyed(
    "an exercise in which one person holds three keys in three roles",
    lambda _: replace(
        first_root(
            keys=(
                *root_keys(),
                entry("m-1", "engineering", holder="mallory"),
                entry("m-2", "legal", holder="mallory"),
                entry("m-3", "communications", holder="mallory"),
                entry("second", "legal", holder="engineer"),
            )
        ),
        exercise=True,
    ),
)


def _twin(scene: Scene) -> Fleet:
    """Return a fleet of the same keys that was begun a second earlier."""
    return Fleet(first_root(issued=NOW - 1), scene.facts.device, scene.facts.product)


def by(*names: str, **changes: object) -> Make:
    """Return a notice signed by these people."""
    return genuine("notice", *names, **changes)


ROWS: Final[tuple[Row, ...]] = (
    *(
        row(f"genuine, signed by {' and '.join(SIGNERS[t])}", t, genuine(t), R.OK)
        for t in TYPES
        if t != "answer"
    ),
    *(one for t in TYPES for one in _without(t)),
    row("a stranger's signature beside the right ones", "notice", by(*TRIO, "stranger"), R.OK),
    row("more signatures than its row asks for", "notice", by(*TRIO, "lawyer-2", "guard"), R.OK),
    row("all that are needed, in another order", "notice", by("speaker", "engineer", "lawyer"), R.OK),
    row(
        "one person's three keys in three roles",
        "notice",
        by("m-1", "m-2", "m-3"),
        R.THRESHOLD_NOT_MET,
        on=_MALLORY,
    ),
    row(
        "two of one person's keys beside another's",
        "notice",
        by("m-1", "m-2", "speaker"),
        R.THRESHOLD_NOT_MET,
        on=_MALLORY,
    ),
    row(
        "one of one person's keys beside two others'",
        "notice",
        by("m-1", "lawyer", "speaker"),
        R.OK,
        on=_MALLORY,
    ),
    row("one key with three roles", "notice", by("m-1"), R.THRESHOLD_NOT_MET, on=_ONE_KEY),
    row(
        "one key with three roles takes one of them",
        "notice",
        by("m-1", "lawyer", "speaker"),
        R.OK,
        on=_ONE_KEY,
    ),
    row(
        "a key with two roles takes the one that is left",
        "notice",
        by("both", "lawyer", "speaker"),
        R.OK,
        on=_EITHER,
    ),
    row(
        "a key with two roles takes one only",
        "notice",
        by("both", "speaker"),
        R.THRESHOLD_NOT_MET,
        on=_EITHER,
    ),
    row(
        "one person for both roles",
        "patch",
        genuine("patch", "m-1", "m-2"),
        R.THRESHOLD_NOT_MET,
        on=_PATCH_TWICE,
    ),
    row("one person for one of the roles", "patch", genuine("patch", "m-1", "guard"), R.OK, on=_PATCH_TWICE),
    row(
        "two holders of one role, none of the others", "notice", by("lawyer", "lawyer-2"), R.THRESHOLD_NOT_MET
    ),
    row("one lawyer where two are needed", "notice", by(*TRIO), R.THRESHOLD_NOT_MET, on=_LEGAL_TWO),
    row(
        "two keys of one lawyer where two are needed",
        "notice",
        by(*TRIO, "spare"),
        R.THRESHOLD_NOT_MET,
        on=_LEGAL_TWO,
    ),
    row("two lawyers where two are needed", "notice", by(*TRIO, "lawyer-2"), R.OK, on=_LEGAL_TWO),
    row(
        "its author in a second role",
        "notice",
        by("engineer", "second", "speaker", author=("engineer", "engineering")),
        R.THRESHOLD_NOT_MET,
        on=_AUTHOR,
    ),
    row(
        "the author of another one in a second role",
        "notice",
        by("second", "speaker", author=("engineer", "engineering")),
        R.THRESHOLD_NOT_MET,
        on=_AUTHOR,
    ),
    row(
        "its author in the author's own role",
        "notice",
        by(*TRIO, author=("engineer", "engineering")),
        R.OK,
        on=_AUTHOR,
    ),
    row(
        "a holder who is named as its author in another role",
        "notice",
        by(*TRIO, author=("lawyer", "engineering")),
        R.THRESHOLD_NOT_MET,
    ),
    row("an author who holds no key", "notice", by(*TRIO, author=("writer", "engineering")), R.OK),
    row(
        "what the general row asks for, where the product has its own",
        "notice",
        by(*TRIO),
        R.THRESHOLD_NOT_MET,
        on=_STRICT,
    ),
    row("what the product's own row asks for", "notice", by(*TRIO, "lawyer-2"), R.OK, on=_STRICT),
    row("what another product's row asks for", "notice", by("lawyer"), R.THRESHOLD_NOT_MET, on=_LENIENT),
    row("the general row, where another product has its own", "notice", by(*TRIO), R.OK, on=_LENIENT),
    row(
        "to a device by the general row, where its product has its own",
        "offer",
        genuine("offer", "gateway"),
        R.THRESHOLD_NOT_MET,
        on=_OFFER_STRICT,
    ),
    row(
        "to a device by its product's own row",
        "offer",
        genuine("offer", "gateway", "operator"),
        R.OK,
        on=_OFFER_STRICT,
    ),
    row("no row for its type", "notice", by(*TRIO), R.NO_POLICY_ROW, on=_NO_ROW),
    row(
        "no row for patches",
        "patch",
        genuine("patch", "releaser", "guard"),
        R.NO_POLICY_ROW,
        on=_NO_PATCH_ROW,
    ),
    row(
        "of a fleet with the same keys",
        "notice",
        lambda scene: scene.fleet.signed(_twin(scene).notice()),
        R.WRONG_FLEET,
        threat="wrong type, product, device or fleet",
    ),
    row("one person for all roles, in an exercise", "notice", by("m-1", "m-2", "m-3"), R.OK, on=DRILL),
    row(
        "its author in a second role, in an exercise",
        "notice",
        by("engineer", "second", "speaker", author=("engineer", "engineering")),
        R.OK,
        on=DRILL,
    ),
    row(
        "a role that nobody signed, in an exercise", "notice", by("m-1", "m-2"), R.THRESHOLD_NOT_MET, on=DRILL
    ),
)
