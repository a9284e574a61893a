"""Every operation, asked for with every kind of token: it is done exactly where the table of rights says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.core.rate import Rates
from gateway.core.rights import RESOURCES, ROLES, VERBS, Caller, check, rights_of
from gateway.operations.afar import ACCOUNT, Operation
from gateway.web.api.binding import PREFIX, bind
from gateway.web.api.routes import operations
from keys.errors import InputError
from tests.gateway.api.house import DEVICES, OURS, THEIRS, House, house
from tests.helpers import PRODUCT

ALL = sorted(operations().values(), key=lambda row: row.name)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("rights")) as made:
        yield made


async def ask(built: House, token: str | None, row: Operation) -> tuple[int, str]:
    """Ask for an operation without an argument: refused at the door, or for what it lacks, and never done."""
    path = PREFIX + row.path
    for argument in bind(row).arguments:
        path = path.replace("{" + argument.name + "}", "none")
    async with built.client(token) as client:
        found = await client.request(row.method, path, headers={"Content-Length": "0"})
    kind = found.headers["content-type"]
    return found.status_code, found.json()["code"] if kind == "application/problem+json" else ""


def test_every_operation_asks_for_a_right_that_somebody_has() -> None:
    assert len(ALL) >= 10
    for row in ALL:
        resource, verb = row.right.split(":")
        assert resource in RESOURCES, row.name
        assert verb in VERBS, row.name
        assert [role for role in ROLES if row.right in rights_of([role])], row.name
        assert (verb == "read") or row.changes, row.name


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
async def test_an_operation_refuses_each_role_that_lacks_its_right_and_no_other(
    built: House, row: Operation
) -> None:
    for role in ROLES:
        status, code = await ask(built, role, row)
        assert (status == 403) == (row.right not in rights_of([role])), (role, status, code)
        if status == 403:
            assert code == "FORBIDDEN"
    for token in (None, "unknown", "revoked", "expired"):
        assert await ask(built, token, row) == (401, "UNAUTHENTICATED"), token
    status, code = await ask(built, "narrow", row)
    assert (code == "FORBIDDEN") == (row.right != "status:read")


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
async def test_a_token_of_one_account_reaches_nothing_of_another(built: House, row: Operation) -> None:
    if row.right not in rights_of(["operator"]):
        return
    status, code = await ask(built, "ours", row)
    if not bind(row).has(ACCOUNT) and code != "BAD_VALUE":
        assert (status, code) == (403, "OTHER_ACCOUNT")
    elif "{account}" in row.path:
        assert (status, code) == (403, "OTHER_ACCOUNT")  # "none" is not its own


async def test_the_door_says_who_came_in(built: House) -> None:
    async with built.client("ours") as client:
        who = (await client.get(PREFIX)).json()
    assert (who["name"], who["roles"], who["account"]) == ("ours", ["operator"], "exercise-gmbh")
    assert set(who["rights"]) == rights_of(["operator"])
    async with built.client("viewer") as client:
        links = (await client.get(PREFIX)).json()["links"]
        for name, path in links.items():
            found = await client.get(path)
            assert found.status_code == 200 or found.json()["code"].startswith("NO_"), (name, found.text)
    assert "audit.rows" not in links


async def test_headers_that_try_tricks_open_no_door(built: House) -> None:
    good = built.tokens["operator"]
    tries = [
        [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")],
        [("Authorization", f"Bearer {built.tokens['viewer']}"), ("Authorization", f"Bearer {good}")],
        [("Authorization", f"Basic {good}")],
        [("Authorization", good)],
        [("Authorization", f"Bearer {good} ,Bearer {good}")],
        [("Authorization", "Bearer " + "x" * 10_000)],
        [("Authorization", "Bearer \xff\xfe")],
        [("X-Forwarded-Authorization", f"Bearer {good}"), ("Cookie", f"token={good}")],
    ]
    async with built.client(None) as client:
        for headers in tries:
            raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
            assert (await client.get(PREFIX, headers=raw)).status_code == 401, headers
        assert (await client.get(f"{PREFIX}?token={good}")).status_code == 401
        found = await client.get(PREFIX, headers={"Authorization": f"bearer  {good}"})
        assert found.status_code == 200
        assert (await client.get(PREFIX)).headers["www-authenticate"].startswith("Bearer")


async def test_an_address_that_keeps_failing_is_told_to_wait_and_a_good_token_from_there_is_not(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with house(tmp_path_factory.mktemp("rate"), failures=Rates(3, 1.0)) as made:
        async with made.client("unknown") as client:
            seen = [(await client.get(PREFIX)).status_code for _ in range(5)]
            assert seen == [401, 401, 401, 429, 429]
            assert (await client.get(PREFIX)).headers["retry-after"]
        async with made.client("viewer") as client:
            assert (await client.get(PREFIX)).status_code == 200
        made.clock.now += 1
        async with made.client("unknown") as client:
            assert (await client.get(PREFIX)).status_code == 401


@pytest.mark.parametrize("role", ROLES)
def test_scopes_only_ever_take_away(role: str) -> None:
    held = rights_of([role])
    assert held
    for scope in ("*:*", "*:read", "rollout:*", "token:manage"):
        assert rights_of([role], [scope]) <= held
    assert rights_of([role], ["*:*"]) == held
    assert rights_of([role], ["nothing:read"]) == frozenset()


def test_roles_and_scopes_that_are_none_are_refused() -> None:
    assert check(["viewer", "viewer"], ["*:read"]) == (("viewer",), ("*:read",))
    for roles, scopes, code in (
        ([], [], "BAD_ROLE"),
        (["king"], [], "BAD_ROLE"),
        (["viewer"], ["audit:read"], "BAD_SCOPE"),
        (["viewer"], ["status"], "BAD_SCOPE"),
        (["operator"], [f"{name}:read" for name in RESOURCES] * 5, None),
        (["operator"], ["*:read", *(f"status:read{number}" for number in range(64))], "BAD_SCOPE"),
    ):
        if code is None:
            assert len(check(roles, scopes)[1]) == len(RESOURCES)
            continue
        with pytest.raises(InputError) as caught:
            check(roles, scopes)
        assert caught.value.code == code


def test_nobody_gives_what_he_does_not_have() -> None:
    mine = Caller("id", "name", ("viewer",), rights_of(["viewer"]), account="ours")
    assert mine.may_give(rights_of(["viewer"], ["status:read"]), "ours")
    assert not mine.may_give(rights_of(["viewer"]), None)
    assert not mine.may_give(rights_of(["viewer"]), "theirs")
    assert not mine.may_give(rights_of(["operator"]), "ours")


def test_release_and_operator_share_no_approval_of_a_rollout() -> None:
    """Whoever starts a rollout is not who approves it, unless a token has both roles."""
    both = [role for role in ROLES if {"rollout:run", "rollout:approve"} <= rights_of([role])]
    assert both == []


async def test_a_token_of_one_account_takes_no_device_of_another(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own, others = DEVICES[0], DEVICES[2:]
    with house(tmp_path_factory.mktemp("facts")) as made:
        async with made.client("ours") as client:
            for device in others:  # another's, and nobody's
                for body in ({"region": "DE"}, {"account": OURS}, {"labels": {"a": "b"}}):
                    found = await client.put(f"{PREFIX}/devices/{device}/facts", json=body)
                    assert (found.status_code, found.json()["code"]) == (404, "NO_DEVICE"), (device, body)
            found = await client.put(f"{PREFIX}/devices/{own}/facts", json={"region": "DE"})
            assert (found.status_code, found.json()["account"]) == (200, OURS)
            found = await client.put(f"{PREFIX}/devices/{own}/facts", json={"account": THEIRS})
            assert found.json()["code"] == "OTHER_ACCOUNT"
            listed = (await client.get(f"{PREFIX}/devices")).json()["items"]
            assert [item["id"] for item in listed] == list(DEVICES[:2])


async def test_a_token_of_one_account_brings_no_list(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Rows name devices and owners as they like: a list is for whoever has the whole fleet."""
    with house(tmp_path_factory.mktemp("list")) as made:
        rows = f"id,product,account\n{DEVICES[2]},{PRODUCT},{OURS}\n{DEVICES[0]},{PRODUCT},{THEIRS}\n"
        how = {"content": rows.encode(), "headers": {"Content-Type": "application/octet-stream"}}
        async with made.client("ours") as client:
            for query in ("", "?rehearse=true", f"?account={OURS}"):
                found = await client.post(f"{PREFIX}/inventory{query}", **how)  # type: ignore[arg-type]
                assert (found.status_code, found.json()["code"]) == (403, "FORBIDDEN"), query
        async with made.client("theirs") as client:
            listed = (await client.get(f"{PREFIX}/devices")).json()["items"]
            assert [item["id"] for item in listed] == [DEVICES[2]]
        async with made.client("operator") as client:
            assert (await client.post(f"{PREFIX}/inventory", **how)).status_code == 200  # type: ignore[arg-type]
