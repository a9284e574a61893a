"""The documents of an export: genuine under the root that was in force, and recorded in the chain. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from advisories import limits, suit
from advisories.briefings.outputs import SHEETS
from advisories.catalogue import Catalogue, DeviceRecord, Devices, Timestamp
from advisories.notice import Notice, ReleaseList, Text, check_code
from advisories.offer import Offer
from gateway.core.evidence.archive import OFFERS, TIMESTAMPS, Archive, refused
from gateway.core.evidence.rows import Row, Trail
from gateway.core.evidence.verdict import Approval, Fault, Verdict
from keys import cose
from keys.codec import load
from keys.document import Genuine, open_document, peek
from keys.errors import RefusedError
from keys.root import Body, Root
from keys.trusted import TrustedSet

B = TypeVar("B", bound=Body)
RELEASE_LIST_BYTES_MAX: Final = 1_048_576
OUTPUT_BYTES_MAX: Final = 16 * 1024 * 1024
SOURCE: Final = "source/"
"""How the names begin of what a release was made of: facts and setting."""


def is_for_accounts(output: str) -> bool:
    """Say whether an account's file holds an output: not what it was made of, nor sheets for the house."""
    return not output.startswith(SOURCE) and output.rpartition("/")[2] not in SHEETS


@dataclass(slots=True)
class Known:
    """What the documents say, once they are genuine."""

    fleet: bytes
    roots: list[Root]
    notices: dict[int, Notice] = field(default_factory=dict)
    """Revision -> header."""
    digests: dict[int, bytes] = field(default_factory=dict)
    records: dict[bytes, DeviceRecord] = field(default_factory=dict)
    """Thumbprint of a device's key -> the newest record with it."""
    registered: dict[str, str] = field(default_factory=dict)
    """Device -> product, those of the advisory's products that are not revoked."""

    @property
    def products(self) -> frozenset[str]:
        """The products that the advisory is about."""
        return frozenset(name for notice in self.notices.values() for name in notice.subject)

    @property
    def patches(self) -> frozenset[bytes]:
        """Digests of the patches that its revisions name."""
        return frozenset(
            digest
            for notice in self.notices.values()
            for digests in (notice.patches or {}).values()
            for digest in digests
        )

    def take(self, body: Devices) -> None:
        """Take records of the advisory's products; call it in the order of their documents' versions."""
        products = self.products
        for record in body.records:
            if record.product in products:
                self.records[record.key.thumbprint] = record
            if record.product in products and not record.revoked:
                self.registered[record.id] = record.product
            else:
                self.registered.pop(record.id, None)


def walk_roots(archive: Archive, pinned: bytes, verdict: Verdict) -> Known:
    """Walk from root 1, which the reader trusts, to the newest that the file holds.

    Raises:
        InputError: NOT_EVIDENCE, when the first is missing or another fleet's: nothing else can be judged.
    """
    names = archive.under("roots/")
    count = len(names)
    try:
        first = archive.read("roots/1.cose", limits.DEVICES_BYTES_MAX)
        trusted = TrustedSet.enrol(first, None, pinned=pinned)
    except RefusedError as error:
        raise refused(f"its root 1 is not the one that is trusted here ({error.reason.name})") from None
    roots = [trusted.root]
    for number in range(2, count + 1):
        name = f"roots/{number}.cose"
        if name not in archive:
            verdict.find(Fault.REMOVED, name, "roots are numbered without a gap")
            break
        try:
            trusted.update_root(archive.read(name, limits.DEVICES_BYTES_MAX), None)
        except RefusedError as error:
            verdict.find(Fault.CHANGED, name, f"it does not follow the root before it: {error.reason.name}")
            break
        roots.append(trusted.root)
    return Known(trusted.fleet, roots)


