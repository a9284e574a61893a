"""Who may read and write which topic at a broker: one table, and what brokers are told of it.

A device is known by the common name of its certificate, which is its id. It writes what it says of itself,
and reads what is said to it and what is public. What is public may be read for every product: it stands on
the maker's site too, and a device of one product learns nothing that its owner may not know. Gateways do
everything below the prefix. What no row allows is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

GATEWAY: Final = "_gateway"
"""User name of every gateway; no device's id begins with an underscore."""
CLIENT: Final = "tocsin-gateway-"
"""What every gateway's client id begins with."""
MARK: Final = "Written by 'tocsin broker config'."
AWS_POLICY_CHARACTERS_MAX: Final = 2_048
"""Characters of a policy of AWS IoT Core without blanks; a certificate may have ten policies."""


class Who(StrEnum):
    """Whom a row is about."""

    DEVICE = "device"
    GATEWAY = "gateway"


class Access(StrEnum):
    """What a row allows."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: who may do what on the topics that a filter below the prefix matches."""

    who: Who
    access: frozenset[Access]
    filter: str
    """Of MQTT; ``{id}`` stands for the device's own id."""


_READ: Final = frozenset({Access.READ})
_WRITE: Final = frozenset({Access.WRITE})
PUBLIC: Final = ("root", "timestamp", "catalogue", "notice", "text", "pages", "patch")
"""First levels of topics that everybody who is let in may read."""
TO_DEVICE: Final = ("offer", "answer", "block")
FROM_DEVICE: Final = ("report", "want", "online")
RULES: Final = (
    Rule(Who.GATEWAY, _READ | _WRITE, "#"),
    *(Rule(Who.DEVICE, _READ, f"{kind}/#") for kind in PUBLIC),
    *(Rule(Who.DEVICE, _READ, f"device/{{id}}/{leaf}") for leaf in TO_DEVICE),
    *(Rule(Who.DEVICE, _WRITE, f"device/{{id}}/{leaf}") for leaf in FROM_DEVICE),
)


def may(name: str, access: Access, topic: str, prefix: str) -> bool:
    """Say whether a client may read or write a topic.

    Args:
        name: the common name of its certificate.
        access: what it wants.
        topic: without wildcards.
        prefix: the prefix in use.
    """
    who = Who.GATEWAY if name == GATEWAY else Who.DEVICE
    return any(
        rule.who is who
        and access in rule.access
        and _matches(f"{prefix}/{rule.filter}".replace("{id}", name).split("/"), topic.split("/"))
        for rule in RULES
    )


def _matches(pattern: list[str], topic: list[str]) -> bool:
    """Match as MQTT 5 does (4.7.1); no filter here has a ``+``."""
    if pattern[-1] == "#":
        return topic[: len(pattern) - 1] == pattern[:-1]
    return topic == pattern


def mosquitto(prefix: str, *, devices: bool = True) -> str:
    """Return the access list for Mosquitto, whose users are the common names of certificates.

    Args:
        prefix: the prefix in use.
        devices: whether devices have any right at this listener.
    """
    lines = [f"# {MARK} What no line allows is refused.", f"user {GATEWAY}"]
    lines += [f"topic readwrite {prefix}/{rule.filter}" for rule in RULES if rule.who is Who.GATEWAY]
    if devices:
        lines += [
            f"pattern {access} {prefix}/{rule.filter.replace('{id}', '%u')}"
            for rule in RULES
            if rule.who is Who.DEVICE
            for access in rule.access
        ]
    return "\n".join(lines) + "\n"


def emqx(prefix: str) -> str:
    """Return the same as ``acl.conf`` of EMQX 5, which takes the common name as user name and client id."""
    lines = [
        f"%% {MARK} Name it as the file of 'authorization.sources', and set",
        "%%   authorization.no_match = deny      authorization.deny_action = ignore",
        "%%   mqtt.peer_cert_as_username = cn    mqtt.peer_cert_as_clientid = cn",
        "%% The last one keeps a device from taking another's session. It also makes all gateways one",
        "%% client: where there are several, give them a listener whose zone leaves it out.",
    ]
    for who, placed in ((Who.GATEWAY, f'{{username, "{GATEWAY}"}}'), (Who.DEVICE, "all")):
        for access, action in ((Access.READ, "subscribe"), (Access.WRITE, "publish")):
            topics = [
                f'"{prefix}/{rule.filter.replace("{id}", "${username}")}"'
                for rule in RULES
                if rule.who is who and access in rule.access
            ]
            lines.append(f"{{allow, {placed}, {action}, [{', '.join(topics)}]}}.")
    return "\n".join([*lines, "{deny, all}."]) + "\n"


def aws_iot(prefix: str, arn: str) -> dict[str, str]:
    """Return the same as policies of AWS IoT Core: name -> JSON.

    A device's certificate gets both ``device`` policies, a gateway's the third. A device's client id has to
    be its common name.

    Args:
        prefix: the prefix in use.
        arn: what its resources begin with, such as ``arn:aws:iot:eu-central-1:111122223333``.
    """
    own = "${iot:Certificate.Subject.CommonName}"

    def resources(kind: str, rules: list[Rule]) -> list[str]:
        ends = (rule.filter.replace("{id}", own).replace("#", "*") for rule in rules)
        return [f"{arn}:{kind}/{prefix}/{end}" for end in ends]

    def statements(rules: list[Rule], *retain: str) -> list[dict[str, Any]]:
        read = [rule for rule in rules if Access.READ in rule.access]
        written = [rule for rule in rules if Access.WRITE in rule.access]
        rows = (
            (["iot:Subscribe"], resources("topicfilter", read)),
            (["iot:Receive"], resources("topic", read)),
            (["iot:Publish", *retain], resources("topic", written)),
        )
        return [_allow(actions, found) for actions, found in rows if found]

    rules = [rule for rule in RULES if rule.who is Who.DEVICE]
    mine = [rule for rule in rules if "{id}" in rule.filter]
    gateways = [rule for rule in RULES if rule.who is Who.GATEWAY]
    shared = _allow(["iot:Subscribe"], [f"{arn}:topicfilter/${{$}}share/*/{prefix}/*"])
    policies = {
        "device-own": [_allow(["iot:Connect"], [f"{arn}:client/{own}"]), *statements(mine)],
        "device-public": statements([rule for rule in rules if rule not in mine]),
        "gateway": [
            _allow(["iot:Connect"], [f"{arn}:client/{CLIENT}*"]),
            *statements(gateways, "iot:RetainPublish"),
            shared,
        ],
    }
    return {
        name: json.dumps({"Version": "2012-10-17", "Statement": found}, indent=1) + "\n"
        for name, found in policies.items()
    }


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
