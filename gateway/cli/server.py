"""``--server URL``: a command works through a gateway's API instead of a workspace's own folder.

The address may stand anywhere on the line, or in TOCSIN_SERVER. The token never does: it comes from
TOCSIN_TOKEN, or from a file that only its user may read.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
import sys
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from keys.errors import DamagedError, InputError, RefusedError, TocsinError, UnavailableError
from keys.reasons import Reason

if TYPE_CHECKING:
    import httpx

    from gateway.operations.afar import Operation

_OPTIONS: Final = {  # of the command line -> environment, where it is not on the line
    "--server": "TOCSIN_SERVER",
    "--server-ca": "TOCSIN_SERVER_CA",
    "--token-file": "TOCSIN_TOKEN_FILE",
}
_WAITS: Final = (0.2, 1.0)  # seconds before a lost request is sent again
_SECONDS: Final = (5.0, 60.0)  # to connect; to get an answer
_WARN_SECONDS: Final = 14 * 86_400  # before its end at which a token is warned of
_TIME_DIGITS: Final = 18  # of UTC seconds; whoever else answers may write any number
_TOKEN: Final = re.compile(r"[!-~]{1,256}")
_TOKEN_FILE_BYTES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is to work instead of here."""

    url: str
    ca: Path | None
    """PEM file of the CA of its certificate; None: the system's."""
    token_file: Path | None
    typed: bool
    """On the line, not in the environment."""


_place: ContextVar[Place | None] = ContextVar("place", default=None)
_ends: ContextVar[contextlib.ExitStack | None] = ContextVar("ends", default=None)
"""What is closed when the command ends."""


def taken(arguments: Sequence[str]) -> tuple[list[str], Place | None]:
    """Take the options of a server out of a command line; the rest is the command's.

    Raises:
        InputError: USAGE.
    """
    rest, said, words = [], {}, list(arguments)
    while words:
        word = words.pop(0)
        name, sign, value = word.partition("=")
        if word == "--":
            rest += [word, *words]
            break
        if name not in _OPTIONS:
            rest.append(word)
        elif name in said or not (sign or words):
            fault = "stands there twice" if name in said else "needs a value"
            raise InputError("USAGE", f"Option '{name}' {fault}.", mend="Try --help.")
        else:
            said[name] = value if sign else words.pop(0)
    url, ca, token = (said.get(name) or os.environ.get(variable) for name, variable in _OPTIONS.items())
    if not url:
        if said:
            raise InputError("USAGE", f"'{next(iter(said))}' goes with --server.", mend="Say --server URL.")
        return rest, None
    return rest, Place(url, Path(ca) if ca else None, Path(token) if token else None, "--server" in said)


@contextlib.contextmanager
def used(place: Place | None) -> Iterator[None]:
    """Let a command work there for as long as the block lasts."""
    with contextlib.ExitStack() as ends:
        ends.callback(_place.reset, _place.set(place))
        ends.callback(_ends.reset, _ends.set(ends))
        yield


def named() -> Place | None:
    """Return where this command is to work instead of here."""
    return _place.get()


def not_remote() -> InputError:
    """Return the error of what cannot be asked for from afar."""
    return InputError(
        "NOT_REMOTE",
        "This command works in the workspace's own folder, not through a server.",
        mend="Run it there, without --server.",
    )


class Server:
    """A gateway elsewhere, in the place of a workspace; it does what is marked as an operation.

    Raises:
        InputError: BAD_SERVER, NO_TOKEN, TOKEN_FILE, TLS_FILE.
    """

    def __init__(self, place: Place) -> None:
        import httpx  # noqa: PLC0415 - only few commands work from afar

        url = _checked(place.url)
        self._where = url
        plain = url.startswith("http://")
        token = _token(place)
        connect, answer = _SECONDS
        self._client = httpx.Client(
            base_url=url,
            verify=True if plain else _context(place.ca),
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=httpx.Timeout(answer, connect=connect),
            trust_env=not plain,  # what goes to this machine goes past no proxy
        )
        self._warned = False
        ends = _ends.get()
        if ends is not None:
            ends.callback(self._client.close)

    def __getattr__(self, name: str) -> NoReturn:
        """Say that whatever else a workspace has is not here."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise not_remote()

    def call(self, operation: Operation, arguments: dict[str, Any]) -> Any:
        """Ask for an operation and return what it returned there.

        Raises:
            TocsinError: the one that it raised there.
            UnavailableError: SERVER_UNREACHABLE, SERVER_TLS, SERVER_ODD.
        """
        from gateway.web.api.binding import answered, ask, bind  # noqa: PLC0415 - as above
        from gateway.web.api.strict import BadValueError  # noqa: PLC0415 - as above

        asked, kind = ask(operation, arguments), bind(operation).kind
        headers = dict(asked.headers) | ({"Content-Type": kind} if asked.body is not None and kind else {})
        if operation.changes:
            headers["Idempotency-Key"] = os.urandom(16).hex()
        response = self._send(
            operation.method, asked.path, params=asked.query, headers=headers, content=asked.body
        )
        if not response.is_success:
            raise _error(response, self._where)
        self._warn(response)
        try:
            return answered(operation, response.content)
        except BadValueError as error:
            raise _odd(self._where, f"its answer is not as expected: {error}") from None

    def _send(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Send a request; one that is lost is sent again with the same key, and carried out once."""
        import httpx  # noqa: PLC0415 - as above

        for wait in (*_WAITS, None):
            try:
                response = self._client.request(method, path, **how)
            except httpx.TransportError as error:
                tls = _tls_fault(error)
                if tls is not None or wait is None or isinstance(error, httpx.UnsupportedProtocol):
                    raise tls or _unreachable(self._where, error) from None
            else:
                if wait is None or _problem(response).get("code") != "REQUEST_RUNNING":
                    return response
            time.sleep(wait)
        raise AssertionError

    def _warn(self, response: httpx.Response) -> None:
        """Say once, on stderr, that the token ends soon."""
        ends = response.headers.get("tocsin-token-expires", "")
        told = ends.isdecimal() and len(ends) <= _TIME_DIGITS
        left = int(ends) - time.time() if told else _WARN_SECONDS
        if left < _WARN_SECONDS and not self._warned:
            self._warned = True
            day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(int(ends)))
            sys.stderr.write(f"warning: Your token ends on {day}. Ask for another one in time.\n")


