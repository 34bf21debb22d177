"""Lint remarks as a SARIF 2.1.0 log, which code hosts and editors show at the lines. Source: OASIS SARIF 2.1.0."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from urllib.parse import quote

from shared.authoring.lint import ESCAPED, INVALID, OPEN, RULE_GROUPS, UNREADABLE
from shared.authoring.source_location import SourceLocations
from shared.domain.lint import LintLevel, LintResult
from shared.domain.resource import JsonObject

SARIF_SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"

_ON_FILES = (
    (INVALID, LintLevel.ERROR, "The language does not allow this.", "Correct the part that the message names."),
    (UNREADABLE, LintLevel.ERROR, "The file cannot be read.", "Save it as text in UTF-8."),
    (OPEN, LintLevel.NOTE, "A policy is known only when its template is deployed.", "Give parameters defaults."),
    (ESCAPED, LintLevel.NOTE, "Expressions are escaped for an ARM template.", "Nothing, if a template deploys it."),
)


def sarif_log(files: Iterable[tuple[str, str, Iterable[LintResult]]]) -> JsonObject:
    """Return the log of one run over files: (path with slashes, text, remarks)."""
    rules = list(_rules())
    index = {rule["id"]: at for at, rule in enumerate(rules)}
    results = []
    for name, text, remarks in files:
        places = SourceLocations(text)  # one pass over a text finds the places of all its remarks
        results += [_result(name, places, remark, index) for remark in remarks]
    driver = {"name": "PolicyCortex", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def _rules() -> Iterator[JsonObject]:
    for each in chain.from_iterable(RULE_GROUPS.values()):
        yield {
            "id": each.id,
            "shortDescription": {"text": each.summary},
            "help": {"text": each.help or each.summary},
            "defaultConfiguration": {"level": each.level.value},
        }
    for rule, level, summary, advice in _ON_FILES:
        text = {"shortDescription": {"text": summary}, "help": {"text": advice}}
        yield {"id": rule, **text, "defaultConfiguration": {"level": level.value}}


def _result(name: str, places: SourceLocations, remark: LintResult, index: Mapping[str, int]) -> JsonObject:
    place = places.find(remark.path)
    text = remark.message if remark.suggestion is None else f"{remark.message}; {remark.suggestion}"
    region = {"startLine": place.line, "startColumn": place.column}
    physical = {"artifactLocation": {"uri": quote(name)}, "region": region}
    logical = [{"fullyQualifiedName": remark.path}]
    return {
        "ruleId": remark.rule,
        "ruleIndex": index[remark.rule],
        "level": remark.level.value,
        "message": {"text": text},
        "locations": [{"physicalLocation": physical, "logicalLocations": logical}],
    }
