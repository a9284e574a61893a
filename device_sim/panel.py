"""A real device's owner: what they are told beside the notices, and how their answers reach the core.

An answer counts for the question that was on the display, and for no other: whoever answers names its digest,
or takes what is asked at that moment, in the one event loop that also asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from advisories.states import PatchState
from device_sim.core.effects import Announce, AskConsent, Show
from device_sim.core.status import Status, snapshot
from device_sim.display import Prompt, Speaking
from device_sim.owner import Answer, Buttons
from device_sim.shell import DeviceShell
from keys.errors import InputError, TocsinError, UnavailableError

ANSWERS: Final[dict[str, Answer]] = {"yes": "yes", "later": "defer", "no": "no"}
"""What an owner says -> what the core hears."""
STEP_PERCENT: Final = 10
"""Progress is drawn anew after so much more: screens are slow."""
_P = PatchState


class Panel:
    """Draws what the device says by itself, and presses its buttons.

    Args:
        display: the device's.
        how: how the owner answers, such as "Press the button: yes".
        tell: takes lines for the log.
    """

    def __init__(self, display: Speaking, how: str, tell: Callable[[str], None]) -> None:
        self._display = display
        self._how = how
        self._tell = tell
        self._told: Prompt | None = None
        self.shell: DeviceShell | None = None
        """The device."""

    # What the device asks and says (device_sim.owner.Owner).

    def shown(self, device: Buttons, show: Show) -> None:  # noqa: ARG002 - the display has drawn it
        """See a notice; what stands beside it is drawn again."""
        self._told = None
        self.refresh()

    def asked(self, device: Buttons, question: AskConsent) -> None:
        """Be asked; :meth:`refresh` draws it once the core has finished asking."""

    def announced(self, device: Buttons, announcement: Announce) -> None:
        """Be told; :meth:`refresh` draws it."""

    def refresh(self) -> None:
        """Draw what is to be said now, if it is not what was said last."""
        shell = self.shell
        if shell is None or shell.agent is None:
            return
        prompt = prompted(snapshot(shell.agent, shell.asked), self._how)
        if prompt is None and shell.announced is not None:
            prompt = announcing(shell.announced)
        if prompt != self._told:
            self._told = prompt
            self._guarded(lambda: self._display.tell(prompt))

    def turn(self) -> None:
        """Let the display show its next page."""
        self._guarded(self._display.turn)

    def _guarded(self, draw: Callable[[], None]) -> None:
        try:
            draw()
        except UnavailableError as error:
            self._tell(str(error))

    # What the owner says.

    def answer(self, word: str, question: str | None = None) -> dict[str, Any]:
        """Answer the question that is asked now.

        Args:
            word: ``yes``, ``later`` or ``no``.
            question: its digest in hexadecimal, where the owner saw one; another is then not answered.

        Raises:
            InputError: NO_QUESTION, QUESTION_CHANGED, BAD_VALUE.
        """
        shell, status = self._now()
        asked = status.question
        if word not in ANSWERS:
            raise InputError("BAD_VALUE", "This is no answer.", mend="Say yes, later or no.")
        if asked is None:
            raise InputError("NO_QUESTION", "The device asks nothing now.", mend="See its display.")
        if question is not None and question != asked.question.hex():
            message = "The device asks something else now."
            raise InputError("QUESTION_CHANGED", message, mend="Read its display, and answer that.")
        if word == "later" and asked.final:
            message = "This cannot be put off any further."
            raise InputError("NO_DEFERRAL", message, mend="Say yes or no.")
        shell.consent(ANSWERS[word], asked.question)
        _require_stored(shell)
        return {"answer": word, "version": asked.version, "question": asked.question.hex()}

    def acknowledge(self, advisory: str | None = None) -> dict[str, Any]:
        """Say that a notice was read, or all that are shown.

        Raises:
            InputError: NO_NOTICE.
        """
        shell, status = self._now()
        unread = [view.notice.id for view in status.notices if view.unread]
        if not unread or advisory not in {None, *unread}:
            raise InputError("NO_NOTICE", "No such notice waits to be read.", mend="See the display.")
        shell.acknowledge(advisory)
        _require_stored(shell)
        return {"acknowledged": unread if advisory is None else [advisory]}

    def status(self) -> dict[str, Any]:
        """Return what the owner can see, for a program that shows it elsewhere."""
        _, status = self._now()
        asked, patch = status.question, status.patch
        return {
            "product": status.product,
            "installed": status.installed,
            "current": status.current,
            "notices": [
                {"id": view.notice.id, "revision": view.notice.revision, "state": view.state.name}
                for view in status.notices
            ],
            "patch": {"version": patch.version, "state": patch.state.name, "percent": patch.percent}
            if patch is not None
            else None,
            "question": {
                "version": asked.version,
                "text": asked.text,
                "left": asked.left,
                "final": asked.final,
                "question": asked.question.hex(),
            }
            if asked is not None
            else None,
        }

    def reset(self) -> dict[str, Any]:
        """Forget what the owner agreed to, wished and read."""
        shell, _ = self._now()
        shell.ask(shell.agent, lambda agent, now: agent.factory_reset(now))
        _require_stored(shell)
        return {"reset": True}

    def _now(self) -> tuple[DeviceShell, Status]:
        shell = self.shell
        if shell is None or shell.agent is None or shell.failure is not None:
            raise UnavailableError("NOT_RUNNING", "The device does not run.", mend="Start it.")
        return shell, snapshot(shell.agent, shell.asked)

    def carry_out(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request of :mod:`device_sim.control`.

        Raises:
            TocsinError: as the methods above say; BAD_REQUEST.
        """
        what = request.get("do")
        names = request.keys() - {"do"}
        if not isinstance(what, str) or not all(isinstance(value, str) for value in request.values()):
            raise _no_request()
        match what:
            case "answer" if "answer" in names <= {"answer", "question"}:
                return self.answer(request["answer"], request.get("question"))
            case "acknowledge" if names <= {"advisory"}:
                return self.acknowledge(request.get("advisory"))
            case "status" if not names:
                return self.status()
            case "reset" if not names:
                return self.reset()
        raise _no_request()

    def typed(self, line: str) -> None:
        """Take a line from a terminal: an answer, or nothing for "I have read it"."""
        word = line.strip().lower()
        word = next((name for name in ANSWERS if word and name.startswith(word)), word)
        try:
            self.answer(word) if word else self.acknowledge()
        except TocsinError as error:
            self._tell(str(error))


