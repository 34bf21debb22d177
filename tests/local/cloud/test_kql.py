"""Queries of Resource Graph are parsed, and unknown constructs refused."""

from typing import Any

import pytest

from local.cloud.graph.kql import KqlPath, KqlQuery, QueryError, parse_query


def test_queries_of_collectors_are_parsed() -> None:
    query = parse_query(
        "resources | where type =~ 'Microsoft.Web/sites' and subscriptionId in~ ('A', 'b') "
        "| project id, tls = properties.siteConfig.minTlsVersion, tags['cost center'] | order by id asc, name | take 5"
    )
    assert query.conditions == (
        ("lower(type) = lower(?)", ("Microsoft.Web/sites",)),
        ("lower(subscription) IN (?, ?)", ("a", "b")),
    )
    assert query.columns == (
        ("id", KqlPath(("id",))),
        ("tls", KqlPath(("properties", "siteConfig", "minTlsVersion"))),
        ("tags_cost center", KqlPath(("tags", "cost center"))),
    )
    assert query.order == ((KqlPath(("id",)), False), (KqlPath(("name",)), True))
    assert query.take == 5


def test_an_order_may_convert_its_column() -> None:
    query = parse_query("resources | project id | order by tolower(id) asc, tostring(properties.x)")
    assert query.order == ((KqlPath(("id",), "tolower"), False), (KqlPath(("properties", "x")), True))
    with pytest.raises(QueryError):
        parse_query("resources | order by toupper(id)")


@pytest.mark.parametrize(
    ("text", "by", "total"),
    [
        ("resources | summarize count() by type", (("type", KqlPath(("type",))),), "count_"),
        ("resources | summarize n = count() by kind", (("kind", KqlPath(("kind",))),), "n"),
        ("resources | summarize count()", (), "count_"),
        ("resources | count", (), "Count"),
    ],
)
def test_counts_are_parsed_with_their_groups(text: str, by: Any, total: str) -> None:
    query = parse_query(text)
    assert (query.by, query.total) == (by, total)


def test_a_table_alone_is_a_query() -> None:
    assert parse_query(" ResourceContainers ") == KqlQuery("resourcecontainers")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "resources |",
        "resources | where",
        "resources | where type",
        "resources | where type == ",
        "resources | where type == type",
        "resources | where owner == 'x'",
        "resources | where type == 'x' or type == 'y'",
        "resources | where type in 'x'",
        "resources | where type in ()",
        "resources | mv-expand zones",
        "resources | extend a = 1",
        "resources | join (resources) on id",
        "resources | project",
        "resources | project nothing",
        "resources | take many",
        "resources | summarize max(id)",
        "resources | summarize count() by type | take 5",
        "resources where type == 'x'",
        "resources | where type == 'x",
        "resources | where properties['a\"b'] == '§'; drop table resource",
    ],
)
def test_an_unknown_construct_is_a_query_error(text: str) -> None:
    with pytest.raises(QueryError):
        parse_query(text)


def test_values_never_become_part_of_the_sql() -> None:
    query = parse_query("resources | where name == 'x\\' OR 1=1 --' and tags['a\\'); DROP'] == '1'")
    (first, value), (second, _) = query.conditions
    assert "OR 1=1" not in first
    assert value == ("x' OR 1=1 --",)
    assert "'" not in second.replace("'$", "").replace("')", "")


def test_the_beginning_of_an_id_is_compared() -> None:
    text = "resources | extend vm = tolower(substring(id, 0, indexof(id, '/extensions/'))) | where vm in~ ('/A', '/b')"
    ((sql, values),) = parse_query(text).conditions
    assert sql == "lower(lower(substr(key, 1, instr(key, '/extensions/') - 1))) IN (?, ?)"
    assert values == ("/a", "/b")


@pytest.mark.parametrize(
    "extension",
    [
        "tolower(substring(id, 1, indexof(id, '/x/')))",
        "tolower(substring(id, 0, indexof(name, '/x/')))",
        "tolower(substring(id, 0, 5))",
        "tolower(strcat(id, name))",
    ],
)
def test_what_else_is_made_of_texts_is_refused(extension: str) -> None:
    with pytest.raises(QueryError):
        parse_query(f"resources | extend vm = {extension} | where vm == 'x'")
