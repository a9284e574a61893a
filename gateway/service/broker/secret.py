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


def broker_secret(store: Store, entropy: Callable[[int], bytes] = os.urandom) -> str:
    """Return 16 hexadecimal digits that all workers of one store share; made at the first call."""
    with store.read() as session:
        found = session.meta(META)
    if found is not None:
        return found
    with store.write() as session:
        session.serialise()
        found = session.meta(META) or entropy(_BYTES).hex()
        session.set_meta(META, found)
    return found
