"""The desk on a machine without workspace: it opens one signing request and writes the answer's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from advisories.compose import FACTS, SETTING, compose
from advisories.facts import load_facts
from advisories.notice import Notice
from advisories.packet import Packet
from advisories.story import load_setting
from gateway import files
from gateway.operations.advisories import packet as packets
from gateway.operations.trust import requests
from gateway.operations.trust.request_files import PAGES
from gateway.operations.trust.requests import Judged
from gateway.web.desk.desk import Answer, Line
from gateway.web.desk.here import changed, secret_of
from keys.errors import InputError
from keys.signer import open_signer


class RequestDesk:
    """The desk for one request about a notice.

    Args:
        judged: the request, found to be whole.
        key_uri: where the private key is.
        role: in which the approver answers, for the words of the page.
        folder: where answers are written: each has a name of its own, so that two approvers who use the same
            folder do not write over each other.
        now: returns UTC seconds.
        out: the answer's file instead.
        named: the signer named the fleet when opening the request.

    Raises:
        InputError: NOT_A_NOTICE.
    """

    carried: bool = True
    who: str = ""

    def __init__(
        self,
        judged: Judged,
        key_uri: str,
        role: str,
        folder: Path,
        now: Callable[[], int],
        *,
        out: Path | None = None,
        named: bool = False,
    ) -> None:
        if not isinstance(judged.content, Notice):
            raise InputError(
                "NOT_A_NOTICE",
                "The desk is for notices to owners, and this request is about something else.",
                mend="Use 'tocsin sign-request show' and 'sign-request sign'.",
            )
        self._judged, self._uri, self._folder, self._out = judged, key_uri, folder, out
        self._notice, self.role = judged.content, role
        attached = judged.request.attachments
        facts = load_facts(attached[FACTS], where=FACTS)
        # The judge has found that these facts give these very bytes: so what is made here is what is signed.
        release = compose(
            facts,
            setting=load_setting(attached[SETTING]),
            fleet=self._notice.fleet,
            issued=self._notice.issued,
            revision=self._notice.revision,
            exercise=self._notice.exercise,
            version=self._notice.version,
            patches=self._notice.patches,
            drawn={
                language: text.split(attached[f"{PAGES}{language}"])
                for language, text in judged.texts.items()
                if text.pages is not None
            },
            same_since=self._notice.same_since,
        )
        self._outputs = release.outputs
        self._packet = packets.of_request(judged, release.outputs, facts, role, named=named, now=now())
        self._answered = ""
        self._signed: Path | None = None

    @property
    def secret(self) -> str:
        """What opens the key."""
        return secret_of(self._uri)

    def lines(self) -> list[Line]:
        """Return the one advisory of the request."""
        title = self._packet.title
        if self._answered:
            return [Line(self._notice.id, title, self._answered, "good")]
        return [Line(self._notice.id, title, "awaits your answer", "calm", waits=True)]

    def show(self, advisory: str) -> Packet:
        """Return what has to be judged."""
        if advisory != self._notice.id:
            raise InputError("NO_ADVISORY", f"The request is about {self._notice.id}.")
        return self._packet

    def output(self, advisory: str, digest: str, name: str) -> bytes | None:
        """Return an output."""
        if (advisory, digest) != (self._notice.id, self._judged.digest.hex()):
            return None
        return self._outputs.get(name)

    def _require_shown(self, advisory: str, answer: Answer) -> None:
        if (advisory, answer.digest) != (self._notice.id, self._judged.digest.hex()):
            raise changed()

    def approve(self, advisory: str, answer: Answer, secret: bytes) -> str:
        """Sign exactly what was shown, and write the answer's file."""
        self._require_shown(advisory, answer)
        signer = open_signer(self._uri, lambda _: secret)
        name = f"{self._notice.id}.{signer.public.thumbprint.hex()[:8]}.answer"
        path = self._out or self._folder / name
        files.require_replaceable(path)
        files.write_atomic(path, requests.sign(self._judged, signer))
        self._signed, self._answered = path, f"you signed it: {path.name}"
        return f"You signed it. Send this file back to whoever sent you the request: {path}"

    def reject(self, advisory: str, answer: Answer) -> str:
        """Write a note to send back; nothing is signed."""
        self._require_shown(advisory, answer)
        comment = files.visible(" ".join(answer.comment.split()))
        if not comment:
            raise InputError("BAD_VALUE", "A rejection needs its reason.")
        digest = self._judged.digest.hex()
        path = self._folder / f"{self._notice.id}.{digest[:8]}.rejected.txt"
        # What somebody else said of it in the same folder stays.
        before = files.read_bytes(path, what="note", mend="Move it.") + b"\n" if path.exists() else b""
        note = [
            f"{self._notice.id} revision {self._notice.revision} is rejected ({self.role}).",
            f"digest {digest}",
            "",
            comment,
            "",
        ]
        files.write_atomic(path, before + "\n".join(note).encode())
        self._answered = f"you rejected it: {path.name}"
        told = f"Send this file back to whoever sent you the request: {path}"
        if self._signed is not None:
            return f"You signed it before: do away with {self._signed}, which counts wherever it goes. {told}"
        return f"Nothing was signed. {told}"

    def remark(self, advisory: str, answer: Answer) -> str:
        """Refuse: a comment alone is a matter for a mail."""
        self._require_shown(advisory, answer)
        raise InputError("NO_WORKSPACE", "Without the workspace there is nobody to keep a comment: mail it.")

    def take_back(self, advisory: str, answer: Answer) -> str:
        """Refuse: the workspace alone knows of rejections."""
        self._require_shown(advisory, answer)
        raise InputError("NO_WORKSPACE", "Without the workspace there is no rejection to take back.")