def _checked(url: str) -> str:
    """Return the address of a server, if a token may be sent there."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if (
        parts.scheme not in {"http", "https"}
        or not host
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        message = "This is not the address of a server."
        raise InputError("BAD_SERVER", message, mend="Write it as https://gateway.example.com:8080.")
    if parts.scheme == "http" and not (host in {"localhost", "::1"} or re.fullmatch(r"127(\.\d+){3}", host)):
        message = "A token is not sent over a network where all can read it."
        raise InputError("BAD_SERVER", message, mend="Say https://; http:// is for this machine only.")
    return url.rstrip("/")


def _token(place: Place) -> str:
    """Return the token, from the environment or a file that nobody else may read."""
    said = os.environ.get("TOCSIN_TOKEN")
    if said is None:
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        path = place.token_file or Path(home) / "tocsin" / "token"
        try:
            with path.open(encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                said = file.read(_TOKEN_FILE_BYTES_MAX)
        except FileNotFoundError:
            message = "A server asks for a token, and there is none."
            mend = "Set TOCSIN_TOKEN, or name a file with --token-file."
            raise InputError("NO_TOKEN", message, mend=mend, where=str(path)) from None
        except (OSError, UnicodeDecodeError):
            message = "The token's file cannot be read."
            raise InputError(
                "TOKEN_FILE", message, mend="Check it and its rights.", where=str(path)
            ) from None
        if mode & 0o077:
            message = "Others may read this token."
            raise InputError("TOKEN_FILE", message, mend=f"Say 'chmod 600 {path}'.", where=str(path))
    said = said.strip()
    if _TOKEN.fullmatch(said) is None:
        message = "This is not a token."
        raise InputError("NO_TOKEN", message, mend="Copy it whole, as 'tocsin token new' printed it.")
    return said


def _context(ca: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ValueError):
        message = "These are no certificates in PEM."
        raise InputError(
            "TLS_FILE", message, mend="Name the file of the CA with --server-ca.", where=str(ca)
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _tls_fault(error: BaseException) -> UnavailableError | None:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None or isinstance(cause, ssl.SSLEOFError):
        return None
    why = (
        cause.verify_message
        if isinstance(cause, ssl.SSLCertVerificationError)
        else cause.reason or "no TLS 1.3"
    )
    message = f"The server's certificate or its TLS is refused: {why.lower().replace('_', ' ')}."
    mend = "Name the CA of its certificate with --server-ca; the server needs TLS 1.3."
    return UnavailableError("SERVER_TLS", message, mend=mend)


def _unreachable(where: str, error: Exception) -> UnavailableError:
    why = str(error).strip(". ") or type(error).__name__
    message = f"The server does not answer ({why})."
    mend = "Check its address, and that 'tocsin serve --http' runs there."
    return UnavailableError("SERVER_UNREACHABLE", message, mend=mend, where=where)


def _odd(where: str, why: str) -> UnavailableError:
    message = f"The server does not answer as this program expects ({why})."
    mend = "Check the address, and that both are of the same version."
    return UnavailableError("SERVER_ODD", message, mend=mend, where=where)


def _problem(response: httpx.Response) -> dict[str, Any]:
    """Return the problem document of a response; empty where it is none."""
    if response.headers.get("content-type", "").partition(";")[0] != "application/problem+json":
        return {}
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    texts = all(isinstance(found.get(name, ""), str) for name in ("code", "detail", "mend", "where"))
    return found if texts else {}


def _error(response: httpx.Response, where: str) -> TocsinError:
    """Return the error that a problem document tells of, as it was raised there."""
    found = _problem(response)
    code, message = found.get("code", ""), found.get("detail", "")
    if not message or code in {"NOT_FOUND", "METHOD_NOT_ALLOWED"}:
        return _odd(where, f"HTTP {response.status_code}")
    mend, place = found.get("mend", ""), found.get("where", "")
    status = found.get("exit_status")
    if status == RefusedError.exit_status and code in Reason.__members__:
        error = RefusedError(Reason[code], where=place)
        error.message, error.mend = message, mend
        return error
    kind: type[TocsinError] = InputError
    if status == UnavailableError.exit_status or response.status_code in {429, 503}:
        kind = UnavailableError
    elif status == TocsinError.exit_status:
        kind = TocsinError
    elif response.is_server_error:
        kind = DamagedError
    return kind(code, message, mend=mend, where=place)
