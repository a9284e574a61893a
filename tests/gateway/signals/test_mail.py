"""Mail through a real server: with and without TLS, refused, hung up on, and settings that cannot work."""

from __future__ import annotations

import asyncio
import contextlib
import email
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from gateway.core import alerts
from gateway.core.alerts import Alert, AlertKind
from gateway.service import mail
from gateway.service.deliveries import Deliveries
from gateway.service.posting import Answer, Poster, trust
from gateway.store import deliveries as outbox
from gateway.store.deliveries import Delivery, Message
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from tests.gateway.https import HOST, make_pki
from tests.gateway.signals.receiver import workspace_in

NOW = 1_700_000_000.0
TO = "security@example.com"
ALERT = Alert(
    AlertKind.GATE, "r-1", "paused", "Rollout r-1 paused by itself: 3 of 10 failed – Gerät.", "Look."
)


class Box:
    """What the server took; ``refuse`` is what it says instead."""

    def __init__(self) -> None:
        self.came: list[Envelope] = []
        self.refuse: list[str] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.refuse:
            return self.refuse.pop(0)
        self.came.append(envelope)
        return "250 taken"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return f"550 no mailbox {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def _authenticate(
    _server: object, _session: object, _envelope: object, _how: str, data: object
) -> AuthResult:
    assert isinstance(data, LoginPassword)
    good = (data.login, data.password) == (b"tocsin", b"open sesame")
    return AuthResult(success=good, handled=False)


@dataclass
class Server:
    """A mail server in the loop of the test."""

    port: int
    listening: asyncio.Server

    async def send(self, sender: mail.Mailer, one: Delivery) -> Answer:
        """Send in a thread, as the gateway does."""
        return await asyncio.to_thread(sender.send, one)


