"""What only gateways know at a broker: a part of their client ids and of their shared subscription's name.

Whoever may connect may join any shared subscription at Mosquitto and take its turn: what it may not read, it
is not given, but it is gone for the others. And who knows a client id can take the session. So neither can be
guessed. It is no key: what devices say stays safe without it, it only may come later.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from gateway.store.engine import Store

META: Final = "broker_secret"
_BYTES: Final = 8


def found_secret(store: Store) -> str | None:
    """Return what :func:`broker_secret` made, if it did."""
    with store.read() as session:
        return session.meta(META)


def new_secret(entropy: Callable[[int], bytes] = os.urandom) -> str:
    """Return 16 hexadecimal digits that nobody can guess."""
    return entropy(_BYTES).hex()


def broker_secret(store: Store, wanted: str | None = None) -> str:
    """Return 16 hexadecimal digits that all workers of one store share.

    Args:
        store: where they are kept, from the first call on.
        wanted: what they shall be if this is the first call; random if left out.
    """
    found = found_secret(store)
    if found is not None:
        return found
    with store.write() as session:
        session.serialise()
        found = session.meta(META) or wanted or new_secret()
        session.set_meta(META, found)
    return found
