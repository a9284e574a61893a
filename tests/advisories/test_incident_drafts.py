"""Reports to authorities: every step of every regime, filled from what is known and from nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.clocks.regimes import builtin
from advisories.clocks.running import Issue
from advisories.facts import Facts, load_facts
from advisories.incident import seal
from advisories.incident.draft import Draft, draft
from advisories.incident.kinds import (
    DraftSigned,
    Estimated,
    Graded,
    Held,
    Stated,
    Submitted,
    Told,
    Triggered,
    made,
)
from advisories.incident.known import Known
from advisories.incident.model import Incident
from advisories.incident.orders import items
from advisories.incident.timeline import as_csv, as_text, timeline
from advisories.incident.violations import violations
from advisories.organisation import Organisation
from keys import cose
from keys.errors import RefusedError
from tests.advisories.clocks.told import ID, at, clock, incident, opened, regime
from tests.advisories.incident_facts import MORE, ORGANISATION, PLAIN
from tests.helpers import Fleet, make_fleet

EXPLOITED = "eu-cra-14-exploited"
NOW = "2026-11-20 20:00"


@pytest.fixture(scope="module")
def rich() -> Facts:
    return load_facts(PLAIN + MORE, where="rich.yaml")


def report(
    story: Incident,
    name: str,
    step: str,
    *facts: Facts,
    now: str = NOW,
    organisation: Organisation = ORGANISATION,
    exercise: bool = False,
) -> Draft:
    known = Known(
        incident=story,
        regime=regime(name),
        organisation=organisation,
        facts=facts,
        issues=tuple(Issue(each.id, 1, at("2026-11-20 18:00")) for each in facts),
        products={"thermostat": "Thermostat"},
    )
    found = regime(name).step(step)
    assert found is not None
    return draft(known, found, clock(story, name, step, now), now=at(now), exercise=exercise)


STEPS = [(name, step.id) for name, found in builtin().regimes.items() for step in found.steps]


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_every_step_has_a_draft_that_names_what_is_missing(name: str, step: str, rich: Facts) -> None:
    story = incident(first=opened(matter="personal-data", regimes=[name]))
    for facts in ((), (rich,)):
        made_ = report(story, name, step, *facts)
        data = json.loads(made_.data)
        assert data["missing"] == list(made_.missing)
        assert [item["item"] for item in data["items"] if not item["lines"]] == data["missing"]
        text = made_.text.decode()
        for item in made_.missing:
            assert f"**Missing:** {items()[item].asks}." in text
            assert f"(`{item}`)" in text
        assert hashlib.sha256(made_.data).hexdigest() in text
        assert "secret function" not in text + made_.data.decode()
        assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize(
    ("step", "wanted", "missing"),
    [
        (
            "early-warning",
            ["Thermostat: affected >=1.0.0 <1.4.2", "active since 2026-11-19"],
            ["member-states"],
        ),
        (
            "notification",
            ["switched off (done, 2026-11-20)", "TLP:AMBER+STRICT", "CVE-2026-0001"],
            ["member-states"],
        ),
        ("final", ["available 2026-11-21 12:00:00 UTC", "Strangers set", "CVSS:3.1/AV:A"], ["actor"]),
    ],
)
def test_reports_on_an_exploited_weakness(
    step: str, wanted: list[str], missing: list[str], rich: Facts
) -> None:
    made_ = report(incident(first=opened(regimes=[EXPLOITED])), EXPLOITED, step, rich)
    text = made_.text.decode()
    for words in ["Example Devices Ltd., 1 Example Street, Exampleton", "legal@example.com", *wanted]:
        assert words in text
    assert list(made_.missing) == missing


def test_without_anything_known_everything_is_missing_but_what_the_incident_says() -> None:
    made_ = report(incident(), EXPLOITED, "notification", organisation=Organisation())
    given_ = {entry.item for entry in made_.entries} - set(made_.missing)
    assert given_ == {"references", "awareness"}


def test_what_a_person_states_comes_first_and_the_last_word_counts(rich: Facts) -> None:
    said = [
        made(Stated, when=at("2026-11-20 10:00"), item="member-states", text=text, source="sales")
        for text in ("Germany", "Germany and France")
    ]
    made_ = report(incident(*said), EXPLOITED, "early-warning", rich)
    assert "Germany and France (stated 2026-11-20 10:00:00 UTC; source: sales)" in made_.text.decode()
    assert made_.missing == ()
    assert "Nothing." in made_.text.decode()


def test_reports_of_the_gdpr_give_reasons_only_when_they_are_late(rich: Facts) -> None:
    story = incident(
        made(Estimated, when=at("2026-11-20 10:00"), count=1_200, of="people", source="records"),
        first=opened(matter="personal-data"),
    )
    early = report(story, "eu-gdpr-33", "notification", rich)
    assert "reasons-for-delay" not in {entry.item for entry in early.entries}
    late = report(story, "eu-gdpr-33", "notification", rich, now="2026-11-24 09:00")
    assert late.missing == ("records", "dpo", "consequences", "reasons-for-delay")
    text = late.text.decode()
    assert "email-address, payment-card (suspected; source: service records; 2026-11-20)" in text
    assert "about 1200 people (as known 2026-11-20 10:00:00 UTC; source: records)" in text
    sent = made(Submitted, when=at("2026-11-24 09:00"), regime="eu-gdpr-33", step="notification")
    after = report(incident(sent, first=opened(matter="personal-data")), "eu-gdpr-33", "notification", rich)
    assert "reasons-for-delay" in after.missing


def test_later_reports_name_what_was_sent_before(rich: Facts) -> None:
    story = incident(
        made(
            Submitted, when=at("2026-11-20 12:00"), regime=EXPLOITED, step="early-warning", reference="EX-17"
        ),
        made(Submitted, when=at("2026-11-20 13:00"), regime="us-hipaa", step="people"),
        made(Triggered, when=at("2026-11-20 14:00"), trigger="fix-available"),
        made(Triggered, when=at("2026-11-20 09:30"), trigger="aware-exploited"),
        made(Graded, when=at("2026-11-20 14:00"), severity="critical"),
    )
    text = report(story, EXPLOITED, "final", rich).text.decode()
    assert "early-warning: EX-17, submitted 2026-11-20 12:00:00 UTC" in text
    assert "us-hipaa" not in text
    assert "critical (of the incident)" in text
    assert "fix or mitigation available at 2026-11-20 14:00:00 UTC" in text
    warning = report(story, EXPLOITED, "early-warning").text.decode()
    assert "known to be actively exploited at 2026-11-20 09:30:00 UTC" in warning


def test_law_enforcement_help_and_the_notice_are_named(rich: Facts) -> None:
    hold = made(Held, when=at("2026-11-20 10:00"), until=at("2026-11-25 10:00"), office="State police")
    story = incident(hold, first=opened(matter="personal-data"))
    text = report(story, "us-tx-521-053", "attorney-general", rich).text.decode()
    assert "State police asked to wait, from 2026-11-20 10:00:00 UTC to 2026-11-25 10:00:00 UTC" in text
    assert "we cooperate with State police (since 2026-11-20; source: letter 3)" in text
    notice = report(story, "us-fl-501-171", "legal-affairs", rich).text.decode()
    assert (
        "EX-2026-0001 revision 1, published 2026-11-20 18:00:00 UTC, to be read at https://example" in notice
    )
    assert "Credit monitoring: by letter" in notice


def test_a_weakness_that_will_not_be_fixed_is_said_to_be_one() -> None:
    facts = load_facts(f"{PLAIN}fix: {{planned: false}}\n", where="x")
    assert "no fix is planned" in report(incident(), EXPLOITED, "final", facts).text.decode()


def test_a_drill_and_a_regime_that_is_off_are_marked() -> None:
    made_ = report(incident(), "us-circia", "incident", exercise=True)
    assert "EXERCISE" in made_.text.decode()
    assert "The clock of this regime is off" in made_.text.decode()
    assert json.loads(made_.data)["exercise"] is True


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return make_fleet()


def sealed(fleet: Fleet, role: str, data: bytes, **about: str) -> bytes:
    return seal.sign(data, fleet.signer(role), fleet=fleet.id, **(ABOUT | about))


ABOUT = {"incident": ID, "regime": EXPLOITED, "step": "final"}


def test_legal_alone_signs_a_draft(fleet: Fleet) -> None:
    signature = sealed(fleet, "legal", b"text")
    entry = seal.verify(signature, b"text", fleet.root, fleet=fleet.id, **ABOUT)
    assert (entry.holder, entry.roles) == ("legal-1", ("legal",))
    message = cose.parse(signature, cose.TAG_SIGN1)
    assert (message.payload, message.header[cose.TYP]) == (None, "tocsin/authority-draft")


@pytest.mark.parametrize(
    ("data", "about", "reason"),
    [
        (b"texT", {}, "BAD_SIGNATURE"),
        (b"text", {"incident": "INC-2026-0002"}, "BAD_SIGNATURE"),
        (b"text", {"regime": "eu-gdpr-33"}, "BAD_SIGNATURE"),
        (b"text", {"step": "notification"}, "BAD_SIGNATURE"),
        (b"text", {"fleet": bytes(32)}, "BAD_SIGNATURE"),
    ],
)
def test_a_signature_serves_for_its_own_draft_only(
    fleet: Fleet, data: bytes, about: dict[str, object], reason: str
) -> None:
    signature = sealed(fleet, "legal", b"text")
    with pytest.raises(RefusedError) as caught:
        seal.verify(signature, data, fleet.root, **{"fleet": fleet.id, **ABOUT, **about})  # type: ignore[arg-type]
    assert caught.value.code == reason


@pytest.mark.parametrize("role", ["engineering", "communications", "operator", "root"])
def test_no_other_role_can_sign_it(fleet: Fleet, role: str) -> None:
    with pytest.raises(RefusedError) as caught:
        seal.verify(sealed(fleet, role, b"text"), b"text", fleet.root, fleet=fleet.id, **ABOUT)
    assert caught.value.code == "THRESHOLD_NOT_MET"


def test_other_signatures_are_none(fleet: Fleet) -> None:
    legal = fleet.signer("legal")
    for signature, reason in (
        (cose.sign1(b"text", legal, typ="tocsin/notice", detached=True), "WRONG_TYPE"),
        (cose.sign1(b"text", legal, detached=True), "WRONG_TYPE"),
        (cose.sign1(b"text", legal, typ=seal.TYP), "MALFORMED"),
        (seal.sign(b"text", fleet.device(), fleet=fleet.id, **ABOUT), "UNKNOWN_KEY"),
        (cose.sign1(b"text", legal, typ=seal.TYP, detached=True), "BAD_SIGNATURE"),
        (bytes(seal.SEAL_BYTES_MAX + 1), "TOO_BIG"),
    ):
        with pytest.raises(RefusedError) as caught:
            seal.verify(signature, b"text", fleet.root, fleet=fleet.id, **ABOUT)
        assert caught.value.code == reason


@given(st.binary(max_size=200))
def test_rubbish_is_refused(data: bytes) -> None:
    fleet = make_fleet()
    with pytest.raises(RefusedError):
        seal.verify(data, b"text", fleet.root, fleet=fleet.id, **ABOUT)


def test_the_timeline_is_in_the_order_of_events_and_safe_in_a_spreadsheet(rich: Facts) -> None:
    story = incident(
        made(Stated, when=at("2026-11-20 11:00"), item="actor", text="=HYPERLINK(1)"),
        made(Told, when=at("2026-11-20 10:00"), audience="suppliers", name="=1+1"),
        first=opened(title="Doors"),
    )
    lines = timeline(story, issues=[Issue("EX-2026-0001", 1, at("2026-11-20 10:30"))], facts=[rich])
    assert [line.what.split(":")[0] for line in lines] == [
        "First use seen (suspected)",
        "became aware of it (vulnerability)",
        "told =1+1 (suppliers)",
        "revision 1 was published",
        "actor",
    ]
    text = as_text(story, lines, exercise=True)
    assert text.startswith("EXERCISE. INC-2026-0001, Doors\n")
    assert "2026-11-19 22:00:00 UTC  First use seen (suspected)  [EX-2026-0001]" in text
    rows = as_csv(lines).split("\r\n")
    assert rows[0] == "at,recorded,by,source,what"
    assert rows[2].startswith("2026-11-20T09:00:00Z,1970-01-01T00:16:41Z,anna,incident.opened,")
    assert as_csv([lines[4].__class__(lines[4].at, None, "=x", "-y", "@z")]).endswith(",'=x,'-y,'@z\r\n")


def test_customers_told_before_a_notice_is_approved_are_a_violation() -> None:
    told = made(Told, when=at("2026-11-20 12:00"), audience="customers", name="Example Ltd.")
    others = made(Told, when=at("2026-11-20 12:00"), audience="regulators", name="office")
    story = incident(told, others)
    for approved, count in ((None, 1), ("2026-11-20 12:00:01", 1), ("2026-11-20 12:00", 0)):
        found = violations(story, builtin(), approved=at(approved) if approved else None)
        assert [each.code for each in found] == ["TOLD_BEFORE_APPROVAL"] * count
    sent = made(Submitted, when=at("2026-11-20 11:00"), regime="us-hipaa", step="people")
    found = violations(incident(sent, told), builtin(), approved=None)
    assert [each.at for each in found] == [at("2026-11-20 11:00"), at("2026-11-20 12:00")]
    assert violations(incident(sent), builtin(), approved=at("2026-11-20 10:00")) == ()


def test_a_report_that_legal_did_not_sign_is_a_violation() -> None:
    sent = made(Submitted, when=at("2026-11-20 12:00"), regime=EXPLOITED, step="early-warning")

    def signed(when: str, step: str = "early-warning") -> DraftSigned:
        return made(DraftSigned, when=at(when), regime=EXPLOITED, step=step, digest="0" * 64, holder="legal")

    assert violations(incident(signed("2026-11-20 11:00"), sent), builtin(), approved=None) == ()
    for other in (signed("2026-11-20 13:00"), signed("2026-11-20 11:00", "final")):
        (found,) = violations(incident(other, sent), builtin(), approved=None)
        assert found.code == "NOT_SIGNED_BY_LEGAL"
    gone = made(Submitted, when=at("2026-11-20 12:00"), regime="own-row-of-before", step="x")
    assert [each.code for each in violations(incident(gone), builtin(), approved=None)] == [
        "NOT_SIGNED_BY_LEGAL"
    ]


def test_the_package_says_nothing_about_machines() -> None:
    for name in ("clocks/regimes.toml", "incident/items.toml"):
        text = (Path(__file__).parents[2] / "advisories" / name).read_text("utf-8")
        assert text.isascii()
