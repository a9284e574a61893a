"""The table itself: long enough, readable, and proving what the threat model says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hil.conformance.rows import SUBSETS, Facts, Scene
from hil.conformance.steps import Send
from hil.conformance.whole import SUBJECTS, rows
from keys.algorithms import Algorithm

FACTS = Facts(
    product="thermostat", prefix="tocsin/v1", language="en", max=100_000, algorithms=frozenset({-19})
)
MODEL = Path(__file__).parents[3] / "docs" / "threat-model.md"


def test_the_table_is_long_enough_and_no_name_stands_twice() -> None:
    names = [row.name for row in rows()]
    assert len(names) >= 150
    assert len(set(names)) == len(names)


def test_every_step_and_subject_can_be_read() -> None:
    for row in rows():
        subject, _, what = row.name.partition(": ")
        assert subject
        assert what
        assert row.steps
        assert all(step.told() for step in (*row.on.before, *row.steps)), row.name
    assert all(subject.__doc__ for subject in SUBJECTS)


def test_what_a_row_needs_can_be_declared() -> None:
    known = {f"alg:{int(one)}" for one in Algorithm} | set(SUBSETS)
    for row in rows():
        assert row.needs <= known, row.name
        assert all(not FACTS.has(need) for need in row.needs), f"{row.name}: the smallest board has it"


def test_situations_of_one_name_are_one() -> None:
    found: dict[str, set[int]] = {}
    for row in rows():
        found.setdefault(row.on.name, set()).add(id(row.on))
    assert {name for name, those in found.items() if len(those) > 1} == set()


def test_every_threat_is_one_of_the_threat_model() -> None:
    model = MODEL.read_text(encoding="utf-8")
    threats = Counter(row.threat for row in rows() if row.threat)
    for threat in threats:
        assert f"| {threat} |" in model, threat


def test_rows_that_share_a_board_show_it_nothing_twice() -> None:
    """A device takes no second look at what it has refused, and would say nothing."""
    seen: dict[tuple[str, str, bytes], str] = {}
    for row in rows():
        scene = Scene(FACTS, row.on.fleet(FACTS))
        for step in row.steps if row.keeps else ():
            if isinstance(step, Send):
                place = (row.on.name, step.topic, step.make(scene))
                assert place not in seen, f"{row.name}: the same as {seen[place]}"
                seen[place] = row.name


ELSEWHERE = {
    "changes before signing": "at the desk",
    "a partial bundle": "several components: beyond what one image needs",
    "a wrong precursor": "a delta is for the image that runs, which the table does not know",
    "a hostile delta": "a delta is applied by a program of its own",
    "consent to words that were not shown": "a press over the line is for what is shown",
    "an installer or a sensor that hangs or lies": "programs beside the device",
}
"""Threats of the threat model that no message to a board could carry out, and why."""


def test_every_threat_that_a_board_can_meet_is_a_row() -> None:
    model = MODEL.read_text(encoding="utf-8")
    proved = model[model.index("## What proves it") : model.index("At the desk and in the packet")]
    threats = {
        line.split("|")[1].strip()
        for line in proved.splitlines()
        if line.startswith("| ") and not line.startswith("| threat")
    }
    ours = {row.threat for row in rows()}
    assert threats - ours == set(ELSEWHERE)
