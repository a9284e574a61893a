"""The bridge on a real broker of a home: what appears there, what comes back, and what a press does."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from advisories.states import PatchState
from device_sim.core.profile import Window
from device_sim.homeassistant import bridge as room
from device_sim.homeassistant.discovery import all_topics, read_press
from tests.device_sim.conftest import MOSQUITTO, RunningBroker
from tests.device_sim.homeassistant.house import House, Listener
from tests.device_sim.test_link_mosquitto import mosquitto

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
MakeHouse = Callable[..., Awaitable[House]]


def state(here: House) -> PatchState | None:
    agent = here.shell.agent
    assert agent is not None
    return agent.patches[-1].state if agent.patches else None


async def asked(here: House, listener: Listener) -> str:
    """Roll a patch out and return what agrees to it."""
    here.tell()
    here.offer()
    await listener.until(lambda: "payload_install" in listener.part("update"))
    return str(listener.part("update")["payload_install"])


async def heard(here: House, told: int, listener: Listener) -> None:
    """Wait until the bridge has said something about a press."""
    async with asyncio.timeout(10):
        while len(here.told) <= told:
            await listener.settled()


async def test_a_device_appears_and_goes_offline_with_its_connection(
    house: MakeHouse, listener: Listener
) -> None:
    here = await house()
    bridge = here.bridge(name="Hall")
    await listener.until(lambda: listener.leaf("online") == b"online")
    config = listener.leaf("config")
    assert config["device"]["name"] == "Hall"
    assert listener.leaf("update")["installed_version"] == config["device"]["sw_version"] == "1.4.0"
    bridge.link.drop(60)
    await listener.until(lambda: listener.leaf("online") == b"offline")


async def test_a_stopped_device_says_so_and_what_it_said_is_kept(
    house: MakeHouse, listener: Listener, home_broker: RunningBroker
) -> None:
    here = await house()
    bridge = here.bridge()
    await listener.until(lambda: listener.leaf("online") == b"online")
    await bridge.stop()
    late = Listener(home_broker.url, "late")
    await late.open()
    await late.until(lambda: late.leaf("online") == b"offline")
    await late.until(lambda: set(late.last) == set(all_topics(bridge.topics)))
    await late.link.close()


async def test_a_broker_that_is_away_at_the_start_is_told_and_found_later(
    house: MakeHouse, home_broker: RunningBroker
) -> None:
    here = await house()
    home_broker.stop()
    here.bridge()
    here.tell()
    here.offer()  # the device goes on by itself
    async with asyncio.timeout(20):
        while state(here) is not PatchState.WAITING_FOR_CONFIRMATION or not here.told:
            await here.workshop.link.publish_acked("mark", b"")
    assert "cannot be reached" in here.told[0]
    assert "keeps trying" in here.told[0]
    home_broker.start()
    listener = Listener(home_broker.url)
    await listener.open()
    await listener.until(lambda: listener.leaf("online") == b"online")
    await listener.until(lambda: "payload_install" in listener.part("update"))
    assert listener.leaf("notice")["state"] == "high"
    await listener.link.close()


async def test_a_broker_that_forgot_everything_is_told_everything_again(
    house: MakeHouse, listener: Listener, home_broker: RunningBroker
) -> None:
    here = await house()
    bridge = here.bridge()
    await listener.until(lambda: listener.leaf("online") == b"online")
    home_broker.stop()
    listener.last.clear()
    home_broker.start()
    await listener.until(lambda: set(all_topics(bridge.topics)) <= set(listener.last))
    await listener.until(lambda: listener.leaf("online") == b"online")


async def test_home_assistant_may_ask_for_everything_but_not_all_the_time(
    house: MakeHouse, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await house()
    here.bridge()
    await listener.until(lambda: listener.leaf("online") == b"online")
    for _ in range(5):
        await listener.link.publish_acked("homeassistant/status", b"online")
    await listener.until(lambda: [leaf for leaf, _ in listener.history].count("config") == 2)
    monkeypatch.setattr(room, "BIRTHS_S", 0.0)
    await listener.link.publish_acked("homeassistant/status", b"offline")
    await listener.link.publish_acked("homeassistant/status", b"online")
    await listener.until(lambda: [leaf for leaf, _ in listener.history].count("config") == 3)
    await listener.settled()
    assert [leaf for leaf, _ in listener.history].count("config") == 3


async def test_install_means_yes_and_the_home_sees_how_it_goes(house: MakeHouse, listener: Listener) -> None:
    here = await house()
    here.bridge()
    yes = await asked(here, listener)
    assert listener.leaf("update")["latest_version"] == "1.4.2"
    assert listener.leaf("later") == listener.leaf("no") == b"online"
    await listener.press(yes)
    await listener.until(lambda: "patch_installed" in listener.types())
    await listener.until(lambda: listener.leaf("update")["installed_version"] == "1.4.2")
    steps = [json.loads(data) for leaf, data in listener.history if leaf == "update"]
    assert any(step["in_progress"] and step["update_percentage"] is not None for step in steps)
    percents = [step["update_percentage"] for step in steps if step["update_percentage"] is not None]
    assert percents == sorted(percents)
    assert steps[-1]["in_progress"] is False
    await listener.until(lambda: "payload_install" not in listener.part("update"))
    await listener.until(lambda: listener.leaf("notice")["state"] == "clear")
    await listener.until(lambda: "notice_ended" in listener.types())


async def test_a_press_counts_for_the_question_that_it_belonged_to(
    house: MakeHouse, listener: Listener
) -> None:
    here = await house()
    here.bridge()
    old = await asked(here, listener)
    here.tell("en", "de", revision=2, severity=4)  # another notice stands behind the same patch now
    await listener.until(lambda: listener.part("update").get("payload_install") not in {None, old})
    await listener.settled()
    told = len(here.told)
    await listener.press(old)
    await heard(here, told, listener)
    assert "no longer shown" in here.told[-1]
    assert state(here) is PatchState.WAITING_FOR_CONFIRMATION
    await listener.press(listener.part("update")["payload_install"])
    await listener.until(lambda: "patch_installed" in listener.types())


async def test_later_and_no_are_answers_too(house: MakeHouse, listener: Listener) -> None:
    here = await house(defer_max=1, defer_seconds=1)
    here.bridge()
    await asked(here, listener)
    await listener.press(listener.part("later")["payload_press"])
    await listener.until(lambda: listener.types().count("patch_asked") == 2)
    assert listener.events[-1]["final"] is True
    await listener.until(lambda: listener.leaf("later") == b"offline")
    assert listener.part("later")["payload_press"] == "nothing"
    await listener.press(listener.part("no")["payload_press"])
    await listener.until(lambda: "patch_declined" in listener.types())
    assert listener.leaf("update")["latest_version"] == "1.4.2"
    assert state(here) is PatchState.DECLINED


async def test_a_notice_is_acknowledged_from_the_home(house: MakeHouse, listener: Listener) -> None:
    here = await house()
    here.bridge()
    here.tell()
    await listener.until(lambda: listener.leaf("acknowledge") == b"online")
    await listener.until(lambda: listener.part("acknowledge")["payload_press"] != "nothing")
    await listener.press(listener.part("acknowledge")["payload_press"])
    await listener.until(lambda: listener.leaf("notice").get("acknowledged"))
    await listener.until(lambda: "notice_acknowledged" in listener.types())
    assert listener.leaf("acknowledge") == b"offline"


async def test_a_home_that_only_looks_cannot_press_anything(house: MakeHouse, listener: Listener) -> None:
    here = await house()
    bridge = here.bridge(buttons=False)
    here.tell()
    here.offer()
    await listener.until(lambda: "patch_asked" in listener.types())
    assert "command_topic" not in listener.part("update")
    assert listener.part("no") == {"platform": "button"}
    agent = here.shell.agent
    assert here.shell.asked is not None
    await listener.press(f"install {here.shell.asked.question.hex()}")
    await listener.press(f"no {here.shell.asked.question.hex()}")
    await listener.settled()
    await bridge.stop()  # whatever came before has been looked at
    assert here.shell.agent is agent
    assert state(here) is PatchState.WAITING_FOR_CONFIRMATION


async def test_presses_are_few_made_now_and_well_formed(
    house: MakeHouse, listener: Listener, home_broker: RunningBroker
) -> None:
    here = await house()
    bridge = here.bridge()
    yes = await asked(here, listener)
    topic = bridge.topics.leaf("press")
    listener.link._client.publish(topic, yes.encode(), qos=1, retain=True)  # delivered now, and counts
    await listener.until(lambda: "patch_installed" in listener.types())
    told = len(here.told)
    bridge.link.drop(0.01)  # after which the broker hands out what it kept
    await listener.until(lambda: listener.leaf("online") == b"offline")
    await listener.until(lambda: listener.leaf("online") == b"online")
    for number in range(20):
        await listener.press(f"install {number:064x}")
    await heard(here, told + room.PRESSES_MAX - 1, listener)
    await listener.settled()
    assert len([line for line in here.told if "counts for nothing" in line]) == room.PRESSES_MAX - 1


async def test_turned_off_it_takes_everything_back(
    house: MakeHouse, listener: Listener, home_broker: RunningBroker
) -> None:
    here = await house()
    first = here.bridge()
    await listener.until(lambda: listener.leaf("online") == b"online")
    await first.stop()
    here.bridge(enabled=False)
    async with asyncio.timeout(10):
        while "Nothing is announced to Home Assistant any more." not in here.told:
            await listener.settled()
    late = Listener(home_broker.url, "late")
    await late.open()
    await late.settled()
    assert [topic for topic in late.last if "mark" not in topic] == []
    await late.link.close()


async def test_a_broker_that_takes_no_such_password_is_told_and_the_password_is_not(
    house: MakeHouse, tmp_path: Path
) -> None:
    here = await house()
    secret = here.home.path / "home.password"
    secret.touch(mode=0o600)
    secret.write_text("sesame\n")
    (tmp_path / "passwords").touch()
    with mosquitto(tmp_path, "allow_anonymous false", f"password_file {tmp_path}/passwords") as port:
        here.url = f"mqtt://127.0.0.1:{port}"
        bridge = here.bridge(username="hall", password_file="home.password")
        async with asyncio.timeout(10):
            while not here.told:
                await here.workshop.link.publish_acked("mark", b"")
    assert f"127.0.0.1:{port} refused the connection" in here.told[0]
    assert "sesame" not in repr((here.told, bridge._settings, here.events))


async def test_install_waits_for_the_hours_in_which_the_owner_allows_it(
    house: MakeHouse, listener: Listener
) -> None:
    minute = int(time.time()) // 60 % 1_440
    closed = Window((minute + 120) % 1_440, (minute + 180) % 1_440)
    here = await house(windows=(closed,))
    here.bridge()
    await listener.press(await asked(here, listener))
    await listener.until(lambda: (listener.leaf("patch") or {}).get("patch_reason") == "out_of_window")
    await listener.until(lambda: not listener.leaf("update")["in_progress"])
    assert state(here) is PatchState.VERIFIED
    assert listener.leaf("update")["latest_version"] == "1.4.2"


async def test_the_panel_of_the_device_still_hears_of_changes(house: MakeHouse, listener: Listener) -> None:
    here = await house()
    changes: list[Any] = []
    mine = lambda: changes.append(None)  # noqa: E731 - compared below
    here.shell.on_change = mine
    bridge = here.bridge()
    await listener.until(lambda: listener.leaf("online") == b"online")
    here.tell()
    await listener.until(lambda: "notice_shown" in listener.types())
    assert changes
    await bridge.stop()
    assert here.shell.on_change is mine


def test_a_press_names_its_button_and_what_was_shown() -> None:
    found = read_press(b"install " + b"ab" * 32)
    assert found is not None
    assert (found.button, found.shown) == ("install", b"\xab" * 32)
