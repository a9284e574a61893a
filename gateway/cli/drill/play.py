"""The drill, step by step: from the moment of awareness to the last notice, each step timed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from rich.markup import escape

from advisories.clocks.running import clocks
from advisories.incident.kinds import Linked, Opened, Submitted
from advisories.learning.drill import Drill, Taken
from advisories.learning.replies import Channel, Decision, Received, Topic, Triaged
from advisories.translate.insert import insert
from device_sim.fleet import Fleet
from device_sim.home import Home
from gateway import files
from gateway.cli.demo.cast import FIXED_VERSION, PRODUCTS, rollout_name
from gateway.cli.demo.measure import Measured
from gateway.cli.demo.screen import Screen
from gateway.cli.demo.stage import ADVISORY, Stage, no_passphrase
from gateway.cli.demo.waiting import POLL_SECONDS, until
from gateway.operations import advisories, patches, rollouts
from gateway.operations.incidents import drafts, records
from gateway.operations.learning import replies, review
from gateway.service.runtime import Gateway
from gateway.store.engine import Store
from keys.errors import InputError

INCIDENT: Final = "INC-EXERCISE-1"
REGIME: Final = "eu-cra-14-exploited"
ROLES: Final = ("engineering", "legal", "communications")
_MEASURE: Final = """\
measures:
  - {what: Every new version is tested against this weakness., kind: test, done: true}
