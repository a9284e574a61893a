"""What comes after what: alternatives, nested sequences, several components, and outcomes played back."""

from __future__ import annotations

import hashlib

import pytest

from advisories import suit
from advisories.suit import BOOT, UPDATE, Copy, Device, Fetch, Invoke, Match, Swap, Write
from advisories.suit.interpreter import OPERATIONS_MAX, STEPS_MAX, execute
from keys.cbor import encode
from keys.reasons import Reason
from tests.advisories.suit_case import (
    CLASS,
    DELTA,
    DIGEST,
    URI,
    VENDOR,
    craft,
    delta_patch,
    file,
    identity,
    plan,
    refused,
    two_components,
)

ZERO, ONE, TWO = ((bytes((number,)),) for number in range(3))
DEVICE = Device(VENDOR, CLASS, frozenset({ZERO, ONE, TWO}))
OTHER = bytes(32)
MATCH, FETCH = [3, 15], [21, 2]
SIZED = Match(ZERO, DIGEST, 1000)


def run(install, *outcomes, shared=(), device=DEVICE, components=1, procedure=UPDATE, sections=None):
    """The operations of a manifest whose install section is this."""
    data = craft(
        [*identity(), 20, {21: URI}, *shared],
        {20: list(install)} if sections is None else sections,
        components=tuple([bytes((number,))] for number in range(components)),
    )
    return execute(suit.parse(suit.decode(data)), procedure, device, outcomes).operations


def sequence(*steps):
    return encode(list(steps))


def uri(name):
    return [20, {21: name}]


def fetch(name):
    return Fetch(ZERO, name, DIGEST, 1000)


def fetching(name, *after):
    return sequence(*uri(name), *FETCH, *after)


ABORT = (14, 15)
SOFT, HARD = (20, {13: True}), (20, {13: False})


class TestTryEach:
    def test_a_fetch_that_failed_leads_to_the_next_alternative_and_stays_on_record(self):
        install = [15, [fetching("a"), fetching("b")], *MATCH]
        assert run(install) == (fetch("a"), SIZED)
        assert run(install, False) == (fetch("a"), fetch("b"), SIZED)
        assert run(install, False, True) == (fetch("a"), fetch("b"), SIZED)
        assert refused(run, install, False, False)[0] is Reason.UPDATE_FAILED

    def test_a_comparison_that_failed_leads_to_the_next_alternative(self):
        install = [15, [fetching("a", *MATCH), fetching("b", *MATCH)]]
        assert run(install, True, False) == (fetch("a"), SIZED, fetch("b"), SIZED)
        assert refused(run, install, True, False, True, False)[0] is Reason.DIGEST_MISMATCH

    @pytest.mark.parametrize(
        "install",
        [
            [15, [fetching("a", *MATCH), None]],
            [32, sequence(*SOFT, *uri("a"), *FETCH, *MATCH)],
            [*uri("a"), *FETCH, 15, [sequence(*MATCH), None]],
        ],
        ids=["no other alternative is needed", "soft failure", "compared in an alternative"],
    )
    def test_what_was_found_to_be_another_image_is_not_compared(self, install):
        assert run(install, True, True) == (fetch("a"), SIZED)
        refusal = (Reason.MALFORMED, "component 00 is not compared after it is changed")
        assert refused(run, install, True, False) == refusal

    def test_what_was_never_carried_out_takes_no_outcome(self):
        # The first alternative cannot come to its end: its fetch is dropped before anybody sees it.
        install = [15, [fetching("a", *ABORT), fetching("b")], *MATCH]
        assert run(install) == (fetch("b"), SIZED)
        assert run(install, True) == (fetch("b"), SIZED)
        assert refused(run, install, False)[0] is Reason.UPDATE_FAILED

    def test_what_was_carried_out_is_kept_when_its_alternative_comes_to_nothing(self):
        # The comparison inside decides whether the alternative can come to its end.
        inner = [sequence(*MATCH), sequence(20, {5: 9})]
        install = [15, [fetching("a", 15, inner, 20, {5: 0}, 5, 5), fetching("b")], *MATCH]
        skipped = [15, [fetching("a", 15, inner, 5, 5), fetching("b")], *MATCH]
        assert run(install, True, False) == (fetch("a"), SIZED, SIZED)
        assert refused(run, skipped) == (Reason.MALFORMED, "the parameter component-slot is not set")

    def test_the_last_alternative_may_be_nothing(self):
        install = [15, [fetching("a"), None], *FETCH, *MATCH]
        assert run(install, False)[1:] == (fetch("a"), SIZED)

    def test_a_hard_failure_tries_no_other_alternative_here_or_further_out(self):
        inner = sequence(15, [sequence(*HARD, *ABORT), fetching("b")])
        assert refused(run, [15, [inner, fetching("c")], *MATCH])[0] is Reason.UPDATE_FAILED

    def test_softness_is_that_of_the_innermost_sequence_and_ends_with_it(self):
        # The outer sequence is hard, the inner one begins soft again.
        inner = sequence(*HARD, 15, [sequence(*ABORT), sequence()], *uri("a"), *FETCH)
        assert run([15, [inner], *MATCH]) == (fetch("a"), SIZED)
        # The hardness of the first alternative is gone in the second one.
        install = [15, [sequence(*HARD), sequence()], 15, [sequence(*ABORT), fetching("b")], *MATCH]
        assert run(install) == (fetch("b"), SIZED)

    def test_parameters_of_a_failed_alternative_stay(self):
        install = [15, [sequence(*uri("a"), *ABORT), sequence()], *FETCH, *MATCH]
        assert run(install) == (fetch("a"), SIZED)


