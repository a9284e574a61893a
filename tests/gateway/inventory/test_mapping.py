"""Lists that others made: hawkBit's and AWS IoT's shapes, and where our facts stand in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.identity.device_list import rows_of
from gateway.operations.inventory.mapping import Source, Ways, read_paths, read_products, translated
from keys.errors import InputError

TARGETS = {  # GET /rest/v1/targets of hawkBit, with what a script added of attributes, metadata, installedDS
    "content": [
        {
            "createdBy": "admin",
            "createdAt": 1_700_000_000_000,
            "lastModifiedBy": "admin",
            "name": "hallway",
            "controllerId": "SN/0001",
            "updateStatus": "in_sync",
            "lastControllerRequestAt": 1_700_000_100_000,
            "installedAt": 1_700_000_050_000,
            "ipAddress": "192.0.2.1",
            "address": "http://192.0.2.1",
            "securityToken": "not read",
            "requestAttributes": False,
            "targetType": 2,
            "targetTypeName": "Thermostat",
            "autoConfirmActive": False,
            "attributes": {"country": "DE", "fw.version": "1.4.1", "hw": 2},
            "metadata": {"content": [{"key": "site", "value": "north"}]},
            "installedDistributionSet": {"id": 3, "name": "os", "version": "1.4.1", "type": "os"},
            "_links": {"self": {"href": "https://hawkbit.example.com/rest/v1/targets/SN%2F0001"}},
        }
    ],
    "total": 1,
    "size": 1,
}
THINGS = {  # aws iot list-things
    "things": [
        {
            "thingName": "unit-7",
            "thingTypeName": "Thermostat",
            "thingArn": "arn:aws:iot:eu-central-1:111122223333:thing/unit-7",
            "attributes": {"country": "FR", "version": "v1.3.0"},
            "version": 4,
        }
    ],
    "nextToken": "x",
}
INDEX = {  # aws iot search-index
    "nextToken": "x",
    "things": [
        {
            "thingName": "unit-8",
            "thingId": "0c8a3a8e",
            "thingTypeName": "Thermostat",
            "thingGroupNames": ["north"],
            "attributes": {"country": "US"},
            "shadow": json.dumps({"reported": {"version": "2.0.0", "fw": {"slot": 1}}, "hasDelta": False}),
            "connectivity": {"connected": True, "timestamp": 1_700_000_000_000},
        }
    ],
}


def read(
    data: object, ways: Ways | None = None, name: str = "list.json"
) -> list[tuple[Source, Mapping[str, Any]]]:
    ways = ways or Ways()
    plain, rows = rows_of(json.dumps(data).encode(), name, loose=ways.loose)
    return [(source, dict(row)) for source, (_, row) in translated(rows, ways, Source(plain))]


def test_hawkbits_targets_are_known_by_their_shape() -> None:
    paths = read_paths(
        ["region=attributes.country", "label.site=metadata.content.site", "label.hw=attributes.hw"]
    )
    assert read(TARGETS, Ways(paths=paths, products={"Thermostat": "thermostat"})) == [
        (
            Source.HAWKBIT,
            {
                "external": "SN/0001",
                "product": "thermostat",
                "version": "1.4.1",
                "region": "DE",
                "label.site": "north",
                "label.hw": "2",
            },
        )
    ]
    dotted = read(TARGETS, Ways(paths=read_paths(["version=attributes.fw.version"])))
    assert dotted[0][1]["version"] == "1.4.1"


def test_things_of_aws_are_known_by_their_shape() -> None:
    ways = Ways(paths={"region": "attributes.country"}, product="thermostat", account="acme")
    wanted = {"product": "Thermostat", "account": "acme"}
    assert read(THINGS, ways) == [
        (Source.AWS_IOT, {**wanted, "external": "unit-7", "version": "v1.3.0", "region": "FR"})
    ]
    assert read(INDEX, ways) == [
        (Source.AWS_IOT, {**wanted, "external": "unit-8", "version": "2.0.0", "region": "US"})
    ]
    slot = Ways(paths={"label.slot": "shadow.reported.fw.slot", "label.up": "connectivity.connected"})
    assert read(INDEX, slot)[0][1]["label.up"] == "true"
    assert read(INDEX, slot)[0][1]["label.slot"] == "1"
    assert read(THINGS["things"]) == read(THINGS), "a list without what is around it"


def test_rows_of_our_own_are_left_as_they_are_and_filled_up() -> None:
    row = {"id": "a", "product": "p", "label.site": "south"}
    ways = Ways(product="other", labels={"site": "north", "ring": "beta"})
    assert read([row], ways) == [(Source.JSON, {**row, "label.ring": "beta"})]
    mapped = Ways(paths={"id": "serial", "version": "fw"}, product="p")
    assert read([{"serial": "a", "fw": "1.0.0", "note": "x"}], mapped) == [
        (Source.JSON, {"id": "a", "version": "1.0.0", "product": "p"})
    ]


@pytest.mark.parametrize("words", [["region"], ["region="], ["colour=x"], ["label.=x"], ["id=a", "id=b"]])
def test_what_is_no_mapping_is_refused(words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_paths(words)
    assert caught.value.code == "BAD_MAPPING"


def test_products_are_one_for_all_or_other_names() -> None:
    assert read_products(["thermostat", "T-2000=thermostat", "a=b=bell"]) == (
        "thermostat",
        {"T-2000": "thermostat", "a=b": "bell"},
    )
    with pytest.raises(InputError, match="Two products"):
        read_products(["a", "b"])


BROKEN = {
    "no list in it": ({"total": 0}, 1),
    "a list of words": ({"content": ["a"]}, 1),
    "an empty object": ({}, 1),
    "a list of lists": ([[1]], 1),
}


@pytest.mark.parametrize(("data", "line"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_export_is_refused_with_its_place(data: object, line: int) -> None:
    with pytest.raises(InputError) as caught:
        read(data)
    assert (caught.value.code, caught.value.where) == ("BAD_LIST", f"list.json:{line}")


def test_lines_are_those_of_the_file() -> None:
    text = json.dumps({"size": 2, "content": [{"controllerId": "a"}, {"controllerId": "b"}]}, indent=1)
    _, rows = rows_of(text.encode(), "list.json")
    assert [text.splitlines()[line - 1].strip() for line, _ in rows] == ["{", "{"]
    assert [line for line, _ in rows_of(text.encode(), "list.json")[1]] == [4, 7]


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["thingName", "shadow", "a.b", "a", "product"]), _ANY), max_size=3
    )
)
def test_any_json_is_read_or_refused(rows: list[dict[str, Any]]) -> None:
    for _, row in read(rows, Ways(paths={"version": "a.b.c", "region": "shadow.reported.x"}, product="p")):
        assert all(isinstance(value, str) for name, value in row.items() if name != "product")
