"""One lamp: it can say what class of action is due and nothing else.

A pattern is ``colour rhythm``; each character of the rhythm is 100 ms (``#`` on, ``.`` off), and it
repeats. The four rhythms differ without their colours, and none is the even blinking that boards
commonly use for a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from advisories.notice import Action

STEP_MS: Final = 100

PATTERNS: Final[Mapping[Action, str]] = {
    Action.ACT_NOW: "red #.#.#.......",
    Action.ACT_SOON: "amber ####.#..........",
    Action.FOR_INFORMATION: "blue #...................",
    Action.RESOLVED: "green ##################..",
}


def pattern(action: Action) -> str:
    """Return the blink pattern of an action class."""
    return PATTERNS[action]
