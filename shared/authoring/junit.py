"""Results of policy test cases as JUnit XML, which build servers show. Source: the JUnit schema of Apache Ant."""

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from shared.domain.test_case import PolicyTestResult

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(suites: Iterable[tuple[str, Sequence[PolicyTestResult]]]) -> bytes:
    """Return the report of test suites: (name, results)."""
    root = ET.Element("testsuites")
    for name, results in suites:
        root.append(_suite(name, results))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(name: str, results: Sequence[PolicyTestResult]) -> ET.Element:
    # Every problem is a failure, none an error: a case that cannot be run is a case that does not pass.
    failures = sum(not each.passed for each in results)
    seconds = sum(each.seconds for each in results)
    counts = {"tests": str(len(results)), "failures": str(failures), "errors": "0", "time": f"{seconds:.3f}"}
    suite = ET.Element("testsuite", {"name": _clean(name), **counts})
    for each in results:
        case = ET.SubElement(
            suite, "testcase", {"classname": _clean(name), "name": _clean(each.name), "time": f"{each.seconds:.3f}"}
        )
        if not each.passed:
            failure = ET.SubElement(case, "failure", {"message": _clean(each.problems[0])})
            failure.text = _clean("\n".join(each.problems))
    return suite


def _clean(text: str) -> str:
    """Return the text without characters that XML cannot hold."""
    return _NOT_XML.sub("�", text)
