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
    """What a token must allow, such as ``rollout:run``; ``gateway/core/rights.py`` says who may."""
    function: Callable[..., Any]
    """Undecorated. The server itself gives ``workspace`` and the arguments of :data:`GIVEN`."""
    creates: bool = False
    """Something has an address afterwards that it had not before: 201 instead of 200."""
    secret: bool = False
    """Its answer holds a secret: it is given once, and kept nowhere."""
    raw: str = ""
    """The argument of bytes that is the body of the request itself; the others stand in the query then."""
    body_max: int = 1024 * 1024
    """Bytes of a request's body, at most."""

    @property
    def changes(self) -> bool:
        """Say whether it may change anything."""
        return self.method != "GET"


GIVEN: Final = ("now", "by", "asker")
"""Arguments that a server gives, never who asks: the time in UTC seconds, the name of the token, and the
:class:`gateway.core.rights.Caller` (None where a person works in the workspace's own folder)."""
IF_MATCH: Final = "if_match"
"""An argument that travels as a header: the ``tag`` of the record that was read and is to be changed."""
ACCOUNT: Final = "account"
"""An argument that a token of one account always gets; an operation without it is not for such tokens."""
OPERATIONS: Final[dict[str, Operation]] = {}
"""By name; filled as the modules of operations are imported."""


@runtime_checkable
class Server(Protocol):
    """A gateway elsewhere, in the place of a workspace."""

    def call(self, operation: Operation, arguments: dict[str, Any]) -> Any:
        """Ask for an operation and return what it returned there."""
        ...


def operation(
    method: str,
    path: str,
    *,
    right: str,
    creates: bool = False,
    secret: bool = False,
    raw: str = "",
    body_max: int = 1024 * 1024,
) -> Callable[[Callable[Concatenate[Workspace, P], R]], Callable[Concatenate[Workspace, P], R]]:
    """Let a function be called from afar.

    Arguments and result must be JSON values, bytes, times, enumerations, or records and collections of those.

    Args:
        method: of HTTP.
        path: see :attr:`Operation.path`.
        right: see :attr:`Operation.right`.
        creates: see :attr:`Operation.creates`.
        secret: see :attr:`Operation.secret`.
        raw: see :attr:`Operation.raw`.
        body_max: see :attr:`Operation.body_max`.
    """

    def mark(function: Callable[Concatenate[Workspace, P], R]) -> Callable[Concatenate[Workspace, P], R]:
        module = function.__module__.removeprefix("gateway.operations.")
        name = f"{module}.{function.__name__.rstrip('_')}"
        row = Operation(
            name, method, path, right, function, creates=creates, secret=secret, raw=raw, body_max=body_max
        )
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
