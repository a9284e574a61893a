"""A small fleet that was told something, with everything that an export can hold; and a hand that forges."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisories import mcuboot, suit
from advisories.approval import Given
from advisories.catalogue import Timestamp
from advisories.notice import ReleaseList
from advisories.report import PatchStatus
from advisories.states import NoticeState, PatchState
from advisories.topics import Topics
from gateway.core import chain
from gateway.core.evidence import archive as form
from gateway.core.evidence.verdict import Verdict
from gateway.core.evidence.verify import content_digest, verify
from gateway.operations import releases
from gateway.operations.evidence.exporting import Exported, export
from gateway.service.committing import Committer, Item
from gateway.service.timestamps import Timestamps
from gateway.store import events, schema
from gateway.store.engine import Store, Stored
from gateway.store.patches import publish_patch
from gateway.store.publication import publish_advisory, publish_root, register_devices
from gateway.workspace.folder import Workspace
from keys.codec import dump
from keys.document import digest, peek, seal
from keys.errors import TocsinError
from keys.reasons import Reason
from keys.root import Root
from tests.gateway.peer import Peer, status, walked
from tests.gateway.scene import OUTPUTS, catalogues, header, texts
from tests.helpers import DAY, HOUR, NOW, PRODUCT, Fleet, device_record, devices, key, make_fleet, offer

ID = "EX-2026-0001"
IDS = ("device-0001", "device-0002", "device-0003", "device-0004")
ACCOUNT = "exercise-account"
N = NoticeState
SOURCES = {"source/facts.yaml": b"id: EX-2026-0001\n", "source/setting.json": b"{}\n"}
SHEETS = {"en/briefing-executives.md": b"Internal. Please do not pass this sheet on.\n"}
LISTED = ReleaseList(
    outputs={name: hashlib.sha256(data).digest() for name, data in {**OUTPUTS, **SHEETS, **SOURCES}.items()}
)


@dataclass
class Told:
    """A workspace whose fleet was told, and what it is made of."""

    workspace: Workspace
    fleet: Fleet
    store: Store
    now: float = float(NOW)
    echo: bool = True

    def __post_init__(self) -> None:
        self.peers = {id_: Peer(self.fleet, id_) for id_ in IDS}
        self.committer = Committer(self.store, self.fleet.id, clock=lambda: self.now, entropy=self._entropy)
        self.stamper = Timestamps(self.store, Topics(), self.fleet.signer("gateway"))
        self._drawn = 0

    def _entropy(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.sha256(f"entropy {self._drawn}".encode()).digest()[:size]

    def pass_(self, seconds: float) -> None:
        self.now += seconds

    def stamp(self) -> bytes | None:
        """Let a timestamp fall due, and return the head that it signs, where devices echo heads."""
        self.pass_(4 * HOUR)
        self.stamper.tend(self.now)
        with self.store.read() as session:
            stored = session.document("timestamp", PRODUCT)
        assert stored is not None
        return peek(stored.bytes, Timestamp).audit_head if self.echo else None

    def report(self, *said: tuple[str, dict[str, Any]]) -> None:
        """Commit reports of devices as one batch."""
        batch = []
        for device, fields in said:
            data = self.peers[device].sign(**fields)
            topic = Topics().device(device, "report")
            batch.append(Item(topic, device, data, self.now, lambda _: None))
        outcomes = self.committer.commit(batch)
        assert not [one for one in outcomes if hasattr(one, "reason")], outcomes

    def tell(self, device: str, revision: int, digest_: bytes, *states: NoticeState, **more: Any) -> Any:
        """Return what a device says once it has gone this way with a revision."""
        peer = self.peers[device]
        peer.committed = len(peer.journal)
        peer.journal += [
            replace(entry, digest=digest_) for entry in walked(ID, *states, first=len(peer.journal))
        ]
        return device, {"notices": (status(ID, digest_, states[-1], revision=revision),), **more}

    def approve(self, revision: int, digest_: bytes) -> None:
        """Record that those who sign did so."""
        for role in ("engineering", "legal", "communications"):
            signer = self.fleet.signer(role)
            holder = self.fleet.root.by_kid[signer.public.thumbprint].holder
            said = Given(
                revision=revision,
                digest=digest_.hex(),
                content="0" * 64,
                roles=(role,),
                comment="Read in full.",
                kid=signer.public.thumbprint.hex()[:16],
            )
            with self.store.write() as session:
                events.record(session, said, by=holder, now=self.now, advisory=ID)

    def publish(self, revision: int, patches: Any = ()) -> bytes:
        """Publish a revision as approved, and leave its files in the workspace."""
        body = header(
            self.fleet,
            id=ID,
            revision=revision,
            version=int(self.now),
            issued=int(self.now),
            patches={PRODUCT: tuple(d for _, d in patches)} if patches else None,
            release_list=hashlib.sha256(dump(LISTED)).digest(),
        )
        found = hashlib.sha256(dump(body)).digest()
        self.approve(revision, found)
        self.pass_(60)
        folder = releases.folder(self.workspace, ID, revision)
        files = {f"texts/{language}.cbor": data for language, data in texts().items()}
        files |= {f"outputs/{name}": data for name, data in {**OUTPUTS, **SHEETS}.items()}
        for name, data in {**files, **SOURCES, releases.LIST: dump(LISTED)}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        listing = catalogues(self.fleet, body, now=self.now, patches=patches)
        named = {**OUTPUTS, **SHEETS, **SOURCES}
        publish_advisory(self.store, self.fleet.seal(body), texts(), named, listing, now=self.now)
        return found

    def patch(self) -> tuple[int, bytes]:
        """Publish a patch."""
        image = mcuboot.pack(b"firmware" * 100, (1, 4, 2, 0), security_counter=1)
        (self.workspace.artefacts / hashlib.sha256(image).hexdigest()).write_bytes(image)
        vendor, class_ = suit.identifiers("example.com", PRODUCT)
        made = suit.build(7, vendor, class_, image, version=(1, 4, 2, 0), uri="https://example.com/fw")
        for role in ("release", "security"):
            made = suit.authenticate(made, self.fleet.signer(role))
        entry = (7, suit.manifest_digest(made))
        publish_patch(
            self.store,
            made,
            catalogues(self.fleet, patches=[entry], now=self.now),
            product=PRODUCT,
            artefacts=self.workspace.artefacts,
            now=self.now,
        )
        return entry

    def offer(self, entry: tuple[int, bytes], *ids: str) -> None:
        """Offer a patch, as a rollout does."""
        for id_ in ids:
            body = offer(self.fleet, id_, sequence=entry[0], digest=entry[1], issued=int(self.now))
            document = self.fleet.seal(body)
            with self.store.write() as session:
                session.add_document("offer", id_, Stored(body.version, digest(document), document), self.now)

    def next_root(self) -> None:
        """Publish root 2."""
        body = self.fleet.next_root(issued=int(self.now), expires=int(self.now) + 365 * DAY)
        document = seal(body, [key("root-1"), key("root-2")])
        publish_root(self.store, document, self.now)
        self.fleet = replace(self.fleet, root=peek(document, Root))

    def export(self, path: Path, **options: Any) -> Exported:
        return export(self.workspace, ID, path, now=self.now, by="auditor-1", **options)


def tell_a_fleet(folder: Path, *, echo: bool = True) -> Told:
    """Two revisions, two roots, two documents of records, a patch; four devices of which one never reports.

    Args:
        folder: for the workspace.
        echo: whether devices echo the heads that they are told.
    """
    workspace = Workspace.create(folder, exercise=False)
    fleet = make_fleet()
    store = Store.open(workspace.store_place)
    publish_root(store, fleet.root_document, NOW)
    first = [device_record(fleet, id_) for id_ in IDS[:2]]
    register_devices(store, fleet.seal(devices(fleet, *first)), NOW)
    told = Told(workspace, fleet, store, echo=echo)
    more = devices(fleet, *(device_record(fleet, id_) for id_ in IDS[2:]), version=NOW + 1)
    register_devices(store, fleet.seal(more), NOW + 1)
    _inventory(store)
    told.pass_(HOUR)
    told.report(*((id_, {}) for id_ in IDS[:3]))  # nothing is published yet: about something else
    one = told.publish(1)
    head = told.stamp()
    told.report(
        told.tell(IDS[0], 1, one, N.DELIVERED, N.VERIFIED, N.SHOWN, audit_head=head),
        told.tell(IDS[1], 1, one, N.DELIVERED, N.VERIFIED, audit_head=head, language="de"),
    )
    told.next_root()
    told.pass_(DAY)
    entry = told.patch()
    told.pass_(HOUR)
    two = told.publish(2, [entry])
    told.offer(entry, IDS[0], IDS[1])
    head = told.stamp()
    told.report(told.tell(IDS[0], 2, two, N.DELIVERED, N.VERIFIED, N.SHOWN, N.ACKNOWLEDGED, audit_head=head))
    mended = PatchStatus(
        digest=entry[1], sequence=7, state=PatchState.SUCCEEDED, time=NOW, reason=Reason.SUCCESS
    )
    told.report(
        told.tell(IDS[1], 2, two, N.DELIVERED, N.VERIFIED, N.SHOWN, audit_head=head),
        told.tell(IDS[2], 2, two, N.DELIVERED, N.REJECTED, audit_head=head),
    )
    told.pass_(HOUR)
    said = told.tell(IDS[0], 2, two, N.ACKNOWLEDGED, audit_head=told.stamp(), patches=(mended,))
    told.peers[IDS[0]].journal.pop()  # nothing new of the notice
    told.report(said)
    told.stamp()
    told.pass_(HOUR)
    return told


def _inventory(store: Store) -> None:
    with store.write() as session:
        session.connection.execute(
            schema.accounts.insert(),
            [
                {
                    "id": ACCOUNT,
                    "name": "Example",
                    "language": "en",
                    "contact": "{}",
                    "created": NOW,
                    "tag": "t",
                }
            ],
        )
        rows = [(IDS[0], ACCOUNT), (IDS[1], "another"), ("fielded-0001", ACCOUNT)]
        session.connection.execute(
            schema.inventory.insert(),
            [
                {"id": id_, "product": PRODUCT, "account": account, "source": "csv", "updated": NOW}
                for id_, account in rows
            ],
        )


Members = dict[str, bytes]


def members(data: bytes) -> Members:
    """Return a file's members."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(found: Mapping[str, bytes], *, index: bool = True) -> bytes:
    """Make a file of members; with ``index`` one that knows them, as whoever forges would."""
    stream = io.BytesIO()
    writer = form.Writer(stream)
    for name, data in found.items():
        if name != form.INDEX or not index:
            writer.add(name, data)
    if index:
        writer.index()
    writer.close()
    return stream.getvalue()


