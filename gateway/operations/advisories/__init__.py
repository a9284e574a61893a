"""``tocsin advisory``: facts become a release, approvals are signatures over its exact bytes."""

from gateway.operations.advisories.approvals import (
    Review,
    add_signature,
    approve,
    fix,
    present,
    require_no_rejection,
    review,
    roles_of,
)
from gateway.operations.advisories.drafts import (
    Checked,
    add,
    facts_path,
    load,
    published_revision,
)
from gateway.operations.advisories.publishing import Issued, publish

__all__ = [
    "Checked",
    "Issued",
    "Review",
    "add",
    "add_signature",
    "approve",
    "facts_path",
    "fix",
    "load",
    "present",
    "publish",
    "published_revision",
    "require_no_rejection",
    "review",
    "roles_of",
]
