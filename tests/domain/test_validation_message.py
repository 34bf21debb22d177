"""What is expected is said in our own words, whichever check failed."""

from datetime import UTC, datetime
from enum import StrEnum

import pytest
from pydantic import AwareDatetime, Field, ValidationError

from shared.domain.model import Model
from shared.domain.validation_message import describe


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Sample(Model):
    text: str = Field(default="ab", min_length=2, max_length=3)
    number: int = Field(default=1, ge=1, le=5)
    names: tuple[str, ...] = Field(default=(), max_length=1)
    sure: bool = False
    at: AwareDatetime = datetime(2026, 1, 1, tzinfo=UTC)
    colour: Colour = Colour.RED


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"text": "a"}, "at least 2 characters are expected"),
        ({"text": "abcd"}, "at most 3 characters are expected"),
        ({"text": 1}, "a text is expected"),
        ({"number": 0}, "1 or more is expected"),
        ({"number": 6}, "5 or less is expected"),
        ({"number": "many"}, "a whole number is expected"),
        ({"names": ["a", "b"]}, "at most 1 are expected"),
        ({"names": "a"}, "a list is expected"),
        ({"sure": "perhaps"}, "true or false is expected"),
        ({"at": "yesterday"}, "a time with offset is expected, such as 2027-03-31T00:00:00Z"),
        ({"at": "2026-01-01T00:00:00"}, "a time with offset is expected, such as 2027-03-31T00:00:00Z"),
        ({"colour": "green"}, "one of 'red' or 'blue' is expected"),
        ({"finding": "f1"}, "nothing of this name is expected here; see the API reference"),
    ],
)
def test_what_is_expected_is_said_in_our_own_words(given: dict[str, object], expected: str) -> None:
    with pytest.raises(ValidationError) as failed:
        Sample.model_validate(given)
    (error,) = failed.value.errors()
    assert describe(error) == expected
