"""How far each version has come, and what time it is at least: as in ``keys.trusted``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from advisories.catalogue import Catalogue, Timestamp
from advisories.notice import Notice
from advisories.offer import Answer, Offer
from keys import trusted as module
from keys.document import seal
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from keys.root import Body
from tests.helpers import (
    DAY,
    DEVICE,
    NOW,
    PRODUCT,
    answer,
    catalogue,
    key,
    notice,
    offer,
    timestamp,
)

from .build import Core
from .papers import (
    ADVISORY,
    FLEET,
    Slip,
    enrolled,
    list_,
    root_signed,
    slip,
    warn,
    without,
)
from .trust_of_c import Twin


@pytest.fixture
def twin(core: Core) -> Twin:
    """Both have just begun to trust the same fleet."""
    return enrolled(core)


# What is accepted


def test_versions_only_rise_and_each_is_said_once(twin: Twin) -> None:
    assert warn(twin, slip()) is Reason.OK
    assert warn(twin, slip()) is Reason.OK
    assert warn(twin, slip(version=NOW - 1)) is Reason.REPLAYED
    assert warn(twin, slip(issued=NOW + 1)) is Reason.EQUIVOCATION
    assert warn(twin, slip(version=NOW + 1)) is Reason.OK
    assert warn(twin, slip()) is Reason.REPLAYED
    assert warn(twin, slip(version=VERSION_MAX)) is Reason.OK
    assert warn(twin, slip(id="other")) is Reason.WRONG_SUBJECT
    assert warn(twin, slip(id="other"), name="other") is Reason.OK
    assert warn(twin, slip(id="other", version=0), "legal-1", name="wrong") is Reason.THRESHOLD_NOT_MET


def test_what_was_valid_for_ever_once_is_never_over(twin: Twin) -> None:
    """``until`` is compared by the twin at every step: the latest end, or none as soon as one version had none."""
    assert warn(twin, slip(version=1, expires=NOW + 9)) is Reason.OK
    assert warn(twin, slip(version=2, expires=NOW + 5)) is Reason.OK
    assert (floor := twin.c.floor("notice", ADVISORY)) is not None
    assert floor.until == NOW + 9
    assert warn(twin, slip(version=3)) is Reason.OK
    assert warn(twin, slip(version=4, expires=NOW + 20)) is Reason.OK
    assert floor.until == 2**64 - 1


def test_whoever_signed_either_copy_has_signed(twin: Twin) -> None:
    first = ("engineering-1", "legal-1", "communications-1")
    assert warn(twin, slip(), *first) is Reason.OK
    assert warn(twin, slip(), "engineering-2", "legal-2", "communications-1") is Reason.OK
    floor = twin.c.floor("notice", ADVISORY)
    assert floor is not None
    assert floor.kids.bit_count() == len({*first, "engineering-2", "legal-2"})
    # So it stays although everyone of the first copy but one has gone.
    assert twin.update(root_signed(FLEET.next_root(keys=without("engineering-1", "legal-1")))) is Reason.OK
    assert twin.c.floor("notice", ADVISORY) is not None


def test_the_time_of_metadata_does_not_make_a_warning_late(twin: Twin) -> None:
    assert list_(twin, issued=NOW + 20 * DAY, version=1, expires=NOW + 21 * DAY) is Reason.OK
    assert twin.c.lib.tn_trust_time_floor(False) == NOW
    body = slip(expires=NOW + DAY)
    document = seal(body, list(map(key, ("engineering-1", "legal-1", "communications-1"))))
    asked: dict[str, Any] = {"subject": PRODUCT}
    assert twin.accept(document, Slip, ADVISORY, now=NOW, **asked) is Reason.OK
    assert twin.accept(document, Slip, ADVISORY, now=NOW + DAY, **asked) is Reason.EXPIRED
    assert twin.accept(document, Slip, ADVISORY, now=NOW + DAY, expiring=False, **asked) is Reason.OK
    stamp = FLEET.seal(timestamp(FLEET))
    assert twin.accept(stamp, Timestamp, PRODUCT, subject=PRODUCT, now=NOW) is Reason.EXPIRED


@pytest.mark.parametrize(
    ("cls", "make", "names"),
    [
        (Catalogue, catalogue, (PRODUCT, PRODUCT, None)),
        (Timestamp, timestamp, (PRODUCT, PRODUCT, None)),
        (Offer, offer, (DEVICE, DEVICE, PRODUCT)),
        (Answer, answer, (DEVICE, DEVICE, PRODUCT)),
        (Notice, notice, (ADVISORY, PRODUCT, None)),
    ],
)
def test_metadata_needs_a_root_that_is_not_over(
    twin: Twin, cls: type[Body], make: Callable[..., Body], names: tuple[str, str, str | None]
) -> None:
    ends = FLEET.root.expires or 0
    name, subject, of = names
    document = FLEET.seal(make(FLEET, expires=ends + DAY))
    wrong = seal(make(FLEET, expires=ends + DAY), [key("mallory")])
    asked: dict[str, Any] = {"subject": subject, "product": of}
    stale = cls not in {Answer, Notice}
    for now, over in ((ends - 1, False), (ends, True), (ends + 1, True)):
        late = Reason.EXPIRED if over and stale else Reason.OK
        assert twin.accept(document, cls, name, now=now, **asked) is late
        unknown = Reason.EXPIRED if over and stale else Reason.UNKNOWN_KEY
        assert twin.accept(wrong, cls, name, now=now, **asked) is unknown
    assert twin.accept(document, cls, name, now=ends + DAY, expiring=False, **asked) is Reason.OK
    twin.accept(document, cls, "another", now=NOW, **asked)
    twin.accept(document, cls, name, now=NOW, subject="another")
    twin.accept(document, cls, name, now=None, **asked)


def test_room_is_made_by_what_was_over_first_and_by_nothing_else(
    twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = twin.core.constants["TN_FLOORS_MAX"]
    monkeypatch.setattr(module, "FLOORS_MAX", most)

    def say(n: int, *, now: int = NOW, **changes: Any) -> Reason:
        body = slip(id=f"A-{n}", **changes)
        signers = list(map(key, ("engineering-1", "legal-1", "communications-1")))
        return twin.accept(seal(body, signers), Slip, f"A-{n}", subject=PRODUCT, now=now)

    for n in range(most):
        changes = {} if n % 4 == 0 else {"expires": NOW + 100 - 5 * n}
        assert say(n, **changes) is Reason.OK
    assert say(most) is Reason.LIMIT_REACHED
    assert say(1) is Reason.EQUIVOCATION  # it has its place
    assert say(1, version=NOW + 1) is Reason.OK  # and is never over now
    assert say(most, now=NOW + 24) is Reason.LIMIT_REACHED
    assert say(most, now=NOW + 25) is Reason.OK
    assert twin.c.floor("notice", f"A-{most - 1}") is None
    assert say(most + 1, now=NOW + 1000) is Reason.OK
    assert twin.c.floor("notice", f"A-{most - 2}") is None
    # Somebody's time of issue counts as time: of a warning, not of metadata.
    assert say(most, version=NOW + 2, issued=NOW + 60) is Reason.OK
    assert say(most + 2, now=0) is Reason.OK


@pytest.mark.parametrize("ends", [(30, 20, 10), (10, 20, 30), (20, 10, 30), (20, 20, 30)])
def test_in_whatever_order_they_came_the_one_goes_that_was_over_first(
    twin: Twin, monkeypatch: pytest.MonkeyPatch, ends: tuple[int, ...]
) -> None:
    most = twin.core.constants["TN_FLOORS_MAX"]
    monkeypatch.setattr(module, "FLOORS_MAX", most)
    names = [f"A-{n}" for n in range(most)]
    lasts: list[int | None] = [NOW + end for end in ends] + [None] * (most - len(ends))
    for name, last in zip(names, lasts, strict=True):
        assert warn(twin, slip(id=name, expires=last), name=name) is Reason.OK
    late = seal(slip(id="late"), list(map(key, ("engineering-1", "legal-1", "communications-1"))))
    first = NOW + min(ends)
    for now, reason in ((first - 1, Reason.LIMIT_REACHED), (NOW + 30, Reason.OK)):
        assert twin.accept(late, Slip, "late", subject=PRODUCT, now=now) is reason
    gone = [name for name in names if twin.c.floor("notice", name) is None]
    assert gone == [names[ends.index(min(ends))]]


def test_what_is_about_nothing_in_particular_is_counted_under_any_name(twin: Twin) -> None:
    document = FLEET.seal(catalogue(FLEET, subject=()))
    assert twin.accept(document, Catalogue, PRODUCT, subject=PRODUCT, now=NOW) is Reason.WRONG_SUBJECT
    assert twin.accept(document, Catalogue, PRODUCT, now=NOW) is Reason.OK
    assert twin.accept(document, Catalogue, "another", now=NOW) is Reason.OK
    floor = twin.c.floor("catalogue", "another")
    assert floor is not None
    assert floor.version == catalogue(FLEET).version