class Documents:
    """Holds the documents of a file against the rows that recorded them."""

    def __init__(self, archive: Archive, trail: Trail, known: Known, verdict: Verdict) -> None:
        self._archive, self._trail, self._known, self._verdict = archive, trail, known, verdict
        self._rows: dict[tuple[str, str], Row] = {}
        for row in trail.facts:
            if isinstance(digest := row.data.get("digest"), str):
                self._rows.setdefault((row.kind, digest), row)
        self._in_force = [
            (row.index, row.data["version"])
            for row in trail.facts
            if row.kind == "root.published" and isinstance(row.data.get("version"), int)
        ]
        self._met: set[tuple[str, str]] = set()

    def _root_at(self, row: Row) -> Root:
        """Return the root that was in force when a row was written."""
        versions = [version for index, version in self._in_force if index < row.index]
        number = max((v for v in versions if v <= len(self._known.roots)), default=1)
        return self._known.roots[max(1, number) - 1]

    def _recorded(self, name: str, kind: str, digest: bytes) -> Row | None:
        """Return the row of a document, or note that nobody recorded it."""
        key = (kind, digest.hex())
        row = self._rows.get(key)
        if row is None:
            self._verdict.find(Fault.ADDED, name, f"no row {kind} speaks of it, or it was changed")
        self._met.add(key)
        return row

    def _genuine(self, name: str, judge: Callable[[], Any]) -> Any:
        try:
            return judge()
        except RefusedError as error:
            detail = f"{error.reason.name}: {error.detail or error.reason.means}"
            self._verdict.find(Fault.CHANGED, name, f"it is not genuine ({detail})")
            return None

    def _open(self, name: str, data: bytes, cls: type[B], kind: str) -> tuple[Genuine[B], Row] | None:
        """Open a document as it was opened when it was published."""
        body: B | None = self._genuine(name, partial(peek, data, cls))
        if body is None:
            return None
        digest = hashlib.sha256(cose.parse(data, cose.TAG_SIGN).payload or b"").digest()
        row = self._recorded(name, kind, digest)
        if row is None:
            return None
        genuine = None
        for subject in body.subject or (None,):
            genuine = self._genuine(
                name,
                partial(
                    open_document,
                    data,
                    cls,
                    self._root_at(row),
                    fleet=self._known.fleet,
                    subject=subject,
                    now=int(row.time),
                ),
            )
            if genuine is None:
                return None
        assert genuine is not None
        return genuine, row

    def roots(self) -> None:
        """Hold each root against its row."""
        for number in range(1, len(self._known.roots) + 1):
            name = f"roots/{number}.cose"
            payload = cose.parse(self._archive.read(name), cose.TAG_SIGN).payload or b""
            self._recorded(name, "root.published", hashlib.sha256(payload).digest())

    def advisory(self) -> None:
        """Read every revision with all that its header binds, and who approved it."""
        folders = sorted({"/".join(name.split("/")[:2]) for name in self._archive.under("advisory/")})
        for folder in folders:
            name = f"{folder}/header.cose"
            if name not in self._archive:
                self._verdict.find(Fault.REMOVED, name, "the header of this revision is missing")
                continue
            data = self._archive.read(name, limits.DEVICES_BYTES_MAX)
            found = self._open(name, data, Notice, "advisory.published")
            if found is None:
                continue
            genuine, row = found
            notice: Notice = genuine.body
            if notice.id != self._verdict.advisory or folder != f"advisory/r{notice.revision}":
                self._verdict.find(Fault.ADDED, name, f"it is {notice.id} revision {notice.revision}")
                continue
            self._known.notices[notice.revision] = notice
            self._known.digests[notice.revision] = genuine.digest
            self._verdict.revisions.append(
                {
                    "revision": notice.revision,
                    "digest": genuine.digest.hex(),
                    "check_code": check_code(genuine.digest),
                    "published": row.time,
                    "exercise": notice.exercise,
                }
            )
            self._approvals(notice.revision, genuine, self._root_at(row))
            self._bound(folder, notice)

    def _approvals(self, revision: int, genuine: Genuine[Notice], root: Root) -> None:
        """List who signed, and when that was recorded."""
        for kid in genuine.signed:
            entry = root.by_kid[kid]
            times = [
                row.time
                for row in self._trail.facts
                if row.kind == "approval.given"
                and row.data.get("by") == entry.holder
                and row.data.get("advisory") == self._verdict.advisory
            ]
            published = self._verdict.revisions[-1]["published"]
            before = [time for time in times if time <= published]
            self._verdict.approvals.append(
                Approval(
                    revision=revision,
                    holder=entry.holder,
                    roles=entry.roles,
                    kid=kid.hex()[:16],
                    at=before[-1] if before else None,
                )
            )

    def _bound(self, folder: str, notice: Notice) -> None:
        """Compare texts and outputs with the digests that the header binds."""
        self._exactly(
            f"{folder}/texts/",
            {f"{language}.cbor": digest for language, digest in notice.texts.items()},
            limits.NOTICE_TEXT_BYTES_MAX,
        )
        for name in self._archive.under(f"{folder}/texts/"):
            self._genuine(
                name, partial(load, Text, self._archive.read(name), size_max=limits.NOTICE_TEXT_BYTES_MAX)
            )
        name = f"{folder}/release-list.cbor"
        if name not in self._archive:
            self._verdict.find(Fault.REMOVED, name, "the header binds a release list")
            return
        data = self._archive.read(name, RELEASE_LIST_BYTES_MAX)
        if hashlib.sha256(data).digest() != notice.release_list:
            self._verdict.find(Fault.CHANGED, name, "it is not the one that the header binds")
            return
        listed = self._genuine(name, lambda: load(ReleaseList, data, size_max=RELEASE_LIST_BYTES_MAX))
        if listed is None:
            return
        whole = self._verdict.account is None
        wanted = {part: one for part, one in listed.outputs.items() if whole or is_for_accounts(part)}
        self._exactly(f"{folder}/outputs/", wanted, OUTPUT_BYTES_MAX)

    def _exactly(self, folder: str, named: Mapping[str, bytes], size_max: int) -> None:
        there = {name.removeprefix(folder): name for name in self._archive.under(folder)}
        for part in sorted(named.keys() - there.keys()):
            self._verdict.find(Fault.REMOVED, folder + part, "what the header binds is missing")
        for part, name in there.items():
            if part not in named:
                self._verdict.find(Fault.ADDED, name, "the header binds nothing of this name")
            elif hashlib.sha256(self._archive.read(name, size_max)).digest() != named[part]:
                self._verdict.find(Fault.CHANGED, name, "it is not what the header binds")

    def catalogues(self) -> None:
        """Read every catalogue of the advisory's products."""
        for name in self._archive.under("catalogues/"):
            data = self._archive.read(name, limits.DEVICES_BYTES_MAX)
            found = self._open(name, data, Catalogue, "catalogue.published")
            body = None if found is None else found[0].body
            if body is not None and (
                not set(body.subject) <= self._known.products
                or name != f"catalogues/{''.join(body.subject)}/{body.version}.cose"
            ):
                self._verdict.find(Fault.ADDED, name, "it does not belong here")

    def patches(self) -> None:
        """Read every patch that the advisory names."""
        for name in self._archive.under("patches/"):
            data = self._archive.read(name, limits.ENVELOPE_BYTES_MAX)
            patch = self._genuine(name, partial(suit.peek, data))
            row = None if patch is None else self._recorded(name, "patch.published", patch.digest)
            if patch is None or row is None:
                continue
            if name != f"patches/{patch.digest.hex()}.suit" or patch.digest not in self._known.patches:
                self._verdict.find(Fault.ADDED, name, "it does not belong here")
            product = str(row.data.get("product"))
            # Renewed with other signatures after a change of roots, it stays the same patch.
            if not any(self._opens(data, root, product) for root in self._known.roots):
                self._verdict.find(Fault.CHANGED, name, "no root authorises its signatures")

    @staticmethod
    def _opens(data: bytes, root: Root, product: str) -> bool:
        try:
            suit.open_envelope(data, root, product=product)
        except RefusedError:
            return False
        return True

    def devices(self) -> None:
        """Read the operator-signed records: which key is whose."""
        opened = []
        for name in self._archive.under("devices/"):
            found = self._open(
                name, self._archive.read(name, limits.DEVICES_BYTES_MAX), Devices, "devices.registered"
            )
            if found is not None:
                version = found[0].body.version
                opened.append((version, found[0].body))
                if name != f"devices/{version}.cose":
                    self._verdict.find(Fault.ADDED, name, "it does not belong here")
        for _, body in sorted(opened, key=lambda item: item[0]):
            self._known.take(body)

    def require_all(self, *, whole: bool) -> None:
        """Find documents that rows speak of and that are not there.

        Args:
            whole: also device records; an account's export holds only those with its devices.
        """
        patches = {digest.hex() for digest in self._known.patches}
        products = self._known.products
        for (kind, digest), row in self._rows.items():
            product = row.data.get("product")
            if kind == "catalogue.published" and not isinstance(product, str):
                self._verdict.find(
                    Fault.CHANGED, f"row {row.index}", "it does not name the catalogue's product"
                )
                continue
            belongs = (
                kind == "root.published"
                or (kind == "devices.registered" and whole)
                or (kind == "advisory.published" and row.data.get("id") == self._verdict.advisory)
                or (kind == "catalogue.published" and product in products)
                or (kind == "patch.published" and digest in patches)
            )
            if belongs and (kind, digest) not in self._met:
                self._verdict.find(Fault.REMOVED, f"row {row.index}", f"the document of {kind} is missing")

    def offers(self) -> int:
        """Check the gateway's offers and return how many there are."""
        count = 0
        before: dict[tuple[str, ...], int] = {}
        for count, data in enumerate(self._archive.items(OFFERS), start=1):
            name = f"{OFFERS}, item {count}"
            body = self._genuine(name, partial(peek, data, Offer))
            if body is None:
                continue
            self._signed_by_gateway(name, data, Offer, body.issued, body.product)
            if body.digest not in self._known.patches or body.version <= before.get(body.subject, -1):
                self._verdict.find(Fault.ADDED, name, "it does not belong here")
            before[body.subject] = body.version
        return count

    def _signed_by_gateway(
        self, name: str, data: bytes, cls: type[Body], issued: int, product: str | None = None
    ) -> None:
        """Verify under a root that may have been in force then: a clock is no proof of which it was."""
        last: RefusedError | None = None
        for root in reversed(self._known.roots):
            try:
                open_document(data, cls, root, fleet=self._known.fleet, product=product, now=issued)
            except RefusedError as error:
                last = last or error
            else:
                return
        assert last is not None
        self._verdict.find(Fault.CHANGED, name, f"it is not genuine ({last.reason.name})")

    def stamps(self) -> None:
        """Check the timestamps, and whether the heads that the gateway signed are in the chain."""
        before: dict[tuple[str, ...], int] = {}
        for count, data in enumerate(self._archive.items(TIMESTAMPS), start=1):
            name = f"{TIMESTAMPS}, item {count}"
            body = self._genuine(name, partial(peek, data, Timestamp))
            if body is None:
                continue
            self._signed_by_gateway(name, data, Timestamp, body.issued)
            if body.version <= before.get(body.subject, -1) or not set(body.subject) <= self._known.products:
                self._verdict.find(Fault.ADDED, name, "it does not belong here")
            before[body.subject] = body.version
            row = self._trail.heads.get(body.audit_head)
            if row is None:
                head = body.audit_head.hex()
                detail = f"the gateway signed head {head}, which is not in the chain"
                self._verdict.find(Fault.REWRITTEN, name, detail)
            elif row >= self._verdict.vouched_by_gateway:
                self._verdict.vouched_by_gateway = row
                self._verdict.vouched_by_gateway_at = float(body.issued)
