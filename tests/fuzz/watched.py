"""Fuzz the Python parsers, watching which code an input reaches (atheris).

    python -m tests.fuzz.watched FOLDER [libFuzzer's options]

The first byte of an input says which parser it is for; half of the changes are ours (tests/fuzz/mutate.py), half
libFuzzer's. What is worth keeping goes to FOLDER/corpus. What makes a parser break is written to FOLDER/found as
PARSER-DIGEST, and can be kept in tests/fuzz/crashes.
"""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["keys", "advisories", "device_sim", "hil"]):
    from tests.fuzz import parsers
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import seeds

NAMES = tuple(parsers.PARSERS)
BYTES_MAX = 8_192


def main(arguments: list[str]) -> None:
    """Run until libFuzzer's options say that it is enough."""
    found, folder = Path(arguments[1]) / "found", Path(arguments[1]) / "corpus"
    found.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)

    def one(data: bytes) -> None:
        if not data:
            return
        name, rest = NAMES[data[0] % len(NAMES)], data[1:]
        try:
            parsers.run(name, rest)
        except BaseException:
            (found / f"{name}-{hashlib.sha256(rest).hexdigest()[:16]}").write_bytes(rest)
            raise

    def change(data: bytes, size_max: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if len(data) < 2 or rng.random() < 0.5:
            return bytes(atheris.Mutate(data, size_max))
        return (data[:1] + mutated(data[1:], rng))[:size_max]

    for number, (_, kinds, _) in enumerate(parsers.PARSERS.values()):
        for kind in kinds:
            for data in seeds()[kind]:
                whole = bytes([number]) + data
                (folder / hashlib.sha256(whole).hexdigest()[:16]).write_bytes(whole)
    options = [f"-max_len={BYTES_MAX}", f"-artifact_prefix={found}/", *arguments[2:], str(folder)]
    atheris.Setup([arguments[0], *options], one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
