"""Bytes that were made to be misread: bombs, second encodings, and any nonsense, all of it duly signed."""

from __future__ import annotations

import tracemalloc

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from advisories import limits, suit
from advisories.suit.envelope import digest_of
from advisories.suit.ordinary import recognise
from advisories.suit.patch import judge
from keys import cose
from keys.algorithms import Algorithm
from keys.cbor import decode as decode_cbor
from keys.cbor import encode
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.advisories.suit_case import (
    CLASS,
    IMAGE,
    OURS,
    VENDOR,
    built,
    craft,
    file,
    identity,
    members,
    plan,
    refused,
    seal,
)
from tests.helpers import key

MEMORY_MAX = 512 * 1024
"""Bytes allocated at most for any envelope of a few hundred bytes, whatever it claims to hold."""
URI, TAIL = "tocsin:image", [21, 2, 3, 15]


def with_manifest(manifest, severed=None):
    """An envelope around any manifest, whose digest is the stated one."""
    return seal({2: encode([encode([-16, digest_of(manifest)])]), 3: manifest, **(severed or {})})


def manifest_with(**parts):
    """The bytes of a manifest with raw bytes for its members."""
    body = {1: b"\x01", 2: b"\x07", 3: common(), 20: encode(encode([20, {21: URI}, *TAIL]))}
    body.update({int(key.removeprefix("k")): value for key, value in parts.items()})
    return bytes((0xA0 + len(body),)) + b"".join(encode(key) + body[key] for key in sorted(body))


def common(components=b"\x81\x81\x41\x00", shared=None):
    shared = encode(identity()) if shared is None else shared
    return encode(b"\xa2\x02" + components + b"\x04" + encode(shared))


def install(content):
    return with_manifest(manifest_with(k20=encode(content)))


BOMBS = {
    "2^63 bytes": b"\x5b\x80" + bytes(7),
    "2^63 characters": b"\x7b\x80" + bytes(7),
    "2^63 items": b"\x9b\x80" + bytes(7),
    "2^63 entries": b"\xbb\x80" + bytes(7),
    "2^32 items of nothing": b"\x9a\xff\xff\xff\xff",
    "ten thousand levels of arrays": b"\x81" * 10_000,
    "ten thousand levels of maps": b"\xa1\x01" * 5_000,
    "ten thousand levels of tags": b"\xc1" * 10_000,
    "bytes without end": b"\x5f\x41\x00\xff",
    "a text without end": b"\x7f\x61x\xff",
    "an array without end": b"\x9f\x01\xff",
    "a map without end": b"\xbf\x01\x02\xff",
    "a regular expression": b"\xd8\x23\x63(a+",
    "a big number": b"\xc2\x58\x20" + b"\xff" * 32,
    "a decimal": b"\xc4\x82\x1a\x7f\xff\xff\xff\x01",
    "a reference to itself": b"\xd8\x1c\x81\xd8\x1d\x00",
    "a half": b"\xf9\x38\x00",
    "undefined": b"\xf7",
    "a break": b"\xff",
    "nothing at all": b"",
}
PLACES = {
    "the envelope": lambda bomb: bomb,
    "inside the envelope": lambda bomb: b"\xd8\x6b" + bomb,
    "a key of the envelope": lambda bomb: b"\xd8\x6b\xa1" + bomb,
    "the wrapper": lambda bomb: seal({**members(built()), 2: bomb}),
    "the digest": lambda bomb: seal({**members(built()), 2: encode([bomb])}),
    "a block": lambda bomb: seal({**members(built()), 2: encode([members_digest(), bomb])}),
    "a header": lambda bomb: seal(
        {**members(built()), 2: encode([members_digest(), b"\xd2\x84" + encode(bomb) + b"\xa0\xf6\x40"])}
    ),
    "an unprotected header": lambda bomb: seal(
        {**members(built()), 2: encode([members_digest(), b"\xd2\x84\x40" + bomb + b"\xf6\x40"])}
    ),
    "the manifest": with_manifest,
    "a member of the manifest": lambda bomb: with_manifest(manifest_with(k4=bomb)),
    "an extension": lambda bomb: with_manifest(manifest_with(k5=bomb)),
    "common": lambda bomb: with_manifest(manifest_with(k3=encode(bomb))),
    "the components": lambda bomb: with_manifest(manifest_with(k3=common(components=bomb))),
    "the shared sequence": lambda bomb: with_manifest(manifest_with(k3=common(shared=bomb))),
    "a section": install,
    "a command": lambda bomb: install(b"\x82" + bomb + b"\x02"),
    "an argument": lambda bomb: install(b"\x82\x15" + bomb),
    "parameters": lambda bomb: install(b"\x82\x14" + bomb),
    "a parameter": lambda bomb: install(b"\x82\x14\xa1\x15" + bomb),
    "a digest among parameters": lambda bomb: install(b"\x82\x14\xa1\x03" + encode(bomb)),
    "a version among parameters": lambda bomb: install(b"\x82\x14\xa1\x18\x1c" + encode(bomb)),
    "an index": lambda bomb: install(b"\x82\x0c" + bomb),
    "alternatives": lambda bomb: install(b"\x82\x0f" + bomb),
    "an alternative": lambda bomb: install(b"\x82\x0f\x81" + encode(bomb)),
    "a nested sequence": lambda bomb: install(b"\x82\x18\x20" + encode(bomb)),
    "the arguments of a command we only know": lambda bomb: install(b"\x82\x18\x1d" + bomb),
    "set-version": lambda bomb: with_manifest(manifest_with(k6=encode(bomb))),
    "the text": lambda bomb: with_manifest(manifest_with(k23=encode(bomb))),
    "a language": lambda bomb: with_manifest(manifest_with(k23=encode(b"\xa1\x62en" + bomb))),
    "words": lambda bomb: with_manifest(manifest_with(k23=encode(b"\xa1\x62en\xa1\x02" + bomb))),
    "the texts of a component": lambda bomb: with_manifest(
        manifest_with(k23=encode(b"\xa1\x62en\xa1\x81\x41\x00" + bomb))
    ),
}


