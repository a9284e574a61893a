"""Operations that may be called from another machine: one table for the API, its document and ``--server``.

An operation is a plain function whose first argument is the workspace. Marked with :func:`operation`, it is
a row of :data:`OPERATIONS`; the API makes a route of each row, and where a command runs with ``--server`` the
workspace is a :class:`Server`, which asks for the same operation there and returns the same record.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, runtime_checkable

from gateway.workspace.folder import Workspace

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that may be asked for from afar."""

    name: str
    """Module and function, such as ``rollouts.start``: the ``operationId`` of the API."""
    method: str
    """GET reads; POST, PUT and DELETE change."""
    path: str
    """Below ``/api/v1``; a part in braces is the argument of that name."""
    right: str
    """What a token must allow, such as ``rollout:start``; ``gateway/core/rights.py`` says who may."""
    function: Callable[..., Any]
    """Undecorated. The server itself gives ``workspace``, ``now`` (UTC seconds) and ``by`` (who asks)."""


OPERATIONS: Final[dict[str, Operation]] = {}
"""By name; filled as the modules of operations are imported."""


@runtime_checkable
class Server(Protocol):
    """A gateway elsewhere, in the place of a workspace."""

    def call(self, operation: Operation, arguments: dict[str, Any]) -> Any:
        """Ask for an operation and return what it returned there."""
        ...


def operation(
    method: str, path: str, *, right: str
) -> Callable[[Callable[Concatenate[Workspace, P], R]], Callable[Concatenate[Workspace, P], R]]:
    """Let a function be called from afar.

    Arguments and result must be JSON values, bytes, times, enumerations, or records and collections of those.

    Args:
        method: of HTTP.
        path: see :attr:`Operation.path`.
        right: see :attr:`Operation.right`.
    """

    def mark(function: Callable[Concatenate[Workspace, P], R]) -> Callable[Concatenate[Workspace, P], R]:
        module = function.__module__.removeprefix("gateway.operations.")
        row = Operation(f"{module}.{function.__name__}", method, path, right, function)
        OPERATIONS[row.name] = row
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(workspace: Workspace, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not isinstance(workspace, Server):
                return function(workspace, *args, **kwargs)
            bound = signature.bind(workspace, *args, **kwargs)
            bound.apply_defaults()
            _, *rest = bound.arguments.items()
            found: R = workspace.call(row, dict(rest))
            return found

        return call

    return mark
