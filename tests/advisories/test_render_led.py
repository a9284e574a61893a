import pytest

from advisories.notice import Action
from advisories.render import led


@pytest.mark.parametrize("action", Action)
def test_every_action_has_a_colour_and_a_rhythm(action: Action) -> None:
    colour, rhythm = led.pattern(action).split(" ")
    assert colour.isalpha()
    assert set(rhythm) == {"#", "."}
    assert 1_000 <= len(rhythm) * led.STEP_MS <= 3_000


def test_the_rhythms_differ_without_their_colours_at_any_moment() -> None:
    rhythms = [led.pattern(action).split(" ")[1] for action in Action]
    turned = [{(r + r)[i : i + len(r)] for i in range(len(r))} for r in rhythms]
    assert all(not turned[a] & turned[b] for a in range(4) for b in range(a))


def test_no_rhythm_is_the_even_blinking_of_a_fault() -> None:
    for action in Action:
        rhythm = led.pattern(action).split(" ")[1]
        runs = {len(run) for run in rhythm.replace("#.", "# .").replace(".#", ". #").split(" ")}
        assert len(runs) > 1
