"""One case as what the engine takes: policy, resource, surroundings."""

from datetime import datetime
from typing import Any

from benchmarks.conformance.collection import PlainPaths, Tables
from shared.domain.resource import Resource
from shared.engine import AliasCatalog, Context, Policy, compile_definition, load_definition
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.judge.related import meets_existence

Json = Any
GROUP = {"name": "myResourceGroup", "location": "eastus"}
SUBSCRIPTION = {"subscriptionId": "00000000-0000-0000-0000-000000000000"}


def catalog(case: Json, tables: Tables) -> AliasCatalog:
    """Return the alias table of a case."""
    return tables.named(case["alias_table"]) if case.get("alias_table") else PlainPaths()


def context(case: Json) -> Context:
    """Return the surroundings of a case, with the documented defaults."""
    given = case.get("context") or {}
    now = case.get("now")
    return Context(
        resource_group=given.get("resourceGroup", GROUP),
        subscription=given.get("subscription", SUBSCRIPTION),
        request_context=case.get("request_context")
        or ({"apiVersion": case["api_version"]} if case.get("api_version") else {}),
        policy=given.get("policy") or {},
        now=datetime.fromisoformat(now) if now else datetime.fromisoformat("2024-06-01T00:00:00+00:00"),
    )


def definition(case: Json) -> Json:
    """Return the definition of a case; parameters that are only given get a declaration."""
    declared = dict(case.get("parameter_definitions") or {})
    kinds = {str: "String", bool: "Boolean", int: "Integer", float: "Float", list: "Array", dict: "Object"}
    if not case.get("parameter_definitions"):
        for name, value in (case.get("parameters") or {}).items():
            declared.setdefault(name, {"type": kinds.get(type(value), "Object")})
    return {"mode": case.get("mode") or "All", "parameters": declared, "policyRule": case["policy_rule"]}


def compiled(case: Json, tables: Tables) -> Policy:
    """Return the policy of a case."""
    if "policy_text" in case:
        return compile_definition(load_definition(case["policy_text"]), aliases=catalog(case, tables))
    return compile_definition(definition(case), aliases=catalog(case, tables), parameters=case.get("parameters"))


def resource(case: Json) -> Resource:
    """Return the resource of a case with its related ones: the answers of the look-ups, in order."""
    body = case.get("resource") or {}
    related: dict[str, tuple[Resource, ...]] = {}
    details = ((case.get("policy_rule") or {}).get("then") or {}).get("details")
    kind = str(details.get("type", "")).lower() if isinstance(details, dict) else ""
    if kind:
        found = [_answer(each) for each in case.get("related") or ()]
        related[kind] = tuple(Resource(each) for each in found if each is not None)
    return Resource(body, api_version=case.get("api_version"), related=related)


def _answer(row: Json) -> Json:
    return row["resource"] if isinstance(row, dict) and set(row) == {"request", "type", "resource"} else row


def matches(policy: Policy, one: Resource, surroundings: Context) -> bool | str | None:
    """Return whether the rule takes effect, or the error of a failed evaluation. A look-up returns what it selected."""
    frame = Frame(one, surroundings)
    try:
        program = policy.program(frame.type, one.api_version)
        answer = program.rule.test(frame.body, frame)
        if answer and policy.effect in {"auditIfNotExists", "deployIfNotExists"}:
            found = one.related.get(policy.details.type.lower())
            answer = not any(
                meets_existence(policy, each, frame) for each in (found if isinstance(found, tuple) else ())
            )
    except EvaluationError as error:
        return f"error: {error}"
    return answer if policy.effect != "disabled" else False
