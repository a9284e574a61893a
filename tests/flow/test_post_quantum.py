"""The page on post-quantum signatures, word for word on 200 devices; judged by the store and the devices.

Between its commands the test does what an attacker at the broker would do: it hands over notices that
lack what the policy of the moment demands.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from advisories.abilities import parse_algorithms
from advisories.report import Track
from advisories.states import NoticeState
from device_sim.core.state import State
from device_sim.home import Home
from gateway.cli import homes
from gateway.operations import products
from gateway.operations.trust import keys, roots
from gateway.service.link import Link
from gateway.store import schema
from gateway.store.engine import Store
from gateway.workspace.entries import Product
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.reasons import Reason
from keys.root import ROLES
from tests.flow.invariants import check_nothing_receipted_is_lost, interrupt, no_anomalies, start
from tests.flow.test_interruptions import outlive
from tests.pages import ROOT, Shell, read_steps

PAGE = ROOT / "docs" / "how-to" / "post-quantum.md"
ADVISORY = "EX-2026-0001"
THERMOSTATS, DOORBELLS = 120, 80
CURVES = frozenset({Algorithm.ED25519, Algorithm.ESP256})
HANG_SECONDS = 180.0  # a device that missed a message asks again, later and later
BOTH = CURVES | {Algorithm.ML_DSA_44}


def no_passphrase(_name: str) -> bytes:
    return b""


def make_fleet(path: Path) -> Workspace:
    """What the page begins with: products, keys, root 1 and devices, as the tutorial makes them."""
    workspace = Workspace.create(path, exercise=True)
    products.add(
        workspace, Product("thermostat", "Thermostat", ("en",), "screen", "example.com", 65_536, "ask")
    )
    products.add(
        workspace, Product("doorbell", "Doorbell", ("de", "ja"), "screen", "example.com", 65_536, "agreed")
    )
    now = int(time.time())
    for role in ROLES[1:]:
        keys.new(workspace, role, roles=[role], holder=f"exercise-{role}", now=now, by="exercise")
    for number in (1, 2, 3):
        keys.new(
            workspace,
            f"root-{number}",
            roles=["root"],
            holder=f"exercise-root-{number}",
            now=now,
            by="exercise",
        )
    roots.draft(workspace, now=now, by="exercise")
    for name in ("root-1", "root-2"):
        roots.sign_draft(workspace, name, no_passphrase, now=now, by="exercise")
    roots.publish(workspace, now=now, by="exercise")
    operator = workspace.signer("operator", no_passphrase)
    for name, count, version in (
        ("thermostat", THERMOSTATS, (1, 4, 0, 0)),
        ("doorbell", DOORBELLS, (2, 2, 0, 0)),
    ):
        planned = homes.wishes(workspace.product(name), count, version=version)
        homes.make(workspace, planned, operator, now=now)
    return workspace


@dataclass
class Walk:
    """The folder in which the page is run, and what can be seen of it from outside."""

    folder: Path
    shell: Shell
    store: Store

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.folder / "fleet")

    def devices(self) -> list[Home]:
        found = [Home.open(path.parent) for path in sorted(self.workspace.path.glob("devices/*/device.toml"))]
        return [home for home in found if not home.path.name.startswith(".")]

    def states(self, product: str) -> list[State]:
        """What the devices of a product remember, as their folders hold it."""
        found = []
        for home in self.devices():
            data = home.read_state()
            if home.profile.product == product and data is not None:
                found.append(State.load(data, home.root_1))
        return found

    def roots(self, product: str) -> set[int]:
        return {state.trusted.root.version for state in self.states(product)}

    def can_verify(self, product: str) -> dict[frozenset[Algorithm], int]:
        """How many devices reported that they can verify what, as the store has it."""
        d, s = schema.devices, schema.device_states
        query = (
            sa.select(s.c.algorithms, sa.func.count())
            .select_from(d.join(s, d.c.id == s.c.device))
            .where(d.c.product == product)
            .group_by(s.c.algorithms)
        )
        with self.store.read() as session:
            return {parse_algorithms(said): count for said, count in session.connection.execute(query)}

    def refused(self, since: int) -> dict[str, int]:
        """How many devices by product journaled that the notice lacks a role; as the store has it."""
        d, j = schema.devices, schema.journal
        query = (
            sa.select(d.c.product, sa.func.count(sa.distinct(j.c.device)))
            .select_from(d.join(j, d.c.id == j.c.device))
            .where(
                j.c.track == int(Track.NOTICE),
                j.c.name == ADVISORY,
                j.c.new == int(NoticeState.REJECTED),
                j.c.reason == int(Reason.THRESHOLD_NOT_MET),
                j.c.time >= since,
            )
            .group_by(d.c.product)
        )
        with self.store.read() as session:
            return {row[0]: row[1] for row in session.connection.execute(query)}

    def acknowledged(self) -> dict[tuple[str, int], int]:
        """Devices by product and revision whose newest report says that the owner acknowledged it."""
        d, n = schema.devices, schema.notice_states
        query = (
            sa.select(d.c.product, n.c.revision, sa.func.count())
            .select_from(d.join(n, d.c.id == n.c.device))
            .where(
                n.c.advisory == ADVISORY, n.c.state == int(NoticeState.ACKNOWLEDGED), n.c.shown.is_not(None)
            )
            .group_by(d.c.product, n.c.revision)
        )
        with self.store.read() as session:
            return {
                (product, revision): count for product, revision, count in session.connection.execute(query)
            }

    def at_root(self, version: int) -> dict[str, int]:
        """How many devices by product said in their newest report that they trust this root."""
        d, s = schema.devices, schema.device_states
        query = (
            sa.select(d.c.product, sa.func.count())
            .select_from(d.join(s, d.c.id == s.c.device))
            .where(s.c.root_version == version)
            .group_by(d.c.product)
        )
        with self.store.read() as session:
            return {row[0]: row[1] for row in session.connection.execute(query)}

    def attack(self, revision: int, devices: dict[str, int]) -> None:
        """Hand the header, signed as far as it is, to devices at the newest root; so many have to refuse it."""
        workspace, since = self.workspace, int(time.time())
        version = workspace.trusted().root.version
        document = (workspace.path / "advisories" / ADVISORY / f"r{revision}" / "header.cose").read_bytes()
        url = json.loads((workspace.path / "serve.json").read_bytes())["broker"]
        output = self.folder / "attack.txt"
        fleet = start("fleet", "run", "--workspace", workspace.path, output=output)

        def wait(done: Callable[[], bool]) -> None:
            end = time.monotonic() + HANG_SECONDS
            while not done():
                assert outlive(fleet, 0.2), output.read_text()
                assert time.monotonic() < end, (self.at_root(version), self.refused(since))

        async def hand_over() -> None:
            link = await Link.open(url, "attacker", lambda message: message.ack())
            try:
                for product in devices:
                    await link.publish(workspace.topics.notice(product, ADVISORY), document, retain=True)
            finally:
                link.close()

        try:
            wait(lambda: devices.items() <= self.at_root(version).items())
            asyncio.run(hand_over())
            wait(lambda: self.refused(since) == devices)
        finally:
            interrupt(fleet, signal.SIGINT)


def at_the_start(walk: Walk) -> None:
    """After root 2 was refused: nobody has moved."""
    assert walk.workspace.trusted().root.version == 1
    with walk.store.read() as session:
        assert len(session.documents("root")) == 1


def all_but_one(walk: Walk) -> None:
    assert walk.can_verify("thermostat") == {BOTH: THERMOSTATS - 1}
    assert walk.can_verify("doorbell") == {CURVES: DOORBELLS}
    at_the_start(walk)


def root_2(walk: Walk) -> None:
    assert walk.can_verify("thermostat") == {BOTH: THERMOSTATS}
    assert walk.workspace.trusted().root.version == 2


def without_the_new_role(walk: Walk) -> None:
    walk.attack(1, {"thermostat": THERMOSTATS})
    assert walk.roots("thermostat") == {2}
    assert not any(state.notices for state in walk.states("thermostat"))


def shown_by_all(revision: int) -> Callable[[Walk], None]:
    def check(walk: Walk) -> None:
        expected = {("thermostat", revision): THERMOSTATS, ("doorbell", revision): DOORBELLS}
        assert walk.acknowledged() == expected
        for product, count in (("thermostat", THERMOSTATS), ("doorbell", DOORBELLS)):
            tracks = [state.notices[ADVISORY] for state in walk.states(product)]
            assert [(t.header.revision, t.state) for t in tracks] == [
                (revision, NoticeState.ACKNOWLEDGED)
            ] * count

    return check


def late_registration(walk: Walk) -> None:
    assert len(walk.devices()) == THERMOSTATS + DOORBELLS


def without_the_second_of_legal(walk: Walk) -> None:
    walk.attack(2, {"thermostat": THERMOSTATS, "doorbell": DOORBELLS})
    assert walk.roots("thermostat") == walk.roots("doorbell") == {3}
    shown_by_all(1)(walk)


CHECKS: dict[tuple[str, int], Callable[[Walk], None]] = {
    ("tocsin root publish", 1): at_the_start,
    ('tocsin root publish > fleet/refusal.txt 2>&1; sed "s/$LATE/THE LATE ONE/" fleet/refusal.txt', 1): (
        all_but_one
    ),
    ("tocsin root publish", 2): root_2,
    (f"tocsin advisory publish {ADVISORY}", 1): without_the_new_role,
    (f"tocsin status {ADVISORY} | head -n 5", 1): shown_by_all(1),
    ("tocsin device add --product thermostat --version 1.4.0", 1): late_registration,
    (f"tocsin advisory publish {ADVISORY}", 2): without_the_second_of_legal,
    ("tocsin fleet run --until-idle", 4): shown_by_all(2),
}
"""(command, which time it stands on the page) -> what must be true after it."""


@pytest.mark.slow
def test_the_fleet_moves_to_a_post_quantum_role_as_the_page_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    store = Store.open(make_fleet(tmp_path / "fleet").store_path)
    steps = read_steps(PAGE.read_text(encoding="utf-8"))
    seen: dict[str, int] = {}
    walk = Walk(tmp_path, Shell(tmp_path), store)
    checked = 0
    try:
        for step in steps:
            walk.shell.follow(PAGE, step)
            seen[step.command] = seen.get(step.command, 0) + 1
            check = CHECKS.get((step.command, seen[step.command]))
            if check is not None:
                check(walk)
                checked += 1
        assert checked == len(CHECKS)
    finally:
        walk.shell.close()
    assert check_nothing_receipted_is_lost(tmp_path / "fleet") > THERMOSTATS + DOORBELLS
    assert no_anomalies(store) == []
    store.close()
