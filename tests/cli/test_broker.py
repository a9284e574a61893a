"""``tocsin broker`` by command: files that are ours alone, a broker that keeps what it has, a list of revoked ones."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.operations.identity import device_ca, devices, revocation
from gateway.service.asking.visitor import Visitor
from gateway.service.broker import mosquitto
from gateway.workspace.folder import Workspace
from keys.errors import UnavailableError
from tests.cli.conftest import Tocsin, no_passphrase, snapshot
from tests.gateway.broker.stage import Running, await_listening, certified, free_port, name_of, running


@pytest.fixture
def fleet(template: Path, tmp_path: Path) -> Workspace:
    return certified(template, tmp_path / "certified")


def config(fleet: Workspace, *more: str | Path) -> tuple[str | Path, ...]:
    return ("broker", "config", "made", "-w", fleet.path, "--json", *more)


def test_the_files_are_written_once_and_again_where_something_changed(
    fleet: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    dry = tocsin(*config(fleet, "--dry-run"))
    assert dry.status == 0, dry
    assert set(dry.json["files"].values()) == {"new"}
    assert not (tmp_path / "made").exists()
    assert tocsin(*config(fleet)).json["files"] == dry.json["files"]
    key = tmp_path / "made" / "tls" / "broker-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = snapshot(tmp_path / "made")
    assert set(tocsin(*config(fleet)).json["files"].values()) == {"same"}
    assert snapshot(tmp_path / "made") == before
    tocsin("device", "ca", "server", "broker.example.com", "-w", fleet.path)
    changed = tocsin(*config(fleet, "--port", "9999")).json["files"]
    assert {name for name, state in changed.items() if state == "changed"} == {
        mosquitto.CONFIG,
        "tls/broker.pem",
        "tls/broker-key.pem",
    }


def test_what_others_wrote_is_never_written_over(fleet: Workspace, tocsin: Tocsin, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "mosquitto.conf").write_text("listener 1883\n")
    before = snapshot(folder)
    assert tocsin(*config(fleet)).json["error"]["code"] == "FILE_FOREIGN"
    assert snapshot(folder) == before
    (folder / "mosquitto.conf").unlink()
    assert tocsin(*config(fleet)).status == 0
    with (folder / "devices.acl").open("a") as file:
        file.write("pattern read #\n")
    before = snapshot(folder)
    assert tocsin(*config(fleet)).json["error"]["code"] == "FILE_FOREIGN"
    assert snapshot(folder) == before


REFUSED = {
    "no such address": (("--listen", "0.0.0.0\nallow_anonymous true"), "BAD_ADDRESS"),
    "one door for all": (("--listen", "127.0.0.1", "--port", "8884"), "BAD_VALUE"),
    "one door within the other": (("--port", "8884"), "BAD_VALUE"),
    "one door within the other, by its number": (("--listen", "0.0.0.0", "--port", "8884"), "BAD_VALUE"),
    "the gateways' door around the devices'": (
        ("--listen", "192.0.2.1", "--port", "8884", "--gateway-listen", ""),
        "BAD_VALUE",
    ),
    "no such user": (("--user", "nobody-of-that-name"), "NO_SUCH_USER"),
    "a line in the folder's name": (("--at", "/etc/x\nallow_anonymous true"), "BAD_FOLDER"),
    "no ARN": (("--for", "aws-iot", "--arn", "arn:aws:iot"), "BAD_ARN"),
}


@pytest.mark.parametrize(("more", "code"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_no_configuration_is_refused(
    more: tuple[str, ...], code: str, fleet: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    ran = tocsin(*config(fleet, *more))
    assert (ran.status, ran.json["error"]["code"]) == (2, code), ran
    assert not (tmp_path / "made").exists()


def test_without_certificates_there_is_none(workspace: Workspace, tocsin: Tocsin) -> None:
    ran = tocsin("broker", "config", "made", "-w", workspace.path, "--json")
    assert ran.json["error"]["code"] == "NO_BROKER_CERTIFICATE"
    assert "device ca" in ran.json["error"]["mend"]
    assert tocsin("broker", "run", "made", "--json").json["error"]["code"] == "NO_BROKER_CONFIG"


def test_other_brokers_are_told_the_same(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> None:
    for kind, names in (
        ("emqx", {"acl.conf"}),
        ("aws-iot", {"device-own.json", "device-public.json", "gateway.json"}),
    ):
        ran = tocsin("broker", "config", kind, "--for", kind, "-w", workspace.path, "--json")
        assert ran.json["files"].keys() == names
    assert json.loads((tmp_path / "aws-iot" / "gateway.json").read_text())["Version"] == "2012-10-17"


@pytest.mark.mosquitto
def test_a_broker_keeps_what_is_retained_and_queued_over_a_restart(fleet: Workspace, tmp_path: Path) -> None:
    notice, offer = "tocsin/v1/notice/p/a", f"tocsin/v1/device/{name_of(fleet, 0)}/offer"
    with running(fleet, tmp_path / "broker") as broker:
        with broker.visit(name_of(fleet, 0), session=600) as device:
            device.subscribe(offer)
        with broker.watch() as gateway:
            gateway.publish(notice, b"kept", retain=True)
            gateway.publish(offer, b"queued")
        broker.again()
        with broker.visit(name_of(fleet, 0), session=600) as device:
            assert device.session_present
            got = device.receive()
            assert got is not None
            assert (got.topic, got.payload) == (offer, b"queued")
            device.subscribe(notice)
            got = device.receive()
            assert got is not None
            assert got.payload == b"kept"


@pytest.mark.mosquitto
def test_run_becomes_mosquitto_and_reads_a_new_list_of_revoked_ones(
    fleet: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    ports = free_port(), free_port()
    more = ("--listen", "127.0.0.1", "--port", str(ports[0]), "--gateway-port", str(ports[1]))
    assert tocsin(*config(fleet, *more)).status == 0
    command = [Path(sys.executable).parent / "tocsin", "broker", "run", "made"]
    plan = mosquitto.Plan(
        tmp_path, "", *(mosquitto.Listener("127.0.0.1", port) for port in ports), user="", crl=True
    )
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            await_listening(process, plan)
            taken = tocsin("broker", "run", "made", "--json")
            assert taken.json["error"]["code"] == "PORT_TAKEN"
            first, second = name_of(fleet, 0), name_of(fleet, 1)
            broker = Running(fleet, tmp_path / "made", plan, process)
            for device in (first, second):
                with broker.visit(device):
                    pass
            operator = fleet.signer("operator", no_passphrase)
            now = int(time.time())
            devices.revoke(fleet, first, "Stolen", operator, now=now)
            with fleet.lock():
                revocation.write(fleet, device_ca.open_ca(fleet, no_passphrase), now=now)
            again = tocsin(*config(fleet, *more)).json["files"]
            assert [name for name, state in again.items() if state == "changed"] == ["tls/crl.pem"]
            process.send_signal(signal.SIGHUP)
            for _ in range(2):  # at the start, and now: it names the last line of what it reads
                while b"/patch/#" not in process.stderr.readline():
                    assert process.poll() is None
            with broker.visit(second):
                pass
            with pytest.raises(UnavailableError) as kept_out, Visitor(broker.door(first), first):
                pass
            assert kept_out.value.code in {"BROKER_TLS", "BROKER_UNREACHABLE"}  # the alert may be cut off
        finally:
            process.terminate()
            process.communicate(timeout=10)
        assert process.returncode == 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", ports[0]))
