"""Files that nobody's export are: each is refused with a clear word, and no memory is given away."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core import chain
from gateway.core.evidence import archive as form
from gateway.core.evidence.archive import Archive, framed, is_name
from gateway.core.evidence.receipts import item_of
from gateway.core.evidence.verify import verify
from keys.document import digest
from keys.errors import InputError
from tests.gateway.evidence.case import Told, changed, forged, items, judged, members, packed, sequence


def zipped(*files: tuple[str, bytes], **info: Any) -> bytes:
    """Make a ZIP as any tool would, with whatever names."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files:
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            for key, value in info.items():
                setattr(member, key, value)
            made.writestr(member, data)
    return stream.getvalue()


def read_all(data: bytes) -> None:
    archive = Archive(io.BytesIO(data))
    for name in archive.names:
        archive.measured(name)


def refusal(data: bytes) -> str:
    """Open a file and read all of it; return why that is refused."""
    with pytest.raises(InputError) as caught:
        read_all(data)
    assert caught.value.code == "NOT_EVIDENCE"
    return caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "../up",
        "/root",
        "a//b",
        "a/../b",
        ".",
        "a/.",
        "c:x",
        "a\\b",
        "a\nb",
        "a\x7f",
        "",
        "a/",
        "x" * 401,
        "a. ",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    assert not is_name(name)
    if name and "\\" not in name:
        assert "not safe" in refusal(zipped((name, b"x")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused_also_where_only_letters_differ() -> None:
    assert "twice" in refusal(zipped(("a", b"1"), ("a", b"2")))
    assert "twice" in refusal(zipped(("a", b"1"), ("A", b"2")))


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    bomb = zipped((form.ABOUT, bytes(64 * 1024 * 1024)))
    tracemalloc.start()
    assert "times its size" in refusal(bomb)
    assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    tracemalloc.stop()


def test_a_member_that_is_longer_than_it_says_is_refused() -> None:
    data = bytearray(zipped(("evidence.json", b"x" * 1_000)))
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.find(mark)
        struct.pack_into("<I", data, at + offset, 10)
    assert refusal(bytes(data))


def test_a_list_of_a_million_members_is_refused_unread() -> None:
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFE, 0xFFFE, 2**31, 0, 0)
    assert "lists" in refusal(b"PK\x03\x04" + end)
    large = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**9, 10**9, 2**40, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    assert "lists 1000000000" in refusal(large + locator + end)
    for where in (2**63 + 1, 10**6):
        lost = struct.pack("<4sIQI", b"PK\x06\x07", 0, where, 1)
        assert "does not fit together" in refusal(large + lost + end)
    assert "does not fit together" in refusal(end)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"words", bytes(100_000), b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        Archive(io.BytesIO(data)).read(form.ABOUT)


def test_an_encrypted_and_an_unknown_packing_are_refused() -> None:
    data = bytearray(zipped(("a", b"x")))
    struct.pack_into("<H", data, data.find(b"PK\x01\x02") + 8, 1)
    assert "encrypted" in refusal(bytes(data))
    data = bytearray(zipped(("a", b"x")))
    struct.pack_into("<H", data, data.find(b"PK\x01\x02") + 10, 12)
    assert "packed" in refusal(bytes(data))


def test_a_damaged_member_is_refused() -> None:
    data = bytearray(zipped(("a", bytes(range(256)) * 40)))
    data[40] ^= 0xFF
    assert "damaged" in refusal(bytes(data))


def test_a_small_member_that_is_not_small_is_refused() -> None:
    archive = Archive(io.BytesIO(packed({"a": b"x" * 100}, index=False)))
    with pytest.raises(InputError):
        archive.read("a", 99)
    with pytest.raises(InputError):
        archive.read("b")
    assert archive.read("a", 100) == b"x" * 100


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        framed(b"abc")[:-1],
        (form.ITEM_BYTES_MAX + 1).to_bytes(4, "big") + b"x",
        framed(b"a") + b"\x00",
    ],
)
def test_a_sequence_that_is_cut_off_or_too_long_is_refused(data: bytes) -> None:
    archive = Archive(io.BytesIO(packed({"a": data}, index=False)))
    with pytest.raises(InputError):
        list(archive.items("a"))


