"""A sweep as JUnit: a test case for each point, so that a CI shows which one failed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from hil.sweep.sweep import Result

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def junit_xml(board: str, scenario: str, results: Sequence[Result]) -> str:
    """Return the file's text; what XML cannot hold becomes a question mark."""
    name = f"powersweep {scenario}"
    broken = [result for result in results if result.broken]
    missed = [result for result in results if not result.reached and not result.broken]
    counts = {"tests": str(len(results)), "failures": str(len(broken)), "errors": "0"}
    counts["skipped"] = str(len(missed))
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": name, **counts})
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            {
                "classname": f"{board}.{scenario}",
                "name": _text(str(result.point)),
                "time": f"{result.seconds:.3f}",
            },
        )
        properties = ET.SubElement(case, "properties")
        for key, value in (
            ("hil.board", board),
            ("hil.outcome", result.outcome),
            ("hil.reached", str(result.reached).lower()),
        ):
            ET.SubElement(properties, "property", {"name": key, "value": value})
        if result in missed:
            ET.SubElement(case, "skipped", {"message": "it came too late to cut anything"})
        if result.broken:
            first = next(iter(result.broken))
            failure = ET.SubElement(case, "failure", {"message": first})
            failure.text = _text("\n".join(f"{one}: {why}" for one, why in result.broken.items()))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _text(text: str) -> str:
    return _NO_XML.sub("?", text)
