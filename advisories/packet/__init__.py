"""The approval packet: one self-contained page with all that an approver has to judge."""

from advisories.packet.changes import Change, Piece, compare, compare_setting
from advisories.packet.model import Carried, Clock, Packet, Signature, Since
from advisories.packet.page import environment, make, stylesheet

__all__ = [
    "Carried",
    "Change",
    "Clock",
    "Packet",
    "Piece",
    "Signature",
    "Since",
    "compare",
    "compare_setting",
    "environment",
    "make",
    "stylesheet",
]
