"""A world that is watched: whatever the device does is held against what really happened.

The watcher knows what was signed, what stood on the screen, what the owner said and what lies in flash. It never
asks the device whether something is all right; it compares.
"""

from __future__ import annotations

import hashlib
from typing import Any

from advisories import mcuboot, suit
from advisories.notice import Severity
from advisories.offer import Consent, Offer
from advisories.report import Agreed, JournalEntry, Report, Track, journal_genesis, journal_head, question
from advisories.states import (
    NOTICE_RESETS,
    NOTICE_TRANSITIONS,
    PATCH_TRANSITIONS,
    NoticeState,
    PatchState,
)
from advisories.versions import Version
from device_sim.core import effects as do
from device_sim.core.profile import AutoConsent, Conditions, Platform
from device_sim.core.slots import confirmed, load_record
from keys.codec import dump
from keys.reasons import Reason
from tests.device_sim.core import plans
from tests.device_sim.core.durable import FOR_EVER, REASONED, TRIED, floors_of, is_active, stored
from tests.device_sim.core.firmware import NEW, OLD, image
from tests.device_sim.core.gateway_side import Desk
from tests.device_sim.core.truth import Made, Skewed, is_open
from tests.device_sim.core.world import FLEET, World
from tests.helpers import PRODUCT, Fleet

SEEN = frozenset({NoticeState.SHOWN, NoticeState.ACKNOWLEDGED})
NOTICEABLE = (do.Publish, do.Show, do.AskConsent, do.Announce, do.SaveBoot, do.Reboot, do.RunInstaller)
STATE_BYTES = 64 * 1_024


