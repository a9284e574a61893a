"""What revision 0005 puts into its new tables and columns: nothing that older rows do not say.

It says by itself how devices are counted, as of that revision. Who counts otherwise later counts anew in a
revision of their own. There is no inventory yet, so every account and region is "".
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from math import ceil
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from advisories.notice import Notice
from keys.document import peek

_OVER = """
UPDATE rollout_devices SET failed = offered
WHERE offered IS NOT NULL AND rollout IN (SELECT id FROM rollouts WHERE state IN (3, 4))
"""
_NEWEST = """
SELECT a.document FROM advisories a
WHERE a.revision = (SELECT max(b.revision) FROM advisories b WHERE b.id = a.id)
"""
_NAMED = "INSERT INTO named_patches (advisory, digest) VALUES (:advisory, :digest)"
_UNHEARD = """
INSERT INTO unheard (device, product, kind)
SELECT d.id, d.product, 1 FROM devices d LEFT JOIN device_states s ON s.device = d.id
WHERE NOT d.revoked AND s.device IS NULL
"""
_DEVICES = """
INSERT INTO device_cells (account, product, region, language, installed, kind, count)
SELECT '', product, '', language, installed, kind, count(*) FROM (
    SELECT d.product AS product, coalesce(s.language, '') AS language, coalesce(s.installed, '') AS installed,
        CASE WHEN s.device IS NULL THEN 1 ELSE 0 END AS kind
    FROM devices d LEFT JOIN device_states s ON s.device = d.id WHERE NOT d.revoked
) AS one GROUP BY product, language, installed, kind
"""
_NOTICES = """
INSERT INTO notice_cells
    (advisory, account, revision, product, region, language, installed, state, surface, reached, count)
SELECT advisory, '', revision, product, '', language, installed, state, surface, reached, count(*) FROM (
    SELECT n.advisory AS advisory, n.revision AS revision, d.product AS product, s.language AS language,
        s.installed AS installed, n.state AS state, n.surface AS surface,
        CASE WHEN n.verified IS NULL THEN 0 ELSE 1 END + CASE WHEN n.shown IS NULL THEN 0 ELSE 2 END
        + CASE WHEN n.acknowledged IS NULL THEN 0 ELSE 4 END
        + CASE WHEN n.confirmed IS NULL THEN 0 ELSE 8 END
        + CASE WHEN EXISTS (
            SELECT 1 FROM named_patches q JOIN patch_states p ON p.digest = q.digest
            WHERE q.advisory = n.advisory AND p.device = n.device AND p.state IN (12, 21)
        ) THEN 16 ELSE 0 END AS reached
    FROM notice_states n JOIN devices d ON d.id = n.device JOIN device_states s ON s.device = n.device
    WHERE NOT d.revoked
) AS one GROUP BY advisory, revision, product, language, installed, state, surface, reached
"""
_PATCHED_ONLY = """
INSERT INTO notice_cells
    (advisory, account, revision, product, region, language, installed, state, surface, reached, count)
SELECT advisory, '', -1, product, '', language, installed, 0, 0, 16, count(*) FROM (
    SELECT DISTINCT q.advisory AS advisory, p.device AS device, d.product AS product, s.language AS language,
        s.installed AS installed
    FROM patch_states p JOIN named_patches q ON q.digest = p.digest
        JOIN devices d ON d.id = p.device JOIN device_states s ON s.device = p.device
    WHERE p.state IN (12, 21) AND NOT d.revoked AND NOT EXISTS (
        SELECT 1 FROM notice_states n WHERE n.device = p.device AND n.advisory = q.advisory
    )
) AS one GROUP BY advisory, product, language, installed
"""
_PATCHES = """
INSERT INTO patch_cells (account, digest, language, state, agreed, "deferred", count)
SELECT '', digest, language, state, agreed, put_off, count(*) FROM (
    SELECT p.digest AS digest, coalesce(s.language, '') AS language, p.state AS state,
        coalesce(p.consent_how, -1) AS agreed, CASE WHEN p.deferrals IS NULL THEN 0 ELSE 1 END AS put_off
    FROM patch_states p JOIN devices d ON d.id = p.device LEFT JOIN device_states s ON s.device = p.device
    WHERE NOT d.revoked
) AS one GROUP BY digest, language, state, agreed, put_off
"""
_REFUSALS = """
INSERT INTO refusal_cells (account, reason, count)
SELECT '', j.reason, count(*) FROM journal j JOIN devices d ON d.id = j.device
WHERE NOT d.revoked AND (j.track = 2 OR (j.track = 0 AND j.new = 6)) GROUP BY j.reason
"""
_ROLLOUTS = """
INSERT INTO rollout_cells (rollout, "group", outcome, count)
SELECT rollout, place, outcome, count(*) FROM (
    SELECT r.rollout AS rollout, r."group" AS place, CASE
        WHEN d.revoked THEN 11
        WHEN p.state IN (12, 21) THEN CASE
            WHEN s.installed = t.version THEN 6
            WHEN EXISTS (
                SELECT 1 FROM patch_states o
                WHERE o.device = r.device AND o.sequence > p.sequence AND o.state IN (12, 21)
            ) THEN 9
            ELSE 3 END
        WHEN r.offered IS NULL THEN 0
        WHEN p.state IS NULL OR p.changed <= r.offered THEN
            CASE WHEN r.cancelled IS NOT NULL THEN 9 ELSE 1 END
        WHEN p.state IN (13, 14, 16, 17) THEN CASE
            WHEN r.failed IS NULL THEN 4
            WHEN p.state = 13 THEN 23
            WHEN p.state = 17 THEN 24
            WHEN p.reason IN (3, 4, 7, 9, 50) THEN 20
            WHEN p.reason IN (5, 20, 21, 22, 23, 24, 26, 32, 36, 37, 38) THEN 21
            WHEN p.reason IN (2, 8, 39, 40, 56) THEN 22
            WHEN p.reason IN (42, 47) THEN 23
            WHEN p.reason IN (49, 57) THEN 24
            ELSE 25 END
        WHEN p.state = 15 THEN 7
        WHEN p.state = 22 THEN 8
        WHEN p.state IN (19, 23, 24) THEN 9
        WHEN p.state IN (2, 3, 4) THEN 2
        ELSE 3 END AS outcome
    FROM rollout_devices r JOIN rollouts w ON w.id = r.rollout JOIN patches t ON t.digest = w.digest
        JOIN devices d ON d.id = r.device
        LEFT JOIN patch_states p ON p.device = r.device AND p.digest = w.digest
        LEFT JOIN device_states s ON s.device = r.device
) AS one GROUP BY rollout, place, outcome
"""
_WAITS = """
SELECT n.advisory, n.revision, n.shown_received - a.published
FROM notice_states n JOIN devices d ON d.id = n.device
    JOIN advisories a ON a.id = n.advisory AND a.revision = n.revision