@given(st.lists(st.binary(max_size=200_000), max_size=5))
@settings(max_examples=30, suppress_health_check=[HealthCheck.large_base_example, HealthCheck.data_too_large])
def test_any_sequence_comes_back_as_it_was(found: list[bytes]) -> None:
    archive = Archive(io.BytesIO(packed({"a": sequence(found)}, index=False)))
    assert list(archive.items("a")) == found


@pytest.mark.parametrize("line", [b"{", b'{"a":1,"a":2}', b"NaN", b"\xff", b"[" * 100_000, b""])
def test_what_is_no_json_of_ours_is_refused(line: bytes) -> None:
    archive = Archive(io.BytesIO(packed({"a": line + b"\n"}, index=False)))
    with pytest.raises(InputError):
        list(archive.lines("a"))


def about(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    def change(whole: dict[str, bytes]) -> None:
        said = json.loads(whole[form.ABOUT])
        whole[form.ABOUT] = json.dumps({**said, **changes}).encode()

    return change


def setting(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(whole: dict[str, bytes]) -> None:
        whole[name] = data

    return change


def row(place: int, change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], None]:
    def bend(whole: dict[str, bytes]) -> None:
        rows = items(whole[form.AUDIT])
        rows[place] = change(rows[place])
        whole[form.AUDIT] = sequence(rows)

    return bend


HOSTILE: dict[str, Callable[[dict[str, bytes]], None]] = {
    "no evidence": about(format="other"),
    "a version to come": about(version=99),
    "no advisory": about(advisory=7),
    "no account": about(account=7),
    "no time": about(made="now"),
    "another fleet": about(fleet="00"),
    "another advisory": about(advisory="EX-2026-0002"),
    "a list": setting(form.ABOUT, b"[]"),
    "an index of nothing": setting(form.INDEX, b"[]"),
    "a row of few bytes": row(3, lambda found: found[:40]),
    "a row of nonsense": row(3, lambda found: found[:32] + b"x" * 99),
    "a row of another spelling": row(3, lambda found: found[:32] + found[32:].replace(b":", b": ", 1)),
    "a row numbered with words": row(
        5, lambda found: changed(found, lambda data: data.update(nth={"a": "b"}))
    ),
    "the first row withheld": row(0, lambda found: found[:64]),
    "no report": setting(form.REPORTS, framed(b"\x80")),
    "a report of a negative row": setting(form.REPORTS, framed(item_of(-1, None, b""))),
    "a report that is none": setting(form.REPORTS, framed(item_of(9, bytes(16), b"x"))),
    "a report of no row": setting(form.REPORTS, framed(item_of(2**60, bytes(16), b"x"))),
    "no timestamp": setting(form.TIMESTAMPS, framed(b"x")),
    "no offer": setting(form.OFFERS, framed(b"x")),
    "an event that is a number": setting(form.EVENTS, b"7\n"),
    "a device that is a number": setting(form.STATED, b'{"device":7}\n'),
    "a device with more": setting(form.STATED, b'{"device":"a","more":1}\n'),
    "no signature": setting(form.SIGNATURE, b"x"),
    "a patch that is none": setting("patches/00.suit", b"x"),
    "a header that is none": setting("advisory/r1/header.cose", b"x"),
    "a revision without a header": setting("advisory/r9/texts/en.cbor", b"x"),
    "a text that is none": setting("advisory/r1/texts/en.cbor", b"x"),
    "a release list that is none": setting("advisory/r1/release-list.cbor", b"x"),
    "a root that is none": setting("roots/2.cose", b"x"),
    "roots with a gap": setting("roots/4.cose", b"x"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_part_is_found_or_refused_and_never_breaks_the_verifier(
    exported: bytes, told: Told, case: str
) -> None:
    whole = members(exported)
    HOSTILE[case](whole)
    data = packed(whole, index=case != "an index of nothing")
    found = judged(data, told.fleet)
    assert isinstance(found, str) or not found.proved


def of_kind(kind: str, change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, bytes]], None]:
    """Bend the first row of a kind, with what its data says as an object."""

    def bend(whole: dict[str, bytes]) -> None:
        rows = items(whole[form.AUDIT])
        place = next(at for at, one in enumerate(rows) if f'"kind":"{kind}"'.encode() in one)
        said = json.loads(rows[place][32:])
        said["data"] = json.loads(said["data"])
        change(said)
        said["data"] = chain.canonical(said["data"])
        rows[place] = rows[place][:32] + chain.canonical(said).encode()
        whole[form.AUDIT] = sequence(rows)

    return bend


def half_a_letter(name: str, key: str) -> Callable[[dict[str, bytes]], None]:
    def bend(whole: dict[str, bytes]) -> None:
        first, rest = whole[name].split(b"\n", 1)
        whole[name] = json.dumps({**json.loads(first), key: "\ud800"}).encode() + b"\n" + rest

    return bend


NO_ROW = "is not written as rows are"
NO_PRODUCT = "it does not name the catalogue's product"
NO_DIGEST = "it lists what is no report's digest"
HALF = "it holds half of a letter"
BENT: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "a row without a number": (of_kind("approval.given", lambda said: said.update(index=None)), NO_ROW),
    "a row numbered with a word": (of_kind("approval.given", lambda said: said.update(index="9")), NO_ROW),
    "a row numbered with a list": (of_kind("approval.given", lambda said: said.update(index=[9])), NO_ROW),
    "a row numbered with truth": (of_kind("approval.given", lambda said: said.update(index=True)), NO_ROW),
    "a catalogue of an object": (
        of_kind("catalogue.published", lambda said: said["data"].update(product={})),
        NO_PRODUCT,
    ),
    "a catalogue of a list": (
        of_kind("catalogue.published", lambda said: said["data"].update(product=[])),
        NO_PRODUCT,
    ),
    "reports that are lists": (
        of_kind("reports.committed", lambda said: said["data"].update(reports=[[[]]])),
        NO_DIGEST,
    ),
    "a report that is nothing": (
        of_kind("reports.committed", lambda said: said["data"].update(reports=[[]])),
        NO_DIGEST,
    ),
    "half a letter in an event": (half_a_letter(form.EVENTS, "data"), HALF),
    "half a letter of an account": (half_a_letter(form.STATED, "account"), HALF),
    "half a letter of a region": (half_a_letter(form.STATED, "region"), HALF),
}


