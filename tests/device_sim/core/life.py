"""A device's life at random: messages in any order, twice, late or from the past; cuts, cables, clocks and owners.

What must hold is checked by :class:`tests.device_sim.core.watched.Watched` at every write and every report; this
machine makes the trouble, and looks at what a whole life must keep to.
"""

from __future__ import annotations

import hashlib
import random
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from advisories.notice import Phase, Severity
from advisories.offer import Consent
from advisories.report import Track, journal_genesis, journal_head
from advisories.states import NoticeState, PatchState
from device_sim.core import limits
from device_sim.core.profile import Conditions, Platform
from device_sim.core.slots import STAGING, load_record
from keys.reasons import Reason
from tests.device_sim.core.firmware import OLD, image
from tests.device_sim.core.line import OnTheLine
from tests.device_sim.core.world import FLEET
from tests.helpers import DAY, HOUR, NOW, PRODUCT, notice

VERSIONS = [(1, 4, 2, 0), (1, 4, 2, 0), (1, 5, 0, 0), OLD]
SIZE = 700
TROUBLES = [
    "none", "none", "unhealthy", "spoilt", "forged", "taken back", "decays", "handed on", "cut", "yes", "defer", "no",
    "late",
    "stranger",
]  # fmt: skip
_LUCK = st.integers(0, 1 << 40)
"""Drawn as one number, so that hypothesis does not come back to few of the choices again and again."""
ASKED = {PatchState.WAITING_FOR_CONFIRMATION}
_ANY = st.integers(0, 10_000)


