"""One run of pytest with boards: who gets the board when, whose fault a failure is, and how the run ends."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from hil.errors import BenchError
from hil.plugin import demands, outcome
from hil.plugin.bench import Bench, Result
from hil.plugin.candidates import preferred
from hil.plugin.evidence import Evidence
from hil.plugin.keys import no_board, uses_board
from hil.plugin.options import Options
from hil.plugin.outcome import Fault
from keys.errors import TocsinError

if TYPE_CHECKING:
    from types import FrameType

    from hil.bench.board import Board
    from hil.bench.lock import Holder

_FAULT: Final = pytest.StashKey[Fault]()
_EVIDENCE: Final = pytest.StashKey[Evidence]()
_STOPS: Final = (KeyboardInterrupt, pytest.exit.Exception)
"""What ends a run, and says nothing about the test in whose middle it comes."""
_BOARDS_TOLD: Final = 4
_GIT_S: Final = 10.0


class Run:
    """Hooks of a process that has boards to choose from; also of xdist's, which only counts."""

    def __init__(self, config: pytest.Config, options: Options, candidates: Sequence[Board]) -> None:
        self.options = options
        self._config = config
        self._candidates = candidates
        self._bench: Bench | None = None
        self._item: pytest.Item | None = None
        self._faults: Counter[Fault] = Counter()
        self._boards: dict[str, set[str]] = {}
        self._troubles: list[str] = []

    # -- a test

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Prefer the boards that most of these tests may use."""
        wanted = [demands.read(item) for item in session.items if uses_board(item)]
        if wanted and self._candidates:
            self._candidates = preferred(self._candidates, wanted)

    def bench_of_this_test(self) -> Bench:
        """Return the bench, with the board given to the test that runs now."""
        assert self._item is not None
        if not self._candidates:
            no_board(self._config)
        if self._bench is None:
            self._bench = Bench(
                self.options,
                self._candidates,
                purpose=f"pytest from {self._item.nodeid}",
                waits=self._waits,
                git=revision(self._config.rootpath),
            )
        if self._bench.test is None:
            self._bench.begin(self._item.nodeid, demands.read(self._item))
        return self._bench

    def _waits(self, holder: Holder | None) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            who = holder.told() if holder else "another process"
            terminal.write_line(f"hil: waiting for {who}, {self.options.wait_s:g} s at most")

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Give the board to a test that uses one, before any fixture of its own."""
        self._item = item
        if uses_board(item):
            self.bench_of_this_test()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Hold a test to its time."""
        limit = demands.read(item).test_s if uses_board(item) else None
        with deadline(limit) if limit else contextlib.nullcontext():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Take the board back when all fixtures of the test are gone."""
        fault = item.stash.get(_FAULT, None)
        try:
            result = yield
        except BaseException as error:
            ended = Result.INTERRUPTED if isinstance(error, _STOPS) else Result.FAILED
            with contextlib.suppress(BenchError):  # the test's own failure is told, not that of its evidence
                self._end(ended, fault or outcome.of(error))
            raise
        self._end(Result.FAILED if fault else Result.PASSED, fault)
        return result

    def _end(self, result: Result, fault: Fault | None) -> None:
        if self._bench is not None:
            told = fault if fault and result is Result.FAILED else ""
            self._bench.end(result, fault=told)

    # -- its report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Say in each phase's report whose fault a failure is, and where its evidence lies."""
        if call.excinfo:
            _hide_our_lines()
        report = yield
        bench = self._bench
        ours = uses_board(item)
        if bench is not None and bench.test is not None:
            item.stash[_EVIDENCE] = bench.test.evidence
            ours = True
        kept = item.stash.get(_EVIDENCE, None)
        told: dict[str, str] = {}
        if report.failed:
            fault = outcome.of(call.excinfo.value) if call.excinfo else Fault.PRODUCT
            if item.stash.get(_FAULT, None) is not Fault.PRODUCT:
                item.stash[_FAULT] = fault
            told["fault"] = fault.value
            if call.excinfo and isinstance(call.excinfo.value, TocsinError) and report.when == "setup":
                report.longrepr = call.excinfo.getrepr(style="value")  # no line of the test's has failed
        if ours and bench is not None:
            if bench.test is not None or report.when == "setup":
                _tell(item, bench.properties())
            told |= {name: value for name, value in bench.properties().items() if name in {"board", "fw"}}
        if ours and report.failed:
            _tell(item, {"fault": item.stash[_FAULT].value})
        if kept is not None:
            _show(report, kept, told.get("fault", ""))
        report.user_properties = list(item.user_properties)
        report.hil = told  # type: ignore[attr-defined] # it is taken along, by xdist too
        return report

    # -- the run

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Let JUnit files hold what is printed, and so the attachments, unless they do already."""
        for plugin in self._config.pluginmanager.get_plugins():
            if type(plugin).__name__ == "LogXML" and getattr(plugin, "logging", "") == "no":
                plugin.logging = "system-out"

    def pytest_report_header(self) -> str:
        """Say which boards there are, where, and with which seed."""
        boards = ", ".join(f"{board.name} ({_place(board)})" for board in self._candidates[:_BOARDS_TOLD])
        more = len(self._candidates) - _BOARDS_TOLD
        boards += f" and {more} more" * (more > 0)
        return f"hil: {boards or 'no board was chosen'}; seed {self.options.seed}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker of xdist the seed of the run."""
        node.workerinput["hil_seed"] = self.options.seed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what went wrong at the end of a worker."""
        self._troubles += getattr(node, "workeroutput", {}).get("hil_troubles", [])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count failures by whose fault they are."""
        told = getattr(report, "hil", {})
        if report.failed:
            self._faults[Fault(told.get("fault", Fault.PRODUCT))] += 1
        if "board" in told:
            firmware = self._boards.setdefault(told["board"], set())
            firmware.update({told["fw"]} if "fw" in told else ())

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count what could not be collected: it is not the bench's."""
        self._faults[Fault.PRODUCT] += report.failed

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Leave the board, also where fixtures of an interrupted test fail; tell who must look."""
        try:
            return (yield)
        finally:
            if self._bench is not None:
                self._troubles += self._bench.close()
            output = getattr(self._config, "workeroutput", None)
            if output is not None:
                output["hil_troubles"] = self._troubles
            session.exitstatus = outcome.status(
                int(session.exitstatus),
                product=self._faults[Fault.PRODUCT],
                bench=self._faults[Fault.BENCH] + len(self._troubles),
            )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what ran where, and which failures are the bench's."""
        write = terminalreporter.write_line
        if self._boards or self._troubles or self._faults[Fault.BENCH]:
            terminalreporter.section("hil")
        for board, firmware in sorted(self._boards.items()):
            runs = f"firmware {', '.join(sorted(firmware))}; " if firmware else ""
            write(f"{board}: {runs}evidence in {self.options.artifacts / board}")
        for trouble in self._troubles:
            write(f"bench: {trouble}")
        if count := self._faults[Fault.BENCH]:
            others = self._faults[Fault.PRODUCT]
            of_all = f" of {count + others} failures" if others else f" failure{'s' * (count > 1)}"
            write(f"{count}{of_all} of the bench, which say nothing about the firmware")
        if self._boards:
            write(f"repeat with --hil-seed {self.options.seed}")


