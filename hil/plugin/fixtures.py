"""The fixtures. What they hand out is imported when a test uses one: every pytest run loads this module."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hil.plugin.keys import RUN, no_board

if TYPE_CHECKING:
    from hil.bench.line import Line
    from hil.bench.session import Session
    from hil.bridge.bridge import Bridge
    from hil.plugin.bench import Bench
    from hil.plugin.hands import Bridges, HilConsole, HilFaults, HilPower, HilTrace
    from hil.smp.client import SmpClient
    from hil.smp.notifier import NotifierGroup


def _bench(request: pytest.FixtureRequest) -> Bench:
    run = request.config.stash.get(RUN, None)
    if run is None:
        no_board(request.config)
    return run.bench_of_this_test()


@pytest.fixture(scope="session")
def hil_board(request: pytest.FixtureRequest) -> Session:
    """The board in hand (hil.bench.session.Session): locked, powered and ready, for the whole run."""
    return _bench(request).running()


@pytest.fixture
def hil_link(request: pytest.FixtureRequest, hil_board: Session) -> Line:
    """The board's serial line (hil.bench.line.Line), with nothing waiting on it."""
    _bench(request)
    return hil_board.line


@pytest.fixture
def hil_smp(request: pytest.FixtureRequest, hil_board: Session) -> SmpClient:
    """The SMP client (hil.smp.client.SmpClient): .os, .img, .stat, .request(command, body)."""
    _bench(request).need("os")
    return hil_board.smp


@pytest.fixture
def hil_notifier(request: pytest.FixtureRequest, hil_smp: SmpClient) -> NotifierGroup:
    """Tocsin's own commands (hil.smp.notifier.NotifierGroup)."""
    _bench(request).need("group.notifier")
    return hil_smp.notifier


@pytest.fixture
def hil_console(hil_board: Session) -> HilConsole:
    """The console: .expect(regex), .text(), .write(text), .mark(); nothing older than the test is seen."""
    from hil.plugin.hands import HilConsole  # noqa: PLC0415 - see the module's docstring

    return HilConsole(hil_board)


@pytest.fixture
def hil_power(hil_board: Session) -> HilPower:
    """The board's power: .cut(), .on(), .cycle()."""
    from hil.plugin.hands import HilPower  # noqa: PLC0415 - the same

    return HilPower(hil_board)


@pytest.fixture
def hil_faults(request: pytest.FixtureRequest, hil_board: Session) -> Iterator[HilFaults]:
    """Line faults for the rest of the test, with the run's seed; call it with the tables of a faults file."""
    from hil.plugin.hands import HilFaults  # noqa: PLC0415 - the same

    test = _bench(request).test
    assert test is not None
    yield HilFaults(hil_board, test)
    hil_board.line.shaper = None


@pytest.fixture
def hil_trace(request: pytest.FixtureRequest, hil_link: Line) -> Iterator[HilTrace]:
    """What passes on the line: .messages(), .records, and the path of the test's trace."""
    from hil.plugin.evidence import TRACE  # noqa: PLC0415 - the same
    from hil.plugin.hands import HilTrace  # noqa: PLC0415 - the same

    test = _bench(request).test
    assert test is not None
    trace = HilTrace(test.evidence.folder / TRACE)
    hil_link.taps.append(trace)
    yield trace
    hil_link.taps.remove(trace)


@pytest.fixture
def hil_bridge(hil_board: Session, hil_notifier: NotifierGroup) -> Iterator[Bridges]:
    """Bridges to a broker; call it with the broker's URL, then .step() of the bridge lets it work."""
    from hil.bridge.bridge import Bridge  # noqa: PLC0415 - the same

    with contextlib.ExitStack() as stack:

        def bridge(url: str, **options: Any) -> Bridge:
            made = Bridge(hil_notifier, url, **{"reopen": lambda: hil_board.connect(0.0), **options})
            stack.callback(made.close)
            made.open()
            return made

        yield bridge


@pytest.fixture
def hil_artifacts(request: pytest.FixtureRequest) -> Path:
    """The folder of this test's evidence; what the test puts there is kept and attached, too."""
    test = _bench(request).test
    assert test is not None
    return test.evidence.folder