class Watched(World):
    """A world whose device is caught at every lie."""

    @property
    def agent(self) -> Any:
        return self._skewed

    @agent.setter
    def agent(self, made: Any) -> None:
        self._skewed = None if made is None else Skewed(made, self)

    def __init__(self, fleet: Fleet = FLEET, *, start: bool = True, **profile: Any) -> None:
        self.watch = True
        self.skew = 0.0
        """Seconds by which the device's clock is ahead of everybody's."""
        self.making: Made | None = None
        """What is being published."""
        self.recipes: dict[bytes, Made] = {}
        self.whole: dict[bytes, Version | None] = {hashlib.sha256(image()).digest(): OLD}
        """SHA-256 of every image that may run, and its version."""
        self.banks: set[tuple[bytes, ...]] = set()
        """SHA-256 of components that may run together, on a device of several."""
        self.offers: list[Offer] = []
        self.headers: dict[bytes, Any] = {}
        """Digest -> notice, of every header that was signed."""
        self.agreed: dict[bytes, bytes] = {}
        """Patch -> question to which this owner said yes."""
        self.questions: dict[bytes, bytes] = {}
        """Question -> patch."""
        self.told_of: set[bytes] = set()
        self.drawn: set[tuple[str, int]] = set()
        """What stood on the screen: (advisory, revision)."""
        self.confirmed: set[bytes] = set()
        """Patches whose image ran, passed its test and was confirmed."""
        self.passed = False
        """What the last self-test came to."""
        self.surroundings = Conditions()
        self.floors: dict[Any, Any] = {}
        self.explained: frozenset[str] = frozenset()
        """Anomalies that the gateway rightly keeps in this story."""
        self.stirs = 0
        """How often anybody outside could notice something."""
        self.desk: Desk = None  # type: ignore[assignment]
        super().__init__(fleet, start=False, **profile)
        self.desk = Desk(self.fleet, self.profile.id, self.profile.product)
        if start:
            self.start()
            self.pump()

    # What is made.

    def compose(
        self, sequence: int, version: Version, *payloads: suit.Payload, boots: bytes, **fields: Any
    ) -> bytes:
        """Publish a patch that says whatever it is told to say, be it true or not, and boots ``boots``."""
        self.making = Made(sequence, version, hashlib.sha256(boots).digest(), genuine=True)
        return plans.publish(self, *payloads, sequence=sequence, **fields)

    def patch(self, sequence: int = 7, data: bytes | None = None, **fields: Any) -> bytes:
        version = fields.get("version", NEW)
        data = image(version) if data is None else data
        genuine = {"release", "security"} <= set(fields.get("signers", ("release", "security")))
        counter = mcuboot.parse(data).security_counter or 0
        self.making = Made(sequence, version, hashlib.sha256(data).digest(), genuine, counter)
        return super().patch(sequence, data, **fields)

    def publish(self, topic: str, payload: bytes) -> None:
        if self.making is not None and topic == self.topics.patch(PRODUCT, self.making.sequence):
            # Known to us before the device hears of it.
            self.recipes[suit.manifest_digest(payload)] = self.making
            if self.making.genuine:
                self.whole[self.making.payload] = self.making.version
        super().publish(topic, payload)

    def seal(self, body: Any) -> bytes:
        document = super().seal(body)
        if body.TYPE == "offer":
            self.offers.append(body)
        if body.TYPE == "notice":
            self.headers[hashlib.sha256(dump(body)).digest()] = body
        return document

    # What the owner does.

    def say(self, answer: Any, asked: bytes | None = None) -> None:
        """The owner answers a question, the last one or any other."""
        asked = asked or (self.asks[-1].question if self.asks else None)
        if answer == "yes" and asked in self.questions:
            self.agreed[self.questions[asked]] = asked
        self.queue.append(lambda: self.agent.consent(answer, self.now, asked))

    def press_reset(self) -> None:
        """The owner hands the device on: done once the device has stored it."""
        self.queue.append(lambda: self.agent.factory_reset(self.now))

    def feel(self, found: Conditions) -> None:
        """The surroundings change."""
        self.surroundings = found
        self.queue.append(lambda: self.agent.conditions(found, self.now))

    # What the device does.

    def start(self) -> None:
        super().start()
        self.check_running()
        self.queue.append(lambda: self.agent.conditions(self.surroundings, self.now))

    def running(self) -> bytes:
        """The image that runs."""
        return bytes(self.slots[self.agent._session.slot])

    def check_running(self) -> None:
        """What boots is whole, somebody who may has signed it, and its components belong together."""
        slot, digest = self.agent._session.slot, hashlib.sha256(self.running()).digest()
        assert digest in self.whole, "an image runs that is not whole, or that nobody signed"
        if len(self.profile.components) > 1:
            found = self.bank_of(slot)
            assert found in self.banks, "components run together that were never signed together"

    def bank_of(self, slot: int) -> tuple[bytes, ...]:
        """SHA-256 of every component of a bank."""
        count = len(self.profile.components)
        return tuple(hashlib.sha256(self.flash.bank(self, slot, place)).digest() for place in range(count))

    def carry_out(self, effect: do.Effect) -> None:
        if isinstance(effect, NOTICEABLE):
            self.stirs += 1
        if self.watch:
            match effect:
                case do.Save(data):
                    self.check_save(data)
                case do.SaveBoot(record):
                    self.check_boot(record)
                case do.Show(notice):
                    self.check_show(notice)
                case do.AskConsent():
                    self.check_question(effect)
                case do.SelfTest():
                    self.passed = self.healthy
                case do.WakeAt(time):
                    effect = do.WakeAt(time - self.skew)
                case do.Announce():
                    self.told_of |= {track.digest for track in stored(self.state).patches if is_active(track)}
        super().carry_out(effect)

    def take_report(self, payload: bytes) -> None:
        super().take_report(payload)
        if self.watch:
            report = self.desk.take(payload, self.now, self.headers)
            assert [found for found in self.desk.anomalies if found.kind not in self.explained] == []
            self.check_report(report)

    # What must hold.

    def check_save(self, data: bytes) -> None:
        """What is stored follows from what was stored, and from what happened."""
        assert len(data) <= STATE_BYTES
        old, new = stored(self.state) if self.state else None, stored(data)
        count, head = (
            (old.journal_count, old.journal_head)
            if old is not None
            else (0, journal_genesis(self.fleet.id, self.profile.id))
        )
        fresh = [entry for entry in new.journal if entry.index >= count]
        if new.journal_lost == 0:
            assert journal_head(head, fresh) == new.journal_head, "the journal's chain is broken"
            assert [entry.index for entry in fresh] == list(range(count, new.journal_count))
        for entry in fresh:
            self.check_entry(entry, new)
        assert sum(is_active(track) for track in new.patches) <= 1, "two patches under way"
        for track in new.patches:
            if track.state is PatchState.SUCCEEDED and track.digest not in self.confirmed:
                self.check_success(track.digest)
        floors = floors_of(new)
        assert new.patch_floor[1] in {b"", *self.confirmed}, "the floor of a patch that nobody confirmed"
        if old is not None:
            before = floors_of(old)
            same = before["root"] == floors["root"]
            for name, floor in before.items():
                if name in FOR_EVER or same:
                    assert name in floors, f"the floor of {name} is gone"
                    assert floors[name] >= floor, f"the floor of {name} fell"

    def check_entry(self, entry: JournalEntry, new: Any) -> None:
        """Every step is one of the table, and true."""
        if entry.track is Track.PATCH:
            state = PatchState(entry.new)
            assert state in PATCH_TRANSITIONS[PatchState(entry.old)], f"{entry.old} to {entry.new}"
            assert state not in REASONED or entry.reason is not Reason.OK, f"{state.name} for no reason"
            if state is PatchState.INSTALLING:
                self.check_install(entry.digest or b"", new)
        elif entry.track is Track.NOTICE:
            if entry.new == NoticeState.REJECTED:
                assert entry.reason is not Reason.OK
                return
            was, state = NoticeState(entry.old), NoticeState(entry.new)
            reset = entry.reason is Reason.RESET and NOTICE_RESETS.get(was) is state
            assert reset or state in NOTICE_TRANSITIONS[was], f"{was.name} to {state.name}"
            if state is NoticeState.SHOWN:
                header = self.headers[entry.digest or b""]
                same_words = entry.reason is Reason.SAME_WORDS
                told = {revision for name, revision in self.drawn if name == header.id}
                assert header.revision in told or (same_words and told), "SHOWN, and nobody could see it"
        elif entry.track is Track.DEVICE and entry.reason is Reason.RESET:
            self.agreed.clear()
            self.told_of.clear()
            self.drawn.clear()
        elif entry.track is Track.REFUSAL:
            assert entry.reason is not Reason.OK, "refused for no reason"

    def check_install(self, patch: bytes, new: Any) -> None:
        """Nothing is installed that was not agreed, or at a time that was not agreed."""
        track = next(track for track in new.patches if track.digest == patch)
        made, profile = self.recipes[patch], self.profile
        assert made.genuine, "installs what nobody signed"
        offer = next(offer for offer in self.offers if offer.version == track.offer.version)
        assert (offer.digest, offer.cancel) == (patch, False)
        self.check_agreed(patch, offer, new)
        time = self.agent.trusted.time(int(self.now + self.skew))
        assert time < min(offer.deadline, offer.expires or time + 1), "installs after the deadline"
        assert offer.window is None or offer.window[0] <= time < offer.window[1], (
            "installs outside the offer's window"
        )
        assert made.sequence > new.patch_floor[0] or patch == new.patch_floor[1], "installs an older patch"
        if profile.platform is Platform.SLOTS:  # an updater of the platform keeps its own
            assert made.counter >= max([0, *(self.recipes[found].counter for found in self.confirmed)]), (
                "goes back"
            )
        heard = floors_of(new)["offer", profile.id]
        of_it = [found for found in self.offers if found.digest == patch and found.version <= heard]
        assert not max(of_it, key=lambda found: found.version).cancel, "installs what was taken back"
        assert profile.platform is not Platform.NONE, "installs where somebody else does"
        assert is_open(profile, time), "installs outside the owner's windows"
        assert not self.surroundings.busy, "installs while it must not be disturbed"
        charge = self.surroundings.battery
        assert charge is None or charge >= profile.battery_min, "installs on a low battery"

    def check_agreed(self, patch: bytes, offer: Offer, new: Any) -> None:
        """The owner agreed: to what was shown, or beforehand."""
        urgent = any(
            header.severity in {Severity.HIGH, Severity.CRITICAL}
            and patch in (header.patches or {}).get(PRODUCT, ())
            and any(track.digest == digest for track in new.notices)
            for digest, header in self.headers.items()
        )
        beforehand = self.profile.auto_consent is AutoConsent.ALWAYS or (
            self.profile.auto_consent is AutoConsent.URGENT and urgent
        )
        if offer.consent is Consent.ASK or not beforehand:
            assert patch in self.agreed, "installs what the owner did not agree to"
        else:
            assert patch in self.agreed or patch in self.told_of, "installs without a word"

    def check_boot(self, data: bytes) -> None:
        """A boot record names whole images only, and one that was verified."""
        record = load_record(data)
        for slot in {record.active, record.trial} - {None}:
            digest = hashlib.sha256(self.slots[slot]).digest()
            assert digest in self.whole, "the boot record names an image that is not whole"
        if record.trial is not None:
            if len(self.profile.components) > 1:
                assert self.bank_of(record.trial) in self.banks, "a bank is on trial that is not whole"
            states = {track.digest: track.state for track in stored(self.state).patches if is_active(track)}
            assert [self.recipes[digest].payload for digest in states] == [
                hashlib.sha256(self.slots[record.trial]).digest()
            ]
            assert set(states.values()) <= TRIED, "on trial before it stands in the state"

    def check_success(self, patch: bytes) -> None:
        """SUCCEEDED: the promised image was measured, runs, and is what will boot."""
        self.confirmed.add(patch)
        assert self.passed, "its self-test failed"
        assert hashlib.sha256(self.running()).digest() == self.recipes[patch].payload
        assert self.agent.installed == self.recipes[patch].version
        if self.profile.platform is Platform.SLOTS:
            assert load_record(self.boot) == load_record(confirmed(self.agent._session.slot))

    def check_handover(self, effect: do.RunInstaller, staged: bytes) -> None:
        """An installer is given what was verified, once that stands in the state."""
        patch = next(track for track in stored(self.state).patches if is_active(track))
        if effect.verb == "install":
            assert patch.state in TRIED, "handed over before it stands in the state"
            assert staged == self.recipes[patch.digest].payload, "hands over what is not the patch"
        if effect.verb == "confirm":
            assert self.passed, "its self-test failed"

    def check_show(self, notice: Any) -> None:
        """What comes onto the screen was signed."""
        assert any(
            (found.id, found.revision) == (notice.id, notice.revision) for found in self.headers.values()
        )
        if self.surface is Reason.OK:
            self.drawn.add((notice.id, notice.revision))

    def check_question(self, ask: do.AskConsent) -> None:
        """A question stands for what is shown: patch, notice, words and language."""
        patch = next(track for track in stored(self.state).patches if is_active(track))
        about = ask.notice
        texts = about.texts.items() if about is not None else ()
        named = [digest for digest, header in self.headers.items() if header == about] or [None]
        shown = [(None, None), *((language, words) for language, words in texts)]
        languages = {None, *self.profile.languages, *(language for language, _ in shown)}
        assert any(
            ask.question == question(patch.digest, header, words, language)
            for header in named
            for _, words in shown
            for language in languages
        ), "a question that stands for something else"
        self.questions[ask.question] = patch.digest

    def check_report(self, report: Report) -> None:
        """A report says what is stored, and nothing more."""
        state = stored(self.state)
        assert report.installed == self.whole[hashlib.sha256(self.running()).digest()]
        assert report.boot_epoch == state.boot_epoch
        assert (report.journal_count, report.journal_head) == (state.journal_count, state.journal_head)
        tracks = {track.digest: track for track in state.patches}
        for status in report.patches:
            track = tracks[status.digest]
            assert (status.state, status.sequence, status.reason) == (
                track.state,
                track.sequence,
                track.reason,
            )
            if status.consent is not None:
                self.check_consent(status.digest, status.consent)
        notices = {track.id: track for track in state.notices}
        for told in report.notices:
            found = notices[told.id]
            assert (told.digest, told.state, told.language) == (found.digest, found.state, found.language)
            if told.state in SEEN:
                assert any(name == told.id for name, _ in self.drawn), "reported as seen, and never drawn"

    def check_consent(self, patch: bytes, consent: Any) -> None:
        """A consent is reported only where it was given."""
        if consent.how is Agreed.ASKED:
            assert self.agreed.get(patch) == consent.question, "reports a consent that nobody gave"
        else:
            allowed = {AutoConsent.ALWAYS: Agreed.ALWAYS, AutoConsent.URGENT: Agreed.URGENT}
            assert consent.how is allowed.get(self.profile.auto_consent), "reports a wish that nobody has"
