"""What a report speaks about."""

from __future__ import annotations

from advisories.report import Report, Track


def subjects(report: Report) -> frozenset[str]:
    """Return the threads of the audit chain that a report says something about.

    Its states, and those entries of its journal that name an advisory, or a patch by its whole digest.
    """
    found = {f"advisory:{status.id}" for status in report.notices}
    found |= {f"patch:{status.digest.hex()}" for status in report.patches}
    for entry in report.journal:
        if entry.track is Track.NOTICE:
            found.add(f"advisory:{entry.name}")
        elif entry.track is Track.PATCH and entry.digest is not None:
            found.add(f"patch:{entry.digest.hex()}")
    return frozenset(found)
