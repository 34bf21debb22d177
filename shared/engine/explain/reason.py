"""The reasons of a verdict: the conditions that decided, in Azure's words and in plain ones, with the names of members.

Source of the codes: "Determine causes of non-compliance, compliance reasons".
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.explain.fix import describes
from shared.engine.explain.place import member_name, member_paths, named_place, path_steps, value_at
from shared.engine.explain.rule_source import IMMUTABLE_FIELDS
from shared.engine.explain.sentence import and_text, condition_words, holding, observed_text, shortened, subject_text
from shared.engine.explain.step import EXPLAINED_MEMBERS, ExplanationStep
from shared.engine.judge.evidence import NOT_READ
from shared.engine.language.comparison import operator_check

NO_RELATED = "No related resources match the effect details in the policy definition."
_SEEN = re.compile(r'[^"(]* is "(?:[^"\\]|\\.)*"')
"""A property with the text that it has, as JSON spells it: brackets in there are the text's own."""
_MUST = {
    "equals": "be equal to the target value",
    "in": "be in the target value",
    "like": "be like the target value",
    "match": "case-sensitive match the target value",
    "matchInsensitively": "case-insensitive match the target value",
    "contains": "contain the target value",
    "containsKey": "contain the target value as a key",
    "less": "be less than the target value",
    "lessOrEquals": "be less than or equal to the target value",
    "greater": "be greater than the target value",
    "greaterOrEquals": "be greater than or equal to the target value",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: `code` is Azure's, `text` says it in plain words.

    `path` is the property as one would type it, `where` the same with members of arrays by their names, `field` the
    alias or the expression of the rule. `operator` and `expected` are the condition that has to hold, `observed` is
    what was found. `clause` is the JSON path of the condition in the definition.
    """

    code: str
    text: str
    where: str
    path: str
    field: str
    operator: str
    expected: Json
    observed: Json
    clause: str

    def to_json(self) -> dict[str, Json]:
        """Return the reason as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def about_what_it_is(self) -> bool:
        """Return whether it only says that the policy is about such a resource."""
        low = self.field.lower()
        return low in IMMUTABLE_FIELDS or low.startswith("[requestcontext(") or describes(self.path)


def reasons_of(rule: ExplanationStep, body: Json) -> list[Reason]:
    """Return the reasons why a rule has its answer, in its order; the type only where it is all there is."""
    leaves = list(_leaves(rule))
    told = [each for each in leaves if each.field.lower() != "type"] or leaves
    found = (reason for leaf in told for reason in _reasons(leaf, body))
    return list({each.text: each for each in found}.values())


def _leaves(step: ExplanationStep) -> Iterator[ExplanationStep]:
    """Yield the conditions that decided."""
    if step.operator and step.decided:
        yield step
    elif not step.operator:
        for each in step.parts:
            yield from _leaves(each)


def _reasons(leaf: ExplanationStep, body: Json) -> Iterator[Reason]:
    if leaf.kind != "count" and "[*]" in (leaf.path or "") and leaf.result is False:
        failing = list(_failing(leaf, body))
        yield from (_reason(each, body, _named_text(each, body), each.path or "") for each in failing)
        if failing:
            return
    if not _is_by_members(leaf):
        yield _reason(leaf, body, _condition_text(leaf), leaf.path or "")
        return
    for at, member in enumerate(leaf.parts):
        more = leaf.observed - len(leaf.parts) if at == len(leaf.parts) - 1 and isinstance(leaf.observed, int) else 0
        rest = f", … and {more:,} more {'member' if more == 1 else 'members'}" if more > 0 else ""
        text = f"{_member_text(leaf, member, body)}{rest}"
        yield _reason(leaf, body, text, member.member)


def _failing(leaf: ExplanationStep, body: Json) -> Iterator[ExplanationStep]:
    """Yield the condition at each member that fails an implicit all-of, at most `EXPLAINED_MEMBERS`."""
    check = operator_check(leaf.operator, leaf.expected)
    places = list(member_paths(body, leaf.path or ""))
    if not isinstance(leaf.observed, list) or len(places) != len(leaf.observed):
        return
    pairs = ((place, value) for place, value in zip(places, leaf.observed, strict=True) if _fails(check, value))
    for place, value in islice(pairs, EXPLAINED_MEMBERS):
        yield replace(leaf, path=place, observed=value)


def _fails(check: Callable[[Json], bool | None], value: Json) -> bool:
    """Return whether a member fails a condition.

    One that cannot be compared stands behind one that fails: the evaluation ended there.
    """
    try:
        return check(value) is False
    except EvaluationError:
        return False


def _is_unread(step: ExplanationStep) -> bool:
    """Return whether the property that a condition is about was not read, so that there is no answer."""
    seen = step.observed if isinstance(step.observed, list) else [step.observed]
    unread = any(isinstance(each, str) and each.startswith(NOT_READ) for each in seen)
    return step.path is not None and step.result is None and unread


def _named_text(step: ExplanationStep, body: Json) -> str:
    """Return what a condition saw below an array, with the name of the member."""
    operator, expected = holding(step.operator, step.expected, result=step.result)
    return observed_text(named_place(body, step.path or ""), step.observed, operator, expected)


def _is_by_members(step: ExplanationStep) -> bool:
    """Return whether a count has its answer for the members that it counted, rather than for those it misses."""
    if step.kind != "count" or not step.parts or step.result is None:
        return False
    try:
        return operator_check(step.operator, step.expected)(0) is not step.result
    except EvaluationError:
        return False


def _reason(step: ExplanationStep, body: Json, text: str, path: str) -> Reason:
    operator, expected = _required(step)
    return Reason(
        code=azure_reason(operator, expected),
        text=text,
        where=named_place(body, path),
        path=path,
        field=step.field,
        operator=operator,
        expected=expected,
        observed=step.observed,
        clause=step.clause,
    )


def _required(step: ExplanationStep) -> tuple[str, Json]:
    """Return the condition that has to hold for another answer."""
    operator, expected = holding(step.operator, step.expected, result=step.result)
    return holding(operator, expected, result=False)


def azure_reason(operator: str, expected: Json) -> str:
    """Return Azure's words for a condition that has to hold."""
    if operator == "exists":
        return f"Current value must {'' if str(expected).lower() == 'true' else 'not '}exist."
    if operator in _MUST:
        return f"Current value must {_MUST[operator]}."
    positive = operator.removeprefix("not")
    return f"Current value must not {_MUST[positive[0].lower() + positive[1:]]}."


def _condition_text(step: ExplanationStep, prefix: str = "") -> str:
    """Return what a condition saw; properties below `prefix` are called as they are there."""
    operator, expected = holding(step.operator, step.expected, result=step.result)
    subject = _below(step.path, prefix) if step.path else subject_text(step.field)
    if _is_unread(step):
        return f"{subject.removesuffix('[*]')} was not read"
    if step.kind == "count":
        return _number_text(step, subject.removesuffix("[*]"), operator, expected)
    if "[*]" in (step.path or ""):  # the implicit all-of: where it is false, some members may meet it
        array, _, below = subject.rpartition("[*]")
        place = f"{below.lstrip('.')} of " if below else ""
        member = "every" if step.result is not False else "some"
        return f"{place}{member} member of {array} is {condition_words(operator, expected)}"
    return observed_text(subject, step.observed, operator, expected)


def _number_text(step: ExplanationStep, subject: str, operator: str, expected: Json) -> str:
    where = f" where {step.where}" if step.where else ""
    if step.observed == 0:
        return f"{subject} has no member{where}"
    words = condition_words(operator, expected)
    return f"{subject} has {step.observed} {'member' if step.observed == 1 else 'members'}{where} ({words})"


def _below(path: str, prefix: str) -> str:
    return path[len(prefix) :].lstrip(".") if prefix and path.startswith(prefix) and path != prefix else path


def _member_text(count: ExplanationStep, member: ExplanationStep, body: Json) -> str:
    name = member_name(value_at(body, path_steps(member.member) or ())) if member.member else ""
    texts = grouped(_texts(member, member.member if name else ""))
    said = and_text(texts) if texts else f"{member.member or shortened(count.field)} is there"
    return f"{(count.path or '').removesuffix('[*]')} {name}: {said}" if name else said


def _texts(step: ExplanationStep, prefix: str) -> Iterator[str]:
    """Yield what the deciding conditions at one member saw; of the members of a further count, the first."""
    for leaf in _leaves(step):
        if _is_by_members(leaf):
            yield from _texts(leaf.parts[0], prefix)
        else:
            yield _condition_text(leaf, prefix)


def seen_part(text: str) -> str:
    """Return what a reason saw, without the conditions that it meets, which stand in brackets behind the value."""
    found = _SEEN.match(text)
    return found[0] if found else text.partition(" (")[0]


def grouped(texts: Iterable[str]) -> list[str]:
    """Return texts without repetitions; what was seen once and meets several conditions is said once."""
    found: dict[str, list[str]] = {}
    for each in texts:
        seen = seen_part(each)
        words = each[len(seen) :].removeprefix(" (").removesuffix(")")
        found.setdefault(seen, []).extend([words] if words else [])
    return [f"{seen} ({'; '.join(dict.fromkeys(words))})" if words else seen for seen, words in found.items()]


def telling(reasons: Iterable[Reason], changed: Iterable[str]) -> list[Reason]:
    """Return the reasons that say what is wrong: not those that only say which resources a policy is about.

    A reason about a path that is among the `changed` ones stays.
    """
    found, paths = list(reasons), {each.lower() for each in changed}
    told = [each for each in found if not each.about_what_it_is or each.path.lower() in paths]
    return told or found