@contextlib.asynccontextmanager
async def serving(
    box: Box, *, ssl_context: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[Server]:
    listening = await asyncio.get_running_loop().create_server(
        lambda: SMTP(box, hostname="mail.example.com", **options), HOST, 0, ssl=ssl_context
    )
    async with listening:
        yield Server(listening.sockets[0].getsockname()[1], listening)


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    return make_pki(tmp_path).context()


@pytest.fixture
async def server(box: Box, tls: ssl.SSLContext) -> AsyncIterator[Server]:
    """A server that wants STARTTLS and a log-in."""
    options = {"require_starttls": True, "auth_required": True, "authenticator": _authenticate}
    async with serving(box, tls_context=tls, **options) as made:
        yield made


def sending(folder: Path, server: Server, **settings: object) -> Workspace:
    given = {
        "mail_host": HOST,
        "mail_port": server.port,
        "mail_from": "tocsin@example.com",
        "mail_to": (TO,),
        "mail_ca": str(folder / "ca.pem"),
        "mail_user": "tocsin",
        "mail_password_file": str(folder / "password"),
    }
    (folder / "password").write_text("open sesame\n")
    (folder / "password").chmod(0o600)
    return workspace_in(folder, **{**given, **settings})


def a_mail(target: str = TO) -> Delivery:
    body = mail.body(alerts.subject(ALERT, exercise=True), alerts.text(ALERT, exercise=True))
    return Delivery(*(1, "mail", target, "alert.gate", "alert-7", body, NOW, NOW, NOW, 0, None, None, None))


def sender(workspace: Workspace) -> mail.Mailer:
    found = mail.mailer(workspace, seconds=5.0)
    assert found is not None
    return found


async def test_over_starttls_with_a_login(tmp_path: Path, server: Server, box: Box) -> None:
    answer = await server.send(sender(sending(tmp_path, server)), a_mail())
    assert (answer.ok, answer.says) == (True, "taken by the mail server")
    (came,) = box.came
    assert (came.mail_from, came.rcpt_tos) == ("tocsin@example.com", [TO])
    assert isinstance(came.content, bytes)
    read = email.message_from_bytes(came.content, policy=default)
    words = "[EXERCISE] Tocsin: Rollout r-1 paused by itself: 3 of 10 failed – Gerät."
    assert "".join(read["subject"].split()) == "".join(words.split())  # Python 3.11 folds at other blanks
    assert read["message-id"] == "<alert-7@example.com>"
    assert read["auto-submitted"] == "auto-generated"
    assert "What to do: Look." in read.get_content()


async def test_the_password_of_the_environment_wins(
    tmp_path: Path, server: Server, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_MAIL_PASSWORD", "wrong")
    wrong = sender(sending(tmp_path, server))
    assert (await server.send(wrong, a_mail())).says == "the mail server refuses (SMTP 535)"
    assert "wrong" not in repr(wrong)
    assert box.came == []


async def test_over_tls_from_the_first_byte(tmp_path: Path, box: Box, tls: ssl.SSLContext) -> None:
    async with serving(box, ssl_context=tls) as made:
        one = sender(sending(tmp_path, made, mail_tls="tls", mail_user=None))
        assert (await made.send(one, a_mail())).ok
        stranger = await made.send(replace(one, context=ssl.create_default_context()), a_mail())
        assert stranger.says == "the mail server cannot be used (SSLCertVerificationError)"
    assert len(box.came) == 1


@pytest.mark.usefixtures("tls")
async def test_a_server_without_tls_gets_neither_mail_nor_password(tmp_path: Path, box: Box) -> None:
    async with serving(box) as made:
        workspace = sending(tmp_path, made)
        refused = await made.send(sender(workspace), a_mail())
        assert refused.says == "the mail server cannot be used (SMTPNotSupportedError)"
        plain = Workspace(workspace.path, replace(workspace.settings, mail_tls="none", mail_user=None))
        assert (await made.send(sender(plain), a_mail())).ok
    assert len(box.came) == 1


async def test_refusals_name_a_code_and_no_address(tmp_path: Path, server: Server, box: Box) -> None:
    one = sender(sending(tmp_path, server))
    nobody = await server.send(one, a_mail("nobody@example.com"))
    assert nobody.says == "the mail server refuses the address (SMTP 550)"
    box.refuse = ["452 no room for you"]
    assert (await server.send(one, a_mail())).says == "the mail server refuses (SMTP 452)"
    server.listening.close()
    gone = await server.send(one, a_mail())
    assert gone.says == "the mail server cannot be used (ConnectionRefusedError)"


async def test_a_mail_is_sent_until_the_server_takes_it(tmp_path: Path, server: Server, box: Box) -> None:
    workspace = sending(tmp_path, server)
    clock = [NOW]
    with workspace.store() as store:
        poster = Poster(trust(workspace, None))
        chore = Deliveries(
            workspace, store, poster, sender(workspace), clock=lambda: clock[0], share=lambda: 0.5
        )
        with store.write() as session:
            for number in range(3):
                body = mail.body(f"Subject {number}", "Text")
                outbox.queue(session, Message("mail", TO, "alert.gate", f"alert-{number}", body), NOW)
        box.refuse = ["451 later"] * 2
        await chore.round()
        assert len(box.came) == 1
        clock[0] += 5
        await chore.round()
        await chore.round()
        poster.close()
    names = sorted(email.message_from_bytes(each.content)["message-id"] for each in box.came)  # type: ignore[arg-type]
    assert names == [f"<alert-{number}@example.com>" for number in range(3)]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"mail_from": None}, "mail_from is missing"),
        ({"mail_to": ()}, "mail_to names nobody"),
        ({"mail_tls": "none", "mail_host": "mail.example.com"}, "goes to loopback only"),
        ({"mail_password_file": None}, "there is no password"),
        ({"mail_ca": "nothing.pem"}, "no PEM file of a CA"),
        ({"mail_password_file": "gone"}, "cannot be read"),
    ],
)
async def test_settings_that_cannot_work(
    tmp_path: Path, server: Server, settings: dict[str, object], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        mail.mailer(sending(tmp_path, server, **settings))


async def test_without_a_mail_server_there_is_no_mail(tmp_path: Path) -> None:
    assert mail.mailer(workspace_in(tmp_path)) is None


@pytest.mark.parametrize(("mode", "text"), [(0o644, b"x"), (0o600, b""), (0o600, b"a\nb"), (0o600, b"\xff")])
async def test_a_password_file_that_others_read_or_that_is_none(
    tmp_path: Path, server: Server, mode: int, text: bytes
) -> None:
    workspace = sending(tmp_path, server)
    (tmp_path / "password").write_bytes(text)
    (tmp_path / "password").chmod(mode)
    with pytest.raises(InputError, match="password file"):
        mail.mailer(workspace)
