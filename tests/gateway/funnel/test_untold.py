"""Whose owners their devices did not tell: one by one, they are those whom the funnel counts."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.core.followup import HOURS, Outcome, Why, is_due
from gateway.core.funnel import Funnel
from gateway.core.sheet import sheet
from gateway.operations import followups, untold
from gateway.operations.untold import UntoldDevices
from gateway.store import funnel, schema
from gateway.store.engine import Store
from gateway.store.untold import Matter, silent
from gateway.store.untold import untold as all_untold
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from tests.gateway.funnel.untold_scene import ID, LEAD, make_scene
from tests.gateway.funnel.world import World
from tests.helpers import NOW

HOUR = 3_600
PUBLISHED = NOW + LEAD
LATE = PUBLISHED + HOURS * HOUR


@pytest.mark.parametrize("seed", [5, 6])
def test_lists_and_counts_agree_whatever_happens(any_store: Store, seed: int) -> None:
    world = World(any_store, random.Random(seed))
    for _ in range(25):
        world.rng.choice(world.steps())()
    compared = 0
    with any_store.read() as session:
        for advisory in world.revision:
            matter = Matter.of(session, advisory)
            found = funnel.advisory_funnel(session, advisory, split=("account",))
            accounts = sorted(name for (name,) in found.by("account"))
            listed = [each for _, each in all_untold(session, matter, accounts, "")]
            assert Counter(each.account for each in listed) == Counter(
                {name: counts.not_told for (name,), counts in found.by("account").items() if counts.not_told}
            )
            assert len({each.device for each in listed}) == len(listed)
            by_why = Counter(each.why for each in listed)
            assert by_why[Why.NEVER_REPORTED] == found.total.silent
            assert by_why[Why.SILENT] + by_why[Why.NOT_SHOWN] == found.total.waiting
            quiet = [each for _, each in silent(session, matter, "")]
            assert {each.device for each in quiet} == {
                each.device for each in listed if each.why in {Why.SILENT, Why.NEVER_REPORTED}
            }
            for place, each in [*all_untold(session, matter, accounts, "")]:
                behind = [other for _, other in all_untold(session, matter, accounts, place)]
                assert behind == listed[listed.index(each) + 1 :]
            for place, each in [*silent(session, matter, "")]:
                assert [other for _, other in silent(session, matter, place)] == quiet[
                    quiet.index(each) + 1 :
                ]
            compared += len(listed)
    assert compared


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_scene(tmp_path, NOW)


def pages(ask: object, **arguments: object) -> list[untold.UntoldDevice]:
    found: list[untold.UntoldDevice] = []
    after = ""
    while True:
        page = ask(after=after, limit=1, **arguments)  # type: ignore[operator] # an operation with its arguments
        assert isinstance(page, UntoldDevices)
        found += page.items
        after = page.next
        if not after:
            return found


def test_letters_go_to_everyone_who_was_not_told(workspace: Workspace) -> None:
    found = untold.letters(workspace, ID, now=LATE)
    assert [(row.account, row.device, row.why, row.sure) for row in found.items] == [
        ("", "led", Why.LED_ONLY, True),
        ("", "refused", Why.REJECTED, True),
        ("", "waits", Why.NOT_SHOWN, True),
        ("", "out-unknown", Why.UNREACHABLE, False),
        ("north", "never", Why.NEVER_REPORTED, False),
        ("north", "out", Why.UNREACHABLE, True),
        ("south", "gone", Why.SILENT, True),
    ]
    assert [(each.id, each.contact.email, each.language) for each in found.accounts] == [
        ("north", "office@example.com", "de")
    ]
    assert [row.language for row in found.items if row.device in {"never", "gone"}] == ["de", "en"]
    assert (found.next, found.not_yet) == ("", ())
    assert tuple(pages(lambda **a: untold.letters(workspace, ID, now=LATE, **a))) == found.items


def test_what_waiting_may_mend_waits(workspace: Workspace) -> None:
    found = untold.letters(workspace, ID, now=LATE - 1)
    assert [row.device for row in found.items] == ["led", "refused", "out-unknown", "out"]
    assert found.not_yet == (ID,)
    assert is_due(Why.SILENT, published=0.0, now=HOUR, hours=1)
    assert not is_due(Why.SILENT, published=0.0, now=HOUR - 1, hours=1)


def test_an_account_sees_its_own_only(workspace: Workspace) -> None:
    found = untold.letters(workspace, ID, now=LATE, account="north")
    assert [row.device for row in found.items] == ["never", "out"]
    quiet = untold.silent(workspace, now=LATE, account="north")
    assert [row.device for row in quiet.items] == ["never"]
    assert untold.silent(workspace, now=LATE, account="nobody").items == ()
    with workspace.store() as store, store.read() as session:
        own = funnel.advisory_funnel(session, ID, account="north").total
    assert own == Funnel(devices=3, affected=1, possible=1, not_told=2, unreachable=1, silent=1)


def test_silent_devices_are_listed_after_some_hours(workspace: Workspace) -> None:
    early = untold.silent(workspace, now=LATE - 1)
    assert (early.items, early.not_yet) == ((), (ID,))
    found = untold.silent(workspace, now=LATE)
    assert [(row.device, row.seen) for row in found.items] == [("never", None), ("gone", NOW + 50.0)]
    assert untold.silent(workspace, ID, now=PUBLISHED + HOUR, hours=1).items == found.items
    assert tuple(pages(lambda **a: untold.silent(workspace, now=LATE, **a))) == found.items


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"hours": -1}, "BAD_VALUE"),
        ({"limit": 0}, "BAD_VALUE"),
        ({"limit": 1_001}, "BAD_VALUE"),
        ({"after": f"{ID}/1/soon/never"}, "BAD_VALUE"),
        ({"advisory": "EX-2026-9999"}, "ADVISORY_UNKNOWN"),
    ],
)
def test_what_cannot_be_asked(workspace: Workspace, arguments: dict[str, object], code: str) -> None:
    with pytest.raises(InputError) as caught:
        untold.silent(workspace, now=LATE, **arguments)  # type: ignore[arg-type] # on purpose
    assert caught.value.code == code
    with pytest.raises(InputError) as caught:
        untold.letters(workspace, "EX-2026-9999", now=LATE)
    assert caught.value.code == "ADVISORY_UNKNOWN"


def test_a_place_that_is_none_is_said(workspace: Workspace) -> None:
    with pytest.raises(InputError) as caught:
        untold.letters(workspace, ID, now=LATE, after="north/first/never")
    assert caught.value.code == "BAD_VALUE"


def test_follow_ups_have_an_owner_an_outcome_and_a_history(workspace: Workspace) -> None:
    taken = followups.take(workspace, ID, ["gone", "out", "gone"], now=LATE, by="exercise-operator")
    assert [(row.device, row.owner, row.outcome) for row in taken] == [
        ("gone", "exercise-operator", None),
        ("out", "exercise-operator", None),
    ]
    followups.done(
        workspace, ID, ["out"], Outcome.LETTER, now=LATE + 1, by="exercise-legal", note="Sent today."
    )
    followups.done(workspace, ID, ["never"], Outcome.CALL, now=LATE + 2, by="exercise-legal")
    rehearsed = followups.take(workspace, ID, ["out"], now=LATE + 3, by="exercise-legal", dry_run=True)
    assert rehearsed[0].note == "Sent today."
    found = followups.list_(workspace)
    assert [(row.device, row.owner, row.outcome, row.note) for row in found.items] == [
        ("gone", "exercise-operator", None, ""),
        ("never", "exercise-legal", Outcome.CALL, ""),
        ("out", "exercise-operator", Outcome.LETTER, "Sent today."),
    ]
    devices_of = {
        "open": [row.device for row in followups.list_(workspace, is_open=True).items],
        "done": [row.device for row in followups.list_(workspace, ID, is_open=False).items],
        "owner": [row.device for row in followups.list_(workspace, owner="exercise-legal").items],
        "account": [row.device for row in followups.list_(workspace, account="south").items],
        "other": [row.device for row in followups.list_(workspace, "EX-2026-0002").items],
    }
    assert devices_of == {
        "open": ["gone"],
        "done": ["never", "out"],
        "owner": ["never"],
        "account": ["gone"],
        "other": [],
    }
    first = followups.list_(workspace, limit=2)
    assert [row.device for row in followups.list_(workspace, limit=2, after=first.next).items] == ["out"]
    seen_to = {row.device: (row.owner, row.outcome) for row in untold.letters(workspace, ID, now=LATE).items}
    assert (seen_to["out"], seen_to["led"]) == (("exercise-operator", Outcome.LETTER), ("", None))
    followups.take(workspace, ID, ["out"], now=LATE + 4, by="exercise-legal", owner="exercise-communications")
    a = schema.audit
    with workspace.store() as store, store.read() as session:
        history = session.connection.execute(sa.select(a.c.data).where(a.c.kind.like("followup.%"))).scalars()
        rows = [row for row in history if '"device":"out"' in row]
    assert [
        "exercise-operator" in rows[0],
        "told-by-letter" in rows[1],
        "exercise-communications" in rows[2],
    ] == [
        True,
        True,
        True,
    ]
    assert not any("Sent today." in row for row in rows)  # people may write about people in a note


@pytest.mark.parametrize(
    ("advisory", "ids", "more", "code"),
    [
        (ID, ["nobody"], {}, "NO_DEVICE"),
        (ID, ["gone"], {"account": "north"}, "NO_DEVICE"),
        (ID, [], {}, "BAD_VALUE"),
        ("EX-2026-9999", ["gone"], {}, "ADVISORY_UNKNOWN"),
        (ID, ["gone"], {"note": "x" * 2_001}, "BAD_VALUE"),
        (ID, ["gone"], {"by": "x" * 65}, "BAD_VALUE"),
    ],
)
def test_a_follow_up_is_of_a_known_device(
    workspace: Workspace, advisory: str, ids: list[str], more: dict[str, str], code: str
) -> None:
    with pytest.raises(InputError) as caught:
        followups.done(
            workspace,
            advisory,
            ids,
            Outcome.CALL,
            **{"now": LATE, "by": "exercise-legal", **more},  # type: ignore[arg-type] # of a table
        )
    assert caught.value.code == code
    assert followups.list_(workspace).items == ()


def test_a_sheet_computes_nothing() -> None:
    assert sheet(["a", "b"], [["=1+1", "x,y"], [None, "@SUM"]]) == "a,b\r\n'=1+1,\"x,y\"\r\n,'@SUM\r\n"
