"""Keys and customers' texts do not reach evidence, in whatever form they come by."""

from __future__ import annotations

import base64
import itertools
import struct

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.plugin.redact import PEM_BYTES_MAX, Redactor
from hil.wire.record import Direction, Kind, Record

KEY = bytes(range(100, 132))
PEM = b"-----BEGIN PRIVATE KEY-----\r\nMC4CAQAwBQYDK2VwBCIEIA==\r\n-----END PRIVATE KEY-----\r\n"
WRITE, READ, READ_ANSWER = 2, 0, 1


def message(op: int, id_: int, body: object, *, group: int = 400) -> bytes:
    data = body if isinstance(body, bytes) else cbor2.dumps(body)
    return struct.pack(">BBHHBB", 0b01000 | op, 0, len(data), group, 7, id_) + data


def record(kind: Kind, data: bytes, *, note: str = "") -> Record:
    return Record(1.0, 2.0, Direction.FROM_BOARD, kind, data, note)


def passed(redactor: Redactor, kind: Kind, data: bytes) -> bytes:
    return redactor(record(kind, data)).data


def provisioned(*, group: int = 400) -> Redactor:
    redactor = Redactor(group=group)
    passed(redactor, Kind.MESSAGE, message(WRITE, 9, {"what": "key", "value": KEY, "key": 1}, group=group))
    return redactor


def body(data: bytes) -> dict[str, object]:
    return dict(cbor2.loads(data[8:]))


@pytest.mark.parametrize("group", [400, 64_000])
def test_a_provisioned_key_is_blanked_and_the_message_stays_one(group: int) -> None:
    sent = message(WRITE, 9, {"what": "key", "value": KEY, "key": 5}, group=group)
    kept = passed(Redactor(group=group), Kind.MESSAGE, sent)
    assert kept[:8] == sent[:8]
    assert len(kept) == len(sent)
    assert body(kept) == {"what": "key", "value": b"*" * 32, "key": 5}


@pytest.mark.parametrize("what", ["root", "version", "id"])
def test_what_is_no_key_stays(what: str) -> None:
    sent = message(WRITE, 9, {"what": what, "value": bytes(32), "key": 5})
    assert passed(Redactor(), Kind.MESSAGE, sent) == sent


@pytest.mark.parametrize("broken", [b"\xff" + KEY, b"\x81" + KEY, b"", KEY])
def test_a_damaged_provisioning_is_blanked_whole(broken: bytes) -> None:
    kept = passed(Redactor(), Kind.MESSAGE, message(WRITE, 9, broken))
    assert kept[8:] == b"*" * len(broken)


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        KEY.hex().encode(),
        KEY.hex().upper().encode(),
        KEY.hex(" ").encode(),
        KEY.hex(":").encode(),
        ", ".join(f"0x{byte:02x}" for byte in KEY).encode(),
        "".join(f"\\x{byte:02x}" for byte in KEY).encode(),
        b"a" + KEY.hex().encode(),
        KEY[3:20].hex().encode(),
        base64.b64encode(KEY),
        base64.b64encode(b"?" + KEY),
        base64.b64encode(b"??" + KEY),
        base64.urlsafe_b64encode(KEY),
        b"\x06\x09" + base64.b64encode(b"\x00\x40" + message(WRITE, 9, {"what": "key", "value": KEY})),
    ],
)
@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.NOISE])
def test_a_known_key_is_blanked_in_every_form(form: bytes, kind: Kind) -> None:
    redactor = provisioned()
    line = b"dbg: [" + form + b"] done\r\n"
    kept = passed(redactor, kind, line)
    assert len(kept) == len(line)
    assert kept.startswith(b"dbg: [")
    assert kept.endswith(b"] done\r\n")
    assert form[-12:] not in kept
    for at in range(len(form) - 15):
        assert form[at : at + 16] not in kept


def test_a_key_is_blanked_also_in_other_messages_and_in_events() -> None:
    redactor = provisioned()
    assert KEY not in passed(redactor, Kind.MESSAGE, message(READ_ANSWER, 0, {"r": KEY}, group=0))
    event = redactor(record(Kind.EVENT, b"", note=f"ran tool --key {KEY.hex()}"))
    assert KEY.hex() not in event.note
    assert event.note.startswith("ran tool --key ")


def test_what_is_not_secret_stays_as_it_is() -> None:
    redactor = provisioned()
    for line in (
        b"boot 0123456789abcdef0123456789abcdef\r\n",
        base64.b64encode(b"quite another text") + b"\n",
    ):
        assert passed(redactor, Kind.TEXT, line) == line
    assert passed(redactor, Kind.MESSAGE, b"\x01\x02") == b"\x01\x02"
    echo = message(WRITE, 0, {"d": "hello"}, group=0)
    assert passed(redactor, Kind.MESSAGE, echo) == echo


def test_a_pem_block_is_blanked_in_one_piece() -> None:
    kept = passed(Redactor(), Kind.TEXT, b"key " + PEM + b"ok\r\n")
    assert b"MC4CAQ" not in kept
    assert kept.startswith(b"key *")
    assert kept.endswith(b"ok\r\n")


