"""What the author writes is what the draft's templates say, what the CDDL says, and what our devices carry out."""

from __future__ import annotations

import hashlib
import uuid

import cbor2
import pytest

from advisories import limits, mcuboot, suit
from advisories.suit.operations import Fetch, Invoke, Match
from advisories.suit.patch_plan import DELTAS_MAX, DEVICES_MAX, component_name, read_component
from advisories.suit.readable import numbers
from keys.errors import InputError, RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from tests.advisories.suit_case import CLASS, IMAGE, VENDOR, VERSION, members, refused
from tests.advisories.test_suit_cddl import validate

NEW = suit.File(hashlib.sha256(IMAGE).digest(), len(IMAGE), "artefact/new")
OTHER = suit.File(b"o" * 32, 700, "artefact/other")
RADIO = suit.File(b"r" * 32, 5_000_000_000 % 2**32, "artefact/radio")
OLD = b"b" * 32
DELTA = suit.Delta(suit.File(b"d" * 32, 99, "artefact/delta"), OLD, 900)
MAIN = suit.Payload((NEW,), version=VERSION)


def plan(*payloads, **more):
    fields = {"sequence": 7, "vendor_id": VENDOR, "class_id": CLASS, "payloads": payloads or (MAIN,), **more}
    return suit.PatchPlan(**fields)


def device(**more):
    return suit.Device(VENDOR, CLASS, **more)


def run(data, procedure=suit.UPDATE, outcomes=(), **more):
    """The operations that a device is led to."""
    return suit.execute(suit.parse(suit.decode(data)), procedure, device(**more), outcomes).operations


def test_the_simplest_plan_is_what_build_writes():
    simple = suit.compose(
        plan(suit.Payload((suit.File(NEW.digest, NEW.size, "tocsin:image"),), version=VERSION))
    )
    assert simple == suit.build(7, VENDOR, CLASS, IMAGE, version=VERSION, uri="tocsin:image")
    assert set(cbor2.loads(members(simple)[3])) == {1, 2, 3, 7, 9, 20, 23}


def test_several_components_are_fetched_and_compared_one_after_the_other():
    data = suit.compose(plan(MAIN, suit.Payload((RADIO,), (b"radio",), (2, 0, 0, 0))))
    both = frozenset({suit.COMPONENT, (b"radio",)})
    assert run(data, components=both) == (
        Fetch(suit.COMPONENT, "artefact/new", NEW.digest, NEW.size),
        Match(suit.COMPONENT, NEW.digest, NEW.size),
        Fetch((b"radio",), "artefact/radio", RADIO.digest, RADIO.size),
        Match((b"radio",), RADIO.digest, RADIO.size),
        Match(suit.COMPONENT, NEW.digest, NEW.size),
        Match((b"radio",), RADIO.digest, RADIO.size),
    )
    boot = run(data, suit.BOOT, components=both)
    assert [step for step in boot if isinstance(step, Invoke)] == [Invoke(suit.COMPONENT)]
    patch = suit.peek(data)
    assert [(c.component, c.digest, c.uri) for c in patch.payloads] == [
        (suit.COMPONENT, NEW.digest, "artefact/new"),
        ((b"radio",), RADIO.digest, "artefact/radio"),
    ]
    assert patch.version == VERSION


def test_a_delta_is_tried_before_the_whole_image_by_whoever_runs_its_base():
    other = suit.Delta(suit.File(b"e" * 32, 77, "artefact/delta2"), b"c" * 32, 800)
    data = suit.compose(plan(suit.Payload((NEW,), version=VERSION, deltas=(DELTA, other))))
    whole = Fetch(suit.COMPONENT, "artefact/new", NEW.digest, NEW.size)
    for base, uri, digest in ((OLD, "artefact/delta", b"d" * 32), (b"c" * 32, "artefact/delta2", b"e" * 32)):
        fetch = next(step for step in run(data, measured={suit.COMPONENT: base}) if isinstance(step, Fetch))
        assert (fetch.uri, fetch.digest, fetch.size) == (uri, NEW.digest, NEW.size)
        rebuild = suit.read_arguments(fetch.arguments)
        assert (rebuild.digest, rebuild.base) == (digest, base)
    # Another base, or a device that cannot apply deltas: the whole, without a word of the delta left behind.
    assert whole in run(data, measured={suit.COMPONENT: b"x" * 32})
    after = run(data, outcomes=[False, False], measured={suit.COMPONENT: OLD})
    assert after[2] == whole
    assert after[2].arguments is None
    assert suit.peek(data).payloads[0].uri == "artefact/new"
    for rule, layer in (("Fetch_Arguments", fetch.arguments),):
        validate(rule, layer)


