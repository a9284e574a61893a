"""Where each document lies: the same path is an MQTT topic and an HTTPS path.

Seven slashes at most, exact filters only, none overlapping (``docs/protocol/README.md``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from advisories.limits import ID_BYTES_MAX

DEFAULT_PREFIX = "tocsin/v1"
_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{ID_BYTES_MAX - 1}}}")


def is_id(text: str) -> bool:
    """Say whether ``text`` may be one level of a topic: letters, digits, dot, underscore, hyphen."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Topics:
    """Builds and reads topics under one prefix."""

    prefix: str = DEFAULT_PREFIX

    def root(self, version: int) -> str:
        """A root; every version is kept."""
        return f"{self.prefix}/root/{version}"

    def timestamp(self, product: str) -> str:
        """The product's timestamp (retained)."""
        return f"{self.prefix}/timestamp/{product}"

    def catalogue(self, product: str) -> str:
        """The product's catalogue (retained)."""
        return f"{self.prefix}/catalogue/{product}"

    def notice(self, product: str, advisory: str = "+") -> str:
        """A notice's header (retained)."""
        return f"{self.prefix}/notice/{product}/{advisory}"

    def text(self, product: str, language: str, advisory: str = "+") -> str:
        """A notice's text in one language (retained)."""
        return f"{self.prefix}/text/{product}/{language}/{advisory}"

    def pages(self, product: str, language: str, advisory: str) -> str:
        """The drawn pages of a text, together (retained); fetched by whoever has no font for it."""
        return f"{self.prefix}/pages/{product}/{language}/{advisory}"

    def patch(self, product: str, sequence: int) -> str:
        """A SUIT envelope (retained)."""
        return f"{self.prefix}/patch/{product}/{sequence}"

    def device(self, device: str, leaf: str) -> str:
        """A device's own topic: offer, answer, block, report, online or want; ``+`` for all devices."""
        return f"{self.prefix}/device/{device}/{leaf}"

    def shared(self, leaf: str, group: str = "tocsin") -> str:
        """The filter by which gateways share one leaf of all devices."""
        return f"$share/{group}/{self.device('+', leaf)}"

    def device_filters(self, product: str, language: str, device: str) -> tuple[str, ...]:
        """The seven filters a device stays subscribed to."""
        return (
            self.timestamp(product),
            self.catalogue(product),
            self.notice(product),
            self.text(product, language),
            self.device(device, "offer"),
            self.device(device, "answer"),
            self.device(device, "block"),
        )

    def split(self, topic: str) -> tuple[str, ...] | None:
        """Return the levels below the prefix, or None for a topic that is not ours."""
        head = f"{self.prefix}/"
        return tuple(topic[len(head) :].split("/")) if topic.startswith(head) else None
