"""The same verdict from the C library and from Python, on documents that were changed at random.

    python -m tests.fuzz.differential [--documents 100000] [--seconds 600] [--seed 1] [--found FOLDER]

Each pair is one question that both can be asked. An input on which they differ is written to FOLDER as PAIR-DIGEST.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from keys import cose
from keys.algorithms import UNDECLARED
from keys.document import peek
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Root, checked
from keys.trusted import TrustedSet
from tests import arguments
from tests.fuzz import devices
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import seeds
from tests.hil.refdevice import build
from tests.hil.refdevice.cbor_of_c import Items, accepted
from tests.hil.refdevice.trust_of_c import Trust

BYTES_MAX = 4_096
"""TN_DOCUMENT_BYTES_MAX: what is longer is refused by its length alone."""

AT = "TN_AT_STAGING"
RUN = 12
"""So many times a pair is asked before the next: devices need not begin anew for each."""


@dataclass(frozen=True)
class Pair:
    """One question, asked of C and of Python; an answer is a word.

    C's is None where it was asked for more than this device takes: nothing is compared.
    """

    ask: Callable[[build.Core, bytes], tuple[str | None, str]]
    kinds: tuple[str, ...]
    share: int = 1
    """How often it is asked, beside the others."""


def refused(call: Callable[[], object]) -> str:
    """Return OK, or the reason for which a call refuses."""
    try:
        call()
    except RefusedError as error:
        return error.reason.name
    return "OK"


def _cbor(core: build.Core, data: bytes) -> tuple[str, str]:
    taken = Items(core, data, core.constants[AT]).whole()
    return "OK" if taken else "MALFORMED", "OK" if accepted(data) else "MALFORMED"


def _cose(core: build.Core, data: bytes) -> tuple[str, str]:
    in_c = Trust(core).open(data, cose.TAG_SIGN, unprotected=False)[0]
    return in_c.name, refused(lambda: cose.parse(data, cose.TAG_SIGN, unprotected=False))


def _beyond(reason: Reason) -> str | None:
    """Leave out what this device is too small for."""
    return None if reason in {Reason.TOO_BIG, Reason.LIMIT_REACHED} else reason.name


def _root(core: build.Core, data: bytes) -> tuple[str | None, str]:
    return _beyond(Trust(core).judge_root(data)), refused(lambda: checked(peek(data, Root)))


class _Twins:
    """Devices in C and Python, in one situation after the other."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.pair: devices.Pair | None = None
        self.name = ""

    def ask(self, core: build.Core, situation: str, kind: str, data: bytes) -> tuple[str | None, str]:
        if self.pair is None or self.name != situation:
            self.pair, self.name = devices.Pair(core, devices.situations()[situation]), situation
        in_c, in_python = self.pair.ask(kind, data)
        if kind == "patch" and in_c is Reason.UNSUPPORTED:
            return (
                None,
                in_python.name,
            )  # more of SUIT than this device takes, whatever else may be wrong with it
        return _beyond(in_c), in_python.name

    def enrol(self, core: build.Core, data: bytes) -> tuple[str | None, str]:
        self.forget()
        core.new()
        in_c = Trust(core).enrol(data)
        return _beyond(in_c), refused(lambda: TrustedSet.enrol(data, None, algorithms=UNDECLARED))


_TWINS = _Twins()


def _asked(situation: str, kind: str, core: build.Core, data: bytes) -> tuple[str | None, str]:
    return _TWINS.ask(core, situation, kind, data)


forget = _TWINS.forget
"""Begin anew: the core was made new behind our back."""

PAIRS: Mapping[str, Pair] = {
    "cbor": Pair(_cbor, ("cbor", "root", "notice", "text", "root-body"), 4),
    "cose": Pair(_cose, ("root", "notice", "offer", "timestamp"), 4),
    "root": Pair(_root, ("root",), 4),
    "enrol": Pair(_TWINS.enrol, ("root",), 2),
    **{
        f"{situation}.{kind}": Pair(partial(_asked, situation, kind), (kind,), share)
        for situation in devices.situations()
        for kind, share in devices.KINDS.items()
    },
}


def differences(
    core: build.Core,
    documents: int,
    rng: random.Random,
    verdicts: Counter[tuple[str, str]],
    over: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[str, bytes, str | None, str]]:
    """Yield (pair, input, C's answer, Python's) of every input on which they differ; count all answers.

    It ends after so many documents, or when ``over`` says so.
    """
    forget()
    names = [name for name, pair in PAIRS.items() for _ in range(RUN * pair.share)]
    for number in range(documents):
        if over():
            return
        name = names[number % len(names)]
        pair = PAIRS[name]
        data = rng.choice([one for kind in pair.kinds for one in seeds()[kind]])
        if rng.random() < 0.98:
            data = mutated(data, rng)
        if len(data) > BYTES_MAX:
            data = data[:BYTES_MAX]
        in_c, in_python = ask(core, name, data)
        verdicts[name.partition(".")[2] or name, in_python] += 1
        if not alike(in_c, in_python):
            yield name, data, in_c, in_python


def alike(in_c: str | None, in_python: str) -> bool:
    """Say whether two answers are one verdict.

    Of a document with two faults C may say that its shape is wrong where Python came first to a key, a header or
    a manifest of a kind that it does not know, or that is too big (docs/decisions/0015).
    """
    return in_c in {None, in_python} or (in_c == "MALFORMED" and in_python in {"UNSUPPORTED", "TOO_BIG"})


def ask(core: build.Core, name: str, data: bytes) -> tuple[str | None, str]:
    """Return the answers of both; C's is None where it was asked for more than it takes."""
    return PAIRS[name].ask(core, data)


def main(words: list[str]) -> int:
    """Compare, print what was compared, and return 1 if anything differed."""
    parser = argparse.ArgumentParser(
        prog="differential", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--documents", type=arguments.whole(1), default=100_000)
    parser.add_argument(
        "--seconds", type=arguments.seconds, default=math.inf, help="after which no more are compared"
    )
    parser.add_argument("--seed", type=int, default=None, help="of the mutations; another one at every run")
    parser.add_argument("--found", type=Path, default=Path("build/refdevice/fuzz/found"))
    options = parser.parse_args(words)
    seed = options.seed if options.seed is not None else int(time.time())
    print(f"differential: {options.documents} documents, seed {seed}")
    verdicts: Counter[tuple[str, str]] = Counter()
    core: Any = build.core()
    core.new()
    failed = 0
    end = time.monotonic() + options.seconds
    found = differences(
        core, options.documents, random.Random(seed), verdicts, lambda: time.monotonic() >= end
    )
    for name, data, in_c, in_python in found:
        failed += 1
        options.found.mkdir(parents=True, exist_ok=True)
        place = options.found / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
        place.write_bytes(data)
        print(f"{place}: C says {in_c}, Python {in_python}")
        if failed == 20:
            break
    print(f"  {verdicts.total()} were compared")
    for (name, verdict), count in sorted(verdicts.items()):
        print(f"  {name:<12} {verdict:<20} {count:>8}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