def members_digest():
    return cbor2.loads(members(built())[2])[0]


def open_all(data):
    """Everything that anybody does with bytes whose signer is not known yet, or is."""
    envelope = suit.decode(data)
    suit.verify_blocks(envelope, [], anonymous=True)
    return suit.peek(data)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_no_bomb_goes_off_anywhere(place):
    tracemalloc.start()
    try:
        for name, bomb in BOMBS.items():
            tracemalloc.reset_peak()
            start, _ = tracemalloc.get_traced_memory()
            try:
                open_all(place(bomb))
            except RefusedError:
                pass
            else:
                assert name in {"nothing at all", "2^63 items"}, name
            _, peak = tracemalloc.get_traced_memory()
            assert peak - start <= MEMORY_MAX + 4 * limits.PATCH_BYTES_MAX
    finally:
        tracemalloc.stop()


def layers():
    """Every byte string of CBOR in our envelopes, and how another one takes its place."""
    body, text = members(built())[3], members(built())[23]
    read = cbor2.loads(body)
    inner = cbor2.loads(read[3])

    def rebuilt(key, value):
        return with_manifest(encode({**read, key: value}), {23: text})

    yield "manifest", body, lambda raw: with_manifest(raw, {23: text})
    yield "common", read[3], lambda raw: rebuilt(3, raw)
    yield "shared", inner[4], lambda raw: rebuilt(3, encode({**inner, 4: raw}))
    for section in (7, 9, 20):
        yield str(section), read[section], lambda raw, section=section: rebuilt(section, raw)
    yield (
        "text",
        text,
        lambda raw: with_manifest(encode({**read, 23: [-16, digest_of(raw)]}), {23: raw}),
    )


LAYERS = {name: (content, put) for name, content, put in layers()}


@pytest.mark.parametrize(("content", "put"), LAYERS.values(), ids=LAYERS)
def test_no_head_may_be_longer_than_it_need_be(content, put):
    assert suit.peek(put(content)).sequence == 7
    for at, byte in enumerate(content):
        if byte & 31 < 24:
            longer = content[:at] + bytes((byte & 0xE0 | 24, byte & 31)) + content[at + 1 :]
            with pytest.raises(RefusedError):
                suit.peek(put(longer))


@pytest.mark.parametrize(("content", "put"), LAYERS.values(), ids=LAYERS)
def test_nothing_may_stand_behind_the_end_of_a_part_or_be_missing_there(content, put):
    for wrong in (content + b"\x00", content + content, content[:-1], b""):
        assert refused(suit.peek, put(wrong))[0] in {Reason.MALFORMED, Reason.UNSUPPORTED}


