"""List the assignments that are in force, the default one and those of the deployment."""

from collections import Counter

from shared.authoring.library import DocumentShape, PolicyDocument, properties_of
from shared.domain.assignment import AssignmentSummary
from shared.domain.page import Page, PageRequest, page_of
from shared.engine.language.assignment import Assignment
from shared.services.policy.effective_policy import EffectivePolicies


def list_(asked: PageRequest, *, policies: EffectivePolicies) -> Page[AssignmentSummary]:
    """List assignments by id; the cursor is the last id of the page before."""
    brought = Counter(each.assignment_id for each in policies.compiled.policies)
    # As `resolve_all` words them: the name of the document, a colon, the reason.
    problems = {each.message.partition(": ")[0]: each.message.partition(": ")[2] for each in policies.refused}
    entries = [each for each in policies.library.entries if each.shape is DocumentShape.ASSIGNMENT]
    summaries = (_summary(each, brought, problems) for each in entries)
    return page_of(summaries, asked, key=lambda each: each.id, show=lambda each: each)


def _summary(entry: PolicyDocument, brought: Counter[str], problems: dict[str, str]) -> AssignmentSummary:
    properties = properties_of(entry)
    found = Assignment.from_json(entry.source)
    return AssignmentSummary(
        id=found.id,
        name=entry.name,
        display_name=str(properties.get("displayName") or ""),
        description=str(properties.get("description") or ""),
        scope=found.scope,
        not_scopes=found.excluded,
        definition=found.definition,
        parameters={name: each.get("value") for name, each in found.parameters.items()},
        enforcement_mode=found.mode,
        policies=brought[found.id],
        problem=problems.get(entry.name),
    )
