"""The device CA and the register behind it: what is issued, what is revoked, and what another key leaves."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from advisories.catalogue import DeviceRecord
from advisories.report import journal_genesis, journal_head, seal_report
from advisories.states import NoticeState
from gateway.operations.identity import certificates, device_ca, devices, revocation
from gateway.service.committing import Committer, Item, Receipt, Refusal
from gateway.store import schema
from gateway.store.publication import register_all, register_devices
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.signer import LocalSigner, generate
from tests.cli.conftest import no_passphrase, template  # noqa: F401 - a fixture
from tests.gateway.peer import status, walked
from tests.gateway.scene import make_store
from tests.helpers import DEVICE, Fleet, device_record, key, report
from tests.helpers import devices as records

DAY = 86_400


def serials(workspace: Workspace) -> list[int]:
    crl = revocation.read(workspace)
    assert crl is not None
    return [entry.serial_number for entry in crl]


@pytest.fixture
def workspace(template: Path, tmp_path: Path) -> Workspace:  # noqa: F811 - the fixture
    shutil.copytree(template, tmp_path / "fleet")
    return Workspace.open(tmp_path / "fleet")


def new(workspace: Workspace, now: int, algorithm: Algorithm = Algorithm.ESP256) -> certificates.DeviceCa:
    return device_ca.new(workspace, passphrase=b"", algorithm=algorithm, days=3_650, now=now)


def first(workspace: Workspace) -> devices.DeviceRow:
    return devices.rows(workspace)[0]


NOW = 1_900_000_000  # within the records that the template holds


@pytest.mark.parametrize("algorithm", [Algorithm.ESP256, Algorithm.ED25519])
def test_openssl_takes_what_the_ca_issues(workspace: Workspace, algorithm: Algorithm, tmp_path: Path) -> None:
    ca = new(workspace, NOW, algorithm)
    gateway = device_ca.issue_gateway(workspace, ca, now=NOW)
    broker = device_ca.issue_broker(workspace, ca, ["localhost", "::1", "*.example.com"], now=NOW)
    (device,) = device_ca.issue(workspace, ca, [first(workspace).id], now=NOW)
    bundle = tmp_path / "bundle.pem"
    tls = workspace.path / "tls"
    bundle.write_bytes((tls / "ca.pem").read_bytes() + (tls / "crl.pem").read_bytes())
    for one, purpose in ((gateway, "sslclient"), (device, "sslclient"), (broker, "sslserver")):
        (tmp_path / "one.pem").write_bytes(one.pem)
        words = ["-x509_strict", "-crl_check", "-purpose", purpose, "-attime", str(NOW + DAY)]
        done = subprocess.run(
            ["openssl", "verify", "-CAfile", bundle, *words, tmp_path / "one.pem"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_certificate_says_who_and_what_for_and_no_longer_than_its_record(workspace: Workspace) -> None:
    ca = new(workspace, NOW)
    row = first(workspace)
    (long,) = device_ca.issue(workspace, ca, [row.id], now=NOW)
    (short,) = device_ca.issue(workspace, ca, [row.id], now=NOW, days=7)
    assert long.end == min(row.valid_to, int(ca.certificate.not_valid_after_utc.timestamp()))
    assert short.end == NOW + 7 * DAY
    assert long.thumbprint == row.thumbprint
    assert long.serial != short.serial
    found = x509.load_der_x509_certificate(long.der).extensions
    purpose = found.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purpose) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert ca.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    with workspace.store() as store, store.read() as session:
        assert {one.serial for one in certificates.issued(session)} == {long.serial, short.serial}


def test_private_keys_are_for_their_owner_only_and_the_cas_is_encrypted(workspace: Workspace) -> None:
    made = device_ca.new(workspace, passphrase=b"correct", algorithm=Algorithm.ESP256, days=9, now=NOW)
    assert "key" not in repr(made)
    device_ca.issue_gateway(workspace, made, now=NOW)
    device_ca.issue_broker(workspace, made, ["localhost"], now=NOW)
    for name in ("device-ca", "tls-gateway", "tls-broker"):
        assert (workspace.path / "keys" / f"{name}.pem").stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in device_ca.key_path(workspace).read_bytes()
    with pytest.raises(InputError) as caught:
        device_ca.open_ca(workspace, lambda _: b"a wrong one")
    assert caught.value.code == "KEY_PASSPHRASE"
    assert "wrong one" not in str(caught.value)
    assert device_ca.open_ca(workspace, lambda _: b"correct").certificate == made.certificate


def test_there_is_one_ca_and_one_whose_making_was_killed_is_made_again(workspace: Workspace) -> None:
    new(workspace, NOW)
    with pytest.raises(InputError) as caught:
        new(workspace, NOW)
    assert caught.value.code == "CA_EXISTS"
    (workspace.path / "tls" / "ca.pem").unlink()  # as when killed after the key and the list
    again = new(workspace, NOW)
    assert device_ca.open_ca(workspace, no_passphrase).certificate == again.certificate
    assert list(workspace.path.glob("keys/device-ca.pem.unlisted-*"))  # nothing is thrown away


def test_a_key_of_another_ca_is_not_used(workspace: Workspace) -> None:
    new(workspace, NOW)
    device_ca.key_path(workspace).write_bytes(generate(Algorithm.ESP256).to_pem(b""))
    with pytest.raises(InputError) as caught:
        device_ca.open_ca(workspace, no_passphrase)
    assert caught.value.code == "CA_MISMATCH"


@pytest.mark.parametrize("host", ["", "mqtts://broker", "a b", "broker:8883", "x" * 64, "gerät", "a..b"])
def test_what_is_no_host_gets_no_certificate(host: str, workspace: Workspace) -> None:
    ca = new(workspace, NOW)
    with pytest.raises(InputError) as caught:
        device_ca.issue_broker(workspace, ca, [host], now=NOW)
    assert caught.value.code == "BAD_HOST"


def test_no_certificate_without_a_valid_record(workspace: Workspace) -> None:
    ca = new(workspace, NOW)
    row = first(workspace)
    for ids, now, code in (
        (["nobody"], NOW, "NO_DEVICE"),
        ([row.id], row.valid_to, "DEVICE_OVER"),
        ([row.id], NOW + 3_651 * DAY, "CA_OVER"),
    ):
        with pytest.raises(InputError) as caught:
            device_ca.issue(workspace, ca, ids, now=now)
        assert caught.value.code == code
    with workspace.store() as store, store.read() as session:
        assert not list(certificates.issued(session))


def test_the_list_names_revoked_devices_and_former_gateways_and_is_made_again_when_lost(
    workspace: Workspace,
) -> None:
    ca = new(workspace, NOW)
    former = device_ca.issue_gateway(workspace, ca, now=NOW)
    device_ca.issue_gateway(workspace, ca, now=NOW + 1)
    assert serials(workspace) == [former.serial]
    row = first(workspace)
    (made,) = device_ca.issue(workspace, ca, [row.id], now=NOW)
    operator = workspace.signer("operator", no_passphrase)
    issued = int(workspace.trusted().root.issued)
    devices.revoke(workspace, row.id, "Lost", operator, now=issued + 1)
    with workspace.lock():
        revocation.write(workspace, ca, now=NOW + 2)
    assert sorted(serials(workspace)) == sorted([former.serial, made.serial])
    (workspace.path / "tls" / "crl.pem").write_bytes(b"damaged")
    with workspace.lock():
        revocation.write(workspace, ca, now=NOW + 3)
    assert sorted(serials(workspace)) == sorted([former.serial, made.serial])
    with workspace.lock():
        revocation.write(workspace, ca, now=made.end + 1)
    assert serials(workspace) == []  # what has expired need not be refused


# What another key leaves in the store


class Scene:
    def __init__(self, path: Path) -> None:
        self.store, self.fleet = make_store(path)
        self.ingest = Committer(self.store, self.fleet.id, clock=lambda: self.fleet.now)

    def take(self, body: object, signer: LocalSigner) -> Receipt | Refusal:
        data = seal_report(body, signer)  # type: ignore[arg-type]
        (outcome,) = self.ingest.commit([Item("t", DEVICE, data, self.fleet.now, lambda _: None)])
        return outcome

    def register(self, record: DeviceRecord, version: int) -> None:
        register_devices(
            self.store, self.fleet.seal(records(self.fleet, record, version=version)), self.fleet.now
        )

    def rows(self, table: sa.Table) -> list[sa.Row[tuple[object, ...]]]:
        with self.store.read() as session:
            return list(session.connection.execute(sa.select(table)))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def told(fleet: Fleet, *states: NoticeState, **fields: object) -> object:
    journal = walked("EX-2026-0001", *states)
    head = journal_head(journal_genesis(fleet.id, DEVICE), journal)
    return report(
        fleet,
        notices=(status("EX-2026-0001", bytes(32), states[-1]),),
        journal=journal,
        journal_count=len(journal),
        journal_head=head,
        **fields,
    )


SHOWN = (NoticeState.SENT, NoticeState.DELIVERED, NoticeState.VERIFIED, NoticeState.SHOWN)


def test_a_new_board_begins_again_and_what_the_old_one_did_stays(scene: Scene) -> None:
    fleet, old, fresh = scene.fleet, scene.fleet.device(), key("new board")
    before = told(fleet, *SHOWN, boot_epoch=5, version=3)
    assert isinstance(scene.take(before, old), Receipt)
    scene.register(device_record(fleet, key=fresh.public), fleet.now + 1)
    after = told(fleet, NoticeState.SENT, NoticeState.DELIVERED)  # boot 1, report 1, a new journal
    assert scene.take(before, old).reason is not None  # type: ignore[union-attr]
    outcome = scene.take(after, fresh)
    assert isinstance(outcome, Receipt)
    assert outcome.order == (1, 1)
    assert scene.rows(schema.anomalies) == []
    assert {row.bytes for row in scene.rows(schema.reports)} == {
        seal_report(before, old),  # type: ignore[arg-type]
        seal_report(after, fresh),  # type: ignore[arg-type]
    }
    assert sorted((row.life, row.index) for row in scene.rows(schema.journal)) == [
        *((0, index) for index in range(4)),
        *((1, index) for index in range(2)),
    ]
    (notice,) = scene.rows(schema.notice_states)
    assert notice.shown is not None  # its owner was told, whatever the new board knows


def test_a_device_that_keeps_its_memory_goes_on_with_its_journal(scene: Scene) -> None:
    fleet, old, fresh = scene.fleet, scene.fleet.device(), key("same board")
    scene.take(told(fleet, *SHOWN[:2], boot_epoch=5, version=3), old)
    scene.register(device_record(fleet, key=fresh.public), fleet.now + 1)
    assert isinstance(scene.take(told(fleet, *SHOWN, boot_epoch=6, version=1), fresh), Receipt)
    assert scene.rows(schema.anomalies) == []
    assert sorted((row.life, row.index) for row in scene.rows(schema.journal)) == [(0, n) for n in range(4)]


def test_two_replacements_with_the_same_numbers_lose_nothing(scene: Scene) -> None:
    fleet = scene.fleet
    for number in range(3):
        signer = fleet.device() if number == 0 else key(f"board {number}")
        if number:
            scene.register(device_record(fleet, key=signer.public), fleet.now + number)
        for boot in (1, 2):
            assert isinstance(scene.take(report(fleet, boot_epoch=boot, version=1), signer), Receipt)
    assert sorted(row.epoch for row in scene.rows(schema.reports)) == [-4, -3, -2, -1, 1, 2]


def test_an_older_document_brings_no_old_key_back(scene: Scene) -> None:
    fleet, fresh = scene.fleet, key("new board")
    original = fleet.seal(records(fleet))
    scene.register(device_record(fleet, key=fresh.public), fleet.now + 2)
    assert not register_devices(scene.store, original, fleet.now).changed  # known: nothing happens
    with pytest.raises(RefusedError) as caught:
        register_devices(scene.store, fleet.seal(records(fleet, version=fleet.now + 1)), fleet.now)
    assert caught.value.reason is Reason.REPLAYED
    (row,) = scene.rows(schema.devices)
    assert row.kid == fresh.public.thumbprint


def test_a_revoked_device_is_refused_and_its_offer_is_taken_from_the_broker(scene: Scene) -> None:
    fleet = scene.fleet
    topic = f"tocsin/v1/device/{DEVICE}/offer"
    with scene.store.write() as session:
        session.retain(topic, b"offer")
    scene.register(device_record(fleet, revoked=True), fleet.now + 1)
    with scene.store.read() as session:
        assert session.retained(topic).payload == b""  # type: ignore[union-attr]
    outcome = scene.take(report(fleet), fleet.device())
    assert isinstance(outcome, Refusal)
    assert outcome.reason is Reason.REVOKED


def test_documents_of_records_are_taken_all_or_none(scene: Scene) -> None:
    fleet = scene.fleet
    good = records(fleet, device_record(fleet, "device-2"), version=fleet.now + 1)
    thief = replace(device_record(fleet, "device-3"), key=fleet.device().public)
    bad = records(fleet, thief, version=fleet.now + 2)
    with pytest.raises(InputError) as caught:
        register_all(scene.store, [fleet.seal(good), fleet.seal(bad)], fleet.now)
    assert caught.value.code == "DEVICE_KEY_TAKEN"
    assert [row.id for row in scene.rows(schema.devices)] == [DEVICE]


def test_two_devices_of_one_document_do_not_share_a_key(scene: Scene) -> None:
    fleet = scene.fleet
    shared = key("shared").public
    pair = [device_record(fleet, id_, key=shared) for id_ in ("a", "b")]
    with pytest.raises(InputError):
        register_devices(scene.store, fleet.seal(records(fleet, *pair, version=fleet.now + 1)), fleet.now)
