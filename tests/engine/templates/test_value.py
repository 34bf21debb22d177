"""Copy loops of properties and variables."""

from typing import Any

import pytest

from shared.engine import Context, EvaluationError, InvalidDefinition, expand_template


def properties(source: Any, **template: Any) -> Any:
    resource = {"type": "X.Y/a", "name": "n", "properties": source}
    return expand_template({"resources": [resource], **template}, None, Context())[0]["body"]["properties"]


def loop(**members: Any) -> dict[str, Any]:
    return {"name": "disks", "count": 2, "input": "[copyIndex('disks')]", **members}


@pytest.mark.parametrize(
    ("copy", "value"),
    [
        ([loop()], {"disks": [0, 1]}),
        ([loop(input={"lun": "[copyIndex('DISKS', 1)]"})], {"disks": [{"lun": 1}, {"lun": 2}]}),
        ([loop(count=0)], {"disks": []}),
        ([loop(count="[length(createArray(1, 2, 3))]", input="x")], {"disks": ["x", "x", "x"]}),
        ([loop(), loop(name="nics", input="[copyIndex('nics', 10)]")], {"disks": [0, 1], "nics": [10, 11]}),
        (
            [loop(input={"copy": [loop(name="inner", input="[concat(copyIndex('disks'), copyIndex('inner'))]")]})],
            {"disks": [{"inner": ["00", "01"]}, {"inner": ["10", "11"]}]},
        ),
        ("[concat('a', 'b')]", {"copy": "ab"}),
        (["x"], {"copy": ["x"]}),
        ([], {"copy": []}),
    ],
)
def test_properties_are_copied(copy: Any, value: Any) -> None:
    assert properties({"deep": {"copy": copy, "other": 1}}) == {"deep": {**value, "other": 1}}


def test_loops_of_properties_stand_within_the_loop_of_their_resource() -> None:
    resource = {
        "type": "X.Y/a",
        "name": "[concat('n', copyIndex())]",
        "copy": {"name": "all", "count": 2},
        "properties": {
            "copy": [loop(input="[format('{0}{1}{2}', copyIndex(), copyIndex('all'), copyIndex('disks'))]")]
        },
    }
    found = expand_template({"resources": [resource]})
    assert [each["body"]["properties"]["disks"] for each in found] == [["000", "001"], ["110", "111"]]


@pytest.mark.parametrize(
    ("variables", "value"),
    [
        ({"copy": [loop(name="v")] * 1, "disks": 1}, None),
        ({"copy": [loop(name="v", input="[concat('item', copyIndex('v', 1))]")]}, ["item1", "item2"]),
        ({"v": {"copy": [loop()], "b": 1}}, {"disks": [0, 1], "b": 1}),
        ({"v": "[variables('w')[1]]", "copy": [loop(name="w", input="[mul(copyIndex('w'), 3)]")]}, 3),
    ],
)
def test_variables_are_copied(variables: Any, value: Any) -> None:
    if value is None:
        with pytest.raises(EvaluationError, match="outside the loop 'disks'"):
            properties({"x": "[variables('v')]"}, variables=variables)
    else:
        assert properties({"x": "[variables('V')]"}, variables=variables) == {"x": value}


def test_an_array_is_unknown_as_its_count_is() -> None:
    found = properties({"copy": [loop(count="[length(reference('r').list)]")], "b": 1})
    assert found == {"disks": "known after deployment: reference('r').list", "b": 1}


def test_an_object_is_unknown_as_its_names_are() -> None:
    assert properties({"a": {"[reference('r').key]": 1}, "b": 1}) == {
        "a": "known after deployment: reference('r').key",
        "b": 1,
    }


@pytest.mark.parametrize(
    ("copy", "path"),
    [
        ([{"count": 2, "input": 1}], "copy[0]"),
        ([loop(), {"name": "x", "count": 2}], "copy[1]"),
        ([loop(name=7)], "copy[0]"),
    ],
)
def test_loops_need_a_name_and_an_input(copy: Any, path: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        properties({"copy": copy})
    assert caught.value.path == f"$.resources[0].properties.{path}"


@pytest.mark.parametrize("count", [-1, 801, None, "2", True, 1.5])
def test_loops_run_up_to_800_times(count: Any) -> None:
    with pytest.raises(EvaluationError, match=r"^\$.resources\[0\].properties.copy\[0\].count: "):
        properties({"copy": [loop(count=count)]})


def test_a_loop_of_properties_gives_no_index_without_its_name() -> None:
    with pytest.raises(EvaluationError, match=r"copyIndex\(\) needs the name of its loop"):
        properties({"copy": [loop(input="[copyIndex()]")]})
