"""Every message cut at every length, and with every one of its bytes altered: refused, always.

Which reasons are possible depends only on where the altered byte stands; :data:`REASONS` says it.
"""

from __future__ import annotations

from collections.abc import Iterator

import cbor2
import pytest

from keys.algorithms import Algorithm
from keys.errors import RefusedError
from keys.reasons import Reason as R
from keys.trusted import TrustedSet
from tests.keys.threats.contents import AT
from tests.keys.threats.drafts import TYPES, Draft, draft, render
from tests.keys.threats.table import fleet_of, present, states

REASONS: dict[str, frozenset[R]] = {
    "signature": frozenset({R.BAD_SIGNATURE}),
    "body": frozenset({R.BAD_SIGNATURE}),
    # A root's number is looked at before any signature, so its body has been read by then.
    "root's body": frozenset({R.BAD_SIGNATURE, R.MALFORMED, R.UNSUPPORTED, R.REPLAYED, R.ROOT_GAP}),
    "key id": frozenset({R.UNKNOWN_KEY, R.THRESHOLD_NOT_MET}),
    "report's key id": frozenset({R.BAD_SIGNATURE}),
    "stated digest": frozenset({R.BAD_SIGNATURE}),
    "manifest": frozenset({R.DIGEST_MISMATCH}),
    "severed text": frozenset({R.DIGEST_MISMATCH}),
    # CBOR heads, header labels, the algorithm's and the type's names.
    "structure": frozenset(
        {
            R.MALFORMED,
            R.TOO_BIG,
            R.UNSUPPORTED,
            R.WRONG_TYPE,
            R.ALGORITHM_MISMATCH,
            R.UNKNOWN_KEY,
            R.THRESHOLD_NOT_MET,
            R.BAD_SIGNATURE,
        }
    ),
}
"""Where a byte stands -> what its alteration may be refused for."""

CASES = [
    *((type_, a) for a in (Algorithm.ED25519, Algorithm.ESP256) for type_ in TYPES),
    *((type_, Algorithm.ML_DSA_44) for type_ in TYPES if type_ != "root"),
    pytest.param("root", Algorithm.ML_DSA_44, marks=pytest.mark.slow),
    ("timestamp", Algorithm.ML_DSA_65),
]


def pieces(made: Draft, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name the parts of a rendered draft, by their bytes."""
    value = cbor2.loads(data).value
    kid = "report's key id" if made.type == "report" else "key id"
    yield from ((kid, mark.signer.public.thumbprint) for mark in made.marks)
    if made.type == "patch":
        stated, *blocks = cbor2.loads(value[2])
        yield "stated digest", cbor2.loads(stated)[1]
        yield "manifest", value[3]
        yield "severed text", value[23]
        yield from (("signature", cbor2.loads(block).value[3]) for block in blocks)
        return
    yield ("root's body" if made.type == "root" else "body"), value[2]
    values = [value[3]] if made.type == "report" else [part[2] for part in value[3]]
    yield from (("signature", signature) for signature in values)


def places(made: Draft, data: bytes) -> list[str]:
    """Name the place of each byte."""
    found = ["structure"] * len(data)
    for name, piece in pieces(made, data):
        assert data.count(piece) == 1, name
        at = data.index(piece)
        found[at : at + len(piece)] = [name] * len(piece)
    return found


def given(type_: str, algorithm: Algorithm) -> tuple[Draft, bytes, bytes | TrustedSet]:
    """Return a genuine message, and the state in which it would be accepted."""
    made = draft(type_, fleet_of(algorithm))
    data, state = render(made), states(algorithm)[type_]
    present(type_, state, data, AT)
    return made, data, state if type_ == "report" else TrustedSet.load(state)


def unchanged(state: bytes | TrustedSet, type_: str, algorithm: Algorithm) -> bool:
    before = states(algorithm)[type_]
    return before == (state if isinstance(state, bytes) else state.dump())


@pytest.mark.parametrize(("type_", "algorithm"), CASES)
def test_a_message_cut_at_any_length_is_malformed(type_: str, algorithm: Algorithm) -> None:
    _, data, state = given(type_, algorithm)
    for size in range(len(data)):
        with pytest.raises(RefusedError) as refused:
            present(type_, state, data[:size], AT)
        assert refused.value.reason is R.MALFORMED, size
    assert unchanged(state, type_, algorithm)


@pytest.mark.parametrize(("type_", "algorithm"), CASES)
def test_one_flipped_bit_in_any_byte_is_refused_for_what_stands_there(
    type_: str, algorithm: Algorithm
) -> None:
    """With Ed25519 every bit of every byte; with others one bit a byte, each bit in its turn."""
    made, data, state = given(type_, algorithm)
    for at, place in enumerate(places(made, data)):
        for bit in range(8) if algorithm is Algorithm.ED25519 else (at % 8,):
            wrong = bytearray(data)
            wrong[at] ^= 1 << bit
            with pytest.raises(RefusedError) as refused:
                present(type_, state, bytes(wrong), AT)
            assert refused.value.reason in REASONS[place], (at, bit, place)
    assert unchanged(state, type_, algorithm)
