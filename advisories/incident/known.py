"""What is known for each item of a report, from incident, advisory and organisation. Nothing is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from advisories.clocks.regimes import Regime
from advisories.clocks.running import Issue
from advisories.facts import Facts
from advisories.facts.matter import Status, Step
from advisories.facts.vulnerabilities import Exploitation, Vulnerability
from advisories.incident.model import Incident
from advisories.incident.orders import utc
from advisories.organisation import Organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that a report may be filled from."""

    incident: Incident
    regime: Regime
    organisation: Organisation
    facts: tuple[Facts, ...] = ()
    """Of linked advisories."""
    issues: tuple[Issue, ...] = ()
    """Their published revisions."""
    products: Mapping[str, str] = field(default_factory=dict)
    """Id of a product -> its name."""

    @property
    def weaknesses(self) -> list[Vulnerability]:
        """Those of all advisories."""
        return [weakness for facts in self.facts for weakness in facts.vulnerabilities]


Lines = list[str]


def lines_of(item: str, known: Known) -> Lines:
    """Return what is known about an item, a line for each statement; empty: nothing.

    What a person recorded for the item itself comes before what follows from elsewhere.
    """
    said = known.incident.facts.get(item)
    if said is not None:
        return [f"{said.text} (stated {utc(said.when)}{_source(said.source)})"]
    fill = _FILL.get(item)
    return fill(known) if fill else []


def _source(source: str | None) -> str:
    return f"; source: {source}" if source else ""


def _sure(status: Status, source: str | None, day: date | None) -> str:
    parts = [status.value, *([f"source: {source}"] if source else []), *([str(day)] if day else [])]
    return f" ({'; '.join(parts)})"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _name(weakness: Vulnerability) -> str:
    named = [weakness.cve, _one_line(weakness.title) if weakness.title else None]
    cwe = f"{weakness.cwe.id} {weakness.cwe.name}" if weakness.cwe else None
    return ", ".join(part for part in (*named, cwe) if part)


def _reporter(known: Known) -> Lines:
    made = known.organisation
    name = made.legal_name or made.name
    if not name:
        return []
    people = [
        ", ".join(part for part in (person.holder, person.mail, person.phone) if part)
        for person in made.approvers
        if person.role == "legal"
    ]
    return [", ".join([name, *made.address]), *people]


def _references(known: Known) -> Lines:
    ours = ", ".join([known.incident.id, *known.incident.advisories])
    theirs = [
        f"{step}: {done.reference or 'no number'}, submitted {utc(done.when)}"
        for (regime, step), done in known.incident.submissions.items()
        if regime == known.regime.id
    ]
    return [f"our numbers: {ours}", *theirs]


def _awareness(known: Known) -> Lines:
    own = known.incident.triggers.get(known.regime.aware)
    return [utc(own or known.incident.aware)]


def _product(known: Known) -> Lines:
    found = []
    for facts in known.facts:
        for name, product in facts.products.items():
            fixed = f", fixed in {product.fixed}" if product.fixed else ", no fixed version named"
            affected = "; ".join(product.affected) or "no version"
            found.append(f"{known.products.get(name, name)}: affected {affected}{fixed}")
        found += [_one_line(product.name) for product in facts.named_products.values()]
    return found


def _nature(known: Known) -> Lines:
    found = [_name(weakness) for weakness in known.weaknesses]
    for facts in known.facts:
        found += [f"{fact.statement}{_sure(fact.status, fact.source, fact.date)}" for fact in facts.facts]
    found = [line for line in found if line]
    return found or ([known.incident.title] if known.incident.title else [])


def _exploitation(known: Known) -> Lines:
    found = []
    for weakness in known.weaknesses:
        if weakness.exploited is not Exploitation.UNKNOWN:
            since = f" since {weakness.exploited_since}" if weakness.exploited_since else ""
            found.append(f"{_name(weakness) or 'this vulnerability'}: {weakness.exploited.value}{since}")
    aware = known.incident.triggers.get("aware-exploited")
    if aware is None and known.regime.aware == "aware-exploited" and known.regime.id in known.incident.chosen:
        aware = known.incident.aware
    return [*found, *([f"known to be actively exploited at {utc(aware)}"] if aware else [])]


def _severity(known: Known) -> Lines:
    found = [f"{known.incident.severity} (of the incident)"] if known.incident.severity else []
    found += [f"{facts.severity.name.lower()} (of {facts.id})" for facts in known.facts]
    found += [
        vector
        for weakness in known.weaknesses
        for score in weakness.scores
        for vector in (score.v3, score.v2)
        if vector
    ]
    return found


