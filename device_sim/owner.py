"""The person who owns a device: simulated with a seed, or real at a terminal."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, Literal, Protocol, TextIO

from device_sim.core.effects import Announce, AskConsent, Show
from device_sim.faults import GOOD, Behaviour

Answer = Literal["yes", "defer", "no"]
_ANSWERS: Final[dict[str, Answer]] = {
    "y": "yes",
    "yes": "yes",
    "l": "defer",
    "later": "defer",
    "n": "no",
    "no": "no",
}


class Buttons(Protocol):
    """What an owner can do to a device."""

    def acknowledge(self, advisory: str | None = None) -> None:
        """Press "I have read it", for the notice shown last or for this one."""
        ...

    def consent(self, answer: Answer, question: bytes) -> None:
        """Answer whether to install; it counts for the question that was asked, and no other."""
        ...

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while, as long as the device runs."""
        ...


class Owner(Protocol):
    """Somebody who looks at a device."""

    def shown(self, device: Buttons, show: Show) -> None:
        """See a notice (again)."""
        ...

    def asked(self, device: Buttons, question: AskConsent) -> None:
        """Be asked whether to install a patch; a later question takes the place of an earlier one."""
        ...

    def announced(self, device: Buttons, announcement: Announce) -> None:
        """Be told of a patch that is installed without a question."""
        ...


class SimulatedOwner:
    """Reads, acknowledges and answers after a while.

    Args:
        dice: decides how long it takes.
        behaviour: defers or declines, where its script says so.
        reading_s: (shortest, longest) time before an answer, in seconds.
    """

    __slots__ = ("_behaviour", "_deferred", "_dice", "_question", "_read", "_reading", "_reading_s")

    def __init__(
        self,
        dice: random.Random,
        behaviour: Behaviour = GOOD,
        reading_s: tuple[float, float] = (0.05, 1.0),
    ) -> None:
        self._dice = dice
        self._behaviour = behaviour
        self._reading_s = reading_s
        self._read: set[tuple[str, int]] = set()
        self._reading = 0.0
        """How long the owner still needs for the notice shown last, in seconds."""
        self._question: AskConsent | None = None
        """What the owner is thinking about."""
        self._deferred = 0

    def shown(self, device: Buttons, show: Show) -> None:
        """Acknowledge each revision once; drawing it again changes nothing."""
        which = (show.notice.id, show.notice.revision)
        if which not in self._read:
            self._read.add(which)
            self._reading = seconds = self._dice.uniform(*self._reading_s)

            def done() -> None:
                self._reading = 0.0
                device.acknowledge(show.notice.id)

            device.later(seconds, done)

    def asked(self, device: Buttons, question: AskConsent) -> None:
        """Answer as the script says: no; not now, so many times; yes. First comes reading, then agreeing."""
        thinking, self._question = self._question is not None, question
        if thinking:
            return

        def answer() -> None:
            asked, self._question = self._question, None
            assert asked is not None
            device.consent(self._answer(asked), asked.question)

        device.later(self._reading + self._dice.uniform(*self._reading_s), answer)

    def announced(self, device: Buttons, announcement: Announce) -> None:
        """Take it as it is: the owner agreed beforehand."""

    def _answer(self, question: AskConsent) -> Answer:
        if self._behaviour.declines:
            return "no"
        if self._deferred < self._behaviour.defers and not question.final:
            self._deferred += 1
            return "defer"
        return "yes"


class ConsoleOwner:
    """A person at a terminal; :meth:`typed` takes each line.

    Args:
        out: where questions are asked.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._device: Buttons | None = None
        self._question: AskConsent | None = None

    def shown(self, device: Buttons, show: Show) -> None:
        """Say how to acknowledge; the display has drawn the notice already."""
        self._device = device
        self._say(f"Press Enter when you have read {show.notice.id}.")

    def asked(self, device: Buttons, question: AskConsent) -> None:
        """Ask whether to install, and say how long it may be put off."""
        self._device = device
        self._question = question
        if question.text:
            self._say(question.text)
        if question.notice is not None:
            self._say(f"It mends what {question.notice.id} warns of.")
        times = "once more" if question.left == 1 else f"{question.left} more times"
        last = "This is the last reminder: it cannot be put off."
        self._say(last if question.final else f"It may be put off {times}.")
        choices = "y(es) or n(o)" if question.final else "y(es), l(ater) or n(o)"
        self._say(f"Install version {question.version} now? {choices}:")

    def announced(self, device: Buttons, announcement: Announce) -> None:
        """Say what is going to be installed."""
        self._device = device
        why = "urgent, and " if announcement.urgent else ""
        self._say(f"Version {announcement.version} is going to be installed: {why}agreed to beforehand.")

    def typed(self, line: str) -> None:
        """Take a line that the person typed."""
        word = line.strip().lower()
        if self._device is None:
            return
        if not word:
            self._device.acknowledge()
        elif self._question is None:
            self._say("There is nothing to answer now.")
        elif word not in _ANSWERS:
            self._say("Type y, l or n.")
        else:
            asked, self._question = self._question, None
            self._device.consent(_ANSWERS[word], asked.question)

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()
