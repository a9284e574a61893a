"""What is written is read back as it was, and anything else is refused with its place."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from advisories import approval
from advisories.clocks.regimes import Matter
from advisories.events import Event
from advisories.facts.matter import Audience, Contact, ContactKind
from advisories.incident import kinds
from advisories.learning import calls, replies
from advisories.learning.review import Action, Lessons
from gateway.core.rollout.outcome import Failure
from gateway.core.rollout.plan import Group, Plan, Rate, Retry, Window
from gateway.operations.afar import GIVEN, Operation
from gateway.web.api.binding import Where, answered, ask, bind, understand
from gateway.web.api.codec import DEFINITIONS, shape_of
from gateway.web.api.plain import text
from gateway.web.api.routes import operations
from gateway.web.api.strict import BadValueError, dumps, loads
from keys.algorithms import PublicKey
from keys.signer import from_seed

KEY = from_seed(bytes(32)).public
ALL = sorted(operations().values(), key=lambda row: row.name)
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)


class Colour(IntEnum):
    RED = 1
    DARK_BLUE = 2


class Model(BaseModel):
    name: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Leaf:
    data: bytes
    colour: Colour
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """A record of every kind of value."""

    leaf: Leaf
    pair: tuple[int, str]
    leaves: tuple[Leaf, ...]
    names: frozenset[str]
    counts: dict[str, int]
    by_colour: Mapping[Colour, float]
    by_number: dict[int, bool]
    kind: Literal["a", "b", 3]
    key: PublicKey
    model: Model
    any: Any
    when: datetime
    day: date
    said: Event
    mixed: int | str | None
    trees: list[Tree] = field(default_factory=list)
    odd: Annotated[int, "note"] = 1


def values_of(kind: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of any type that a record in use has."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    if origin is Annotated:
        return values_of(inner[0], depth)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple and inner[1:] != (Ellipsis,):
        return st.tuples(*(values_of(each, depth + 1) for each in inner))
    made = {list: list, tuple: tuple, Sequence: tuple, Iterable: tuple, frozenset: frozenset, set: frozenset}
    if origin in made and depth > 4:
        return st.just(made[origin]())
    if origin in made:
        return st.lists(values_of(inner[0], depth + 1), max_size=2).map(made[origin])
    if origin in {dict, Mapping}:
        return st.dictionaries(values_of(inner[0]), values_of(inner[1], depth + 1), max_size=2)
    if inner:
        return st.one_of(*(values_of(each, depth + 1) for each in inner))
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if issubclass(kind, BaseModel):
        return st.sampled_from([said for said in SAID if isinstance(said, kind)])
    hints = typing.get_type_hints(kind, include_extras=True)
    names = [each.name for each in dataclasses.fields(kind)]
    return st.builds(kind, **{name: values_of(hints[name], depth + 1) for name in names})


WHEN = datetime(2026, 11, 20, 9, 0, 1, 250_000, tzinfo=UTC)
_CONTENT: dict[str, Any] = {
    **dict.fromkeys(("digest", "content"), "ab" * 32),
    "revision": 1,
    "roles": ("legal",),
}
SAID: tuple[BaseModel, ...] = (
    kinds.Opened(when=WHEN, matter=Matter.INCIDENT, title="Öl", regimes=("eu-gdpr-33",)),
    kinds.Noted(when=WHEN, text="two\u00a0words"),
    kinds.Told(when=WHEN, audience=Audience.CUSTOMERS, name="Example GmbH"),
    kinds.DraftSigned(when=WHEN, regime="eu-gdpr-33", step="x", digest="ab" * 32, holder="exercise-legal"),
    approval.Given(**_CONTENT, kid="ab" * 8, condition="The letter first."),
    approval.Rejected(**_CONTENT, comment="No."),
    replies.Received(channel=replies.Channel.MAIL, topic=replies.Topic.WHAT_TO_DO, text="Is it?", at=WHEN),
    replies.Triaged(reply=7, decision=replies.Decision.RESPOND, reason="Asks.", answer="Yes."),
    calls.Made(customer="C-1", outcome=calls.Outcome.CALL_AGAIN),
    Lessons(
        **dict.fromkeys(("happened", "right", "improve", "next_time"), "x"),
        actions=(Action(what="x", owner="y", due=date(2026, 12, 31)),),
    ),
    Contact(kind=ContactKind.MAIL, value="psirt@example.com"),
)
"""What people say, of the kinds that operations take and give."""
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    type(None): st.none(),
    bool: st.booleans(),
    int: st.integers(-(2**63) + 1, 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: TEXTS,
    bytes: st.binary(max_size=20),
    datetime: st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    date: st.dates(),
    Any: st.recursive(
        st.none() | st.booleans() | TEXTS | st.integers(-9, 9), lambda each: st.lists(each, max_size=2)
    ),
    PublicKey: st.just(KEY),
    Plan: st.builds(  # one that can be carried out
        Plan,
        groups=st.sampled_from(
            [
                (Group(percent=10), Group(percent=90)),
                (Group(count=3), Group(where=["=", "region", "de"]), Group(opens=60)),
            ]
        ),
        deadline=st.integers(1, 2**40),
        retry=st.just((Retry(failure=next(iter(Failure)), times=2),)),
        rate=st.none() | st.just(Rate(per_minute=5)),
        windows=st.just((Window(start=60, minutes=5, days=(0, 6)),)),
        ask=st.booleans(),
    ),
    Model: st.builds(Model, name=TEXTS, count=st.integers(-9, 9)),
}


def holds(schema: dict[str, Any], value: Any) -> None:
    components = {"components": {"schemas": DEFINITIONS}}
    jsonschema.Draft202012Validator({**schema, **components}).validate(value)


@given(values_of(Tree))
def test_a_record_of_every_kind_comes_back_and_fits_its_schema(tree: Tree) -> None:
    shape = shape_of(Tree)
    sent = json.loads(dumps(shape.encode(tree)))
    assert shape.decode(loads(dumps(sent)), "") == tree
    holds(shape.schema, sent)


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
@settings(max_examples=4, phases=[Phase.generate])  # of large records: shrinking one takes minutes
@given(data=st.data())
def test_what_an_operation_is_asked_and_answers_comes_through_as_it_was(row: Operation, data: Any) -> None:
    binding = bind(row)
    hints = typing.get_type_hints(row.function, include_extras=True)
    said = {}
    for argument in binding.arguments:
        value = data.draw(values_of(hints[argument.name]), argument.name)
        if argument.where is Where.PATH:
            value = value if value != "" else "x"
        if argument.where is Where.HEADER:
            value = "3f9a"
        said[argument.name] = data.draw(st.integers(1, 1_000)) if argument.name == "limit" else value
    request = ask(row, said)
    path = {name: said[name] for name in (each.name for each in binding.at(Where.PATH))}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in path.items()}
    tag = request.headers.get("If-Match", "").strip('"')
    read = understand(binding, texts, request.query, tag, request.body or b"")
    for name, value in said.items():
        if name not in read:  # what is None, or an empty list in a query, is not said at all
            assert value is None or list(value) == [], name
        else:
            assert read[name] == value, name


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
@settings(max_examples=4, phases=[Phase.generate])  # of large records: shrinking one takes minutes
@given(data=st.data())
def test_what_an_operation_returns_comes_back_as_it_was(row: Operation, data: Any) -> None:
    binding = bind(row)
    found = data.draw(values_of(binding.result))
    body = found if binding.result is bytes else dumps(shape_of(binding.result).encode(found))
    assert answered(row, body) == found


def test_nobody_sends_what_the_server_gives() -> None:
    for row in ALL:
        assert not {argument.name for argument in bind(row).arguments} & set(GIVEN), row.name


LEAF = {"data": "AAE", "colour": "dark_blue"}
BAD = (
    (Leaf, {**LEAF, "colour": "DARK_BLUE"}, "colour"),
    (Leaf, {**LEAF, "colour": 2}, "colour"),
    (Leaf, {**LEAF, "more": 1}, "more"),
    (Leaf, {"data": "AAE"}, "colour"),
    (Leaf, {**LEAF, "data": "AAE="}, "data"),
    (Leaf, {**LEAF, "data": "AAF"}, "data"),  # the same bytes in another spelling
    (Leaf, {**LEAF, "data": "AA+/"}, "data"),
    (Leaf, {**LEAF, "data": "AAé"}, "data"),
    (Leaf, {**LEAF, "data": 1}, "data"),
    (Leaf, {**LEAF, "note": "\0"}, "note"),
    (Leaf, {**LEAF, "note": "\ud800"}, "note"),
    (Leaf, [], ""),
    (tuple[Leaf, ...], [LEAF, 1], "[1]"),
    (tuple[int, str], [1], ""),
    (dict[int, bool], {"01": True}, ""),
    (dict[int, bool], {"1": 1}, ".1"),
    (dict[Colour, float], {"green": 1}, ""),
    (Literal["a", 3], True, ""),
    (int, True, ""),
    (int, 1.5, ""),
    (int, 2**63, ""),
    (int, 1e300, ""),
    (float, "1", ""),
    (float, 10**400, ""),
    (bool, 1, ""),
    (str, None, ""),
    (int | None, "x", ""),
    (PublicKey, "AAE", ""),
    (Model, {"name": 1}, "name"),
    (Any, {"a": ["\0"]}, ".a[0]"),
)


@pytest.mark.parametrize(("kind", "value", "place"), BAD)
def test_a_value_of_another_kind_is_refused_with_its_place(kind: Any, value: Any, place: str) -> None:
    with pytest.raises(BadValueError) as caught:
        shape_of(kind).decode(value, "")
    assert caught.value.place == place


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'{"a":1,"a":1}',
        b"[NaN]",
        b"[-Infinity]",
        b"9" * 5_000,
        b"[" * 33 + b"]" * 33,
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        "{}".encode("utf-16"),
    ],
)
def test_json_that_is_none_or_means_two_things_is_refused(data: bytes) -> None:
    with pytest.raises(BadValueError):
        loads(data)
    assert loads(b"[" * 31 + b"]" * 31)


@pytest.mark.parametrize("kind", [Path, typing.IO, dict[Leaf, int], list[Path], object()])
def test_what_has_no_business_in_a_request_has_no_shape(kind: Any) -> None:
    with pytest.raises(TypeError):
        shape_of(kind)


def test_a_whole_number_may_be_written_as_json_likes() -> None:
    assert shape_of(int).decode(loads(b"1.0"), "") == 1
    assert text("ok", "") == "ok"