def _require_stored(shell: DeviceShell) -> None:
    """Raise what has just ended the device, such as a full disk: what was not stored is not done."""
    failure = shell.failure
    if isinstance(failure, TocsinError) and failure.code != "RESTART":
        raise failure


def _no_request() -> InputError:
    return InputError("BAD_REQUEST", "This is no request that the device knows.")


def prompted(status: Status, how: str) -> Prompt | None:
    """Return what a device says beside its notices; None: nothing."""
    asked, patch = status.question, status.patch
    if asked is not None:
        about = f"It mends what {asked.notice.id} warns of." if asked.notice is not None else ""
        left = "" if asked.final else f"It may be put off {asked.left} more times." if asked.left else ""
        last = "This is the last reminder: it cannot be put off." if asked.final else left
        lines = tuple(line for line in (how, asked.text, about, last) if line)
        language = status.notices[0].text.language if status.notices and status.notices[0].text else "en"
        return Prompt(f"Install version {asked.version} now?", lines, language, waits=True)
    if patch is None or not patch.under_way:
        return None
    if patch.state is _P.DOWNLOADING:
        percent = (patch.percent or 0) // STEP_PERCENT * STEP_PERCENT
        return Prompt(f"Bringing version {patch.version}: {percent} %", percent=percent)
    lines = ("Do not switch the device off.",)
    return Prompt(f"Installing version {patch.version}", lines, percent=100)


def announcing(announcement: Announce) -> Prompt:
    """Return how an owner is told that a patch is installed without a question."""
    why = "It is urgent. " if announcement.urgent else ""
    about = f"It mends what {announcement.notice.id} warns of." if announcement.notice is not None else ""
    lines = tuple(line for line in (f"{why}You agreed to this beforehand.", about) if line)
    return Prompt(f"Version {announcement.version} is going to be installed", lines)
