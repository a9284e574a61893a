"""What several tables use: where documents come, and the makers of genuine and altered ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hil.conformance.drafts import Alter, draft, patch_draft, render, same
from hil.conformance.fleet import NOW
from hil.conformance.patches import SEQUENCE, envelope, patch_digest
from hil.conformance.rows import PLAIN, Make, Row, Scene, Situation
from hil.conformance.steps import Send
from keys.reasons import Reason
from keys.root import Root

ID: Final = "EX-2027-0001"
TO: Final[Mapping[str, str]] = {
    "root": "root/2",
    "notice": f"notice/{{product}}/{ID}",
    "catalogue": "catalogue/{product}",
    "timestamp": "timestamp/{product}",
    "offer": "device/{device}/offer",
    "answer": "device/{device}/answer",
    "patch": f"patch/{{product}}/{SEQUENCE}",
}
"""Where each type comes."""
TEXT_TO: Final = f"text/{{product}}/{{language}}/{ID}"
PAGES_TO: Final = f"pages/{{product}}/{{language}}/{ID}"
DOCUMENTS: Final = ("root", "notice", "catalogue", "timestamp", "offer", "answer")
TYPES: Final = (*DOCUMENTS, "patch")
SEVERAL: Final = ("root", "notice", "patch")
"""Types that several sign."""
LONE: Final = ("catalogue", "timestamp", "offer", "answer")
"""Types that one signs: without that signature nobody known has signed at all."""


def genuine(type_: str, /, *names: str, **changes: Any) -> Make:
    """Return a maker of the genuine document, or of one with other fields, signed by others."""
    return altered(type_, same, *names, **changes)


def altered(type_: str, alter: Alter, /, *names: str, **changes: Any) -> Make:
    """Return a maker of a document that is altered in one respect."""

    def make(scene: Scene) -> bytes:
        if type_ == "patch":
            return render(alter(patch_draft(scene.fleet, envelope(scene.facts), *names)))
        return render(alter(draft(scene.fleet, type_, *names, **changes)))

    return make


def signed(body: Callable[[Scene], Any], *names: str) -> Make:
    """Return a maker of a document with this body."""
    return lambda scene: scene.fleet.signed(body(scene), *names)


def root_signed(change: Callable[[Scene], Root], *names: str) -> Make:
    """Return a maker of a root, signed by two of the root's holders unless told otherwise."""
    return lambda scene: scene.fleet.signed(change(scene), *(names or ("root-1", "root-2")))


def catalogue_of(scene: Scene) -> Any:
    """Return the catalogue that names the notice and the usual patch."""
    return scene.fleet.catalogue(scene.fleet.notice(), patches=((SEQUENCE, patch_digest(scene)),))


CATALOGUE: Final = Send(TO["catalogue"], signed(catalogue_of))
TIMESTAMP: Final = Send(TO["timestamp"], signed(lambda scene: scene.fleet.timestamp(catalogue_of(scene))))
OFFER: Final = Send(TO["offer"], signed(lambda scene: scene.fleet.offer(digest=patch_digest(scene))))
OFFERED: Final = Situation(
    name="a patch of the current catalogue is offered", before=(CATALOGUE, TIMESTAMP, OFFER)
)
"""The envelope is waited for; without an offer it would be passed over."""

AGED: Final = 10
FLOORS: Final = Situation(
    name="an earlier version of everything was accepted",
    before=tuple(
        Send(TO[type_], genuine(type_, version=NOW - AGED, issued=NOW - AGED)) for type_ in DOCUMENTS[1:5]
    ),
)


def refusal(
    type_: str, what: str, alter: Alter, reason: Reason, threat: str, *, on: Situation | None = None
) -> Row:
    """Return a row: one respect of a genuine document altered, and the one reason to refuse it for."""
    where = on or PLAIN
    if type_ == "patch":
        where = OFFERED
    return Row(
        name=f"{type_}: {what}",
        steps=(Send(TO[type_], altered(type_, alter), reason),),
        on=where,
        threat=threat,
        keeps=True,
    )
