"""``tocsin webhook``: what it prints, what it refuses, and that a secret is printed where it was asked for only."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin, snapshot
from tests.gateway.signals.receiver import receiving, verified

URL = "https://hooks.example.com/tocsin"


def add(tocsin: Tocsin, workspace: Workspace, *more: str) -> dict[str, str]:
    ran = tocsin("webhook", "add", URL, "--on", "rollout.", "-w", workspace.path, "--json", *more)
    assert ran.status == 0, ran.out
    made: dict[str, str] = {**ran.json["webhook"], "secret": ran.json["secret"]}
    return made


def test_from_adding_to_removing(tocsin: Tocsin, workspace: Workspace) -> None:
    made = add(tocsin, workspace, "--by", "anna")
    name, place = made["id"], ("-w", workspace.path)
    assert made["secret"].startswith("whsec_")
    listed = tocsin("webhook", "list", *place)
    assert name in listed.out
    assert URL in listed.out
    shown = tocsin("webhook", "show", name, *place)
    assert "added by anna" in shown.out
    assert "state: on" in shown.out
    again = tocsin("webhook", "secret", name, *place)
    assert made["secret"] in again.out
    rotated = tocsin("webhook", "secret", name, "--rotate", "--json", *place).json["secret"]
    assert rotated != made["secret"]
    assert tocsin("webhook", "secret", name, "--json", *place).json["secret"] == rotated
    assert (
        tocsin("webhook", "retry", name, *place).out
        == f"Webhook {name} is on; 0 deliveries will be sent now.\n"
    )
    assert tocsin("webhook", "deliveries", name, "--json", *place).json == {"deliveries": [], "next": ""}
    secrets = (made["secret"], rotated)
    for words in (("list",), ("show", name), ("deliveries", name)):
        assert not any(secret in tocsin("webhook", *words, *place).out for secret in secrets)
    assert tocsin("webhook", "remove", name, *place).out == f"Removed webhook {name}.\n"
    gone = tocsin("webhook", "show", name, *place, "--json")
    assert (gone.status, gone.json["error"]["code"]) == (2, "WEBHOOK_UNKNOWN")
    rows = tocsin("audit", "list", "--kind", "webhook.", "--json", *place)
    assert "webhook.rotated" in rows.out
    assert "whsec" not in rows.out
    assert "/tocsin" not in rows.out


def test_a_dry_run_changes_nothing(tocsin: Tocsin, workspace: Workspace) -> None:
    before = snapshot(workspace.path)
    ran = tocsin("webhook", "add", URL, "--on", "rollout.", "-w", workspace.path, "--dry-run")
    assert ran.out == f"Would add a webhook for {URL}.\n"
    assert snapshot(workspace.path) == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "http://hooks.example.com/", "--on", "rollout."), "WEBHOOK_URL"),
        (("add", "https://10.0.0.1/", "--on", "rollout."), "WEBHOOK_URL"),
        (("add", "https://me:secret@hooks.example.com/", "--on", "rollout."), "WEBHOOK_URL"),
        (("add", URL, "--on", "Everything"), "WEBHOOK_KINDS"),
        (("add", URL, "--on", "rollout.", "--account", "nobody"), "WEBHOOK_KINDS"),
        (("add", URL, "--on", "advisory.", "--account", "nobody"), "ACCOUNT_UNKNOWN"),
        (("add", URL), "USAGE"),
        (("show", "wh_none"), "WEBHOOK_UNKNOWN"),
        (("secret", "wh_none"), "WEBHOOK_UNKNOWN"),
        (("retry", "wh_none"), "WEBHOOK_UNKNOWN"),
        (("remove", "wh_none"), "WEBHOOK_UNKNOWN"),
        (("test", "wh_none"), "WEBHOOK_UNKNOWN"),
        (("deliveries", "wh_none", "--after", "x"), "BAD_VALUE"),
        (("deliveries", "wh_none"), "WEBHOOK_UNKNOWN"),
    ],
)
def test_what_is_refused(tocsin: Tocsin, workspace: Workspace, arguments: tuple[str, ...], code: str) -> None:
    before = snapshot(workspace.path)
    ran = tocsin("webhook", *arguments, "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert "me:secret" not in ran.out
    assert snapshot(workspace.path) == before


def test_a_retry_of_no_delivery(tocsin: Tocsin, workspace: Workspace) -> None:
    made = add(tocsin, workspace)
    ran = tocsin("webhook", "retry", made["id"], "--delivery", "x", "-w", workspace.path, "--json")
    assert ran.json["error"]["code"] == "DELIVERY_UNKNOWN"


async def test_a_test_reaches_its_receiver(tocsin: Tocsin, workspace: Workspace) -> None:
    with (workspace.path / "tocsin.toml").open("a") as file:
        file.write('webhook_networks = ["127.0.0.0/8"]\n')
    async with receiving() as receiver:
        place = ("-w", workspace.path)
        made = tocsin("webhook", "add", receiver.url, "--on", "rollout.", "--json", *place).json
        ran = await asyncio.to_thread(tocsin, "webhook", "test", made["webhook"]["id"], *place)
        assert (ran.status, ran.out) == (0, "Its receiver took it: HTTP 204.\n")
        headers, body = receiver.came[0]
        assert verified(made["secret"], headers, body)
        assert json.loads(body)["data"] == {"webhook": made["webhook"]["id"]}
        receiver.always = 418
        ran = await asyncio.to_thread(tocsin, "webhook", "test", made["webhook"]["id"], *place)
        assert (ran.status, ran.out) == (1, "Its receiver did not take it: refused with HTTP 418.\n")


def test_a_mistyped_network_is_named_with_its_line(tocsin: Tocsin, workspace: Workspace) -> None:
    with (workspace.path / "tocsin.toml").open("a") as file:
        file.write('webhook_networks = ["10.0.0.0/8", "everything"]\n')
    ran = tocsin("webhook", "list", "-w", workspace.path)
    assert ran.status == 2
    assert "tocsin.toml:" in ran.err
    assert "'everything' is not a network such as 10.1.0.0/16" in ran.err
