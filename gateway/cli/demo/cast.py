"""Who plays in the demo: a fleet drawn from a seed, and the numbers its scenario must end with."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Final

from keys.reasons import Reason

DEVICES_MIN: Final = 6  # every trouble needs a device of its own
PRODUCTS: Final = ("thermostat", "doorbell")
LANGUAGES: Final = ("en", "de", "ja")
AFFECTED_VERSION: Final = {"thermostat": "1.4.1", "doorbell": "2.2.0"}
FIXED_VERSION: Final = {"thermostat": "1.4.2", "doorbell": "2.3.0"}


class Trouble(Enum):
    """What goes wrong with one device."""

    NONE = "none"
    OFFLINE = "offline until late"
    DOWNLOAD = "broken download"
    SELF_TEST = "fails its self-test"


@dataclass(frozen=True, slots=True)
class Member:
    """One device of the demo's fleet."""

    id: str
    product: str
    language: str
    version: str
    trouble: Trouble

    @property
    def affected(self) -> bool:
        """Whether its installed version is the vulnerable one."""
        return self.version == AFFECTED_VERSION[self.product]


def draw(devices: int, seed: int) -> tuple[Member, ...]:
    """Draw the fleet: two products and three languages in turn, every tenth device already fixed.

    The same seed gives the same fleet; ids are random and say nothing about a device.
    """
    chance = random.Random(seed)  # noqa: S311 - a replayable cast, not a secret
    fixed = {index for index in range(devices) if index % 10 == 9}
    # The troubles fall on thermostats and doorbells alike, but never on a device that needs no patch.
    troubled = chance.sample([index for index in range(devices) if index not in fixed], 3)
    troubles = dict(zip(troubled, (Trouble.OFFLINE, Trouble.DOWNLOAD, Trouble.SELF_TEST), strict=True))
    cast = []
    for index in range(devices):
        product = PRODUCTS[index % 2]
        version = FIXED_VERSION[product] if index in fixed else AFFECTED_VERSION[product]
        cast.append(
            Member(
                id=f"{chance.getrandbits(64):016x}",
                product=product,
                language=LANGUAGES[index // 2 % 3],
                version=version,
                trouble=troubles.get(index, Trouble.NONE),
            )
        )
    return tuple(cast)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The numbers of ``summary.json`` that do not depend on how fast the machine is."""

    devices: int
    verified: int
    shown: int
    acknowledged: int
    patched: int
    reverted: int
    refused: dict[str, int]


def demanded(cast: tuple[Member, ...]) -> Outcome:
    """Say what the scenario demands of this fleet.

    Every device verifies the notice. Those with the vulnerable version show it, their owners
    acknowledge it, and all of them are patched but the one whose self-test fails. The forged notice and
    the old catalogue are sent to thermostats, the notice without Legal's signature to doorbells; the
    device that is offline meets none of the three.
    """
    affected = sum(member.affected for member in cast)
    online = Counter(member.product for member in cast if member.trouble is not Trouble.OFFLINE)
    return Outcome(
        devices=len(cast),
        verified=len(cast),
        shown=affected,
        acknowledged=affected,
        patched=affected - 1,
        reverted=1,
        refused={
            Reason.UNKNOWN_KEY.name: online["thermostat"],
            Reason.THRESHOLD_NOT_MET.name: online["doorbell"],
            Reason.REPLAYED.name: online["thermostat"],
            Reason.DIGEST_MISMATCH.name: 1,
        },
    )
