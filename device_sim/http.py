"""A link for devices that poll or sleep: the topics as paths below the gateway's address.

GET brings what a topic retains, POST takes a report. A wildcard cannot be fetched: the catalogue names what
there is, the core wants it, and each wanted topic is a GET. Firmware blocks come over MQTT only.
(``docs/protocol/README.md``.)
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from advisories.report import open_want
from advisories.topics import Topics
from keys.errors import InputError, RefusedError, UnavailableError

BODY_BYTES_MAX: Final = 100_000
OUTBOX_MAX: Final = 100
INTERVAL_S: Final = 60.0
TIMEOUT_S: Final = 10.0


class HttpLink:
    """Fetches what the core is subscribed to, in rounds; its surface is that of the MQTT link.

    Args:
        base_url: ``http://`` or ``https://`` address below which the topics lie.
        topics: of the device, for what a want asks.
        interval_s: pause between two rounds; something to send starts one at once.
        tls: context for ``https://``.

    Raises:
        InputError: GATEWAY_URL.
    """

    def __init__(
        self,
        base_url: str,
        topics: Topics,
        *,
        interval_s: float = INTERVAL_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        try:
            parts = urlsplit(base_url)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            mend = "Write it as https://HOST:PORT/PATH."
            raise InputError("GATEWAY_URL", "This is not a gateway's address.", mend=mend)
        self._where, self._path = parts.netloc, parts.path.rstrip("/")
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._topics = topics
        self._interval_s = interval_s
        self._filters: dict[str, None] = {}
        self._outbox: deque[tuple[str, bytes | None]] = deque()
        self._tags: dict[str, str] = {}
        self._work = asyncio.Event()
        self._rounds: asyncio.Task[None] | None = None
        self._given_up = False
        self._sockets: set[socket.socket] = set()
        """Of requests under way in threads."""
        self.connected = False
        self.on_connect: Callable[[bool], None] | None = None
        self.on_disconnect: Callable[[str], None] | None = None
        self.on_message: Callable[[str, bytes], None] | None = None
        self.on_failure: Callable[[Exception], None] | None = None

    async def connect(self) -> None:
        """Make the first round now, and others until closed (UnavailableError: GATEWAY_UNREACHABLE)."""
        try:
            await self._round()
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            text = f"The gateway at {self._where} cannot be reached ({why})."
            raise UnavailableError("GATEWAY_UNREACHABLE", text, mend="Check its address.") from None
        self.connect_later(self._interval_s)

    def connect_later(self, delay: float = 0.0) -> None:
        """Make rounds in the background, the first one after ``delay`` seconds."""
        if self._rounds is None and not self._given_up:
            self._rounds = asyncio.get_running_loop().create_task(self._run(delay))

    def start_over(self, *filters: str) -> None:
        """Fetch exactly these from now on."""
        self._filters = dict.fromkeys(filters)
        self._tags.clear()

    def subscribe(self, *filters: str) -> None:
        """Fetch these too, at once."""
        self._filters.update(dict.fromkeys(filters))
        self._work.set()

    def unsubscribe(self, *filters: str) -> None:
        """Fetch these no longer."""
        for name in filters:
            self._filters.pop(name, None)
            self._tags.pop(name, None)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Post a report; turn a want into fetches; False when the outbox is full. ``online`` is not sent."""
        leaf = topic.rpartition("/")[2]
        if leaf == "want":
            with contextlib.suppress(RefusedError):  # our own core wrote it
                self._outbox.extend(
                    (f"{self._topics.prefix}/{name}", None) for name in open_want(payload).topics
                )
        elif leaf == "report" and len(self._outbox) < OUTBOX_MAX:
            self._outbox.append((topic, payload))
        self._work.set()
        return len(self._outbox) < OUTBOX_MAX

    def drop(self, pause_s: float = 0.0) -> None:  # noqa: ARG002 - there is no connection to lose
        """Lose what was not sent, as a reset does."""
        self._outbox.clear()
        self._lost("dropped")

    def give_up(self, error: Exception) -> None:
        """Stop for good and tell ``on_failure`` why."""
        self.connected = False
        self._given_up = True
        if self._rounds is not None:
            self._rounds.cancel()
        if self.on_failure is not None:
            self.on_failure(error)

    async def close(self) -> None:
        """Send what is waiting and stay away."""
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)
            self._rounds = None
        if self.connected:
            with contextlib.suppress(OSError, http.client.HTTPException):
                await self._send()
        self.connected = False
        for open_one in list(self._sockets):  # a gateway that never ends its answer would keep us
            with contextlib.suppress(OSError):
                open_one.shutdown(socket.SHUT_RDWR)

    def _lost(self, why: str) -> None:
        was, self.connected = self.connected, False
        if was:
            self._call(self.on_disconnect, why)

    def _call(self, callback: Callable[..., None] | None, *arguments: Any) -> None:
        """Call back; an error there, such as a full disk, is not the network's and ends the link."""
        try:
            if callback is not None and not self._given_up:
                callback(*arguments)
        except Exception as error:  # noqa: BLE001 - told to on_failure
            self.give_up(error)

    async def _run(self, delay: float) -> None:
        await self._waits(delay)
        while True:
            try:
                await self._round()
            except (OSError, http.client.HTTPException) as error:
                self._lost(str(error))
                self._work.clear()  # what waits goes out with the next round
            await self._waits(self._interval_s)

    async def _waits(self, seconds: float) -> None:
        """Wait until there is work; not by wait_for: it forgets a cancellation that comes with work."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._work.wait()

    async def _round(self) -> None:
        """Send what waits, then look at every topic once."""
        self._work.clear()
        names = [name for name in self._filters if "+" not in name]
        if not self.connected and not self._given_up:
            for probe in names[:1]:  # only whether the gateway answers
                await asyncio.to_thread(self._ask, "GET", probe, None)
                self._tags.pop(probe, None)
            self.connected = True
            self._call(self.on_connect, False)
        await self._send()
        for name in names:
            await self._fetch(name)

    async def _send(self) -> None:
        while self._outbox:
            topic, payload = self._outbox[0]
            if payload is None:
                self._tags.pop(topic, None)
                await self._fetch(topic)
            else:
                await asyncio.to_thread(self._ask, "POST", topic, payload)
            if self._outbox and self._outbox[0] == (topic, payload):
                self._outbox.popleft()

    async def _fetch(self, topic: str) -> None:
        body = await asyncio.to_thread(self._ask, "GET", topic, None)
        if body is not None:
            self._call(self.on_message, topic, body)

    def _ask(self, method: str, topic: str, payload: bytes | None) -> bytes | None:
        """Ask in a thread; the body of a 200 that is not the one seen last, else None."""
        tls = self._tls
        options: dict[str, Any] = {"timeout": TIMEOUT_S} | ({"context": tls} if tls else {})
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        connection = kind(self._where, **options)
        sock: Any = None
        try:
            tag = self._tags.get(topic)
            headers = {"If-None-Match": tag} if tag and method == "GET" else {}
            try:
                connection.connect()
                sock = connection.sock  # it forgets it with an answer that says that it is the last one
                self._sockets.add(sock)
                connection.request(method, f"{self._path}/{topic}", payload, headers)
            except UnicodeError:  # a name with an empty or overlong label, or a path beyond ASCII
                raise OSError("this is no address") from None
            response = connection.getresponse()
            body = response.read(BODY_BYTES_MAX + 1)
            if response.status >= 500:
                raise http.client.HTTPException(f"status {response.status}")
            if method != "GET" or response.status != 200 or len(body) > BODY_BYTES_MAX:
                return None
            self._tags[topic] = response.getheader("ETag") or ""
            return body
        finally:
            self._sockets.discard(sock)
            connection.close()
