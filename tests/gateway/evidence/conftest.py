"""One told fleet and its export, for all tests that only read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway.evidence.case import Told, tell_a_fleet

Telling = Callable[..., Told]


@pytest.fixture
def telling(tmp_path: Path) -> Iterator[Telling]:
    """Make fleets of one's own, with the options of ``tell_a_fleet``."""
    made: list[Told] = []

    def tell(*, echo: bool = True) -> Told:
        made.append(tell_a_fleet(tmp_path / f"fleet-{len(made)}", echo=echo))
        return made[-1]

    yield tell
    for one in made:
        one.store.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    made = tell_a_fleet(tmp_path_factory.mktemp("told") / "fleet")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def exported(told: Told, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("exported") / "evidence.zip"
    told.export(path)
    return path.read_bytes()