class TestRunSequence:
    def test_it_runs(self):
        assert run([32, fetching("a"), *MATCH]) == (fetch("a"), SIZED)

    def test_a_failure_is_hard_unless_it_is_made_soft(self):
        assert refused(run, [32, sequence(*ABORT), *FETCH, *MATCH])[0] is Reason.UPDATE_FAILED
        soft = [32, sequence(*SOFT, *uri("a"), *ABORT, *uri("b")), *FETCH, *MATCH]
        assert run(soft) == (fetch("a"), SIZED)

    def test_a_soft_failure_leaves_no_operation_that_was_not_carried_out(self):
        install = [32, sequence(*SOFT, *uri("a"), *FETCH, *ABORT), *uri("b"), *FETCH, *MATCH]
        assert run(install) == (fetch("b"), SIZED)

    def test_a_directive_that_failed_is_not_excused_by_a_soft_failure(self):
        install = [32, sequence(*SOFT, *uri("a"), *FETCH), *uri("b"), *FETCH, *MATCH]
        assert refused(run, install, False)[0] is Reason.UPDATE_FAILED
        soft = [32, sequence(*SOFT, *uri("a"), *FETCH, *MATCH), *uri("b"), *FETCH, *MATCH]
        assert run(soft, True, False) == (fetch("a"), SIZED, fetch("b"), SIZED)

    def test_its_failure_is_one_of_the_alternative_around_it(self):
        install = [15, [sequence(32, sequence(*ABORT)), fetching("b")], *MATCH]
        assert run(install) == (fetch("b"), SIZED)

    @pytest.mark.parametrize("steps", [SOFT, HARD])
    def test_softness_cannot_be_set_where_nothing_could_be_soft(self, steps):
        assert refused(run, [*steps, *FETCH, *MATCH])[0] is Reason.MALFORMED

    @pytest.mark.parametrize("strict", [True, False])
    def test_we_run_in_order_whether_that_is_asked_for_or_not(self, strict):
        assert run([20, {12: strict}, *FETCH, *MATCH]) == (fetch(URI), SIZED)


