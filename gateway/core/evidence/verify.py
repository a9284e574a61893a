"""Whether an export proves what it says: offline, from its bytes and the root that the reader trusts. Pure.

In this order: the file's form; roots, from the reader's own first one; the audit chain with its threads and
the heads that the gateway signed and devices echoed; documents, each under the root in force when it was
recorded; people's words; every report against its device's key and its row; the table, computed once more;
the index. All faults are gathered, so that one look tells what was done to a file.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import IO, Any, Final

from advisories.catalogue import Timestamp
from gateway.core import chain
from gateway.core.evidence import archive as form
from gateway.core.evidence import rows
from gateway.core.evidence.archive import Archive, refused
from gateway.core.evidence.documents import Documents, Known, walk_roots
from gateway.core.evidence.receipts import HEADS_MAX, Receiving, echoes, receipts
from gateway.core.evidence.told import COLUMNS, Standings, Stated, Tables, csv_line, table
from gateway.core.evidence.verdict import Fault, Verdict
from keys import cose
from keys.document import peek
from keys.errors import InputError, RefusedError

TYP: Final = "tocsin/evidence"
EXTERNAL_AAD: Final = b"tocsin evidence"
"""Bound into the signature over an index, so that no other of that key can pass for one."""
OPERATOR: Final = "operator"
_LAST_WORDS: Final = (form.INDEX, form.SIGNATURE, form.AUDIT)  # members that the last row cannot know


def verify(stream: IO[bytes], pinned: bytes) -> Verdict:
    """Verify an export.

    Args:
        stream: the file, seekable; it is read several times, piece by piece.
        pinned: digest of the root 1 that the reader trusts.

    Raises:
        InputError: NOT_EVIDENCE, for a file of which nothing can be judged: another fleet's, broken, hostile.
    """
    archive, verdict = Archive(stream), Verdict()
    _about(archive, verdict)
    known = walk_roots(archive, pinned, verdict)
    if known.fleet.hex() != verdict.fleet:
        verdict.find(Fault.CHANGED, form.ABOUT, "it names another fleet")
    wanted = echoes(receipts(archive)) | _signed_heads(archive)
    trail = rows.walk(rows.read(archive.items(form.AUDIT)), wanted, verdict)
    verdict.rows, verdict.shown, verdict.erased = trail.rows, trail.shown, dict(trail.rules)
    documents = Documents(archive, trail, known, verdict)
    documents.roots()
    documents.advisory()
    if not known.notices:
        raise refused("it holds no genuine revision of the advisory")
    documents.catalogues()
    documents.patches()
    documents.devices()
    documents.stamps()
    documents.offers()
    whole = verdict.account is None
    documents.require_all(whole=whole)
    _threads(trail, known, verdict)
    _events(archive, trail, verdict)
    standings = Standings(verdict.advisory, known.patches)
    receiving = Receiving(known, trail, verdict, standings, whole)
    receiving.run(rows.read(archive.items(form.AUDIT)), receipts(archive))
    _table(archive, known, standings, verdict)
    _index(archive, known, verdict)
    _last_row(archive, trail, verdict)
    _honest(verdict)
    return verdict


def _about(archive: Archive, verdict: Verdict) -> None:
    said = archive.json(form.ABOUT)
    if not isinstance(said, dict) or said.get("format") != form.FORMAT:
        raise refused("it does not say that it is evidence")
    if said.get("version") != form.VERSION:
        raise InputError(
            "EVIDENCE_VERSION",
            f"This evidence has format version {said.get('version')}; this program reads {form.VERSION}.",
            mend="Use the program that made it, or a newer one.",
        )
    advisory, account, made = said.get("advisory"), said.get("account"), said.get("made")
    fleet = said.get("fleet")
    if not isinstance(advisory, str) or not isinstance(fleet, str):
        raise refused(f"{form.ABOUT} does not say what it is about")
    if not isinstance(made, float) or not math.isfinite(made):
        raise refused(f"{form.ABOUT} does not say when it was made")
    if account is not None and not isinstance(account, str):
        raise refused(f"{form.ABOUT} does not say whose it is")
    verdict.advisory, verdict.account, verdict.fleet, verdict.made = advisory, account, fleet, made


def _signed_heads(archive: Archive) -> frozenset[bytes]:
    heads = set()
    for data in archive.items(form.TIMESTAMPS):
        try:
            heads.add(peek(data, Timestamp).audit_head)
        except RefusedError:
            continue  # told with its place when it is verified
        if len(heads) > HEADS_MAX:
            raise refused(f"it has more than {HEADS_MAX} heads")
    return frozenset(heads)


def _threads(trail: rows.Trail, known: Known, verdict: Verdict) -> None:
    """Rows about the advisory are numbered; none may be missing among those shown, nor at their end."""
    fixed = {"roots", "devices", "retention", *(f"catalogue:{name}" for name in known.products)}
    about = {f"advisory:{verdict.advisory}", *(f"patch:{digest.hex()}" for digest in known.patches)}
    found = set()
    for row in trail.facts:
        numbers = row.data.get(chain.NTH)
        named = set(numbers) if isinstance(numbers, dict) else set()
        if named & about:
            found |= {name for name in named if name.startswith(("incident:", "rollout:"))}
    about |= found
    whole = verdict.account is None
    ended = trail.exported.data.get("threads") if trail.exported is not None else None
    stated = ended if isinstance(ended, dict) else {}
    last = trail.exported.index if trail.exported is not None else 0
    for thread in sorted(fixed | about):
        missing = [(at, count) for at, count in trail.gaps.get(thread, ()) if at != last]
        for at, count in missing:
            if thread in fixed or whole:
                detail = f"{count} rows about {thread} before this one are not shown"
                verdict.find(Fault.REMOVED, f"row {at}", detail)
            else:
                verdict.withheld += max(0, count)
        end = trail.counted.get(thread, 0)
        if thread == f"advisory:{verdict.advisory}" and trail.exported is not None:
            end = _before(trail, thread)
        if isinstance(wanted := stated.get(thread, 0), int) and wanted > end:
            if thread in fixed or whole:
                detail = f"the last {wanted - end} rows about {thread} are not shown"
                verdict.find(Fault.REMOVED, form.AUDIT, detail)
            else:
                verdict.withheld += wanted - end


def _before(trail: rows.Trail, thread: str) -> int:
    """Return the number of a thread's last row before the one with which the export ends."""
    assert trail.exported is not None
    gap = sum(count for row, count in trail.gaps.get(thread, ()) if row == trail.exported.index)
    return trail.counted.get(thread, 0) - 1 - gap