TWICE = {
    "the envelope": lambda: b"\xd8\x6b\xa4" + b"".join(
        encode(key) + encode(members(built())[key]) for key in (2, 3, 3, 23)
    ),
    "payloads": lambda: b"\xd8\x6b\xa5" + b"".join(
        encode(key) + encode({**members(built()), "#a": b""}[key]) for key in (2, 3, 23, "#a", "#a")
    ),
    "a member behind payloads": lambda: b"\xd8\x6b\xa4" + b"".join(
        encode(key) + encode({**members(built()), "#a": b""}[key]) for key in (2, 3, "#a", 23)
    ),
    "the manifest": lambda: with_manifest(b"\xa2\x01\x01\x01\x01"),
    "the manifest, out of order": lambda: with_manifest(b"\xa2\x02\x01\x01\x01"),
    "common": lambda: with_manifest(manifest_with(k3=encode(b"\xa2\x04\x41\x80\x02\x81\x81\x41\x00"))),
    "parameters": lambda: install(b"\x82\x14\xa2\x15\x61a\x15\x61b"),
    "languages": lambda: with_manifest(manifest_with(k23=encode(b"\xa2\x62en\xa0\x62en\xa0"))),
    "languages, out of order": lambda: with_manifest(manifest_with(k23=encode(b"\xa2\x62en\xa0\x62de\xa0"))),
    "longer languages first": lambda: with_manifest(manifest_with(k23=encode(b"\xa2\x63aaa\xa0\x62en\xa0"))),
    "kinds of text": lambda: with_manifest(manifest_with(k23=encode(b"\xa1\x62en\xa2\x02\x60\x02\x60"))),
    "components in a text": lambda: with_manifest(
        manifest_with(k23=encode(b"\xa1\x62en\xa2\x81\x41\x00\xa0\x81\x41\x00\xa0"))
    ),
    "a text behind components": lambda: with_manifest(
        manifest_with(k23=encode(b"\xa1\x62en\xa2\x81\x41\x00\xa0\x02\x60"))
    ),
    "texts of a component": lambda: with_manifest(
        manifest_with(k23=encode(b"\xa1\x62en\xa1\x81\x41\x00\xa2\x06\x60\x06\x60"))
    ),
}  # fmt: skip


@pytest.mark.parametrize("make", TWICE.values(), ids=TWICE)
def test_the_keys_of_every_map_stand_once_and_in_order(make):
    assert refused(suit.peek, make())[0] is Reason.MALFORMED


@pytest.mark.parametrize("what", [b"\x61\xff", b"\x62\xc3\x28", b"\x63\xed\xa0\x80"])
def test_texts_that_are_not_utf8_are_refused(what):
    for text in (b"\xa1" + what + b"\xa0", b"\xa1\x62en\xa1\x02" + what):
        assert refused(suit.peek, with_manifest(manifest_with(k23=encode(text))))[0] is Reason.MALFORMED
    assert refused(suit.peek, install(b"\x82\x14\xa1\x15" + what))[0] is Reason.MALFORMED
    named = b"\xd8\x6b\xa3\x02\x40\x03\x40" + what + b"\x40"
    assert refused(suit.decode, named)[0] is Reason.MALFORMED


@given(st.sampled_from(sorted(LAYERS)), st.data())
def test_whatever_is_read_is_the_one_deterministic_encoding(name, data):
    content, put = LAYERS[name]
    at = data.draw(st.integers(0, len(content)))
    wrong = content[:at] + data.draw(st.binary(max_size=4)) + content[at + data.draw(st.integers(0, 4)) :]
    try:
        suit.peek(put(wrong))
    except RefusedError:
        return
    # The strict decoder that everything else uses finds nothing wrong with it either.
    decode_cbor(wrong, size_max=limits.PATCH_BYTES_MAX)


WORDS = st.dictionaries(
    st.text("abcdefgh-", min_size=1, max_size=30), st.text(max_size=300).map(str.strip), max_size=6
)


@given(
    st.integers(0, 2**53 - 1), st.integers(1, 2**32 - 1), st.binary(max_size=30),
    st.text(min_size=1, max_size=80).filter(lambda uri: not uri.startswith("#") and len(uri.encode()) < 256),
    WORDS,
)  # fmt: skip
@example(24, 24, b"\x00", "x" * 24, {})
@example(65_536, 65_535, b"", "x" * 23, {"en": "x" * 24, "de": "x" * 23})
def test_an_ordinary_manifest_means_the_same_whichever_way_it_is_read(sequence, size, part, uri, words):
    payload = suit.Payload((suit.File(bytes(32), size, uri),), (part,), version=(1, 2, 3, 4))
    envelope = suit.decode(plan(payload, sequence=sequence, texts=words))
    assert (recognise(envelope) is not None) == (len(part) < 24)
    data = suit.encode(envelope)
    patch, same = suit.peek(data), judge(envelope, ())
    assert patch == same
    assert patch.fetches[0].origin == same.fetches[0].origin
    assert {tag: patch.text(tag) for tag in words} == {tag: text or None for tag, text in words.items()}
    assert dict(patch.manifest.texts) == dict(same.manifest.texts)


