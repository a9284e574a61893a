"""Each thing that somebody should see to is found, told once, mailed to each address, and a row of the chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core import alerts as core
from gateway.core.alerts import AlertKind
from gateway.core.rollout import RolloutState
from gateway.operations import alerts, tokens, webhooks
from gateway.operations.identity import device_ca
from gateway.service.deliveries import disable
from gateway.store import audit, schema, workers
from gateway.store import deliveries as outbox
from gateway.web.api.served import Served
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from tests.gateway.scene import header, make_store, publish
from tests.helpers import PRODUCT, Fleet, make_fleet

NOW = 1_700_000_000
DAY = 86_400
TO = ("security@example.com", "release@example.com")
Scene = tuple[Served, Fleet]


@pytest.fixture(params=["sqlite", "postgresql"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    workspace = Workspace.create(tmp_path / "fleet", exercise=True)
    fleet = make_fleet(now=NOW)
    store, _ = make_store(tmp_path, fleet, engine=request.param)
    settings = replace(
        workspace.settings, mail_host="127.0.0.1", mail_tls="none", mail_from="t@example.com", mail_to=TO
    )
    yield Served(workspace.path, settings, store), fleet
    store.close()


def found(scene: Scene, now: int = NOW) -> list[tuple[AlertKind, str, str]]:
    return [(each.kind, each.about, each.state) for each in alerts.check(scene[0], now=now).alerts]


def test_a_promised_update_is_told_when_it_is_near_in_its_last_hour_and_when_it_is_over(scene: Scene) -> None:
    served, fleet = scene
    with served.store() as store:
        publish(store, fleet, header(fleet, next_update=NOW + 20 * DAY, expires=NOW + 60 * DAY))
    assert found(scene) == []
    about, due = "next-update EX-2026-0001.r1", "2023-12-04 22:13:20 UTC"
    near = NOW + 18 * DAY
    seen = [each for each in found(scene, near) if each[0] is AlertKind.UPDATE]
    assert seen == [(AlertKind.UPDATE, about, f"due-soon {due}")]
    states = []
    for now in (near, near + 60, NOW + 20 * DAY - 600, NOW + 20 * DAY + 1, NOW + 20 * DAY + 600):
        states += [each.state for each in alerts.tell(served, now=now).told if each.kind is AlertKind.UPDATE]
    assert states == [f"due-soon {due}", f"last-hour {due}", f"overdue {due}"]


def test_a_rollout_that_paused_by_itself_is_told_and_one_that_a_person_paused_is_not(scene: Scene) -> None:
    served, _ = scene
    with served.store() as store, store.write() as session:
        patch = {"digest": bytes(32), "product": PRODUCT, "sequence": 1, "version": "1.4.2", "envelope": b""}
        values = {**patch, "payload": bytes(32), "size": 1, "published": NOW}
        session.connection.execute(schema.patches.insert().values(**values))
        for name, state, by in (
            ("tripped", RolloutState.PAUSED, "scheduler"),
            ("paused", RolloutState.PAUSED, "operator"),
            ("running", RolloutState.RUNNING, "scheduler"),
        ):
            row = {"id": name, "product": PRODUCT, "digest": bytes(32), "state": int(state), "plan": "{}"}
            more = {"created": NOW, "changed": NOW, "changed_by": by, "why": "2 of 10 devices failed"}
            session.connection.execute(schema.rollouts.insert().values(**row, **more))
    (alert,) = alerts.check(served, now=NOW).alerts
    assert (alert.kind, alert.about) == (AlertKind.GATE, "tripped")
    assert alert.says == "Rollout tripped paused by itself: 2 of 10 devices failed."
    assert alert.todo == "See 'tocsin rollout status tripped', then resume or stop it."


def test_what_ends_soon(scene: Scene) -> None:
    served, _ = scene
    made = tokens.new(served, "Anna Beispiel", roles=("viewer",), now=NOW, by="o", days=30).made
    assert found(scene) == []
    soon = alerts.check(served, now=NOW + 17 * DAY).alerts
    assert [(each.kind, each.about) for each in soon] == [(AlertKind.EXPIRY, f"token {made.id}")]
    assert "Anna" not in str(soon)
    ca = device_ca.new(served, passphrase=b"", algorithm=Algorithm.ESP256, days=400, now=NOW)
    device_ca.issue_gateway(served, ca, now=NOW, days=40)
    assert [each[1] for each in found(scene, NOW + 28 * DAY)] == [
        *("certificate of the gateway", "list of revoked certificates", f"token {made.id}")
    ]
    over = alerts.check(served, now=NOW + 41 * DAY).alerts
    assert any(each.says.startswith("The certificate of the gateway ended at ") for each in over)


def test_a_webhook_that_was_disabled_and_a_gateway_that_is_not_well(scene: Scene) -> None:
    served, _ = scene
    hook = webhooks.add(served, "https://hooks.example.com/", kinds=("rollout.",), now=NOW, by="o").webhook
    with served.store() as store, store.write() as session:
        workers.keep(session, "w1", started=0, now=NOW, leads=True, counts={}, degraded=["STORE_FULL"])
        disable(session, hook.id, "it failed", NOW)
    assert [each[:2] for each in found(scene)] == [
        (AlertKind.GATEWAY, "gateway"),
        (AlertKind.WEBHOOK, hook.id),
    ]
    assert alerts.check(served, now=NOW).alerts[0].state == "STORE_FULL"
    webhooks.retry(served, hook.id, now=NOW, by="o")
    assert (AlertKind.GATEWAY, "gateway", workers.WORKER_SILENT) in found(scene, NOW + 60)
    assert not any(each[0] is AlertKind.WEBHOOK for each in found(scene, NOW + 60))


def test_each_is_told_once_to_each_address_and_is_a_row_of_the_chain(scene: Scene) -> None:
    served, _ = scene
    with served.store() as store, store.write() as session:
        workers.keep(session, "w1", started=0, now=NOW, leads=True, counts={}, degraded=["STORE_FULL"])
    assert len(alerts.check(served, now=NOW).told) == 1
    first = alerts.tell(served, now=NOW)
    assert (len(first.alerts), len(first.told), first.mail) == (1, 1, True)
    again = alerts.tell(served, now=NOW + 30)
    assert (len(again.alerts), again.told) == (1, ())
    assert alerts.check(served, now=NOW + 30).told == ()
    with served.store() as store, store.read() as session:
        rows = audit.find(session, limit=9, kind=alerts.RAISED)
        mails = outbox.due_mails(session, NOW, 9)
    (data,) = [json.loads(row.data) for row in rows]
    assert (data["kind"], data["state"]) == ("gateway", "STORE_FULL")
    assert sorted(mail.target for mail in mails) == sorted(TO)
    assert len({mail.once for mail in mails}) == 2
    said = json.loads(mails[0].body)
    assert said["subject"] == "[EXERCISE] Tocsin: The gateway is not well (STORE_FULL)."
    assert "What to do: See 'tocsin status'" in said["text"]


def test_settings_that_cannot_mail_are_an_alert_and_the_others_are_raised(scene: Scene) -> None:
    served, _ = scene
    broken = Served(served.path, replace(served.settings, mail_to=()), served.opened)
    told = alerts.tell(broken, now=NOW)
    assert [(each.about, each.state) for each in told.told] == [("mail", "MAIL_SETTINGS")]
    assert not told.mail


def test_what_cannot_be_watched_is_an_alert_itself(scene: Scene) -> None:
    served, _ = scene
    device_ca.new(served, passphrase=b"", algorithm=Algorithm.ESP256, days=400, now=NOW)
    (served.path / "tls" / "ca.pem").write_text("no certificate")
    (alert,) = alerts.check(served, now=NOW).alerts
    assert (alert.kind, alert.about) == (AlertKind.GATEWAY, "device CA")
    assert alert.says.startswith("The device CA cannot be watched: ")
    assert alert.todo


async def test_the_chore_looks_from_its_second_round_on(scene: Scene) -> None:
    served, _ = scene
    with served.store() as store, store.write() as session:
        workers.keep(session, "w1", started=0, now=NOW, leads=True, counts={}, degraded=["STORE_FULL"])
    chore = alerts.Alerts(served, clock=lambda: float(NOW))
    for rows in (0, 1, 1):
        assert not await chore.round()
        with served.store() as store, store.read() as session:
            assert len(audit.find(session, limit=9, kind=alerts.RAISED)) == rows
    assert chore.seconds < core.FORGET_SECONDS
