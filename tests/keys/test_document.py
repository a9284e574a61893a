from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice
from advisories.offer import Answer, Offer
from keys import cose
from keys.algorithms import Algorithm
from keys.cbor import decode, encode
from keys.codec import dump, pack
from keys.document import Genuine, body_bytes, digest, open_document, peek, seal, size_max, typ
from keys.errors import RefusedError
from keys.limits import DOCUMENT_BYTES_MAX
from keys.reasons import Reason
from keys.root import Body, PolicyRow, Root
from tests.helpers import (
    DEVICE,
    NOW,
    PRODUCT,
    Fleet,
    answer,
    catalogue,
    devices,
    key,
    make_fleet,
    notice,
    offer,
    policy,
    timestamp,
)

FLEET = make_fleet()
OTHER = make_fleet(now=NOW + 1)
BODIES: dict[str, Body] = {
    "notice": notice(FLEET),
    "catalogue": catalogue(FLEET),
    "timestamp": timestamp(FLEET),
    "offer": offer(FLEET),
    "answer": answer(FLEET),
    "devices": devices(FLEET),
    "root": FLEET.next_root(),
}
SEALED = {name: FLEET.seal(body) for name, body in BODIES.items()}


def opened(document: bytes, cls: type[Any] = Notice, fleet: Fleet = FLEET, **kwargs: Any) -> Genuine[Any]:
    return open_document(document, cls, kwargs.pop("root", fleet.root), fleet=fleet.id, **kwargs)


def reason_of(document: bytes, cls: type[Any] = Notice, **kwargs: Any) -> Reason:
    with pytest.raises(RefusedError) as caught:
        opened(document, cls, **kwargs)
    return caught.value.reason


def resealed(body: dict[Any, Any], type_: str = "notice", *roles: str) -> bytes:
    """A body that no honest program writes, signed by everyone all the same."""
    signers = FLEET.signers(*(roles or ("engineering", "legal", "communications")))
    return cose.sign(encode(body), signers, typ=typ(type_))


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ESP256])
@pytest.mark.parametrize("make", [notice, catalogue, timestamp, offer, answer, devices])
def test_every_document_comes_back_as_it_was_signed(make: Any, algorithm: Algorithm) -> None:
    fleet = make_fleet(algorithm=algorithm)
    body = make(fleet)
    genuine = opened(fleet.seal(body), type(body), fleet=fleet, subject=body.subject[0], now=NOW)
    assert genuine.body == body
    assert genuine.digest == digest(fleet.seal(body)) == hashlib.sha256(dump(body)).digest()
    demanded = fleet.root.demands(body.TYPE, None)
    assert set(genuine.signed) == {fleet.signer(role).public.thumbprint for role in demanded}


def test_the_digest_does_not_change_as_signatures_are_added() -> None:
    half = FLEET.seal(BODIES["notice"], "legal")
    assert digest(half) == digest(SEALED["notice"])
    assert body_bytes(half) == dump(BODIES["notice"])
    assert peek(half, Notice) == BODIES["notice"]


@pytest.mark.parametrize("name", sorted(SEALED))
@given(st.data())
def test_any_flipped_bit_is_refused(name: str, data: st.DataObject) -> None:
    document = SEALED[name]
    bit = data.draw(st.integers(0, len(document) * 8 - 1))
    wrong = bytearray(document)
    wrong[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RefusedError):
        opened(bytes(wrong), type(BODIES[name]))


@pytest.mark.parametrize("name", sorted(SEALED))
def test_every_cut_and_every_longer_document_is_refused(name: str) -> None:
    document = SEALED[name]
    for length in range(len(document)):
        with pytest.raises(RefusedError):
            opened(document[:length], type(BODIES[name]))
    for tail in (b"\0", b"\xa0", document):
        with pytest.raises(RefusedError):
            opened(document + tail, type(BODIES[name]))


@pytest.mark.parametrize("name", sorted(SEALED))
def test_every_flipped_byte_is_refused(name: str) -> None:
    document = SEALED[name]
    for index in range(len(document)):
        wrong = bytearray(document)
        wrong[index] ^= 0xFF
        with pytest.raises(RefusedError):
            opened(bytes(wrong), type(BODIES[name]))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert reason_of(data) in {Reason.MALFORMED, Reason.TOO_BIG}


_JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.text(max_size=9)
    | st.binary(max_size=33),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(-3, 30), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("name", sorted(set(BODIES) - {"root"}))
