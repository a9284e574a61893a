"""The bridge's queue, and that nothing is lost whatever fails, in any order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.bridge.core import Line
from hil.bridge.effects import Acknowledge, Hangup
from hil.bridge.queue import WAITING_MAX, Message, Queue
from tests.hil.bridge_talk import block, document, talking, told
from tests.hil.bridge_world import MAX, World

# The queue.


def test_the_newest_retained_message_of_a_topic_replaces_an_older_one_that_waits() -> None:
    queue = Queue()
    for token, message in enumerate([document(1), document(2), document(3), document(4, "t/other")], 1):
        assert queue.take(message, token)
    assert queue.released() == []  # the first may be under way, and PUBACKs keep their order
    taken = []
    while queue.first is not None:
        taken.append(queue.drop_first().payload)
    assert taken == [b"document 1", b"document 3", b"document 4"]
    assert queue.released() == [1, 2, 3, 4]


def test_blocks_are_never_replaced() -> None:
    queue = Queue()
    for token in range(1, 5):
        assert queue.take(block(token), token)
    assert len(queue) == 4


def test_what_comes_again_after_a_loss_takes_its_old_place() -> None:
    queue = Queue()
    assert queue.take(block(1), 1)
    assert queue.take(block(2), 2)
    queue.disconnected()
    assert queue.take(block(1), 3)
    assert len(queue) == 2
    queue.drop_first()
    queue.drop_first()
    assert queue.released() == [3]


def test_what_the_board_took_in_the_meantime_is_not_acknowledged_on_the_new_connection() -> None:
    queue = Queue()
    queue.take(block(1), 1)
    queue.disconnected()
    queue.drop_first()
    assert queue.released() == []


@pytest.mark.parametrize(("waiting", "room"), [(WAITING_MAX - 1, True), (WAITING_MAX, False)])
def test_the_queue_is_bounded(waiting: int, room: bool) -> None:
    queue = Queue()
    for number in range(waiting):
        assert queue.take(block(number), number)
    assert queue.take(block(-1), -1) is room


def test_what_found_no_room_is_left_to_the_broker_and_asked_for_later() -> None:
    core = talking()
    for number in range(WAITING_MAX + 3):
        core.arrived(block(number), number + 1)
    assert [event.text for event in told(core)] == ["too much waits: the broker keeps it"]
    acknowledged = 0
    for _ in range(2 * WAITING_MAX + 2):
        if core.next(0.0) is Line.SUBMIT:
            core.submitted(0, "OK", 0.0)
        else:
            core.reported(core.settled, None, 0.0)
        effects = core.effects()
        acknowledged += sum(isinstance(effect, Acknowledge) for effect in effects)
        if any(isinstance(effect, Hangup) for effect in effects):
            break
    assert acknowledged == WAITING_MAX
    assert effects == [Hangup("what the broker kept is asked for")]


# Whatever fails, in any order.

ACTIONS = st.lists(
    st.one_of(
        st.sampled_from(
            ["connect", "lose", "deliver", "answer", "step", "lost", "deaf", "reset", "silent reset", "wish"]
        ),
        st.sampled_from(["go", "go", "wish", "step", "answer"]),
        st.tuples(st.sampled_from(["block", "document", "giant"]), st.integers(0, 2)),
    ),
    max_size=80,
)


@settings(max_examples=400)
@given(ACTIONS)
def test_nothing_is_lost_and_nothing_acknowledged_too_early(actions: list[str | tuple[str, int]]) -> None:
    world = World()
    messages, wishes = [], []
    for count, action in enumerate(actions):
        match action:
            case ("block", _):
                messages.append(block(count))
                world.publish(messages[-1])
            case ("document", which):
                messages.append(document(count, f"t/{which}"))
                world.publish(messages[-1])
            case ("giant", which):
                giant = Message(f"t/{which}", f"giant {count}".encode() + b" " * MAX)
                world.void.add(giant.payload.decode())
                world.publish(giant)
            case "wish":
                wishes.append(f"t/device/d/report/{count}")
                world.board.wish(wishes[-1])
            case "connect" | "lose" | "deliver" | "answer" | "go":
                getattr(world, str(action))()
            case "silent reset":
                world.board.reset()
            case "step":
                world.step()
            case _:
                world.step(str(action))
    world.calm()
    for message in messages:
        assert message in world.board.taken or message.payload.decode() in world.void
    assert not [message for message in world.board.taken if len(message.payload) > MAX]
    assert set(wishes) <= set(world.published)
    assert not world.board.wishes
    newest = {message.topic: message for message in messages if message.retained}
    for message in newest.values():
        assert message in world.board.taken


def test_a_number_of_an_older_boot_drops_nothing_of_a_newer_one() -> None:
    world = World()
    world.board.wish("t/first")
    world.calm()
    world.board.wish("t/second")
    world.board.wish("t/third")
    while world.core.settled != 2:
        world.step()
        if world.core.settled is None:
            world.answer()
    world.step("reset")
    world.calm()
    assert set(world.published) == {"t/first", "t/second", "t/third"}


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2), max_size=30))
def test_without_failures_everything_comes_once_and_in_order(topics: list[int]) -> None:
    world = World()
    messages = [Message(f"t/{topic}", f"{number}".encode()) for number, topic in enumerate(topics)]
    for message in messages:
        world.publish(message)
    world.calm()
    assert world.board.taken == messages
    assert world.puts == len(messages)