def test_each_slot_has_its_own_image():
    data = suit.compose(plan(suit.Payload((NEW, OTHER), version=VERSION)))
    for slot, file in enumerate((NEW, OTHER)):
        assert run(data, slot=slot)[0] == Fetch(suit.COMPONENT, file.uri, file.digest, file.size)
        assert run(data, suit.BOOT, slot=slot)[0] == Match(suit.COMPONENT, file.digest, file.size)
    with pytest.raises(RefusedError):
        run(data, slot=2)
    beside = suit.compose(plan(MAIN, suit.Payload((RADIO, OTHER), (b"radio",))))
    both = frozenset({suit.COMPONENT, (b"radio",)})
    assert run(beside, slot=1, components=both)[2] == Fetch((b"radio",), OTHER.uri, OTHER.digest, OTHER.size)


@pytest.mark.parametrize(
    ("wish", "fits", "does_not"),
    [
        ({"use_before": 1000}, {"time": 999}, {"time": 1000}),
        ({"running": ((1, 0, 0, 0), None)}, {"versions": {suit.COMPONENT: (1, 0, 0, 0)}}, {"versions": {suit.COMPONENT: (0, 9, 9, 0)}}),
        ({"running": (None, (1, 4, 2, 0))}, {"versions": {suit.COMPONENT: (1, 4, 1, 9)}}, {"versions": {suit.COMPONENT: (1, 4, 2, 0)}}),
        ({"running": ((1, 0, 0, 5), None)}, {"versions": {suit.COMPONENT: (1, 0, 0, 5)}}, {"versions": {suit.COMPONENT: (1, 0, 0, 4)}}),
        ({"devices": (b"u" * 16,)}, {"device_id": b"u" * 16}, {"device_id": b"v" * 16}),
        ({"devices": (b"t" * 16, b"u" * 16)}, {"device_id": b"u" * 16}, {"device_id": b"v" * 16}),
    ],
    ids=["a date", "from a version", "until a version", "a build", "one device", "devices"],
)  # fmt: skip
@pytest.mark.parametrize("several", [False, True])
def test_conditions_hold_before_anything_is_fetched_and_no_boot_asks_for_the_time(
    wish, fits, does_not, several
):
    payloads = (MAIN, suit.Payload((RADIO,), (b"radio",))) if several else (MAIN,)
    data = suit.compose(plan(*payloads, **wish))
    components = frozenset({suit.COMPONENT, (b"radio",)})
    assert isinstance(run(data, components=components, **fits)[0], Fetch)
    with pytest.raises(RefusedError):
        run(data, components=components, **does_not)
    if "devices" not in wish:
        assert run(data, suit.BOOT, components=components)


def test_the_device_of_a_profile_is_named_by_the_same_identifier():
    assert suit.device_identifier(CLASS, "d-1") == uuid.uuid5(uuid.UUID(bytes=CLASS), "d-1").bytes


def test_a_file_in_the_envelope_is_found_there():
    data = suit.compose(plan(suit.Payload((suit.File(NEW.digest, NEW.size, "#00", IMAGE),), version=VERSION)))
    assert suit.decode(data).payloads == {"#00": IMAGE}
    assert suit.peek(data).integrated == {"#00": IMAGE}


def test_words_stand_where_the_draft_has_them():
    about = {"en": "The application.", "fr": "L'application."}
    data = suit.compose(
        plan(
            suit.Payload((NEW,), version=VERSION, about=about),
            suit.Payload((RADIO,), (b"radio",), (2, 0, 0, 0)),
            suit.Payload((OTHER,), (b"blob",)),
            texts={"en": "Mends."},
            descriptions={"de": "Alles."},
            vendor_name="Example",
            model_name="Thermostat",
            reference_uri="https://example.com/p",
            set_version=(1, 4, 2, 0),
        )
    )
    found = cbor2.loads(members(data)[23])
    main = {1: "Example", 2: "Thermostat", 6: "1.4.2+7"}
    assert dict(found["en"]) == {
        2: "Mends.",
        (b"\x00",): {**main, 5: "The application."},
        (b"radio",): {6: "2.0.0"},
    }
    assert dict(found["de"]) == {1: "Alles.", (b"\x00",): main, (b"radio",): {6: "2.0.0"}}
    assert found["fr"][(b"\x00",)][5] == "L'application."
    manifest = suit.parse(suit.decode(data))
    assert (manifest.reference_uri, manifest.version) == ("https://example.com/p", (1, 4, 2))


