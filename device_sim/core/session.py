"""What the rooms of one agent share: its state, the time of this call, and the effects gathered in it.

Order is the promise here: whatever the outside may notice (a message, a screen, a reboot) is
preceded by a ``Save`` of the state that it depends on; bytes written to flash are followed by one.
"""

from __future__ import annotations

import hashlib

from advisories.notice import Notice
from advisories.report import JournalEntry, Track, journal_head
from advisories.topics import Topics
from advisories.versions import Version
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.profile import Able, Conditions, Profile, shows_all
from device_sim.core.state import State
from keys.algorithms import UNDECLARED, Algorithm
from keys.reasons import Reason
from keys.signer import Signer

_UNSAVED = (do.EraseSlot, do.WriteSlot, do.Log, do.WakeAt, do.Subscribe, do.Unsubscribe)
"""Effects that may go before the state they belong to."""


class Session:
    """Shared by all rooms of an agent; :meth:`begin` and :meth:`finish` bracket each call."""

    __slots__ = (
        "_dirty",
        "_drawn",
        "_effects",
        "_entropy",
        "_refused",
        "able",
        "algorithms",
        "conditions",
        "connected",
        "counter",
        "image",
        "installed",
        "measured",
        "news",
        "now",
        "profile",
        "rebooting",
        "signer",
        "slot",
        "state",
        "trial",
        "turned_back",
        "wakes",
    )

    def __init__(
        self,
        profile: Profile,
        signer: Signer,
        state: State,
        *,
        entropy: bytes,
        now: float,
        able: Able = shows_all,
    ) -> None:
        self.profile = profile
        self.able = able
        """What the surface can do with a text."""
        self.signer = signer
        self.state = state
        self.now = now
        """UTC seconds by the shell's clock: for waiting."""
        self.connected = False
        self.conditions: Conditions | None = None
        """What the shell said last, in this boot, of the device's surroundings."""
        self.slot = 0
        """The slot that booted."""
        self.installed: Version = (0, 0, 0, 0)
        """Measured version of the image that booted."""
        self.image = b""
        """SHA-256 over all bytes of the image that booted; empty until it could be measured."""
        self.algorithms: frozenset[Algorithm] = UNDECLARED
        """What the image that booted can verify."""
        self.counter = 0
        """Security counter of the image that booted."""
        self.trial = False
        """Nobody has confirmed what booted: it is gone after the next boot."""
        self.measured = False
        """The version could be measured."""
        self.news = False
        """Something happened that a report must tell."""
        self.rebooting = False
        """This call ends with a reboot."""
        self.wakes: list[float] = []
        self.turned_back = 0.0
        """Seconds by which the clock was put back since the last call; 0.0 where it was not."""
        self._entropy = entropy
        self._drawn = 0
        self._effects: list[do.Effect] = []
        self._dirty = False
        self._refused: frozenset[bytes] = frozenset()

    @property
    def topics(self) -> Topics:
        """The profile's topics."""
        return self.profile.topics

    @property
    def time(self) -> int:
        """UTC seconds, never before anything accepted: for what the gateway says, and its offers."""
        return self.state.trusted.time(int(self.now))

    @property
    def warning_time(self) -> int:
        """UTC seconds for notices and the journal: a gateway's key cannot move it and so end a warning."""
        return self.state.trusted.time(int(self.now), Notice.TYPE)

    def begin(self, now: float) -> None:
        """Start a call."""
        back = self.now - now
        self.turned_back = back if back > limits.CLOCK_BACK_SECONDS else 0.0
        self.now = now
        self._effects = []
        self.wakes = []

    def finish(self) -> list[do.Effect]:
        """End the call: store what has changed and hand over the effects."""
        self.save()
        found, self._effects = self._effects, []
        return found

    def touch(self) -> None:
        """Say that the state has changed."""
        self._dirty = True

    def save(self) -> None:
        """Store the state now, when it has changed."""
        if self._dirty:
            self._dirty = False
            self._effects.append(do.Save(self.state.dump()))

    def emit(self, effect: do.Effect) -> None:
        """Add an effect, storing the state first where the effect depends on it."""
        if not isinstance(effect, _UNSAVED):
            self.save()
        self._effects.append(effect)

    def wake(self, time: float) -> None:
        """Ask to be woken at ``time`` (UTC seconds, shell's clock)."""
        self.wakes.append(time)

    def random(self, count: int) -> bytes:
        """Return up to 32 bytes nobody outside can foretell."""
        self._drawn += 1
        seed = self._entropy + self.state.boot_epoch.to_bytes(8, "big") + self._drawn.to_bytes(8, "big")
        return hashlib.sha256(seed).digest()[:count]

    def log(self, reason: Reason, text: str) -> None:
        """Tell whoever reads the console."""
        self._effects.append(do.Log(reason, text))

    def record(
        self,
        track: Track,
        name: str,
        reason: Reason,
        *,
        old: int = 0,
        new: int = 0,
        digest: bytes | None = None,
    ) -> None:
        """Add a journal entry; it is counted and chained even where there is no room to keep it."""
        state = self.state
        if state.journal_lost and len(state.journal) < limits.JOURNAL_MAX - 1:
            lost, state.journal_lost = state.journal_lost, 0
            self.record(Track.DEVICE, f"journal gap {lost}", Reason.LIMIT_REACHED)
        entry = JournalEntry(
            index=state.journal_count,
            time=self.warning_time,
            track=track,
            name=name,
            old=old,
            new=new,
            reason=reason,
            digest=digest,
        )
        state.journal_count += 1
        state.journal_head = journal_head(state.journal_head, [entry])
        if state.journal_lost or len(state.journal) >= limits.JOURNAL_MAX:
            state.journal_lost += 1
        else:
            state.journal.append(entry)
        self.news = True
        self.touch()

    def refuse(
        self, track: Track, name: str, reason: Reason, digest: bytes, *, old: int = 0, new: int = 0
    ) -> None:
        """Journal a refused document: each once a boot, up to a limit that is itself journaled."""
        self.log(reason, f"refused {name}: {reason.means}")
        if digest in self._refused or len(self._refused) > limits.REFUSALS_PER_BOOT_MAX:
            return
        if len(self.state.journal) >= limits.JOURNAL_REFUSALS_MAX:
            return
        self._refused |= {digest}
        if len(self._refused) > limits.REFUSALS_PER_BOOT_MAX:
            self.record(Track.REFUSAL, "more refusals", Reason.LIMIT_REACHED)
            return
        self.record(track, name, reason, old=old, new=new, digest=digest)
