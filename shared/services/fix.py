"""The fix of one finding: what its policy wants resources to be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.body import merged
from shared.domain.error import InvalidInput
from shared.domain.resource import Json, Resource
from shared.engine import Context
from shared.engine.amend import apply
from shared.engine.error import EffectConflict, EvaluationError
from shared.engine.resolve import effects
from shared.services.policy import Book


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a resource is to be, all of it. Without `api_version`: as for the resource that the finding is about."""

    resource_id: str
    body: Mapping[str, Json]
    api_version: str | None = None


def wanted(policy: str, resource: Resource, context: Context, book: Book) -> Iterator[Wanted]:
    """The resources that a policy wants to be different, so that this resource complies.

    Raises:
        InvalidInput: there is no fix, or it cannot be said exactly what it is; nothing is guessed.
    """
    entry = book.entries.get(policy)
    compiled = next((each for each in book.compiled.policies if each.name == policy), None)
    if entry is None or compiled is None:
        raise InvalidInput(f"policy {policy} is not in the catalog any more")
    try:
        if compiled.effect in ("modify", "append"):
            yield Wanted(resource.id, apply(resource.body, effects(compiled, resource, context)))
        elif entry.remediation is not None:
            yield Wanted(resource.id, merged(resource.body, entry.remediation.patch))
        else:
            raise InvalidInput(f"policy {policy} has no fix")
    except (EffectConflict, EvaluationError) as error:
        raise InvalidInput(f"the fix of {policy} cannot be told: {error}") from error