def layers(data):
    """Every layer of an envelope, nested sequences too, with the rule that it must satisfy."""
    outer = members(data)
    manifest = cbor2.loads(outer[3])
    common = cbor2.loads(manifest[3])
    yield from (("SUIT_Envelope_Tagged", data), ("SUIT_Manifest", outer[3]), ("SUIT_Common", manifest[3]))
    if 6 in manifest:
        yield "Version", manifest[6]
    ahead = [common[4], *(manifest[key] for key in (7, 9, 20))]
    while ahead:
        sequence = ahead.pop()
        yield "SUIT_Sequence", sequence
        flat = cbor2.loads(sequence)
        for code, argument in zip(flat[::2], flat[1::2], strict=True):
            yield "SUIT_Step", cbor2.dumps([code, argument], canonical=True)
            if code == 15:
                ahead += argument
            if code == 20:
                yield "SUIT_Parameters", cbor2.dumps(argument, canonical=True)
                if 28 in argument:
                    yield "Version_Match", argument[28]
                if argument.get(25):
                    yield "Fetch_Arguments", argument[25]
    for language in cbor2.loads(outer[23]).values():
        yield "SUIT_About", cbor2.dumps({k: v for k, v in language.items() if type(k) is int})
        for component, text in language.items():
            if type(component) is tuple:
                yield "SUIT_Component_Text", cbor2.dumps(dict(text))


def test_everything_that_can_be_asked_for_is_what_the_cddl_says():
    wide = plan(
        suit.Payload((suit.File(NEW.digest, NEW.size, "#00", IMAGE),), version=VERSION, deltas=(DELTA,), about={"en": "App."}),
        suit.Payload((RADIO, OTHER), (b"radio", b"\x07"), (2, 0, 0, 0)),
        texts={"en": "Mends."}, descriptions={"de": "Alles."}, vendor_name="Example", model_name="Thermostat",
        reference_uri="https://example.com/p", set_version=VERSION, use_before=1_800_000_000,
        running=((1, 0, 0, 0), (1, 4, 2, 7)), devices=(b"u" * 16, b"v" * 16),
    )  # fmt: skip
    seen = set()
    for rule, layer in layers(suit.compose(wide)):
        validate(rule, layer)
        seen.add(rule)
    assert {"Version", "Version_Match", "Fetch_Arguments", "SUIT_Component_Text"} <= seen
    assert suit.compose(wide) == suit.compose(wide)


def deltas(count):
    return tuple(suit.Delta(DELTA.file, bytes([n]) * 32, 9) for n in range(count))


