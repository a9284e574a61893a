"""Genuine documents taken apart, so that a row changes one respect of one and puts it together again.

Rendered unchanged, a draft is byte for byte what the product's own code signs; so whatever a board refuses it
for is the one thing that the row changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2

from hil.conformance.fleet import Fleet
from keys.cbor import encode
from keys.codec import pack
from keys.document import typ
from keys.signer import LocalSigner


def same(value: Any) -> Any:
    """Change nothing."""
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One signature to be made, with everything about it that can be wrong."""

    signer: LocalSigner
    header: Mapping[Any, Any] | bytes
    """Protected header: a map, or the bytes of whatever stands there."""
    loose: Mapping[Any, Any] = field(default_factory=dict)
    """Unprotected header."""
    context: str = "Signature"
    aad: bytes = b""
    spoil: Callable[[bytes, bytes], Any] = lambda _, value: value
    """From the bytes to be signed and the right signature to the one that is sent."""

    @property
    def protected(self) -> bytes:
        """The protected header as it is signed."""
        return self.header if isinstance(self.header, bytes) else encode(dict(self.header))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message before it is signed."""

    type: str
    fields: dict[Any, Any]
    """The body, or the manifest of a patch, as CBOR values."""
    marks: tuple[Mark, ...]
    header: Mapping[Any, Any] | bytes = b""
    """Protected header of the body (not of a patch)."""
    loose: Mapping[Any, Any] = field(default_factory=dict)
    body: Callable[[bytes], bytes] = same
    """What the body's bytes become before they are signed."""
    carried: Callable[[bytes], Any] = same
    """What stands in the payload's place, after signing."""
    shape: Callable[[Any], Any] = same
    """What the structure becomes after signing, its tag included."""
    raw: Callable[[bytes], bytes] = same
    """What the bytes become in the end."""
    beside: Mapping[Any, bytes] = field(default_factory=dict)
    """Severed members of a patch."""


Alter = Callable[[Draft], Draft]


def mark(signer: LocalSigner, **more: Any) -> Mark:
    """Return the signature as it should be made."""
    public = signer.public
    return Mark(signer=signer, header={1: public.algorithm.value, 4: public.thumbprint}, **more)


def draft(fleet: Fleet, type_: str, /, *names: str, **changes: Any) -> Draft:
    """Return a genuine document taken apart; ``changes`` are fields of its body."""
    marks = tuple(mark(fleet.signer(name)) for name in names or fleet.signers(type_))
    fields = pack(fleet.body(type_, **changes))
    return Draft(type=type_, fields=fields, marks=marks, header={16: typ(type_)})


def patch_draft(fleet: Fleet, envelope: bytes, *names: str) -> Draft:
    """Return an unsigned envelope taken apart, with its signers."""
    members = dict(cbor2.loads(envelope).value)
    del members[2]
    manifest = cbor2.loads(members.pop(3))
    marks = tuple(mark(fleet.signer(name), context="Signature1") for name in names or fleet.signers("patch"))
    return Draft(type="patch", fields=manifest, marks=marks, carried=lambda _: None, beside=members)


def render(made: Draft) -> bytes:
    """Sign a draft and return its bytes."""
    if made.type == "patch":
        return made.raw(encode(made.shape(cbor2.CBORTag(107, _envelope(made)))))
    payload = made.body(encode(made.fields))
    header = made.header if isinstance(made.header, bytes) else encode(dict(made.header))
    signatures = [[m.protected, dict(m.loose), _value(m, header, payload)] for m in made.marks]
    parts = [header, dict(made.loose), made.carried(payload), signatures]
    return made.raw(encode(made.shape(cbor2.CBORTag(98, parts))))


def _envelope(made: Draft) -> dict[Any, bytes]:
    manifest = made.body(encode(made.fields))
    stated = encode([-16, hashlib.sha256(encode(manifest)).digest()])
    blocks = [
        encode(cbor2.CBORTag(18, [m.protected, dict(m.loose), made.carried(stated), _value(m, b"", stated)]))
        for m in made.marks
    ]
    return {2: encode([stated, *blocks]), 3: manifest, **made.beside}


def _value(made: Mark, body_header: bytes, payload: bytes) -> Any:
    parts = [b"" if header == b"\xa0" else header for header in (body_header, made.protected)]
    if made.context == "Signature1":
        parts = parts[1:]
    tbs = encode([made.context, *parts, made.aad, payload])
    return made.spoil(tbs, made.signer.sign(tbs))


# -- what rows do to a draft


def last(**changes: Any) -> Alter:
    """Change the last signature."""
    return lambda made: replace(made, marks=(*made.marks[:-1], replace(made.marks[-1], **changes)))


def header(change: Callable[[dict[Any, Any]], Any]) -> Alter:
    """Change the protected header of the last signature before it is made."""

    def alter(made: Draft) -> Draft:
        found = made.marks[-1].header
        return last(header=change(dict(found) if isinstance(found, Mapping) else {}))(made)

    return alter


def spoil(change: Callable[[bytes], Any]) -> Alter:
    """Change the last signature's value after it was made."""
    return last(spoil=lambda _, value: change(value))


def fields(changes: Mapping[Any, Any]) -> Alter:
    """Change entries of the body before it is signed; ``...`` takes one away."""

    def alter(made: Draft) -> Draft:
        found = {**made.fields, **changes}
        return replace(made, fields={k: v for k, v in found.items() if v is not ...})

    return alter


def put(**changes: Any) -> Alter:
    """Change the draft itself."""
    return lambda made: replace(made, **changes)


def part(index: int, value: Any) -> Alter:
    """Put something else in one place of the COSE array, after signing."""

    def change(tagged: Any) -> Any:
        parts = list(tagged.value)
        parts[index] = value
        return cbor2.CBORTag(tagged.tag, parts)

    return put(shape=change)


_SENTINEL = b"the place of the trick"


def signed_trick(trick: bytes) -> Alter:
    """Put any bytes in the place of one value of the body, before everyone signs it."""

    def alter(made: Draft) -> Draft:
        found = fields({2 if made.type == "patch" else 4: _SENTINEL})(made)
        return replace(found, body=lambda body: body.replace(encode(_SENTINEL), trick))

    return alter


def outer_trick(trick: bytes) -> Alter:
    """Put any bytes in the place of the payload or of a text, after signing: anybody can."""

    def shape(tagged: Any) -> Any:
        if isinstance(tagged.value, dict):
            return cbor2.CBORTag(tagged.tag, {**tagged.value, 23: _SENTINEL})
        return cbor2.CBORTag(tagged.tag, [*tagged.value[:2], _SENTINEL, *tagged.value[3:]])

    return put(shape=shape, raw=lambda data: data.replace(encode(_SENTINEL), trick))
