"""The broker for demonstrations: iotcore (rumqttd) in a child process, MQTT 5 on 127.0.0.1 only.

It honours neither Receive Maximum nor a client's packet limit nor session expiry, closes a connection
whose keep-alive is 0, and forgets retained messages when it ends: the gateway asserts them again. For
anything but a demonstration use Mosquitto or larger.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from iotcore import Broker

from keys.errors import UnavailableError

CONNECTIONS_MAX: Final = 20_000
PAYLOAD_BYTES_MAX: Final = 131_072  # above our largest document (100,000) and its packet header
INFLIGHT_MAX: Final = 200  # publications on their way to one client

_CONFIG: Final = """\
# Written by tocsin for one demonstration; see docs/protocol for brokers that last.
id = 0

[router]
id = 0
max_connections = {connections}
max_outgoing_packet_count = {inflight}
max_segment_size = 104857600
max_segment_count = 10

[v5.demo]
name = "demo"
listen = "{host}:{port}"
next_connection_delay_ms = 0

[v5.demo.connections]
connection_timeout_ms = 60000
max_payload_size = {payload}
max_inflight_count = {inflight}
dynamic_filters = true
"""


class DemoBroker:
    """A broker on 127.0.0.1 for as long as the block lasts; it ends with this process whatever happens.

    Args:
        folder: where its configuration is written; a temporary folder unless given.
        port: 0 takes a free one.
    """

    def __init__(self, folder: Path | None = None, port: int = 0) -> None:
        self._folder, self._wanted = folder, port
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._broker: Broker | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """``mqtt://127.0.0.1:<port>``."""
        return f"mqtt://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start the broker and wait until it accepts connections.

        Raises:
            UnavailableError: PORT_TAKEN, BROKER_FAILED.
        """
        if self._folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="tocsin-broker-")
        folder = self._folder or Path(str(self._temporary and self._temporary.name))
        try:
            self.port = _free_port(self._wanted)
            config = folder / "broker.toml"
            config.write_text(
                _CONFIG.format(
                    host="127.0.0.1",
                    port=self.port,
                    connections=CONNECTIONS_MAX,
                    inflight=INFLIGHT_MAX,
                    payload=PAYLOAD_BYTES_MAX,
                ),
                encoding="utf-8",
            )
            self._start(config)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self, config: Path) -> None:
        broker = Broker(config_path=str(config))
        # Ctrl-C reaches the whole process group. The broker is to end last, by our hand, so that devices
        # and gateway can say goodbye: its process inherits a mask in which SIGINT is blocked.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _last_words(config.with_suffix(".log")):
                broker.start()
        except (OSError, RuntimeError) as error:
            raise UnavailableError(
                "BROKER_FAILED",
                f"The broker for the demonstration does not start ({error}).",
                mend="Try again, or give the address of another broker with --broker.",
                where=str(config),
            ) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._broker = broker

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the broker and release its port."""
        if self._broker is not None:
            self._broker.stop()
            self._broker = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


@contextlib.contextmanager
def _last_words(path: Path) -> Iterator[None]:
    """Let a process started meanwhile write its errors to a file: it may be killed in the midst of them."""
    try:
        kept = os.dup(2)
    except OSError:  # the caller has closed it: there is nothing to share
        yield
        return
    try:
        with path.open("ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except (OSError, OverflowError) as error:
            why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise UnavailableError(
                "PORT_TAKEN",
                f"Port {wanted} on 127.0.0.1 is not to be had ({why}).",
                mend="Choose another port, or end the program that uses it.",
                where=f"127.0.0.1:{wanted}",
            ) from None
        return int(probe.getsockname()[1])
