"""Names are found without regard to case, and given back as they are spelled."""

from shared.domain.spelling import lowered, respell, spelled


def test_a_name_is_found_in_any_case() -> None:
    assert spelled(["Name", "KIND"], "kind") == "KIND"
    assert spelled(["Name"], "kind") is None


def test_a_name_is_given_back_as_it_is_spelled_or_as_it_came() -> None:
    assert respell({"Kind": 1, "kind": 2}, "kind") == "kind"
    assert respell({"Kind": 1}, "kind") == "Kind"
    assert respell({}, "kind") == "kind"


def test_members_are_found_by_their_names_in_lower_case() -> None:
    assert lowered({"Kind": 1, "NAME": 2}) == {"kind": 1, "name": 2}