class TestSeveralComponents:
    ALL = (20, {3: encode([-16, DIGEST]), 14: 5, 21: "x"})

    def test_a_command_is_run_for_all_or_for_some_of_them_in_that_order(self):
        one, two = Fetch(ONE, "x", DIGEST, 5), Fetch(TWO, "x", DIGEST, 5)
        everything = run([12, True, *self.ALL, *FETCH, *MATCH], components=3)
        assert [step.component for step in everything] == [ZERO, ONE, TWO] * 2
        some = run([12, [2, 1], *self.ALL, *FETCH, *MATCH], components=3)
        assert some == (two, one, Match(TWO, DIGEST, 5), Match(ONE, DIGEST, 5))

    def test_a_nested_sequence_is_run_as_a_whole_for_each(self):
        steps = run([12, [0, 1], *self.ALL, 32, sequence(*FETCH, *MATCH)], components=2)
        assert [(type(step), step.component) for step in steps] == [
            (Fetch, ZERO), (Match, ZERO), (Fetch, ONE), (Match, ONE),
        ]  # fmt: skip
        tried = run([12, True, *self.ALL, 15, [sequence(*FETCH, *MATCH)]], components=2)
        assert tried == steps

    def test_the_list_holds_on_after_a_nested_sequence_chose_one(self):
        steps = run([12, [0, 1], *self.ALL, 32, sequence(12, 0), *FETCH, *MATCH], components=2)
        assert [step.component for step in steps] == [ZERO, ONE, ZERO, ONE]

    def test_a_failed_alternative_gives_the_list_back(self):
        chosen = sequence(12, [0, 1], *ABORT)
        steps = run([15, [chosen, sequence()], *FETCH, *MATCH], components=2)
        assert [step.component for step in steps] == [ZERO, ZERO]

    def test_each_section_begins_with_the_first_component(self):
        sections = {20: [12, 1, *self.ALL, *FETCH, *MATCH], 7: [*MATCH]}
        assert run((), sections=sections, components=2)[-1] == SIZED

    def test_an_image_is_copied_swapped_and_started_with_its_arguments(self):
        stated = {3: encode([-16, DIGEST]), 14: 5, 22: 0}
        steps = run([*FETCH, *MATCH, 12, 1, 20, stated, 22, 2, *MATCH, 31, 2, *MATCH], components=2)
        match = Match(ONE, DIGEST, 5)
        copy, swap = Copy(ONE, ZERO, DIGEST, 5), Swap(ONE, ZERO, DIGEST, 5)
        assert steps == (fetch(URI), SIZED, copy, match, swap, match)
        boot = {9: [20, {23: b"-v"}, 23, 2], 7: [*MATCH], 8: []}
        assert run((), sections=boot, procedure=BOOT) == (SIZED, Invoke(ZERO, b"-v"))

    def test_bytes_are_written_and_compared(self):
        match = Match(ZERO, hashlib.sha256(b"on").digest(), 2)
        assert run([20, {18: b"on"}, 18, 2, 6, 15]) == (Write(ZERO, b"on"), match)

    @pytest.mark.parametrize("command", [22, 31])
    @pytest.mark.parametrize("source", [0, 1])
    def test_nothing_is_copied_from_itself_or_from_nowhere(self, command, source):
        assert refused(run, [20, {22: source}, command, 2, *MATCH])[0] is Reason.MALFORMED

    @pytest.mark.parametrize(("outcomes", "reason"), [((True, True, False), Reason.UPDATE_FAILED)])
    def test_a_swap_that_failed_ends_everything(self, outcomes, reason):
        tried = sequence(12, 1, 20, {3: encode([-16, DIGEST]), 22: 0}, 31, 2)
        install = [*FETCH, *MATCH, 15, [tried, sequence()], 12, 1, *MATCH]
        assert refused(run, install, *outcomes, components=2)[0] is reason