def _impact(known: Known) -> Lines:
    return [
        _one_line(threat.details)
        for weakness in known.weaknesses
        for threat in weakness.threats
        if threat.category == "impact"
    ]


def _sensitivity(known: Known) -> Lines:
    found = []
    for facts in known.facts:
        embargo = f", not to be public before {utc(facts.embargo_until)}" if facts.embargo_until else ""
        found.append(f"TLP:{facts.tlp.value.upper().replace('-', '+')}{embargo} ({facts.id})")
    return found


def _steps(steps: Iterable[Step]) -> Lines:
    return [
        f"{step.what} ({'done' if step.done else 'planned'}{f', {step.date}' if step.date else ''})"
        for step in steps
    ]


def _measures_taken(known: Known) -> Lines:
    return [line for facts in known.facts for line in _steps(facts.containment)]


def _measures_for_users(known: Known) -> Lines:
    found: Lines = []
    for facts in known.facts:
        found += [facts.source.action, *facts.source.steps]
        found += [facts.source.workaround] if facts.source.workaround else []
    return found


def _fix(known: Known) -> Lines:
    found = []
    for facts in known.facts:
        versions = ", ".join(
            f"{known.products.get(name, name)} {product.fixed}"
            for name, product in facts.products.items()
            if product.fixed
        )
        since = f", available {utc(facts.fix.available)}" if facts.fix and facts.fix.available else ""
        if facts.fix and not facts.fix.planned:
            found.append("no fix is planned")
        elif versions:
            found.append(f"{versions}{since}")
    at = known.incident.triggers.get("fix-available")
    return [*found, *([f"fix or mitigation available at {utc(at)}"] if at else [])]


def _cause(known: Known) -> Lines:
    causes = [facts.cause for facts in known.facts if facts.cause]
    return [f"{cause.statement} (search: {cause.status})" for cause in causes if cause.statement]


def _mitigations(known: Known) -> Lines:
    return [line for facts in known.facts for line in _steps((*facts.containment, *facts.measures))]


def _data_types(known: Known) -> Lines:
    return [
        f"{', '.join(kind.value for kind in facts.data.types)}"
        f"{_sure(facts.data.status, facts.data.source, facts.data.date)}"
        for facts in known.facts
        if facts.data and facts.data.types
    ]


def _people(known: Known) -> Lines:
    if known.incident.estimates:
        last = known.incident.estimates[-1]
        return [f"about {last.count} {last.of} (as known {utc(last.when)}; source: {last.source})"]
    last_of = [facts.estimates[-1] for facts in known.facts if facts.estimates]
    return [f"about {each.count} {each.of} (as known {each.date}; source: {each.source})" for each in last_of]


def _law(known: Known) -> Lines:
    found = [
        f"{hold.office} asked to wait, from {utc(hold.start)}{_end(hold.end)}"
        for hold in known.incident.holds
    ]
    for facts in known.facts:
        with_ = facts.investigation
        if with_ and with_.with_authorities and with_.source and with_.since:
            names = ", ".join(with_.with_authorities)
            found.append(f"we cooperate with {names} (since {with_.since}; source: {with_.source})")
    return found


def _end(end: datetime | None) -> str:
    return f" to {utc(end)}" if end else ""


def _offers(known: Known) -> Lines:
    return [f"{offer.what}: {offer.how}" for facts in known.facts for offer in facts.offers]


def _notice(known: Known) -> Lines:
    site = f", to be read at {known.organisation.site}" if known.organisation.site else ""
    return [
        f"{issue.advisory} revision {issue.revision}, published {utc(issue.at)}{site}"
        for issue in known.issues
    ]


_FILL: Final[Mapping[str, Callable[[Known], Lines]]] = {
    "reporter": _reporter,
    "references": _references,
    "awareness": _awareness,
    "product": _product,
    "nature": _nature,
    "exploitation": _exploitation,
    "severity": _severity,
    "impact": _impact,
    "sensitivity": _sensitivity,
    "measures-taken": _measures_taken,
    "measures-for-users": _measures_for_users,
    "fix": _fix,
    "root-cause": _cause,
    "mitigations": _mitigations,
    "data-types": _data_types,
    "people": _people,
    "law-enforcement": _law,
    "offers": _offers,
    "notice-copy": _notice,
}
"""Item -> what follows for it from elsewhere; the other items only a person can state."""
