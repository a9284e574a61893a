"""The outbox on both engines: rows become deliveries once, in order, and only for who may see them."""

from __future__ import annotations

import json
import threading

import pytest

from gateway.core import delivery as core
from gateway.store import access, audit
from gateway.store import deliveries as outbox
from gateway.store.access import Account, Contact
from gateway.store.deliveries import Message, Webhook
from gateway.store.engine import Session, Store
from keys.errors import InputError

NOW = 1_700_000_000.0
HOOK = Webhook("wh_1", "https://hooks.example.com/", ("rollout.", "advisory."), None, 0, "operator", NOW)


def add(store: Store, *hooks: Webhook) -> None:
    with store.write() as session:
        for hook in hooks:
            outbox.add_webhook(session, hook)


def say(store: Store, *kinds: str) -> None:
    with store.write() as session:
        for kind in kinds:
            audit.append(session, kind, {"id": "x", "devices": 3}, NOW)


def queue(store: Store, name: str = "wh_1") -> bool:
    with store.write() as session:
        return outbox.queue_rows(session, name, NOW)


def waiting(session: Session, name: str = "wh_1") -> list[outbox.Delivery]:
    return outbox.list_deliveries(session, name, limit=1_000, before=None, state="waiting")[::-1]


def test_rows_become_deliveries_once_and_in_order(any_store: Store) -> None:
    add(any_store, HOOK)
    say(
        any_store, "rollout.created", "reports.committed", "advisory.published", "rolloutx", "rollout.changed"
    )
    with any_store.read() as session:
        assert outbox.lagging(session) == ["wh_1"]
    assert not queue(any_store)
    assert not queue(any_store)
    with any_store.read() as session:
        assert outbox.lagging(session) == []
        found = waiting(session)
        assert [one.kind for one in found] == ["rollout.created", "advisory.published", "rollout.changed"]
        body = json.loads(found[0].body)
        assert body["kind"] == "rollout.created"
        assert body["data"]["devices"] == 3
        assert found[0].once == f"wh_1_{body['index']}"
        assert outbox.get_webhook(session, "wh_1").after == audit.last(session)[0]
    say(any_store, "reports.committed")
    with any_store.read() as session:
        assert outbox.lagging(session) == []  # nothing to send: nothing to write, either


