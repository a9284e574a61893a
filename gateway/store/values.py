"""Rows to be written of where notices and patches stand."""

from __future__ import annotations

from typing import Any

from gateway.core.tracks import NoticeRow, PatchRow


def notice_values(device: str, advisory: str, row: NoticeRow) -> dict[str, Any]:
    """Return a row of ``notice_states``."""
    return {
        "device": device,
        "advisory": advisory,
        "revision": row.revision,
        "digest": row.digest,
        "state": int(row.state),
        "reason": int(row.reason),
        "surface": int(row.surface),
        "language": row.language,
        "verified": row.verified,
        "shown": row.shown,
        "acknowledged": row.acknowledged,
        "confirmed": row.confirmed,
        "shown_received": row.shown_received,
    }


def patch_values(device: str, digest: bytes, row: PatchRow) -> dict[str, Any]:
    """Return a row of ``patch_states``."""
    return {
        "device": device,
        "digest": digest,
        "sequence": row.sequence,
        "state": int(row.state),
        "reason": int(row.reason),
        "time": row.time,
        "changed": row.changed,
        "consent_how": None if row.consent is None else int(row.consent.how),
        "consent_time": None if row.consent is None else row.consent.time,
        "consent_question": None if row.consent is None else row.consent.question,
        "consent_notice": None if row.consent is None else row.consent.notice,
        "consent_language": None if row.consent is None else row.consent.language,
        "done": row.done,
        "deferrals": row.deferrals,
        "suit": row.suit,
    }
