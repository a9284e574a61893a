"""Device records go into as many documents as they need, whatever the size of their keys."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from advisories.catalogue import DeviceRecord, Devices
from gateway.operations.identity import devices
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm, PublicKey
from keys.document import peek, size_max
from tests.cli.conftest import (
    no_passphrase,
    template,  # noqa: F401 - a fixture
)
from tests.helpers import NOW, key


def records(algorithm: Algorithm, count: int) -> list[DeviceRecord]:
    """Devices with names as long as may be; their keys are of the right length, and nobody's."""
    sizes = {Algorithm.ML_DSA_44: 1_312, Algorithm.ML_DSA_65: 1_952}
    return [
        DeviceRecord(
            id=f"{number:064}",
            product="thermostat",
            key=PublicKey(algorithm, number.to_bytes(sizes[algorithm]))
            if algorithm in sizes
            else key(f"device-{number}", algorithm).public,
            valid_from=NOW,
            valid_to=NOW * 2,
            revoked=False,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("algorithm", "count"),
    [
        (Algorithm.ML_DSA_65, 48),
        (Algorithm.ML_DSA_65, 130),
        (Algorithm.ML_DSA_44, 512),
        (Algorithm.ESP256, 1_025),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_records_are_split_by_their_size(
    algorithm: Algorithm,
    count: int,
    template: Path,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    shutil.copytree(template, tmp_path / "fleet")
    workspace = Workspace.open(tmp_path / "fleet")
    before = len(devices.rows(workspace))
    shares: list[int] = []
    operator = workspace.signer("operator", no_passphrase)
    given = records(algorithm, count)
    assert devices.register(workspace, given, operator, now=NOW, step=shares.append) == count
    assert sum(shares) == count
    with workspace.store() as store, store.read() as session:
        documents = [stored.bytes for stored in session.documents(Devices.TYPE)][-len(shares) :]
    assert all(len(document) <= size_max(Devices) for document in documents)
    assert [one.id for document in documents for one in peek(document, Devices).records] == [
        one.id for one in given
    ]
    assert len(devices.rows(workspace)) == before + count
