"""Real brokers for the device shells: iotcore in a child process, and Mosquitto where it is installed."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from iotcore import Broker

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")

_RUMQTTD = """\
id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "v5-1"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 262144
max_inflight_count = 100
dynamic_filters = true
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningBroker:
    """A broker that a test may stop and start again on the same port."""

    def __init__(self, start: Callable[[int], Callable[[], None]]) -> None:
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._start = start
        self._stop: Callable[[], None] | None = None
        self.start()

    def start(self) -> None:
        self._stop = self._start(self.port)

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None


def _iotcore(folder: Path) -> Callable[[int], Callable[[], None]]:
    def start(port: int) -> Callable[[], None]:
        config = folder / "rumqttd.toml"
        config.write_text(_RUMQTTD.format(port=port))
        return Broker(config_path=str(config)).start().stop

    return start


def _mosquitto(folder: Path) -> Callable[[int], Callable[[], None]]:
    def start(port: int) -> Callable[[], None]:
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        process = subprocess.Popen(
            [str(MOSQUITTO), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _wait_until_it_listens(port)

        def stop() -> None:
            process.terminate()
            process.wait(10)

        return stop

    return start


def _wait_until_it_listens(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            probe.settimeout(0.05)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        with socket.socket() as pause:  # a bounded wait without sleeping: nothing ever arrives here
            pause.bind(("127.0.0.1", 0))
            pause.listen()
            pause.settimeout(0.05)
            try:
                pause.accept()
            except TimeoutError:
                continue
    raise TimeoutError(f"no broker on port {port}")


_KINDS = {"iotcore": _iotcore, "mosquitto": _mosquitto}


def _run(kind: str) -> Iterator[RunningBroker]:
    with tempfile.TemporaryDirectory() as folder:
        broker = RunningBroker(_KINDS[kind](Path(folder)))
        yield broker
        broker.stop()


@pytest.fixture(
    params=[
        "iotcore",
        pytest.param(
            "mosquitto",
            marks=[
                pytest.mark.mosquitto,
                pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
            ],
        ),
    ]
)
def broker(request: pytest.FixtureRequest) -> Iterator[RunningBroker]:
    """Each broker in turn, fresh for the test."""
    yield from _run(request.param)


@pytest.fixture
def iotcore_broker() -> Iterator[RunningBroker]:
    """The broker of the demo, fresh for the test."""
    yield from _run("iotcore")
