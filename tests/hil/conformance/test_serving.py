"""The gateway's side of a row, with a board that a test steers."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from advisories.report import Want
from hil.conformance.bench import Bench
from hil.conformance.fleet import Fleet, first_root
from hil.conformance.rows import DEVICE, DiffersError, Facts, Scene
from hil.conformance.serving import Serve, by_digest
from hil.errors import DeviceGone, DeviceRebooted, SmpFailure, SmpRefused
from hil.smp.notifier import Verdict
from keys.reasons import Reason

PAYLOAD = bytes(2_500)
FACTS = Facts(product="thermostat", prefix="t", language="en", max=4_096, algorithms=frozenset({-19}))
SCENE = Scene(FACTS, Fleet(first_root(), DEVICE, "thermostat"))
(DIGEST,) = by_digest(PAYLOAD)(SCENE)


@dataclass
class Board:
    """Takes two blocks, and does something else instead of answering to the third."""

    third: BaseException | Verdict
    boot: bytes = b"1"
    taken: int = 0
    carriers: list[bool] = field(default_factory=list)

    def info(self) -> Any:
        return SimpleNamespace(boot=self.boot)

    def carrier(self, up: bool) -> None:
        self.carriers.append(up)

    def deliver(self, _data: bytes, _topic: str) -> Verdict:
        self.taken += 1
        if self.taken < 3:
            return Verdict(0, "OK")
        if isinstance(self.third, Verdict):
            return self.third
        self.boot = b"2"
        raise self.third


def bring(board: Board, *, brittle: bool = False, ends: Reason = Reason.OK) -> int:
    """Bring what is wanted, and return how many blocks more might have been brought."""
    bench = Bench(SimpleNamespace(smp=SimpleNamespace(notifier=board), wait_ready=int))  # type: ignore[arg-type]
    bench.brittle = brittle
    want = Want(nonce=bytes(16), topics=(), blocks=(DIGEST, 0, 3))
    return Serve(by_digest(PAYLOAD), (), ends=ends)._bring(bench, SCENE, want, 9)


@pytest.mark.parametrize(
    "third",
    [
        DeviceRebooted("it started anew"),
        DeviceGone("its port went away"),
        SmpRefused("SMP_ENOENT", "nothing is staged", group=400, rc=5),
    ],
)
def test_a_board_that_starts_anew_instead_of_answering_to_the_last_block_has_taken_it(
    third: BaseException,
) -> None:
    board = Board(third)
    assert bring(board) == 6
    assert board.taken == 3, "it was handed over again"
    assert board.carriers == [True], "the way to the gateway is as open as before"


@pytest.mark.parametrize("third", [DeviceRebooted("its power went"), DeviceGone("its port went away")])
def test_where_the_power_is_cut_on_purpose_the_row_is_told(third: SmpFailure) -> None:
    with pytest.raises(type(third)):
        bring(Board(third), brittle=True)


def test_any_other_refusal_is_the_boards() -> None:
    with pytest.raises(SmpRefused):
        bring(Board(SmpRefused("SMP_EINVAL", "no", group=400, rc=3)))
    wrong = Verdict(Reason.MALFORMED, "MALFORMED")
    with pytest.raises(DiffersError, match="MALFORMED"):
        bring(Board(wrong))
    assert bring(Board(wrong), ends=Reason.MALFORMED) == 6
