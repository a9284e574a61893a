"""``tocsin patch``: files become a SUIT manifest, approved by signatures over its digest."""

from __future__ import annotations

from gateway.operations.patches.approving import add_signature, approve, publish
from gateway.operations.patches.checking import Checked, check
from gateway.operations.patches.making import Wishes
from gateway.operations.patches.payloads import measured, read_image, whole
from gateway.operations.patches.sending import add
from gateway.operations.patches.views import PatchView, every, find, mending, names, view_of

__all__ = [
    "Checked",
    "PatchView",
    "Wishes",
    "add",
    "add_signature",
    "approve",
    "check",
    "every",
    "find",
    "measured",
    "mending",
    "names",
    "publish",
    "read_image",
    "view_of",
    "whole",
]
