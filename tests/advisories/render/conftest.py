"""A matter with everything that a channel can say, told as its second revision by somebody with an address."""

from collections.abc import Callable
from pathlib import Path

import pytest

from advisories.compose import header_of, text_of
from advisories.facts import Facts, load_facts
from advisories.organisation import Organisation
from advisories.story import Past, RegisteredProduct, Setting, Story

ISSUED = 1_795_345_600  # 22 November 2026
HERE = Path(__file__).parent
Tell = Callable[..., Story]


@pytest.fixture(scope="session")
def rich_yaml() -> str:
    return (HERE / "rich.yaml").read_text("utf-8")


@pytest.fixture(scope="session")
def bare_yaml() -> str:
    """As little as a notice can say."""
    return (HERE / "bare.yaml").read_text("utf-8")


@pytest.fixture(scope="session")
def rich(rich_yaml: str) -> Facts:
    return load_facts(rich_yaml, where="rich.yaml")


@pytest.fixture(scope="session")
def setting() -> Setting:
    return Setting(
        organisation=Organisation(
            name="Example Devices",
            legal_name="Example Devices Ltd",
            address=("1 Example Street", "Example Town"),
            site="https://notices.example.com/",
        ),
        products={"doorbell": RegisteredProduct(name="Doorbell Plus")},
        past=(Past(revision=1, phase="initial", issued=ISSUED - 2 * 86_400, code="7Q3-4MD"),),
    )


@pytest.fixture(scope="session")
def tell(setting: Setting) -> Tell:
    """Make a story of facts, or of a file's text."""

    def make(facts: Facts | str, *, revision: int = 2, **changes: object) -> Story:
        if isinstance(facts, str):
            facts = load_facts(facts, where="a.yaml")
        return Story(
            facts=facts,
            notice=header_of(facts, issued=ISSUED, revision=revision),
            texts={language: text_of(facts, language) for language in facts.texts},
            **{"setting": setting, **changes},
        )

    return make
