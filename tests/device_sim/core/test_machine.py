"""A device's life at random: whatever happens in whatever order, what must always hold does hold."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from advisories.notice import Phase
from advisories.offer import Consent
from advisories.report import journal_genesis, journal_head
from advisories.states import PATCH_ENDED, PatchState
from device_sim.core import limits
from device_sim.core.slots import load_record
from keys.document import seal
from tests.device_sim.core.firmware import OLD, image
from tests.device_sim.core.world import FLEET, PowerCutError, World
from tests.helpers import HOUR, NOW, PRODUCT, key, notice

VERSIONS = [(1, 4, 2, 0), (1, 5, 0, 0), OLD]


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.w = World(defer_max=1, defer_seconds=60)
        self.w.connect()
        self.revision = 0
        self.headers = ()
        self.patches: list[tuple[int, bytes]] = []
        self.floor = 0
        self.versions = {OLD}

    def live(self, action) -> None:
        """Do something that a power cut may end in the middle."""
        try:
            action()
        except PowerCutError:
            self.w.cut_at = None
            self.w.restart()

    @rule(
        phase=st.sampled_from(Phase), all_affected=st.booleans(), life=st.sampled_from([300, 90 * 24 * HOUR])
    )
    def publish_a_notice(self, phase, all_affected, life) -> None:
        self.revision += 1
        patches = {PRODUCT: tuple(digest for _, digest in self.patches[-4:])}
        header = notice(
            FLEET,
            revision=self.revision,
            version=NOW + self.revision,
            phase=phase,
            expires=int(self.w.now) + life,
            patches=patches,
            **({"affected": {PRODUCT: ((None, None),)}} if all_affected else {}),
        )
        self.headers = (header,)
        self.live(lambda: self.w.notice(header))

    @rule()
    def publish_what_is_current(self) -> None:
        self.live(lambda: self.w.current(*self.headers, patches=tuple(self.patches[-8:])))

    @rule(
        version=st.sampled_from(VERSIONS),
        consent=st.sampled_from(Consent),
        wait=st.sampled_from([0, 0, 120]),
        fill=st.integers(0, 1),
    )
    def offer_a_patch(self, version, consent, wait, fill) -> None:
        sequence = len(self.patches) + 1
        self.versions.add(version)
        patch = self.w.patch(sequence, image(version, fill=fill), version=version)
        self.patches.append((sequence, patch))
        window = (int(self.w.now) + wait, int(self.w.now) + wait + HOUR) if wait else None

        def roll_out() -> None:
            self.w.current(*self.headers, patches=tuple(self.patches[-8:]))
            self.w.offer(patch, sequence, consent=consent, window=window)

        self.live(roll_out)

    @precondition(lambda self: self.patches)
    @rule(data=st.data(), cancel=st.booleans())
    def offer_again(self, data, cancel) -> None:
        sequence, patch = data.draw(st.sampled_from(self.patches))
        self.live(lambda: self.w.offer(patch, sequence, cancel=cancel))

    @rule(answer=st.sampled_from(["yes", "defer", "no"]))
    def the_owner_answers(self, answer) -> None:
        def act() -> None:
            self.w.run(self.w.agent.consent(answer, self.w.now))
            self.w.pump()

        self.live(act)

    @rule()
    def the_owner_acknowledges(self) -> None:
        def act() -> None:
            self.w.run(self.w.agent.acknowledge(self.w.now))
            self.w.pump()

        self.live(act)

    @rule(seconds=st.sampled_from([1, 5, 61, 7 * HOUR]))
    def time_passes(self, seconds) -> None:
        self.live(lambda: self.w.advance(seconds))

    @rule(healthy=st.booleans())
    def images_are(self, healthy) -> None:
        self.w.healthy = healthy

    @rule(after=st.integers(1, 30))
    def the_power_will_fail(self, after) -> None:
        self.w.cut_at = self.w.durable + after

    @rule()
    def somebody_pulls_the_plug(self) -> None:
        self.live(self.w.restart)

    @rule()
    def the_link_breaks(self) -> None:
        def act() -> None:
            self.w.disconnect()
            self.w.advance(30)
            self.w.connect()

        self.live(act)

    @rule(payload=st.binary(max_size=30))
    def somebody_forges(self, payload) -> None:
        topic = self.w.topics.notice(PRODUCT, "EX-2026-0001")
        self.live(lambda: self.w.send(topic, payload or seal(notice(FLEET), [key("nobody")])))

    @invariant()
    def what_runs_is_whole_and_known(self) -> None:
        assert self.w.agent.installed in self.versions
        assert not self.w.queue
        record = load_record(self.w.boot)
        if record.trial is None and self.w.boot:
            assert self.w.agent._session.slot == record.active

    @invariant()
    def the_floor_never_sinks(self) -> None:
        sequence = self.w.agent._session.state.patch_floor[0]
        assert sequence >= self.floor
        self.floor = sequence

    @invariant()
    def one_patch_at_a_time(self) -> None:
        active = [track for track in self.w.agent.patches if track.state not in PATCH_ENDED]
        assert len(active) <= 1
        assert all(track.state is not PatchState.REBOOTING for track in active)

    @invariant()
    def every_transition_is_legal_and_chained(self) -> None:
        w = self.w
        for _, patch in self.patches:
            w.path(patch.hex()[:16])
        w.path("EX-2026-0001")
        entries = w.entries()
        state = w.agent._session.state
        assert [entry.index for entry in entries] == list(range(state.journal_count))
        assert journal_head(journal_genesis(FLEET.id, w.profile.id), entries) == state.journal_head

    @invariant()
    def filters_and_state_stay_small(self) -> None:
        assert self.w.most_filters <= 8
        assert len(self.w.state or b"") <= 16_384
        assert len(self.w.agent._session._refused) <= limits.REFUSALS_PER_BOOT_MAX + 1


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=20)
TestLife = Life.TestCase
