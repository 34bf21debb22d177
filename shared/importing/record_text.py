"""The text of a record, and what it was found in."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class RecordFormat(StrEnum):
    """What a record was found in."""

    LIST = "list"
    OBJECT = "object"
    GRAPH_PAGE = "graphPage"
    GRAPH_TABLE = "graphTable"
    ARM_PAGE = "armPage"
    TEMPLATE = "template"


NO_HEAD: Mapping[str, Any] = {}


class RecordText(NamedTuple):
    """One record's text, which need not be JSON, or why there is none. A tuple goes to another process cheaply.

    `head` is what the container says before its records, `line` the number of the line that the record begins in.
    `is_broken`: where it ends is not known, so that what follows may belong to it.
    """

    offset: int
    format: RecordFormat
    text: bytes = b""
    reason: str = ""
    head: Mapping[str, Any] = NO_HEAD
    line: int = 1
    is_broken: bool = False
