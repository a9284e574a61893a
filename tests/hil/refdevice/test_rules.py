"""The rules that the C device's code is written by: small pieces, nothing but the language, two compilers content."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import build

OURS = sorted(path for path in build.SOURCE.rglob("*.[ch]"))
CORE = [path for path in OURS if path.parent.name == "core"]
WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wconversion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wvla",
    "-Wundef",
)
LINES_MAX, FUNCTION_LINES_MAX, COLUMNS_MAX = 400, 60, 120
HEADERS = {"stdarg.h", "stdint.h", "stdbool.h", "stddef.h"}
"""What the core may include beside its own headers: the language's."""


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Yield each function's first line and how many lines it has."""
    first, head = 0, ""
    for number, line in enumerate(text.splitlines()):
        if re.match(r"^[A-Za-z_].*\)( \{)?$|^ +.*\)( \{)?$", line) and not head:
            first, head = number, line
        elif line == "}" and head:
            yield head, number - first + 1
            head = ""
        elif not line or line.endswith(";"):
            head = head if line.startswith(" ") or not line else ""


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_a_file_is_small_and_so_are_its_functions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    generated = path.name.startswith("tocsin_")
    assert generated or text.count("\n") <= LINES_MAX
    assert "\t" not in text
    assert [line for line in text.splitlines() if len(line) > COLUMNS_MAX and not generated] == []
    assert {head: count for head, count in functions(text) if count > FUNCTION_LINES_MAX} == {}


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_the_core_needs_nothing_but_the_language(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    own = {one.name for one in CORE} | {"tocsin_smp.h"}
    assert set(re.findall(r'#include [<"]([^>"]+)[>"]', text)) <= HEADERS | own
    code = re.sub(r'/\*.*?\*/|"(\\.|[^"\\])*"', "", text, flags=re.DOTALL)
    assert (
        re.findall(
            r"\b(malloc|calloc|free|alloca|goto|setjmp|longjmp|printf|memcpy|strlen|float|double)\b", code
        )
        == []
    )


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("test_build", [True, False])
def test_two_compilers_have_nothing_to_say(
    needed: Callable[..., None], compiler: str, test_build: bool
) -> None:
    needed(compiler, compiler)
    flags = ["-std=c99", *WARNINGS, "-ffreestanding", "-fsyntax-only", "-Icore", "-I.",
             *(["-DTN_TEST_BUILD"] if test_build else [])]  # fmt: skip
    files = [str(path) for path in CORE if path.suffix == ".c"]
    subprocess.run([compiler, *flags, *files], check=True, cwd=build.SOURCE)
