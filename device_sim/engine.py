"""paho's protocol engine without what it imports to ask the environment for a proxy: 2 MB of a small device.

paho asks for one when it opens a socket, and here it never does (:class:`device_sim.sockets.ReadyClient`).
While it is imported, something empty stands in for ``urllib.request``; whoever needs that gets the real one
later.
"""

from __future__ import annotations

import sys
from types import ModuleType

_stand_in = ModuleType("urllib.request")
sys.modules.setdefault(_stand_in.__name__, _stand_in)
try:
    from paho.mqtt import client as mqtt
finally:
    if sys.modules[_stand_in.__name__] is _stand_in:
        del sys.modules[_stand_in.__name__]

__all__ = ["mqtt"]
