"""What each version of a product is made of, and which versions a weakness of a component reaches.

``sboms/<product>/<version>.json``   the components, as :func:`advisories.sbom.encode` writes them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from advisories.components import (
    Answer,
    Verdict,
    Wanted,
    parse_bounds,
    propose,
    ranges,
    wanted_of,
)
from advisories.sbom import SBOM_BYTES_MAX, Sbom, encode, load_sbom, merge, read_sbom
from advisories.suppliers import CSAF_BYTES_MAX, read_supplied
from advisories.templates.writing import Carried, Concerned
from gateway import files
from gateway.operations.afar import operation
from gateway.workspace.folder import Workspace
from keys.errors import DamagedError, InputError

BODY_BYTES_MAX: Final = 32 * 1024 * 1024  # of lists that come from afar
_NAMED_MAX = 8  # versions that one sentence names


@dataclass(frozen=True, slots=True)
class Recorded:
    """A list of components that was stored."""

    format: str
    components: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the registers say about a weakness of a component; a person confirms it."""

    about: str
    """What was asked for, for people."""
    answers: tuple[Answer, ...]
    products: dict[str, Concerned]
    """Those with a version that is affected or to confirm."""
    carried: Carried


def add(workspace: Workspace, product: str, version: str, paths: Sequence[Path]) -> Recorded:
    """Store the components of a version, read from one file or several.

    Raises:
        InputError: NO_PRODUCT, NO_VERSION, SBOM with what is wrong, FILE_MISSING, FILE_TOO_BIG.
    """
    found: list[bytes] = []
    for path in paths:
        data = files.read_bytes(
            path, what="list of components", mend="Check the path.", size_max=SBOM_BYTES_MAX
        )
        found.append(data)
    return record(workspace, product, version, documents=found, names=[str(path) for path in paths])


@operation(
    "PUT", "/products/{product}/versions/{version}/sbom", right="product:write", body_max=BODY_BYTES_MAX
)
def record(
    workspace: Workspace, product: str, version: str, *, documents: Sequence[bytes], names: Sequence[str] = ()
) -> Recorded:
    """Store the components of a version.

    Args:
        workspace: where.
        product: its id.
        version: one that is recorded.
        documents: CycloneDX in JSON, SPDX in JSON or as tags; several make one list.
        names: of their files, for messages.

    Raises:
        InputError: NO_PRODUCT, NO_VERSION, SBOM with what is wrong.
    """
    if not documents:
        raise InputError("SBOM", "There is no list of components.", mend="Give one at least.")
    places = (*names, *(f"document {number + 1}" for number in range(len(names), len(documents))))
    found = [read_sbom(data, where=place) for data, place in zip(documents, places, strict=False)]
    with workspace.lock():
        known = workspace.product(product).versions
        if version not in known:
            raise InputError(
                "NO_VERSION",
                f"'{version}' is no recorded version of {product}.",
                mend=f"Record it: 'tocsin product version add {product} {version}'.",
            )
        sbom = merge(found)
        files.write_atomic(path_of(workspace, product, version), encode(sbom))
    return Recorded(sbom.format, len(sbom.components), tuple(sbom.notes))


def path_of(workspace: Workspace, product: str, version: str) -> Path:
    """Return where the components of a version lie."""
    return workspace.path / "sboms" / product / f"{version}.json"


def lists(workspace: Workspace) -> dict[tuple[str, str], Sbom]:
    """Return (product, version) -> components, for every recorded version that has a list.

    Raises:
        DamagedError: SBOM_DAMAGED.
    """
    found = {}
    for product in workspace.products().values():
        for version in product.versions:
            path = path_of(workspace, product.id, version)
            if not path.exists():
                continue
            try:
                found[product.id, version] = load_sbom(path.read_bytes())
            except ValueError:
                raise DamagedError(
                    "SBOM_DAMAGED",
                    "The stored list of components cannot be read.",
                    mend=f"Read it in again: 'tocsin product sbom {product.id} {version} FILE'.",
                    where=str(path),
                ) from None
    return found


def of_component(workspace: Workspace, name: str, range_: str) -> Proposal:
    """Propose which of our versions contain a component.

    Args:
        workspace: where.
        name: as lists of components name it, or a package URL.
        range_: its affected versions, such as ``>=1.0 <3.0.7``.

    Raises:
        InputError: BAD_VALUE; NOT_AFFECTED, when no version needs a notice.
    """
    try:
        wanted = wanted_of(name, parse_bounds(range_))
    except ValueError as error:
        said = str(error).rstrip(".")
        raise InputError("BAD_VALUE", f"{said}.", mend="See 'tocsin advisory new --help'.") from None
    return proposal(workspace, about=f"{name} {range_}", wanted=(wanted,), carried=Carried())


def of_supplier(workspace: Workspace, path: Path) -> Proposal:
    """Propose which of our versions a supplier's CSAF document concerns; the document itself stays here.

    Raises:
        InputError: CSAF, FILE_MISSING, FILE_TOO_BIG; NOT_AFFECTED, when no version needs a notice.
    """
    data = files.read_bytes(path, what="supplier's document", mend="Check the path.", size_max=CSAF_BYTES_MAX)
    said = read_supplied(data, where=str(path))
    about = f"{said.publisher} {said.id}: {said.title}"
    links = ((said.url, about),) if said.url else ()
    return proposal(
        workspace, about=about, wanted=said.wanted, carried=Carried(cves=said.cves, references=links)
    )


@operation("POST", "/sboms/proposal", right="product:read")
def proposal(workspace: Workspace, *, about: str, wanted: Sequence[Wanted], carried: Carried) -> Proposal:
    """Propose which of our versions contain components that somebody asks for; nothing is written.

    Args:
        workspace: where.
        about: what was asked for, for people.
        wanted: the components.
        carried: what a supplier said beside.

    Raises:
        InputError: NOT_AFFECTED, when no version needs a notice.
    """
    known = workspace.products()
    answers = propose(wanted, {name: each.versions for name, each in known.items()}, lists(workspace))
    products, told, open_ = {}, [], []
    for name, product in known.items():
        of = [each for each in answers if each.product == name]
        hit = [each for each in of if each.verdict is Verdict.AFFECTED]
        unsure = [each for each in of if each.verdict is Verdict.TO_CONFIRM]
        if not hit and not unsure:
            continue
        bounds = ranges(product.versions, [each.version for each in hit])
        products[name] = Concerned(name=product.name, affected=bounds or None)
        if hit:
            parts = ", ".join(dict.fromkeys(each.because for each in hit))
            told.append(f"{product.name} {_named(hit)} contains {parts}.")
        open_ += [
            f"Whether {product.name} {each.version} contains {about} ({each.because}).".replace("  ", " ")
            for each in unsure[:_NAMED_MAX]
        ]
        if len(unsure) > _NAMED_MAX:
            open_.append(f"The same for {len(unsure) - _NAMED_MAX} more versions of {product.name}.")
    if not products:
        raise InputError(
            "NOT_AFFECTED",
            f"None of our recorded versions contains {about}.",
            mend="Nothing was written. Is every version recorded, and its list of components complete?",
        )
    return Proposal(
        about,
        tuple(answers),
        products,
        Carried(
            cves=carried.cves,
            references=carried.references,
            known=tuple((statement, "our lists of components") for statement in told),
            unknown=tuple(open_),
        ),
    )


def _named(answers: Sequence[Answer]) -> str:
    versions = [each.version for each in answers]
    if len(versions) <= _NAMED_MAX:
        return ", ".join(versions)
    return f"{versions[0]} to {versions[-1]} ({len(versions)} versions)"
