"""An advisory about an incident, in two halves, and the organisation that speaks."""

from __future__ import annotations

from advisories.organisation import load_organisation

PLAIN = """
id: EX-2026-0001
author: {holder: exercise-engineering, role: engineering}
phase: initial
severity: high
action: act-now
products: {thermostat: {affected: [">=1.0.0 <1.4.2"], fixed: "1.4.2"}}
expires_days: 90
source_language: en
facts: [{statement: Strangers can change settings., status: confirmed, source: test 17, date: 2026-11-20}]
texts:
  en:
    title: Please install update
    action: Please accept the update.
    happened: Strangers could change settings.
    affected: Thermostat before version 1.4.2.
    doing: We sent an update.
    contact: support@example.com
    steps: [Open the menu.]
    workaround: Pull the plug.
"""
MORE = """
incident: INC-2026-0001
tlp: amber-strict
embargo_until: 2026-12-01T09:00:00+01:00
vulnerabilities:
  - title: Settings without a password
    cve: CVE-2026-0001
    cwe: {id: CWE-306, name: Missing Authentication for Critical Function}
    exploited: active
    exploited_since: 2026-11-19
    scores: [{products: [thermostat], v3: "CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N"}]
    threats: [{category: impact, details: Strangers set the temperature.}]
named_products:
  lib: {name: Example library}
containment: [{what: Changes from outside are switched off, date: 2026-11-20, done: true}]
measures: [{what: Every build is tested against it, kind: test}]
fix: {available: 2026-11-21T12:00:00Z}
cause: {status: running, statement: A missing check.}
data: {types: [email-address, payment-card], status: suspected, source: service records, date: 2026-11-20}
estimates: [{count: 900, of: devices, date: 2026-11-20, source: sales}]
investigation: {running: true, with_authorities: [State police], since: 2026-11-20, source: letter 3}
offers: [{what: Credit monitoring, how: by letter}]
timeline: [{at: 2026-11-19T23:00:00+01:00, what: First use seen, status: suspected}]
annex: {details: ["secret function name"]}
"""
ORGANISATION = load_organisation(
    """
legal_name: Example Devices Ltd.
address: [1 Example Street, Exampleton]
site: https://example.com/security
approvers: [{holder: exercise-legal, role: legal, mail: legal@example.com}, {holder: x, role: engineering}]
""",
    where="organisation.yaml",
)
