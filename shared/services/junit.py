"""Outcomes of trials as JUnit XML, which build servers show. Source: the JUnit schema of Apache Ant."""

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from shared.domain.trial import Outcome

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(suites: Iterable[tuple[str, Sequence[Outcome]]]) -> bytes:
    """The report of test suites: (name, outcomes)."""
    root = ET.Element("testsuites")
    for name, outcomes in suites:
        root.append(_suite(name, outcomes))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(name: str, outcomes: Sequence[Outcome]) -> ET.Element:
    failures = sum(not each.passed for each in outcomes)
    seconds = sum(each.seconds for each in outcomes)
    counts = {"tests": str(len(outcomes)), "failures": str(failures), "errors": "0", "time": f"{seconds:.3f}"}
    suite = ET.Element("testsuite", {"name": _clean(name), **counts})
    for each in outcomes:
        case = ET.SubElement(
            suite, "testcase", {"classname": _clean(name), "name": _clean(each.name), "time": f"{each.seconds:.3f}"}
        )
        if not each.passed:
            failure = ET.SubElement(case, "failure", {"message": _clean(each.problems[0])})
            failure.text = _clean("\n".join(each.problems))
    return suite


def _clean(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return _NOT_XML.sub("�", text)
