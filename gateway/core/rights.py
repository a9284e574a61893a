"""Who may ask for what: rights, the roles that hold them, and scopes that narrow a token. Pure.

A right is ``resource:verb``. The table of roles is data; a test walks every role against every operation.
None of these rights lets anyone sign: what needs a signature needs a key, which never comes over the API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from keys.errors import InputError

VERBS: Final = ("read", "write", "approve", "publish", "run", "manage")
"""``write`` drafts and comments; ``run`` starts, pauses, stops; ``manage`` adds, changes, takes away."""
RESOURCES: Final = (
    "advisory",
    "incident",
    "reply",
    "product",
    "device",
    "account",
    "patch",
    "rollout",
    "catalogue",
    "trust",  # public halves of keys, roots, requests for signatures
    "token",
    "webhook",
    "status",
    "evidence",
    "audit",
    "store",
    "site",
)
_PUBLIC: Final = tuple(  # what everybody in the house may look at
    f"{name}:read"
    for name in (
        *("advisory", "product", "device", "account", "patch", "rollout", "catalogue", "trust", "status"),
        "site",
    )
)
_DRAFTING: Final = (*_PUBLIC, "incident:read", "incident:write", "reply:read", "reply:write")
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "author": (*_DRAFTING, "advisory:write"),
    "engineering": (
        *(*_DRAFTING, "advisory:write", "advisory:approve", "patch:write"),
        *("product:write", "product:manage"),
    ),
    "legal": (*_DRAFTING, "advisory:write", "advisory:approve", "evidence:read", "audit:read"),
    "communications": (*_DRAFTING, "advisory:write", "advisory:approve", "site:write", "site:publish"),
    "release": (
        *(*_PUBLIC, "patch:write", "patch:approve", "product:write", "product:manage"),
        *("rollout:write", "rollout:approve"),
    ),
    "security": (
        *(*_DRAFTING, "advisory:write", "patch:approve", "rollout:approve", "trust:write", "trust:approve"),
        *("evidence:read", "audit:read", "token:read", "webhook:read"),
    ),
    "operator": (
        *(*_DRAFTING, "advisory:write", "advisory:publish", "patch:publish", "catalogue:*"),
        *("rollout:read", "rollout:write", "rollout:run", "device:*", "product:*", "account:*"),
        *("token:*", "webhook:*", "store:*", "site:*", "status:*", "trust:*", "evidence:*", "audit:read"),
    ),
    "viewer": _PUBLIC,
    "auditor": ("*:read",),
}
"""Role -> rights; a star stands for every resource, or for every verb."""
SCOPES_MAX: Final = 64  # of one token


def _expand(pattern: str) -> frozenset[str]:
    """Return the rights that a pattern stands for; none for one that stands for nothing."""
    resource, _, verb = pattern.partition(":")
    return frozenset(
        f"{each}:{does}"
        for each in (RESOURCES if resource == "*" else (resource,))
        for does in (VERBS if verb == "*" else (verb,))
        if each in RESOURCES and does in VERBS
    )


def rights_of(roles: Iterable[str], scopes: Iterable[str] = ()) -> frozenset[str]:
    """Return what roles hold together, narrowed to scopes where there are any.

    >>> sorted(rights_of(["auditor"], ["rollout:*", "token:read"]))
    ['rollout:read', 'token:read']

    Args:
        roles: of a token; one that is not known holds nothing.
        scopes: rights or patterns of rights; they only ever take away.
    """
    held = frozenset(right for role in roles for pattern in ROLES.get(role, ()) for right in _expand(pattern))
    narrowed = [_expand(scope) for scope in scopes]
    return held & frozenset().union(*narrowed) if narrowed else held


def check(roles: Iterable[str], scopes: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return roles and scopes in order, each once.

    Raises:
        InputError: BAD_ROLE, BAD_SCOPE; or BAD_SCOPE where nothing would be left.
    """
    known = tuple(dict.fromkeys(roles))
    for role in known:
        if role not in ROLES:
            raise InputError("BAD_ROLE", f"'{role}' is not a role.", mend=f"Known: {', '.join(ROLES)}.")
    if not known:
        raise InputError("BAD_ROLE", "A token needs a role.", mend=f"Choose from {', '.join(ROLES)}.")
    narrowed = tuple(dict.fromkeys(scopes))
    if len(narrowed) > SCOPES_MAX:
        raise InputError("BAD_SCOPE", f"These are more than {SCOPES_MAX} scopes.", mend="Name fewer.")
    for scope in narrowed:
        if not _expand(scope) & rights_of(known):
            message = f"'{scope}' is no right of {' and '.join(known)}."
            raise InputError("BAD_SCOPE", message, mend="Write it as rollout:read, rollout:* or *:read.")
    return known, narrowed


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the token says."""

    token: str
    """Id of the token."""
    name: str
    """Stands as ``by`` in what is recorded."""
    roles: tuple[str, ...]
    rights: frozenset[str]
    account: str | None = None
    """Sees and changes this account only; None: the whole fleet."""
    expires: float = 0.0
    """UTC seconds."""

    def may(self, right: str) -> bool:
        """Say whether it holds a right."""
        return right in self.rights

    def may_give(self, rights: Iterable[str], account: str | None) -> bool:
        """Say whether it may make a token with these rights: nobody gives what he does not have."""
        return frozenset(rights) <= self.rights and self.account in {None, account}
