"""``tocsin patch``: of images that imgtool made, of any other file, and of what does not belong together."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest
from imgtool.image import Image as ToolImage
from imgtool.version import decode_version

from advisories import limits, mcuboot, suit
from gateway.operations import patches
from gateway.workspace.folder import Workspace
from keys.errors import InputError, TocsinError
from tests.advisories.suit_case import VECTORS, needs_vectors
from tests.cli.conftest import Ran, Tocsin, no_passphrase, snapshot

BODY = random.Random(6).randbytes(9_000)
NOW = 1_790_000_000
At = Callable[..., Ran]


def image(
    folder: Path, version: str = "1.4.2", *, counter: int | None = 3, body: bytes = BODY, **ids: str
) -> Path:
    """An image as imgtool makes it."""
    tool = ToolImage(
        version=decode_version(version), header_size=32, security_counter=counter, pad_header=True,
        slot_size=1 << 20, **({"vid": "example.com", "cid": "thermostat"} | ids),
    )  # fmt: skip
    tool.payload, tool.image_size = bytes(32) + body, len(body)
    tool.create(None, "hash", None)
    path = folder / f"thermostat-{version}-{counter}-{len(body)}.bin"
    path.write_bytes(bytes(tool.payload))
    return path


@pytest.fixture
def at(tocsin: Tocsin, workspace: Workspace) -> At:
    return lambda *line: tocsin(*map(str, line), "-w", str(workspace.path))


def published(workspace: Workspace, path: Path, now: int) -> None:
    """A patch of this image, approved and published."""
    view = patches.add(workspace, "thermostat", path, now=now)
    reference = str(view.patch.sequence)
    for role in ("release", "security"):
        patches.approve(
            workspace, reference, role, no_passphrase, digest=view.patch.digest, now=now, by="exercise"
        )
    patches.publish(workspace, reference, workspace.signer("operator", no_passphrase), now=now)


def code(ran: Ran) -> str:
    assert ran.status in {2, 3, 4}, ran
    return str(ran.json["error"]["code"])


def test_an_image_of_imgtool_is_patched_and_agrees(at: At, tmp_path: Path) -> None:
    path = image(tmp_path)
    assert at("patch", "add", "--product", "thermostat", "--image", path, "--text", "en=Mends.").status == 0
    shown = at("patch", "show", "thermostat@1.4.2", "--json").json
    assert shown["image_digest"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (shown["deltas"], shown["conditions"], len(shown["components"])) == ([], [], 1)
    ran = at("patch", "check", "thermostat@1.4.2")
    assert ran.status == 0
    assert "note  SIGNATURE" in ran.out
    assert "The manifest and its files agree." in ran.out
    about = at("patch", "show", path, "--json").json
    assert (about["version"], about["security_counter"], about["signatures"]) == ("1.4.2", 3, [])
    assert about["vendor_id"] == suit.identifiers("example.com", "thermostat")[0].hex()


def test_an_image_that_disagrees_is_said_with_every_point_and_status_1(at: At, tmp_path: Path) -> None:
    assert at("patch", "add", "--product", "thermostat", "--image", image(tmp_path)).status == 0
    other = image(tmp_path, "1.4.1", cid="doorbell", counter=None)
    ran = at("patch", "check", "thermostat@1.4.2", "--image", other, "--json")
    assert (ran.status, ran.json["agrees"]) == (1, False)
    (file,) = ran.json["files"]
    wrong = [finding["code"] for finding in file["findings"] if finding["blocks"]]
    assert wrong == ["IMAGE_SIZE", "IMAGE_DIGEST", "VERSION_DIFFERS", "COUNTER_ABSENT", "CLASS_DIFFERS"]
    said = at("patch", "check", "thermostat@1.4.2", "--image", other)
    assert "They disagree in 5 points." in said.out
    assert said.out.index("WRONG CLASS_DIFFERS") < said.out.index("note  SIGNATURE")


def test_an_image_below_the_published_counter_is_neither_added_nor_published(
    at: At, workspace: Workspace, tmp_path: Path
) -> None:
    early = patches.add(workspace, "thermostat", image(tmp_path, "1.4.3", counter=3), now=NOW + 5)
    published(workspace, image(tmp_path, "1.4.2", counter=4), NOW + 9)
    below = image(tmp_path, "1.4.4", counter=3)
    before = snapshot(workspace.path)
    assert code(at("patch", "add", "--product", "thermostat", "--image", below, "--json")) == "COUNTER_BELOW"
    assert snapshot(workspace.path) == before
    reference = str(early.patch.sequence)
    assert at("patch", "check", reference).status == 1
    for role in ("release", "security"):
        patches.approve(
            workspace, reference, role, no_passphrase, digest=early.patch.digest, now=NOW, by="exercise"
        )
    assert code(at("patch", "publish", reference, "--key", "operator", "--json")) == "COUNTER_BELOW"
    again = image(tmp_path, "1.4.5", counter=4)
    assert at("patch", "add", "--product", "thermostat", "--image", again).status == 0
    # Its image was cleared away: no floor is known here, devices hold to their own.
    (workspace.artefacts / hashlib.sha256(image(tmp_path, counter=4).read_bytes()).hexdigest()).unlink()
    assert at("patch", "add", "--product", "thermostat", "--image", below).status == 0


def test_any_file_is_patched_when_its_version_is_said(at: At, workspace: Workspace, tmp_path: Path) -> None:
    bundle = tmp_path / "rootfs.raucb"
    bundle.write_bytes(b"hsqs" + BODY)
    line = ("patch", "add", "--product", "thermostat", "--image", bundle)
    assert code(at(*line, "--json")) == "IMAGE_UNREADABLE"
    assert at(*line, "--version", "2.0.0").status == 0
    assert (workspace.artefacts / hashlib.sha256(bundle.read_bytes()).hexdigest()).is_file()
    assert "NOT_MCUBOOT" in at("patch", "check", "thermostat@2.0.0").out
    # Not an image, but it begins as one: then it must be whole.
    broken = tmp_path / "broken.bin"
    broken.write_bytes(image(tmp_path).read_bytes()[:-1])
    again = ("patch", "add", "--product", "thermostat", "--version", "2.0.1", "--json", "--image", broken)
    assert code(at(*again)) == "IMAGE_BROKEN"
    assert code(at("patch", "show", broken, "--json")) == "IMAGE_UNREADABLE"
    differs = ("patch", "add", "--product", "thermostat", "--version", "2.0.1", "--json")
    assert code(at(*differs, "--image", image(tmp_path))) == "VERSION_DIFFERS"


def test_a_large_file_is_taken_piece_by_piece_and_up_to_the_slot(
    workspace: Workspace, tmp_path: Path
) -> None:
    big = tmp_path / "big.swu"
    size = 3 * 1024 * 1024 + 1
    with big.open("wb") as stream:
        stream.truncate(size)
    toml = workspace.path / "products.toml"
    slot = size - 1
    toml.write_text(toml.read_text().replace("slot_bytes = 65536", f"slot_bytes = {slot}", 1))
    wishes = patches.Wishes(version=(2, 0, 0, 0))
    before = snapshot(workspace.path)
    with pytest.raises(InputError) as error:
        patches.add(Workspace.open(workspace.path), "thermostat", big, now=NOW, wishes=wishes)
    assert error.value.code == "IMAGE_TOO_BIG"
    assert snapshot(workspace.path) == before
    toml.write_text(toml.read_text().replace(f"slot_bytes = {slot}", f"slot_bytes = {size}", 1))
    view = patches.add(Workspace.open(workspace.path), "thermostat", big, now=NOW, wishes=wishes)
    assert view.patch.image_size == size
    left = {path.name for path in workspace.artefacts.iterdir()}
    assert left == {view.patch.image_digest.hex()}


def test_a_pipe_will_do(workspace: Workspace, tmp_path: Path) -> None:
    data = image(tmp_path).read_bytes()
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    view = patches.add(workspace, "thermostat", Path(f"/dev/fd/{reader}"), now=NOW)
    os.close(reader)
    assert view.patch.image_digest == hashlib.sha256(data).digest()


def test_two_components_a_delta_and_conditions(at: At, workspace: Workspace, tmp_path: Path) -> None:
    old, new = image(tmp_path, "1.4.1"), image(tmp_path, body=BODY[:50] + b"mended" + BODY[56:])
    radio = image(tmp_path, "3.0.1", cid="radio", counter=None, body=b"radio")
    ran = at(
        "patch", "add", "--product", "thermostat", "--image", new, "--component", f"radio={radio}",
        "--delta-from", old, "--text", "en=Mends.", "--description", "en=All of it", "--about", "en=The application",
        "--vendor-name", "Example", "--model-name", "Thermostat", "--reference-uri", "https://example.com/p",
        "--use-before", "2027-01-31", "--from-version", "1.0.0", "--until-version", "1.4.2", "--set-version",
        "--device", "d-1", "--device", "f96d82d8-2423-5681-9b6a-33dad7422eb9", "--json",
    )  # fmt: skip
    assert ran.status == 0, ran
    assert [row["component"] for row in ran.json["components"]] == ["00", "radio"]
    (made,) = ran.json["deltas"]
    assert made["base"] == hashlib.sha256(old.read_bytes()).hexdigest()
    assert made["bytes"] < 300
    assert (workspace.artefacts / made["digest"]).stat().st_size == made["bytes"]
    class_id = suit.identifiers("example.com", "thermostat")[1]
    named = patches.find(workspace, "thermostat@1.4.2")
    stated = cbor2.loads(cbor2.loads(named.envelope).value[3])
    assert stated[4] == "https://example.com/p"
    assert suit.device_identifier(class_id, "d-1") in named.envelope
    assert {"use-before 2027-01-31 00:00:00 UTC", "version >= 1.0.0", "version < 1.4.2"} <= set(
        ran.json["conditions"]
    )
    shown = at("patch", "show", "thermostat@1.4.2", "--manifest").out
    for words in (
        "component radio ",
        "delta ",
        "condition: version < 1.4.2",
        "├── alternative 1",
        "(thermostat)",
    ):
        assert words in shown
    assert f"    ├── uri artefact/{made['digest']}\n" in shown.replace("│", " ")
    assert at("patch", "show", "thermostat@1.4.2", "--manifest", "--json").json["tree"]["children"]
    assert at("patch", "check", "thermostat@1.4.2").status == 0
    # What is gone or other than it was is found, each by itself.
    (workspace.artefacts / made["digest"]).write_bytes(b"other")
    (workspace.artefacts / hashlib.sha256(radio.read_bytes()).hexdigest()).unlink()
    found = at("patch", "check", "thermostat@1.4.2", "--json").json["files"]
    assert [f["code"] for row in found for f in row["findings"] if f["blocks"]] == [
        "FILE_ABSENT",
        "FILE_DIFFERS",
    ]
    (workspace.artefacts / made["digest"]).unlink()
    assert "WRONG FILE_ABSENT" in at("patch", "check", "thermostat@1.4.2").out


def test_a_delta_that_spares_nothing_is_left_out_and_said(at: At, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"x")
    new.write_bytes(BODY)
    line = ("patch", "add", "--product", "thermostat", "--image", new, "--version", "1.4.2")
    ran = at(*line, "--delta-from", old)
    assert ran.status == 0
    assert "1 of the deltas would not be smaller than the image" in ran.err
    assert at("patch", "show", "thermostat@1.4.2", "--json").json["deltas"] == []


def test_an_image_for_each_slot_and_a_file_in_the_envelope(
    at: At, workspace: Workspace, tmp_path: Path
) -> None:
    first, second = image(tmp_path), image(tmp_path, body=BODY[1:])
    line = ("patch", "add", "--product", "thermostat", "--image", first, "--image-b", second)
    ran = at(*line, "--json")
    assert ran.json["conditions"] == ["component-slot 0", "component-slot 1"]
    assert at("patch", "check", "thermostat@1.4.2").status == 0
    # Whoever signs is shown both.
    other = hashlib.sha256(second.read_bytes()).hexdigest()
    assert ran.json["other_images"] == [other]
    assert f"other image {other}" in at("patch", "show", "thermostat@1.4.2").out
    (workspace.artefacts / hashlib.sha256(second.read_bytes()).hexdigest()).unlink()
    assert at("patch", "check", "thermostat@1.4.2").status == 1
    small = image(tmp_path, "1.4.3", body=b"tiny")
    assert at("patch", "add", "--product", "thermostat", "--image", small, "--integrate").status == 0
    view = patches.find(workspace, "thermostat@1.4.3")
    assert view.patch.integrated == {"#00": small.read_bytes()}
    assert at("patch", "check", "thermostat@1.4.3").status == 0
    assert "payload #00" in at("patch", "show", "thermostat@1.4.3", "--manifest").out


def test_an_older_image_in_an_alternative_is_shown_and_blocks(
    at: At, workspace: Workspace, tmp_path: Path
) -> None:
    new, old = (image(tmp_path, version).read_bytes() for version in ("1.4.2", "1.3.0"))
    files = []
    for data in (new, old):
        digest = hashlib.sha256(data).digest()
        files.append(suit.File(digest, len(data), f"artefact/{digest.hex()}"))
        workspace.artefacts.mkdir(exist_ok=True)
        (workspace.artefacts / digest.hex()).write_bytes(data)
    product = workspace.product("thermostat")
    envelope = suit.compose(
        suit.PatchPlan(
            sequence=NOW,
            vendor_id=product.vendor_id,
            class_id=product.class_id,
            payloads=(suit.Payload(tuple(files), version=(1, 4, 2, 0)),),
        )
    )
    (workspace.path / "patches").mkdir(exist_ok=True)
    (workspace.path / "patches" / f"{NOW}.suit").write_bytes(envelope)
    assert f"other image {files[1].digest.hex()}" in at("patch", "show", str(NOW)).out
    checked = at("patch", "check", str(NOW))
    assert checked.status == 1
    assert "WRONG VERSION_DIFFERS: The image says version 1.3.0" in checked.out
    assert "They disagree in 1 point." in checked.out


def test_a_file_without_an_end_is_given_up(
    at: At, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patches.add(workspace, "thermostat", image(tmp_path), now=NOW)
    monkeypatch.setattr("gateway.operations.patches.payloads.PAYLOAD_BYTES_MAX", 1 << 24)
    endless = ("patch", "check", str(NOW), "--image", "/dev/zero", "--json")
    assert code(at(*endless)) == "IMAGE_TOO_BIG"


def test_a_file_without_a_number_is_no_patch(at: At, workspace: Workspace, tmp_path: Path) -> None:
    patches.add(workspace, "thermostat", image(tmp_path), now=NOW)
    (workspace.path / "patches" / "\N{SUPERSCRIPT TWO}.suit").write_bytes(b"")
    assert at("patch", "show", str(NOW)).status == 0


def test_a_copy_under_another_number_is_refused(at: At, workspace: Workspace, tmp_path: Path) -> None:
    patches.add(workspace, "thermostat", image(tmp_path), now=NOW)
    stored = workspace.path / "patches" / f"{NOW}.suit"
    copy = stored.with_name(f"{NOW + 1}.suit")
    copy.write_bytes(stored.read_bytes())
    ran = at("patch", "approve", str(NOW), "--key", "release", "--yes", "--json")
    assert (ran.status, ran.json["error"]["code"]) == (5, "PATCH_MISNAMED")
    copy.rename(stored.with_name(f"{NOW}-copy.suit"))
    assert at("patch", "approve", str(NOW), "--key", "release", "--yes").status == 0


BAD = {
    "a component without a file": (("--component", "radio"), "BAD_VALUE"),
    "a component with an empty level": (("--component", "a//b=x.bin"), "BAD_VALUE"),
    "a component twice": (("--component", "radio=x", "--component", "radio=y"), "BAD_VALUE"),
    "a component that is the application": (("--component", "00=IMAGE"), "PATCH_COMPONENTS"),
    "a component that is not there": (("--component", "radio=nowhere.bin"), "FILE_MISSING"),
    "a base that is not there": (("--delta-from", "nowhere.bin"), "FILE_MISSING"),
    "a base that is the image": (("--delta-from", "IMAGE"), "PATCH_DELTA"),
    "a delta beside slots": (("--delta-from", "OLD", "--image-b", "OLD2"), "PATCH_SLOTS"),
    "a second image of another version": (("--image-b", "OLD"), "VERSION_DIFFERS"),
    "a version that is none": (("--version", "1.4"), "BAD_VALUE"),
    "a range that is empty": (("--from-version", "2.0.0", "--until-version", "1.0.0"), "PATCH_RANGE"),
    "a day that is none": (("--use-before", "2027-13-01"), "BAD_VALUE"),
    "a device that is none": (("--device", "a/b"), "BAD_VALUE"),
    "a device twice": (("--device", "d-1", "--device", "d-1"), "PATCH_DEVICES"),
    "a text without a language": (("--text", "words"), "BAD_VALUE"),
    "a text twice": (("--text", "en=a", "--text", "en=b"), "BAD_VALUE"),
    "a description without words": (("--description", "en="), "BAD_VALUE"),
    "an address that is too long": (("--reference-uri", "x" * 256), "PATCH_URI"),
    "words beyond the envelope": (("--text", "en=" + "x" * limits.PATCH_BYTES_MAX), "PATCH_TOO_BIG"),
    "an old sequence number": (("--sequence", "1"), "PATCH_EXISTS"),
}


def test_each_bad_wish_is_refused_with_a_mend_and_leaves_nothing(
    at: At, workspace: Workspace, tmp_path: Path
) -> None:
    new = image(tmp_path)
    names = {"IMAGE": new, "OLD": image(tmp_path, "1.4.1"), "OLD2": image(tmp_path, body=BODY[1:])}
    patches.add(workspace, "thermostat", image(tmp_path, "1.4.0"), now=NOW)
    before = snapshot(workspace.path)
    for name, (options, expected) in BAD.items():
        said = [names[o] if o in names else o.replace("=IMAGE", f"={new}") for o in options]
        ran = at("patch", "add", "--product", "thermostat", "--image", new, *said, "--json")
        assert code(ran) == expected, name
        assert ran.json["error"]["mend"], name
        assert snapshot(workspace.path) == before, name


def test_an_integrated_file_that_is_too_big_names_the_way_out(workspace: Workspace, tmp_path: Path) -> None:
    for size, expected in (
        (limits.ENVELOPE_BYTES_MAX - 900, None),
        (limits.ENVELOPE_BYTES_MAX + 1, "PATCH_TOO_BIG"),
    ):
        toml = workspace.path / "products.toml"
        toml.write_text(toml.read_text().replace("slot_bytes = 65536", "slot_bytes = 99999", 1))
        path = tmp_path / "file"
        path.write_bytes(bytes(size))
        wishes = patches.Wishes(version=(2, 0, 0, 0), integrate=True)
        found = None
        try:
            patches.add(Workspace.open(workspace.path), "thermostat", path, now=NOW, wishes=wishes)
        except TocsinError as error:
            found = error.code
        assert found == expected


@needs_vectors
def test_other_makers_envelopes_are_shown_and_checked_without_a_workspace(
    tocsin: Tocsin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in sorted(VECTORS.glob("*.suit")):
        shown = tocsin("patch", "show", str(path))
        assert (shown.status, "(fits the manifest)" in shown.out) == (0, True)
    assert tocsin("patch", "show", str(path), "--json").json["tree"]["name"] == "SUIT envelope"
    envelope = tmp_path / "patch.suit"
    data = image(tmp_path).read_bytes()
    parsed = mcuboot.parse(data)
    ids = suit.identifiers("example.com", "thermostat")
    envelope.write_bytes(suit.build(7, *ids, data, version=parsed.version, uri="x"))
    assert code(tocsin("patch", "check", str(envelope), "--json")) == "NO_IMAGE"
    assert tocsin("patch", "check", str(envelope), "--image", str(image(tmp_path))).status == 0
    assert tocsin("patch", "check", str(envelope), "--image", str(image(tmp_path, "1.0.0"))).status == 1


def test_an_envelope_for_none_of_our_products_is_shown_in_a_workspace_too(
    at: At, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.suit"
    data = image(tmp_path).read_bytes()
    ids = suit.identifiers("example.org", "kettle")
    unsigned = suit.build(7, *ids, data, version=mcuboot.parse(data).version, uri="x\x1b[2J")
    other.write_bytes(suit.authenticate(unsigned, workspace.signer("release", no_passphrase)))
    shown = at("patch", "show", other)
    assert shown.status == 0
    assert "(exercise-release: release)" in shown.out
    assert "\x1b" not in shown.out
    ran = at("patch", "check", other, "--image", image(tmp_path), "--json")
    wrong = [finding["code"] for finding in ran.json["files"][0]["findings"] if finding["blocks"]]
    assert (ran.status, wrong) == (1, ["VENDOR_DIFFERS", "CLASS_DIFFERS"])
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\xff\x00")
    assert code(at("patch", "show", garbage, "--json")) == "NOT_AN_ENVELOPE"
    assert code(at("patch", "check", garbage, "--json")) == "MALFORMED"
    monkeypatch.chdir(workspace.path)
    ours = patches.add(workspace, "thermostat", image(tmp_path), now=NOW)
    kept = workspace.path / "patches" / f"{ours.patch.sequence}.suit"
    assert "still missing: release" in at("patch", "show", kept).out
    assert at("patch", "check", kept).status == 0