class Life(OnTheLine):
    """One device, its owner, its gateway, and everybody else."""

    # What the maker publishes.

    @rule(
        phase=st.sampled_from(Phase),
        severity=st.sampled_from(Severity),
        everyone=st.booleans(),
        life=st.sampled_from([300, 90 * DAY, 90 * DAY]),
        mends=st.booleans(),
        surface=st.sampled_from([Reason.OK, Reason.OK, Reason.DISPLAY_FAILED]),
    )
    def publish_a_notice(
        self, phase: Phase, severity: Severity, everyone: bool, life: int, mends: bool, surface: Reason
    ) -> None:
        self.w.surface = surface
        self.revision += 1
        patches = {PRODUCT: tuple(digest for _, digest in self.patches[-4:])} if mends else {}
        header = notice(
            FLEET,
            revision=self.revision,
            version=NOW + self.revision,
            issued=int(self.w.now),
            phase=phase,
            severity=severity,
            expires=int(self.w.now) + life,
            patches=patches,
            reminder=(HOUR, 2),
            **({"affected": {PRODUCT: ((None, None),)}} if everyone else {}),
        )
        self.headers = (header,)
        self.live(lambda: self.w.notice(header) and None)

    @rule()
    def publish_what_is_current(self) -> None:
        known = dict(self.patches[-8:])
        self.live(lambda: self.w.current(*self.headers, patches=tuple(known.items())) and None)

    @rule(
        version=st.sampled_from(VERSIONS),
        number=st.sampled_from([1, 1, 1, 0, -1]),
        consent=st.sampled_from([Consent.AS_OWNER_SET, Consent.AS_OWNER_SET, Consent.ASK]),
        wait=st.sampled_from([0, 0, 0, 120]),
        life=st.sampled_from([3 * DAY, 3 * DAY, 600]),
        counter=st.integers(1, 3),
        fill=st.integers(0, 3),
        forged=st.sampled_from([False] * 7 + [True]),
    )
    def offer_a_patch(
        self,
        version: Any,
        number: int,
        consent: Consent,
        wait: int,
        life: int,
        counter: int,
        fill: int,
        forged: bool,
    ) -> None:
        sequence = max([1, *(found + number for found, _ in self.patches[-1:])])
        data = image(version, size=SIZE, fill=fill, counter=counter)
        signers = ("release",) if forged else ("release", "security")

        def roll_out() -> None:
            window = (int(self.w.now) + wait, int(self.w.now) + wait + HOUR) if wait else None
            terms = {"consent": consent, "window": window, "deadline": int(self.w.now) + life}
            self.roll_out(sequence, data, version, signers=signers, **terms)

        self.live(roll_out)

    @rule(luck=_LUCK)
    def a_patch_goes_in(self, luck: int) -> None:
        chance = random.Random(luck)
        how = {
            "number": chance.choice((1, 1, 1, 0, -1)),
            "version": chance.choice([(1, 4, 2, 0), (1, 5, 0, 0), (1, 6, 0, 0), OLD]),
            "counter": chance.randint(1, 3),
            "fill": chance.randint(0, 3),
            "trouble": chance.choice(TROUBLES),
        }
        note(repr(how))
        self.bring_in(**how)

    def bring_in(self, number: int, version: Any, counter: int, fill: int, trouble: str) -> None:
        """Everybody does what they should, but for one thing."""
        w, sequence = self.w, max([1, *(found + number for found, _ in self.patches[-1:])])
        data = image(version, size=SIZE, fill=fill, counter=counter)
        self.be_kind()
        w.healthy, w.spoils = trouble != "unhealthy", int(trouble == "spoilt")
        signers = ("security",) if trouble == "forged" else ("release", "security")
        consent = Consent.ASK if trouble in {"yes", "defer", "no", "stranger"} else Consent.AS_OWNER_SET

        def act() -> None:
            w.feel(Conditions(busy=trouble in {"taken back", "decays", "handed on", "late"}))
            w.pump()
            deadline = int(w.now) + (30 if trouble == "late" else 3 * DAY)
            patch = self.roll_out(
                sequence, data, version, signers=signers, consent=consent, deadline=deadline
            )
            if trouble in {"defer", "no"}:
                w.say(trouble)
                w.pump()
                return
            if trouble == "stranger":
                w.run(w.agent.consent("yes", w.now, bytes(32)))
            elif w.asks:
                w.say("yes")
            w.pump()
            if trouble == "late":
                w.advance(60)
            elif trouble == "taken back":
                w.offer(patch, sequence, cancel=True)
            elif trouble == "decays":
                self.flash_decays()
            elif trouble == "handed on":
                w.press_reset()
                w.pump()
            elif trouble == "cut":
                w.cut_at = w.durable + 1 + fill * 4 + counter
            self.good_minute(say="" if trouble in {"handed on", "stranger"} else "yes")

        self.live(act)

    # Four times as likely as everything else: what matters most comes after an install.

    @rule(luck=_LUCK)
    def another_patch_goes_in(self, luck: int) -> None:
        self.a_patch_goes_in(luck)

    @rule(luck=_LUCK)
    def one_more_patch_goes_in(self, luck: int) -> None:
        self.a_patch_goes_in(luck)

    @rule(luck=_LUCK)
    def yet_another_patch_goes_in(self, luck: int) -> None:
        self.a_patch_goes_in(luck)

    def roll_out(self, sequence: int, data: bytes, version: Any, **fields: Any) -> bytes:
        signers = fields.pop("signers", ("release", "security"))
        patch = self.w.patch(sequence, data, version=version, signers=signers)
        if (sequence, patch) not in self.patches:
            self.patches.append((sequence, patch))
        known = dict(self.patches[-8:])
        self.w.current(*self.headers, patches=tuple(known.items()))
        self.w.offer(patch, sequence, **fields)
        return patch

    @precondition(lambda self: self.patches)
    @rule(which=_ANY, cancel=st.booleans())
    def offer_again(self, which: int, cancel: bool) -> None:
        sequence, patch = self.patches[-1 - which % min(3, len(self.patches))]
        self.live(lambda: self.w.offer(patch, sequence, cancel=cancel) and None)

    # What the owner does.

    @precondition(lambda self: self.w.asks)
    @rule(answer=st.sampled_from(["yes", "yes", "defer", "no"]), which=st.sampled_from([0, 0, 0, 1, 2, 5]))
    def the_owner_answers(self, answer: str, which: int) -> None:
        asked = self.w.asks[max(0, len(self.w.asks) - 1 - which)]
        self.live(lambda: self.w.say(answer, asked.question))

    @precondition(lambda self: any(track.state in ASKED for track in self.w.agent.patches))
    @rule(answer=st.sampled_from(["yes", "defer", "no"]))
    def the_owner_answers_what_is_asked(self, answer: str) -> None:
        self.live(lambda: self.w.say(answer))

    @precondition(lambda self: any(track.state in ASKED for track in self.w.agent.patches))
    @rule(answer=st.sampled_from(["yes", "yes", "defer", "no"]))
    def somebody_answers_what_nobody_asked(self, answer: Any) -> None:
        self.live(lambda: self.w.run(self.w.agent.consent(answer, self.w.now, bytes(32))))

    @rule(answer=st.sampled_from(["yes", "defer", "no"]), question=st.sampled_from([bytes(32), b"", None]))
    def the_owner_answers_something_else(self, answer: Any, question: bytes | None) -> None:
        if question is None and self.w.asks:
            self.live(lambda: self.w.say(answer))
        else:
            self.live(lambda: self.w.run(self.w.agent.consent(answer, self.w.now, question or bytes(32))))

    @rule()
    def the_owner_acknowledges(self) -> None:
        self.live(lambda: self.w.run(self.w.agent.acknowledge(self.w.now)))

    @rule()
    def the_owner_hands_it_on(self) -> None:
        self.live(self.w.press_reset)

    @rule(battery=st.sampled_from([None, None, 10, 90]), busy=st.sampled_from([False, False, True]))
    def the_surroundings_change(self, battery: int | None, busy: bool) -> None:
        self.live(lambda: self.w.feel(Conditions(battery=battery, busy=busy)))

    @rule(surface=st.sampled_from([Reason.OK, Reason.OK, Reason.DISPLAY_FAILED, None]))
    def the_display_is(self, surface: Reason | None) -> None:
        self.w.surface = surface

    # What nature and others do.

    @rule(seconds=st.sampled_from([1, 5, 61, HOUR, 7 * HOUR]))
    def time_passes(self, seconds: int) -> None:
        self.live(lambda: self.w.advance(seconds))

    @rule(seconds=st.sampled_from([0, 0, -2 * DAY, -HOUR, -60, 60, HOUR, 20 * DAY]))
    def the_clock_is_set(self, seconds: int) -> None:
        self.w.skew = seconds
        # A notice that a wrong clock had ended is taken up again: the gateway rightly keeps that.
        self.w.explained = frozenset({"notice_back"})
        self.live(lambda: self.w.run(self.w.agent.tick(self.w.now)))

    @rule()
    def a_good_day(self) -> None:
        """Nothing fails, and the owner is kind."""
        self.be_kind()
        self.live(self.good_minute)

    def be_kind(self) -> None:
        w = self.w
        w.serving = w.receipting = w.healthy = True
        w.updater.busy, w.updater.fails = 0, False
        w.surface, w.cut_at, w.late, w.skew, w.spoils = Reason.OK, None, None, 0.0, 0

    def good_minute(self, *, say: str = "yes") -> None:
        w = self.w
        w.feel(Conditions())
        w.restart()
        if w.catalogue is not None:
            w.stamp(w.catalogue)
        w.pump()
        if w.asks and say:
            w.say(say)
        w.pump()
        w.advance(60)

    def flash_decays(self) -> None:
        """What waits for its hour is no longer what was verified."""
        if self.w.profile.platform is Platform.INSTALLER:
            self.w.flash.bank(self.w, STAGING)[-40:] = bytes(40)
            return
        self.w.slots[1 - self.w.agent._session.slot][-40:] = bytes(40)

    @rule(busy=st.integers(1, 3), fails=st.booleans())
    def the_updater_has_a_bad_day(self, busy: int, fails: bool) -> None:
        self.w.updater.busy, self.w.updater.fails = busy, fails

    @rule(blocks=st.integers(1, 5))
    def the_line_spoils(self, blocks: int) -> None:
        self.w.spoils = blocks

    @rule(healthy=st.booleans())
    def images_are(self, healthy: bool) -> None:
        self.w.healthy = healthy

    @rule(after=st.integers(1, 30), torn=st.integers(0, 9))
    def the_power_will_fail(self, after: int, torn: int) -> None:
        self.w.cut_at, self.w.torn = self.w.durable + after, torn

    @rule()
    def somebody_pulls_the_plug(self) -> None:
        self.live(self.w.restart)

    @rule(
        running=st.booleans(),
        what=st.sampled_from(["older", "newer", "unsigned", "garbage", "nothing"]),
        fill=st.integers(0, 3),
    )
    def somebody_writes_by_cable(self, running: bool, what: str, fill: int) -> None:
        w = self.w
        slot = w.agent._session.slot if running else 1 - w.agent._session.slot
        version = {"older": (1, 3, 0, 0), "newer": (2, 0, 0, 0)}.get(what, (1, 4, 2, 0))
        data = {"garbage": bytes(300), "nothing": b""}.get(what, image(version, size=SIZE, fill=fill + 10))
        if what in {"older", "newer"}:
            w.whole[hashlib.sha256(data).digest()] = version
        elif running:
            return  # whoever holds the cable may brick it
        if w.profile.platform is Platform.INSTALLER:
            if running:
                w.updater.runs, w.updater.next, w.updater.tried = data, None, False
        else:
            w.slots[slot] = bytearray(data)
        self.live(w.restart)

    # What a life must keep to.

    @invariant()
    def what_boots_is_what_the_record_says(self) -> None:
        record = load_record(self.w.boot)
        assert not self.w.queue
        if record.trial is None and self.w.boot:
            assert self.w.agent._session.slot == record.active
        self.w.check_running()

    @invariant()
    def every_entry_is_legal_and_chained(self) -> None:
        w = self.w
        entries = w.entries()
        state = w.agent._session.state
        if state.journal_lost == 0:
            assert [entry.index for entry in entries] == list(range(state.journal_count))
            assert journal_head(journal_genesis(FLEET.id, w.profile.id), entries) == state.journal_head
        for entry in entries[-6:]:
            if entry.track is Track.PATCH:
                self.note(PatchState(entry.new).name)
            elif entry.track is Track.NOTICE:
                self.note(NoticeState(entry.new).name)
            self.note(entry.reason.name)

    @invariant()
    def filters_and_state_stay_small(self) -> None:
        assert self.w.most_filters <= 8
        assert len(self.w.agent._session._refused) <= limits.REFUSALS_PER_BOOT_MAX + 1
