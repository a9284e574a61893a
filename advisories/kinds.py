"""Every kind of event: importing a module that knows kinds registers them, and readers import this one."""

from __future__ import annotations

import importlib

for _name in (
    "approval",
    "edits",
    "embargo",
    "incident.kinds",
    "learning.calls",
    "learning.drill",
    "learning.replies",
    "learning.review",
):
    importlib.import_module(f"advisories.{_name}")
