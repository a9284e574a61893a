"""``tocsin device show`` and the consents in ``tocsin status``: what came in reports, for an operator."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from advisories.report import (
    Agreed,
    Consented,
    NoticeStatus,
    PatchStatus,
    Report,
    journal_genesis,
    question,
    seal_report,
)
from advisories.states import NoticeState, PatchState, Surface
from device_sim.home import Home
from gateway.service.committing import Committer, Item, Receipt
from gateway.store import schema, workers
from gateway.workspace.folder import Workspace
from keys.cbor import encode
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from tests.cli.conftest import Tocsin

PATCH, OTHER = b"\x01" * 32, b"\x02" * 32
SUIT = encode({3: [], 4: True, 99: ["", [-16, PATCH]]})
NOW = int(time.time())


def reported(workspace: Workspace, home: Home, **fields: Any) -> None:
    """Take in a report of a device, as the gateway does."""
    fleet, id_ = workspace.trusted().fleet, home.profile.id
    base: dict[str, Any] = {
        "type": Report.TYPE,
        "fleet": fleet,
        "subject": (id_,),
        "version": 1,
        "issued": NOW,
        "product": home.profile.product,
        "installed": (1, 4, 1, 0),
        "boot_epoch": 1,
        "root_version": 1,
        "nonce": bytes(16),
        "notices": (),
        "patches": (),
        "journal_count": 0,
        "journal_head": journal_genesis(fleet, id_),
        "journal": (),
        "language": "de",
    }
    data = seal_report(Report(**{**base, **fields}), home.signer)
    with workspace.store() as store:
        (outcome,) = Committer(store, fleet).commit([Item("t", id_, data, float(NOW), lambda _: None)])
    assert isinstance(outcome, Receipt)


def patch(digest: bytes, state: PatchState, **fields: Any) -> PatchStatus:
    return PatchStatus(digest=digest, sequence=7, state=state, time=NOW, reason=Reason.OK, **fields)


@pytest.fixture
def home(workspace: Workspace) -> Home:
    return Home.open(min(each for each in (workspace.path / "devices").iterdir() if each.is_dir()))


@pytest.fixture
def shown(workspace: Workspace, home: Home) -> str:
    asked = question(PATCH, None, None, "de")
    consent = Consented(how=Agreed.ASKED, time=NOW, question=asked, language="de")
    wrong = Consented(how=Agreed.URGENT, time=VERSION_MAX, question=bytes(32))
    notice = NoticeStatus(
        id="EX-2026-0001",
        revision=1,
        digest=bytes(32),
        state=NoticeState.SHOWN,
        time=NOW,
        reason=Reason.OK,
        surface=Surface.CONSOLE,
        language="de",
    )
    patches = (
        patch(PATCH, PatchState.DOWNLOADING, consent=consent, done=40, deferrals=2, suit=SUIT),
        patch(OTHER, PatchState.FAILED, consent=wrong, suit=b"\x80"),
    )
    reported(workspace, home, notices=(notice,), patches=patches)
    return home.profile.id


def test_a_device_is_shown_with_what_its_owner_agreed_to(
    tocsin: Tocsin, workspace: Workspace, shown: str
) -> None:
    ran = tocsin("device", "show", shown, "--workspace", workspace.path)
    assert ran.status == 0, ran.err
    words = " ".join(ran.out.split())
    for part in (
        shown,
        "runs 1.4.1",
        "1 reports",
        "EX-2026-0001 1",
        "downloading, 40 %",
        "asked 20",
        "in de",
    ):
        assert part in words
    for part in ("success", "MALFORMED", "consent,", "suit_report,", "urgent"):
        assert part in words


def test_everything_stands_in_the_json(tocsin: Tocsin, workspace: Workspace, shown: str) -> None:
    found = tocsin("device", "show", shown, "--json", "--workspace", workspace.path).json["standing"]
    rows = {each["digest"]: each for each in found["patches"]}
    row = rows[PATCH.hex()]["row"]
    assert (row["state"], row["done"], row["deferrals"]) == ("downloading", 40, 2)
    assert row["consent"]["how"] == "asked"
    assert row["consent"]["question"] == question(PATCH, None, None, "de").hex()
    assert rows[PATCH.hex()]["suit"] == "success"
    assert {each["kind"] for each in found["anomalies"]} == {"consent", "suit_report"}
    assert found["notices"]["EX-2026-0001"]["state"] == "shown"


def test_a_device_that_never_reported_is_shown_too(tocsin: Tocsin, workspace: Workspace, home: Home) -> None:
    ran = tocsin("device", "show", home.profile.id, "--workspace", workspace.path)
    assert (ran.status, "0 reports, the last -" in ran.out) == (0, True)


@pytest.mark.parametrize("name", ["nobody", ""])
def test_one_device_must_be_meant(tocsin: Tocsin, workspace: Workspace, name: str) -> None:
    ran = tocsin("device", "show", name, "--json", "--workspace", workspace.path)
    assert ran.json["error"]["code"] == "NO_DEVICE"


def test_status_counts_consents_and_what_was_served(
    tocsin: Tocsin, workspace: Workspace, shown: str, tmp_path: Path
) -> None:
    with workspace.store() as store, store.write() as session:
        session.connection.execute(
            schema.patches.insert().values(
                digest=PATCH,
                product="thermostat",
                sequence=7,
                version="1.4.2",
                envelope=b"",
                payload=bytes(32),
                size=1,
                published=1.0,
            )
        )
        counts = {"blocks": 3, "block_bytes": 12_288, "downloading": 1}
        workers.keep(session, "worker-1", started=1.0, now=2.0, leads=True, counts=counts)
    found = tocsin("status", "--json", "--workspace", workspace.path).json["status"]
    assert found["patches"][0]["agreed"] == {"ASKED": 1, "DEFERRED": 1}
    assert found["served"] == {"blocks": 3, "block_bytes": 12_288, "downloading": 1}
    words = tocsin("status", "--workspace", workspace.path).out
    assert "asked 1, deferred 1" in words
    assert "block_bytes 12288" in words
    assert tocsin("device", "show", shown, "--workspace", workspace.path).out.count("1.4.2") == 1