def test_many_rows_are_taken_in_batches(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BATCH", 3)
    add(any_store, HOOK)
    say(any_store, *["rollout.changed"] * 7)
    assert [queue(any_store), queue(any_store), queue(any_store)] == [True, True, False]
    with any_store.read() as session:
        indices = [json.loads(one.body)["index"] for one in waiting(session)]
    assert len(indices) == 7
    assert indices == sorted(set(indices))


def test_a_cursor_that_lags_far_is_moved(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_FAR", 5)
    add(any_store, HOOK)
    say(any_store, *["reports.committed"] * 5)
    with any_store.read() as session:
        assert outbox.lagging(session) == ["wh_1"]
    assert not queue(any_store)
    with any_store.read() as session:
        assert waiting(session) == []
        assert outbox.get_webhook(session, "wh_1").after >= 5


def test_an_account_is_told_of_public_rows_only(any_store: Store) -> None:
    with any_store.write() as session:
        access.put_account(session, Account("north", "North", "en", Contact(), NOW, None))
    hook = Webhook("wh_2", "https://hooks.example.com/", ("advisory.", "rollout.", "a"), "north", 0, "o", NOW)
    add(any_store, hook)
    say(any_store, "rollout.changed", "advisory.published", "advisory.commented", "alert.raised")
    queue(any_store, "wh_2")
    with any_store.read() as session:
        found = waiting(session, "wh_2")
        assert [(one.kind, json.loads(one.body)["data"]) for one in found] == [
            ("advisory.published", {"id": "x"})
        ]
        with pytest.raises(InputError, match="no such webhook"):
            outbox.get_webhook(session, "wh_2", "south")
        assert outbox.get_webhook(session, "wh_2", "north").account == "north"
        assert [each.id for each in outbox.list_webhooks(session, account="south", limit=9, after="")] == []
    with any_store.write() as session:
        access.close_account(session, "north", NOW)
        assert outbox.due_webhooks(session, NOW) == []  # what waits for a closed account is not sent
        audit.append(session, "advisory.published", {"id": "y"}, NOW)
    assert not queue(any_store, "wh_2")


def next_of(session: Session, now: float = NOW) -> outbox.Delivery:
    found = outbox.next_of(session, "wh_1", now)
    assert found is not None
    return found


def test_one_that_failed_steps_aside_until_its_time_has_come(any_store: Store) -> None:
    add(any_store, HOOK, Webhook("wh_3", "https://x.example.com/", ("rollout.",), None, 0, "o", NOW))
    say(any_store, "rollout.created", "rollout.changed")
    queue(any_store)
    queue(any_store, "wh_3")
    with any_store.write() as session:
        assert outbox.due_webhooks(session, NOW) == ["wh_1", "wh_3"]
        first = next_of(session)
        outbox.settle(session, first, NOW, "HTTP 500", due=NOW + 5)
        assert outbox.due_webhooks(session, NOW) == ["wh_3", "wh_1"]  # whose receiver is well comes first
        second = next_of(session)
        assert second.kind == "rollout.changed"
        again = next_of(session, NOW + 5)
        assert (again.once, again.attempts, again.answer) == (first.once, 1, "HTTP 500")
        outbox.finish(session, second, NOW, "HTTP 204")
        assert outbox.next_of(session, "wh_1", NOW) is None
        assert outbox.due_webhooks(session, NOW) == ["wh_3"]
        outbox.settle(session, again, NOW + 5, "HTTP 500")
        assert outbox.next_of(session, "wh_1", NOW + 1e9) is None
        assert outbox.counts(session) == {
            ("webhook", "done"): 1,
            ("webhook", "failed"): 1,
            ("webhook", "waiting"): 2,
        }


@pytest.mark.parametrize(
    ("answer", "most"), [("HTTP 500", outbox.ASIDE_MAX), ("refused with HTTP 400", None)]
)
def test_so_many_stand_aside_before_none_is_begun(any_store: Store, answer: str, most: int | None) -> None:
    add(any_store, HOOK)
    say(any_store, *["rollout.changed"] * (outbox.ASIDE_MAX + 2))
    queue(any_store)
    with any_store.write() as session:
        tried = 0
        while outbox.due_webhooks(session, NOW):
            outbox.settle(session, next_of(session), NOW, answer, due=NOW + 5)
            tried += 1
        assert outbox.next_of(session, "wh_1", NOW) is None
        assert tried == (most or outbox.ASIDE_MAX + 2)
        assert outbox.due_webhooks(session, NOW + 5) == ["wh_1"]
        outbox.finish(session, next_of(session, NOW + 5), NOW + 5, "HTTP 204")
        assert outbox.due_webhooks(session, NOW + 5) == ["wh_1"]


def test_those_given_up_are_counted_once_nothing_arrived_for_long(any_store: Store) -> None:
    add(any_store, HOOK)
    say(any_store, *["rollout.changed"] * 4)
    queue(any_store)
    end = NOW + core.GIVE_UP_SECONDS
    with any_store.write() as session:
        outbox.finish(session, next_of(session), NOW, "HTTP 204")
        outbox.settle(session, next_of(session), NOW + 1, "HTTP 500")
        outbox.settle(session, next_of(session), NOW + 2, "HTTP 500")
        counts = [outbox.failed_in_a_row(session, "wh_1", now) for now in (end - 1, end, end + 1)]
        assert counts == [0, 2, 2]
        outbox.finish(session, next_of(session), NOW + 3, "HTTP 204")
        assert outbox.failed_in_a_row(session, "wh_1", end + 9) == 0


def test_what_was_given_up_is_sent_again_when_asked(any_store: Store) -> None:
    add(any_store, HOOK)
    say(any_store, "rollout.created", "rollout.changed")
    queue(any_store)
    with any_store.write() as session:
        for _ in range(2):
            outbox.settle(session, next_of(session), NOW, "HTTP 500")
        assert outbox.again(session, "wh_1", NOW + 9) == 2
        head = next_of(session, NOW + 9)
        assert (head.attempts, head.since, head.state) == (0, NOW + 9, "waiting")
        outbox.finish(session, head, NOW, "HTTP 204")
        assert outbox.again(session, "wh_1", NOW, head.once) == 1
        assert outbox.again(session, "wh_1", NOW, "wh_1_999") == 0


def test_a_message_is_queued_once_and_forgotten_long_after_its_end(any_store: Store) -> None:
    message = Message("mail", "security@example.com", "alert.gate", "alert-1", "{}")
    with any_store.write() as session:
        assert outbox.queue(session, message, NOW)
        assert not outbox.queue(session, message, NOW)
        one = outbox.due_mails(session, NOW, 5)[0]
        outbox.finish(session, one, NOW, "taken")
        assert outbox.due_mails(session, NOW, 5) == []
        assert outbox.forget(session, NOW + outbox.KEEP_SECONDS) == 0
        assert outbox.forget(session, NOW + outbox.KEEP_SECONDS + 1) == 1


def test_a_removed_webhook_takes_what_waits_with_it(any_store: Store) -> None:
    add(any_store, HOOK)
    say(any_store, "rollout.created")
    queue(any_store)
    with any_store.write() as session:
        outbox.remove_webhook(session, "wh_1")
        assert outbox.counts(session) == {}
        assert not outbox.queue_rows(session, "wh_1", NOW)
        assert not outbox.set_webhook(session, "wh_1", why="x")
        assert outbox.count_webhooks(session) == 0


def test_two_that_queue_at_a_time_queue_each_row_once(any_store: Store) -> None:
    add(any_store, HOOK)
    say(any_store, *["rollout.changed"] * 40)
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        queue(any_store)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with any_store.read() as session:
        assert len(waiting(session)) == 40
