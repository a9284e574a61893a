"""A fleet in which each way of not being told has a device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from advisories.states import NoticeState, Surface
from gateway.service.committing import Committer, Item
from gateway.store import access, cells, schema
from gateway.store.access import Account, Contact
from gateway.store.publication import register_devices
from gateway.workspace.folder import Workspace
from tests.gateway.peer import Peer, status
from tests.gateway.scene import header, make_store, publish
from tests.helpers import PRODUCT, device_record, devices, make_fleet

N = NoticeState
ID = "EX-2026-0001"
LEAD = 100
"""Seconds from the beginning to the publication."""
REGISTERED = ("never", "gone", "told", "led", "refused", "waits", "fine", "revoked")
INVENTORY = {"never": "north", "gone": "south", "out": "north", "out-fine": "north", "out-unknown": None}
VERSIONS = {"out": "1.4.1", "out-fine": "2.0.0"}


def make_scene(folder: Path, now: int, names: Mapping[str, str] | None = None) -> Workspace:
    """Publish at ``now + LEAD``; ``names`` gives devices other ids than what became of them."""
    made = Workspace.create(folder / "fleet", exercise=True)
    made.store_path.unlink()
    fleet = make_fleet(now=now, exercise=True)
    id_of = {name: (names or {}).get(name, name) for name in (*REGISTERED, *INVENTORY)}
    records = tuple(device_record(fleet, id_of[name]) for name in REGISTERED)
    store, _ = make_store(made.path, fleet, records)
    peers = {name: Peer(fleet, id_of[name]) for name in REGISTERED}

    def send(at: float, **reports: bytes) -> None:
        items = [Item("t", id_of[name], data, at, lambda _: None) for name, data in reports.items()]
        Committer(store, fleet.id, clock=lambda: at).commit(items)

    published = now + LEAD
    send(now + 50.0, gone=peers["gone"].sign())
    done = publish(store, fleet, header(fleet), now=published)
    lit = status(ID, done.digest, N.SHOWN, surface=Surface.LED)
    send(
        published + 60.0,
        told=peers["told"].sign(notices=(status(ID, done.digest, N.SHOWN),)),
        led=peers["led"].sign(notices=(lit,)),
        refused=peers["refused"].sign(notices=(status(ID, done.digest, N.REJECTED),)),
        waits=peers["waits"].sign(notices=(status(ID, done.digest, N.DELIVERED),)),
        fine=peers["fine"].sign(installed=(2, 0, 0, 0)),
    )
    gone = devices(fleet, device_record(fleet, id_of["revoked"], revoked=True), issued=now + 9)
    register_devices(store, fleet.seal(gone), now + 9)
    with store.write() as session:
        contact = Contact("Facility office", "office@example.com", "+49 30 0000000", "")
        access.put_account(session, Account("north", "=North", "de", contact, float(now), None))
        with cells.counted(session, [id_of[name] for name in INVENTORY]):
            for name, account in INVENTORY.items():
                session.connection.execute(
                    schema.inventory.insert().values(
                        id=id_of[name],
                        product=PRODUCT,
                        account=account,
                        version=VERSIONS.get(name),
                        source="csv",
                        external=f"Shelf {name}",
                        updated=1.0,
                    )
                )
    store.close()
    return made
