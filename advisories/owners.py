"""Which role owns which part of the facts: who changes it, and whose eyes it needs most.

Engineering knows the weakness, Legal what may be said and until when nothing may, Communications the words.
Every role still signs the whole; ownership only says to whom a change belongs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ENGINEERING: Final = "engineering"
LEGAL: Final = "legal"
COMMUNICATIONS: Final = "communications"
APPROVERS: Final = (ENGINEERING, LEGAL, COMMUNICATIONS)
"""The roles that own something, in the order in which they are listed."""

_PARTS: Final[Mapping[str, str]] = {
    ENGINEERING: (
        "id exercise kind incident author phase severity action products named_products groups "
        "vulnerabilities facts data.types estimates containment fix cause measures timeline references "
        "notes annex origin"
    ),
    LEGAL: "tlp embargo_until data investigation offers credits legal",
    COMMUNICATIONS: (
        "expires_days next_update reminder contacts stakeholders briefings source_language "
        "waived_languages waived_sign_off texts"
    ),
}

OWNERS: Final[Mapping[str, str]] = MappingProxyType(
    {path: role for role, paths in _PARTS.items() for path in paths.split()}
)
"""Path in the file of facts -> role. A longer path (``data.types``) is an exception from a shorter one."""


def owner(path: str) -> str:
    """Return the role that owns a part of the facts.

    Args:
        path: keys with dots between them, as in ``texts.de.title``; what lies below a part belongs with it.

    Raises:
        KeyError: for a path that is no part of any file of facts.
    """
    keys = path.split(".")
    for length in range(len(keys), 0, -1):
        found = OWNERS.get(".".join(keys[:length]))
        if found is not None:
            return found
    raise KeyError(path)
