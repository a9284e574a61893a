"""History written anew, cut off, erased by rule or deleted by hand; other accounts; chains of the first form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from advisories.catalogue import Timestamp
from gateway.core import chain
from gateway.core.evidence import archive as form
from gateway.core.evidence.verdict import Fault, Verdict
from gateway.operations.evidence import exporting
from gateway.store import audit, retention, schema
from gateway.store.engine import Store
from keys.document import peek, seal
from keys.errors import DamagedError, InputError
from tests.gateway.databases import fresh_place
from tests.gateway.evidence.case import (
    ACCOUNT,
    ID,
    IDS,
    N,
    Told,
    changed,
    forged,
    items,
    judged,
    members,
    rehashed,
    sequence,
)
from tests.gateway.evidence.conftest import Telling
from tests.helpers import DAY, NOW, make_fleet


def proved(told: Told, path: Path, **options: Any) -> Verdict:
    """Export and verify."""
    told.export(path, **options)
    found = judged(path.read_bytes(), told.fleet)
    assert isinstance(found, Verdict), found
    return found


def rewritten(data: bytes, told: Told) -> bytes:
    """Do what a gateway's operator can: tell of another hour of approval, and sign all heads anew."""
    whole = members(data)
    old = items(whole[form.AUDIT])
    place = next(at for at, row in enumerate(old) if b'"approval.given"' in row)
    said = json.loads(old[place][32:])
    body = chain.row_bytes(said["index"], said["time"] - 3_600.0, said["kind"], said["data"])
    lines = [json.loads(line) for line in whole[form.EVENTS].splitlines()]
    for line in lines:
        if line["seq"] == json.loads(said["data"])["seq"]:
            line["at"] = said["time"] - 3_600.0
    whole[form.EVENTS] = b"".join(
        json.dumps(line, sort_keys=True, ensure_ascii=False).encode() + b"\n" for line in lines
    )
    new = rehashed([*old[:place], old[place][:32] + body, *old[place + 1 :]])
    heads = {before[:32]: after[:32] for before, after in zip(old, new, strict=True)}
    stamps = []
    for document in items(whole[form.TIMESTAMPS]):
        stamp = peek(document, Timestamp)
        fresh = replace(stamp, audit_head=heads[stamp.audit_head])
        stamps.append(seal(fresh, [told.fleet.signer("gateway")]))
    whole[form.TIMESTAMPS] = sequence(stamps)
    return forged(whole, new)


def test_history_that_the_gateway_wrote_anew_is_found_by_what_devices_echo(
    told: Told, exported: bytes
) -> None:
    found = judged(rewritten(exported, told), told.fleet)
    assert isinstance(found, Verdict)
    assert {one.fault for one in found.findings} == {Fault.REWRITTEN}
    assert all("was told of head" in one.detail for one in found.findings)


def test_without_echoes_the_verdict_says_what_the_gateway_could_have_written_anew(
    tmp_path: Path, telling: Telling
) -> None:
    told = telling(echo=False)
    before = proved(told, tmp_path / "e.zip")
    assert before.proved
    assert (before.vouched_by_devices, before.vouched_by_devices_at) == (0, None)
    found = judged(rewritten((tmp_path / "e.zip").read_bytes(), told), told.fleet)
    assert isinstance(found, Verdict)
    assert found.proved, "nobody but the gateway holds on to its history"
    assert "Behind row 0 only the gateway's own signature stands" in " ".join(found.notes)


def test_what_is_behind_the_last_head_could_be_cut_off_and_the_verdict_says_so(
    tmp_path: Path, telling: Telling
) -> None:
    told = telling()
    assert not any("cut them off" in note for note in proved(told, tmp_path / "0.zip").notes)
    told.report((IDS[3], {}))
    found = proved(told, tmp_path / "1.zip")
    assert found.proved
    note = f"Rows {found.vouched_by_gateway + 1} to {found.rows} are vouched for by no timestamp"
    assert any(one.startswith(note) for one in found.notes)


def test_a_store_that_was_cut_off_is_found_by_the_heads_that_were_signed(
    tmp_path: Path, telling: Telling
) -> None:
    told = telling()
    t = schema.audit
    with told.store.write() as session:
        last = audit.last(session)[0]
        session.connection.execute(t.delete().where(t.c.index == last))
    with pytest.raises(DamagedError) as caught:
        audit.verify_chain(told.store)
    assert caught.value.code == "AUDIT_DAMAGED"
    found = proved(told, tmp_path / "e.zip")
    assert Fault.REWRITTEN in {one.fault for one in found.findings}


