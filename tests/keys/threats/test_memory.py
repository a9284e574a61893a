"""The whole table, and messages made to exhaust a verifier, within 64 MiB."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keys.algorithms import Algorithm
from tests.keys.threats.contents import AT
from tests.keys.threats.drafts import TYPES, draft, render
from tests.keys.threats.hostile import ALLOWED
from tests.keys.threats.table import fleet_of, states, vectors

ROOM = 99_000  # bytes: just within what any message may have

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in /proc")


def head(major: int, count: int) -> bytes:
    return bytes([major << 5 | 26]) + count.to_bytes(4, "big")


def many_keys() -> bytes:
    """A map of as many keys as fit, in the right order."""
    keys = b"".join(
        (bytes([n]) if n < 24 else b"\x18" + bytes([n]) if n < 256 else b"\x19" + n.to_bytes(2, "big"))
        + b"\0"
        for n in range(24_000)
    )
    return b"\xb9" + (24_000).to_bytes(2, "big") + keys


def wide_and_deep() -> bytes:
    """Arrays of arrays, fifteen levels, each as wide as fits."""
    item = b"\x80"
    for _ in range(13):
        item = b"\x82" + item * 2
    return b"\x8b" + item * 11


def signatures(count: int) -> bytes:
    """A document with this many signatures of nothing."""
    return b"\xd8\x62\x84\x40\xa0\x40" + head(4, count) + b"\x83\x40\xa0\x40" * count


HOSTILE = {
    "100 KB of nested tags": b"\xd2" * ROOM + b"\0",
    "100 KB of nested arrays": b"\x81" * ROOM + b"\0",
    "100 KB of nested maps": b"\xa1\0" * (ROOM // 2) + b"\0",
    "100 KB of nested shared values": b"\xd8\x1c\x81" * (ROOM // 3) + b"\0",
    "100 KB of nested open arrays": b"\x9f" * ROOM,
    "a map of 24,000 keys": many_keys(),
    "a map that claims a million keys": head(5, 1_000_000) + b"\0" * ROOM,
    "an array of 99,000 empty arrays": head(4, ROOM) + b"\x80" * ROOM,
    "an array of 99,000 empty maps": head(4, ROOM) + b"\xa0" * ROOM,
    "an array of 11,000 floats": head(4, 11_000) + (b"\xfb" + bytes(8)) * 11_000,
    "wide and deep": wide_and_deep(),
    "24,000 signatures": signatures(24_000),
    "a million signatures claimed": b"\xd8\x62\x84\x40\xa0\x40" + head(4, 1_000_000) + b"\x83" * ROOM,
    "a bignum of 99,000 bytes": b"\xc2" + head(2, ROOM) + b"\xff" * ROOM,
    "a decimal of two billion digits": b"\xc4\x82\x1a\x7f\xff\xff\xff\x01",
    "a regular expression of 99,000 bytes": b"\xd8\x23" + head(3, ROOM) + b"(" * ROOM,
    "a text of 99,000 bytes": head(3, ROOM) + b"\xf0\x9f\x94\x94" * (ROOM // 4),
    "strings that claim 2^63 bytes": b"\x84" + b"\x5b\x80" + bytes(7),
    "strings that claim 2^32-1 bytes": b"\x5a\xff\xff\xff\xff",
    "arrays that claim 2^63 items": b"\x9b\x80" + bytes(7),
    "arrays in arrays that claim 2^32-1 items": b"\x9a\xff\xff\xff\xff" * 1_000,
    "maps in maps that claim 2^32-1 entries": b"\xba\xff\xff\xff\xff" * 1_000,
}


def messages() -> Iterator[tuple[str, bytes, bytes, int]]:
    """Type, state, bytes and time of each message that must be refused."""
    for row in vectors():
        yield row.type, row.state, row.data, row.now
    fleet = fleet_of(Algorithm.ED25519)
    for data in HOSTILE.values():
        for type_, state in states(Algorithm.ED25519).items():
            yield type_, state, data, AT
            # The same as a body that everyone signed, and beside a signature.
            yield type_, state, render(replace(draft(type_, fleet), body=lambda _, data=data: data)), AT
            yield type_, state, render(replace(draft(type_, fleet), raw=lambda d, data=data: d + data)), AT


def child(argument: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.keys.threats.hostile", str(argument)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_limit_bites_where_it_should() -> None:
    within = child(48)
    assert json.loads(within.stdout)["held"] == 48 << 20, within.stderr
    assert json.loads(within.stdout)["grown"] >= 47 << 20
    beyond = child(65)
    assert beyond.returncode != 0
    assert "MemoryError" in beyond.stderr


def test_everything_is_refused_within_64_mib(
    tmp_path: Path, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = tmp_path / "messages"
    count = 0
    with shown.open("w", encoding="ascii") as out:
        for type_, state, data, now in messages():
            out.write(f"{type_} x{state.hex()} x{data.hex()} {now}\n")
            count += 1
    ran = child(shown)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert (found["refused"], found["accepted"]) == (count, 0)
    assert found["grown"] < ALLOWED
    record_property("peak_bytes", found["grown"])
    with capsys.disabled():
        print(f"\n{count} hostile messages: {found['grown'] / 2**20:.1f} MiB at the most", flush=True)


def test_every_type_is_shown_hostile_bytes() -> None:
    assert {type_ for type_, *_ in messages()} == {*TYPES, "root-1"}
