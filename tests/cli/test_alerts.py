"""``tocsin alerts``: what is to be seen to, told once, and the test mail."""

from __future__ import annotations

import time

import pytest

from gateway.store import workers
from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin


def in_trouble(workspace: Workspace) -> None:
    now = time.time()
    with workspace.store() as store, store.write() as session:
        workers.keep(session, "w1", started=now, now=now, leads=True, counts={}, degraded=["STORE_FULL"])


def test_what_is_to_be_seen_to_is_told_once(tocsin: Tocsin, workspace: Workspace) -> None:
    place = ("-w", workspace.path)
    nothing = tocsin("alerts", "check", *place)
    assert (nothing.status, nothing.out.splitlines()[0]) == (0, "There is nothing to see to.")
    in_trouble(workspace)
    seen = []
    for words in ((), ("--send",), ("--send",), ()):
        ran = tocsin("alerts", "check", *words, *place)
        assert ran.status == 1
        line, mail = ran.out.splitlines()
        assert line.startswith(
            "gateway: The gateway is not well (STORE_FULL). See 'tocsin status' and the log"
        )
        assert mail.startswith("No alert is mailed")
        seen.append(line.rpartition("(")[2])
    assert seen == ["not told yet)", "told now)", "told before)", "told before)"]
    found = tocsin("alerts", "check", "--json", *place).json
    assert (found["told"], found["sent"], found["mail"]) == ([], False, False)
    assert [alert["kind"] for alert in found["alerts"]] == ["gateway"]


def test_no_test_without_a_mail_server(tocsin: Tocsin, workspace: Workspace) -> None:
    ran = tocsin("alerts", "test", "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "MAIL_NONE")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('mail_to = ["Anna <anna@example.com>"]', "is not a plain mail address"),
        ('mail_from = "a@b\\r\\nBcc: c@d"', "control characters"),
        ('mail_tls = "sometimes"', "is not one of starttls, tls, none"),
        ("mail_port = 0", "expected an integer"),
        ('log_format = "xml"', "is not one of text, json"),
    ],
)
def test_settings_are_read_strictly(tocsin: Tocsin, workspace: Workspace, line: str, says: str) -> None:
    with (workspace.path / "tocsin.toml").open("a") as file:
        file.write(line + "\n")
    ran = tocsin("alerts", "check", "-w", workspace.path)
    assert ran.status == 2
    assert says in ran.err


def test_mail_that_nobody_takes_is_said(tocsin: Tocsin, workspace: Workspace) -> None:
    with (workspace.path / "tocsin.toml").open("a") as file:
        file.write('mail_host = "127.0.0.1"\nmail_port = 1\nmail_tls = "none"\n')
        file.write('mail_from = "tocsin@example.com"\nmail_to = ["security@example.com"]\n')
    ran = tocsin("alerts", "test", "-w", workspace.path)
    assert ran.status == 1
    assert ran.out == "security@example.com: the mail server cannot be used (ConnectionRefusedError).\n"
