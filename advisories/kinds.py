"""Every kind of event: importing a module that knows kinds registers them, and readers import this one."""

from __future__ import annotations
