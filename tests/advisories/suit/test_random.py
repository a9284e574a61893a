"""Any manifest, any device, any outcomes: it comes to an end, and a carrier that plans again is not led astray."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from advisories import suit
from advisories.suit import BOOT, UPDATE, Device, Match
from advisories.suit.interpreter import OPERATIONS_MAX, execute
from keys.cbor import encode
from keys.errors import RefusedError
from tests.advisories.suit_case import CLASS, DIGEST, URI, VENDOR, craft, identity

HERE, THERE = (b"\x00",), (b"\x01",)
OTHER = bytes(32)

PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        3: st.sampled_from([DIGEST, OTHER]).map(lambda digest: encode([-16, digest])),
        4: st.integers(0, 2),
        5: st.integers(0, 1),
        14: st.integers(0, 9),
        18: st.binary(max_size=2),
        21: st.sampled_from(["a", "b"]),
        22: st.integers(0, 2),
        24: st.sampled_from([VENDOR, CLASS]),
        26: st.integers(0, 2),
        28: st.integers(1, 5).map(lambda comparison: encode([comparison, [1]])),
    },
).filter(bool)
SOFT = st.booleans().map(lambda soft: [20, {13: soft}])
PLAIN = st.one_of(
    st.sampled_from([3, 4, 5, 6, 14, 24, 25, 26, 28]).map(lambda command: [command, 15]),
    st.sampled_from([18, 21, 22, 23, 31]).map(lambda command: [command, 2]),
    st.just([21, 2, 3, 15]),
    PARAMETERS.map(lambda parameters: [20, parameters]),
    st.sampled_from([0, 1, True, [0, 1], [1, 0], [1]]).map(lambda index: [12, index]),
)


def flat(steps):
    return [part for step in steps for part in step]


def nested(steps):
    one = st.lists(steps | SOFT, max_size=4).map(flat).map(encode)
    tried = st.lists(one, min_size=1, max_size=3)
    return st.one_of(one.map(lambda inner: [32, inner]), tried.map(lambda inner: [15, inner]))


ONE_LEVEL = PLAIN | nested(PLAIN)
SEQUENCES = st.lists(PLAIN | nested(ONE_LEVEL), max_size=6).map(flat)
DEVICES = st.builds(
    Device,
    st.just(VENDOR),
    st.just(CLASS),
    st.just(frozenset({HERE, THERE})),
    slot=st.integers(0, 1),
    measured=st.dictionaries(st.sampled_from([HERE, THERE]), st.sampled_from([DIGEST, OTHER, b""])),
    device_id=st.sampled_from([None, VENDOR]),
    time=st.none() | st.integers(0, 2),
    versions=st.dictionaries(st.just(HERE), st.just((1, 0, 0, 0))),
    battery=st.none() | st.integers(0, 2),
)


def read(sections):
    shared = [12, True, *identity(), 20, {21: URI}, 1, 15, 2, 15, 12, 0]
    return suit.parse(suit.decode(craft(shared, sections, components=([b"\x00"], [b"\x01"]))))


def carried_out(manifest, procedure, device, coins):
    """Do what a carrier does: carry out the operation after the last outcome, and plan again."""
    outcomes: list[bool] = []
    done = []
    while True:
        plan = execute(manifest, procedure, device, outcomes)
        assert list(plan.operations[: len(outcomes)]) == done, "what was done is not what the plan says"
        assert len(plan.operations) <= OPERATIONS_MAX
        if len(done) == len(plan.operations):
            return plan, done, outcomes
        done.append(plan.operations[len(outcomes)])
        outcomes.append(next(coins))


@given(SEQUENCES, SEQUENCES, DEVICES, st.lists(st.booleans()), st.sampled_from([UPDATE, BOOT]))
def test_a_carrier_that_plans_again_after_every_operation_comes_to_an_end(
    first, last, device, coins, procedure
):
    def endless():
        yield from coins
        while True:
            yield True

    manifest = read({20: first, 7: [], 9: last})
    try:
        plan, done, outcomes = carried_out(manifest, procedure, device, endless())
    except RefusedError:
        return
    # Whatever is in a component at the end has been compared, and was found to be the right thing.
    for number, operation in enumerate(done):
        if outcomes[number] and not isinstance(operation, (Match, suit.Invoke)):
            assert any(
                isinstance(later, Match) and later.component == operation.component and outcomes[at]
                for at, later in enumerate(done[number:], number)
            ) or any(
                not isinstance(later, (Match, suit.Invoke)) and later.component == operation.component
                for later in done[number + 1 :]
            )
    assert set(plan.vendor_ids) <= {VENDOR}


@given(st.lists(PLAIN, max_size=8).map(flat), DEVICES, st.data())
def test_nothing_comes_after_a_failure_where_no_other_way_is_offered(steps, device, data):
    manifest = read({20: steps})
    try:
        planned = execute(manifest, UPDATE, device).operations
    except RefusedError:
        return
    for number in range(len(planned)):
        outcomes = [True] * number + [False]
        try:
            execute(manifest, UPDATE, device, outcomes)
        except suit.ProcedureError as error:
            failed = error
        else:
            failed = None
        assert failed is not None
        assert failed.origin == planned[number].origin


@given(SEQUENCES, st.lists(st.booleans(), max_size=70), st.none() | DEVICES)
def test_any_outcomes_at_all_are_played_back_or_refused(steps, outcomes, device):
    manifest = read({20: steps})
    try:
        plan = execute(manifest, UPDATE, device, outcomes)
    except RefusedError:
        return
    assert len(plan.operations) >= len(outcomes)


@given(SEQUENCES)
def test_any_manifest_is_a_patch_or_refused(steps):
    data = craft([*identity()], {20: [20, {21: URI}, *steps]}, components=([b"\x00"], [b"\x01"]))
    try:
        patch = suit.peek(data)
    except RefusedError:
        return
    assert patch.payloads
    assert all(fetch.size is not None for fetch in patch.fetches)
    assert suit.tree(data)
