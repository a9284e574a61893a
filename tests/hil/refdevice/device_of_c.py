"""The whole core of the C device, driven from Python: documents and blocks in, its journal and wants out."""

from __future__ import annotations

import ctypes
import hashlib
from typing import Any

from advisories import mcuboot, suit
from advisories.limits import BLOCK_BYTES_MAX
from advisories.offer import Offer
from advisories.report import Block, JournalEntry, Want, open_want
from advisories.states import PatchState
from advisories.versions import Version
from keys.codec import dump, load
from keys.reasons import Reason
from tests.advisories.suit_case import CLASS, VENDOR
from tests.helpers import DEVICE, NOW, PRODUCT, Fleet, catalogue, make_fleet, offer, timestamp

from .build import Core, Cut, Source
from .patch_of_c import Maker, Record, made, read_image

FLEET = make_fleet()
OLD: Version = (1, 4, 1, 0)
NEW: Version = (1, 4, 2, 0)
PREFIX = "tocsin/v1/"
SEQUENCE = 7


class Out(Record):
    """``tn_out``."""

    _fields_ = (
        ("number", ctypes.c_uint32),
        ("kind", ctypes.c_uint8),
        ("topic", ctypes.c_uint8),
        ("data", Source),
    )


class Heard(Record):
    """How ``tn_session`` begins."""

    _fields_ = (
        *((name, ctypes.c_bool) for name in ("connected", "news", "rebooting", "measured", "trial")),
        ("slot", ctypes.c_uint8),
        ("installed", ctypes.c_uint32 * 4),
    )


def firmware(version: Version = NEW, *, counter: int = 1, size: int = 9_000, fill: bytes = b"") -> bytes:
    """An image of a few pages of flash."""
    body = hashlib.shake_256(repr((version, fill)).encode()).digest(size) + fill
    return mcuboot.pack(body, version, security_counter=counter)


def patch(image: bytes, version: Version = NEW, *, sequence: int = SEQUENCE, **changes: Any) -> bytes:
    """A patch of one image, signed."""
    plan = suit.PatchPlan(
        sequence=sequence,
        vendor_id=changes.pop("vendor_id", VENDOR),
        class_id=CLASS,
        payloads=(
            suit.Payload(
                (suit.File(hashlib.sha256(image).digest(), len(image), "artefact/x"),), version=version
            ),
        ),
        texts=changes.pop("texts", {"en": "Closes a hole."}),
    )
    data = suit.compose(plan)
    for signer in FLEET.signers("release", "security"):
        data = suit.authenticate(data, signer)
    return data


