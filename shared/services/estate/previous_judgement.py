"""What came of the resources of a subscription in its last judgement, and which of them may have changed since.

Every document of a resource is written by an event of its subscription, so that the events since the last judgement
name all resources that may have changed; none of the others has to be read to know that.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.error import Damaged, UnknownEvent
from shared.domain.estate import Estate
from shared.domain.estate_event import EstateEvent, JudgementEnded, PageJudged
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.services.estate import estate, resource, verdict_cache
from shared.services.estate.surroundings import Surroundings
from shared.services.estate.verdict_cache import JudgedResource

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UpcomingResources:
    """The resources that come next in a judgement: those that are as they were, and those that have to be read.

    `before` is what came of those to be read, where that is known; `last` the key of the last of all, and `is_end`
    whether there are no others.
    """

    kept: Mapping[str, JudgedResource]
    changed: list[str]
    before: Mapping[str, JudgedResource]
    last: str
    is_end: bool


class PreviousJudgement:
    """What came of the resources in the last judgement of a subscription, read in the order of their keys.

    No more than the pages that are needed next are held. `running` is the scan whose judgement is under way: what any
    other began and did not end has left findings that the last judgement does not know of.
    """

    def __init__(self, known: Estate, store: Store, *, running: str = "") -> None:
        self.store = store
        self._running = running
        self._subscription = known.subscription
        self._scan = known.last.scan if known.last else None
        self._sequence = known.last.first if known.last else 0
        self._is_known = known.last is not None
        self._changed: set[str] = set()
        self._judged_since: set[str] = set()
        self._pages: list[PageJudged] = []
        self._ended = False
        self._next = 0
        self._held: dict[str, JudgedResource] = {}
        self._end = ""
        self._keys: dict[str, bool] = {}

    def between(self, first: str, last: str) -> Mapping[str, JudgedResource]:
        """Return what came of the resources from key `first` to `last`; nothing before `first` can be asked for again.

        What is lost is left out: those resources are judged again.
        """
        self._read_on()
        self._held = {key: each for key, each in self._held.items() if key >= first}
        while self._end < last and self._next < len(self._pages):
            self._open_next(first)
        return {key: each for key, each in self._held.items() if key not in self._judged_since}

    def has_kept(self, key: str) -> bool:
        """Return whether no event since the last judgement can have changed a resource, as far as that is known."""
        return self._is_known and key not in self._changed

    def upcoming(self, after: str, around: Surroundings, *, limit: int, reads: int) -> UpcomingResources | None:
        """Return at most `limit` resources with keys after one, of which at most `reads` have to be read.

        None where it is not known what there is, or what came of it: then all that is stored has to be looked at.
        """
        self._read_on()
        self._held = {key: each for key, each in self._held.items() if key > after}
        while self._is_known and len(self._held) < limit and self._next < len(self._pages):
            self._open_next(after)
        if not self._is_known:
            return None
        is_all = self._next == len(self._pages)
        fresh = (key for key in self._changed if key > after and (is_all or key <= self._end))
        ahead = sorted({*(key for key in self._held if key > after), *fresh})
        kept: dict[str, JudgedResource] = {}
        changed: list[str] = []
        last = after
        for key in ahead[:limit]:
            last = key
            before = self._held.get(key)
            if (
                before is None
                or before.digest is None
                or key in self._changed
                or not before.has_same_surroundings(around)
            ):
                changed.append(key)
            else:
                kept[key] = before
            if len(changed) == reads:
                break
        known = {key: self._held[key] for key in changed if key in self._held and key not in self._judged_since}
        return UpcomingResources(kept, changed, known, last, is_all and (not ahead or last == ahead[-1]))

    def settled(self, keys: Collection[str]) -> set[str]:
        """Return those of some keys whose resources are stored for certain, are there, and were read whole."""
        self._read_keys()
        return {key for key in keys if self._keys.get(key) and key not in self._changed}

    def others(self, seen: Collection[str]) -> list[str] | None:
        """Return the keys of all resources that may be stored but for those of some; None where that is not known."""
        self._read_keys()
        if not self._is_known:
            return None
        return sorted(key for key in self._keys.keys() | self._changed if key not in seen)

    def _read_keys(self) -> None:
        self._read_on()
        if self._keys or not self._is_known:
            return
        for each in self._pages:
            page = self._verdicts(each)
            self._is_known = self._is_known and page is not None
            self._keys |= verdict_cache.keys_in(page) if page else {}

    def _open_next(self, first: str) -> None:
        """Hold the next page, of which nothing before `first` is needed."""
        page = self._pages[self._next]
        self._next += 1
        self._end = page.cursor
        # Pages that end before are passed over unopened: a step goes on in the middle of a judgement.
        if page.cursor < first:
            return
        found = self._verdicts(page)
        self._is_known = self._is_known and found is not None
        self._held |= verdict_cache.from_json(found) if found else {}

    def _verdicts(self, page: PageJudged) -> Mapping[str, Any] | None:
        """Return what a page kept; None where that is lost."""
        try:
            found: Mapping[str, Any] = estate.body_of(self.store, page)["verdicts"]
        except Damaged as error:
            _LOG.warning("what a page of resources came to is lost, they are judged again: %s", error.message)
            return None
        return found if verdict_cache.is_readable(found) else None

    def _read_on(self) -> None:
        """Read the events since the judgement, or since they were read last."""
        if self._scan is None:
            return
        try:
            for each in stream.read(estate.STREAM, self._subscription, store=self.store, after=self._sequence):
                self._add(each.event)
                self._sequence = each.sequence
        except UnknownEvent as error:
            # Newer code, which runs during a deployment, has recorded it: it knows what it has changed.
            _LOG.warning("the last judgement of %s cannot be read: %s", self._subscription, error.message)
            self._forget()
        except Damaged as error:
            _LOG.warning("what changed in %s is lost, all of it is looked at: %s", self._subscription, error.message)
            self._forget()

    def _add(self, event: EstateEvent) -> None:
        if isinstance(event, PageJudged) and event.scan == self._scan and not self._ended:
            self._pages.append(event)
        elif isinstance(event, JudgementEnded) and event.scan == self._scan:
            self._ended = True
        elif isinstance(event, PageJudged) and event.scan != self._running:
            # Its findings stand although its judgement never ended, and nothing of the resources shows it.
            page = self._verdicts(event)
            if page is None:
                self._forget()
                return
            self._judged_since |= verdict_cache.keys_in(page).keys()
            self._changed |= self._judged_since
        if event.kinds is None or resource.KIND in event.kinds:
            documents = estate.body_of(self.store, event).get("documents", {})
            for key, row in documents.get(resource.KIND, {}).items():
                # What belongs to a resource is judged with it. A key that no store takes has no document.
                self._changed |= {each for each in (key, row.get("parent")) if each and each.isalnum()}

    def _forget(self) -> None:
        self._scan, self._is_known, self._pages, self._next = None, False, [], 0
        self._keys, self._held = {}, {}
