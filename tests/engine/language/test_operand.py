"""Functions that deployment templates have and policy rules do not are refused as such."""

import pytest

from shared.engine import InvalidDefinition
from shared.engine.language.operand import parse_operand


@pytest.mark.parametrize(
    "text", ["[newGuid()]", "[reference('x').y]", "[listKeys('x', '1')]", "[resourceId('a/b','c')]"]
)
def test_a_function_of_templates_is_named_as_such(text: str) -> None:
    with pytest.raises(
        InvalidDefinition, match="is for deployment templates, and not allowed in a policy rule"
    ) as found:
        parse_operand(text, "$")
    assert found.value.suggestion is None


def test_a_misspelt_function_has_a_suggestion() -> None:
    with pytest.raises(InvalidDefinition, match="unknown function 'conct'") as found:
        parse_operand("[conct('a')]", "$")
    assert found.value.suggestion == "concat"