def _events(archive: Archive, trail: rows.Trail, verdict: Verdict) -> None:
    """Hold people's words against the rows that recorded them."""
    recorded = {
        row.data["seq"]: row
        for row in trail.facts
        if isinstance(row.data.get("seq"), int) and isinstance(row.data.get("digest"), str)
    }
    last = 0
    for number, line in enumerate(archive.lines(form.EVENTS), start=1):
        where = f"{form.EVENTS}, line {number}"
        said = line if isinstance(line, dict) else {}
        row = recorded.pop(said.get("seq"), None) if isinstance(said.get("seq"), int) else None
        if row is None:
            verdict.find(Fault.ADDED, where, "no row speaks of it")
            continue
        if row.index < last:
            verdict.find(Fault.CHANGED, where, "it is not in the order of the rows")
        last = row.index
        text = said.get("data")
        digest = hashlib.sha256(text.encode()).hexdigest() if isinstance(text, str) else ""
        wanted = {"digest": digest, "by": said.get("by")} | {
            name: said.get(name) for name in ("incident", "advisory")
        }
        same = all(row.data.get(name) == value for name, value in wanted.items())
        if not same or (row.kind, row.time) != (said.get("kind"), said.get("at")):
            verdict.find(Fault.CHANGED, where, f"row {row.index} recorded something else")
    for row in recorded.values():
        if verdict.account is None and row.data["digest"] not in trail.erased:
            verdict.find(Fault.REMOVED, f"row {row.index}", f"the words of {row.kind} are missing")


def stated_of(lines: Iterable[Any]) -> dict[str, Stated]:
    """Read ``stated.jsonl``.

    Raises:
        InputError: NOT_EVIDENCE.
    """
    found: dict[str, Stated] = {}
    last = ""
    for number, line in enumerate(lines, start=1):
        try:
            device = line.pop("device")
            said = Stated(**line)
            fits = device > last and all(isinstance(getattr(said, name), str) for name in Stated.__slots__)
        except (TypeError, AttributeError, KeyError):
            fits = False
        if not fits:
            raise refused(f"{form.STATED}, line {number} states nothing about a device")
        found[device] = said
        last = device
    return found


def _table(archive: Archive, known: Known, standings: Standings, verdict: Verdict) -> None:
    """Compute who was told what once more, and compare it with the table in the file."""
    stated = stated_of(archive.lines(form.STATED))
    registered = known.registered
    if verdict.account is not None:
        registered = {name: product for name, product in registered.items() if name in stated}
    tables = Tables(max(known.notices))
    as_json, as_csv = hashlib.sha256(), hashlib.sha256(csv_line(COLUMNS))
    for line, row in tables.lines(table(known.notices, registered, stated, standings)):
        as_json.update(line)
        as_csv.update(row)
    for device in standings.devices:
        if device not in registered and device not in stated:
            verdict.notes.append(f"{device} reported and is revoked since, so it is not in the table.")
    verdict.devices = len(registered.keys() | stated.keys())
    for key, many in tables.counts.items():
        verdict.summary[key[-1]] = verdict.summary.get(key[-1], 0) + many
    summary = hashlib.sha256(tables.summary()).hexdigest()
    for name, computed in (
        (form.TOLD_JSON, as_json.hexdigest()),
        (form.TOLD_CSV, as_csv.hexdigest()),
        (form.SUMMARY, summary),
    ):
        if archive.measured(name)[1] != computed:
            verdict.find(Fault.CHANGED, name, "devices' reports come to another table")


