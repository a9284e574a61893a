"""Who may read and write what at a broker, as a table; and what each broker is told of it, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.topics import Topics
from gateway.core import acl
from gateway.core.acl import GATEWAY, Access, may

GOLDEN = Path(__file__).parent / "golden"
ARN = "arn:aws:iot:eu-central-1:111122223333"
T = Topics()
LEAVES = ("offer", "answer", "block", "report", "want", "online")
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
LEVELS = st.lists(
    st.sampled_from(["device", "root", "d-1", "offer", "report", "notice", "x", ""]), max_size=6
)
PUBLIC = (
    T.root(2),
    T.timestamp("p"),
    T.catalogue("p"),
    T.notice("p", "a"),
    T.text("p", "en", "a"),
    T.pages("p", "ja", "a"),
    T.patch("p", 1),
)


@pytest.mark.parametrize("topic", PUBLIC)
def test_what_is_public_is_read_by_all_and_written_by_gateways(topic: str) -> None:
    assert may("d-1", Access.READ, topic, T.prefix)
    assert not may("d-1", Access.WRITE, topic, T.prefix)
    assert may(GATEWAY, Access.READ, topic, T.prefix)
    assert may(GATEWAY, Access.WRITE, topic, T.prefix)


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_device_reads_what_is_for_it_and_writes_what_it_says(leaf: str) -> None:
    said = leaf in {"report", "want", "online"}
    assert may("d-1", Access.READ, T.device("d-1", leaf), T.prefix) is not said
    assert may("d-1", Access.WRITE, T.device("d-1", leaf), T.prefix) is said
    for access in Access:
        assert not may("d-1", access, T.device("d-2", leaf), T.prefix)
        assert not may("d-1", access, f"{T.device('d-1', leaf)}/below", T.prefix)
        assert may(GATEWAY, access, T.device("d-1", leaf), T.prefix)


def test_every_filter_of_a_device_is_one_that_it_may_read() -> None:
    for name in T.device_filters("p", "en", "d-1"):
        assert may("d-1", Access.READ, name.replace("+", "x"), T.prefix)


@given(mine=IDS, other=IDS, leaf=st.sampled_from(LEAVES), access=st.sampled_from(list(Access)))
def test_no_id_opens_anothers_topics(mine: str, other: str, leaf: str, access: Access) -> None:
    if mine != other:
        assert not may(mine, access, T.device(other, leaf), T.prefix)


@given(levels=LEVELS, access=st.sampled_from(list(Access)))
def test_nothing_outside_the_prefix_is_anybodys(levels: list[str], access: Access) -> None:
    topic = "/".join(["other", *levels])
    assert not may("d-1", access, topic, T.prefix)
    assert not may(GATEWAY, access, topic, T.prefix)


def test_mosquitto_emqx_and_aws_are_told_the_same_byte_for_byte() -> None:
    made = {
        "devices.acl": acl.mosquitto(T.prefix),
        "gateways.acl": acl.mosquitto(T.prefix, devices=False),
        "acl.conf": acl.emqx(T.prefix),
        **{f"{name}.json": text for name, text in acl.aws_iot(T.prefix, ARN).items()},
    }
    assert {path.name for path in GOLDEN.iterdir()} == made.keys()
    for name, text in made.items():
        assert text == (GOLDEN / name).read_text(encoding="utf-8"), name


def test_policies_have_room_at_aws_and_give_no_device_more_than_the_table() -> None:
    longest = "/".join(["p" * 20] * 3)
    arn = "arn:aws-us-gov:iot:us-gov-west-1:111122223333"
    policies = acl.aws_iot(longest, arn)
    for name, text in policies.items():
        assert len("".join(text.split())) <= acl.AWS_POLICY_CHARACTERS_MAX, name
        for row in json.loads(text)["Statement"]:
            assert row["Effect"] == "Allow"
            assert all(each.startswith(f"{arn}:") for each in row["Resource"])
            if name != "gateway":
                assert not any(each.endswith((":topic/*", ":topicfilter/*")) for each in row["Resource"])
                assert "iot:RetainPublish" not in row["Action"]
