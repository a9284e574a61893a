"""The agent of one device: bytes and ``now`` in, effects out.

It routes messages and events to the rooms beside it, lets time pass for each of them, and hands over
what they ask for. It decides nothing itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from advisories.report import Track
from advisories.versions import Version, format_version
from device_sim.core import effects as do
from device_sim.core.currency import Currency
from device_sim.core.fetch import Fetcher
from device_sim.core.inbox import Inbox, Rooms
from device_sim.core.measure import Measurement, Running
from device_sim.core.notices import Notices
from device_sim.core.patches import Answer, Patches
from device_sim.core.profile import Able, Conditions, Profile, shows_all
from device_sim.core.reporter import Reporter
from device_sim.core.session import Session
from device_sim.core.state import NoticeTrack, PatchTrack, State
from keys.algorithms import UNDECLARED
from keys.reasons import Reason
from keys.signer import Signer
from keys.trusted import TrustedSet


class Agent:
    """One device's decisions. Not thread-safe; call one method at a time."""

    __slots__ = (
        "_carrier",
        "_currency",
        "_fetcher",
        "_inbox",
        "_notices",
        "_patches",
        "_reporter",
        "_restart",
        "_session",
        "_wake",
    )

    def __init__(
        self,
        profile: Profile,
        signer: Signer,
        state: bytes | None,
        *,
        root_1: bytes,
        entropy: bytes,
        now: float,
        able: Able = shows_all,
    ) -> None:
        """Restore an agent, or make a factory-new one.

        Args:
            profile: what the device is.
            signer: the device's key.
            state: the bytes of the last ``Save``; None on a factory-new device.
            root_1: the root that was provisioned; it is pinned.
            entropy: fresh random bytes, 16 or more, for nonces and jitter.
            now: UTC seconds.
            able: what the device's surface can do with a text.

        Raises:
            DamagedError: DEVICE_STATE, when ``state`` is not whole or belongs to another fleet.
            RefusedError: ``root_1`` is not a valid root 1.
        """
        restored = State.new(root_1, profile.id) if state is None else State.load(state, root_1)
        self._session = Session(profile, signer, restored, entropy=entropy, now=now, able=able)
        self._reporter = Reporter(self._session)
        self._fetcher = Fetcher(self._session, self._reporter)
        self._currency = Currency(self._session)
        self._notices = Notices(self._session, self._currency)
        self._patches = Patches(self._session, self._currency, self._reporter)
        self._carrier = self._patches.carrier
        self._inbox = Inbox(
            self._session,
            Rooms(
                catalogue=self._currency.catalogue,
                timestamp=self._currency.timestamp,
                notice=self._notices.header,
                text=self._notices.text,
                pages=self._notices.pages,
                patch=self._patches.envelope,
                offer=self._patches.offer,
                answer=self._reporter.answer,
                block=self._carrier.block,
            ),
        )
        self._wake: float | None = None
        self._restart = False
        """The owner's wishes are others by now: restart as soon as no install is under way."""

    @property
    def profile(self) -> Profile:
        """What the device is."""
        return self._session.profile

    @property
    def notices(self) -> tuple[NoticeTrack, ...]:
        """Every advisory that the device remembers."""
        return tuple(self._session.state.notices.values())

    @property
    def patches(self) -> tuple[PatchTrack, ...]:
        """Every patch that the device remembers, the one touched last at the end."""
        return tuple(self._session.state.patches.values())

    @property
    def installed(self) -> Version:
        """The version measured in the image that booted; (0, 0, 0, 0) before :meth:`booted`."""
        return self._session.installed

    @property
    def trusted(self) -> TrustedSet:
        """Root and floors."""
        return self._session.state.trusted

    @property
    def is_current(self) -> bool:
        """True when a fresh timestamp names the catalogue in hand."""
        return self._currency.current() is not None

    def booted(self, slot: int, running: Running | Reason, now: float) -> list[do.Effect]:
        """Say which slot the boot loader started, and what runs from it; call it once, before anything else.

        Args:
            slot: what :func:`device_sim.core.slots.select` said.
            running: what was measured in the image that booted, or why that could not be measured.
            now: UTC seconds.
        """

        def start() -> None:
            session = self._session
            session.state.boot_epoch += 1
            session.slot = slot
            session.touch()
            session.record(Track.DEVICE, "boot", Reason.OK, new=slot)
            self._measure(running)
            self._notices.booted()
            if not self._patches.booted():
                self._notices.installed()

        return self._call(now, start)

    def connected(self, now: float) -> list[do.Effect]:
        """The link is up and the seven filters are subscribed."""

        def start() -> None:
            self._session.connected = True
            self._reporter.connected()
            self._patches.connected()

        return self._call(now, start)

    def disconnected(self, now: float) -> list[do.Effect]:
        """The link is down."""

        def stop() -> None:
            self._session.connected = False
            self._fetcher.disconnected()

        return self._call(now, stop)

    def receive(self, topic: str, payload: bytes, now: float) -> list[do.Effect]:
        """Take a message: any topic, any bytes, any order. A refusal becomes a journal entry and a Log."""
        return self._call(now, lambda: self._inbox.receive(topic, payload))

    def measured(self, slot: int, found: Measurement, now: float, component: int = 0) -> list[do.Effect]:
        """Answer a ``MeasureSlot`` with what was read back from flash."""
        return self._call(now, lambda: self._carrier.measured(slot, found, component))

    def fetched(self, uri: str, offset: int, data: bytes, now: float) -> list[do.Effect]:
        """Hand over a piece of what a ``Fetch`` brings."""
        return self._call(now, lambda: self._carrier.fetched(uri, offset, data))

    def fetch_ended(self, uri: str, reason: Reason, now: float) -> list[do.Effect]:
        """Say that a ``Fetch`` brings no more: OK at the end of the payload, else why."""
        return self._call(now, lambda: self._carrier.fetch_ended(uri, reason))

    def applied(self, reason: Reason, now: float) -> list[do.Effect]:
        """Answer an ``ApplyDelta``: OK, or why there is no image."""
        return self._call(now, lambda: self._carrier.applied(reason))

    def installer_answered(self, verb: str, reason: Reason, now: float) -> list[do.Effect]:
        """Answer a ``RunInstaller``: OK, BUSY to be asked again later, or why it failed."""

        def finish() -> None:
            if self._carrier.installer_answered(verb, reason):
                self._notices.installed()

        return self._call(now, finish)

    def tested(self, ok: bool, now: float) -> list[do.Effect]:  # noqa: FBT001 - the answer is a plain yes or no
        """Answer a ``SelfTest``."""

        def finish() -> None:
            if self._carrier.tested(ok=ok):
                self._notices.installed()

        return self._call(now, finish)

    def acknowledge(self, now: float, advisory: str | None = None) -> list[do.Effect]:
        """The owner took note of one advisory, or of all that are shown."""
        return self._call(now, lambda: self._notices.acknowledge(advisory))

    def displayed(self, advisory: str, revision: int, reason: Reason, now: float) -> list[do.Effect]:
        """Answer a ``Show``: OK once the owner can see it, else why not."""
        return self._call(now, lambda: self._notices.displayed(advisory, revision, reason))

    def consent(self, answer: Answer, now: float, question: bytes | None = None) -> list[do.Effect]:
        """The owner's answer to ``AskConsent``: "yes", "defer" or "no"; it counts for that question only."""
        return self._call(now, lambda: self._patches.consent(answer, question))

    def conditions(self, found: Conditions, now: float) -> list[do.Effect]:
        """Say how the device's surroundings are; told at the start and whenever they change."""

        def take() -> None:
            self._session.conditions = found

        return self._call(now, take)

    def factory_reset(self, now: float) -> list[do.Effect]:
        """Forget consents, acknowledgements and the owner's wishes; trust, floors and the journal stay.

        It ends with a restart, but for an install that is past the point of no return: that one goes on.
        """

        def forget() -> None:
            # First: should the power fail before the rest is stored, nothing says that it was done.
            self._session.emit(do.ForgetWishes())
            self._session.record(Track.DEVICE, "factory reset", Reason.RESET)
            self._notices.reset()
            self._patches.reset()
            self._restart = True

        return self._call(now, forget)

    def tick(self, now: float) -> list[do.Effect]:
        """Let time pass; the last ``WakeAt`` says when it matters."""
        return self._call(now, lambda: None)

    def _call(self, now: float, event: Callable[[], None]) -> list[do.Effect]:
        """Run one event, then let every room go on as far as it can."""
        session = self._session
        session.begin(now)
        if session.turned_back:
            self._clock_back(session.turned_back)
        event()
        absent = self._fetcher.expire()
        self._inbox.step(absent)
        self._currency.step()
        self._notices.step(absent)
        self._patches.step()
        missing = [*self._inbox.missing(), *self._currency.missing(), *self._patches.missing()]
        self._fetcher.step([*missing, *self._notices.missing()], absent)
        self._reporter.step()
        self._set_alarm()
        if self._restart and not self._patches.is_installing:
            self._restart, session.rebooting = False, True
        if session.rebooting:
            session.emit(do.Reboot())
        return session.finish()

    def _clock_back(self, seconds: float) -> None:
        """Keep pauses as long as they were: else a clock that was years ahead would silence the device."""
        self._wake = None
        for room in (self._reporter, self._fetcher, self._notices, self._patches, self._inbox):
            room.clock_back(seconds)

    def _measure(self, running: Running | Reason) -> None:
        """Learn what runs."""
        session = self._session
        if isinstance(running, Reason):
            session.refuse(Track.REFUSAL, "image", running, hashlib.sha256(running.name.encode()).digest())
            return
        session.installed, session.image, session.measured = running.version, running.digest, True
        session.counter, session.trial = running.counter, running.trial
        session.algorithms = running.algorithms or UNDECLARED
        session.state.trusted.algorithms = session.algorithms
        session.log(Reason.OK, f"slot {session.slot} runs {format_version(running.version)}")

    def _set_alarm(self) -> None:
        """Ask to be woken for the earliest thing that waits, unless that has been asked already."""
        session = self._session
        if self._wake is not None and self._wake <= session.now:
            self._wake = None
        earliest = min((time for time in session.wakes if time > session.now), default=None)
        if earliest is not None and earliest != self._wake:
            self._wake = earliest
            session.emit(do.WakeAt(earliest))
