"""The workspace as requests see it: the store is open already, and each request has it to itself."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.store.engine import Store
from gateway.workspace.folder import Workspace


@dataclass(frozen=True, slots=True)
class Served(Workspace):
    """A workspace whose store stays open between requests: opening reads a whole file through."""

    opened: Store

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """Give the open store; a dry run of one request is none of another."""
        yield copy.copy(self.opened)
