"""A whole device on a machine without a font: over MQTT and over HTTP it shows the pages that were signed."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from advisories.notice import Text, page_digests
from advisories.report import NoticeStatus, open_report
from advisories.states import NoticeState, Surface
from advisories.topics import Topics
from device_sim.core.profile import Profile
from device_sim.display import open_display
from device_sim.displays import small as display
from device_sim.fleet import Fleet
from device_sim.home import Home
from device_sim.http import HttpLink
from device_sim.owner import SimulatedOwner
from device_sim.shell import DeviceShell, Event
from keys.codec import dump
from keys.reasons import Reason
from tests.device_sim.conftest import RunningBroker
from tests.device_sim.test_fleet import BOOT, IMAGE, READING, Town
from tests.device_sim.test_http import Paths, serving
from tests.helpers import PRODUCT, catalogue, make_fleet, notice, text, timestamp

TOPICS = Topics()
SIGNED = tuple(bytes([number]) * 1_024 for number in (0x0F, 0x33, 0x55))
JAPANESE = text("ja", title="更新のお願い", pages=page_digests(SIGNED))
ALTERED = b"".join(SIGNED)[:-1] + b"\0"


@pytest.fixture(autouse=True)
def _no_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(display, "_FONTS", tmp_path / "no-fonts")
    display.unifont.cache_clear()
    yield
    display.unifont.cache_clear()


def published(signed: Any, pages: bytes, *texts: Text) -> dict[str, bytes]:
    header = notice(signed, texts={told.language: told.digest() for told in texts})
    current = catalogue(signed, header)
    return {
        TOPICS.notice(PRODUCT, header.id): signed.seal(header),
        TOPICS.pages(PRODUCT, "ja", header.id): pages,
        **{TOPICS.text(PRODUCT, told.language, header.id): dump(told) for told in texts},
        TOPICS.catalogue(PRODUCT): signed.seal(current),
        TOPICS.timestamp(PRODUCT): signed.seal(timestamp(signed, current)),
    }


def shown(folder: Path) -> list[bytes]:
    found = []
    for path in sorted(folder.glob("screen-*.png")):
        with Image.open(path) as page:
            found.append(page.tobytes())
    return found


async def test_over_mqtt_the_screen_has_exactly_the_bytes_that_were_signed(
    tmp_path: Path, iotcore_broker: RunningBroker
) -> None:
    town = Town(tmp_path, iotcore_broker)
    await town.open()
    (home,) = town.homes(1, languages=("ja",), surface=Surface.SCREEN)
    told: list[Event] = []
    fleet = Fleet(
        [home],
        town.url,
        reading_s=READING,
        boot_s=BOOT,
        on_event=told.append,
        display=lambda one: open_display("png", one.path, languages=one.profile.languages),
    )
    await fleet.start()
    try:
        for topic, payload in published(town.signed, b"".join(SIGNED), JAPANESE, text("en")).items():
            town._retain(topic, payload)
        await town.until(lambda: bool(town.states()[NoticeState.ACKNOWLEDGED]))
    finally:
        await fleet.stop()
        await town.link.close()
    assert shown(home.path)[:3] == list(SIGNED)
    assert len(shown(home.path)) == 4
    status = town.reports["d-0000"].notices[0]
    assert (status.surface, status.language) == (Surface.SCREEN, "ja")
    remark = next(event.detail for event in told if event.kind == "display")
    assert "fonts-unifont" in remark
    assert "drawn pages are shown" in remark


@pytest.mark.parametrize(
    ("pages", "texts", "language"),
    [
        (b"".join(SIGNED), (JAPANESE,), "ja"),
        (ALTERED, (JAPANESE, text("en")), "en"),
    ],
    ids=["as signed", "a dot altered"],
)
async def test_over_http_altered_pages_are_refused_and_another_language_is_shown(
    tmp_path: Path, pages: bytes, texts: tuple[Text, ...], language: str
) -> None:
    signed = make_fleet(now=int(time.time()) - 60)
    key = signed.device("d-1")
    profile = Profile(
        id="d-1",
        product=PRODUCT,
        vendor_id=b"v" * 16,
        class_id=b"c" * 16,
        languages=("ja",),
        surface=Surface.SCREEN,
    )
    home = Home.create(tmp_path / "d-1", profile, key, signed.root_document, IMAGE, durable=False)
    paths = Paths()
    paths.held = published(signed, pages, *texts)
    with serving(paths) as site:
        link = HttpLink(site, TOPICS, interval_s=0.05)
        device = DeviceShell(
            home,
            link,
            owner=SimulatedOwner(random.Random(1), reading_s=READING),
            display=open_display("png", home.path, languages=("ja",)),
        )
        device.boot()
        await link.connect()
        status: NoticeStatus | None = None
        reasons: list[Reason] = []
        while status is None or status.state is not NoticeState.ACKNOWLEDGED:
            report = open_report((await paths.posted.get())[1], key.public, fleet=signed.id, device="d-1")
            status = report.notices[0] if report.notices else None
            reasons = [entry.reason for entry in report.journal if entry.name == "pages"]
        await device.stop()
    assert (status.language, status.surface) == (language, Surface.SCREEN)
    assert (shown(home.path)[: len(SIGNED)] == list(SIGNED)) is (language == "ja")
    assert reasons == ([] if language == "ja" else [Reason.DIGEST_MISMATCH])
