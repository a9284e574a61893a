"""What a patch brings, found out before any device runs it: what each component ends up with, from where."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from advisories.limits import PAYLOAD_BYTES_MAX
from advisories.suit.arguments import read_arguments
from advisories.suit.interpreter import execute
from advisories.suit.manifest import ComponentId, Manifest
from advisories.suit.numbers import UPDATE, Command, Parameter
from advisories.suit.operations import Copy, Fetch, Match, Operation, Plan, ProcedureError, Swap, Write
from keys.errors import RefusedError
from keys.reasons import Reason

_NOT_THE_SAME: Final = "a payload is compared with another than is fetched"


@dataclass(frozen=True, slots=True)
class Content:
    """What one component holds once the patch is installed."""

    component: ComponentId
    digest: bytes
    """SHA-256, 32 bytes."""
    size: int
    """Bytes."""
    uri: str
    """Where the whole of it is fetched, ``#name`` in the envelope; empty where it is copied or written."""


def survey(manifest: Manifest) -> tuple[Plan, tuple[Content, ...], tuple[Fetch, ...]]:
    """Return the longest way that an update has: its plan, what components then hold, and all fetches.

    What a manifest asks about a component before it has put anything there (is the base of a delta there?) is
    answered with no, one question after the other, where the manifest knows another way.

    Raises:
        RefusedError: of :func:`~advisories.suit.interpreter.execute`; MALFORMED, TOO_BIG or UNSUPPORTED where
            a payload is not stated, compared with another, too large, or there is none.
    """
    plan = execute(manifest, UPDATE, None)
    fetches: list[Fetch] = []
    filled, asked = _contents(plan.operations, 0, fetches)
    outcomes: list[bool] = []
    while asked is not None:
        outcomes += [True] * (asked - len(outcomes))
        try:
            plan = execute(manifest, UPDATE, None, [*outcomes, False])
        except ProcedureError:
            outcomes.append(True)  # it is no question but a condition of the whole
        else:
            outcomes.append(False)
        filled, asked = _contents(plan.operations, len(outcomes), fetches)
    if not filled:
        raise RefusedError(Reason.UNSUPPORTED, "a patch that brings nothing")
    held = tuple([filled[component] for component in manifest.components if component in filled])
    return plan, held, tuple(fetches)


def _contents(
    operations: tuple[Operation, ...], start: int, fetches: list[Fetch]
) -> tuple[dict[ComponentId, Content], int | None]:
    """Return what the components hold that a plan fills, and the first question from ``start`` on."""
    filled: dict[ComponentId, Content] = {}
    asked: int | None = None
    for number, operation in enumerate(operations):
        component = operation.component
        if isinstance(operation, Match):
            held = filled.get(component)
            if held is None:
                if asked is None and number >= start:
                    asked = number
            elif operation.digest != held.digest or operation.size not in {None, held.size}:
                raise RefusedError(Reason.MALFORMED, _NOT_THE_SAME)
        elif isinstance(operation, (Fetch, Copy, Swap)):
            filled[component] = _stored(operation)
            if isinstance(operation, Swap):
                filled.pop(operation.source, None)
            elif isinstance(operation, Fetch) and operation not in fetches:
                fetches.append(operation)
        elif isinstance(operation, Write):
            digest = hashlib.sha256(operation.content).digest()
            filled[component] = Content(component, digest, len(operation.content), "")
    return filled, asked


def _stored(operation: Fetch | Copy | Swap) -> Content:
    if operation.digest is None or operation.size is None:
        raise RefusedError(Reason.MALFORMED, "the digest or the size of a payload is not stated")
    if operation.size > PAYLOAD_BYTES_MAX:
        why = f"a payload of {operation.size} bytes, at most {PAYLOAD_BYTES_MAX}"
        raise RefusedError(Reason.TOO_BIG, why)
    uri = operation.uri if isinstance(operation, Fetch) else ""
    return Content(operation.component, operation.digest, operation.size, uri)


def require_bound(payloads: Mapping[str, bytes], manifest: Manifest, fetches: tuple[Fetch, ...]) -> None:
    """Refuse an integrated payload that the manifest does not bind: no signature covers it by itself.

    Args:
        payloads: what travels in the envelope, by address.
        manifest: the manifest.
        fetches: what may be fetched.

    Raises:
        RefusedError: MALFORMED for one that is missing or not asked for, DIGEST_MISMATCH for another content.
    """
    for fetch in fetches:
        if fetch.uri.startswith("#") and fetch.uri not in payloads:
            raise RefusedError(Reason.MALFORMED, f"the payload {fetch.uri} is not in the envelope")
    if not payloads:
        return
    stated = _stated(manifest)
    for name, content in payloads.items():
        if name not in stated:
            raise RefusedError(Reason.MALFORMED, f"nothing asks for the payload {name}")
        if hashlib.sha256(content).digest() not in stated:
            raise RefusedError(Reason.DIGEST_MISMATCH, f"the payload {name}")


def _stated(manifest: Manifest) -> set[str | bytes]:
    """Return every address and every digest that any step of the manifest states."""
    found: set[str | bytes] = set()
    ahead = [manifest.shared, *manifest.sections.values()]
    while ahead:
        for command, argument, _ in ahead.pop():
            if command is Command.TRY_EACH:
                ahead += argument
            elif command is Command.RUN_SEQUENCE:
                ahead.append(argument)
            elif command is Command.OVERRIDE_PARAMETERS:
                wanted = {Parameter.URI, Parameter.IMAGE_DIGEST}
                found |= {value for key, value in argument.items() if key in wanted}
                with suppress(RefusedError):  # of another maker: whoever goes that way is not one of ours
                    found.add(read_arguments(argument.get(Parameter.FETCH_ARGS, b"")).digest)
    return found