"""
_CHANGED: Final = {
    "en": "The update is on nearly all devices. This matter is closed.",
    "de": "Das Update ist auf fast allen Geräten. Die Sache ist abgeschlossen.",
    "fr": "La mise à jour est sur presque tous les appareils. L'affaire est close.",
    "es": "La actualización está en casi todos los aparatos. El asunto está cerrado.",
    "it": "L'aggiornamento è su quasi tutti i dispositivi. Il caso è chiuso.",
    "pl": "Aktualizacja jest na prawie wszystkich urządzeniach. Sprawa jest zamknięta.",
    "ja": "ほとんどの機器が更新されました。この件は終わりました。",
    "zh": "几乎所有设备都已更新。此事已结束。",
    "ar": "التحديث موجود الآن على جميع الأجهزة تقريبًا. انتهت هذه المسألة.",
}


class Play:
    """One drill. Where people take part, it waits for their approvals instead of giving them."""

    def __init__(self, stage: Stage, store: Store, screen: Screen, url: str, *, people: bool) -> None:
        self._stage = stage
        self._store = store
        self._screen = screen
        self._people = people
        self._started = 0.0
        self._aware = 0.0
        self._fault = ""
        self.steps: list[Taken] = []
        folder = stage.workspace.path / "devices"
        homes = [Home.open(folder / member.id, durable=False) for member in stage.cast]
        self.fleet = Fleet(homes, url)

    async def play(self, gateway: Gateway) -> Drill:
        """Play every step and return what it came to.

        Raises:
            StuckError: naming what did not come.
        """
        await gateway.ready.wait()
        everybody = frozenset(member.id for member in self._stage.cast)
        affected = frozenset(member.id for member in self._stage.cast if member.affected)
        await self._until(lambda now: everybody <= now.reporting, "all devices to report")
        await asyncio.to_thread(self._open)
        await asyncio.to_thread(self._warn_the_authority)
        await self._approved(1)
        await asyncio.to_thread(self._publish, "first notice published")
        await self._until(lambda now: affected <= now.shown, "all owners to be shown the notice")
        self._took("every owner concerned was shown it")
        await asyncio.to_thread(self._answer)
        await asyncio.to_thread(self._bring_the_patch)
        await self._until(lambda now: affected <= now.patched, "all devices to run the fix")
        self._took("every device concerned runs the fix")
        await asyncio.to_thread(self._resolve)
        await self._approved(2)
        await asyncio.to_thread(self._publish, "matter closed with a last notice")
        return await asyncio.to_thread(self._sum_up)

    def _took(self, name: str) -> None:
        step = Taken(name=name, seconds=time.monotonic() - self._started)
        self.steps.append(step)
        self._screen.say(f"{step.seconds:7.1f} s  {name}")

    def _open(self) -> None:
        workspace, now = self._stage.workspace, time.time()
        self._started, self._aware = time.monotonic(), now
        when = datetime.fromtimestamp(int(now), UTC)
        said = Opened(when=when, matter="vulnerability", title="A drill", regimes=(REGIME,))  # type: ignore[arg-type]
        records.open_(workspace, INCIDENT, said, by="exercise-security", now=now)
        records.record(
            workspace, INCIDENT, Linked(when=when, advisory=ADVISORY), by="exercise-security", now=now
        )
        self._took("aware: incident opened, clocks run")

    def _warn_the_authority(self) -> None:
        workspace, now = self._stage.workspace, time.time()
        where = drafts.place(workspace, INCIDENT, REGIME, "early-warning", None)
        drafts.write(workspace, where, now=now)
        drafts.sign(workspace, where, drafts.read(where), "legal", no_passphrase, now=now)
        when = datetime.fromtimestamp(int(now), UTC)
        said = Submitted(when=when, regime=REGIME, step="early-warning", reference="exercise")
        records.record(workspace, INCIDENT, said, by="exercise-legal", now=now)
        self._took("early warning to the authority, signed by Legal alone")

    async def _approved(self, revision: int) -> None:
        if self._people:
            self._screen.say(f"waiting for {', '.join(ROLES)}: tocsin advisory packet, or tocsin desk")
            while await asyncio.to_thread(self._missing):  # noqa: ASYNC110 - people work in other processes
                await asyncio.sleep(POLL_SECONDS)
        else:
            await asyncio.to_thread(self._approve)
        self._took(f"revision {revision} approved by {', '.join(ROLES)}")

    def _missing(self) -> bool:
        try:
            reviewed = advisories.review(self._stage.workspace, ADVISORY, now=int(time.time()))
        except InputError as error:  # people are at work on the file: the drill waits until it can be read
            if str(error) != self._fault:
                self._screen.say(escape(str(error)))
            self._fault = str(error)
            return True
        return bool(reviewed.approvals.missing)

    def _approve(self) -> None:
        for role in ROLES:
            reviewed = advisories.review(self._stage.workspace, ADVISORY, now=int(time.time()))
            if role in reviewed.approvals.missing:
                advisories.approve(self._stage.workspace, reviewed, role, no_passphrase)

    def _publish(self, name: str) -> None:
        operator = self._stage.signer("operator")
        advisories.publish(self._stage.workspace, ADVISORY, operator, now=int(time.time()))
        self._took(name)

    def _answer(self) -> None:
        """Two replies come, and each is decided upon."""
        workspace = self._stage.workspace
        for topic, text, decision, answer in (
            (Topic.GENUINE, "Is this message really from you?", Decision.RESPOND, "Yes. Compare the code."),
            (Topic.OTHER, "Typical.", Decision.MONITOR, None),
        ):
            now = time.time()
            received = Received(channel=Channel.SOCIAL, topic=topic, text=text)
            number = replies.receive(
                workspace, received, by="exercise-support", now=now, advisory=ADVISORY, incident=INCIDENT
            )
            made = Triaged(reply=number, decision=decision, reason="exercise", answer=answer)
            replies.triage(workspace, made, by="exercise-communications", now=now)
        self._took("two replies decided upon")

    def _bring_the_patch(self) -> None:
        workspace, now = self._stage.workspace, int(time.time())
        operator = self._stage.signer("operator")
        for product in PRODUCTS:
            view = next(view for view in patches.every(workspace) if view.product == product)
            reference = str(view.patch.sequence)
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
            patches.publish(workspace, reference, operator, now=now)
            rollouts.start(
                workspace,
                reference,
                now=now,
                percents=(100,),
                success=90,
                failure=10,
                name=rollout_name(product),
            )
        self._took("patches approved by release and security, and offered")

    def _resolve(self) -> None:
        """Write the last revision: the same facts, closed, and each language says what is new."""
        path = advisories.facts_path(self._stage.workspace, ADVISORY)
        text = path.read_text("utf-8").replace("\nphase: initial", "\nphase: resolved")
        text = text.replace("\naction: act-now", "\naction: resolved")
        text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("next_update:"))
        facts = advisories.load(self._stage.workspace, ADVISORY).facts
        if not facts.measures:
            text = text.replace("\nsource_language:", f"\n{_MEASURE}\nsource_language:")
        for language, words in facts.texts.items():
            said = words.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
            said |= {"changed": _CHANGED[language]}
            text = insert(text, language, said, where=str(path))
        files.write_atomic(path, text.encode())
        self._took("last revision written")

    def _sum_up(self) -> Drill:
        workspace, now = self._stage.workspace, time.time()
        incident = records.load(workspace, INCIDENT)
        known = records.regimes(workspace)
        running = clocks(incident, [known.regimes[REGIME]], datetime.fromtimestamp(now, UTC))
        found = review.review(workspace, ADVISORY, now=now)
        return Drill(
            devices=len(self._stage.cast),
            steps=tuple(self.steps),
            by_people=self._people,
            measures=found.measures,
            clocks=running,
        )

    async def _until(self, done: Callable[[Measured], bool], what: str) -> Measured:
        failures = self.fleet.failures
        return await until(self._store, done, what, stop_on=lambda: next(iter(failures.values()), None))


def prepare_patches(stage: Stage, now: int) -> None:
    """Make the patches that the notice names, before the drill begins: a drill is about words."""
    for product in PRODUCTS:
        version = FIXED_VERSION[product]
        image = stage.workspace.path / "images" / f"{product}-{version}.bin"
        patches.add(stage.workspace, product, image, now=now, texts={"en": "Closes the weakness."})
