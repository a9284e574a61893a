"""Brokers that are asked: a good one, worse ones, and one for demonstrations; each with what must be found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from iotcore import Broker

from gateway.operations.trust.asking import ask_broker
from gateway.operations.trust.expiry import Check, State
from gateway.service.asking import access, questions, visitor
from gateway.service.asking.questions import QUESTIONS
from gateway.service.broker import DemoBroker
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from tests.cli.conftest import template  # noqa: F401 - a fixture
from tests.gateway.broker.stage import Running, certified, free_port, name_of, running

RESTART, UNASKED = "BROKER_RESTART_UNASKED", "BROKER_ACCESS_UNASKED"


@pytest.fixture(scope="module")
def workspace(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:  # noqa: F811 - the fixture
    return certified(template, tmp_path_factory.mktemp("asking") / "fleet")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker on this machine answers at once: what has not come by then does not come."""
    monkeypatch.setattr(visitor, "PATIENCE_SECONDS", 1.5)
    for module in (questions, access):
        monkeypatch.setattr(module, "QUIET_SECONDS", 0.25)


def asked(broker: Running, device_url: str | None = None, *, thorough: bool = False) -> list[Check]:
    return list(
        ask_broker(
            broker.workspace,
            broker.gateways.url,
            device=broker.pair(name_of(broker.workspace, 0)),
            device_url=device_url or broker.devices_url,
            thorough=thorough,
        )
    )


def codes(checks: list[Check]) -> set[str]:
    assert all(each.mend for each in checks if each.code)
    return {each.code for each in checks if each.state is not State.OK}


@pytest.mark.mosquitto
def test_the_written_configuration_has_nothing_to_mend_and_nothing_is_left_there(
    workspace: Workspace, tmp_path: Path
) -> None:
    with running(workspace, tmp_path / "broker") as broker, broker.watch("observer") as observer:
        checks = asked(broker, thorough=True)
        assert codes(checks) == {RESTART}
        assert {each.name for each in QUESTIONS} <= {each.name for each in checks}
        observer.subscribe(f"{workspace.settings.prefix}/#")
        observer.publish(f"{workspace.settings.prefix}/fence", b"")
        assert observer.until(f"{workspace.settings.prefix}/fence") == []


def careless(text: str) -> str:
    """Without what keeps devices apart, and too small."""
    text = re.sub(r"(acl_file|use_username_as_clientid) .*\n", "", text)
    return text.replace("max_packet_size 131072", "max_packet_size 20000")


def forgetful(text: str) -> str:
    """Keeps nothing, and one message for a client that is away."""
    text = text.replace("persistence true", "persistence true\nretain_available false")
    return re.sub(r"max_queued_messages \d+", "max_queued_messages 1", text)


WORSE = {
    "careless": (careless, {RESTART, "BROKER_ACCESS_OPEN", "BROKER_SESSION_TAKEN", "BROKER_SIZE"}),
    "forgetful": (
        forgetful,
        {
            *(RESTART, "BROKER_NOT_RETAINED", "BROKER_EXPIRY_STANDS", "BROKER_NOT_CLEARED"),
            *("BROKER_SESSION_LOST", "BROKER_FLOODS"),
        },
    ),
}


@pytest.mark.mosquitto
@pytest.mark.parametrize(("worsened", "wanted"), WORSE.values(), ids=WORSE)
def test_what_somebody_made_worse_is_found(
    worsened: Callable[[str], str], wanted: set[str], workspace: Workspace, tmp_path: Path
) -> None:
    with running(workspace, tmp_path / "broker", worsened) as broker:
        assert codes(asked(broker)) == wanted


@pytest.mark.mosquitto
def test_the_wrong_door_is_told_apart(workspace: Workspace, tmp_path: Path) -> None:
    with running(workspace, tmp_path / "broker") as broker:
        checks = list(ask_broker(workspace, broker.devices_url))
        assert codes(checks) == {"BROKER_ONE_CLIENT"}
        assert "BROKER_ACCESS_CLOSED" in codes(asked(broker, broker.gateways.url))
        with pytest.raises(InputError, match="not the certificate of a device"):
            list(
                ask_broker(
                    workspace,
                    broker.gateways.url,
                    device=(
                        workspace.path / "tls" / "gateway.pem",
                        workspace.path / "keys" / "tls-gateway.pem",
                    ),
                )
            )


def test_the_broker_for_demonstrations_has_its_known_faults(workspace: Workspace) -> None:
    with DemoBroker() as broker:
        checks = list(ask_broker(workspace, broker.url, thorough=True))
    assert codes(checks) == {"BROKER_PLAIN", "BROKER_SESSION_STAYS", "BROKER_FLOODS", RESTART, UNASKED}
    assert not [each for each in checks if each.state is State.FAIL]


@contextmanager
def old_broker(folder: Path) -> Iterator[str]:
    """iotcore with MQTT 3.1.1 only."""
    port = free_port()
    config = folder / "old.toml"
    config.write_text(
        "id = 0\n[router]\nid = 0\nmax_connections = 10\nmax_outgoing_packet_count = 100\n"
        "max_segment_size = 104857600\nmax_segment_count = 10\n"
        f'[v4.old]\nname = "old"\nlisten = "127.0.0.1:{port}"\nnext_connection_delay_ms = 0\n'
        "[v4.old.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 20480\n"
        "max_inflight_count = 100\ndynamic_filters = true\n"
    )
    broker = Broker(config_path=str(config))
    broker.start()
    try:
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        broker.stop()


def test_a_broker_without_mqtt_5_and_none_at_all_are_told_apart(workspace: Workspace, tmp_path: Path) -> None:
    with old_broker(tmp_path) as url:
        assert codes(list(ask_broker(workspace, url))) == {"BROKER_PLAIN", "BROKER_NO_MQTT5"}
    silent = f"mqtt://127.0.0.1:{free_port()}"
    assert codes(list(ask_broker(workspace, silent))) == {"BROKER_PLAIN", "BROKER_UNREACHABLE"}
    with pytest.raises(InputError, match="address of a broker"):
        list(ask_broker(workspace, "http://127.0.0.1"))
