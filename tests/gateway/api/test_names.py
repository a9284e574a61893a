"""Whose name stands as ``by`` in what is recorded: over the API nobody takes that of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.operations import accounts
from gateway.store.rolling import SCHEDULER
from gateway.web.api.binding import PREFIX
from tests.gateway.api.house import asking
from tests.gateway.databases import ENGINES

TOKENS = f"{PREFIX}/tokens"


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_name_that_somebody_acted_under_is_not_given_to_another(tmp_path: Path, engine: str) -> None:
    async with asking(tmp_path, engine=engine) as (built, client):
        now = int(built.clock())
        accounts.add(built.served, "north", name="North", now=now, by='Anna "A" Maker_1 é')
        taken = (
            *("security", "revoked", "expired", "ours"),  # names of tokens, whether they count or not
            *("SECURITY", "Security"),
            *("exercise", 'Anna "A" Maker_1 é', SCHEDULER),
        )
        for name in taken:
            found = await client.post(TOKENS, json={"name": name, "roles": ["viewer"]})
            assert (found.status_code, found.json()["code"]) == (409, "NAME_TAKEN"), name
        for name in ("operator", "Anna", 'Anna "A" Maker%1 é', "secur", "%", "by"):  # his own, or nobody's
            found = await client.post(TOKENS, json={"name": name, "roles": ["viewer"]})
            assert found.status_code == 201, found.text
        again = await client.post(TOKENS, json={"name": "Anna", "roles": ["viewer"]})
        assert again.json()["code"] == "NAME_TAKEN"
        here = built.new_token("security", ("viewer",))  # whoever is on the machine may renew anybody's
        assert built.made["security"].id == here
