"""A device's MQTT 5 link: paho's protocol engine on asyncio's socket callbacks, no thread.

The socket is opened here, by asyncio, and handed to paho ready (TLS done), so that connecting never
blocks ten thousand other devices. Everything is QoS 1. After a loss the link comes back by itself, with
exponential backoff and jitter, subscribes again and sends again what no PUBACK covered.
(``docs/protocol/README.md``; OASIS MQTT 5.0, sections 3.1, 4.4 and 4.9.)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.reasoncodes import ReasonCode

from device_sim import tls as secure
from device_sim.engine import mqtt
from device_sim.outbox import Ack, Message, Outbox
from device_sim.sockets import ReadyClient, make_client, open_socket, parse_url
from keys.errors import InputError, UnavailableError

CONNECT_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 3.0
STEADY_S: Final = 5.0
"""A connection that stood this long was good; losing one earlier lengthens the pause."""
BACKOFF_S: Final = (1.0, 60.0)
"""First and longest pause before a new attempt, in seconds; each is drawn from its upper half."""
_SESSION_TAKEN_OVER: Final = 0x8E


class MqttLink:
    """One device's connection. Callbacks run in the event loop, one at a time.

    Args:
        url: see :func:`parse_url`.
        client_id: the device id.
        bind_address: local address to connect from; empty lets the system choose.
        will: (topic, payload) that the broker publishes when the link dies.
        keepalive: seconds, 1 to 65,535; some brokers close a connection that has none.
        session_expiry_s: how long the broker keeps the session; 0 starts clean each time.
        receive_maximum: how many unacknowledged messages the broker may send at a time.
        tls: context for ``mqtts://``; TLS 1.3 and the system's certificate authorities by default.
        gate: shared limit of connects in flight.
        backoff_s: (first, longest) pause before a new attempt.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        *,
        bind_address: str = "",
        will: tuple[str, bytes] | None = None,
        keepalive: int = 60,
        session_expiry_s: int = 0,
        receive_maximum: int = 100,
        tls: ssl.SSLContext | None = None,
        gate: asyncio.Semaphore | None = None,
        backoff_s: tuple[float, float] = BACKOFF_S,
    ) -> None:
        if not 1 <= keepalive <= 65_535:
            raise InputError("KEEPALIVE", f"A keepalive of {keepalive} s is not between 1 and 65,535.")
        self._where = parse_url(url)
        self._keepalive = keepalive
        self._tls = (tls or secure.client_context()) if self._where.tls else None
        self._gate = gate
        self._backoff = backoff_s
        self._random = random.Random(client_id)  # noqa: S311 - jitter, not a secret
        self._failures = 0
        self._since = 0.0
        self._filters: dict[str, None] = {}
        self._outbox = Outbox()
        self._handshake: asyncio.Future[bool] | None = None
        self._closed: asyncio.Future[None] | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._misc: asyncio.TimerHandle | None = None
        self._fd = -1
        self._socket: socket.socket | None = None
        self._resting = 0.0
        self._stopping = False
        self.bind_address = bind_address
        self.refused = 0
        """Publishes and subscriptions that the broker refused."""
        self.on_connect: Callable[[bool], None] | None = None
        """Called after each connect, subscriptions already under way; True: the broker kept the session."""
        self.on_disconnect: Callable[[str], None] | None = None
        """Called after a loss, with its cause; the link comes back by itself."""
        self.on_message: Callable[[str, bytes], None] | None = None
        """Called for each message; the broker is told (PUBACK) after it returned."""
        self.on_failure: Callable[[Exception], None] | None = None
        """Called when the link gives up: a callback raised, TLS was refused, or another took the session."""
        self._client = make_client(
            self._where,
            client_id,
            will=will,
            keepalive=keepalive,
            session_expiry_s=session_expiry_s,
            receive_maximum=receive_maximum,
        )
        self._listen(self._client)

    def _listen(self, client: ReadyClient) -> None:
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        client.on_publish = self._published
        client.on_subscribe = client.on_unsubscribe = self._granted
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closed
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._wrote

    @property
    def connected(self) -> bool:
        """True between CONNACK and loss."""
        return self._fd >= 0 and self._client.is_connected()

    @property
    def waiting(self) -> int:
        """Messages handed over and not yet acknowledged by the broker."""
        return len(self._outbox)

    async def connect(self, timeout: float = CONNECT_TIMEOUT_S) -> None:  # noqa: ASYNC109 - it is part of the message
        """Connect once; from then on the link comes back by itself after every loss.

        Raises:
            UnavailableError: BROKER_UNREACHABLE, BROKER_TLS or BROKER_REFUSED, with host and port.
        """
        self._stopping = False
        if not self.connected:
            await self._dial(timeout)

    def connect_later(self, delay: float = 0.0) -> None:
        """Connect in ``delay`` seconds and keep trying; errors only lengthen the pause."""
        self._stopping = False
        if self._retry is None and self._attempt is None and not self.connected:
            self._retry = asyncio.get_running_loop().call_later(delay, self._try_again)

    def subscribe(self, *filters: str) -> Ack | None:
        """Receive these filters from now on and after every reconnect; None while not connected."""
        new = [name for name in filters if name not in self._filters]
        self._filters.update(dict.fromkeys(new))
        if not new or not self.connected:
            return None
        return self._outbox.expect(self._client.subscribe([(name, 1) for name in new])[1])

    def start_over(self, *filters: str) -> None:
        """Receive exactly these filters from the next connect on."""
        self._filters = dict.fromkeys(filters)

    def unsubscribe(self, *filters: str) -> Ack | None:
        """Stop receiving these filters; None while not connected."""
        old = [name for name in filters if name in self._filters]
        for name in old:
            del self._filters[name]
        if not old or not self.connected:
            return None
        return self._outbox.expect(self._client.unsubscribe(old)[1])

    def publish(self, topic: str, payload: bytes) -> bool:
        """Hand a message over; False when the outbox is full, and then it was not taken."""
        return self._hand_over(Message(topic, payload))

    def publish_acked(self, topic: str, payload: bytes) -> Ack:
        """Hand a message over; the future tells what the broker said (False when full)."""
        ack: Ack = asyncio.get_running_loop().create_future()
        if not self._hand_over(Message(topic, payload, ack)):
            ack.set_result(False)
        return ack

    def drop(self, pause_s: float = 0.0) -> None:
        """Lose the connection as a power cut would (the broker publishes the will)."""
        self._resting = max(pause_s, 0.001)
        if self._fd >= 0:
            # Not from within a paho callback: closing calls back under the same lock.
            asyncio.get_running_loop().call_soon(self._hang_up, "dropped")

    async def close(self, timeout: float = CLOSE_TIMEOUT_S) -> None:  # noqa: ASYNC109 - callers bound a shutdown with it
        """Send what is waiting, say DISCONNECT (no will) and stay away. Safe to call twice."""
        self._stopping = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.gather(self._attempt, return_exceptions=True)
        if self.connected:
            self._closed = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._outbox.drained()
                    self._client.disconnect()
                    await self._closed
            self._closed = None
        self._finish()

    # Connecting.

    async def _dial(self, timeout: float) -> None:  # noqa: ASYNC109 - see connect
        async with self._gate or contextlib.nullcontext():
            self._handshake, self._socket = asyncio.get_running_loop().create_future(), None
            try:
                async with asyncio.timeout(timeout):
                    self._socket = await open_socket(self._where, self._tls, self.bind_address)
                    self._client.ready = self._socket
                    self._client.reconnect()
                    await self._handshake
            except TimeoutError:
                raise self._unreachable(f"no answer within {timeout:g} s") from None
            except OSError as error:
                if (refused := secure.refusal(str(self._where), error)) is not None:
                    raise refused from None
                number = error.errno if isinstance(error, ConnectionError) else None
                why = os.strerror(number) if number else error.strerror
                raise self._unreachable((why or type(error).__name__).lower()) from None
            finally:
                if not self.connected:
                    self._client.hang_up()
                    self._handshake = None
        self._since = asyncio.get_running_loop().time()

    def _unreachable(self, why: str) -> UnavailableError:
        return UnavailableError(
            "BROKER_UNREACHABLE",
            f"The broker at {self._where} cannot be reached ({why}).",
            mend="Start it, or name another one as mqtt://HOST:PORT.",
        )

    def _connected(self, _c: Any, _u: Any, flags: mqtt.ConnectFlags, reason: ReasonCode, _p: Any) -> None:
        if reason.is_failure:
            text = f"The broker at {self._where} refused the connection ({reason})."
            mend = "Check the device's id and credentials there."
            self._shake_hands(UnavailableError("BROKER_REFUSED", text, mend=mend))
            return
        self._shake_hands(None)
        self._client.drop_out_messages()  # paho would send all of them at once, past Receive Maximum
        again = self._outbox.take_again()
        if self._filters:
            self._client.subscribe([(name, 1) for name in self._filters])
        self._guarded(self.on_connect, flags.session_present)
        for message in again:
            self._send(message)

    def _shake_hands(self, error: Exception | None) -> None:
        if self._handshake is None or self._handshake.done():
            return
        if error is None:
            self._handshake.set_result(True)
        else:
            self._handshake.set_exception(error)

    def _disconnected(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        self._lost(str(reason))
        if reason.value == _SESSION_TAKEN_OVER:
            text, mend = "Another process connected with this device's id.", "Stop one of the two."
            self.give_up(UnavailableError("SESSION_TAKEN_OVER", text, mend=mend))

    def _hang_up(self, why: str) -> None:
        if self._fd >= 0:
            self._client.hang_up()
            self._lost(why)

    def _lost(self, why: str) -> None:
        if self._handshake is not None and not self._handshake.done():
            alert = getattr(self._socket, "alert", None)
            may = ", and take the device's certificate" if self._tls else ""
            self._shake_hands(
                secure.refusal(str(self._where), alert)
                or self._unreachable(f"it closed the connection: {why}; it must speak MQTT 5{may}")
            )
            return
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
        if self._stopping or self._handshake is None:
            return
        self._handshake = None
        stood = asyncio.get_running_loop().time() - self._since
        # Two processes with one id throw each other out: do that ever more slowly.
        self._failures = self._failures + 1 if stood < STEADY_S and not self._resting else 0
        self._guarded(self.on_disconnect, why)
        self.connect_later(self._pause())

    def _pause(self) -> float:
        resting, self._resting = self._resting, 0.0
        first, longest = self._backoff
        pause = min(longest, first * 2 ** min(self._failures, 16))
        return resting or pause * self._random.uniform(0.5, 1.0)

    def _try_again(self) -> None:
        self._retry = None
        self._attempt = asyncio.get_running_loop().create_task(self._reconnect())

    async def _reconnect(self) -> None:
        try:
            await self._dial(CONNECT_TIMEOUT_S)
        except UnavailableError as error:
            self._failures += 1
            self._attempt = None
            if secure.is_final(getattr(self._socket, "alert", None)):
                self.give_up(error)  # it stays so until somebody issues another certificate
            elif not self._stopping:
                self.connect_later(self._pause())
        finally:
            self._attempt = None

    # Messages.

    def _hand_over(self, message: Message) -> bool:
        if self._stopping or self._outbox.full:
            return False
        if self.connected:
            self._send(message)
        else:
            self._outbox.unsent.append(message)
        return True

    def _send(self, message: Message) -> None:
        self._outbox.asked[self._client.publish(message.topic, message.payload, qos=1).mid] = message

    def _received(self, _c: Any, _u: Any, message: mqtt.MQTTMessage) -> None:
        with contextlib.suppress(UnicodeDecodeError):  # a topic that is not UTF-8 is none of ours
            self._guarded(self.on_message, message.topic, message.payload)

    def _published(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        self._granted(_c, _u, mid, [reason], _p)

    def _granted(self, _c: Any, _u: Any, mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        accepted = not any(reason.is_failure for reason in reasons)
        self.refused += not accepted
        self._outbox.answered(mid, accepted=accepted)

    def _finish(self) -> None:
        self._client.hang_up()
        self._outbox.abandon()
        self._handshake = None

    # Errors that end the link.

    def _guarded(self, callback: Callable[..., None] | None, *arguments: Any) -> None:
        if callback is None:
            return
        try:
            callback(*arguments)
        except Exception as error:  # noqa: BLE001 - it must not tear paho's packet state
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Stop for good and tell ``on_failure`` why; nothing under way is acknowledged any more."""
        self._stopping = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        loop = asyncio.get_running_loop()
        loop.call_soon(self._finish)  # before any PUBACK for what the callback did not digest
        if self.on_failure is not None:
            self.on_failure(error)
        else:
            loop.call_exception_handler({"message": "a device's link gave up", "exception": error})

    # paho's sockets on asyncio's selector.

    def _socket_opened(self, _c: Any, _u: Any, sock: Any) -> None:
        loop = asyncio.get_running_loop()
        self._fd = sock.fileno()
        loop.add_reader(self._fd, self._read)
        self._misc = loop.call_later(self._keepalive / 4, self._look_after)

    def _socket_closed(self, _c: Any, _u: Any, _s: Any) -> None:
        if self._misc is not None:
            self._misc.cancel()
        asyncio.get_running_loop().remove_reader(self._fd)
        self._fd = -1

    def _want_write(self, _c: Any, _u: Any, _s: Any) -> None:
        asyncio.get_running_loop().add_writer(self._fd, self._client.loop_write)

    def _wrote(self, _c: Any, _u: Any, _s: Any) -> None:
        asyncio.get_running_loop().remove_writer(self._fd)

    def _read(self) -> None:
        try:
            self._client.loop_read()
            # TLS may have decrypted more than was asked for, and no selector would tell.
            while isinstance(sock := self._client.socket(), ssl.SSLSocket) and sock.pending():
                self._client.loop_read()
        except Exception:  # noqa: BLE001 - whatever a broker sends, it costs this connection only
            self._hang_up("malformed packet")

    def _look_after(self) -> None:
        self._misc = asyncio.get_running_loop().call_later(self._keepalive / 4, self._look_after)
        self._client.loop_misc()