def test_a_report_erased_by_rule_is_told_from_one_that_was_deleted(tmp_path: Path, telling: Telling) -> None:
    told = telling()
    told.pass_(40 * DAY)
    erased, _ = retention.expire(told.store, {"reports": 30}, told.now)
    assert sum(one.rows.get("reports", 0) for one in erased) > 0
    found = proved(told, tmp_path / "1.zip")
    assert found.proved, found.findings
    assert found.erased["(about it)"] > 0
    assert found.erased["reports"] >= found.erased["(about it)"]
    r = schema.reports
    with told.store.write() as session:
        session.connection.execute(r.delete().where(r.c.device == IDS[2]))
    found = proved(told, tmp_path / "2.zip")
    assert [one.fault for one in found.findings] == [Fault.REMOVED]
    assert "no rule erased them" in found.findings[0].detail


def test_an_erasure_by_no_rule_in_force_is_no_excuse(tmp_path: Path, telling: Telling) -> None:
    told = telling()
    with told.store.write() as session:
        (row,) = audit.find(session, limit=1, kind="reports.committed", thread=f"advisory:{ID}")
        gone = json.loads(row.data)["reports"]
        facts = {"rule": "reports", "days": 1, "before": told.now - DAY, "rows": {}, "reports": gone}
        audit.append(session, "retention.erased", facts, told.now)
        r = schema.reports
        session.connection.execute(r.delete().where(r.c.entry == row.index))
    found = proved(told, tmp_path / "e.zip")
    assert "which was not in force" in " ".join(one.detail for one in found.findings)


def test_an_account_sees_its_own_devices_and_nothing_that_others_said(
    telling: Telling, tmp_path: Path
) -> None:
    told = telling()
    assert proved(told, tmp_path / "whole.zip").withheld == 0
    found = proved(told, tmp_path / "e.zip", account=ACCOUNT)
    assert found.proved, found.findings
    assert (found.account, found.devices, found.withheld) == (ACCOUNT, 2, 1)
    whole = members((tmp_path / "e.zip").read_bytes())
    assert {line["device"] for line in map(json.loads, whole[form.TOLD_JSON].splitlines())} == {
        IDS[0],
        "fielded-0001",
    }
    hidden = [IDS[2].encode(), IDS[3].encode(), b"another", b"Read in full", b"do not pass this sheet on"]
    assert not [(name, one) for name, data in whole.items() for one in hidden if one in data]
    assert any("all of their reports, is what the operator states" in note for note in found.notes)
    reports = items(whole[form.REPORTS])
    fewer = judged(forged({**whole, form.REPORTS: sequence(reports[1:])}), told.fleet)
    assert isinstance(fewer, Verdict)
    assert not fewer.proved, "the table in the file comes from one report more"


