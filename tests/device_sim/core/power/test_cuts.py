"""The power fails at every write of every story; the device comes back whole, and goes on to the right end."""

import random
from dataclasses import replace

import pytest

from advisories.states import PatchState
from device_sim.core.slots import load_record
from tests.device_sim.core.durable import stored
from tests.device_sim.core.power.acts import Story
from tests.device_sim.core.power.plant import Copy, Plant
from tests.device_sim.core.power.table import STORIES


def judge(story: Story, w: Plant, *cuts: Copy) -> None:
    end = w.end()
    if end != story.end:
        if any(cut.lost for cut in cuts) and " FAILED" in end:
            return  # the image was lost with its disk's cache: found out before it was booted
        may = story.also.get(end)
        assert may is not None, f"it ended with: {end}"
        assert any(may(cut) for cut in cuts), f"not from here: {end}"
    w.check_end()


def live(story: Story, copy: Copy, *before: Copy, record: bool = False) -> Plant:
    try:
        w = Plant.revive(copy, record=record)
        judge(story, w, copy, *before)
    except BaseException as error:
        error.add_note(
            f"{story.name}: the power fails at {' and then at '.join(c.where for c in (*before, copy))}"
        )
        raise
    return w


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_power_cut_at_every_write_leaves_a_device_that_is_whole_and_honest(story: Story) -> None:
    w = story.plant()
    w.live()
    assert w.copies
    assert w.end() == story.end
    w.check_end()
    chance = random.Random(story.name)
    for first in w.copies:
        again = live(story, first, record=story.pairs != 0)
        found = again.copies or []
        for second in found if story.pairs < 0 else chance.sample(found, min(story.pairs, len(found))):
            live(story, second, first)


def test_the_table_is_wide_enough_and_every_name_is_its_own() -> None:
    assert len(STORIES) >= 36
    assert len({story.name for story in STORIES}) == len(STORIES)


def copies(name: str) -> list[Copy]:
    w = next(story for story in STORIES if story.name == name).plant()
    w.live()
    return w.copies or []


def test_a_self_test_that_fails_after_it_was_once_confirmed_still_goes_back() -> None:
    """The record was made final, the power failed before the state was stored, and the image got worse."""
    found = [copy for copy in copies("install") if load_record(copy.world["boot"]).active == 1]
    early = [copy for copy in found if stored(copy.world["state"]).patches[0].state is PatchState.TESTING]
    assert early
    for copy in early:
        w = Plant.revive(replace(copy, world={**copy.world, "healthy": False}))
        assert w.end() == "1.4.1, 7 ROLLED_BACK"
        assert load_record(w.boot).active == 0
        w.check_end()


def test_a_download_goes_on_where_it_was_last_stored() -> None:
    halfway = [copy for copy in copies("download in two windows") if len(copy.world["slots"][1]) > 65_536]
    assert halfway
    for copy in halfway[:4]:
        w = Plant.revive(copy)
        asked = [want.blocks[1] for want in w.wants if want.blocks]
        assert asked == [] or asked[0] == 65_536
