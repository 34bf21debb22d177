"""Pages of things in memory add up to the whole, in the order of their keys."""

from shared.domain.page import Page, PageRequest, page_of

NAMES = ("c", "a", "e", "b", "d")


def page(limit: int, cursor: str | None = None, *, total: bool = False) -> Page[str]:
    asked = PageRequest(limit=limit, cursor=cursor, total=total)
    return page_of(NAMES, asked, key=lambda each: each, show=str.upper)


def test_pages_follow_the_keys_and_add_up_to_the_whole() -> None:
    first = page(2)
    second = page(2, first.next_cursor)
    third = page(2, second.next_cursor)
    assert [*first.items, *second.items, *third.items] == ["A", "B", "C", "D", "E"]
    assert third.next_cursor is None


def test_a_page_that_is_exactly_full_is_the_last() -> None:
    assert page(5).next_cursor is None


def test_a_cursor_of_what_was_removed_goes_on_after_it() -> None:
    assert page(1, "bb").items == ("C",)


def test_the_total_is_counted_where_it_is_requested() -> None:
    assert page(2, "c", total=True).total == 5
    assert page(2, "c").total is None