def test_what_there_is_no_evidence_of_is_refused(told: Told, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        exporting.export(told.workspace, "EX-9", tmp_path / "e.zip", now=told.now, by="auditor-1")
    assert caught.value.code == "ADVISORY_UNKNOWN"
    with pytest.raises(InputError) as caught:
        told.export(tmp_path / "e.zip", account="nobody")
    assert caught.value.code == "ACCOUNT_UNKNOWN"
    assert not list(tmp_path.iterdir()), "nothing is left half written"


def test_evidence_is_given_out_over_the_api_up_to_a_size_and_recorded(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = exporting.download(told.workspace, ID, now=int(told.now), by="auditor-2")
    found = judged(data, told.fleet)
    assert isinstance(found, Verdict)
    assert found.proved
    with told.store.read() as session:
        (row,) = audit.find(session, limit=1, after=audit.last(session)[0] - 1)
    assert (row.kind, json.loads(row.data)["by"]) == ("evidence.exported", "auditor-2")
    monkeypatch.setattr(exporting, "DOWNLOAD_BYTES_MAX", len(data) - 500)
    with pytest.raises(InputError) as caught:
        exporting.download(told.workspace, ID, now=int(told.now), by="auditor-2")
    assert caught.value.code == "EVIDENCE_TOO_LARGE"


def test_another_fleets_root_proves_nothing(told: Told, exported: bytes) -> None:
    assert judged(exported, make_fleet(now=NOW + 1)) == "NOT_EVIDENCE"


def test_an_operator_may_sign_the_file_and_nobody_else(told: Told, tmp_path: Path) -> None:
    found = proved(told, tmp_path / "1.zip", operator=("operator", told.fleet.signer("operator")))
    assert (found.proved, found.signed_by) == (True, ("operator-1",))
    whole = members((tmp_path / "1.zip").read_bytes())
    bent = judged(forged({**whole, "clocks.json": b"[1]\n"}), told.fleet)
    assert isinstance(bent, Verdict)
    assert {one.where for one in bent.findings} == {form.SIGNATURE}
    found = proved(told, tmp_path / "2.zip", operator=("gateway", told.fleet.signer("gateway")))
    assert [one.where for one in found.findings] == [form.SIGNATURE]


def to_first_form(store: Store) -> None:
    """Make of a store what the program before this one wrote."""
    a, t, r = schema.audit, schema.audit_threads, schema.reports
    with store.write() as session:
        execute = session.connection.execute
        reports = {}
        for row in execute(sa.select(r)):
            digest = chain.receipt_digest(row.salt, row.bytes)
            reports[digest] = [row.device, row.epoch, row.sequence, hashlib.sha256(row.bytes).hexdigest()]
        old = [row for row in audit.rows(session) if row.kind != chain.BEGAN]
        execute(a.delete())
        execute(t.delete())
        execute(r.update().values(salt=None, entry=None))
        execute(schema.documents.delete().where(schema.documents.c.type == "timestamp"))
        execute(schema.meta.delete().where(schema.meta.c.key == "audit_form"))
        head = chain.GENESIS
        for index, link in enumerate(old, start=1):
            said = json.loads(link.data)
            data = {key: value for key, value in said.items() if key not in {"nth", "about"}}
            if link.kind == chain.COMMITTED:
                data["reports"] = [reports[one] for one in data["reports"]]
            made = chain.link(head, index, link.time, link.kind, data, form=1)
            execute(
                a.insert().values(index=index, time=link.time, kind=link.kind, data=made.data, hash=made.hash)
            )
            head = made.hash


def test_a_chain_of_the_first_form_goes_on_in_the_second_and_is_proved_whole(
    tmp_path: Path, telling: Telling
) -> None:
    told = telling(echo=False)
    to_first_form(told.store)
    audit.verify_chain(told.store)
    told.stamp()
    with told.store.read() as session:
        (row,) = session.connection.execute(
            sa.select(schema.advisories.c.digest).where(schema.advisories.c.revision == 2)
        )
    told.report(told.tell(IDS[3], 2, row.digest, N.DELIVERED, N.VERIFIED, N.SHOWN))
    with told.store.read() as session:
        kinds = [link.kind for link in audit.rows(session)]
    assert kinds.count(chain.FORM_CHANGED) == 1
    audit.verify_chain(told.store)
    found = proved(told, tmp_path / "e.zip")
    assert found.proved, found.findings
    assert found.summary["shown"] == 2
    assert "before reports were counted" in " ".join(found.notes)
    with pytest.raises(InputError) as caught:
        told.export(tmp_path / "e.zip", account=ACCOUNT)
    assert caught.value.code == "EVIDENCE_OLD_ROWS"
    whole = members((tmp_path / "e.zip").read_bytes())
    rows = items(whole[form.AUDIT])
    bent = [*rows[:3], changed(rows[3], lambda data: data.update(x=1)), *rows[4:]]
    after = judged(forged(whole, bent), told.fleet)
    assert isinstance(after, str) or not after.proved


def test_rows_are_found_by_kind_time_and_matter_on_each_engine(any_store: Store) -> None:
    with any_store.write() as session:
        for at in range(5):
            audit.append(session, "reply.received", {"advisory": f"EX-{at % 2}", "seq": at}, float(at))
    with any_store.read() as session:
        assert [row.time for row in audit.find(session, limit=9, thread="advisory:EX-1")] == [1.0, 3.0]
        assert [row.time for row in audit.find(session, limit=9, since=3.0, kind="reply.")] == [3.0, 4.0]
        assert audit.length(session, "advisory:EX-0") == 3
        assert audit.length(session, "advisory:EX-0", 4) == 2
        assert audit.knows(session, audit.head(session))
        assert audit.knows(session, chain.GENESIS)
        assert not audit.knows(session, b"x" * 32)
    audit.verify_chain(any_store)


def test_an_export_from_postgresql_is_proved(
    tmp_path: Path, telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_STORE", str(fresh_place("postgresql", tmp_path)))
    told = telling()
    found = proved(told, tmp_path / "e.zip")
    assert found.proved, found.findings
    assert found.summary["acknowledged"] == 1