def items(data: bytes) -> list[bytes]:
    """Return the items of a sequence."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def sequence(found: list[bytes]) -> bytes:
    """Return items as a sequence."""
    return b"".join(map(form.framed, found))


def judged(data: bytes, fleet: Fleet) -> Verdict | str:
    """Verify a file; where nothing of it can be judged, return the code of the refusal."""
    try:
        return verify(io.BytesIO(data), digest(fleet.root_document))
    except TocsinError as error:
        return error.code


def changed(row: bytes, change: Callable[[Any], None]) -> bytes:
    """Return a row of the chain with other data, hashed as if it had always been so."""
    said = json.loads(row[32:])
    data = json.loads(said["data"])
    change(data)
    body = chain.row_bytes(said["index"], said["time"], said["kind"], chain.canonical(data))
    return row[:32] + body


def rehashed(rows: list[bytes]) -> list[bytes]:
    """Give every row the hash that follows from those before it, as whoever rewrites history would."""
    head, made = chain.GENESIS, []
    for row in rows:
        body = row[32:]
        head = chain.next_head(head, body if len(body) == 32 else hashlib.sha256(body).digest())
        made.append(head + body)
    return made


def renumbered(rows: list[bytes]) -> list[bytes]:
    """Give rows in full the numbers of their places, and all of them new hashes."""
    made = []
    for index, row in enumerate(rows, start=1):
        if len(row) > 64:
            said = json.loads(row[32:])
            body = chain.row_bytes(index, said["time"], said["kind"], said["data"])
            made.append(row[:32] + body)
        else:
            made.append(row)
    return rehashed(made)


def forged(found: Members, rows: list[bytes] | None = None) -> bytes:
    """Make a file of members with an index and a last row that know just these: the best that a forger can do."""
    rows = items(found[form.AUDIT]) if rows is None else rows
    known = [(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in found.items()]
    content = content_digest(known)
    if len(rows[-1]) > 64:
        last = changed(rows[-1], lambda data: data.update(content=content))
        rows = rehashed([*rows[:-1], last])
    return packed({**found, form.AUDIT: sequence(rows)})
