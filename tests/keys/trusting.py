"""What tests of the set that trusts share: a fleet, and ways to take and change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from keys.document import seal
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from keys.root import Body, Root, RootKey
from keys.trusted import TrustedSet
from tests.helpers import (
    NOW,
    key,
    make_fleet,
    timestamp,
)

FLEET = make_fleet()
ADVISORY = "EX-2026-0001"


def reason_of(call: Callable[[], object]) -> Reason:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value.reason


def take(trusted: TrustedSet, body: Body, *roles: str, now: int | None = NOW, **kwargs: Any) -> Any:
    name = body.names()[0] if body.names() else "all"
    return trusted.accept(
        FLEET.seal(body, *roles), type(body), name=kwargs.pop("name", name), now=now, **kwargs
    )


def without(*names: str) -> tuple[RootKey, ...]:
    return tuple(entry for entry in FLEET.root.keys if entry.holder not in names)


def root_signed(body: Root, *holders: str) -> bytes:
    return seal(body, [key(name) for name in holders or ("root-1", "root-2")])


def rotate(trusted: TrustedSet, **changes: Any) -> None:
    version = trusted.root.version + 1
    trusted.update_root(root_signed(FLEET.next_root(version=version, issued=NOW, **changes)), None)


def stolen(trusted: TrustedSet) -> None:
    """Whoever has the gateway's key names the highest version and a time far ahead."""
    take(trusted, timestamp(FLEET, version=VERSION_MAX, issued=VERSION_MAX - 1, expires=VERSION_MAX))
