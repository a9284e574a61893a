"""Mail to people: one message to one address, by the server that ``tocsin.toml`` names."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Final

from gateway import files
from gateway.core.chain import canonical
from gateway.service.posting import Answer, trust
from gateway.store.deliveries import Delivery
from gateway.workspace.folder import Workspace
from keys.errors import InputError

SECONDS: Final = 15.0  # that the server may take for each step
PASSWORD: Final = "TOCSIN_MAIL_PASSWORD"  # noqa: S105 - the name of a variable of the environment
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_PASSWORD_BYTES_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class Mailer:
    """How mail leaves."""

    host: str
    port: int
    tls: str
    """One of starttls, tls, none."""
    sender: str
    to: tuple[str, ...]
    context: ssl.SSLContext
    user: str | None = None
    password: str = field(default="", repr=False)
    seconds: float = SECONDS

    def send(self, one: Delivery) -> Answer:
        """Send one message, and wait for the server's word; whatever happens comes back as an answer."""
        try:
            server = self._connected()
            try:
                server.send_message(self._message(one), self.sender, [one.target])
            finally:
                with contextlib.suppress(smtplib.SMTPException, OSError):
                    server.quit()  # however it takes our leave: what was taken is not sent again
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            return Answer(False, f"the mail server refuses the address (SMTP {code})")
        except smtplib.SMTPResponseException as error:
            return Answer(False, f"the mail server refuses (SMTP {error.smtp_code})")
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return Answer(False, f"the mail server cannot be used ({type(error).__name__})")
        return Answer(True, "taken by the mail server")

    def _connected(self) -> smtplib.SMTP:
        if self.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.seconds, context=self.context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.seconds)
        try:
            if self.tls == "starttls":
                server.starttls(context=self.context)
            if self.user is not None:
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, one: Delivery) -> EmailMessage:
        said = json.loads(one.body)
        made = EmailMessage()
        made["From"], made["To"], made["Subject"] = self.sender, one.target, said["subject"]
        made["Date"] = formatdate(one.created)
        made["Message-ID"] = f"<{one.once}@{self.sender.rpartition('@')[2]}>"  # the same in every attempt
        made["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office replies stay away
        made.set_content(said["text"])
        return made


def body(subject: str, text: str) -> str:
    """Return how a mail stands in the store."""
    return canonical({"subject": subject, "text": text})


def mailer(workspace: Workspace, *, seconds: float = SECONDS) -> Mailer | None:
    """Return how mail leaves; None where ``tocsin.toml`` names no server.

    Raises:
        InputError: MAIL_SETTINGS, MAIL_PASSWORD_FILE, CA_FILE.
    """
    said = workspace.settings
    where = str(workspace.path / "tocsin.toml")
    if said.mail_host is None:
        return None
    faults = (
        (said.mail_from is None, "mail_from is missing"),
        (not said.mail_to, "mail_to names nobody"),
        (said.mail_tls == "none" and not _is_here(said.mail_host), "mail_tls = none goes to loopback only"),
    )
    for wrong, what in faults:
        if wrong:
            mend = "Complete the mail settings, or take mail_host out."
            raise InputError("MAIL_SETTINGS", f"Mail cannot be sent so: {what}.", mend=mend, where=where)
    assert said.mail_from is not None
    return Mailer(
        host=said.mail_host,
        port=said.mail_port or _PORTS[said.mail_tls],
        tls=said.mail_tls,
        sender=said.mail_from,
        to=said.mail_to,
        context=trust(workspace, said.mail_ca),
        user=said.mail_user,
        password=_password(workspace) if said.mail_user is not None else "",
        seconds=seconds,
    )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _password(workspace: Workspace) -> str:
    given = os.environ.get(PASSWORD)
    if given is not None:
        return given
    named = workspace.settings.mail_password_file
    if named is None:
        raise InputError(
            "MAIL_SETTINGS",
            "mail_user is set, and there is no password.",
            mend=f"Set {PASSWORD}, or name a file as mail_password_file.",
            where=str(workspace.path / "tocsin.toml"),
        )
    return _read(workspace.path / named)


def _read(path: Path) -> str:
    mend = "Write the password into it, and nothing else; chmod 600."
    data = files.read_bytes(path, what="password file", mend=mend, size_max=_PASSWORD_BYTES_MAX)
    if path.stat().st_mode & 0o077:
        raise InputError(
            "MAIL_PASSWORD_FILE", "Others may read the password file.", mend=mend, where=str(path)
        )
    try:
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable():
        raise InputError(
            "MAIL_PASSWORD_FILE", "The password file does not hold one line.", mend=mend, where=str(path)
        )
    return text
