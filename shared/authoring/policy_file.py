"""The definitions, initiatives and assignments of a policy file, in the forms in which people keep them.

A file has one of them; a list or a page of a list, as `az` and the API print them; an ARM template that deploys some; a
bare rule; the bare members of an initiative; or a tree of assignments. Comments and trailing commas are taken (JSONC).
What is written to be deployed by a template, with `[[` before each expression, is read as it is once it is deployed.
Sources: "Azure Policy definition structure", "Understand the structure and syntax of ARM templates"
(multi-line strings), "Escape characters" of template expressions, `az policy definition list`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from shared.authoring.assignment_tree import assignments, is_tree
from shared.authoring.filed_policy import FiledPolicy, Steps, filed
from shared.authoring.library import PolicyDocument, document_of, shape_of
from shared.authoring.policy_template import deployed, is_template, policy_resources
from shared.domain import json_text, jsonc
from shared.domain.evaluation import PolicyContent
from shared.domain.resource import Json
from shared.domain.spelling import lowered, spelled
from shared.engine import InvalidDefinition

_MEMBER_KEYS = frozenset({"policydefinitionid", "policydefinitionname"})
_DOCUMENT_KEYS = frozenset({"id", "name", "type", "properties", "scope"})
_TEXT = re.compile(r'"(?:[^"\\]|\\(?s:.))*+"')
_PART_NAME = re.compile(r"(?P<stem>(?:.*[._-])?)(?:policyrules?|rules?|definitions|members)\.jsonc?", re.IGNORECASE)


def read_policies(text: str | bytes) -> tuple[FiledPolicy, ...]:
    """Return the policies of a file's text; InvalidDefinition as `read_json` and `policies_of` say."""
    return policies_of(read_json(text))


def read_content(content: PolicyContent) -> tuple[FiledPolicy, ...]:
    """Return the policies of a file's content, its text or its value; InvalidDefinition as `read_policies` says."""
    if isinstance(content, str):
        return read_policies(content)
    return policies_of(content if isinstance(content, Mapping) else list(content))


def read_documents(*contents: PolicyContent) -> tuple[PolicyDocument, ...]:
    """Return the policies of several files as documents.

    Raises:
        InvalidDefinition: as `read_content`, and for a policy that cannot be used or is known only when it is deployed.
    """
    return tuple(_document(each) for content in contents for each in read_content(content))


def _document(policy: FiledPolicy) -> PolicyDocument:
    if policy.problem or policy.unknown:
        reason = policy.problem or f"known only when it is deployed: {policy.unknown}"
        raise InvalidDefinition(reason, path=policy.at)
    return replace(document_of("", policy.source), selective=policy.selective, escaped=policy.escaped)


def policies_of(value: Json) -> tuple[FiledPolicy, ...]:
    """Return the policies of the value of a file; an object without a shape counts as a definition.

    Raises:
        InvalidDefinition: a list or a page without a policy, or a file of exemptions, which are none.
    """
    found = tuple(_policies(value, ()))
    if not found and _are_exemptions(value):
        raise InvalidDefinition(
            "these are policy exemptions, and no definition, initiative or assignment: nothing in them is checked",
            path="$",
        )
    if not found and not isinstance(value, Mapping):
        raise InvalidDefinition("there is no definition, initiative or assignment in it", path="$")
    return found or (FiledPolicy(dict(value)),)


def read_json(text: str | bytes) -> Json:
    """Return the value of a text in JSON or JSONC; keys are compared without case.

    Raises:
        InvalidDefinition: broken JSON, a key that occurs twice, a number that cannot be kept, or nesting without end.
    """
    try:
        written = json_text.text(text) if isinstance(text, bytes) else text
        try:
            return json_text.read(written, fold=True)
        except json_text.Unreadable:
            plain = _TEXT.sub(_one_line, jsonc.plain_text(written))
            if plain == written:
                raise
            return json_text.read(plain, fold=True)
    except json_text.Unreadable as error:
        raise InvalidDefinition(error.reason, path=error.path or "$", offending=error.offending) from None


def _one_line(found: re.Match[str]) -> str:
    """Return a string of a template with its line ends and tabs escaped: Resource Manager takes them as they are."""
    return found[0].replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")


def has_policy(value: Json) -> bool:
    """Return whether the value of a JSON file holds a policy in one of the forms."""
    if isinstance(value, list):
        return any(shape_of(each) is not None for each in value if isinstance(each, Mapping)) or _are_members(value)
    if not isinstance(value, Mapping):
        return False
    low = lowered(value)
    if is_template(low):
        return any(True for _ in policy_resources(low["resources"]))
    if shape_of(value) is not None or is_tree(low):
        return True
    return isinstance(low.get("value"), list) and has_policy(low["value"])


def _policies(value: Json, steps: Steps) -> Iterator[FiledPolicy]:
    if isinstance(value, list):
        yield from _listed(value, steps)
    elif isinstance(value, Mapping):
        low = lowered(value)
        if is_template(low):
            yield from deployed(value)
        elif "if" in low and "policyrule" not in low:
            yield filed({"mode": "All", "policyRule": dict(value)}, steps, ".policyRule")
        elif shape_of(value) is not None:
            yield filed(value, steps)
        elif is_tree(low):
            yield from assignments(value, steps)
        elif isinstance(low.get("value"), list):
            yield from _listed(low["value"], (*steps, spelled(value, "value") or ""))


def _listed(value: list[Any], steps: Steps) -> Iterator[FiledPolicy]:
    if _are_members(value):
        yield filed({"policyDefinitions": value}, steps, ".policyDefinitions")
        return
    for position, each in enumerate(value):
        if isinstance(each, Mapping) and shape_of(each) is not None:
            yield filed(each, (*steps, position))


def part_stem(file_name: str) -> str | None:
    """Return what the files of a policy that is kept in parts have in front: "a." for "a.rules.json"; None for others.

    Next to the rule, or the members of an initiative, are the parameters, and often the whole.
    """
    found = _PART_NAME.fullmatch(file_name)
    return found["stem"] if found else None


def with_parameters(policy: FiledPolicy, value: Json) -> FiledPolicy:
    """Return a part of a policy with the parameters of another file, which has them alone or holds them.

    Those that the part has itself win.
    """
    inner = lowered(value).get("parameters") if isinstance(value, Mapping) else None
    return replace(policy, source={"parameters": inner if isinstance(inner, Mapping) else value, **policy.source})


def _are_exemptions(value: Json) -> bool:
    """Return whether a value is an exemption or a list of them: as Azure has them, a page, or a file of EPAC."""
    low = lowered(value) if isinstance(value, Mapping) else {}
    listed = low.get("exemptions", low.get("value")) if low else value
    items = listed if isinstance(listed, list) else [value]
    return bool(items) and all(isinstance(each, Mapping) and _is_exemption(lowered(each)) for each in items)


def _is_exemption(low: Mapping[str, Json]) -> bool:
    inner = low.get("properties")
    return "exemptioncategory" in low or (isinstance(inner, Mapping) and "exemptioncategory" in lowered(inner))


def _are_members(value: list[Any]) -> bool:
    """Return whether a list is that of an initiative's members: references to definitions and nothing of their own."""
    return bool(value) and all(
        isinstance(each, Mapping) and _MEMBER_KEYS & lowered(each).keys() and not _DOCUMENT_KEYS & lowered(each).keys()
        for each in value
    )