BAD = {
    "no component": ({"payloads": ()}, "PATCH_COMPONENTS"),
    "a component twice": ({"payloads": (MAIN, MAIN)}, "PATCH_COMPONENTS"),
    "too many components": (
        {"payloads": tuple(suit.Payload((OTHER,), (bytes([n]),)) for n in range(17))}, "PATCH_COMPONENTS"),
    "no file": ({"payloads": (suit.Payload(()),)}, "PATCH_SLOTS"),
    "three slots": ({"payloads": (suit.Payload((NEW, OTHER, RADIO)),)}, "PATCH_SLOTS"),
    "deltas beside slots": ({"payloads": (suit.Payload((NEW, OTHER), deltas=(DELTA,)),)}, "PATCH_SLOTS"),
    "too many deltas": ({"payloads": (suit.Payload((NEW,), deltas=deltas(DELTAS_MAX + 1)),)}, "PATCH_DELTA"),
    "two deltas of one base": ({"payloads": (suit.Payload((NEW,), deltas=(DELTA, DELTA)),)}, "PATCH_DELTA"),
    "a delta from itself": (
        {"payloads": (suit.Payload((NEW,), deltas=(suit.Delta(DELTA.file, NEW.digest, 9),)),)}, "PATCH_DELTA"),
    "a base that is no digest": (
        {"payloads": (suit.Payload((NEW,), deltas=(suit.Delta(DELTA.file, b"x", 9),)),)}, "PATCH_DELTA"),
    "an empty file": ({"payloads": (suit.Payload((suit.File(bytes(32), 0, "x"),)),)}, "PATCH_FILE"),
    "a file beyond 32 bits": (
        {"payloads": (suit.Payload((suit.File(bytes(32), limits.PAYLOAD_BYTES_MAX + 1, "x"),)),)}, "PATCH_FILE"),
    "a digest of 31 bytes": ({"payloads": (suit.Payload((suit.File(bytes(31), 1, "x"),)),)}, "PATCH_FILE"),
    "an inner address for what is outside": ({"payloads": (suit.Payload((suit.File(bytes(32), 1, "#x"),)),)}, "PATCH_URI"),
    "an outer address for what is inside": (
        {"payloads": (suit.Payload((suit.File(bytes(32), 1, "x", b"x"),)),)}, "PATCH_URI"),
    "two files of one name": (
        {"payloads": (suit.Payload((suit.File(bytes(32), 1, "#x", b"x"),)),
                      suit.Payload((suit.File(bytes(32), 1, "#x", b"y"),), (b"y",)))}, "PATCH_URI"),
    "an address of 256 bytes": ({"reference_uri": "x" * 256}, "PATCH_URI"),
    "a description in no language": ({"descriptions": {"": "x"}}, "PATCH_LANGUAGES"),
    "a time before 1970": ({"use_before": -1}, "PATCH_DATE"),
    "a time beyond every clock": ({"use_before": VERSION_MAX + 1}, "PATCH_DATE"),
    "an empty range": ({"running": ((1, 0, 0, 0), (1, 0, 0, 0))}, "PATCH_RANGE"),
    "a device twice": ({"devices": (b"u" * 16, b"u" * 16)}, "PATCH_DEVICES"),
    "a device of 15 bytes": ({"devices": (b"u" * 15,)}, "PATCH_DEVICES"),
    "too many devices": (
        {"devices": tuple(n.to_bytes(16, "big") for n in range(DEVICES_MAX + 1))}, "PATCH_DEVICES"),
    "a file that does not fit the envelope": (
        {"payloads": (suit.Payload((suit.File(bytes(32), 9, "#x", bytes(limits.ENVELOPE_BYTES_MAX)),)),)}, "PATCH_TOO_BIG"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "code"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_said_is_refused_with_a_mend(changes, code):
    payloads = changes.get("payloads", (MAIN,))
    fields = {"sequence": 7, "vendor_id": VENDOR, "class_id": CLASS, **changes, "payloads": payloads}
    with pytest.raises(InputError) as error:
        suit.compose(suit.PatchPlan(**fields))
    assert error.value.code == code
    assert error.value.mend


def test_as_much_as_may_be_is_written():
    for fields in (
        {"devices": tuple(n.to_bytes(16, "big") for n in range(DEVICES_MAX))},
        {"use_before": VERSION_MAX},
        {"payloads": tuple(suit.Payload((OTHER,), (bytes([n]),), version=VERSION) for n in range(16))},
        {"payloads": (suit.Payload((NEW,), version=VERSION, deltas=deltas(DELTAS_MAX)),)},
        {
            "payloads": (
                suit.Payload((suit.File(bytes(32), limits.PAYLOAD_BYTES_MAX, "x"),), version=VERSION),
            )
        },
    ):
        payloads = fields.pop("payloads", (MAIN,))
        assert suit.peek(suit.compose(plan(*payloads, **fields))).sequence == 7


def test_a_component_that_is_not_a_path_of_bytes_is_refused():
    assert refused(suit.compose, plan(suit.Payload((NEW,), ())))[0] is Reason.MALFORMED


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("00", (b"\x00",)),
        ("radio", (b"radio",)),
        ("0xc0de/modem", (b"\xc0\xde", b"modem")),
        ("07/a", (b"\x07", b"a")),
        ("0x3030", (b"00",)),
    ],
)
def test_a_component_is_named_as_it_is_read(name, component):
    assert read_component(name) == component
    assert component_name(component) == name


def test_a_level_of_letters_that_no_terminal_shows_is_written_in_hexadecimal():
    assert component_name((b"a/b", b"\xff\x00", b"\x80", b"")) == "0x612f62/0xff00/80/0x"
    assert read_component("Übel") == ("Übel".encode(),)
    for empty in ("", "a//b", "/"):
        with pytest.raises(ValueError, match="empty level"):
            read_component(empty)


def test_versions_with_what_comes_before_a_release_are_readable():
    assert numbers([1, 2, -1, 3]) == "1.2.rc.3"
    assert mcuboot.parse(IMAGE).version == VERSION
