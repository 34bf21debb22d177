"""Pages of lists in a file: whether they go on to the last one. A first page alone says nothing of the rest.

Sources: Azure Resource Graph, "Working with large data sets"; Azure REST API, "nextLink".
"""

from collections.abc import Mapping
from typing import Any

_LINKS = ("nextLink", "@odata.nextLink", "$skipToken", "skipToken", "skip_token")
"""Where a page says that there is another one; null and "" say that there is none."""
_TOTALS = ("totalRecords", "total_records")
_JOIN = "put the pages one after the other into one file, and take that"
_GRAPH = f"get the others with `az graph query --first 1000 --skip-token TOKEN` until no token comes, {_JOIN}"
_ARM = f"get the others with `az rest --url NEXTLINK` until there is no such link, {_JOIN}"


class PageTracker:
    """Follows the pages as they come in the file: one goes on with the one before it, when that was not the last."""

    def __init__(self) -> None:
        self._records = self._pages = 0
        self._lacks = ""
        self._is_graph = False
        self._left = ""

    @property
    def missing(self) -> str:
        """Return which pages of the list are missing, and how to get them; "" when none is."""
        return self._left or self._lacks

    def add(self, said: Mapping[str, Any], records: int, *, is_graph: bool) -> None:
        """Record a page: what it says besides its records, and how many those are."""
        if self._lacks and is_graph != self._is_graph:
            self._left = self._left or self._lacks
            self._lacks = ""
        if not self._lacks:
            self._records = self._pages = 0
        self._is_graph = is_graph
        self._records += records
        self._pages += 1
        self._lacks = self._lacking(said)

    def _lacking(self, said: Mapping[str, Any]) -> str:
        link = next((name for name in _LINKS if isinstance(said.get(name), str) and said[name]), "")
        total = next((said[name] for name in _TOTALS if type(said.get(name)) is int), 0)
        cut = str(said.get("resultTruncated", "")).lower() == "true"
        if not link and not cut and self._records >= total:
            return ""
        of = f" of {total}" if total > self._records else ""
        which = "one page of a list" if self._pages == 1 else f"the first {self._pages} pages of a list"
        why = f", and {link} points to more" if link else ", and it was cut short" if not of else ""
        plural = "" if (total if of else self._records) == 1 else "s"
        return f"{which}: {self._records}{of} record{plural}{why}; {_GRAPH if self._is_graph else _ARM}"
