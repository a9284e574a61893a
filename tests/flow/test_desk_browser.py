"""A whole approval in a real browser, at a desk that is a real process, with an encrypted key."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from gateway.workspace.folder import Workspace
from keys.signer import from_pem
from tests.cli.conftest import ADVISORY, template, workspace  # noqa: F401 - fixtures

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PASSPHRASE = "correct horse battery"
TOCSIN = (sys.executable, "-m", "gateway.cli.main")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed"),
]


@pytest.fixture
def locked(workspace: Workspace) -> Workspace:  # noqa: F811 - the fixture
    for name in ("legal", "communications"):
        path = workspace.path / "keys" / f"{name}.pem"
        path.write_bytes(from_pem(path.read_bytes(), b"", where="").to_pem(PASSPHRASE.encode()))
    return workspace


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def desk(where: Workspace, key: str, output: list[str]) -> Iterator[str]:
    """Run a desk of its own process; its address, and what it prints afterwards."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    process = subprocess.Popen(
        [*TOCSIN, "desk", "--key", key, "--json", "--workspace", str(where.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGINT)
        output.append(process.stdout.read())
        assert process.wait(timeout=30) == 130
        process.stdout.close()


@contextlib.contextmanager
def at(browser: Browser, url: str) -> Iterator[Page]:
    """Open the desk in a fresh browser profile; nothing it loads may come from elsewhere or go wrong."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    home = url.partition("/open/")[0]
    page.on(
        "request", lambda request: request.url.startswith((home, "data:")) or complaints.append(request.url)
    )
    page.goto(url)
    page.get_by_role("heading", name="One notice awaits you").wait_for()
    yield page
    assert [text for text in complaints if "409" not in text] == []
    context.close()


def people_of(page: Page) -> str:
    """Return who approved and what was said, once the whole page is there: it is shown while it still arrives."""
    page.wait_for_load_state()
    return page.locator("#people").inner_text()


def shown(where: Workspace) -> dict[str, object]:
    done = subprocess.run(
        [*TOCSIN, "advisory", "show", ADVISORY, "--json", "--workspace", str(where.path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(json.loads(done.stdout))


def test_a_whole_approval(locked: Workspace, chromium: Browser) -> None:
    output: list[str] = []
    with desk(locked, "legal", output) as url, at(chromium, url) as page:
        page.get_by_role("link", name=ADVISORY).click()
        page.get_by_role("heading", name="What people will read").wait_for()
        digest = page.locator(".seal .short").inner_text().replace(" ", "").replace("\n", "")
        page.frame_locator("iframe").first.locator("body").wait_for()
        page.get_by_role("checkbox").check()
        page.get_by_label("Passphrase of your key").fill("wrong one")
        page.get_by_role("button", name="Approve and sign").click()
        page.get_by_text("That does not open your key. Nothing was signed.").wait_for()
        assert shown(locked)["signed"] == []
        page.get_by_role("checkbox").check()
        page.get_by_label("Comment").first.fill("Well said.")
        page.get_by_label("Passphrase of your key").fill(PASSPHRASE)
        page.get_by_role("button", name="Approve and sign").click()
        page.get_by_text("You signed it. Still missing: communications, engineering.").wait_for()
        assert PASSPHRASE not in page.content()
    told = shown(locked)
    assert told["digest"] == digest
    assert told["missing"] == ["communications", "engineering"]
    with desk(locked, "communications", output) as url, at(chromium, url) as page:
        page.get_by_role("link", name=ADVISORY).click()
        page.get_by_text("Well said.").wait_for()
        people = people_of(page)
        assert ("exercise-legal" in people, "approved" in people, digest in people) == (True, True, True)
        assert page.locator(".seal .short").inner_text().replace(" ", "").replace("\n", "") == digest
    assert PASSPHRASE not in "".join(output)
    assert "wrong one" not in "".join(output)


def test_a_rejection_with_its_reason(locked: Workspace, chromium: Browser) -> None:
    output: list[str] = []
    with desk(locked, "legal", output) as url:
        with at(chromium, url) as page:
            page.get_by_role("link", name=ADVISORY).click()
            page.locator("summary", has_text="Reject").click()
            page.get_by_label("What has to change").fill("The offer is missing. <script>alert(1)</script>")
            page.get_by_role("button", name="Reject", exact=True).click()
            page.get_by_text("You rejected it.").wait_for()
            assert "<script>alert(1)</script>" in people_of(page)
            page.set_viewport_size({"width": 390, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        other = chromium.new_context()
        page = other.new_page()
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 403
        other.close()
    assert shown(locked)["signed"] == []
    with desk(locked, "communications", output) as url, at(chromium, url) as page:
        page.get_by_role("link", name=ADVISORY).click()
        page.get_by_text("rejected it:").wait_for()
    assert "Traceback" not in "".join(output)