@pytest.mark.parametrize(
    ("steps", "components"),
    [
        ([*FETCH], 1),
        ([*MATCH, *FETCH], 1),
        ([20, {18: b"x"}, 18, 2], 1),
        ([*FETCH, *MATCH, *FETCH], 1),
        ([12, 1, 20, {22: 0}, 22, 2, 12, 0, *MATCH], 2),
        ([12, 1, 20, {22: 0}, 31, 2, 12, 0, *MATCH], 2),
    ],
)
def test_whatever_is_put_into_a_component_is_compared_afterwards(steps, components):
    assert refused(run, steps, components=components)[0] is Reason.MALFORMED


def test_nothing_is_started_that_was_not_compared_after_it_was_loaded():
    load = [12, 1, 20, {22: 0}, 22, 2]
    started = {8: load, 9: [12, 1, 23, 2, 20, {3: encode([-16, DIGEST])}, *MATCH]}
    assert refused(run, (), sections=started, components=2, procedure=BOOT)[0] is Reason.MALFORMED


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_procedure_has_only_so_many_operations(extra):
    install = [step for _ in range(OPERATIONS_MAX // 2) for step in (*FETCH, *MATCH)]
    if extra < 0:
        assert len(run(install[4:])) == OPERATIONS_MAX - 2
    elif extra == 0:
        assert len(run(install)) == OPERATIONS_MAX
    else:
        assert refused(run, [*install, *MATCH])[0] is Reason.LIMIT_REACHED


def test_lists_of_components_do_not_multiply_without_end():
    inner = sequence(*[3, 15] * 8)
    for _ in range(2):
        inner = sequence(12, [0] * 40, 32, inner)
    assert refused(run, [12, [0] * 40, 32, inner])[0] is Reason.LIMIT_REACHED
    steps = [20, {5: 0}] * (STEPS_MAX // 2)
    assert refused(run, [*steps, *steps, *FETCH, *MATCH])[0] is Reason.LIMIT_REACHED


def test_more_outcomes_than_operations_are_those_of_another_device():
    assert refused(run, [*FETCH, *MATCH], True, True, True)[0] is Reason.UPDATE_FAILED


class TestDelta:
    BASE = suit.read_arguments(suit.peek(delta_patch()).fetches[0].arguments).base

    def planned(self, measured, *outcomes):
        device = Device(VENDOR, CLASS, measured=measured)
        return execute(suit.peek(delta_patch()).manifest, UPDATE, device, outcomes).operations

    def test_a_device_that_runs_the_base_fetches_the_delta(self):
        steps = self.planned({ZERO: self.BASE})
        assert [type(step) for step in steps] == [Fetch, Match, Match]
        assert steps[0].uri == "artefact/delta"
        arguments = suit.read_arguments(steps[0].arguments)
        assert (arguments.size, arguments.digest) == (len(DELTA), file(DELTA, "x").digest)

    def test_another_device_fetches_the_whole_image(self):
        for measured in ({ZERO: OTHER}, {ZERO: b""}):
            steps = self.planned(measured)
            assert (steps[0].uri, steps[0].arguments) == (URI, None)

    def test_a_device_that_has_not_measured_does_so_first(self):
        first = self.planned({})[0]
        assert first == Match(ZERO, self.BASE, first.size)
        assert self.planned({}, True)[1].uri == "artefact/delta"
        assert self.planned({}, False)[1].uri == URI

    def test_a_delta_that_cannot_be_had_or_applied_gives_way_to_the_whole_image(self):
        steps = self.planned({ZERO: self.BASE}, False)
        assert [step.uri for step in steps[:2]] == ["artefact/delta", URI]

    def test_a_rebuilt_image_that_is_not_the_stated_one_ends_it(self):
        assert refused(self.planned, {ZERO: self.BASE}, True, False)[0] is Reason.DIGEST_MISMATCH

    def test_what_a_patch_brings_is_the_whole_image(self):
        patch = suit.peek(delta_patch())
        assert (patch.uri, [fetch.uri for fetch in patch.fetches]) == (URI, ["artefact/delta", URI])

    def test_a_way_to_fetch_that_we_do_not_know_is_not_gone(self):
        strange = sequence(20, {21: "strange", 25: b"f"}, *FETCH)
        whole = sequence(20, {21: "whole", 25: b""}, *FETCH)
        assert run([15, [strange, whole], *MATCH]) == (fetch("whole"), SIZED)
        assert refused(run, [20, {25: b"f"}, *FETCH, *MATCH])[0] is Reason.UNSUPPORTED

    def test_arguments_of_another_form_are_refused(self):
        assert refused(suit.read_arguments, encode({1: 2, 2: 1, 3: OTHER, 4: OTHER}))[0] is Reason.MALFORMED


def test_what_is_written_copied_and_swapped_is_known_before_it_runs():
    stated = {3: encode([-16, DIGEST]), 14: 1000}
    nested = sequence(20, {21: URI}, *FETCH, *MATCH)
    install = [
        12,
        0,
        32,
        nested,
        12,
        1,
        20,
        {18: b"on"},
        18,
        2,
        6,
        15,
        12,
        2,
        20,
        {**stated, 22: 0},
        22,
        2,
        *MATCH,
    ]
    three = ([b"\x00"], [b"\x01"], [b"\x02"])
    patch = suit.peek(craft(sections={20: install}, components=three))
    held = [(content.component, content.size, content.uri) for content in patch.payloads]
    assert held == [(ZERO, 1000, URI), (ONE, 2, ""), (TWO, 1000, "")]
    swapped = [*install[:-4], 31, 2, *MATCH]
    patch = suit.peek(craft(sections={20: swapped}, components=three))
    assert [content.component for content in patch.payloads] == [ONE, TWO]
    inside = craft(sections={20: [32, sequence(20, {21: "#x"}, *FETCH, *MATCH)]}, severed={"#x": b""})
    assert refused(suit.peek, inside)[0] is Reason.DIGEST_MISMATCH


def test_two_payloads_of_ours_come_in_their_order():
    patch = suit.peek(two_components())
    steps = execute(patch.manifest, UPDATE, DEVICE).operations
    assert [(type(step), step.component) for step in steps] == [
        (Fetch, ZERO), (Match, ZERO), (Fetch, ONE), (Match, ONE), (Match, ZERO), (Match, ONE),
    ]  # fmt: skip
    assert [content.component for content in patch.payloads] == [ZERO, ONE]


def test_an_origin_points_at_the_command_also_inside_a_nested_sequence():
    data = craft([*identity()], {20: [20, {21: URI}, 15, [sequence(*MATCH, *FETCH)], *MATCH]})
    steps = execute(suit.parse(suit.decode(data)), UPDATE, DEVICE).operations
    section = suit.decode(data).manifest
    content = encode([20, {21: URI}, 15, [sequence(*MATCH, *FETCH)], *MATCH])
    assert content in section
    for step, command in zip(steps, (3, 21, 3), strict=True):
        assert (step.origin.section, step.origin.component) == (20, 0)
        assert content[step.origin.offset] == command
    assert [step.origin.policy for step in steps] == [15, 2, 15]


def test_a_patch_for_devices_by_name_fits_only_those():
    mine, yours = suit.device_identifier(CLASS, "mine"), suit.device_identifier(CLASS, "yours")
    for listed in ((mine,), (yours, mine)):
        manifest = suit.peek(plan(suit.Payload((file(b"x", URI),)), devices=listed)).manifest
        assert execute(manifest, UPDATE, Device(VENDOR, CLASS, device_id=mine)).operations
        for other in (None, VENDOR):
            device = Device(VENDOR, CLASS, device_id=other)
            assert refused(execute, manifest, UPDATE, device)[0] is Reason.WRONG_SUBJECT
