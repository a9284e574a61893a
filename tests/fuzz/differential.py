"""The same verdict from the C library and from Python, on documents that were changed at random.

    python -m tests.fuzz.differential [--documents 100000] [--seed 1] [--found FOLDER]

Each pair is one question that both can be asked. An input on which they differ is written to FOLDER as PAIR-DIGEST.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from keys import cose
from keys.algorithms import UNDECLARED
from keys.document import peek
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Root, checked
from keys.trusted import TrustedSet
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import fleet, seeds
from tests.hil.refdevice import build
from tests.hil.refdevice.cbor_of_c import Cbor, accepted
from tests.hil.refdevice.trust_of_c import Trust

BYTES_MAX = 4_096
"""TN_DOCUMENT_BYTES_MAX: what is longer is refused by its length alone."""

AT = "TN_AT_STAGING"


@dataclass(frozen=True)
class Pair:
    """One question, asked of both; an answer is a word. None: beyond what this device takes, so nothing is compared."""

    in_c: Callable[[build.Core, bytes], str | None]
    in_python: Callable[[bytes], str]
    kinds: tuple[str, ...]
    share: int = 1
    """How often it is asked, beside the others."""


@cache
def reasons() -> dict[int, str]:
    """Number -> name of every reason, as the C device counts them."""
    numbers = build.constants()
    return {numbers[f"TN_{one.name}"]: one.name for one in Reason if f"TN_{one.name}" in numbers}


def refused(call: Callable[[], object]) -> str:
    """Return OK, or the reason for which a call refuses."""
    try:
        call()
    except RefusedError as error:
        return error.reason.name
    return "OK"


def _cbor_in_c(core: build.Core, data: bytes) -> str:
    return "OK" if Cbor(core, data, core.constants[AT]).whole() else "MALFORMED"


def _cbor_in_python(data: bytes) -> str:
    return "OK" if accepted(data) else "MALFORMED"


def _cose_in_c(core: build.Core, data: bytes) -> str:
    core.flash_load(AT, data)
    message = ctypes.create_string_buffer(256)  # tn_message: room enough
    number = core.lib.tn_cose_open(core.in_flash(AT, len(data)), 98, ctypes.c_bool(False), message)
    return reasons()[number]


def _cose_in_python(data: bytes) -> str:
    return refused(lambda: cose.parse(data, cose.TAG_SIGN, unprotected=False))


class _Fleet:
    """What both trust before each question: root 1 of the fleet, and nothing since."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.c: Trust | None = None
        self.python: TrustedSet | None = None

    def in_c(self, core: build.Core) -> Trust:
        if self.c is None:
            core.new()
            self.c = Trust(core)
            assert self.c.enrol(fleet().root_document) is Reason.OK
        return self.c

    def in_python(self) -> TrustedSet:
        if self.python is None:
            self.python = TrustedSet.enrol(fleet().root_document, None, algorithms=UNDECLARED)
        return self.python


_TRUSTED = _Fleet()


def forget() -> None:
    """Begin anew: the core was made new behind our back."""
    _TRUSTED.forget()


def _beyond(reason: Reason) -> str | None:
    """Leave out what this device is too small for."""
    return None if reason in {Reason.TOO_BIG, Reason.LIMIT_REACHED} else reason.name


def _root_in_c(core: build.Core, data: bytes) -> str | None:
    return _beyond(Trust(core).judge_root(data))


def _root_in_python(data: bytes) -> str:
    return refused(lambda: checked(peek(data, Root)))


def _enrol_in_c(core: build.Core, data: bytes) -> str | None:
    _TRUSTED.c = None
    core.new()
    return _beyond(Trust(core).enrol(data))


def _enrol_in_python(data: bytes) -> str:
    return refused(lambda: TrustedSet.enrol(data, None, algorithms=UNDECLARED))


def _update_in_c(core: build.Core, data: bytes) -> str | None:
    reason = _TRUSTED.in_c(core).update(data)
    if reason is Reason.OK:
        _TRUSTED.c = None
    return _beyond(reason)


def _update_in_python(data: bytes) -> str:
    answer = refused(lambda: _TRUSTED.in_python().update_root(data, None))
    if answer == "OK":
        _TRUSTED.python = None
    return answer


PAIRS: Mapping[str, Pair] = {
    "cbor": Pair(_cbor_in_c, _cbor_in_python, ("cbor", "root", "notice", "text", "root-body"), 2),
    "cose": Pair(_cose_in_c, _cose_in_python, ("root", "notice", "offer", "timestamp"), 2),
    "root": Pair(_root_in_c, _root_in_python, ("root",), 2),
    "enrol": Pair(_enrol_in_c, _enrol_in_python, ("root",)),
    "update": Pair(_update_in_c, _update_in_python, ("root",), 2),
}


def differences(
    core: build.Core, documents: int, rng: random.Random, verdicts: Counter[tuple[str, str]]
) -> Iterator[tuple[str, bytes, str, str]]:
    """Yield (pair, input, C's answer, Python's) of every input on which they differ; count all answers."""
    _TRUSTED.forget()
    names = [name for name, pair in PAIRS.items() for _ in range(pair.share)]
    for number in range(documents):
        name = names[number % len(names)]
        pair = PAIRS[name]
        data = rng.choice([one for kind in pair.kinds for one in seeds()[kind]])
        if rng.random() < 0.98:
            data = mutated(data, rng)
        if len(data) > BYTES_MAX:
            data = data[:BYTES_MAX]
        in_c, in_python = ask(core, name, data)
        verdicts[name, in_python] += 1
        if in_c is not None and in_c != in_python:
            yield name, data, in_c, in_python


def ask(core: build.Core, name: str, data: bytes) -> tuple[str | None, str]:
    """Return the answers of both; C's is None where it was asked for more than it takes."""
    return PAIRS[name].in_c(core, data), PAIRS[name].in_python(data)


def main(arguments: list[str]) -> int:
    """Compare, print what was compared, and return 1 if anything differed."""
    parser = argparse.ArgumentParser(
        prog="differential", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None, help="of the mutations; another one at every run")
    parser.add_argument("--found", type=Path, default=Path("build/refdevice/fuzz/found"))
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else int(time.time())
    print(f"differential: {options.documents} documents, seed {seed}")
    verdicts: Counter[tuple[str, str]] = Counter()
    core: Any = build.core()
    core.new()
    failed = 0
    for name, data, in_c, in_python in differences(core, options.documents, random.Random(seed), verdicts):
        failed += 1
        options.found.mkdir(parents=True, exist_ok=True)
        place = options.found / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
        place.write_bytes(data)
        print(f"{place}: C says {in_c}, Python {in_python}")
        if failed == 20:
            break
    for (name, verdict), count in sorted(verdicts.items()):
        print(f"  {name:<12} {verdict:<20} {count:>8}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
