"""The bytes of the wire do not change by accident: one fixed instance of every kind, byte for byte.

``python -m tests.advisories.test_wire_locks`` writes the files anew. A changed lock is a changed
protocol: it needs a new version of the topics' prefix, or a very good reason in the change log.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from keys.codec import dump
from tests.advisories.wire import RECORDS, documents

LOCKS = Path(__file__).parent / "locks"


def everything() -> dict[str, bytes]:
    return {**documents(), **{name: dump(value) for name, value in RECORDS.items()}}


def _lines(data: bytes) -> str:
    text = data.hex()
    return "\n".join(text[start : start + 96] for start in range(0, len(text), 96)) + "\n"


@pytest.mark.parametrize("name", sorted(everything()))
def test_the_bytes_are_the_locked_ones(name: str) -> None:
    assert (LOCKS / f"{name}.hex").read_text(encoding="ascii") == _lines(everything()[name])


def test_every_lock_belongs_to_something() -> None:
    assert {path.stem for path in LOCKS.glob("*.hex")} == set(everything())


def main() -> None:
    LOCKS.mkdir(exist_ok=True)
    for path in LOCKS.glob("*.hex"):
        path.unlink()
    for name, data in everything().items():
        (LOCKS / f"{name}.hex").write_text(_lines(data), encoding="ascii")
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
