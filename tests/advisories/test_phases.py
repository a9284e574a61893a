"""Which phase may follow which, and what a later revision has to say."""

from __future__ import annotations

from itertools import product

import pytest

from advisories.facts import Facts, load_facts
from advisories.notice import Phase
from advisories.phases import FIRST, FOLLOWS, allowed, phase_faults, require_phase, tracking_status, word
from advisories.story import Past
from keys.errors import InputError

TABLE = """
first      initial resolved
initial    update resolved withdrawn correction
update     update resolved withdrawn correction
resolved   update resolved withdrawn correction
withdrawn  withdrawn correction
correction update resolved withdrawn correction
"""
ALLOWED = {line.split()[0]: set(line.split()[1:]) for line in TABLE.strip().splitlines()}


def past(*phases: str) -> tuple[Past, ...]:
    return tuple(Past(revision=n, phase=phase, issued=n) for n, phase in enumerate(phases, 1))


def facts(yaml: str, phase: str, *, changed: bool = True) -> Facts:
    text = yaml.replace("phase: initial ", f"phase: {phase} ")
    if changed:
        text = text.replace("    title:", '    changed: "New."\n    title:')
    return load_facts(text, where="facts.yaml")


@pytest.mark.parametrize(("before", "phase"), list(product(ALLOWED, [word(p) for p in Phase])))
def test_a_phase_follows_only_where_the_table_says(example_yaml: str, before: str, phase: str) -> None:
    known = past() if before == "first" else past("initial", before)
    found = [point for point in phase_faults(facts(example_yaml, phase), known) if point.path == ("phase",)]
    assert (not found) == (phase in ALLOWED[before])
    for point in found:
        assert f"'{phase}'" in point.message
        assert all(name in point.mend for name in ALLOWED[before])


def test_the_table_knows_every_phase_and_reaches_every_other() -> None:
    assert set(FOLLOWS) == set(Phase)
    reached = set(FIRST)
    for _ in Phase:
        reached |= {after for before in reached for after in FOLLOWS[before]}
    assert reached == set(Phase)
    assert allowed(()) == FIRST


def test_each_language_of_a_later_revision_says_what_changed(example_yaml: str) -> None:
    known = past("initial")
    silent = facts(example_yaml, "update", changed=False)
    found = phase_faults(silent, known)
    assert [point.path for point in found] == [("texts", language) for language in silent.texts]
    assert found[0].message == "Revision 2 does not say in 'en' what changed."
    assert phase_faults(facts(example_yaml, "update"), known) == []
    blank = load_facts(silent.file.replace(b"  en:\n", b'  en:\n    changed: " "\n'), where="facts.yaml")
    assert len(phase_faults(blank, known)) == len(silent.texts)
    assert phase_faults(facts(example_yaml, "initial", changed=False), ()) == []


def test_what_was_published_elsewhere_may_begin_here_in_any_phase(example_yaml: str) -> None:
    origin = (
        "origin: {id: X, category: csaf_vex, version: '2', status: final, first: 2026-01-01T00:00:00Z,"
        " current: 2026-01-02T00:00:00Z, publisher: {name: A, namespace: https://example.com},"
        " history: [{number: '1', date: 2026-01-01T00:00:00Z, summary: First.}]}\n"
    )
    assert phase_faults(facts(example_yaml + origin, "withdrawn"), ()) == []
    assert phase_faults(facts(example_yaml + origin, "initial"), past("initial"))


def test_the_refusal_names_the_line(example_yaml: str) -> None:
    wrong = facts(example_yaml, "update")
    with pytest.raises(InputError) as raised:
        require_phase(wrong, ())
    assert raised.value.code == "PHASE"
    assert raised.value.where == f"facts.yaml:{wrong.line('phase')}"
    require_phase(wrong, past("initial"))


@pytest.mark.parametrize(
    ("phase", "published", "open_", "status"),
    [
        (Phase.RESOLVED, False, None, "draft"),
        (Phase.INITIAL, True, None, "interim"),
        (Phase.UPDATE, True, None, "interim"),
        (Phase.RESOLVED, True, None, "final"),
        (Phase.WITHDRAWN, True, None, "final"),
        (Phase.CORRECTION, True, None, "interim"),
        (Phase.CORRECTION, True, False, "final"),
        (Phase.RESOLVED, True, True, "interim"),
    ],
)
def test_the_status_of_a_document_follows_from_the_phase(
    phase: Phase, published: bool, open_: bool | None, status: str
) -> None:
    assert tracking_status(phase, published, open_=open_) == status
