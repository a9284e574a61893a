"""Documents with faults of every kind, made from the official ones: an account, or one sentence, and no more."""

import copy
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.csaf import Imported, csaf_document, encode, read_csaf
from advisories.csaf.losses import leaves
from advisories.facts import load_facts
from keys.errors import InputError
from tests.advisories.csaf import csaf_case as case

pytestmark = pytest.mark.skipif(not case.cases("valid"), reason="the official cases are not there")

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "\x00\x1b[31m",
            "\ud800",
            "\u2028\x85\ufeff",
            "CVSS:3.1/AV:N",
            "0001-01-01T00:00:00Z",
            "2026-11-22T00:00:00",
            "2026-11-22T00:00:60Z",
            "a" * 40_000,
            [],
            {},
            [[]],
            [{}],
            {"": 1},
            {"\ud800": "x"},
            {"\n": {"x y": []}},
        ]
    ),
)


@cache
def documents() -> list[Any]:
    return [json.loads(case.read(name)) for name in (*case.cases("valid")[::6], *case.published())]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place below the root of a document."""
    steps = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    found = []
    for step, item in steps:
        found.append((*path, step))
        found += places(item, (*path, step))
    return found


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """An official document in which some places hold something else, or nothing, or more."""
    document = copy.deepcopy(draw(st.sampled_from(documents())))
    for _ in range(draw(st.integers(1, 4))):
        left = places(document)
        if not left:  # everything was taken out already
            break
        path = draw(st.sampled_from(left))
        holder = document
        for step in path[:-1]:
            holder = holder[step]
        match draw(st.sampled_from(["put", "put", "delete", "repeat", "add"])):
            case "put":
                holder[path[-1]] = draw(JUNK)
            case "delete":
                del holder[path[-1]]
            case "repeat" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[path[-1]]))
            case _ if isinstance(holder, dict):
                holder[draw(st.text(max_size=300))] = draw(JUNK)
    return document


def taken(data: bytes) -> Imported | InputError:
    try:
        return read_csaf(data, where="f.json", advisory="X-1")
    except InputError as error:
        return error


@settings(max_examples=120, deadline=None)
@given(spoilt())
def test_a_spoilt_document_is_accounted_for_or_refused_in_one_sentence(document: Any) -> None:
    data = json.dumps(document).encode()
    found = taken(data)
    if isinstance(found, InputError):
        assert str(found).isprintable()
        return
    assert set(found.fates) == {path for path, _ in leaves(json.loads(data))}
    assert found.carried + found.derived + len(found.losses) == len(found.fates)
    for loss in found.losses:
        assert (loss.path + loss.what + loss.why).isprintable(), loss
    again = load_facts(found.data, where="f.yaml")
    assert again.model_dump() == found.facts.model_dump()
    for organisation in (case.ORGANISATION, case.Organisation()):
        story = case.story(again, organisation=organisation)
        encode(csaf_document(story, again.source_language, published=False))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_cut_or_scribbled_file_is_refused_in_one_sentence(data: st.DataObject) -> None:
    raw = bytearray(case.read(case.published()[0]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    found = taken(bytes(raw))
    assert not isinstance(found, InputError) or str(found).isprintable()