@given(data=st.data())
def test_a_signed_body_with_any_other_entry_is_that_value_or_refused(name: str, data: st.DataObject) -> None:
    body = pack(BODIES[name])
    changed = {**body, data.draw(st.sampled_from(sorted(body))): data.draw(_JUNK)}
    roles = sorted(FLEET.root.demands(name, None))
    try:
        genuine = opened(resealed(changed, name, *roles), type(BODIES[name]))
    except RefusedError:
        return
    assert pack(genuine.body) == changed


@pytest.mark.parametrize("missing", ["engineering", "legal", "communications"])
def test_a_notice_without_one_of_its_roles_is_refused(missing: str) -> None:
    roles = {"engineering", "legal", "communications"} - {missing}
    document = FLEET.seal(BODIES["notice"], *sorted(roles))
    with pytest.raises(RefusedError, match=missing) as caught:
        opened(document)
    assert caught.value.reason is Reason.THRESHOLD_NOT_MET


_FOREIGN = FLEET.seal(notice(OTHER))
_RELABELLED = resealed(pack(BODIES["notice"]), "catalogue")


@pytest.mark.parametrize(
    ("document", "cls", "kwargs", "reason"),
    [
        (SEALED["notice"], Catalogue, {}, Reason.WRONG_TYPE),
        (SEALED["timestamp"], Answer, {}, Reason.WRONG_TYPE),
        (SEALED["offer"], Timestamp, {}, Reason.WRONG_TYPE),
        (SEALED["root"], Notice, {}, Reason.WRONG_TYPE),
        (_RELABELLED, Notice, {}, Reason.WRONG_TYPE),
        (resealed(pack(BODIES["timestamp"]), "notice"), Notice, {}, Reason.MALFORMED),
        (resealed({**pack(BODIES["notice"]), 1: "catalogue"}), Notice, {}, Reason.WRONG_TYPE),
        (_FOREIGN, Notice, {}, Reason.WRONG_FLEET),
        (resealed({**pack(BODIES["notice"]), 2: b""}), Notice, {}, Reason.WRONG_FLEET),
        (SEALED["notice"], Notice, {"fleet": OTHER, "root": FLEET.root}, Reason.WRONG_FLEET),
        (SEALED["notice"], Notice, {"subject": "lock"}, Reason.WRONG_SUBJECT),
        (SEALED["offer"], Offer, {"subject": "device-0002"}, Reason.WRONG_SUBJECT),
        (SEALED["offer"], Offer, {"subject": PRODUCT}, Reason.WRONG_SUBJECT),
        (FLEET.seal(notice(FLEET, subject=())), Notice, {"subject": PRODUCT}, Reason.WRONG_SUBJECT),
        (SEALED["notice"], Notice, {"now": NOW + 90 * 86_400}, Reason.EXPIRED),
        (SEALED["notice"], Notice, {"now": 2**63}, Reason.EXPIRED),
        (resealed({**pack(BODIES["notice"]), 4: 2**63}), Notice, {}, Reason.MALFORMED),
        (resealed({**pack(BODIES["notice"]), 4: 2**53}), Notice, {}, Reason.MALFORMED),
        (resealed({**pack(BODIES["notice"]), 4: -1}), Notice, {}, Reason.MALFORMED),
        (resealed({**pack(BODIES["notice"]), 4: True}), Notice, {}, Reason.MALFORMED),
        (resealed({**pack(BODIES["notice"]), 99: 1}), Notice, {}, Reason.MALFORMED),
        (resealed({**pack(BODIES["notice"]), "4": 1}), Notice, {}, Reason.MALFORMED),
        (resealed({**pack(BODIES["notice"]), 10: "../../etc"}), Notice, {}, Reason.MALFORMED),
        (resealed({**pack(BODIES["notice"]), 10: "+"}), Notice, {}, Reason.MALFORMED),
        (resealed({}), Notice, {}, Reason.MALFORMED),
        (resealed([]), Notice, {}, Reason.MALFORMED),  # type: ignore[arg-type] # on purpose
        (cose.sign(b"", FLEET.signers("legal"), typ="tocsin/notice"), Notice, {}, Reason.MALFORMED),
        (cose.sign(b"\xa1", FLEET.signers("legal"), typ="tocsin/notice"), Notice, {}, Reason.MALFORMED),
        (seal(BODIES["notice"], [key("stranger")]), Notice, {}, Reason.UNKNOWN_KEY),
        (OTHER.seal(notice(OTHER)), Notice, {}, Reason.WRONG_FLEET),
        (
            SEALED["notice"],
            Notice,
            {"root": replace(FLEET.root, policy=policy({"root": {"root": 2}}))},
            Reason.NO_POLICY_ROW,
        ),
        (bytes(size_max(Notice) + 1), Notice, {}, Reason.TOO_BIG),
        (b"", Notice, {}, Reason.MALFORMED),
    ],
)
def test_each_refusal_has_its_reason(
    document: bytes, cls: type[Any], kwargs: dict[str, Any], reason: Reason
) -> None:
    assert reason_of(document, cls, **kwargs) is reason


