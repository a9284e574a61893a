"""One line an event: what others wrote cannot begin another, and secrets are struck out."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.service import logs
from keys.errors import UnavailableError

log = logging.getLogger("tocsin.test")


@pytest.fixture
def root() -> Iterator[None]:
    """The logging of this process, put back afterwards."""
    made = logging.getLogger()
    before, level = list(made.handlers), made.level
    yield
    made.handlers[:] = before
    made.setLevel(level)


def written(form: str) -> io.StringIO:
    stream = io.StringIO()
    logs.setup(form, "w1", stream)
    return stream


@pytest.mark.usefixtures("root")
def test_json_says_when_how_bad_what_code_and_who() -> None:
    stream = written("json")
    log.warning("The store is not to be had: %s", UnavailableError("STORE_BUSY", "Locked."))
    log.error("Plain.", extra={"code": "SOMETHING"})
    log.info("Not written.")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first["time"].endswith("Z")
    assert [first[key] for key in ("level", "code", "worker", "message", "logger")] == [
        *("warning", "STORE_BUSY", "w1", "The store is not to be had: Locked.", "tocsin.test")
    ]
    assert (second["level"], second["code"]) == ("error", "SOMETHING")


@pytest.mark.usefixtures("root")
def test_text_is_for_people() -> None:
    stream = written("text")
    log.warning("A thing\nhappened\x1b[2J.")
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.startswith("tocsin: 2")
    assert line.endswith("Z warning NOTE w1: A thing\\nhappened\\x1b[2J.\n")


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("form", logs.FORMS)
def test_a_fault_of_ours_is_one_line_with_its_trace(form: str) -> None:
    stream = written(form)
    try:
        int("bad\nthing")
    except ValueError:
        log.exception("It failed.")
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert "BUG" in line
    assert "test_logs.py" in line


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("form", logs.FORMS)
def test_secrets_are_struck_out(form: str) -> None:
    stream = written(form)
    secrets = (
        "whsec_MfKQ9r8GKYqrTwjUPD8=",
        "tocsin_" + "A1b2-_" * 8,
        "Bearer abc.def",
        "-----BEGIN PRIVATE KEY-----\nMIIabc",
    )
    for secret in secrets:
        log.warning("Seen: %s end", secret)
    log.warning("postgresql://tocsin:geheim@db.example.com/tocsin")
    text = stream.getvalue()
    assert not any(part in text for part in ("MfKQ9", "A1b2", "abc.def", "MIIabc", "geheim"))
    assert "db.example.com" in text


@pytest.mark.usefixtures("root")
def test_setting_up_again_replaces_the_first() -> None:
    first, second = written("text"), written("json")
    log.warning("Once.")
    assert first.getvalue() == ""
    assert json.loads(second.getvalue())["message"] == "Once."


def test_arguments_that_do_not_fit_lose_no_line() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%d %s", ("a",), None)
    assert json.loads(logs.Lines("json").format(record))["message"] == "%d %s"


@given(st.text(), st.sampled_from(logs.FORMS))
def test_any_message_is_one_printable_line(message: str, form: str) -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%s", (message,), None)
    line = logs.Lines(form, "w1").format(record)
    assert len(line.splitlines()) == 1
    assert not any(character < " " or character == "\x7f" for character in line)
    assert len(line) < 7 * logs.LETTERS_MAX
