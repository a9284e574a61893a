"""A slice of what ``make fuzz`` does, and everything again that it ever found."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz import differential, parsers, run
from tests.fuzz.mutate import mutated
from tests.fuzz.run import shared
from tests.fuzz.seeds import seeds
from tests.hil.refdevice.build import Core

CRASHES = sorted((Path(__file__).parent / "crashes").glob("*-[0-9a-f]*"))


def _split(path: Path) -> str:
    return path.name.rsplit("-", 1)[0]


@pytest.mark.parametrize("name", parsers.PARSERS)
def test_every_parser_accepts_its_seeds_and_refuses_in_its_own_words(name: str) -> None:
    """A few hundred mutations of each; a parser that accepts none, or all, would not be tested by them."""
    _, kinds, _ = parsers.PARSERS[name]
    genuine = [data for kind in kinds for data in seeds()[kind]]
    assert any(parsers.run(name, data) for data in genuine)
    rng = random.Random(name)
    verdicts = Counter(parsers.run(name, mutated(rng.choice(genuine), rng)) for _ in range(150))
    assert verdicts[True] < 150 or not parsers.PARSERS[name][2]


@pytest.mark.parametrize(
    "path", [path for path in CRASHES if _split(path) in parsers.PARSERS], ids=lambda path: path.name
)
def test_what_broke_a_parser_once_breaks_it_no_more(path: Path) -> None:
    parsers.run(_split(path), path.read_bytes())


@pytest.mark.parametrize(
    "path", [path for path in CRASHES if _split(path) in differential.PAIRS], ids=lambda path: path.name
)
def test_what_c_and_python_once_judged_differently_they_judge_alike(core: Core, path: Path) -> None:
    differential.forget()
    in_c, in_python = differential.ask(core, _split(path), path.read_bytes())
    assert differential.alike(in_c, in_python)


def test_c_and_python_say_the_same_of_changed_documents(core: Core) -> None:
    verdicts: Counter[tuple[str, str]] = Counter()
    found = list(differential.differences(core, 1_500, random.Random(5), verdicts))
    assert not found
    for name in {pair.partition(".")[2] or pair for pair in differential.PAIRS}:
        asked = {verdict for pair, verdict in verdicts if pair == name}
        assert len(asked) > 1 or name in {"text", "pages", "block"}, name


@pytest.mark.parametrize(
    ("steps", "jobs", "each"), [(3, 2, 30.0), (3, 1, 20.0), (2, 2, 60.0), (1, 2, 60.0), (1, 1, 60.0)]
)
def test_a_slice_is_shared_by_its_steps(steps: int, jobs: int, each: float) -> None:
    assert shared(60.0, steps, jobs) == each


def test_a_comparison_ends_when_it_is_told_to(core: Core) -> None:
    verdicts: Counter[tuple[str, str]] = Counter()
    over = iter((False, False, False, True))
    assert not list(differential.differences(core, 1_000, random.Random(1), verdicts, lambda: next(over)))
    assert verdicts.total() == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--seconds", "nan"), "'nan' is no number of seconds above 0"),
        (("--seconds", "-1"), "'-1' is no number of seconds above 0"),
        (("--seconds", "soon"), "'soon' is no number of seconds above 0"),
        (("--within", "0"), "'0' is no number of seconds above 0"),
        (("--within", "inf"), "'inf' is no number of seconds above 0"),
        (("--documents", "-5"), "'-5' is no whole number from 1 on"),
        (("--jobs", "0"), "'0' is no whole number from 1 on"),
    ],
)
def test_an_option_that_means_nothing_is_told_before_anything_is_built(
    words: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", *words])
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_less_than_a_second_is_one_and_not_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """To libFuzzer, on which atheris stands, no time at all is all the time there is."""
    asked: list[list[str]] = []

    def said(words: list[str]) -> tuple[int, str]:
        asked.append(words)
        return 0, ""

    monkeypatch.setattr(run, "said", said)
    monkeypatch.setattr(run, "OUT", tmp_path)
    (tmp_path / "python" / "found").mkdir(parents=True)
    assert run.in_python(0.4) == []
    assert "-max_total_time=1" in asked[0]
