"""Which phase of a matter may follow which, and what a revision owes to those who read the one before.

A notice begins as *initial* (or *resolved*, when all is mended before anybody is told) and goes on by
revisions. Each is approved anew, keeps the record of those before, and says what changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from advisories.facts import Facts
from advisories.notice import Phase
from advisories.story import Past
from advisories.yamlfile import Path
from keys.errors import InputError

FIRST: Final = frozenset({Phase.INITIAL, Phase.RESOLVED})
"""Phases in which a notice may appear for the first time."""
FOLLOWS: Final[Mapping[Phase, frozenset[Phase]]] = MappingProxyType(
    {
        Phase.INITIAL: frozenset({Phase.UPDATE, Phase.RESOLVED, Phase.WITHDRAWN, Phase.CORRECTION}),
        Phase.UPDATE: frozenset({Phase.UPDATE, Phase.RESOLVED, Phase.WITHDRAWN, Phase.CORRECTION}),
        # Opened again by an update; resolved once more when only words or a language were added.
        Phase.RESOLVED: frozenset({Phase.UPDATE, Phase.RESOLVED, Phase.WITHDRAWN, Phase.CORRECTION}),
        # What was withdrawn by mistake comes back as a correction, which is shown again.
        Phase.WITHDRAWN: frozenset({Phase.WITHDRAWN, Phase.CORRECTION}),
        Phase.CORRECTION: frozenset({Phase.UPDATE, Phase.RESOLVED, Phase.WITHDRAWN, Phase.CORRECTION}),
    }
)
"""Phase of the newest published revision -> phases that may come next."""
CLOSED: Final = frozenset({Phase.RESOLVED, Phase.WITHDRAWN})
"""Phases after which owners need not hear again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What keeps facts from being the next revision."""

    path: Path
    """Of the part of the file."""
    message: str
    mend: str


def word(phase: Phase) -> str:
    """Return a phase as it stands in a file of facts."""
    return phase.name.lower()


def allowed(past: Sequence[Past]) -> frozenset[Phase]:
    """Return the phases that the next revision may have."""
    return FOLLOWS[Phase[past[-1].phase.upper()]] if past else FIRST


def phase_faults(facts: Facts, past: Sequence[Past]) -> list[Fault]:
    """Return what keeps these facts from being the next revision; each blocks.

    Args:
        facts: as written.
        past: the published revisions, oldest first. A notice with a history elsewhere (``origin``) may
            begin here in any phase.

    Returns:
        Faults in the order of the file: a phase that may not follow, a language in which the revision does
        not say what changed.
    """
    found = []
    if facts.phase not in allowed(past) and (past or facts.origin is None):
        after = f"after {past[-1].phase}" if past else "in a first notice"
        choices = ", ".join(word(phase) for phase in sorted(allowed(past)))
        found.append(
            Fault(
                ("phase",),
                f"The phase '{word(facts.phase)}' cannot come {after}.",
                f"Write one of: {choices}." if past else f"Begin with one of: {choices}.",
            )
        )
    if past:
        found += [
            Fault(
                ("texts", language),
                f"Revision {past[-1].revision + 1} does not say in '{language}' what changed.",
                f"Add 'changed:' to it: what is new since revision {past[-1].revision}.",
            )
            for language, words in facts.texts.items()
            if not (words.changed or "").strip()
        ]
    return found


def require_phase(facts: Facts, past: Sequence[Past]) -> None:
    """Refuse facts that cannot be the next revision.

    Raises:
        InputError: PHASE, with the place in the file.
    """
    for point in phase_faults(facts, past):
        raise InputError("PHASE", point.message, mend=point.mend, where=facts.place(*point.path))


def tracking_status(phase: Phase, published: bool, *, open_: bool | None = None) -> str:  # noqa: FBT001 - reads as a sentence: tracking_status(phase, published)
    """Return CSAF's word for how settled a document is (CSAF 2.0, section 3.2.1.12.7).

    Args:
        phase: of the revision.
        published: False: *draft*, whatever the phase.
        open_: whether owners were promised to hear again; None: it follows from the phase, and a
            correction counts as open.
    """
    if not published:
        return "draft"
    if open_ is None:
        open_ = phase not in CLOSED
    return "interim" if open_ else "final"