def test_a_document_is_valid_until_the_second_it_expires() -> None:
    expires = BODIES["notice"].expires
    assert expires is not None
    opened(SEALED["notice"], now=expires - 1)
    assert reason_of(SEALED["notice"], now=expires) is Reason.EXPIRED
    opened(SEALED["notice"], now=None)
    opened(FLEET.seal(notice(FLEET, expires=None)), now=2**53)


def _rebuilt(change: Any, document: bytes = SEALED["notice"]) -> bytes:
    value = [list(p) if isinstance(p, tuple) else p for p in decode(document).value]
    value[3] = [list(s) for s in value[3]]
    change(value)
    return encode(cbor2.CBORTag(98, value))


def test_the_same_signature_three_times_counts_once() -> None:
    document = _rebuilt(lambda v: v.__setitem__(3, [v[3][0]] * 3))
    assert reason_of(document) is Reason.THRESHOLD_NOT_MET


def test_two_keys_of_one_holder_count_once() -> None:
    rootkeys = tuple(
        replace(k, holder="both") if k.roles[0] in {"legal", "communications"} else k for k in FLEET.root.keys
    )
    assert reason_of(SEALED["notice"], root=replace(FLEET.root, keys=rootkeys)) is Reason.THRESHOLD_NOT_MET


def test_one_key_under_two_key_ids_counts_once() -> None:
    def second(value: list[Any]) -> None:
        legal = FLEET.signer("legal")
        header = encode({cose.ALG: -19, cose.KID: FLEET.holder("legal-2").public.thumbprint})
        tbs = encode(["Signature", value[0], header, b"", value[2]])
        value[3].append([header, {}, legal.sign(tbs)])

    assert reason_of(_rebuilt(second)) is Reason.BAD_SIGNATURE


def test_a_key_id_that_is_not_the_keys_thumbprint_is_unknown() -> None:
    legal = FLEET.signer("legal")
    body = encode({cose.TYP: "tocsin/notice"})
    for kid in (legal.public.x, legal.public.thumbprint[:8], b"legal", b""):
        header = encode({cose.ALG: -19, cose.KID: kid})
        payload = dump(BODIES["notice"])
        value = legal.sign(encode(["Signature", body, header, b"", payload]))
        document = encode(cbor2.CBORTag(98, [body, {}, payload, [[header, {}, value]]]))
        assert reason_of(document) is Reason.UNKNOWN_KEY


def test_a_wrong_signature_beside_enough_good_ones_is_refused() -> None:
    def spoil(value: list[Any]) -> None:
        value[3][2][2] = bytes(64)

    assert reason_of(_rebuilt(spoil)) is Reason.BAD_SIGNATURE
    extra = FLEET.seal(BODIES["notice"], "engineering", "legal", "communications", "operator")

    def spoil_extra(value: list[Any]) -> None:
        value[3][3][2] = bytes(64)

    assert reason_of(_rebuilt(spoil_extra, extra)) is Reason.BAD_SIGNATURE


def test_a_strangers_signature_is_passed_over() -> None:
    document = cose.add_signature(SEALED["notice"], key("stranger"))
    assert opened(document).signed == opened(SEALED["notice"]).signed


def test_a_signature_of_another_role_counts_for_nothing() -> None:
    document = FLEET.seal(BODIES["notice"], "engineering", "legal", "operator", "gateway", "release")
    assert reason_of(document) is Reason.THRESHOLD_NOT_MET


@pytest.mark.parametrize("label", [-8, -7, -9, 5])
def test_an_algorithm_that_is_not_the_keys_is_refused(label: int) -> None:
    def relabel(value: list[Any]) -> None:
        header = encode({cose.ALG: label, cose.KID: FLEET.signer("legal").public.thumbprint})
        tbs = encode(["Signature", value[0], header, b"", value[2]])
        value[3][1] = [header, {}, FLEET.signer("legal").sign(tbs)]

    assert reason_of(_rebuilt(relabel)) is Reason.ALGORITHM_MISMATCH


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.__setitem__(1, {4: b"x"}),
        lambda v: v[3][0].__setitem__(1, {4: b"x"}),
        lambda v: v.__setitem__(2, None),
        lambda v: v.__setitem__(3, []),
        lambda v: v.append(1),
    ],
    ids=["loose body header", "loose signer header", "detached", "no signature", "five parts"],
)
def test_a_changed_envelope_is_malformed(change: Any) -> None:
    assert reason_of(_rebuilt(change)) is Reason.MALFORMED


