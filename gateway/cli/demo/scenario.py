"""The story of the demo, act by act. Each act looks into the store first, so that a run can go on later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from device_sim import faults
from device_sim.faults import Behaviour
from device_sim.fleet import Fleet
from device_sim.home import Home
from gateway.cli.demo import trouble
from gateway.cli.demo.cast import (
    FIRST_BUILD,
    FIRST_ROLLOUT,
    FIXED_VERSION,
    GROUPS,
    PRODUCTS,
    Member,
    Trouble,
    demanded,
    rollout_name,
)
from gateway.cli.demo.measure import Measured, look
from gateway.cli.demo.screen import Screen
from gateway.cli.demo.shows import Shows
from gateway.cli.demo.stage import ADVISORY, Stage, first_image, no_passphrase
from gateway.cli.demo.waiting import until
from gateway.core.rollout import Group, Plan, RolloutState
from gateway.core.rollout.plan import Gates, Success, Then, Trip
from gateway.operations import advisories, patches, rollouts
from gateway.service.link import Link
from gateway.service.runtime import Gateway
from gateway.store.engine import Store
from keys.reasons import Reason

if TYPE_CHECKING:
    from gateway.cli.demo.wired import Wired  # needs what only a bench installs

SUCCESS_PERCENT: Final = 50
FAILURE_PERCENT: Final = 60  # the one device that reverts must not stop the smallest demo


class Scenario:
    """Runs the acts against a running gateway and fleet."""

    def __init__(
        self, stage: Stage, store: Store, screen: Screen, url: str, wired: Sequence[Wired] = ()
    ) -> None:
        self._stage, self._store, self._screen, self._url = stage, store, screen, url
        self._wired = wired
        self._members = {member.id: member for member in stage.cast}
        self._late = asyncio.Event()
        self._demanded = demanded(stage.cast)
        self._elsewhere = frozenset(board.member.id for board in wired)
        """Devices that are not of the fleet in this process."""
        self._shows = Shows(stage, without=self._elsewhere)
        if self._offline & look(store).reporting:
            self._late.set()  # it came online before the interruption
        self.fleet = self._make_fleet()

    def _make_fleet(self) -> Fleet:
        scripts: dict[Trouble, Callable[[], Behaviour]] = {
            Trouble.OFFLINE: lambda: faults.offline_until(self._late),
            Trouble.DOWNLOAD: faults.breaks_download,
            Trouble.SELF_TEST: faults.fails_self_test,
        }
        homes = [
            Home.open(self._stage.workspace.path / "devices" / name, durable=False)
            for name in self._members
            if name not in self._elsewhere
        ]
        behaviours = {
            member.id: scripts[member.trouble]() for member in self._stage.cast if member.trouble in scripts
        }
        return Fleet(homes, self._url, behaviours=behaviours, display=self._shows.display)

    def _ids(self, wanted: Callable[[Member], bool]) -> frozenset[str]:
        return frozenset(member.id for member in self._stage.cast if wanted(member))

    @property
    def _offline(self) -> frozenset[str]:
        return self._ids(lambda member: member.trouble is Trouble.OFFLINE)

    @property
    def _affected(self) -> frozenset[str]:
        return self._ids(lambda member: member.affected)

    async def play(self, gateway: Gateway) -> Measured:
        """Play all acts and return what the store says at the end.

        Raises:
            StuckError: naming what did not come.
        """
        await gateway.ready.wait()
        totals = {
            "delivered": len(self._stage.cast),
            "shown": self._demanded.shown,
            "acknowledged": self._demanded.acknowledged,
            "patched": self._demanded.patched,
        }
        with self._screen.funnel(totals):
            await self._act_1_everybody_is_there()
            await self._act_2_the_notice()
            await self._act_3_attacks()
            if self._stage.board is not None:
                await self._act_of_the_first_build(self._stage.board)
            await self._act_4_the_patch()
            outcome = await self._act_5_the_late_one()
            for board in self._wired:
                await self._epilogue_of_a_board(board)
            return outcome

    async def _act_1_everybody_is_there(self) -> None:
        online = frozenset(self._members) - self._offline
        self._screen.say(f"{len(online)} devices connect, verify root and catalogue, and report")
        for board in self._wired:
            self._screen.say(f"device {board.member.id} {board.program.about}")
        # A board that reported before an interruption is not there yet, and nobody keeps forgeries for it.
        await self._until(
            lambda now: all(board.online.is_set() for board in self._wired) and online <= now.reporting,
            "all devices to report",
        )

    async def _act_2_the_notice(self) -> None:
        if not await asyncio.to_thread(self._publish_advisory):
            self._screen.say(f"{ADVISORY} is published already: going on where the last run ended")
        online = self._affected - self._offline
        everybody = frozenset(self._members) - self._offline
        await self._until(
            lambda now: online <= now.acknowledged and everybody <= now.confirmed and self._all_read(),
            "all owners to acknowledge, and all devices to know that the notice is current",
        )
        shown = self._shows.console()
        if shown is not None:
            self._screen.device(*shown)
        for board in self._wired:
            if board.told.lines:
                self._screen.board(board.member.id, board.program.how, board.told.lines)

    def _all_read(self) -> bool:
        """Whether every board that shows a notice has been seen to say that it is current."""
        return all(board.told.confirmed or not board.told.lines for board in self._wired)

    def _publish_advisory(self) -> bool:
        workspace, now = self._stage.workspace, int(time.time())
        if advisories.published_revision(workspace, ADVISORY):
            return False
        board, made = self._stage.board, {(view.product, view.version) for view in patches.every(workspace)}
        if board is not None and (board.product, FIRST_BUILD) not in made:
            image = first_image(workspace, board)
            patches.add(workspace, board.product, image, now=now, texts={"en": "Closes the weakness."})
        for product in PRODUCTS:
            if (product, FIXED_VERSION[product]) not in made:
                image = workspace.path / "images" / f"{product}-{FIXED_VERSION[product]}.bin"
                patches.add(workspace, product, image, now=now, texts={"en": "Closes the weakness."})
        checked = advisories.load(workspace, ADVISORY)
        blocking = [finding for finding in checked.findings if finding.severity == "block"]
        self._screen.say(f"{ADVISORY}: {len(blocking)} blocking findings, {len(checked.findings)} in all")
        for role in ("engineering", "legal", "communications"):
            reviewed = advisories.review(workspace, ADVISORY, now=now)
            if role in reviewed.approvals.missing:
                reviewed = advisories.approve(workspace, reviewed, role, no_passphrase)
                self._screen.say(f"{role} signs the exact bytes, digest {reviewed.digest.hex()[:16]}")
        issued = advisories.publish(workspace, ADVISORY, self._stage.signer("operator"), now=now)
        self._screen.say(
            f"published to {', '.join(issued.notice.subject)} in {len(issued.notice.texts)} languages"
        )
        return True

    async def _act_3_attacks(self) -> None:
        refused = {
            reason: self._demanded.refused[reason]
            for reason in (Reason.UNKNOWN_KEY.name, Reason.THRESHOLD_NOT_MET.name, Reason.REPLAYED.name)
        }

        def all_refused(now: Measured) -> bool:
            return all(now.refused.get(reason, 0) >= count for reason, count in refused.items())

        if all_refused(await asyncio.to_thread(look, self._store)):
            return
        topics = self._stage.workspace.topics
        folder = self._stage.workspace.path / "trouble"
        with self._store.read() as session:
            stored = session.document("notice", ADVISORY)
        assert stored is not None
        signers = [self._stage.signer(role) for role in ("engineering", "communications")]
        forged = trouble.forged_notice(folder, stored.bytes, "thermostat")
        unapproved = trouble.unapproved_notice(folder, stored.bytes, "doorbell", signers)
        link = await Link.open(self._url, "attacker", lambda message: message.ack())
        try:
            self._screen.trouble("a forged notice, signed with keys that no root lists, to all thermostats")
            await link.publish(topics.notice("thermostat", trouble.FORGED_ID), forged)
            self._screen.trouble("a notice without Legal's signature, to all doorbells")
            await link.publish(topics.notice("doorbell", trouble.UNAPPROVED_ID), unapproved)
            self._screen.trouble("an old catalogue, replayed to all thermostats")
            await link.publish(topics.catalogue("thermostat"), self._stage.old_catalogue("thermostat"))
        finally:
            link.close()
        await self._until(all_refused, "all forgeries to be refused and reported")

    async def _act_of_the_first_build(self, board: Member) -> None:
        """Let a board try a first build of the mend: it goes back, and nobody else is offered that build."""
        await asyncio.to_thread(self._publish_first_build, board)
        await self._until(
            lambda now: board.id in now.reverted and FIRST_ROLLOUT in now.stopped,
            "the board to go back from the first build, and its rollout to stop",
        )
        self._screen.say(
            f"board {board.id} went back to {board.version} by itself and reported it;"
            " the gate has stopped that rollout"
        )

    def _publish_first_build(self, board: Member) -> None:
        workspace, now = self._stage.workspace, int(time.time())
        if FIRST_ROLLOUT in self._made_rollouts():
            return
        view = next(view for view in patches.every(workspace) if view.version == FIRST_BUILD)
        self._approve_and_publish(view, now)
        gates = Gates(success=Success(percent=100), failure=(Trip(percent=0, minimum=1, then=Then.STOP),))
        plan = Plan(
            groups=(Group(),),
            where=["devices", board.id],
            gates=gates,
            deadline=now + rollouts.DEADLINE_DAYS * rollouts.DAY,
        )
        reference = str(view.patch.sequence)
        rollouts.making.create(workspace, reference, plan, now=now, by="", name=FIRST_ROLLOUT, start=True)
        self._screen.trouble(
            f"a first build, {view.product} {view.version}, goes to board {board.id} alone:"
            " it will not stand its self-test there"
        )

    async def _act_4_the_patch(self) -> None:
        await asyncio.to_thread(self._publish_patches)
        broken = self._ids(lambda member: member.trouble is Trouble.DOWNLOAD)
        reverting = self._ids(lambda member: member.trouble is Trouble.SELF_TEST)
        self._screen.trouble(f"device {min(broken)} gets a damaged block: it must notice and load again")
        self._screen.trouble(f"device {min(reverting)} will fail its self-test: it must go back by itself")
        waiting = frozenset(self._members) - self._offline
        boards = self._ids(lambda member: member.board)
        await self._until(
            lambda now: waiting <= now.at_rest and boards <= now.patched,
            "all patches to be confirmed or reverted",
        )

    def _made_rollouts(self) -> frozenset[str]:
        """Return the rollouts that are there; one whose making was interrupted is made anew."""
        views = rollouts.status(self._stage.workspace)
        return frozenset(view.id for view in views if view.state is not RolloutState.CREATING)

    def _approve_and_publish(self, view: patches.PatchView, now: int) -> None:
        workspace, reference = self._stage.workspace, str(view.patch.sequence)
        for role in ("release", "security"):
            patches.approve(
                workspace,
                reference,
                role,
                no_passphrase,
                digest=view.patch.digest,
                now=now,
                by=f"exercise-{role}",
            )
        patches.publish(workspace, reference, self._stage.signer("operator"), now=now)

    def _publish_patches(self) -> None:
        workspace, now = self._stage.workspace, int(time.time())
        running = self._made_rollouts()
        for view in patches.every(workspace):
            if rollout_name(view.product) in running or view.version == FIRST_BUILD:
                continue
            self._approve_and_publish(view, now)
            rollouts.start(
                workspace,
                str(view.patch.sequence),
                now=now,
                percents=GROUPS,
                success=SUCCESS_PERCENT,
                failure=FAILURE_PERCENT,
                name=rollout_name(view.product),
            )
            shares = " then ".join(f"{share} %" for share in GROUPS)
            self._screen.say(
                f"patch {view.product} {view.version}, signed by release and security, goes out to {shares}"
            )

    async def _act_5_the_late_one(self) -> Measured:
        if not self._late.is_set():
            self._screen.trouble(f"device {min(self._offline)} was offline all the time and comes online now")
            self._late.set()
        everybody = frozenset(self._members)
        return await self._until(
            lambda now: everybody <= now.at_rest and self._affected <= now.acknowledged,
            "the late device to be told and patched",
        )

    async def _epilogue_of_a_board(self, wired: Wired) -> None:
        """Ask the board itself: what it reported stands in the store already."""
        await self._until(lambda _: wired.patched, f"the board {wired.member.id} to say what it runs")
        told = wired.summary()
        self._screen.say(
            f"board {wired.member.id} says over its line that it runs {told['runs']};"
            f" {told['smp_messages']} SMP messages ({told['smp_bytes']} bytes) went over it"
        )

    async def _until(self, done: Callable[[Measured], bool], what: str) -> Measured:
        return await until(
            self._store,
            done,
            what,
            stop_on=self._failure,
            seen=lambda now: self._screen.update(now.bars()),
        )

    def _failure(self) -> Exception | None:
        """Return what makes further waiting pointless."""
        failed = [board.failure for board in self._wired if board.failure is not None]
        return next(iter((*self.fleet.failures.values(), *failed)), None)