@given(st.lists(st.integers(1, len(PEM) - 1), max_size=6))
def test_a_pem_block_is_blanked_line_by_line(cuts: list[int]) -> None:
    # A line's head may come alone; the marker itself is not cut here, since a line is shown when it is whole.
    redactor = Redactor()
    whole = PEM + b"after\r\n"
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut >= 27)})
    kept = b"".join(passed(redactor, Kind.TEXT, whole[a:b]) for a, b in itertools.pairwise(edges))
    assert b"MC4CAQAwBQ" not in kept
    assert len(kept) == len(whole)


def test_an_unfinished_pem_block_does_not_swallow_the_log_for_ever() -> None:
    redactor = Redactor()
    passed(redactor, Kind.TEXT, b"-----BEGIN CERTIFICATE-----\n")
    assert passed(redactor, Kind.TEXT, b"x" * PEM_BYTES_MAX) == b"*" * PEM_BYTES_MAX
    assert passed(redactor, Kind.TEXT, b"boot\n") == b"boot\n"


def test_customers_texts_are_blanked() -> None:
    put = message(WRITE, 1, {"sha": bytes(32), "off": 0, "data": b"Update your thermostat"})
    kept = body(passed(Redactor(), Kind.MESSAGE, put))
    assert kept == {"sha": bytes(32), "off": 0, "data": b"*" * 22}
    notice = message(READ_ANSWER, 3, {"count": 2, "off": 0, "lines": ["Update", "now"], "id": "EX-1"})
    kept = body(passed(Redactor(), Kind.MESSAGE, notice))
    assert kept == {"count": 2, "off": 0, "lines": ["******", "***"], "id": "EX-1"}


@pytest.mark.parametrize("fields", [{"off": 3}, {"data": "text", "lines": "no list"}, [1], {}])
@pytest.mark.parametrize("id_", [1, 3, 9])
def test_fields_of_a_wrong_kind_are_survived(fields: object, id_: int) -> None:
    for op in (WRITE, READ_ANSWER):
        passed(Redactor(), Kind.MESSAGE, message(op, id_, fields))


@given(st.binary(max_size=200), st.sampled_from(list(Kind)))
def test_hostile_bytes_are_survived_and_keep_their_length(data: bytes, kind: Kind) -> None:
    redactor = provisioned()
    kept = redactor(record(kind, data)).data
    if kind in {Kind.TEXT, Kind.NOISE}:
        assert len(kept) == len(data)
    assert KEY not in kept


INDEFINITE = b"\xbf" + b"".join(map(cbor2.dumps, ("what", "key", "value", KEY))) + b"\xff"
HALF_FLOAT = b"\xa2" + b"".join(map(cbor2.dumps, ("data", b"Update", "off"))) + b"\xf9\x3c\x00"
CYCLE = b"\xd8\x1c\xa2" + b"".join(map(cbor2.dumps, ("data", b"Update", "off"))) + b"\xd8\x1d\x00"
CHUNKS = b"\xa1" + cbor2.dumps("data") + b"\x5f" + cbor2.dumps(b"Update") * 2 + b"\xff"


@pytest.mark.parametrize(
    ("id_", "sent", "secret"),
    [
        (9, INDEFINITE, KEY),
        (9, cbor2.dumps({"what": [1], "value": KEY}), KEY),
        (9, cbor2.dumps({"what": "key", "value": "k" * 32}), b"k" * 32),
        (9, cbor2.dumps({"what": "key", "value": KEY}) + KEY, KEY),
        (1, HALF_FLOAT, b"Update"),
        (1, CYCLE, b"Update"),
        (1, CHUNKS, b"Update"),
        (1, cbor2.dumps({"data": "Update"}), b"Update"),
        (3, cbor2.dumps({"lines": ["Größe", b"Update"]}), b"Update"),
        (3, cbor2.dumps({"lines": ["Größe", "Update"]}), "Größe".encode()),
        (3, cbor2.dumps({"lines": "Update"}), b"Update"),
    ],
)
def test_whatever_way_a_message_is_encoded_it_keeps_its_length_and_no_secret(
    id_: int, sent: bytes, secret: bytes
) -> None:
    whole = message(READ_ANSWER if id_ == 3 else WRITE, id_, sent)
    kept = passed(Redactor(), Kind.MESSAGE, whole)
    assert secret not in kept
    assert kept[:8] == whole[:8]
    assert len(kept) == len(whole)


@given(
    st.sampled_from([1, 3, 9]),
    st.dictionaries(
        st.sampled_from(["what", "value", "data", "lines", "off"]),
        st.recursive(
            st.none() | st.integers() | st.binary() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=6,
        ),
    ),
)
def test_no_field_that_a_board_may_make_up_stops_the_reader_of_its_line(
    id_: int, fields: dict[str, object]
) -> None:
    for op in (WRITE, WRITE | 1, READ_ANSWER):
        whole = message(op, id_, fields)
        assert len(passed(Redactor(), Kind.MESSAGE, whole)) == len(whole)
