"""A workspace that is served: documents, devices, accounts, and a token for every role; no socket is open."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import sqlalchemy as sa
from fastapi import FastAPI

from gateway.core.rate import Rates
from gateway.core.rights import ROLES
from gateway.operations import accounts, products, tokens
from gateway.store import schema
from gateway.store.access import Token
from gateway.store.engine import Store
from gateway.web.api.access import Access
from gateway.web.api.routes import add_api
from gateway.web.api.served import Served
from gateway.web.app import new_app
from gateway.workspace.entries import Product
from gateway.workspace.folder import Workspace
from tests.gateway.scene import header, make_store, publish
from tests.helpers import PRODUCT, device_record, make_fleet

OURS, THEIRS = "exercise-gmbh", "exercise-ltd"
DEVICES = tuple(f"device-{number:04}" for number in range(5))


@dataclass
class Clock:
    """UTC seconds that stand still until somebody sets them."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    """What a test asks, and what it looks at."""

    app: FastAPI
    served: Served
    clock: Clock
    tokens: dict[str, str] = field(default_factory=dict)
    """Role, or what is wrong with it -> token."""
    made: dict[str, Token] = field(default_factory=dict)

    def client(self, token: str | None = "operator", **how: object) -> httpx.AsyncClient:
        """A client with the token of that name, or with none."""
        headers = {} if token is None else {"Authorization": f"Bearer {self.tokens[token]}"}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://gateway.example.com", headers=headers)

    def new_token(self, name: str, roles: tuple[str, ...], **how: object) -> str:
        """Make a token under this name and return its id."""
        found = tokens.new(self.served, name, roles=roles, now=int(self.clock()), by="exercise", **how)  # type: ignore[arg-type]
        self.tokens[name], self.made[name] = found.token, found.made
        return found.made.id


@contextlib.contextmanager
def house(folder: Path, *, engine: str = "sqlite", failures: Rates | None = None) -> Iterator[House]:
    """A house with everything in it."""
    now = int(time.time())
    workspace = Workspace.create(folder / "fleet", exercise=True)
    products.add(
        workspace, Product(PRODUCT, "Thermostat", ("en", "de"), "console", "example.com", 65_536, "ask")
    )
    fleet = make_fleet(now=now - 100)
    records = tuple(device_record(fleet, name) for name in DEVICES)
    store, _ = make_store(folder, fleet, records, engine=engine)
    publish(store, fleet, header(fleet), now=now - 50)
    (workspace.path / "roots" / "1.cose").write_bytes(fleet.root_document)
    # No site is built here: what was published lies in the store, and not in the folder beside it.
    (workspace.path / "organisation.yaml").write_text("site: http://gateway.example.com\n")
    clock = Clock(float(now))
    served = Served(workspace.path, workspace.settings, store)
    app = new_app()
    door = Access(store, clock=clock, failures=failures or Rates(1e9, 1e9))
    add_api(app, served, door)
    built = House(app, served, clock)
    try:
        _furnish(built, store)
        yield built
    finally:
        store.close()


def _furnish(built: House, store: Store) -> None:
    now = int(built.clock())
    for name in (OURS, THEIRS):
        accounts.add(built.served, name, name=name.title(), now=now, by="exercise")
    with store.write() as session:
        for device, account in zip(DEVICES, (OURS, OURS, THEIRS), strict=False):
            session.connection.execute(
                schema.inventory.insert().values(
                    id=device, product=PRODUCT, account=account, source="operator", updated=float(now)
                )
            )
    for role in ROLES:
        built.new_token(role, (role,))
    built.new_token("ours", ("operator",), account=OURS)
    built.new_token("theirs", ("operator",), account=THEIRS)
    built.new_token("narrow", ("operator",), scopes=("status:read",))
    tokens.revoke(built.served, built.new_token("revoked", ("operator",)), now=now, by="exercise")
    built.clock.now -= 2 * tokens.DAY
    built.new_token("expired", ("operator",), days=1)
    built.clock.now += 2 * tokens.DAY
    built.tokens["unknown"] = "tocsin_" + "x" * 43


@contextlib.asynccontextmanager
async def asking(
    folder: Path, token: str | None = "operator", *, engine: str = "sqlite"
) -> AsyncIterator[tuple[House, httpx.AsyncClient]]:
    """A house, and somebody who asks there."""
    with house(folder, engine=engine) as built:
        async with built.client(token) as client:
            yield built, client


def count(built: House, table: sa.Table) -> int:
    """Return how many rows a table of a house has."""
    with built.served.opened.read() as session:
        return int(session.connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() or 0)
