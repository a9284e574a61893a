"""Envelopes of another maker: taylor-suit 0.2.2 wrote them and signed them with ES256, under a key made for this."""

from __future__ import annotations

import pytest

from advisories import suit
from advisories.suit import UPDATE, Device, Fetch, Match
from advisories.suit.interpreter import execute
from keys.algorithms import Algorithm, PublicKey
from keys.reasons import Reason
from tests.advisories.suit_case import refused

KEY = PublicKey(
    Algorithm.ESP256,
    bytes.fromhex("848a4ac5c2b13259e5d37bcf57cab5addf19498015ac2381422350d4d19f0c21"),
    bytes.fromhex("43a19eb74ef6d73e11f3155d2ec44bb6a79ef0a0ab06df897b97168862ffd4b7"),
)
ENVELOPES = {
    "one image": (
        "d86ba2025873825824822f58202fb9a2deb7a53698eb0961f5952aa2add9cef358b9a3672eae269077edbdf50b584ad2"
        "8443a10126a0f658409d4eea4ac20f3c5974359173c18f5469e2bb23e4f4c53f83e847addde8cb9b1913aaefbefe49a3"
        "86a48e745f64a01009b733178f5f16168798d572fc05e9a64103589aa501010207035865a2028181410004585c8c14a1"
        "0150fa6b4a53d5ad5fdfbe9de663e4d41ffe14a102501492af1425695e48bf429b2d51f2ab4514a1035824822f582000"
        "112233445566778899aabbccddeeff0123456789abcdeffedcba987654321014a10e1987d0010f020f074382030f1458"
        "258614a115781b687474703a2f2f6578616d706c652e636f6d2f66696c652e62696e1502030f"
    ),
    "two components": (
        "d86ba2025873825824822f582089b0dce170642ebf3753607d9fce8ffbde39592c683ca72d14d1b2ae2d1731c5584ad2"
        "8443a10126a0f65840230a38cb1b5a62142c7b1caf6331165a082713af9771d36cf074e8f10f202928a2838e9be2e3f0"
        "3be552e2c638cae2c6088a09253a1f5b370f5d74389711acb20358fba50101020703586aa20282814100824101410204"
        "585c8c14a10150fa6b4a53d5ad5fdfbe9de663e4d41ffe14a102501492af1425695e48bf429b2d51f2ab4514a1035824"
        "822f582000112233445566778899aabbccddeeff0123456789abcdeffedcba987654321014a10e1987d0010f020f0743"
        "82030f145881920c0014a115781b687474703a2f2f6578616d706c652e636f6d2f66696c652e62696e1502030f0c0114"
        "a1035824822f582000112233445566778899aabbccddeeff0123456789abcdeffedcba987654321014a10e0514a11578"
        "1a687474703a2f2f6578616d706c652e636f6d2f74776f2e62696e0f8243820e0f45841502030f"
    ),
    "in a nested sequence": (
        "d86ba2025873825824822f58202589c0cd9b8222639150f515cfc552ae70183bd2fc47b12ee8966bf04b1bd4b2584ad2"
        "8443a10126a0f658402d3f4c30aea93f7cf21d43e852118fc78be8dd9e929824a2856f4a82fb8f5ec32601c51e1b18b1"
        "41d60fdabb94df6514aeec43a9a8e4e773b0272c152d3c340d03589fa501010207035865a2028181410004585c8c14a1"
        "0150fa6b4a53d5ad5fdfbe9de663e4d41ffe14a102501492af1425695e48bf429b2d51f2ab4514a1035824822f582000"
        "112233445566778899aabbccddeeff0123456789abcdeffedcba987654321014a10e1987d0010f020f074382030f1458"
        "2a82182058258614a115781b687474703a2f2f6578616d706c652e636f6d2f66696c652e62696e1502030f"
    ),
    "a digest by SHA-384": (
        "d86ba202588482583582382a58305aec1f97a2c9f9abd7961c1ed7c719301c679266d847cfa31f9103be9e0d1dd9fb9a"
        "53482758f4b2ec07472d5dd62380584ad28443a10126a0f6584040ff50a995b2f32eed6b15f597d3f3d240a271cc2b24"
        "7f4ffde855ad58af8d2a5301d9f4605516ee0208f08a27ce39347dc6a0fdb223c87b684409c807d310f203589aa50101"
        "0207035865a2028181410004585c8c14a10150fa6b4a53d5ad5fdfbe9de663e4d41ffe14a102501492af1425695e48bf"
        "429b2d51f2ab4514a1035824822f582000112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"
        "14a10e1987d0010f020f074382030f1458258614a115781b687474703a2f2f6578616d706c652e636f6d2f66696c652e"
        "62696e1502030f"
    ),
    "keys out of order": (
        "d86ba2025873825824822f5820392df9973a5929949fe1f46a030f120e0846b1e6298479b688773b594d3832f1584ad2"
        "8443a10126a0f6584049ba1a0b8fdc70b350fc166ebb797d319e09626a9a4bfc8427151758bb0ed1f0592d774579b52c"
        "0a6296cfc4e10a3fbb4151d9ee704f02d5a4ccef8d000b10f4035899a60101020703585fa202818141000458568614a4"
        "02501492af1425695e48bf429b2d51f2ab45035824822f582000112233445566778899aabbccddeeff0123456789abcd"
        "effedcba98765432100e1987d00150fa6b4a53d5ad5fdfbe9de663e4d41ffe010f020f074382030f1458258614a11578"
        "1b687474703a2f2f6578616d706c652e636f6d2f66696c652e62696e1502030f0943821702"
    ),
}
READABLE = ("one image", "two components", "in a nested sequence")
ZERO, PATH = (b"\x00",), (b"\x01", b"\x02")
VENDOR = bytes.fromhex("fa6b4a53d5ad5fdfbe9de663e4d41ffe")
CLASS = bytes.fromhex("1492af1425695e48bf429b2d51f2ab45")
DEVICE = Device(VENDOR, CLASS, frozenset({ZERO, PATH}))
DIGEST = bytes.fromhex("00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210")
ONE = [(Fetch, ZERO), (Match, ZERO)]
DOES = {
    "one image": [*ONE, (Match, ZERO)],
    "in a nested sequence": [*ONE, (Match, ZERO)],
    "two components": [*ONE, (Fetch, PATH), (Match, PATH), (Match, ZERO)],
}


@pytest.mark.parametrize("name", READABLE)
def test_its_envelopes_are_read_verified_run_and_written_byte_for_byte(name):
    data = bytes.fromhex(ENVELOPES[name])
    envelope = suit.decode(data)
    assert suit.encode(envelope) == data
    assert suit.verify_blocks(envelope, [KEY], deprecated=True, anonymous=True) == (KEY.thumbprint,)
    assert suit.verify_blocks(envelope, [KEY]) == ()
    steps = execute(suit.parse(envelope), UPDATE, DEVICE).operations
    assert [(type(step), step.component) for step in steps] == DOES[name]
    patch = suit.peek(data)
    assert (patch.image_digest, patch.image_size) == (DIGEST, 34_768)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("a digest by SHA-384", Reason.UNSUPPORTED), ("keys out of order", Reason.MALFORMED)],
)
def test_what_it_writes_otherwise_than_the_draft_or_our_subset_is_refused(name, reason):
    assert refused(suit.peek, bytes.fromhex(ENVELOPES[name]))[0] is reason