def _hide_our_lines() -> None:
    """Leave our own lines out of tracebacks (but --full-trace): what failed is the line of the test."""
    for name, module in list(sys.modules.items()):
        if name.startswith("hil."):
            vars(module)["__tracebackhide__"] = True  # pytest looks for it beside a function's names


def _tell(item: pytest.Item, properties: dict[str, str]) -> None:
    """Set properties of a test for JUnit; a later value takes the place of an earlier one."""
    named = {f"hil.{name}": value for name, value in properties.items()}
    item.user_properties[:] = [pair for pair in item.user_properties if pair[0] not in named]
    item.user_properties += named.items()


def _show(report: pytest.TestReport, kept: Evidence, fault: str) -> None:
    """Attach the evidence to a test's last report, and show the end of its log where it failed."""
    if report.failed:
        whose = "the bench failed" if fault == Fault.BENCH else "the board failed"
        report.sections.append(
            ("hil", "\n".join((f"{whose}; evidence in {kept.folder}", *kept.last_lines())))
        )
    if report.when == "teardown":
        attached = "".join(f"[[ATTACHMENT|{path}]]\n" for path in kept.files())
        report.sections.append(("Captured stdout hil", attached))


def _place(board: Board) -> str:
    return board.link.url or (board.spawn.driver if board.spawn else "no link")


def revision(folder: Path) -> str:
    """Return the commit of the project under test, ``-dirty`` where files differ; empty if it has none."""
    command = ("git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_S, check=False)  # noqa: S603 - our own words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Fail what runs within when it takes longer; works in a process's main thread only.

    Raises:
        BenchError: NO_DEADLINE, in another thread.
    """

    def over(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail(f"The test took longer than {seconds:g} s.")

    try:
        handler = signal.signal(signal.SIGALRM, over)
    except ValueError:
        message = "A test can be held to a time in the main thread only."
        raise BenchError("NO_DEADLINE", message, mend="Leave out hil.timeout(test=...).") from None
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)
