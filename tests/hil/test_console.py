"""The console's log: places in it, plain text, waiting for what comes, and bounds."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.bench.console import ConsoleLog, plain
from hil.errors import DeviceGone, Timeout


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\nb\n", "a\nb\n"),
        (b"a\r\r\nb", "a\nb"),
        (b"a\n\rb", "a\nb"),
        (b"a\r\n\r\nb", "a\n\nb"),
        (b"10 %\r20 %\r", "10 %\n20 %\n"),
        (b"\x1b[1;32mok\x1b[0m", "ok"),
        (b"\x1b[2J\x1b[Huart:~$ ", "uart:~$ "),
        (b"\x1b]0;title\x07shell", "shell"),
        (b"\x1b]0;title\x1b\\shell", "shell"),
        (b"\x1b(Bplain\x1b7\x1b=", "plain"),
        (b"cut \x1b[3", "cut "),
        (b"cut \x1b", "cut "),
        (b"\0\x06\x7fx\ty", "x\ty"),
        ("Störung".encode(), "Störung"),
        (b"\xffx", "\N{REPLACEMENT CHARACTER}x"),
    ],
)
def test_text_is_plain(data: bytes, text: str) -> None:
    assert plain(data) == text


@given(st.binary(max_size=60))
def test_text_of_anything_steers_no_terminal(data: bytes) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", plain(data))


def test_places_stay_true_and_marks_are_where_expect_begins() -> None:
    log = ConsoleLog()
    log.append(b"Booting 1\n")
    assert log.marked == 0
    since = log.mark()
    assert (log.marked, log.position) == (since, since) == (10, 10)
    log.append(b"Booting 2\n")
    assert log.expect(r"Booting (\d)", timeout_s=0).group(1) == "2"
    assert log.expect(r"Booting (\d)", since=0, timeout_s=0).group(1) == "1"
    assert (log.text(), log.text(since), log.raw(since)) == (
        "Booting 1\nBooting 2\n",
        "Booting 2\n",
        b"Booting 2\n",
    )


def test_what_came_before_the_mark_passes_no_test() -> None:
    log = ConsoleLog()
    log.append(b"PASS\n")
    log.mark()
    with pytest.raises(Timeout, match=r"'PASS' within 0 s; it said nothing"):
        log.expect("PASS", timeout_s=0)


def test_a_compiled_pattern_keeps_its_flags_and_a_text_matches_at_lines() -> None:
    log = ConsoleLog()
    log.append(b"one\r\ntwo\r\n")
    assert log.expect("^two$", timeout_s=0)
    assert log.expect(re.compile("ONE.TWO", re.DOTALL | re.IGNORECASE), timeout_s=0)


def test_a_mark_takes_in_the_half_line_that_the_line_still_holds() -> None:
    held = [b"login: "]
    log = ConsoleLog(settle=lambda: log.append(held.pop()) if held else None)
    log.mark()
    log.append(b"root\n")
    assert log.text(log.marked) == "root\n"


def test_it_waits_for_what_another_thread_appends() -> None:
    log = ConsoleLog()
    pieces = [b"Boo", b"ting", b" done\n"]
    thread = threading.Thread(target=lambda: [log.append(piece) for piece in pieces])
    thread.start()
    assert log.expect("^Booting done$", timeout_s=30)
    thread.join()


def test_a_timeout_tells_the_last_lines_and_cuts_long_ones() -> None:
    log = ConsoleLog()
    log.append(b"one\r\n\r\ntwo\r\nthree\r\n" + b"x" * 500)
    with pytest.raises(Timeout) as caught:
        log.expect("never", timeout_s=0.01)
    assert caught.value.message.endswith("it said last: two | three | " + "x" * 120 + ".")
    assert caught.value.code == "SMP_TIMEOUT"


def test_when_the_port_is_away_the_error_says_so_and_what_is_there_is_found_all_the_same() -> None:
    log = ConsoleLog()
    log.append(b"last words")
    log.end("unplugged")
    assert log.expect("last", timeout_s=0)
    with pytest.raises(DeviceGone, match=r"went away \(unplugged\) before .* it said last: last words"):
        log.expect("more", timeout_s=0)
    log.end("")
    log.append(b"hello\n")
    assert log.text() == "last words\nhello\n"  # the new boot's line is no end of the old one's
    with pytest.raises(Timeout):
        log.expect("more", timeout_s=0)


def test_memory_is_bounded_and_what_is_dropped_is_counted() -> None:
    log = ConsoleLog(bytes_max=8)
    log.append(b"0123456789")
    assert (log.dropped, log.position, log.raw()) == (2, 10, b"23456789")
    log.mark()
    log.append(b"abcdefghijkl")
    assert (log.dropped, log.raw(0), log.text(20)) == (14, b"efghijkl", "kl")
    assert log.expect("efgh", timeout_s=0)  # the mark itself is dropped by now


@given(st.lists(st.binary(max_size=9)), st.integers(1, 12))
def test_any_pieces_and_any_bound_keep_the_end_of_the_stream(pieces: list[bytes], bound: int) -> None:
    log, whole = ConsoleLog(bytes_max=bound), b"".join(pieces)
    for piece in pieces:
        log.append(piece)
    assert log.raw() == whole[-bound:]
    assert log.dropped + len(log.raw()) == log.position == len(whole)
    for since in range(len(whole) + 2):
        assert log.raw(since) == whole[max(since, len(whole) - bound) :]
