"""What somebody still has to write stands in brackets; checks refuse it, and no document says it."""

from __future__ import annotations

import re
from typing import Final

GAP: Final = re.compile(r"\[[^\]]*\]")
LONG_TITLE: Final = "[a title that owners understand]"
"""Stands for a title that owners' channels cannot hold."""
