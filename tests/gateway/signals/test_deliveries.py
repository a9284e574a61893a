"""Webhooks to a real receiver that fails, hangs, redirects and goes; nothing is lost, and none keeps others waiting."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from advisories.topics import Topics
from gateway.core import delivery as core
from gateway.operations import accounts, webhooks
from gateway.service.deliveries import FAILURES_MAX, Deliveries, make
from gateway.service.posting import Poster, networks, secret_path, trust
from gateway.service.runtime import Gateway
from gateway.store import audit
from gateway.store import deliveries as outbox
from gateway.store.engine import Store
from gateway.web.api.served import Served
from gateway.workspace.folder import Workspace
from keys.errors import InputError, UnavailableError
from tests.gateway.brokers import iotcore
from tests.gateway.scene import header, make_store, publish
from tests.gateway.signals.receiver import Receiver, receiving, verified, workspace_in
from tests.helpers import make_fleet

NOW = 1_700_000_000.0


class Scene:
    """A workspace with a clock of its own, and the chore that sends."""

    def __init__(self, workspace: Workspace, store: Store, *, seconds: float = 5.0) -> None:
        self.workspace, self.store, self.now = workspace, store, NOW
        self.poster = Poster(trust(workspace, None), networks(workspace), seconds=seconds)
        self.chore = Deliveries(
            workspace, store, self.poster, None, clock=lambda: self.now, share=lambda: 0.5, seconds=0.01
        )

    def add(self, receiver: Receiver, *kinds: str) -> webhooks.Secret:
        return webhooks.add(
            self.workspace, receiver.url, kinds=kinds or ("rollout.",), now=int(NOW), by="operator"
        )

    def say(self, *numbers: int) -> None:
        with self.store.write() as session:
            for number in numbers:
                audit.append(session, "rollout.changed", {"id": f"r{number}"}, self.now)

    def listed(self, webhook: str) -> list[webhooks.DeliveryView]:
        return list(webhooks.deliveries(self.workspace, webhook).items)[::-1]


@contextlib.asynccontextmanager
async def scene(folder: Path, *, seconds: float = 5.0) -> AsyncIterator[tuple[Scene, Receiver]]:
    workspace = workspace_in(folder)
    async with receiving() as receiver:
        with workspace.store() as store:
            made = Scene(workspace, store, seconds=seconds)
            try:
                yield made, receiver
            finally:
                made.poster.close()


def subjects(receiver: Receiver) -> list[str]:
    return [json.loads(body)["data"]["id"] for _, body in receiver.came]


async def test_what_happens_arrives_signed_in_order_and_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        made = one.add(receiver)
        one.say(*range(5))
        await one.chore.round()
        await one.chore.round()
        assert subjects(receiver) == ["r0", "r1", "r2", "r3", "r4"]
        for headers, body in receiver.came:
            assert verified(made.secret, headers, body)
            assert not verified(made.secret, headers, body + b" ")
            assert headers["webhook-timestamp"] == str(int(NOW))
            assert headers["content-type"] == "application/json"
            assert headers["host"] == f"127.0.0.1:{receiver.port}"
        assert len(set(receiver.ids)) == 5
        assert [row.answer for row in one.listed(made.webhook.id)] == ["HTTP 204"] * 5


async def test_the_secret_is_in_neither_store_nor_chain(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        made = one.add(receiver)
        again = webhooks.secret(one.workspace, made.webhook.id, now=int(NOW), by="operator")
        assert again.secret == made.secret
        with one.store.read() as session:
            rows = [row.data for row in audit.rows(session)]
        assert not any("whsec" in row or "/hook" in row for row in rows)
        data = b"".join(path.read_bytes() for path in one.workspace.path.glob("store.sqlite*"))
        assert made.secret.removeprefix("whsec_").encode() not in data
        assert core.secret(secret_path(one.workspace).read_bytes(), made.webhook.id) not in data
        assert secret_path(one.workspace).stat().st_mode & 0o777 == 0o600


async def test_what_failed_is_sent_again_under_the_same_id(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        one.add(receiver)
        receiver.replies = [500, 503, (429, {"retry-after": "900"})]
        one.say(1)
        await one.chore.round()
        for attempts, pause in enumerate((5, 20, 900), 1):
            one.now += pause - 1
            await one.chore.round()
            assert len(receiver.came) == attempts
            one.now += 1
            await one.chore.round()
        assert subjects(receiver) == ["r1"] * 4
        assert len(set(receiver.ids)) == 1


@pytest.mark.parametrize("status", [400, 500])
async def test_one_that_is_always_refused_keeps_no_other_waiting(tmp_path: Path, status: int) -> None:
    async with scene(tmp_path) as (one, receiver):
        made = one.add(receiver)
        receiver.refused = {"r2": status}
        one.say(1, 2, 3, 4)
        await one.chore.round()
        assert subjects(receiver) == ["r1", "r2", "r3", "r4"]
        for _ in range(14):  # its three days are over, and what came meanwhile went out
            one.now += core.LONGEST_PAUSE
            one.say(5)
            await one.chore.round()
        assert [row.state for row in one.listed(made.webhook.id)] == ["done", "failed", *["done"] * 16]
        assert webhooks.show(one.workspace, made.webhook.id).disabled is None


async def test_a_receiver_that_refuses_a_whole_kind_is_told_of_the_others(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        one.add(receiver)
        many = range(3 * outbox.ASIDE_MAX)
        receiver.refused = {f"r{number}": 400 for number in many}
        one.say(*many, 1_000)
        await one.chore.round()
        assert subjects(receiver)[-1] == "r1000"
        assert len(receiver.came) == len(many) + 1


async def test_a_receiver_that_takes_nothing_is_left_alone(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        one.add(receiver)
        receiver.always = 503
        one.say(*range(50))
        await one.chore.round()
        assert subjects(receiver) == [f"r{number}" for number in range(outbox.ASIDE_MAX)]
        await one.chore.round()
        assert len(receiver.came) == outbox.ASIDE_MAX
        one.now += 5
        await one.chore.round()
        assert subjects(receiver)[outbox.ASIDE_MAX :] == subjects(receiver)[: outbox.ASIDE_MAX]
        receiver.always = 204
        one.now += 20
        await one.chore.round()
        assert subjects(receiver)[2 * outbox.ASIDE_MAX :] == [f"r{number}" for number in range(50)]


async def test_a_receiver_that_hangs_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    async with scene(tmp_path, seconds=2) as (one, slow), receiving() as quick:
        hung = one.add(slow)
        one.add(quick)
        slow.hold.clear()
        one.say(1, 2, 3)
        await one.chore.round()
        assert subjects(quick) == ["r1", "r2", "r3"]
        assert one.listed(hung.webhook.id)[0].answer == "no answer within 2 s"
        slow.hold.set()
        one.now += 60
        await one.chore.round()
        assert subjects(slow)[-3:] == ["r1", "r2", "r3"]


async def test_what_comes_while_one_hangs_is_sent_to_the_others(tmp_path: Path) -> None:
    async with scene(tmp_path, seconds=30) as (one, slow), receiving() as quick:
        one.add(slow)
        one.add(quick)
        slow.hold.clear()
        one.say(1)
        running = asyncio.ensure_future(one.chore.round())
        async with asyncio.timeout(20):
            await slow.some.wait()
            await quick.some.wait()
            quick.some.clear()
            one.say(2)
            await quick.some.wait()
        assert subjects(quick) == ["r1", "r2"]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        slow.hold.set()
        await one.chore.round()
        assert subjects(slow) == ["r1", "r1", "r2"]  # cut off in the midst: again, under its id
        assert slow.ids[0] == slow.ids[1]


async def test_redirects_are_not_followed(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver), receiving() as other:
        made = one.add(receiver)
        receiver.always = (307, {"location": other.url})
        one.say(1)
        await one.chore.round()
        assert other.came == []
        assert one.listed(made.webhook.id)[0].answer == "HTTP 307: redirects are not followed"


async def test_a_receiver_that_is_gone_for_good_is_told_no_more(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        made = one.add(receiver)
        receiver.replies = [410]
        one.say(1, 2)
        await one.chore.round()
        await one.chore.round()
        assert len(receiver.came) == 1
        shown = webhooks.show(one.workspace, made.webhook.id)
        assert shown.disabled == NOW
        one.say(3)
        await one.chore.round()
        done = webhooks.retry(one.workspace, made.webhook.id, now=int(one.now), by="operator")
        assert done.webhook.disabled is None
        await one.chore.round()
        assert subjects(receiver) == ["r1", "r1", "r2", "r3"]  # what happened meanwhile comes, too


async def test_after_three_days_each_some_in_a_row_disable_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        made = one.add(receiver)
        receiver.always = 500
        one.say(*range(FAILURES_MAX + 1))
        for _ in range(40):
            await one.chore.round()
            one.now += core.LONGEST_PAUSE
        shown = webhooks.show(one.workspace, made.webhook.id)
        assert shown.disabled is not None
        rows = one.listed(made.webhook.id)
        assert [row.state for row in rows] == ["failed"] * FAILURES_MAX + ["waiting"]
        assert rows[0].attempts > 10
        with one.store.read() as session:
            told = audit.find(session, limit=9, kind="webhook.disabled")
        assert [json.loads(row.data)["id"] for row in told] == [made.webhook.id]


async def test_it_is_not_disabled_while_anything_arrives(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        made = one.add(receiver)
        receiver.refused = {f"r{number}": 400 for number in range(FAILURES_MAX + 1)}
        one.say(*range(FAILURES_MAX + 1))
        for number in range(100, 120):
            one.say(number)
            await one.chore.round()
            one.now += core.LONGEST_PAUSE
        states = [row.state for row in one.listed(made.webhook.id)]
        assert states == ["failed"] * (FAILURES_MAX + 1) + ["done"] * 20
        assert webhooks.show(one.workspace, made.webhook.id).disabled is None


async def test_a_rotated_secret_signs_for_a_day_beside_the_new_one(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        old = one.add(receiver)
        name = old.webhook.id
        new = webhooks.secret(one.workspace, name, now=int(NOW), by="operator", rotate=True)
        assert new.secret != old.secret
        one.say(1)
        await one.chore.round()
        one.now += core.OVERLAP_SECONDS
        one.say(2)
        await one.chore.round()
        checks = [[verified(each.secret, *came) for each in (old, new)] for came in receiver.came]
        assert checks == [[True, True], [False, True]]


async def test_without_the_right_secret_nothing_is_sent(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        one.add(receiver)
        one.say(1)
        kept = secret_path(one.workspace).read_bytes()
        secret_path(one.workspace).write_bytes(bytes(32))
        with pytest.raises(UnavailableError, match="not the secret"):
            await one.chore.round()
        secret_path(one.workspace).unlink()
        with pytest.raises(UnavailableError, match="missing"):
            await one.chore.round()
        with pytest.raises(UnavailableError, match="missing"):
            one.add(receiver)
        secret_path(one.workspace).write_bytes(kept)
        secret_path(one.workspace).chmod(0o644)
        with pytest.raises(UnavailableError, match="readable by others"):
            await one.chore.round()
        secret_path(one.workspace).chmod(0o600)
        assert receiver.came == []
        await one.chore.round()
        assert subjects(receiver) == ["r1"]


async def test_a_test_is_sent_at_once_and_signed(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        made = one.add(receiver)
        sent = await asyncio.to_thread(webhooks.probe, one.workspace, made.webhook.id, now=int(NOW))
        assert (sent.state, sent.answer) == ("done", "HTTP 204")
        headers, body = receiver.came[0]
        assert verified(made.secret, headers, body)
        assert json.loads(body)["kind"] == "webhook.test"
        receiver.always = 500
        sent = await asyncio.to_thread(webhooks.probe, one.workspace, made.webhook.id, now=int(NOW))
        assert (sent.state, sent.answer) == ("failed", "HTTP 500")
        with one.store.read() as session:
            assert outbox.counts(session) == {}


async def test_an_accounts_webhook_reaches_no_network_that_is_opened_to_ours(tmp_path: Path) -> None:
    async with scene(tmp_path) as (one, receiver):
        accounts.add(one.workspace, "north", name="North", now=int(NOW), by="operator")
        with pytest.raises(InputError, match="not an address of the Internet"):
            webhooks.add(
                one.workspace, receiver.url, kinds=("advisory.",), now=int(NOW), by="north", account="north"
            )
        outside = ("https://hooks.example.com/tocsin", "advisory.")
        made = webhooks.add(
            one.workspace, outside[0], kinds=outside[1:], now=int(NOW), by="north", account="north"
        )
        name = made.webhook.id
        with one.store.write() as session:  # as an older gateway took it, or a name that leads here now
            outbox.set_webhook(session, name, url=receiver.url)
            audit.append(session, "advisory.published", {"id": "EX-1"}, NOW)
        await one.chore.round()
        assert one.listed(name)[0].answer.startswith("not sent: ")
        sent = await asyncio.to_thread(webhooks.probe, one.workspace, name, now=int(NOW), account="north")
        assert (sent.state, sent.answer.partition(":")[0]) == ("failed", "not sent")
        assert receiver.came == []


async def test_a_gateway_that_leads_sends_what_happens(tmp_path: Path) -> None:
    fleet = make_fleet(now=int(time.time()) - 10)
    store, _ = make_store(tmp_path, fleet)
    local = workspace_in(tmp_path)
    workspace = Served(local.path, local.settings, store)
    async with receiving() as receiver:
        made = webhooks.add(
            workspace, receiver.url, kinds=("advisory.",), now=int(time.time()), by="operator"
        )
        with iotcore(tmp_path) as url:
            chores = [make(workspace, store)]
            gateway = Gateway(
                store, tmp_path, Topics(), fleet.id, fleet.root, fleet.signer("gateway"), chores=chores
            )
            stop = asyncio.Event()
            running = asyncio.ensure_future(gateway.run(url, stop))
            async with asyncio.timeout(30):
                await gateway.ready.wait()
                publish(store, fleet, header(fleet), now=time.time())
                await receiver.some.wait()
            stop.set()
            await running
            await gateway.close()
    store.close()
    headers, body = receiver.came[0]
    assert verified(made.secret, headers, body)
    assert json.loads(body)["kind"] == "advisory.published"
