"""Every valid official case and published advisory: nothing is lost silently, and it comes out valid again."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from advisories.csaf import Imported, csaf_document, read_csaf
from advisories.csaf.losses import Fate, json_path, leaves
from keys.errors import InputError
from tests.advisories.csaf import csaf_case as case

VALID = [*case.cases("valid"), *case.published()]
FAULTY = case.cases("failures")
there = pytest.mark.skipif(not VALID, reason="the official cases are not there")


def taken(name: str, data: bytes | None = None) -> Imported:
    return read_csaf(data or case.read(name), where=Path(name).name, advisory="X-1")


def again(found: Imported, **more: Any) -> dict[str, Any]:
    """The document that the facts make, as they were taken over."""
    story = case.story(found.facts, organisation=case.Organisation())
    return csaf_document(story, found.facts.source_language, published=False, **more)


@there
def test_the_index_names_every_case() -> None:
    assert (len(case.cases("valid")), len(FAULTY), len(case.published())) == (94, 145, 5)


@pytest.mark.parametrize("name", VALID, ids=lambda name: Path(name).stem)
def test_every_value_is_accounted_for_and_what_is_carried_comes_back(name: str) -> None:
    source, found = json.loads(case.read(name)), taken(name)
    assert set(found.fates) == {path for path, _ in leaves(source)}
    assert found.carried + found.derived + len(found.losses) == len(found.fates)
    lost = {json_path(path) for path, fate in found.fates.items() if fate is Fate.LOST}
    assert {loss.path for loss in found.losses} == lost
    assert all(loss.why for loss in found.losses)

    made = again(found)
    carried = {path: fate for path, fate in found.fates.items() if fate is Fate.CARRIED}
    kept = {
        (tuple("*" if isinstance(step, int) else step for step in path), case.normal(value))
        for path, value in leaves(source)
        if path in carried
    }
    assert kept <= case.said(made)
    added = {place[-1] for place, _ in case.said(made) - case.said(source)}
    assert added <= {"category", "name"}  # the default of a reference, written out; who generated it
    assert case.statuses(made) == case.statuses(source)
    assert case.faults(made) == []


@pytest.mark.parametrize("name", VALID, ids=lambda name: Path(name).stem)
def test_taken_over_into_our_own_name_it_is_valid_and_says_the_same_of_products(name: str) -> None:
    found = taken(name)
    made = csaf_document(case.story(found.facts), found.facts.source_language, published=False)
    assert case.faults(made) == []
    assert case.statuses(made) == case.statuses(json.loads(case.read(name)))
    if found.facts.origin and found.facts.origin.publisher.namespace != case.PUBLISHER["namespace"]:
        assert made["document"]["tracking"]["id"] == "X-1"
        assert made["document"]["publisher"] == case.PUBLISHER


@there
def test_the_second_validator_agrees_with_what_it_said_of_the_source(tmp_path: Path) -> None:
    sources = {name: json.loads(case.read(name)) for name in VALID}
    made = {f"made {name}": again(taken(name)) for name in VALID}
    ours = {
        f"ours {name}": csaf_document(case.story(taken(name).facts), taken(name).facts.source_language)
        for name in case.published()
    }
    opinions = case.second_opinions(tmp_path, sources | made | ours)
    assert {name: opinions[f"made {name}"] for name in VALID} == {name: opinions[name] for name in VALID}
    assert sum(bool(opinions[name]) for name in VALID) == 3  # of these it is known to be wrong
    assert [name for name in ours if opinions[name]] == []


@pytest.mark.parametrize("name", FAULTY, ids=lambda name: Path(name).stem)
def test_a_faulty_document_is_taken_over_or_refused_in_words(name: str) -> None:
    found = None
    with contextlib.suppress(InputError):
        found = taken(name)
    if found is not None:
        assert found.carried + found.derived + len(found.losses) == len(found.fates)
        again(found)
