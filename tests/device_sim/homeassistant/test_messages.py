"""What a device says of itself and of what happens, and how its words are cut and marked."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.notice import Action, Phase, Severity
from advisories.states import NoticeState, PatchState
from device_sim.core.status import Status
from device_sim.homeassistant import messages
from device_sim.homeassistant.messages import EVENTS, events, notice, versions
from device_sim.homeassistant.wording import address, short, summary, title, told
from keys.reasons import Reason
from tests.device_sim.homeassistant.views import ASKED, FLEET, QUIET, asking, patch, view
from tests.helpers import text

N, P = NoticeState, PatchState


def types(before: Status | None, after: Status, since: int = FLEET.now) -> list[str]:
    return [json.loads(event)["event_type"] for event in events(before, after, since)]


def test_a_quiet_device_is_up_to_date_and_clear() -> None:
    assert versions(QUIET) == (
        b'{"in_progress":false,"installed_version":"1.4.0","latest_version":"1.4.0","update_percentage":null}'
    )
    assert notice(QUIET) == b'{"open_notices":0,"state":"clear"}'
    assert versions(replace(QUIET, installed=None)) == b'{"in_progress":false,"update_percentage":null}'


@pytest.mark.parametrize(
    ("state", "percent", "in_progress"),
    [
        (P.WAITING_FOR_CONFIRMATION, None, False),
        (P.DEFERRED, None, False),
        (P.WAITING_FOR_WINDOW, None, False),
        (P.DOWNLOADING, 0, True),
        (P.DOWNLOADING, 99, True),
        (P.VERIFIED, None, True),
        (P.REBOOTING, None, True),
        (P.TESTING, None, True),
        (P.SUCCEEDED, None, False),
        (P.FAILED, None, False),
    ],
)
def test_progress_is_told_while_the_device_works(
    state: PatchState, percent: int | None, in_progress: bool
) -> None:
    said = json.loads(versions(replace(QUIET, patch=patch(state, percent=percent))))
    assert (said["in_progress"], said["update_percentage"]) == (in_progress, percent)


def test_a_patch_that_is_held_up_says_so_and_is_not_in_progress() -> None:
    held = replace(QUIET, patch=patch(P.VERIFIED, reason=Reason.OUT_OF_WINDOW))
    assert json.loads(versions(held))["in_progress"] is False
    assert json.loads(messages.patch(held)) == {
        "patch_notice": "EX-2026-0001",
        "patch_reason": "out_of_window",
        "patch_state": "verified",
        "patch_version": "1.4.2",
    }
    assert messages.patch(QUIET) == b"{}"


def test_a_patch_without_a_version_promises_none() -> None:
    assert json.loads(versions(replace(QUIET, patch=patch(version=None))))["latest_version"] == "1.4.0"


def test_the_notice_is_told_whole() -> None:
    header = view(next_update=FLEET.now + 3_600, exercise=True)
    said = json.loads(notice(replace(QUIET, notices=(header,))))
    assert said == {
        "state": "high",
        "open_notices": 1,
        "id": "EX-2026-0001",
        "revision": 1,
        "check_code": header.check_code,
        "confirmed_current": True,
        "severity": "high",
        "action": "act_now",
        "phase": "initial",
        "exercise": True,
        "acknowledged": False,
        "next_update": "2027-01-15T09:00:00+00:00",
        "language": "en",
        "title": "EXERCISE: Update your thermostat",
        "what_to_do": "Install version 1.4.2 when your device offers it.",
        "what_happened": "Someone on your home network could change the set temperature.",
        "what_is_affected": "Versions 1.0.0 to 1.4.1.",
        "what_we_are_doing": "We have fixed the fault and are sending the update to every device.",
        "contact": "security@example.com",
    }


def test_a_resolved_notice_is_still_told_and_the_state_is_clear() -> None:
    said = json.loads(notice(replace(QUIET, notices=(view(action=Action.RESOLVED),))))
    assert (said["state"], said["open_notices"], said["id"]) == ("clear", 0, "EX-2026-0001")


def test_a_date_beyond_every_calendar_is_cut_at_its_end() -> None:
    said = json.loads(notice(replace(QUIET, notices=(view(next_update=2**60),))))
    assert said["next_update"].startswith("9999-12-31")


# What happens.

SHOWN, READ = (replace(QUIET, notices=(view(state),)) for state in (N.SHOWN, N.ACKNOWLEDGED))
GONE = replace(QUIET, notices=(replace(view(N.WITHDRAWN, revision=2), text=None),))
NEXT = replace(QUIET, notices=(view(revision=2, severity=Severity.CRITICAL),))
MORE = replace(QUIET, notices=(view(N.SHOWN, revision=2, same_since=1, phase=Phase.INITIAL),))


def with_patch(state: PatchState, **fields: Any) -> Status:
    return replace(QUIET, patch=patch(state, **fields))


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (QUIET, QUIET, []),
        (QUIET, SHOWN, ["notice_shown"]),
        (SHOWN, SHOWN, []),
        (SHOWN, READ, ["notice_acknowledged"]),
        (QUIET, READ, ["notice_shown", "notice_acknowledged"]),
        (READ, READ, []),
        (SHOWN, NEXT, ["notice_shown"]),
        (READ, MORE, []),
        (SHOWN, MORE, []),
        (SHOWN, GONE, ["notice_withdrawn"]),
        (GONE, GONE, []),
        (GONE, QUIET, []),
        (QUIET, GONE, ["notice_withdrawn"]),
        (READ, QUIET, ["notice_ended"]),
        (QUIET, with_patch(P.OFFERED), ["patch_offered"]),
        (QUIET, with_patch(P.REJECTED), ["patch_refused"]),
        (QUIET, with_patch(P.NOT_APPLICABLE), []),
        (QUIET, with_patch(P.ALREADY_INSTALLED), []),
        (QUIET, with_patch(P.SUCCEEDED), ["patch_offered", "patch_installed"]),
        (with_patch(P.OFFERED), with_patch(P.DOWNLOADING), []),
        (with_patch(P.DOWNLOADING), with_patch(P.DOWNLOADING, percent=50), []),
        (with_patch(P.TESTING), with_patch(P.SUCCEEDED), ["patch_installed"]),
        (with_patch(P.TESTING), with_patch(P.ROLLED_BACK), ["patch_failed"]),
        (with_patch(P.DOWNLOADING), with_patch(P.FAILED), ["patch_failed"]),
        (with_patch(P.OFFERED), with_patch(P.TIMED_OUT), ["patch_failed"]),
        (with_patch(P.DEFERRED), with_patch(P.CANCELED), ["patch_canceled"]),
        (with_patch(P.DECLINED), with_patch(P.OFFERED), ["patch_offered"]),
        (with_patch(P.DECLINED), with_patch(P.DECLINED), []),
        (with_patch(P.DECLINED), with_patch(P.OFFERED, digest=b"q" * 32), ["patch_offered"]),
        (SHOWN, ASKED, ["patch_offered", "patch_asked"]),
        (ASKED, ASKED, []),
        (ASKED, replace(ASKED, question=asking(question=b"q" * 32)), ["patch_asked"]),
    ],
)
def test_what_happened_between_two_moments(before: Status, after: Status, wanted: list[str]) -> None:
    assert types(before, after) == wanted


def test_at_the_start_only_what_is_younger_than_watching_is_news() -> None:
    ended = replace(SHOWN, patch=patch(P.SUCCEEDED))
    assert types(None, ended, FLEET.now) == ["notice_shown", "patch_offered", "patch_installed"]
    assert types(None, ended, FLEET.now + 1) == []
    assert types(None, ASKED, FLEET.now + 1) == ["patch_asked"]


@given(*[st.sampled_from([QUIET, SHOWN, READ, GONE, NEXT, ASKED, *map(with_patch, P)])] * 2)
def test_only_events_that_were_announced_happen(before: Status, after: Status) -> None:
    assert set(types(before, after)) <= set(EVENTS)
    assert types(after, after) == []


def test_events_say_what_they_are_about() -> None:
    (shown, offered, asked) = (json.loads(event) for event in events(QUIET, ASKED, 0))
    assert (shown["id"], shown["title"]) == ("EX-2026-0001", "Update your thermostat")
    assert offered == {
        "event_type": "patch_offered",
        "notice": "EX-2026-0001",
        "reason": "ok",
        "state": "waiting_for_confirmation",
        "version": "1.4.2",
    }
    assert asked == {"event_type": "patch_asked", "final": False, "version": "1.4.2"}


# Words.


@pytest.mark.parametrize(("length", "cut"), [(599, False), (600, False), (601, True)])
def test_long_words_are_cut(length: int, cut: bool) -> None:
    found = short("x" * length)
    assert len(found) == min(length, 600)
    assert found.endswith("…") is cut


@pytest.mark.parametrize(("length", "cut"), [(254, False), (255, False), (256, True)])
def test_a_summary_is_cut_before_home_assistant_would(length: int, cut: bool) -> None:
    found = summary("x" * length)
    assert len(found) == min(length, 255)
    assert found.endswith("…") is cut


def test_no_mark_of_markdown_is_torn_from_what_it_protects() -> None:
    found = summary("[" * 300)
    assert found == "\\[" * 127 + "…"
    assert summary("see <b> *now* [x](y) a_b `c` #1 a|b ~ & \\") == (
        r"see \<b\> \*now\* \[x\](y) a\_b \`c\` \#1 a\|b \~ \& \\"
    )


@given(st.text(max_size=400))
def test_any_summary_is_short_and_one_line(words: str) -> None:
    found = summary(words)
    assert len(found) <= 255
    assert "\n" not in found
    assert "\u202e" not in found


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (QUIET, ""),
        (with_patch(P.SUCCEEDED), ""),
        (with_patch(P.DOWNLOADING, mends=None), ""),
        (ASKED, "Update your thermostat. Install version 1.4.2 when your device offers it."),
        (
            replace(ASKED, question=asking(text="It closes a hole")),
            "Update your thermostat. It closes a hole.",
        ),
        (replace(ASKED, notices=(), question=asking(text="It closes a hole!")), "It closes a hole!"),
        (
            replace(ASKED, notices=(view(exercise=True),), question=asking(text="a。")),
            "EXERCISE: Update your thermostat. a。",
        ),
        (replace(ASKED, notices=(replace(view(), text=None),)), ""),
    ],
)
def test_the_owner_is_told_what_the_patch_is_for(status: Status, wanted: str) -> None:
    assert told(status) == wanted


@pytest.mark.parametrize(
    ("contact", "wanted"),
    [
        ("security@example.com", ""),
        ("https://example.com/psirt, or call us", "https://example.com/psirt"),
        ("See https://example.com:8443/a?b=c&d.", "https://example.com:8443/a?b=c&d"),
        ("Siehe https://example.com.", "https://example.com"),
        ("http://example.com/plain", ""),
        ("javascript:alert(1)", ""),
        ("https://", ""),
        ("https://example.com/<script>", "https://example.com/"),
    ],
)
def test_the_address_is_a_plain_one_from_the_signed_words(contact: str, wanted: str) -> None:
    assert address(replace(ASKED, notices=(view(words={"contact": contact}),))) == wanted


def test_a_notice_without_its_text_has_no_title() -> None:
    assert title(replace(view(), text=None)) == ""


def test_without_a_patch_there_is_no_address() -> None:
    assert address(replace(QUIET, notices=(view(words={"contact": "https://example.com"}),))) == ""
    assert text("en").contact == "security@example.com"