class Device:
    """One device; its patch, catalogue and offer are at hand."""

    def __init__(
        self, core: Core, image: bytes | None = None, *, connected: bool = True, **changes: Any
    ) -> None:
        self.core, self.lib = core, core.lib
        self.lib.tn_out_head.restype = ctypes.POINTER(Out)
        self.lib.tn_journal_read.restype = Source
        self.lib.tn_topic_word.restype = ctypes.c_char_p
        self.lib.tn_agent_clock.argtypes = (ctypes.c_uint64,)
        self.fleet: Fleet = FLEET
        self.image = firmware() if image is None else image
        self.envelope = patch(self.image, **changes)
        self.digest = suit.manifest_digest(self.envelope)
        self.catalogue = catalogue(FLEET, patches=((SEQUENCE, self.digest),))
        core.new()
        core.set_utc(NOW + 60)
        made(core, PRODUCT, device=DEVICE)
        maker = Maker()
        ctypes.memmove(
            ctypes.byref(maker), ctypes.byref(Maker.in_dll(self.lib, "tn_maker")), ctypes.sizeof(maker)
        )
        core.flash_load("TN_AT_ROOTS", FLEET.root_document)
        maker.root_1[:] = FLEET.id
        maker.root_1_length, maker.provisioned = len(FLEET.root_document), True
        self.lib.tn_store_save_factory(ctypes.byref(maker))
        read_image(core, firmware(OLD), 0)
        self.connects = connected
        self.cut_after_reset: tuple[int, Cut] | None = None
        self.boot()

    def boot(self) -> None:
        """Switch it on, and connect it."""
        self.core.power_on()
        self.go_on()

    def go_on(self) -> None:
        """Do what a reset leads to, as often as it asks for one."""
        assert self.lib.tn_store_load()
        assert self.lib.tn_agent_boot() & 1
        while self.resets():
            assert self.lib.tn_store_load()
            assert self.lib.tn_agent_boot() & 1
        if self.connects:
            self.lib.tn_agent_connected(True)

    def resets(self) -> bool:
        """Reset it, if it asks for that; the power may be cut behind it."""
        if self.core.dead or not self.core.reset_asked:
            return False
        self.core.reset()
        if self.cut_after_reset is not None:
            self.core.cut(*self.cut_after_reset)
            self.cut_after_reset = None
        return True

    def put(self, topic: str, data: bytes) -> Reason:
        """Hand it a message; a reset that follows is carried out."""
        self.core.flash_load("TN_AT_STAGING", data)
        source = self.core.in_flash("TN_AT_STAGING", len(data))
        found = Reason(self.lib.tn_agent_receive(self.core.in_memory((PREFIX + topic).encode()), source))
        if self.resets():
            self.go_on()
        return found

    def tick(self, utc: int | None = None) -> None:
        """Let time pass."""
        self.lib.tn_agent_tick() if utc is None else self.lib.tn_agent_clock(utc)
        if self.resets():
            self.go_on()

    def consent(self, answer: str) -> Reason:
        """Answer what it asks."""
        return Reason(self.lib.tn_agent_consent(answer.encode()))

    def is_current(self) -> None:
        """Bring catalogue and timestamp."""
        self.put(f"timestamp/{PRODUCT}", FLEET.seal(timestamp(FLEET, self.catalogue)))
        self.put(f"catalogue/{PRODUCT}", FLEET.seal(self.catalogue))

    def offer(self, **changes: Any) -> Offer:
        """The offer of its patch."""
        fields: dict[str, Any] = {
            "digest": self.digest,
            "sequence": SEQUENCE,
            "catalogue_version": self.catalogue.version,
        }
        return offer(FLEET, **(fields | changes))

    def offered(self, **changes: Any) -> Reason:
        """Bring an offer."""
        return self.put(f"device/{DEVICE}/offer", FLEET.seal(self.offer(**changes)))

    def takes(self) -> Reason:
        """Bring the patch."""
        return self.put(f"patch/{PRODUCT}/{SEQUENCE}", self.envelope)

    def wants(self) -> list[Want]:
        """Read what it says; return the wants for blocks."""
        found = []
        while not self.core.dead and (head := self.lib.tn_out_head()):
            out = head.contents
            if out.kind == 0 and self.lib.tn_topic_word(out.topic) == b"want":
                want = open_want(ctypes.string_at(out.data.address, out.data.length))
                found += [want] if want.blocks is not None else []
            self.lib.tn_out_acknowledge(out.number)
        return found

    def block(self, at: int, size: int = BLOCK_BYTES_MAX, **changes: Any) -> Reason:
        """Bring one block."""
        digest = hashlib.sha256(self.image).digest()
        fields: dict[str, Any] = {
            "digest": digest,
            "offset": at,
            "data": self.image[at : at + size],
        } | changes
        return self.put(f"device/{DEVICE}/block", dump(Block(**fields)))

    def serve(self, size: int = 2_000) -> None:
        """Bring what is wanted, until nothing is."""
        for _ in range(40):
            wants = self.wants()
            if not wants or self.core.dead:
                return
            assert wants[-1].blocks is not None
            _, at, count = wants[-1].blocks
            end = min(len(self.image), at + count * BLOCK_BYTES_MAX)
            for start in range(at, end, size):
                self.block(start, min(size, end - start))
        raise AssertionError("it wants for ever")

    @property
    def session(self) -> Heard:
        """What it knows of itself."""
        return Heard.in_dll(self.lib, "tn_now")

    @property
    def installed(self) -> Version:
        """What runs."""
        major, minor, revision, build = self.session.installed
        return (major, minor, revision, build)

    def journal(self) -> list[tuple[int, str, int, int, Reason]]:
        """Return what it remembers: track, name, from, to, why."""
        found = []
        for index in range(1_000):
            entry = self.lib.tn_journal_read(index)
            if not entry.length:
                break
            one = load(JournalEntry, ctypes.string_at(entry.address, entry.length), size_max=256)
            found.append((int(one.track), one.name, one.old, one.new, one.reason))
        return found

    def story(self) -> list[tuple[PatchState, Reason]]:
        """Return how its patches went on."""
        return [(PatchState(new), why) for track, _, _, new, why in self.journal() if track == 1]

    @property
    def state(self) -> PatchState | None:
        """Where its newest patch stands."""
        told = self.story()
        return told[-1][0] if told else None
