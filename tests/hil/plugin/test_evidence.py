"""What a run keeps, whatever a test does, whoever interrupts it, and without a secret."""

from __future__ import annotations

import pytest

from hil.wire import trace
from hil.wire.record import Direction

from .conftest import Project, read_json


def test_evidence_survives_whatever_a_test_does(project: Project) -> None:
    project.board()
    project.tests(
        """
import pytest
@pytest.fixture
def flashed(hil_smp):
    yield
    hil_smp.os.echo("in teardown")
    raise RuntimeError("teardown")
def test_teardown(flashed): pass
def test_exits(hil_smp):
    hil_smp.os.echo("last words")
    import os; os._exit(77)
"""
    )
    ran = project.with_board()
    assert ran.status == 77
    folder = ran.folder(project.root, "test_teardown")
    assert read_json(folder / "board.json")["result"] == "failed"
    said = trace.load(folder / "trace.pcapng")
    assert any(b"in teardown" in record.data for record in said)
    killed = ran.folder(project.root, "test_exits")
    sent = [one.data for one in trace.load(killed / "trace.pcapng") if one.direction is Direction.TO_BOARD]
    assert any(b"last words" in data for data in sent)
    assert (killed / "console.log").read_text().count("\n") >= 2
    assert project.with_board("-k", "teardown").status == 1  # the lock died with its holder


INTERRUPTED = """
import os, signal, threading
import pytest
def interrupt(where):
    if os.environ["WHERE"] == where:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(60)
@pytest.fixture(scope="session")
def flashed(hil_board):
    yield
    if os.environ["WHERE"] != "teardown":
        raise RuntimeError("in the end")
@pytest.fixture
def ours(hil_smp, flashed):
    interrupt("setup")
    yield
    interrupt("teardown")
def test_it(ours, hil_artifacts):
    (hil_artifacts / "notes.txt").write_text("seen")
    interrupt("call")
"""


@pytest.mark.parametrize("where", ["setup", "call", "teardown"])
def test_an_interruption_leaves_whole_evidence_that_blames_nobody(project: Project, where: str) -> None:
    project.board()
    project.tests(INTERRUPTED)
    ran = project.with_board(WHERE=where)
    assert ran.status == (2 if where == "teardown" else 1), ran.out  # pytest's own, where fixtures fail then
    about = read_json(ran.folder(project.root, "test_it") / "board.json")
    assert (about["result"], about["fault"], about["health"]) == ("interrupted", "", "unknown")
    assert (ran.folder(project.root, "test_it") / "faults.json").is_file()


KEY = bytes(range(1, 33))
PROVISIONS = f"""
KEY = bytes.fromhex("{KEY.hex()}")
def test_provisions(hil_notifier, hil_console):
    hil_notifier.provision("key", KEY)
    hil_console.expect("END PRIVATE KEY")
    hil_notifier.put(b"Update your thermostat " * 9)
    assert "thermostat" in hil_notifier.notice().lines[0]
    assert hil_console.text().count(KEY.hex()) == 1, "the test itself sees everything"
    assert 0
def test_later(hil_console):
    hil_console.write(KEY.hex() + "\\n")
    hil_console.expect("you said: " + KEY.hex())
"""
FORMS = (KEY, KEY.hex().encode(), KEY[:16].hex().encode(), b"MC4CAQAwBQ", b"Update your thermostat")


def test_keys_and_texts_never_reach_the_evidence(project: Project) -> None:
    project.board(kind="notifier")
    project.tests(PROVISIONS)
    ran = project.with_board("--junitxml", "build/out.xml", "--tb=no", "-s")
    assert "1 failed, 1 passed" in ran.out
    kept = project.evidence()
    assert len(kept) == 13
    for path, data in kept.items():
        for form in FORMS:
            assert form not in data, path
    for form in FORMS[1:]:
        assert form.decode() not in ran.out
    assert read_json(ran.folder(project.root, "test_later") / "board.json")["redacted"] is True


def test_raw_evidence_keeps_everything(project: Project) -> None:
    project.board(kind="notifier")
    project.tests(PROVISIONS)
    ran = project.with_board("--hil-raw-evidence")
    folder = ran.folder(project.root, "test_provisions")
    everything = b"".join(path.read_bytes() for path in folder.iterdir())
    for form in FORMS:
        assert form in everything
    assert read_json(folder / "board.json")["redacted"] is False
