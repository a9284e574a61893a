"""``hil report``: many JUnit files, one table, one exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.run import run
from hil.cli.report import FILE_BYTES_MAX, markdown, read, rows
from keys.errors import InputError


def case(suite: str, inner: str = "", **properties: str) -> str:
    told = "".join(f'<property name="hil.{name}" value="{value}"/>' for name, value in properties.items())
    return f'<testcase classname="{suite}" name="x"><properties>{told}</properties>{inner}</testcase>'


def junit(path: Path, *cases: str) -> Path:
    path.write_text(
        f'<?xml version="1.0"?><testsuites><testsuite name="pytest">{"".join(cases)}</testsuite></testsuites>'
    )
    return path


FAILED, ERROR, SKIPPED = '<failure message="no"/>', '<error message="no"/>', '<skipped message="none"/>'
BENCH = case("boot", ERROR, board="exercise-1", fw="1.4.1", fault="bench")
PRODUCT = case("boot", FAILED, board="exercise-1", fw="1.4.1", fault="product")
PASSED = case("boot", board="exercise-1", fw="1.4.1")


@pytest.mark.parametrize(
    ("cases", "status"),
    [
        ((PASSED,), 0),
        ((PASSED, case("boot", SKIPPED)), 0),
        ((PASSED, BENCH), 3),
        ((BENCH, PRODUCT), 1),
        ((case("host", FAILED),), 1),
        ((FAILED,), 1),
        ((PASSED, "<testsuite>" + ERROR + "</testsuite>"), 1),
        (("<system-err>" + FAILED + "</system-err>", PASSED), 0),
        ((), 2),
    ],
)
def test_the_status_follows_the_content(tmp_path: Path, cases: tuple[str, ...], status: int) -> None:
    assert run(["report", str(junit(tmp_path / "a.xml", *cases))], "hil") == status


def test_a_file_without_a_test_is_no_good_run_unless_another_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, full = junit(tmp_path / "empty.xml"), junit(tmp_path / "full.xml", PASSED)
    assert run(["report", str(empty), "--json"], "hil") == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "REPORT_EMPTY"
    assert run(["report", str(empty), str(full)], "hil") == 0


def test_many_files_make_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = junit(tmp_path / "1.xml", PASSED, PRODUCT, BENCH, case("boot", board="exercise-1", fw="1.4.2"))
    two = junit(tmp_path / "2.xml", case("up|date", SKIPPED, board="exercise-2"), case("host"))
    assert run(["report", str(one), str(two)], "hil") == 1
    assert capsys.readouterr().out == (
        "| board | firmware | suite | passed | failed | bench | skipped |\n"
        "|---|---|---|--:|--:|--:|--:|\n"
        "| - | - | host | 1 | 0 | 0 | 0 |\n"
        "| exercise-1 | 1.4.1, 1.4.2 | boot | 2 | 1 | 1 | 0 |\n"
        "| exercise-2 | - | up\\|date | 0 | 0 | 0 | 1 |\n"
        "\n"
        "2 boards: 3 passed, 1 failed, 1 bench, 1 skipped.\n"
    )
    assert run(["report", str(one), "--json"], "hil") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["exit_status"] == 1
    assert told["rows"] == [
        {
            "board": "exercise-1",
            "suite": "boot",
            "firmware": ["1.4.1", "1.4.2"],
            "passed": 2,
            "failed": 1,
            "bench": 1,
            "skipped": 0,
        }
    ]


LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    "<testsuites><testsuite><testcase classname='&b;'/></testsuite></testsuites>"
)
OUTSIDE = '<!DOCTYPE x SYSTEM "file:///etc/hostname"><testsuite/>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (LAUGHS.encode(), "document type"),
        (LAUGHS.encode("utf-16"), "document type"),
        (OUTSIDE.encode(), "document type"),
        (b"", "is not XML"),
        (b"not xml", "is not XML"),
        (b"<testsuites><testsuite>", "is not XML"),
        (b'<?xml version="1.0" encoding="no-such"?><testsuite/>', "is not"),
        (b"<html/>", "no test suite"),
        (b"\x00\xff\xfe", "is not XML"),
        (b"<testsuite>&who;</testsuite>", "is not XML"),
    ],
)
def test_hostile_files_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    path = tmp_path / "bad.xml"
    path.write_bytes(content)
    assert run(["report", str(path)], "hil") == 2
    told = capsys.readouterr().err
    assert says in told
    assert "bad.xml" in told
    assert told.count("\n") == 1


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.xml")
    huge = tmp_path / "huge.xml"
    with huge.open("wb") as file:
        file.write(b"<testsuite>")
        file.seek(FILE_BYTES_MAX + 10)
        file.write(b" ")
    with pytest.raises(InputError):
        read(huge)


def test_deep_nesting_and_stray_elements_are_survived(tmp_path: Path) -> None:
    path = tmp_path / "deep.xml"
    path.write_text("<testsuite>" + "<a>" * 50_000 + "<failure/>" + "</a>" * 50_000 + "</testsuite>")
    assert read(path) == []


def test_a_table_cannot_be_broken_by_a_name() -> None:
    from hil.cli.report import Case

    made = markdown(rows([Case("a\n| `b` | <script>", properties={"hil.board": "x" * 500})]))
    assert made.count("\n") == 4
    assert "<script" not in made.replace("\\<", "")
