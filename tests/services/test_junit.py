"""The JUnit report holds every case, also those with odd names."""

from xml.etree import ElementTree as ET

from shared.domain.trial import Outcome
from shared.services import junit


def test_failures_are_told_with_their_problems() -> None:
    bad = Outcome(name='<"odd\x00">', passed=False, problems=("one & two", "three"), seconds=0.25)
    report = junit.write([("a.yaml", [Outcome(name="good", passed=True, seconds=0.5), bad]), ("b.yaml", [])])
    root = ET.fromstring(report)  # noqa: S314 - our own text
    first, second = root.findall("testsuite")
    assert first.attrib == {"name": "a.yaml", "tests": "2", "failures": "1", "errors": "0", "time": "0.750"}
    assert second.get("tests") == "0"
    good, failed = first.findall("testcase")
    assert (good.get("classname"), good.get("name"), good.find("failure")) == ("a.yaml", "good", None)
    told = failed.find("failure")
    assert failed.get("name") == '<"odd\ufffd">'
    assert told is not None
    assert (told.get("message"), told.text) == ("one & two", "one & two\nthree")
