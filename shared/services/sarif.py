"""Remarks as a SARIF 2.1.0 log, which code hosts and editors show beside the lines. Source: OASIS SARIF 2.1.0."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any
from urllib.parse import quote

from shared.domain.lint import Level, Remark
from shared.services.lint import CHAPTERS, INVALID
from shared.services.location import Locations

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
Json = dict[str, Any]


def log(files: Iterable[tuple[str, str, Iterable[Remark]]]) -> Json:
    """The log of one run over files: (path with slashes, text, remarks)."""
    rules = list(_rules())
    index = {rule["id"]: at for at, rule in enumerate(rules)}
    results = []
    for name, text, remarks in files:
        places = Locations(text)
        results += [_result(name, places, remark, index) for remark in remarks]
    driver = {"name": "PolicyCortex", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rules() -> Iterator[Json]:
    for each in chain.from_iterable(CHAPTERS.values()):
        yield {
            "id": each.id,
            "shortDescription": {"text": each.says},
            "help": {"text": each.mend or each.says},
            "defaultConfiguration": {"level": each.level.value},
        }
    yield {
        "id": INVALID,
        "shortDescription": {"text": "The language does not allow this."},
        "help": {"text": "Mend the part that the message names."},
        "defaultConfiguration": {"level": Level.ERROR.value},
    }


def _result(name: str, places: Locations, remark: Remark, index: Mapping[str, int]) -> Json:
    place = places.find(remark.path)
    told = remark.message if remark.suggestion is None else f"{remark.message}; {remark.suggestion}"
    region = {"startLine": place.line, "startColumn": place.column}
    physical = {"artifactLocation": {"uri": quote(name)}, "region": region}
    logical = [{"fullyQualifiedName": remark.path}]
    return {
        "ruleId": remark.rule,
        "ruleIndex": index[remark.rule],
        "level": remark.level.value,
        "message": {"text": told},
        "locations": [{"physicalLocation": physical, "logicalLocations": logical}],
    }