def _index(archive: Archive, known: Known, verdict: Verdict) -> None:
    """Compare every member with the index, and the index with a signature where there is one."""
    data = archive.read(form.INDEX)
    verdict.digest = hashlib.sha256(data).hexdigest()
    said = form.parsed(data, form.INDEX)
    members = said.get("members") if isinstance(said, dict) else None
    if not isinstance(members, dict):
        raise refused("its index lists nothing")
    there = [name for name in archive.names if name not in {form.INDEX, form.SIGNATURE}]
    for name in sorted(members.keys() - set(there)):
        verdict.find(Fault.REMOVED, name, "the index lists it")
    for name in there:
        size, digest = archive.measured(name)
        if name not in form.SINGLE and not name.startswith(form.FOLDERS):
            verdict.find(Fault.ADDED, name, "nothing of this name belongs into an export")
        elif name not in members:
            verdict.find(Fault.ADDED, name, "the index does not list it")
        elif members[name] != {"bytes": size, "sha256": digest}:
            verdict.find(Fault.CHANGED, name, "it is not what the index lists")
    if form.SIGNATURE in archive:
        _signature(archive.read(form.SIGNATURE), data, known, verdict)


def _signature(data: bytes, index: bytes, known: Known, verdict: Verdict) -> None:
    try:
        message = cose.parse(data, cose.TAG_SIGN1, unprotected=False)
        signature = message.signatures[0]
        entry = next(
            (r.by_kid[k] for r in reversed(known.roots) if (k := signature.kid or b"") in r.by_kid), None
        )
        payload = hashlib.sha256(index).digest()
        fits = message.payload == payload and message.header.get(cose.TYP) == TYP
        if entry is not None and OPERATOR in entry.roles and fits:
            cose.check(message, signature, entry.key, payload=payload, external_aad=EXTERNAL_AAD)
            verdict.signed_by = (entry.holder,)
    except RefusedError:
        pass
    if not verdict.signed_by:
        verdict.find(Fault.CHANGED, form.SIGNATURE, "it is no operator's signature over this index")


def content_digest(members: Iterable[tuple[str, int, str]]) -> str:
    """Return what the last row says of a file: SHA-256 over (name, length, SHA-256) of what it can know."""
    whole: dict[str, dict[str, int | str]] = {
        name: {"bytes": size, "sha256": digest} for name, size, digest in members if name not in _LAST_WORDS
    }
    return hashlib.sha256(form.index_bytes(whole)).hexdigest()


def _last_row(archive: Archive, trail: rows.Trail, verdict: Verdict) -> None:
    """An export ends with the row that records it: with what it holds, and through which row."""
    row = trail.exported
    if row is None:
        verdict.find(Fault.REMOVED, form.AUDIT, "the chain does not end with the row that records the export")
        return
    if (row.data.get("advisory"), row.data.get("account")) != (verdict.advisory, verdict.account):
        verdict.find(Fault.CHANGED, f"row {row.index}", "it records the export of something else")
    found = content_digest((name, *archive.measured(name)) for name in archive.names)
    if row.data.get("content") != found:
        verdict.find(Fault.CHANGED, f"row {row.index}", "what it records was something else than this file")
    _reach(row, verdict)


def _reach(row: rows.Row, verdict: Verdict) -> None:
    """Hold through which row an export says that it reaches: behind that, no report is asked for."""
    through, where = row.data.get("through"), f"row {row.index}"
    verdict.rows = row.index - 1
    seen = max(verdict.vouched_by_gateway, verdict.vouched_by_devices)
    if isinstance(through, bool) or not isinstance(through, int) or not 0 < through < row.index:
        verdict.find(Fault.CHANGED, where, "it does not say how far the file reaches")
    elif through < seen:
        verdict.find(Fault.CHANGED, where, f"it reaches to row {through}, and row {seen} is vouched for")
    else:
        verdict.rows = through
        if through < row.index - 1:
            verdict.notes.append(
                f"Rows {through + 1} to {row.index - 1} were written meanwhile and are not covered."
            )


def _honest(verdict: Verdict) -> None:
    """Say what nobody can know from this file."""
    seen = max(verdict.vouched_by_gateway, verdict.vouched_by_devices)
    if verdict.rows > seen:
        verdict.notes.append(
            f"Rows {seen + 1} to {verdict.rows} are vouched for by no timestamp and no device in this file: "
            "the gateway could still have cut them off, or written them otherwise."
        )
    if verdict.vouched_by_devices < verdict.vouched_by_gateway:
        verdict.notes.append(
            f"Behind row {verdict.vouched_by_devices} only the gateway's own signature stands: whoever holds "
            "its key could have written those rows anew."
        )
    if verdict.withheld:
        verdict.notes.append(
            f"{verdict.withheld} rows about the advisory are shown by their digest only: they concern others."
        )
    if verdict.account is not None:
        verdict.notes.append(
            "That these are all devices of the account, and all of their reports, is what the operator "
            "states: only the evidence of the whole fleet shows that none was left out."
        )
