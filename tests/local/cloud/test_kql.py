from typing import Any

import pytest

from local.cloud.kql import Path, Query, QueryError, parse


def test_parses_what_collectors_ask() -> None:
    query = parse(
        "resources | where type =~ 'Microsoft.Web/sites' and subscriptionId in~ ('A', 'b') "
        "| project id, tls = properties.siteConfig.minTlsVersion, tags['cost center'] | order by id asc, name | take 5"
    )
    assert query.conditions == (
        ("lower(type) = lower(?)", ("Microsoft.Web/sites",)),
        ("lower(subscription) IN (?, ?)", ("a", "b")),
    )
    assert query.columns == (
        ("id", Path(("id",))),
        ("tls", Path(("properties", "siteConfig", "minTlsVersion"))),
        ("tags_cost center", Path(("tags", "cost center"))),
    )
    assert query.order == ((Path(("id",)), False), (Path(("name",)), True))
    assert query.take == 5


@pytest.mark.parametrize(
    ("text", "by", "total"),
    [
        ("resources | summarize count() by type", (("type", Path(("type",))),), "count_"),
        ("resources | summarize n = count() by kind", (("kind", Path(("kind",))),), "n"),
        ("resources | summarize count()", (), "count_"),
        ("resources | count", (), "Count"),
    ],
)
def test_parses_counts(text: str, by: Any, total: str) -> None:
    query = parse(text)
    assert (query.by, query.total) == (by, total)


def test_a_table_alone_is_a_query() -> None:
    assert parse(" ResourceContainers ") == Query("resourcecontainers")


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
def test_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(QueryError):
        parse(text)


def test_text_never_becomes_sql() -> None:
    query = parse("resources | where name == 'x\\' OR 1=1 --' and tags['a\\'); DROP'] == '1'")
    (first, value), (second, _) = query.conditions
    assert "OR 1=1" not in first
    assert value == ("x' OR 1=1 --",)
    assert "'" not in second.replace("'$", "").replace("')", "")
