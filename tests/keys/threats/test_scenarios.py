"""Threats that take more than one message, at the trusted set: replay, rollback, stolen keys, restored gateways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from advisories import suit
from gateway.core.publication import next_version
from keys.document import seal
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from keys.root import Root
from keys.trusted import METADATA, TrustedSet
from tests.helpers import DAY, HOUR, NOW, PRODUCT, Fleet, catalogue, key, make_fleet, timestamp
from tests.keys.threats.drafts import DOCUMENTS, bodies, envelope
from tests.keys.threats.policies import entry, root_signed
from tests.keys.threats.table import present

FLEET = make_fleet()
VERSIONED = tuple(type_ for type_ in DOCUMENTS if type_ != "root")
BY_GATEWAY = {"timestamp", "offer", "answer"}


def refusal(call: Callable[[], Any]) -> Reason:
    with pytest.raises(RefusedError) as refused:
        call()
    return refused.value.reason


def issue(type_: str, version: int, *signers: str, fleet: Fleet = FLEET, **fields: Any) -> bytes:
    """A document of this version, by the usual signers or by those who are named."""
    body = replace(bodies(fleet)[type_], version=version, **fields)
    return seal(body, [key(name) for name in signers]) if signers else fleet.seal(body)


def rotate(trusted: TrustedSet, gone: tuple[str, ...] = (), *fresh: str, **changes: Any) -> Root:
    """Walk to the next root; ``fresh`` are ``holder:role``."""
    kept = tuple(found for found in trusted.root.keys if found.holder not in gone)
    added = tuple(entry(*name.split(":")) for name in fresh)
    version = trusted.root.version + 1
    base = {"version": version, "issued": NOW, "keys": (*kept, *added), **changes}
    body = replace(FLEET.next_root(), policy=trusted.root.policy)
    return trusted.update_root(root_signed(replace(body, **base)), None)


# Replay and rollback.


@pytest.mark.parametrize("type_", VERSIONED)
@pytest.mark.parametrize("reloaded", [False, True])
def test_every_older_document_is_replayed_in_vain(type_: str, reloaded: bool) -> None:
    trusted = FLEET.trusted()
    issued = [issue(type_, version) for version in range(NOW, NOW + 5)]
    for document in issued:
        present(type_, trusted, document, NOW)
    if reloaded:
        trusted = TrustedSet.load(trusted.dump())
    state = trusted.dump()
    for document in issued[:-1]:
        assert refusal(lambda d=document: present(type_, trusted, d, NOW)) is Reason.REPLAYED
    present(type_, trusted, issued[-1], NOW)
    assert trusted.dump() == state


def test_every_older_root_is_replayed_in_vain() -> None:
    trusted = FLEET.trusted()
    issued = [trusted.root_document]
    for _ in range(5):
        rotate(trusted)
        issued.append(trusted.root_document)
    for document in issued[:-1]:
        assert refusal(lambda d=document: trusted.update_root(d, None)) is Reason.REPLAYED
    assert trusted.root.version == 6


def test_a_root_of_the_same_number_and_other_content_is_refused_however_it_is_signed() -> None:
    trusted = FLEET.trusted()
    rotate(trusted)
    other = root_signed(FLEET.next_root(exercise=True), "root-1", "root-2", "root-3")
    assert refusal(lambda: trusted.update_root(other, None)) is Reason.REPLAYED


def test_a_device_asleep_for_five_rotations_takes_only_the_newest() -> None:
    """Every root is walked; what was signed by keys revoked on the way is refused, though correctly formed."""
    trusted = FLEET.trusted()
    gateways = ["gateway-1"]
    for number in range(2, 7):
        fresh = f"gateway-{number}"
        rotate(trusted, (gateways[-1],), f"{fresh}:gateway", expires=NOW + number * DAY)
        gateways.append(fresh)
    for old in gateways[:-1]:
        assert (
            refusal(lambda o=old: present("timestamp", trusted, issue("timestamp", NOW, o), NOW))
            is Reason.UNKNOWN_KEY
        )
    present("timestamp", trusted, issue("timestamp", NOW, gateways[-1]), NOW)


# A stolen gateway key.


@pytest.mark.parametrize("type_", [*DOCUMENTS, "patch"])
def test_a_stolen_gateway_key_signs_only_what_can_freeze(type_: str) -> None:
    trusted = FLEET.trusted()
    before = trusted.dump()
    if type_ == "patch":
        document = suit.authenticate(envelope(), key("gateway-1"))
    elif type_ == "root":
        document = seal(FLEET.next_root(), [key("gateway-1")])
    else:
        document = issue(type_, NOW, "gateway-1")
    if type_ in BY_GATEWAY:
        present(type_, trusted, document, NOW)
        return
    assert refusal(lambda: present(type_, trusted, document, NOW)) is Reason.THRESHOLD_NOT_MET
    assert trusted.dump() == before


@pytest.mark.parametrize("version", [2**53 - 1, 2**63])
@pytest.mark.parametrize("type_", sorted(BY_GATEWAY))
def test_a_version_set_absurdly_high_is_refused_or_goes_with_the_key(type_: str, version: int) -> None:
    trusted = FLEET.trusted()
    present(type_, trusted, issue(type_, NOW), NOW)
    ahead = issue(type_, version)
    if version > VERSION_MAX:
        assert refusal(lambda: present(type_, trusted, ahead, NOW)) is Reason.MALFORMED
        present(type_, trusted, issue(type_, NOW + 1), NOW)
        return
    present(type_, trusted, ahead, NOW)
    assert refusal(lambda: present(type_, trusted, issue(type_, NOW + 1), NOW)) is Reason.REPLAYED
    rotate(trusted, ("gateway-1",), "gateway-2:gateway")
    present(type_, trusted, issue(type_, NOW + 1, "gateway-2"), NOW)
    assert refusal(lambda: present(type_, trusted, ahead, NOW)) is Reason.UNKNOWN_KEY


def test_a_stolen_gateway_key_that_names_a_time_far_ahead_silences_no_notice() -> None:
    trusted = FLEET.trusted()
    far = issue("timestamp", NOW, issued=VERSION_MAX - 1, expires=VERSION_MAX)
    present("timestamp", trusted, far, NOW)
    present("notice", trusted, issue("notice", NOW), NOW)
    # Installing is held up: that is a freeze, and all that this key can do.
    assert refusal(lambda: present("catalogue", trusted, issue("catalogue", NOW), NOW)) is Reason.EXPIRED
    rotate(trusted, ("gateway-1",), "gateway-2:gateway")
    present("catalogue", trusted, issue("catalogue", NOW), NOW)


def test_an_extra_signature_of_a_stolen_key_takes_no_floor_with_it() -> None:
    trusted = FLEET.trusted()
    trio = ("engineering-1", "legal-1", "communications-1")
    present("notice", trusted, issue("notice", NOW + 9, *trio, "gateway-1"), NOW)
    rotate(trusted, ("gateway-1",), "gateway-2:gateway")
    assert refusal(lambda: present("notice", trusted, issue("notice", NOW), NOW)) is Reason.REPLAYED


# Freeze, and the root's own time.


@pytest.mark.parametrize("now", [NOW + 6 * HOUR, NOW + 7 * HOUR, NOW + 900 * DAY])
def test_an_old_timestamp_pinned_by_the_broker_runs_out(now: int) -> None:
    present("timestamp", FLEET.trusted(), issue("timestamp", NOW), NOW + 6 * HOUR - 1)
    assert (
        refusal(lambda: present("timestamp", FLEET.trusted(), issue("timestamp", NOW), now)) is Reason.EXPIRED
    )


def test_a_clock_put_back_does_not_make_a_pinned_timestamp_fresh() -> None:
    trusted = FLEET.trusted()
    later = issue("catalogue", NOW + DAY, issued=NOW + DAY)
    present("catalogue", trusted, later, NOW + DAY)
    assert refusal(lambda: present("timestamp", trusted, issue("timestamp", NOW), NOW)) is Reason.EXPIRED


def test_a_device_without_a_clock_knows_the_time_from_what_was_signed() -> None:
    trusted = FLEET.trusted()
    present("timestamp", trusted, issue("timestamp", NOW), None)
    present("catalogue", trusted, issue("catalogue", NOW + DAY, issued=NOW + DAY), None)
    assert refusal(lambda: present("timestamp", trusted, issue("timestamp", NOW), None)) is Reason.EXPIRED


def test_an_expired_root_verifies_its_successor_and_nothing_that_would_be_installed() -> None:
    trusted = FLEET.trusted()
    over = NOW + 400 * DAY
    for type_ in ("catalogue", "timestamp", "offer"):
        document = issue(type_, over, issued=over, expires=over + HOUR)
        assert refusal(lambda t=type_, d=document: present(t, trusted, d, over)) is Reason.EXPIRED
    present("notice", trusted, issue("notice", over, issued=over, expires=over + DAY), over)
    rotate(trusted, expires=over + DAY)
    present("catalogue", trusted, issue("catalogue", over, issued=over, expires=over + HOUR), over)


# A gateway restored from an older copy.


@pytest.mark.parametrize("type_", sorted(METADATA - {"devices"}))
def test_a_gateway_restored_from_a_copy_goes_on_above_what_devices_have_seen(type_: str) -> None:
    trusted = FLEET.trusted()
    last: int | None = None
    for at in (NOW, NOW, NOW, NOW + HOUR):  # several within one second count on
        last = next_version(last, at)
        present(type_, trusted, issue(type_, last), NOW)
    copied, restored_at = NOW, NOW + HOUR + 1
    present(type_, trusted, issue(type_, next_version(copied, restored_at)), NOW)


def test_a_restored_gateway_that_kept_its_last_version_only_would_have_been_refused() -> None:
    trusted = FLEET.trusted()
    present("timestamp", trusted, issue("timestamp", NOW + HOUR), NOW)
    assert refusal(lambda: present("timestamp", trusted, issue("timestamp", NOW + 1), NOW)) is Reason.REPLAYED


# Exercises.


def test_an_exercise_root_lets_one_holder_sign_for_all_and_a_real_one_does_not() -> None:
    one = tuple(entry(f"m-{role}", role, holder="m") for role in ("engineering", "legal", "communications"))
    signers = [f"m-{role}" for role in ("engineering", "legal", "communications")]
    for exercise in (True, False):
        fleet = make_fleet(keys=(*FLEET.root.keys, *one), exercise=exercise)
        document = issue("notice", NOW, *signers, fleet=fleet)
        if exercise:
            present("notice", fleet.trusted(), document, NOW)
        else:
            assert (
                refusal(lambda f=fleet, d=document: present("notice", f.trusted(), d, NOW))
                is Reason.THRESHOLD_NOT_MET
            )


def test_becoming_an_exercise_takes_the_root_holders_like_every_other_change() -> None:
    """The root's holders may change any policy; nobody else can make a device lenient."""
    body = FLEET.next_root(exercise=True)
    for signers in (("root-1",), ("root-1", "gateway-1", "operator-1", "legal-1")):
        document = root_signed(body, *signers)
        assert refusal(lambda d=document: FLEET.trusted().update_root(d, None)) is Reason.THRESHOLD_NOT_MET
    assert FLEET.trusted().update_root(root_signed(body), None).exercise


# Mix and match.


def test_a_catalogue_and_a_timestamp_of_different_times_are_each_genuine_and_do_not_fit() -> None:
    """The set accepts both; that they name one another is the device's business (``test_stories.py``)."""
    trusted = FLEET.trusted()
    old, new = catalogue(FLEET), catalogue(FLEET, version=NOW + 5)
    present("catalogue", trusted, FLEET.seal(new), NOW)
    present("timestamp", trusted, FLEET.seal(timestamp(FLEET, old)), NOW)
    assert refusal(lambda: present("catalogue", trusted, FLEET.seal(old), NOW)) is Reason.REPLAYED
    assert trusted.floor("catalogue", PRODUCT).digest != timestamp(FLEET, old).catalogue_digest  # type: ignore[union-attr]
