"""How Home Assistant finds a device, byte for byte, and which presses count."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.states import PATCH_ENDED, NoticeState, PatchState
from device_sim.homeassistant.discovery import (
    PRESS_BYTES_MAX,
    Press,
    Topics,
    all_topics,
    config,
    counts,
    read_press,
    states,
    uid,
)
from tests.device_sim.homeassistant.views import ASKED, FLEET, QUESTION, QUIET, asking, patch, view
from tests.helpers import DEVICE

TOPICS = Topics(uid(DEVICE))
HEX = QUESTION.hex()
P = PatchState
ADDRESSED = replace(ASKED, notices=(view(words={"contact": "https://example.com"}),))


def parts(status: Any, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(config(status, TOPICS, **options))["components"]
    return found


def test_the_name_in_the_home_is_always_the_same_and_not_that_of_the_fleet() -> None:
    assert uid(DEVICE) == "tocsin_a9c7cfe3091d9a5c"
    assert TOPICS.config == "homeassistant/device/tocsin_a9c7cfe3091d9a5c/config"
    assert Topics("x", "home/ha").birth == "home/ha/status"


@pytest.mark.parametrize("device", ["a.b", "a", "A" * 64, "ä/#+ "])
def test_a_name_is_safe_in_a_topic_whatever_the_device_is_called(device: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", uid(device))  # Home Assistant's TOPIC_MATCHER


@pytest.mark.parametrize(("name", "status"), [("quiet", QUIET), ("asked", ASKED)])
def test_the_messages_are_locked(name: str, status: Any) -> None:
    said = {**states(status, TOPICS), TOPICS.config: config(status, TOPICS)}
    assert {*said, TOPICS.leaf("online")} == set(all_topics(TOPICS))
    lines = b"".join(f"{topic} ".encode() + said[topic] + b"\n" for topic in sorted(said))
    assert lines == Path(__file__).with_name(f"{name}.txt").read_bytes()


def test_a_question_makes_the_buttons_that_answer_it() -> None:
    found = parts(ASKED)
    assert found["update"]["payload_install"] == f"install {HEX}"
    assert found["later"]["payload_press"] == f"later {HEX}"
    assert found["no"]["payload_press"] == f"no {HEX}"
    assert found["acknowledge"]["payload_press"] == f"acknowledge {'01' * 32}"
    commands = {part.get("command_topic") for part in found.values()}
    assert commands == {TOPICS.leaf("press"), None}


def test_without_a_question_there_is_nothing_to_press() -> None:
    found = parts(QUIET)
    assert not {"command_topic", "payload_install"} & found["update"].keys()
    assert {found[key]["payload_press"] for key in ("later", "no", "acknowledge")} == {"nothing"}
    said = states(QUIET, TOPICS)
    assert {said[TOPICS.leaf(key)] for key in ("later", "no", "acknowledge")} == {b"offline"}


def test_what_cannot_be_put_off_any_more_has_no_later() -> None:
    last = replace(ASKED, question=asking(final=True))
    assert parts(last)["later"]["payload_press"] == "nothing"
    assert states(last, TOPICS)[TOPICS.leaf("later")] == b"offline"
    assert parts(last)["no"]["payload_press"] == f"no {HEX}"
    assert not counts(last, Press("later", QUESTION))


def test_a_home_that_only_looks_gets_no_button_and_those_of_before_are_taken_away() -> None:
    found = parts(ASKED, buttons=False)
    assert "command_topic" not in found["update"]
    assert [found[key] for key in ("later", "no", "acknowledge")] == [{"platform": "button"}] * 3


def test_where_somebody_else_installs_there_is_no_update() -> None:
    found = parts(replace(ASKED, patches=False, question=None, patch=None))
    assert found["update"] == {"platform": "update"}
    assert found["later"] == found["no"] == {"platform": "button"}
    assert found["acknowledge"]["payload_press"] == f"acknowledge {'01' * 32}"


def test_the_owner_names_the_device() -> None:
    told = json.loads(config(QUIET, TOPICS, name="Hall\n", manufacturer="Example"))["device"]
    assert told == {
        "identifiers": [TOPICS.uid],
        "manufacturer": "Example",
        "model": "thermostat",
        "name": "Hall",
        "sw_version": "1.4.0",
    }
    unknown = json.loads(config(replace(QUIET, installed=None), TOPICS))["device"]
    assert "sw_version" not in unknown


@pytest.mark.parametrize("button", ["install", "later", "no", "acknowledge"])
def test_a_press_counts_for_what_is_shown_and_for_nothing_else(button: Any) -> None:
    shown = b"\1" * 32 if button == "acknowledge" else QUESTION
    assert counts(ASKED, Press(button, shown))
    assert not counts(ASKED, Press(button, shown[:-1] + b"!"))
    assert not counts(QUIET, Press(button, shown))
    assert not counts(
        replace(ASKED, notices=(view(NoticeState.ACKNOWLEDGED),), question=None), Press(button, shown)
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"install",
        b"PRESS",
        b"nothing",
        f"install {HEX} ".encode(),
        f"install {HEX[:-1]}".encode(),
        f"install {HEX}0".encode(),
        f"install {HEX.upper()}".encode(),
        f"install  {HEX}".encode(),
        f"Install {HEX}".encode(),
        f"erase {HEX}".encode(),
        f"install {HEX}\n".encode(),
        b"\xff" * 72,
    ],
)
def test_what_is_not_a_press_is_left_aside(payload: bytes) -> None:
    assert read_press(payload) is None


@given(st.binary(max_size=PRESS_BYTES_MAX + 1))
def test_any_bytes_may_come(payload: bytes) -> None:
    found = read_press(payload)
    assert found is None or f"{found.button} {found.shown.hex()}".encode() == payload


@pytest.mark.parametrize("button", ["install", "later", "no", "acknowledge"])
def test_what_a_button_says_is_read_as_that(button: str) -> None:
    found = read_press(f"{button} {HEX}".encode())
    assert found == Press(button, QUESTION)  # type: ignore[arg-type]


def test_nothing_secret_is_announced() -> None:
    said = b"".join([config(ASKED, TOPICS), *states(ASKED, TOPICS).values()]).decode()
    device = FLEET.device(DEVICE)
    secrets = (DEVICE, FLEET.id.hex(), device.public.thumbprint.hex(), device.to_pem(b"").decode()[30:60])
    assert not [secret for secret in secrets if secret in said]


@given(st.text(max_size=300), st.text(max_size=600), st.text(max_size=200))
def test_hostile_words_stay_words(title: str, action: str, contact: str) -> None:
    words = {"title": title, "action": action, "contact": contact}
    assert "release_url" in parts(ADDRESSED)["update"]
    status = replace(ASKED, notices=(view(words=words),), question=asking(text=action))
    message = config(status, TOPICS, name=title)
    update = json.loads(message)["components"]["update"]
    assert len(update.get("release_summary", "")) <= 255
    assert update.get("release_url", "https://").startswith("https://")
    topics = re.findall(r"tocsin-home/[^\"]*", json.dumps({**parts(status), "update": None}))
    assert set(topics) <= set(
        map(TOPICS.leaf, ("online", "acknowledge", "later", "no", "press", "notice", "event"))
    )
    for payload in states(status, TOPICS).values():
        assert len(payload) < 8_192
        assert payload in {b"online", b"offline"} or json.loads(payload)


@pytest.mark.parametrize("state", list(PatchState))
def test_every_state_of_a_patch_can_be_announced(state: PatchState) -> None:
    said = json.loads(states(replace(QUIET, patch=patch(state)), TOPICS)[TOPICS.leaf("update")])
    newer = state not in PATCH_ENDED or state in {P.DECLINED, P.FAILED, P.ROLLED_BACK, P.TIMED_OUT}
    assert said["latest_version"] == ("1.4.2" if newer else "1.4.0")
