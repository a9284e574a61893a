"""A device whose patches somebody else brings: notices work, offers are judged, nothing is installed."""

import pytest

from advisories.states import NoticeState
from device_sim.core import effects as do
from device_sim.core.profile import AutoConsent, Platform
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW, OLD, image
from tests.device_sim.core.stories import P, name, world
from tests.device_sim.core.world import FLEET, World
from tests.helpers import PRODUCT, notice

S = NoticeState
WROTE = (do.EraseSlot, do.WriteSlot, do.SaveBoot, do.Fetch, do.RunInstaller, do.AskConsent, do.Announce)


def told(**profile) -> tuple[World, bytes]:
    w = world(platform=Platform.NONE, **profile)
    patch = w.patch()
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    return w, patch


@pytest.mark.parametrize("wish", AutoConsent)
def test_a_genuine_offer_is_not_installed_and_says_why(wish) -> None:
    w, patch = told(auto_consent=wish)
    assert w.path(name(patch)) == [P.OFFERED, P.NOT_APPLICABLE]
    assert w.patch_track(patch).reason is Reason.UNSUPPORTED
    assert w.reports[-1].patches[0].reason is Reason.UNSUPPORTED
    assert not [effect for effect in w.effects if isinstance(effect, WROTE)]
    assert w.notice_track().state is S.SHOWN


def test_what_runs_already_is_said_to_run() -> None:
    w = world(platform=Platform.NONE)
    patch = w.patch(data=image(OLD), version=OLD)
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert w.path(name(patch)) == [P.OFFERED, P.ALREADY_INSTALLED]


def test_once_somebody_else_has_brought_it_notice_and_patch_know() -> None:
    w, patch = told()
    w.slots[0][:] = image(NEW)
    w.restart()
    w.advance(5)
    assert w.path(name(patch))[-3:] == [P.NOT_APPLICABLE, P.OFFERED, P.ALREADY_INSTALLED]
    assert w.notice_track().state is S.NOT_APPLICABLE
    w.restart()
    w.advance(5)
    assert w.path(name(patch))[-1] is P.ALREADY_INSTALLED


def test_a_patch_for_another_model_is_refused_as_such() -> None:
    w = world(platform=Platform.NONE)
    patch = w.patch(class_id=b"x" * 16)
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == (P.NOT_APPLICABLE, Reason.WRONG_MODEL)


@pytest.mark.parametrize("state", [P.WAITING_FOR_CONFIRMATION, P.DEFERRED, P.DOWNLOADING])
def test_where_we_install_a_version_that_came_by_another_way_ends_the_question(state) -> None:
    w = world(auto_consent=False)
    patch = w.roll_out()
    w.serving = False
    if state is not P.WAITING_FOR_CONFIRMATION:
        w.run(w.agent.consent("defer" if state is P.DEFERRED else "yes", w.now))
        w.pump()
    assert w.patch_track(patch).state is state
    w.slots[0][:] = image(NEW)
    w.restart()
    w.advance(5)
    assert w.path(name(patch))[-3:] == [P.CANCELED, P.OFFERED, P.ALREADY_INSTALLED]
