"""Payloads by HTTPS, as the core sees them: pieces of any size, losses, slowness, other bytes, too many bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from device_sim.core import effects as do
from device_sim.core import limits, plan
from device_sim.core.profile import Profile
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW, image
from tests.device_sim.core.plans import SITE, payload, publish, roll_out, sha
from tests.device_sim.core.stories import TRIAL, P, name, survive
from tests.device_sim.core.world import World
from tests.helpers import DAY

DATA = image(NEW, size=900_000)
URI = f"{SITE}/artefact/{sha(DATA).hex()}"


def device(**profile) -> World:
    w = World(artefacts=SITE, **profile)
    w.connect()
    return w


def pieces(*said: int | Reason) -> Iterator[bytes | Reason]:
    """Serve the payload from its beginning in pieces of these sizes; end for a reason."""
    at = 0
    for one in said:
        if isinstance(one, Reason):
            yield one
        else:
            yield DATA[at : at + one]
            at += one


def offsets(w: World) -> list[int]:
    return [fetch.offset for fetch in w.flash.fetches]


def test_a_payload_comes_by_ranges_where_the_device_has_an_address_for_them() -> None:
    w = device()
    patch = roll_out(w, payload(w, DATA))
    w.advance(10)
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert w.flash.fetches == [do.Fetch(URI, 0, len(DATA))]
    assert not [want for want in w.wants if want.blocks]
    assert bytes(w.slots[1]) == DATA


def test_a_transfer_that_breaks_off_goes_on_where_it_was_with_growing_pauses() -> None:
    w = device()
    ends = iter([300_000, 200_000, 0, 0, 0])

    def flaky(uri: str, offset: int, size: int) -> Iterator[bytes | Reason]:
        count = next(ends, None)
        if count is None:
            yield from w.flash.all_of(uri, offset, size)
            return
        if count:
            yield DATA[offset : offset + count]
        yield Reason.CONNECTION_LOST

    w.flash.serve = flaky
    begun = w.now
    patch = roll_out(w, payload(w, DATA))
    times = []
    while w.path(name(patch))[-1] is P.DOWNLOADING:
        before = len(w.flash.fetches)
        w.advance(0.5)
        times += [w.now - begun] * (len(w.flash.fetches) > before)
    assert offsets(w) == [0, 300_000, 500_000, 500_000, 500_000, 500_000]
    pauses = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
    assert pauses[-1] > pauses[1]
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert w.patch_track(patch).attempts == 0


def test_what_brings_too_little_in_a_minute_counts_as_lost() -> None:
    w = device()
    w.flash.serve = lambda *_: pieces(limits.SLOW_BYTES - 1)
    roll_out(w, payload(w, DATA))
    w.advance(limits.SLOW_SECONDS - 1)
    assert (len(w.flash.fetches), w.flash.stopped) == (1, 0)
    w.flash.serve = w.flash.all_of
    w.advance(1)
    assert w.flash.stopped == 1
    w.advance(10)
    assert offsets(w) == [0, limits.SLOW_BYTES - 1]
    assert Reason.CONNECTION_LOST in {log.reason for log in w.logs}
    assert w.agent.installed == NEW


def test_a_transfer_that_is_slow_but_fast_enough_is_left_alone() -> None:
    w = device()
    w.flash.serve = lambda *_: pieces()
    patch = roll_out(w, payload(w, DATA))
    for at in range(0, 10 * limits.SLOW_BYTES, limits.SLOW_BYTES):
        w.run(w.agent.fetched(URI, at, DATA[at : at + limits.SLOW_BYTES], w.now))
        w.advance(limits.SLOW_SECONDS)
    assert w.flash.stopped == 0
    assert w.patch_track(patch).state is P.DOWNLOADING


@pytest.mark.parametrize("size", [1, 1_000, 65_537, 262_144, len(DATA)])
def test_pieces_may_have_any_size(size) -> None:
    w = device()
    data = image(NEW, size=3_000) if size == 1 else DATA
    count = -(-len(data) // size)
    w.flash.serve = lambda *_: iter([*(data[i * size : (i + 1) * size] for i in range(count)), Reason.OK])
    patch = roll_out(w, payload(w, data))
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_pieces_that_are_not_the_next_are_passed_over() -> None:
    w = device()
    w.flash.serve = lambda *_: pieces()
    roll_out(w, payload(w, DATA))
    w.run(w.agent.fetched(URI, 10, b"x", w.now))
    w.run(w.agent.fetched(URI, 0, b"", w.now))
    w.run(w.agent.fetched(f"{SITE}/other", 0, b"x", w.now))
    w.run(w.agent.fetch_ended(f"{SITE}/other", Reason.BAD_URI, w.now))
    w.run(w.agent.fetch_ended("", Reason.BAD_URI, w.now))
    assert not w.slots[1]
    w.run(w.agent.fetched(URI, 0, DATA[:10], w.now))
    w.run(w.agent.fetched(URI, 0, DATA[:10], w.now))
    assert bytes(w.slots[1]) == DATA[:10]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([Reason.BAD_URI], Reason.BAD_URI),
        ([1_000, Reason.DIGEST_MISMATCH], Reason.DIGEST_MISMATCH),
        ([1_000, Reason.UNSUPPORTED_PROTOCOL], Reason.UNSUPPORTED_PROTOCOL),
        ([b"x" * (len(DATA) + 1)], Reason.TOO_BIG),
    ],
)
def test_what_is_not_there_or_is_another_file_fails_after_so_many_attempts(said, reason) -> None:
    w = device()
    w.flash.serve = lambda *_: iter(said) if isinstance(said[0], bytes) else pieces(*said)
    patch = roll_out(w, payload(w, DATA))
    w.advance(60)
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == (P.FAILED, reason)
    assert len(w.flash.fetches) == limits.DOWNLOAD_ATTEMPTS_MAX
    assert offsets(w) == [0] * limits.DOWNLOAD_ATTEMPTS_MAX
    assert w.boots == 1


def test_a_file_that_comes_later_is_found_by_a_later_attempt() -> None:
    w = device()
    brought = payload(w, DATA)
    data = w.flash.site.pop(URI)
    patch = roll_out(w, brought)
    assert w.patch_track(patch).attempts == 1
    w.flash.site[URI] = data
    w.advance(10)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_the_link_may_go_while_a_transfer_goes_on() -> None:
    w = device()
    w.flash.serve = lambda *_: pieces()
    patch = roll_out(w, payload(w, DATA))
    w.disconnect()
    w.run(w.agent.fetched(URI, 0, DATA[:500_000], w.now))
    w.connect()
    w.run(w.agent.fetched(URI, 500_000, DATA[500_000:], w.now))
    w.run(w.agent.fetch_ended(URI, Reason.OK, w.now))
    w.pump()
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_patch_that_is_taken_back_stops_its_transfer() -> None:
    w = device()
    w.flash.serve = lambda *_: pieces(10_000)
    patch = roll_out(w, payload(w, DATA))
    w.current()
    w.advance(1)
    assert w.path(name(patch))[-1] is P.REJECTED
    assert w.flash.stopped == 1
    written = len(w.slots[1])
    w.run(w.agent.fetched(URI, 10_000, DATA[10_000:20_000], w.now))
    assert len(w.slots[1]) == written


# Resuming.


def until_cut(w: World, came: int) -> None:
    """Download so much, slowly enough to be remembered, and lose the power."""
    w.flash.serve = lambda *_: pieces()
    for at in range(0, came, 100_000):
        w.advance(1)
        w.run(w.agent.fetched(URI, at, DATA[at : at + 100_000], w.now))
    w.flash.serve = w.flash.all_of
    w.flash.fetches.clear()


def test_after_a_restart_it_goes_on_behind_what_was_proven_to_be_here() -> None:
    w = device()
    w.flash.serve = lambda *_: pieces()
    patch = roll_out(w, payload(w, DATA))
    until_cut(w, 800_000)
    w.restart()
    w.advance(5)
    assert offsets(w) == [600_000]  # remembered after 262,144 bytes, and again after as many
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert bytes(w.slots[1]) == DATA


@pytest.mark.parametrize("damage", ["changed", "lost", "never written"])
def test_what_is_not_what_came_is_brought_again_from_the_beginning(damage) -> None:
    w = device()
    w.flash.serve = lambda *_: pieces()
    patch = roll_out(w, payload(w, DATA))
    until_cut(w, 800_000)
    if damage == "changed":
        w.slots[1][1_000] ^= 1
    elif damage == "lost":
        del w.slots[1][400_000:]
    else:
        w.slots[1][300_000:] = bytes(len(w.slots[1]) - 300_000)
    w.restart()
    w.advance(5)
    assert offsets(w) == [0]
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert w.patch_track(patch).attempts == 0


def test_wherever_the_power_goes_a_download_by_ranges_ends_whole() -> None:
    def live(cut_at: int | None) -> World:
        w = World(start=False, artefacts=SITE)
        patch = publish(w, payload(w, DATA))
        w.current(patches=((7, patch),))
        w.offer(patch)
        w.cut_at = cut_at
        survive(w, seconds=30)
        state = w.patch_track(patch).state
        assert (state, bytes(w.slots[1])) == (P.SUCCEEDED, DATA) or state is P.ROLLED_BACK
        return w

    total = live(None).durable
    for at in range(1, total + 1):
        live(at)


def test_progress_is_told_now_and_then_and_never_in_a_storm() -> None:
    w = device()
    w.flash.serve = lambda *_: pieces()
    patch = roll_out(w, payload(w, DATA))
    w.advance(30)  # whatever else there was to tell has been told
    said = []
    reports = len(w.reports)
    for at in range(0, 800_000, 4_000):
        w.run(w.agent.fetched(URI, at, DATA[at : at + 4_000], w.now))
        w.advance(1)
    for report in w.reports[reports:]:
        status = next(one for one in report.patches if one.digest == patch)
        said.append(status.done)
    assert said == sorted(said)
    assert 2 <= len(set(said)) <= 200 / limits.PROGRESS_SECONDS


def test_a_clock_that_goes_back_silences_no_transfer() -> None:
    w = device()
    w.flash.serve = lambda *_: pieces(Reason.CONNECTION_LOST)
    roll_out(w, payload(w, DATA))
    w.advance(60)
    count = len(w.flash.fetches)
    w.now -= DAY
    w.run(w.agent.tick(w.now))
    w.pump()
    w.advance(limits.TRANSFER_SECONDS_MAX + 10)
    assert len(w.flash.fetches) > count


def test_a_mismatch_waits_before_it_tries_again_also_when_the_clock_goes_back() -> None:
    w = device()
    w.flash.serve = lambda *_: pieces(Reason.BAD_URI)
    patch = roll_out(w, payload(w, DATA))
    assert w.patch_track(patch).retry_at is not None
    w.now -= DAY
    w.run(w.agent.tick(w.now))
    w.pump()
    w.advance(60)
    assert w.path(name(patch))[-1] is P.FAILED


# Addresses, and the limit of blocks.


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("artefact/ab", f"{SITE}/artefact/ab"),
        ("https://cdn.example.com/x", "https://cdn.example.com/x"),
        ("http://cdn.example.com/x", None),
        ("ftp://cdn.example.com/x", None),
        ("/artefact/ab", None),
        ("artefact/../secret", None),
        ("./artefact", None),
        ("//other.example.com/x", None),
        ("artefact/ab?x=1", None),
        ("artefact/ab#x", None),
        ("a:b", None),
    ],
)
def test_only_addresses_below_the_gateway_or_by_https_are_used(uri, found) -> None:
    base = {"id": "d", "product": "p", "vendor_id": bytes(16), "class_id": bytes(16)}
    profile = Profile(**base, artefacts=f"{SITE}/")
    if found is None:
        with pytest.raises(RefusedError, match="BAD_URI"):
            plan.address(profile, uri)
    else:
        assert plan.address(profile, uri) == found
    assert plan.address(Profile(**base), uri) is None


def test_blocks_come_no_faster_than_the_device_may_load() -> None:
    w = World(rate=10_000)
    w.connect()
    roll_out(w, payload(w, DATA))
    begun = w.now
    while w.agent.installed != NEW:
        w.advance(1)
        assert w.now - begun < 200
    assert 80 <= w.now - begun <= 120  # 900,000 bytes, 10,000 a second; the last window is free
