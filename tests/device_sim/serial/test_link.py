"""The link's own edges: what the shell may do to it at any time."""

import pytest

from device_sim.serial.link import Kind, SerialLink
from keys.errors import UnavailableError


def test_a_restart_forgets_and_tells() -> None:
    told: list[str] = []
    link = SerialLink(lambda: told.append("dropped"))
    link.carrier(up=True)
    link.publish("t", b"x")
    link.drop(5.0)
    assert told == ["dropped"]
    assert (link.connected, link.head()) == (False, None)


def test_numbers_begin_anew_and_an_old_number_drops_nothing() -> None:
    link = SerialLink(lambda: None)
    link.carrier(up=True)
    for _ in range(3):
        link.publish("t", b"x")
    link.head()
    link.forget()
    link.carrier(up=True)
    link.publish("t", b"y")
    link.acknowledge(3)  # of the boot before
    head = link.head()
    assert head is not None
    assert (head.number, head.kind, head.data) == (1, Kind.PUBLISH, b"y")


@pytest.mark.parametrize("error", [UnavailableError("HOME_WRITE", "full"), OSError(28, "full")])
def test_an_error_of_the_device_ends_it(error: Exception) -> None:
    failures: list[Exception] = []

    def fail(*_: object) -> None:
        raise error

    link = SerialLink(lambda: None)
    link.on_message, link.on_failure = fail, failures.append
    link.carrier(up=True)
    link.deliver("t", b"x")
    assert failures == [error]
    assert not link.connected


async def test_nobody_is_dialled(recwarn: pytest.WarningsRecorder) -> None:
    link = SerialLink(lambda: None)
    await link.connect()
    link.connect_later()
    assert not link.connected
    link.give_up(OSError("nobody listens"))
    await link.close()
    assert len(recwarn) == 0
