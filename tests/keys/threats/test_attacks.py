"""Every row of the table, against every verifier that it applies to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields as record_fields
from itertools import combinations

import pytest

from advisories import suit
from keys.algorithms import Algorithm
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.trusted import TrustedSet
from tests.keys.threats import signatures
from tests.keys.threats.attack import Attack, Step, Threat, fields
from tests.keys.threats.contents import AT, FLOOR, instead, version
from tests.keys.threats.drafts import DOCUMENTS, TYPES, bodies, draft, envelope, render
from tests.keys.threats.table import ATTACKS, Vector, fleet_of, present, states, vectors

BY_NAME: dict[str, list[Vector]] = defaultdict(list)
for _vector in vectors():
    BY_NAME[_vector.name.partition(": ")[2]].append(_vector)


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ESP256])
def test_a_draft_that_nobody_altered_is_what_the_product_signs(algorithm: Algorithm) -> None:
    fleet = fleet_of(algorithm)
    for type_, body in bodies(fleet).items():
        if type_ != "report":
            assert render(draft(type_, fleet)) == fleet.seal(body)
    patch = envelope()
    for signer in fleet.signers("release", "security"):
        patch = suit.authenticate(patch, signer)
    assert render(draft("patch", fleet)) == patch
    if algorithm is Algorithm.ED25519:
        assert render(draft("report", fleet)) == fleet.report(bodies(fleet)["report"])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BY_NAME)
def test_every_attack_is_refused_for_its_own_reason_and_changes_nothing_that_is_trusted(name: str) -> None:
    for vector in BY_NAME[name]:
        vector.accepted()
        state = TrustedSet.load(vector.state) if vector.type in DOCUMENTS else vector.state
        with pytest.raises(RefusedError) as refused:
            present(vector.type, state, vector.data, vector.now)
        assert isinstance(state, bytes) or state.dump() == vector.state, vector.name
        assert (refused.value.reason, vector.name) == (vector.reason, vector.name)
        assert vector.detail in refused.value.detail, vector.name
        assert refused.value.detail.isprintable(), vector.name


def test_every_row_has_a_name_of_its_own_and_is_made_of_bytes_alone() -> None:
    rows = vectors()
    assert len({row.name for row in rows}) == len(rows) > 2_000
    for row in rows:
        for cell in record_fields(row):
            assert isinstance(getattr(row, cell.name), bytes | str | int | None), cell.name
        assert row.data != row.genuine or row.now != row.genuine_now, row.name


def test_every_type_and_every_threat_is_attacked() -> None:
    rows = vectors()
    assert {row.type for row in rows} == {*TYPES, "root-1"}
    assert {row.threat for row in rows} == {v for k, v in vars(Threat).items() if k.isupper()}
    by_type = {type_: sum(row.type == type_ for row in rows) for type_ in TYPES}
    assert min(by_type.values()) > 100, by_type


# The reason is that of the first step that fails: two attacks at once are refused for the earlier one.

_FIRST = {attack.name: attack for attack in ATTACKS}
_LADDER: dict[Step, Attack] = {
    Step.SIZE: _FIRST["140,000 bytes"],
    Step.STRUCTURE: _FIRST["words in the unprotected header"],
    Step.TYPE: _FIRST["another type in the header"],
    Step.SIGNATURE: _FIRST["one bit of the signature"],
    Step.BODY: _FIRST["field that no table has"],
    Step.STATEMENT: _FIRST["another fleet"],
    Step.POLICY: _FIRST["keys of another role only"],
    Step.TIME: _FIRST["over since this second"],
    Step.VERSION: _FIRST["older than the last"],
}
_ROOT_ORDER = (
    Step.SIZE,
    Step.STRUCTURE,
    Step.BODY,
    Step.VERSION,
    Step.TYPE,
    Step.SIGNATURE,
    Step.STATEMENT,
    Step.POLICY,
    Step.TIME,
)
"""A root's number is looked at first: it decides which root has to verify it."""
_ORDERS = {
    **dict.fromkeys(DOCUMENTS, tuple(Step)),
    "root": _ROOT_ORDER,
    "report": (Step.SIZE, Step.STRUCTURE, Step.TYPE, Step.SIGNATURE, Step.BODY, Step.STATEMENT),
    "patch": (Step.SIZE, Step.SIGNATURE, Step.POLICY, Step.BODY),
}


