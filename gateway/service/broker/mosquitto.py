"""Mosquitto as a fleet needs it: its configuration as text, and how it is run.

Right for 2.0.11 (Debian 12) and what came after it. Two listeners with one certificate: devices come to the
first, where the broker takes the common name of their certificate for user name and client id, so that none
can take another's session; gateways come to the second, where each may have a client id of its own. The
second is for an address that devices cannot reach: whoever gets there can take a session whose id it knows.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core import acl
from keys.errors import InputError, UnavailableError
from keys.limits import DOCUMENT_BYTES_MAX

DEVICES_PORT: Final = 8883
GATEWAYS_PORT: Final = 8884
CONFIG: Final = "mosquitto.conf"
PACKET_BYTES_MAX: Final = 131_072  # our largest document, its topic, properties and header
INFLIGHT_MAX: Final = 1_600  # a gateway's reports in hand; every client is held to what it says it can take
QUEUED_MAX: Final = 20_000  # messages for one client that is away: reports, while the gateway restarts
QUEUED_BYTES_MAX: Final = 256 * 1024 * 1024  # of them
AUTOSAVE_SECONDS: Final = 15  # of retained and queued messages that a crash loses; all of them are sent again
SESSION_DAYS: Final = 14  # a session that nobody took up again is forgotten
KEEPALIVE_SECONDS_MAX: Final = 600

assert PACKET_BYTES_MAX > DOCUMENT_BYTES_MAX + 4_096


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a broker listens."""

    address: str
    """Of this machine; empty for all of them."""
    port: int

    def __str__(self) -> str:
        return f"listener {self.port} {self.address}".rstrip()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a configuration depends on."""

    folder: Path
    """Absolute: where the broker will find its files."""
    prefix: str
    devices: Listener
    gateways: Listener
    user: str
    """As whom it runs when root starts it."""
    crl: bool
    """Whether there is a list of revoked certificates."""


def texts(plan: Plan) -> dict[str, str]:
    """Return file name -> what Mosquitto reads there."""
    return {
        CONFIG: _config(plan),
        "devices.acl": acl.mosquitto(plan.prefix),
        "gateways.acl": acl.mosquitto(plan.prefix, devices=False),
    }


def _config(plan: Plan) -> str:
    return "\n".join(
        [
            f"# {acl.MARK} Give other options there, or keep what you change elsewhere.",
            "per_listener_settings true",
            f"user {plan.user}",
            "",
            "# What is retained and what waits for a client outlives a restart.",
            "persistence true",
            f"persistence_location {plan.folder}/data/",
            f"autosave_interval {AUTOSAVE_SECONDS}",
            f"persistent_client_expiration {SESSION_DAYS}d",
            "",
            "# No client can fill the broker.",
            f"max_packet_size {PACKET_BYTES_MAX}",
            f"max_inflight_messages {INFLIGHT_MAX}",
            f"max_queued_messages {QUEUED_MAX}",
            f"max_queued_bytes {QUEUED_BYTES_MAX}",
            f"max_keepalive {KEEPALIVE_SECONDS_MAX}",
            "queue_qos0_messages false",
            "set_tcp_nodelay true",
            "",
            "log_dest stderr",
            "log_timestamp_format %Y-%m-%dT%H:%M:%S",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "",
            "# Devices: the common name of the certificate is user name and client id.",
            *_listener(plan, plan.devices, "devices.acl"),
            "use_username_as_clientid true",
            "",
            "# Gateways: each has a client id of its own. Only for addresses that no device can reach.",
            *_listener(plan, plan.gateways, "gateways.acl"),
            "",
        ]
    )


def _listener(plan: Plan, listener: Listener, access: str) -> list[str]:
    tls = f"{plan.folder}/tls"
    return [
        str(listener),
        "allow_anonymous false",
        "allow_zero_length_clientid false",
        "require_certificate true",
        "use_identity_as_username true",
        "tls_version tlsv1.3",
        f"cafile {tls}/ca.pem",
        *([f"crlfile {tls}/crl.pem"] if plan.crl else []),
        f"certfile {tls}/broker.pem",
        f"keyfile {tls}/broker-key.pem",
        f"acl_file {plan.folder}/{access}",
    ]


def find() -> Path:
    """Return where Mosquitto is installed.

    Raises:
        UnavailableError: NO_MOSQUITTO.
    """
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        message = "The mosquitto program is not installed."
        raise UnavailableError("NO_MOSQUITTO", message, mend="apt-get install mosquitto")
    return Path(found)


def ready(folder: Path) -> list[str]:
    """Return the command line of Mosquitto with the configuration in a folder, once it can start.

    Whoever runs it should become it (``os.execv``): then nothing stands between Mosquitto and whoever stops
    it (SIGTERM), lets it read access lists and certificates again (SIGHUP), or keeps its log.

    Raises:
        InputError: NO_BROKER_CONFIG, PORT_TAKEN, BAD_ADDRESS.
        UnavailableError: NO_MOSQUITTO, FILE.
    """
    config = folder / CONFIG
    if not config.is_file():
        mend = "Write one with 'tocsin broker config'."
        raise InputError("NO_BROKER_CONFIG", "There is no configuration.", mend=mend, where=str(config))
    program = find()
    for line in config.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if words[:1] == ["listener"] and words[1:] and words[1].isdecimal():
            _require_free(words[2] if len(words) > 2 else "", int(words[1]))
    return [str(program), "-c", str(config)]


def _require_free(address: str, port: int) -> None:
    """Refuse an address at which nobody could listen now; Mosquitto would only say it in its log."""
    where = f"{address or '*'}:{port}"
    try:
        found = socket.getaddrinfo(address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            mend = "End the program that uses it, or choose another with 'tocsin broker config'."
            raise InputError("PORT_TAKEN", f"{where} is in use.", mend=mend) from None
        message = f"Nobody can listen at {where} here ({error.strerror})."
        mend = "Give another address with 'tocsin broker config'."
        raise InputError("BAD_ADDRESS", message, mend=mend) from None
