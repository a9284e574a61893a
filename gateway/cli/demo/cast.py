"""Who plays in the demo: a fleet drawn from a seed, and the numbers its scenario must end with."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from gateway.core.rollout import assign
from keys.reasons import Reason

DEVICES_MIN: Final = 6  # every trouble needs a device of its own
PRODUCTS: Final = ("thermostat", "doorbell")
LANGUAGES: Final = ("en", "de", "ja")
GROUPS: Final = (20, 80)  # per cent of a product's devices: who tries the patch first, and the rest
AFFECTED_VERSION: Final = {"thermostat": "1.4.1", "doorbell": "2.2.0"}
FIXED_VERSION: Final = {"thermostat": "1.4.2", "doorbell": "2.3.0"}
BOARD_PRODUCT: Final = "thermostat"
"""Of the device in C."""
BOARD_LANGUAGE: Final = "ja"
FIRST_BUILD: Final = "1.4.1+1"
"""Version of the image that the device in C gets before all others: it does not stand its self-test."""
FIRST_ROLLOUT: Final = f"{BOARD_PRODUCT}-first-build"


class Trouble(Enum):
    """What goes wrong with one device."""

    NONE = "none"
    OFFLINE = "offline until late"
    DOWNLOAD = "broken download"
    SELF_TEST = "fails its self-test"


_SCRIPTED: Final = (Trouble.OFFLINE, Trouble.DOWNLOAD, Trouble.SELF_TEST)


@dataclass(frozen=True, slots=True)
class Member:
    """One device of the demo's fleet."""

    id: str
    product: str
    language: str
    version: str
    trouble: Trouble
    board: bool = False
    """True: it is the program in C, and no device of the simulator."""

    @property
    def affected(self) -> bool:
        """Whether its installed version is the vulnerable one."""
        return self.version == AFFECTED_VERSION[self.product]


def rollout_name(product: str) -> str:
    """Return the name of a product's rollout; it decides which devices try the patch first."""
    return f"{product}-{FIXED_VERSION[product]}"


def draw(devices: int, seed: int, *, board: bool = False) -> tuple[Member, ...]:
    """Draw the fleet: two products and three languages in turn, every tenth device already fixed.

    With ``board`` one more follows, the device in C, which gets into no trouble but that of its first build.

    The same seed gives the same fleet; ids are random and say nothing about a device. Trouble comes in
    the second group, after the first one has proven the patch: in the first, gates would hold the rest
    back, as they should.
    """
    chance = random.Random(seed)  # noqa: S311 - a replayable cast, not a secret
    cast = []
    for index in range(devices):
        product = PRODUCTS[index % 2]
        version = (FIXED_VERSION if index % 10 == 9 else AFFECTED_VERSION)[product]
        name = f"{chance.getrandbits(64):016x}"
        cast.append(Member(name, product, LANGUAGES[index // 2 % 3], version, Trouble.NONE))
    if board:
        cast.append(_board(seed))
    groups: dict[str, int] = {}
    for product in PRODUCTS:
        mine = [member.id for member in cast if member.product == product]
        groups |= assign(rollout_name(product), mine, GROUPS)
    simulated = [(index, member) for index, member in enumerate(cast) if not member.board]
    able = [index for index, member in simulated if member.affected and groups[member.id] > 0]
    for index, trouble in zip(chance.sample(able, 3), _SCRIPTED, strict=True):
        cast[index] = replace(cast[index], trouble=trouble)
    return tuple(cast)


def _board(seed: int) -> Member:
    name = f"{random.Random(f'board {seed}').getrandbits(64):016x}"  # noqa: S311 - as above
    version = AFFECTED_VERSION[BOARD_PRODUCT]
    return Member(name, BOARD_PRODUCT, BOARD_LANGUAGE, version, Trouble.NONE, board=True)


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
    acknowledge it, and all of them are patched but the one whose self-test fails. The device in C goes back
    from its first build, too, before it is patched. The forged notice and the old catalogue are sent to
    thermostats, the notice without Legal's signature to doorbells; the device that is offline meets none of
    the three.
    """
    affected = sum(member.affected for member in cast)
    online = Counter(member.product for member in cast if member.trouble is not Trouble.OFFLINE)
    return Outcome(
        devices=len(cast),
        verified=len(cast),
        shown=affected,
        acknowledged=affected,
        patched=affected - 1,
        reverted=1 + sum(member.board for member in cast),
        refused={
            Reason.UNKNOWN_KEY.name: online["thermostat"],
            Reason.THRESHOLD_NOT_MET.name: online["doorbell"],
            Reason.REPLAYED.name: online["thermostat"],
            Reason.DIGEST_MISMATCH.name: 1,
        },
    )
