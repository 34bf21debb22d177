"""Generations of documents: one is in use, every process goes by a switch soon, and no caller can name another."""

import pytest

from shared.adapters import generation
from shared.adapters.generation import GenerationDocuments, StoredGenerations
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import InvalidInput
from shared.ports.generations import SETTLED_SECONDS


def test_documents_that_follow_from_events_are_those_of_the_generation_in_use(documents: SqliteDocuments) -> None:
    current = GenerationDocuments(documents)
    generations = StoredGenerations(current)
    current.put(tenant="contoso", kind="finding", id="a", body={"n": 0})
    current.put(tenant="contoso", kind="lock", id="a", body={"n": 0})
    generations.at(tenant="contoso", generation=1).put(tenant="contoso", kind="finding", id="a", body={"n": 1})
    generations.switch(tenant="contoso", before=0, to=1)
    found = current.get(tenant="contoso", kind="finding", id="a")
    assert found is not None
    assert found.body == {"n": 1}
    for each in (
        current,
        generations.at(tenant="contoso", generation=0),
        generations.at(tenant="contoso", generation=1),
    ):
        assert each.get(tenant="contoso", kind="lock", id="a") is not None, "what is no projection is there in each"
    assert current.get(tenant="fabrikam", kind="finding", id="a") is None


def test_another_process_follows_a_switch_before_it_counts_as_settled(
    documents: SqliteDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(generation.time, "monotonic", lambda: now)
    other = GenerationDocuments(documents)
    assert other.generation("contoso") == 0
    StoredGenerations(GenerationDocuments(documents)).switch(tenant="contoso", before=0, to=1)
    assert other.generation("contoso") == 0, "it is remembered for a while"
    now += SETTLED_SECONDS
    assert other.generation("contoso") == 1


def test_no_caller_can_name_a_generation(documents: SqliteDocuments) -> None:
    with pytest.raises(InvalidInput, match="tenant"):
        GenerationDocuments(documents).get(tenant="contoso~1", kind="finding", id="a")