def test_a_body_header_without_type_is_refused() -> None:
    assert reason_of(_rebuilt(lambda v: v.__setitem__(0, b""))) is Reason.WRONG_TYPE
    assert reason_of(_rebuilt(lambda v: v.__setitem__(0, b"\xa0"))) is Reason.WRONG_TYPE


@pytest.mark.parametrize("tag", [18, 97, 17, 107, 1070])
def test_another_tag_is_refused(tag: int) -> None:
    assert reason_of(encode(cbor2.CBORTag(tag, decode(SEALED["notice"]).value))) is Reason.MALFORMED


def test_reading_without_verifying_refuses_a_detached_payload() -> None:
    document = _rebuilt(lambda v: v.__setitem__(2, None))
    for read in (body_bytes, digest, lambda d: peek(d, Notice)):
        with pytest.raises(RefusedError, match="detached"):
            read(document)  # type: ignore[operator] # a union of callables
    with pytest.raises(RefusedError, match="TOO_BIG"):
        body_bytes(bytes(DOCUMENT_BYTES_MAX + 1))


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_each_type_has_its_own_size_limit(over: int) -> None:
    # Signatures of strangers are passed over; the last one's key id is drawn out to the very byte.
    document = SEALED["notice"]
    strangers = 13
    for n in range(strangers):
        document = cose.add_signature(document, key(f"stranger {n}"))
    fill = size_max(Notice) + over - len(document)
    each, rest = divmod(fill, strangers)

    def stretch(value: list[Any]) -> None:
        for n in range(strangers):
            value[3][3 + n][2] = bytes(64 + each + (rest if n == 0 else 0))

    document = _rebuilt(stretch, document)
    slack = len(document) - (size_max(Notice) + over)

    def trim(value: list[Any]) -> None:
        stretch(value)
        value[3][3][2] = value[3][3][2][slack:]

    document = _rebuilt(trim, document)
    assert len(document) == size_max(Notice) + over
    if over > 0:
        assert reason_of(document) is Reason.TOO_BIG
    else:
        assert opened(document).body == BODIES["notice"]


def test_a_root_is_limited_too() -> None:
    assert reason_of(bytes(size_max(Root) + 1), Root) is Reason.TOO_BIG
    assert reason_of(bytes(size_max(Root)), Root) is Reason.MALFORMED


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_body_is_limited_too(over: int) -> None:
    body = bytes(Notice.BYTES_MAX + over)
    document = cose.sign(body, FLEET.signers("legal"), typ="tocsin/notice")
    assert reason_of(document) is (Reason.TOO_BIG if over > 0 else Reason.MALFORMED)


def test_a_row_narrowed_to_a_product_is_met_for_that_product() -> None:
    strict = PolicyRow(
        type="notice", demands={"engineering": 1, "legal": 2, "communications": 1}, product="lock"
    )
    fleet = make_fleet(("thermostat", "lock"), policy=(*policy(), strict))
    three = fleet.seal(notice(fleet), "engineering", "legal", "communications")
    four = cose.add_signature(three, fleet.holder("legal-2"))
    assert opened(three, fleet=fleet, subject="thermostat").body.subject == ("thermostat", "lock")
    assert reason_of(three, fleet=fleet, subject="lock") is Reason.THRESHOLD_NOT_MET
    assert reason_of(three, fleet=fleet) is Reason.THRESHOLD_NOT_MET, "about both: both rows hold"
    opened(four, fleet=fleet)
    opened(four, fleet=fleet, subject="lock")


def test_an_offer_is_judged_by_the_row_of_the_devices_product() -> None:
    strict = PolicyRow(type="offer", demands={"gateway": 1, "operator": 1}, product=PRODUCT)
    fleet = make_fleet(policy=(*policy(), strict))
    document = fleet.seal(offer(fleet), "gateway")
    assert (
        reason_of(document, Offer, fleet=fleet, subject=DEVICE, product=PRODUCT) is Reason.THRESHOLD_NOT_MET
    )
    opened(
        cose.add_signature(document, fleet.signer("operator")),
        Offer,
        fleet=fleet,
        subject=DEVICE,
        product=PRODUCT,
    )


def test_devices_of_the_whole_fleet_need_no_subject() -> None:
    assert opened(FLEET.seal(devices(FLEET, subject=())), Devices).body.subject == ()