@pytest.mark.parametrize("type_", TYPES)
def test_of_two_faults_the_one_that_is_looked_for_first_is_named(type_: str) -> None:
    ladder = dict(_LADDER)
    if type_ == "root":
        ladder[Step.VERSION] = _FIRST["version 0"]
        ladder[Step.STRUCTURE] = _FIRST["no tag"]
    if type_ == "patch":
        ladder[Step.BODY] = _FIRST["another text"]
    for first, second in combinations(_ORDERS[type_], 2):
        made = draft(type_, fleet_of(Algorithm.ED25519))
        for step in sorted((first, second), key=lambda step: step is Step.SIGNATURE):
            made = ladder[step].alter(made)  # the signature is spoilt last, whoever makes it
        with pytest.raises(RefusedError) as refused:
            present(type_, states(Algorithm.ED25519)[type_], render(made), AT)
        assert refused.value.reason is ladder[first].expected(type_), (first, second)


# What looks like an attack and is none.


@pytest.mark.parametrize("type_", [*DOCUMENTS, "patch"])
def test_a_strangers_signature_beside_the_right_ones_is_passed_over(type_: str) -> None:
    made = signatures.beside("stranger")(draft(type_, fleet_of(Algorithm.ED25519)))
    present(type_, states(Algorithm.ED25519)[type_], render(made), AT)


@pytest.mark.parametrize("type_", [*DOCUMENTS, "patch"])
def test_a_second_copy_of_a_signature_neither_helps_nor_harms(type_: str) -> None:
    made = draft(type_, fleet_of(Algorithm.ED25519))
    twice = render(signatures.put(marks=(*made.marks, made.marks[0]))(made))
    present(type_, states(Algorithm.ED25519)[type_], twice, AT)


def test_the_other_signature_of_p256_is_the_same_document() -> None:
    """With ECDSA anybody can make (r, n - s) of (r, s): documents are known by their bodies, not so."""
    fleet = fleet_of(Algorithm.ESP256)

    def other(_: bytes, value: bytes) -> bytes:
        return value[:32] + (signatures.N - int.from_bytes(value[32:], "big")).to_bytes(32, "big")

    state = states(Algorithm.ESP256)["notice"]
    made = draft("notice", fleet)
    trusted = present("notice", state, render(made), AT)
    after = trusted.dump()
    present("notice", trusted, render(signatures.spoil(other)(made)), AT)
    assert trusted.dump() == after


@pytest.mark.parametrize("value", [FLOOR + 1, 2**53 - 1])
def test_a_version_as_high_as_may_be_is_taken_and_one_higher_is_not(value: int) -> None:
    for type_ in set(DOCUMENTS) - {"root"}:
        state = states(Algorithm.ED25519)[type_]
        made = draft(type_, fleet_of(Algorithm.ED25519))
        trusted = present(type_, state, render(version(value)(made)), AT)
        with pytest.raises(RefusedError) as refused:
            present(type_, trusted, render(version(value - 1)(made)), AT)
        assert refused.value.reason is Reason.REPLAYED


def test_an_attack_that_changes_nothing_is_noticed_by_this_test() -> None:
    """The table can fail: a row whose attack is genuine after all is accepted."""
    made = fields()(draft("notice", fleet_of(Algorithm.ED25519)))
    present("notice", states(Algorithm.ED25519)["notice"], render(made), AT)
    with pytest.raises(RefusedError):
        present("notice", states(Algorithm.ED25519)["notice"], render(instead(b"")(made)), AT)
