from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cbor2
import pycddl
import pytest

from advisories.suit import numbers
from advisories.suit.interpreter import COMMANDS
from keys.algorithms import Algorithm
from keys.cbor import encode
from tests.advisories.suit_case import built, members, seal, signed
from tests.helpers import make_fleet

DOCS = Path(__file__).parents[2] / "docs" / "protocol"
CDDL = (DOCS / "suit.cddl").read_text(encoding="utf-8")


def validate(rule: str, data: bytes) -> None:
    pycddl.Schema(f"start = {rule}\n{CDDL}").validate_cbor(data)


def steps(sequence: bytes) -> Iterator[tuple[str, bytes]]:
    yield "SUIT_Sequence", sequence
    flat = cbor2.loads(sequence)
    for code, argument in zip(flat[::2], flat[1::2], strict=True):
        yield "SUIT_Step", encode([code, argument])
        if code == 20 and 3 in argument:
            yield "SUIT_Digest", argument[3]


def layers(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Every layer of an envelope with the rule that it must satisfy."""
    yield "SUIT_Envelope_Tagged", data
    outer = members(data)
    yield "SUIT_Authentication", outer[2]
    digest, *blocks = cbor2.loads(outer[2])
    yield "SUIT_Digest", digest
    for block in blocks:
        yield "COSE_Sign1_Tagged", block
        yield "Protected", cbor2.loads(block).value[0]
    yield "SUIT_Manifest", outer[3]
    manifest = cbor2.loads(outer[3])
    yield "SUIT_Common", manifest[3]
    yield from steps(cbor2.loads(manifest[3])[4])
    for key in (7, 9, 20):
        yield from steps(manifest[key])
    yield "SUIT_Text", outer[23]
    for language in cbor2.loads(outer[23]).values():
        yield "SUIT_About", encode({k: v for k, v in language.items() if type(k) is int})
        for component, text in language.items():
            if type(component) is tuple:
                yield "SUIT_Component", encode(list(component))
                yield "SUIT_Component_Text", encode(dict(text))


@pytest.mark.parametrize(
    "data",
    [
        built(),
        built(texts=None),
        signed(make_fleet()),
        signed(make_fleet(algorithm=Algorithm.ESP256), "release", "security", "legal"),
    ],
    ids=["unsigned", "without words", "signed with Ed25519", "signed with P-256"],
)
def test_every_layer_of_our_envelopes_is_what_the_cddl_says(data):
    seen = set()
    for rule, layer in layers(data):
        validate(rule, layer)
        seen.add(rule)
    assert {"SUIT_Manifest", "SUIT_Common", "SUIT_Step", "SUIT_Digest", "SUIT_Component_Text"} <= seen


WRONG = {
    "an unknown member of the envelope": ("SUIT_Envelope_Tagged", seal({**members(built()), 9: b""})),
    "no digest": ("SUIT_Authentication", encode([])),
    "a digest by SHA-512": ("SUIT_Digest", encode([-44, bytes(64)])),
    "a short digest": ("SUIT_Digest", encode([-16, bytes(31)])),
    "a deprecated label": ("Protected", encode({1: -7, 4: bytes(32)})),
    "no key identifier": ("Protected", encode({1: -19})),
    "another manifest version": ("SUIT_Manifest", encode({**cbor2.loads(members(built())[3]), 1: 2})),
    "an extension": ("SUIT_Manifest", encode({**cbor2.loads(members(built())[3]), 6: b""})),
    "a command outside the subset": ("SUIT_Step", encode([22, 2])),
    "a reporting policy above 15": ("SUIT_Step", encode([21, 16])),
    "an identifier of 15 bytes": ("SUIT_Parameters", encode({1: bytes(15)})),
    "a component without a version": ("SUIT_Component_Text", encode({5: "words"})),
}


@pytest.mark.parametrize(("rule", "data"), WRONG.values(), ids=WRONG.keys())
def test_the_cddl_refuses(rule, data):
    with pytest.raises(pycddl.ValidationError):
        validate(rule, data)


def test_the_page_names_the_draft_and_everything_that_is_run():
    page = (DOCS / "suit.md").read_text(encoding="utf-8")
    assert numbers.DRAFT in page
    for member in (*COMMANDS, *numbers.PARAMETERS_SUPPORTED, *numbers.Section):
        assert numbers.label(member) in page