@given(st.data())
def test_what_is_recognised_is_what_the_general_way_reads(data):
    content, put = LAYERS[data.draw(st.sampled_from(["manifest", "common", "shared", "20"]))]
    at = data.draw(st.integers(0, len(content) - 1))
    wrong = content[:at] + data.draw(st.binary(min_size=1, max_size=3)) + content[at + 1 :]
    envelope = suit.decode(put(wrong))
    if recognise(envelope) is not None:
        assert suit.peek(suit.encode(envelope)) == judge(envelope, ())


def test_an_ordinary_manifest_without_its_text_or_with_another_one():
    envelope = suit.decode(built())
    cut = suit.Envelope(envelope.digest, (), envelope.manifest)
    assert recognise(cut) is not None
    assert suit.peek(suit.encode(cut)) == judge(cut, ())
    other = suit.Envelope(envelope.digest, (), envelope.manifest, {23: encode({})})
    assert recognise(other) is None
    assert refused(suit.peek, suit.encode(other))[0] is Reason.DIGEST_MISMATCH
    more = suit.Envelope(envelope.digest, (), envelope.manifest, {20: encode([])})
    assert refused(suit.peek, suit.encode(more))[0] is Reason.MALFORMED


@pytest.mark.parametrize("name", sorted(set(OURS) - {"one image"}))
def test_other_layouts_are_not_taken_for_ordinary(name):
    assert recognise(suit.decode(OURS[name]())) is None


def test_ordinary_manifests_have_the_same_limits_as_others():
    for data in (
        craft([*identity()], {20: [20, {21: URI}, *TAIL], 7: [3, 15], 9: [23, 2]}),
        built(texts={"en": "x" * 5_000}),
    ):
        assert suit.peek(data) == judge(suit.decode(data), ())
    body = cbor2.loads(members(built())[3])
    huge = {**cbor2.loads(body[3])}
    huge[4] = huge[4].replace(encode(len(IMAGE)), encode(limits.PAYLOAD_BYTES_MAX + 1))
    assert refused(suit.peek, with_manifest(encode({**body, 3: encode(huge)})))[0] is Reason.TOO_BIG
    late = encode({**body, 2: 2**53})
    assert refused(suit.peek, with_manifest(late))[0] is Reason.MALFORMED


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ESP256, Algorithm.ML_DSA_44])
def test_a_block_is_the_same_read_at_one_glance_or_part_by_part(algorithm):
    block = cose.sign1(b"stated", key("one", algorithm), detached=True)
    # Without its tag a message is read part by part.
    assert cose.parse(block, cose.TAG_SIGN1) == cose.parse(block[1:], cose.TAG_SIGN1, tagged=False)
    for at in range(1, len(block)):
        wrong = block[:at] + bytes((block[at] ^ 1,)) + block[at + 1 :]
        read = [outcome(wrong, tagged=True), outcome(wrong[1:], tagged=False)]
        assert read[0] == read[1]


def outcome(data, *, tagged):
    try:
        return cose.parse(data, cose.TAG_SIGN1, tagged=tagged)
    except RefusedError as error:
        return error.reason


def test_a_file_that_travels_in_the_envelope_is_bound_by_the_manifest():
    data = OURS["a payload in the envelope"]()
    assert suit.peek(data).integrated["#config"]
    outer = members(data)
    assert refused(suit.peek, seal({**outer, "#config": b"other"}))[0] is Reason.DIGEST_MISMATCH
    assert refused(suit.peek, seal({**outer, "#other": outer["#config"]}))[0] is Reason.MALFORMED
    del outer["#config"]
    assert refused(suit.peek, seal(outer)) == (
        Reason.MALFORMED,
        "the payload #config is not in the envelope",
    )


def test_a_delta_may_travel_in_the_envelope_too():
    delta = suit.Delta(file(b"delta", "#delta", inside=True), bytes(32), 9)
    data = plan(suit.Payload((file(IMAGE, URI),), deltas=(delta,)))
    patch = suit.peek(data)
    assert (patch.integrated, patch.uri) == ({"#delta": b"delta"}, URI)
    assert (patch.vendor_id, patch.class_id) == (VENDOR, CLASS)
    outer = {**members(data), "#delta": b"other"}
    assert refused(suit.peek, seal(outer))[0] is Reason.DIGEST_MISMATCH


def test_a_component_that_stands_twice_is_refused():
    envelope = with_manifest(manifest_with(k3=common(b"\x82\x81\x41\x00\x81\x41\x00")))
    assert refused(suit.peek, envelope) == (Reason.MALFORMED, "a component stands twice")
