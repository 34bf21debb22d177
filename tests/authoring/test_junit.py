"""The JUnit report holds every case, also those with odd names."""

from xml.etree import ElementTree as ET

from shared.authoring import junit
from shared.domain.test_case import PolicyTestResult


def test_failures_are_reported_with_their_problems() -> None:
    bad = PolicyTestResult(name='<"odd\x00">', passed=False, problems=("one & two", "three"), seconds=0.25)
    report = junit.junit_xml(
        [("a.yaml", [PolicyTestResult(name="good", passed=True, seconds=0.5), bad]), ("b.yaml", [])]
    )
    root = ET.fromstring(report)  # noqa: S314 - our own text
    first, second = root.findall("testsuite")
    assert first.attrib == {"name": "a.yaml", "tests": "2", "failures": "1", "errors": "0", "time": "0.750"}
    assert second.get("tests") == "0"
    good, failed = first.findall("testcase")
    assert (good.get("classname"), good.get("name"), good.find("failure")) == ("a.yaml", "good", None)
    failure = failed.find("failure")
    assert failed.get("name") == '<"odd\ufffd">'
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("one & two", "one & two\nthree")
