"""Pages of a list: what is asked for, what is returned, and pages of what is in memory."""

from collections.abc import Callable, Iterable

from pydantic import ConfigDict, Field

from shared.domain.model import Model

PAGE_ITEMS = 200


class PageRequest(Model):
    """The part of a question that chooses a page of a list."""

    model_config = ConfigDict(defer_build=False)

    limit: int = Field(default=50, ge=1, le=PAGE_ITEMS, description="items in one page")
    cursor: str | None = Field(default=None, max_length=4096, description="`nextCursor` of the page before")
    total: bool = Field(default=False, description="tell how many match, over all pages")


class Page[T](Model):
    """One page of a listing. `nextCursor` is null on the last; the header Link has the address of the next."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    total: int | None = Field(default=None, description="how many match, over all pages, where requested")


def page_of[T, S](
    things: Iterable[T], asked: PageRequest, *, key: Callable[[T], str], show: Callable[[T], S]
) -> Page[S]:
    """Return a page of things in memory, ordered by `key`; the cursor is the last key of the page before.

    `show` makes what the page holds, of those that are on it.
    """
    every = sorted(things, key=key)
    rest = [each for each in every if key(each) > (asked.cursor or "")]
    shown = rest[: asked.limit]
    return Page[S](
        items=tuple(map(show, shown)),
        next_cursor=key(shown[-1]) if len(rest) > len(shown) else None,
        total=len(every) if asked.total else None,
    )