@pytest.mark.parametrize("case", BENT)
def test_what_is_bent_where_a_word_belongs_is_said_in_one_sentence(
    exported: bytes, told: Told, case: str
) -> None:
    whole = members(exported)
    bend, sentence = BENT[case]
    bend(whole)
    stream, pinned = io.BytesIO(packed(whole)), digest(told.fleet.root_document)
    if sentence in {NO_ROW, HALF}:
        with pytest.raises(InputError, match=sentence) as caught:
            verify(stream, pinned)
        assert caught.value.code == "NOT_EVIDENCE"
        return
    found = verify(stream, pinned)
    assert not found.proved
    assert sum(sentence in one.detail for one in found.findings) == 1


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_byte_is_found_or_refused(exported: bytes, told: Told, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(exported) - 1))
    bent = bytearray(exported)
    bent[at] ^= 1 << data.draw(st.integers(0, 7))
    found = judged(bytes(bent), told.fleet)
    if not isinstance(found, str) and found.proved:
        assert members(bytes(bent)) == members(exported), "only what the ZIP says of itself may differ"


@given(st.data())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_of_a_member_is_found(exported: bytes, told: Told, data: st.DataObject) -> None:
    whole = members(exported)
    name = data.draw(
        st.sampled_from(sorted(name for name, held in whole.items() if held and name != form.INDEX))
    )
    at = data.draw(st.integers(0, len(whole[name]) - 1))
    bent = bytearray(whole[name])
    bent[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        made = (
            forged({**whole, name: bytes(bent)})
            if name != form.AUDIT
            else packed({**whole, name: bytes(bent)})
        )
    except ValueError:
        return  # the forger's own tools cannot read it any more
    found = judged(made, told.fleet)
    unbound = {form.CLOCKS, form.STATED, form.TIMESTAMPS, form.ABOUT}
    assert isinstance(found, str) or not found.proved or name in unbound