WHERE NOT d.revoked AND n.shown_received IS NOT NULL AND n.surface IN (1, 2, 4)
"""
_WAIT = """
INSERT INTO wait_cells (advisory, account, revision, wait, count)
VALUES (:advisory, '', :revision, :wait, :count)
"""
_TOGETHER = (
    """
INSERT INTO device_sums (product, language, installed, kind, count)
SELECT product, language, installed, kind, sum(count) FROM device_cells
GROUP BY product, language, installed, kind
""",
    """
INSERT INTO device_accounts (account, product, installed, kind, count)
SELECT account, product, installed, kind, sum(count) FROM device_cells
GROUP BY account, product, installed, kind
""",
    """
INSERT INTO device_regions (product, region, installed, kind, count)
SELECT product, region, installed, kind, sum(count) FROM device_cells
GROUP BY product, region, installed, kind
""",
    """
INSERT INTO notice_sums (advisory, revision, product, language, installed, state, surface, reached, count)
SELECT advisory, revision, product, language, installed, state, surface, reached, sum(count) FROM notice_cells
GROUP BY advisory, revision, product, language, installed, state, surface, reached
""",
    """
INSERT INTO notice_accounts (advisory, account, revision, product, installed, state, surface, reached, count)
SELECT advisory, account, revision, product, installed, state, surface, reached, sum(count) FROM notice_cells
GROUP BY advisory, account, revision, product, installed, state, surface, reached
""",
    """
INSERT INTO notice_regions (advisory, revision, product, region, installed, state, surface, reached, count)
SELECT advisory, revision, product, region, installed, state, surface, reached, sum(count) FROM notice_cells
GROUP BY advisory, revision, product, region, installed, state, surface, reached
""",
    """
INSERT INTO wait_sums (advisory, revision, wait, count)
SELECT advisory, revision, wait, sum(count) FROM wait_cells GROUP BY advisory, revision, wait
""",
    """
INSERT INTO patch_sums (digest, language, state, agreed, "deferred", count)
SELECT digest, language, state, agreed, "deferred", sum(count) FROM patch_cells
GROUP BY digest, language, state, agreed, "deferred"
""",
)
_MANTISSAS = (*range(100, 200, 2), *range(200, 500, 5), *range(500, 1_001, 10))


def fill(connection: Connection) -> None:
    """Count devices into the cells, and let no device of a rollout that is over wait for its deadline."""

    def run(statement: str, values: list[dict[str, Any]] | None = None) -> Any:
        return connection.execute(sa.text(statement), values)

    run(_OVER)
    notices = [peek(bytes(row[0]), Notice) for row in run(_NEWEST)]  # what was signed is read for ever
    named = {
        (notice.id, digest)
        for notice in notices
        for digests in (notice.patches or {}).values()
        for digest in digests
    }
    if named:
        run(_NAMED, [{"advisory": advisory, "digest": digest} for advisory, digest in sorted(named)])
    waits = Counter((row[0], row[1], _bucket(row[2])) for row in run(_WAITS))
    if waits:
        names = ("advisory", "revision", "wait", "count")
        run(_WAIT, [dict(zip(names, (*key, many), strict=True)) for key, many in sorted(waits.items())])
    counted = (_UNHEARD, _DEVICES, _NOTICES, _PATCHED_ONLY, _PATCHES, _REFUSALS, _ROLLOUTS)
    for statement in (*counted, *_TOGETHER):
        run(statement)


def _bucket(seconds: float) -> int:
    """Return the upper end, in milliseconds, of the bucket of a time: at most 2.5 per cent above it."""
    wait = max(0, ceil(seconds * 1_000))
    scale = 1
    while wait > 999 * scale:
        scale *= 10
    if wait < _MANTISSAS[0]:
        return wait
    mantissa: int = _MANTISSAS[bisect_left(_MANTISSAS, ceil(wait / scale))]
    return mantissa * scale
