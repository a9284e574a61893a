"""What the OpenAPI document says is what the API does: schemathesis asks, on a store with something in it.

It is imported by the test: that takes a second, which every other worker can do without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.core.rights import ROLES
from gateway.web.api.binding import PREFIX
from gateway.web.api.routes import operations
from tests.gateway.api.house import house

EXAMPLES = 5  # at random for each operation, beside those that are worked out of its schema
SEED = 7


def config(token: str) -> Any:
    from schemathesis.config import SchemathesisConfig

    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "headers": {"Authorization": f"Bearer {token}"},
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": True,
                "no-shrink": True,
                "database": "none",
            },
            "phases": {"stateful": {"enabled": False}},
            "cache": {"enabled": False},
            "suppress-health-check": ["all"],
            "continue-on-failure": True,
            "checks": {
                # A value that fits its schema may name nothing, or nothing that this fleet has.
                "positive_data_acceptance": {
                    "expected-statuses": ["2xx", "304", "400", "403", "404", "409", "412", "422"]
                },
                "negative_data_rejection": {
                    "expected-statuses": ["400", "401", "403", "404", "405", "409", "413", "415", "422"]
                },
            },
        }
    )


def faults(recorder: Any) -> list[str]:
    """What each check found, with the request that shows it."""
    from schemathesis.engine import Status

    found = []
    for case, checks in recorder.checks.items():
        for check in checks:
            if check.status is Status.FAILURE:
                info = check.failure_info
                answer = recorder.interactions[case].response
                said = f"{answer.status_code} {answer.text}" if answer else ""
                found.append(
                    f"{check.name}: {info.failure}\n{info.code_sample}\n{recorder.label}: {said[:300]}"
                )
    return found


REVOKE = {"path": f"{PREFIX}/tokens/{{token}}", "method": "DELETE"}
"""Asked for in a run of its own: it may take away the token with which everything is asked."""


@pytest.mark.slow
def test_every_answer_is_one_that_the_document_knows(tmp_path: Path) -> None:
    import schemathesis
    from schemathesis.engine import events, from_schema

    asked: set[str] = set()
    found: list[str] = []
    with house(tmp_path) as built:
        built.new_token("everything", tuple(ROLES))
        whole = schemathesis.openapi.from_asgi(
            f"{PREFIX}/openapi.json", built.app, config=config(built.tokens["everything"])
        )
        for part in (whole.exclude(**REVOKE), whole.include(**REVOKE)):
            for event in from_schema(part).execute():
                if isinstance(event, events.ScenarioFinished):
                    found += faults(event.recorder)
                    asked |= {case.value.operation.label for case in event.recorder.cases.values()}
                elif isinstance(event, events.NonFatalError | events.FatalError):
                    found.append(str(event))
    assert not found, f"{len(found)} faults:\n" + "\n\n".join(found[:10])
    assert asked >= {f"{row.method} {PREFIX}{row.path}" for row in operations().values()}
