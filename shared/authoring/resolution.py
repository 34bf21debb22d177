"""Resolve definitions, initiatives and assignments to the effective policies that they bring, each with its values."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.authoring.library import DocumentShape, Library, PolicyDocument, is_built_in
from shared.authoring.lint.limit import long_counts
from shared.domain.error import InvalidInput
from shared.domain.resource import Json
from shared.engine import AliasCatalog, EffectivePolicy, InvalidDefinition, Policy
from shared.engine.compile.effect import EFFECTS
from shared.engine.compile.initiative import INITIATIVE_MEMBERS, Initiative, InitiativeMember, name_from_id
from shared.engine.compile.policy import compile_tree
from shared.engine.error import unknown_word
from shared.engine.language.assignment import Assignment, parse_assignment
from shared.engine.language.expression import Literal
from shared.engine.language.tree import Definition

ParameterValues = Mapping[str, Json]
CompileDefinition = Callable[[Definition, ParameterValues], Policy]


@dataclass(frozen=True, slots=True)
class ResolvedPolicies:
    """The policies of several documents, why others have none, and what else is to be said of them, each once."""

    policies: tuple[EffectivePolicy, ...]
    refused: tuple[InvalidInput, ...] = ()
    notes: tuple[str, ...] = ()


def resolve_all(
    entries: Iterable[PolicyDocument],
    library: Library,
    *,
    aliases: AliasCatalog,
    parameters: ParameterValues,
    fallback: AliasCatalog | None = None,
) -> ResolvedPolicies:
    """Resolve several documents; each gets the parameter values that it declares.

    What another one of them refers to is judged where that has it, and not by itself too. A document that cannot be
    used costs the others nothing, and a member that is a built-in definition without a document the other members.

    Raises:
        InvalidInput: a value is for a parameter that none of them declares.
    """
    documents = tuple(entries)
    # A definition that comes with its initiative is judged with the initiative's values only.
    inner = {found for each in documents for found in _referred(each, library)}
    outer = tuple(each for each in documents if each not in inner)
    declared = [_declared(each, library) for each in outer]
    strange = [name for name in parameters if not any(name.lower() in each for each in declared)]
    if strange:
        raise InvalidInput(f"no such parameter: {', '.join(strange)}", path="--parameters")
    found: list[EffectivePolicy] = []
    refused: list[InvalidInput] = []
    for entry, names in zip(outer, declared, strict=True):
        given = {name: value for name, value in parameters.items() if name.lower() in names}
        try:
            policies, absent = _resolve_known(entry, library, aliases, given, fallback)
            found += policies
        except InvalidDefinition as error:
            refused.append(InvalidInput(f"{entry.place(error.path or '$')}: {error.message}", path=error.path))
        else:
            refused += _left_out(entry, absent)
    return ResolvedPolicies(tuple(found), tuple(refused), (*_notes(documents), *_long_counts(found)))


def _left_out(entry: PolicyDocument, absent: Sequence[InvalidDefinition]) -> Iterator[InvalidInput]:
    if absent:
        number = "a member is a" if len(absent) == 1 else f"{len(absent):,} members are"
        what = "built-in definition" if len(absent) == 1 else "built-in definitions"
        path = absent[0].path if entry.shape is DocumentShape.INITIATIVE else "$.policyDefinitionId"
        reason = f"{number} {what} without a file here, and not judged"
        yield InvalidInput(f"{entry.place(path or '$')}: {reason}", path=path)


def _notes(documents: Sequence[PolicyDocument]) -> tuple[str, ...]:
    number = sum(each.escaped for each in documents)
    if not number:
        return ()
    whose = "the expressions of a policy are" if number == 1 else f"the expressions of {number:,} policies are"
    return (f"{whose} escaped with '[[' for an ARM template: they are read as they are once that is deployed",)


def _long_counts(found: Iterable[EffectivePolicy]) -> Iterator[str]:
    told = {f"{each.name}: {message}; Azure may refuse it" for each in found for message in long_counts(each.policy)}
    yield from sorted(told)


def _referred(entry: PolicyDocument, library: Library) -> Iterator[PolicyDocument]:
    """Yield what a document refers to and what that refers to in turn, as far as the library has it."""
    try:
        wanted = _wanted(entry, library)
    except InvalidDefinition:
        return  # resolving it reports the error
    for identity, *shapes in wanted:
        found = library.seen_from(entry.folder).find(identity, *shapes)
        if found is not None:
            yield found
            yield from _referred(found, library)


def _wanted(entry: PolicyDocument, library: Library) -> list[tuple[str, *tuple[DocumentShape, ...]]]:
    if entry.shape is DocumentShape.ASSIGNMENT:
        return [(parse_assignment(entry.source).definition, DocumentShape.DEFINITION, DocumentShape.INITIATIVE)]
    found = library.read(entry)
    return (
        [(each.definition, DocumentShape.DEFINITION) for each in found.members] if isinstance(found, Initiative) else []
    )


def _declared(entry: PolicyDocument, library: Library) -> frozenset[str]:
    """Return the names (lower case) of the parameters that a document takes values for."""
    try:
        # An assignment declares nothing itself: values for it go to what it assigns.
        wanted = _wanted(entry, library) if entry.shape is DocumentShape.ASSIGNMENT else []
        target = library.seen_from(entry.folder).find(*wanted[0]) if wanted else entry
        return frozenset(library.read(target).parameters if target else ())
    except InvalidDefinition:
        return frozenset()


def resolve(
    entry: PolicyDocument,
    library: Library,
    *,
    aliases: AliasCatalog,
    parameters: ParameterValues,
    fallback: AliasCatalog | None = None,
) -> tuple[EffectivePolicy, ...]:
    """Resolve a definition, an initiative or an assignment to its policies, with values for its parameters.

    A definition that does not fit `aliases` is compiled with `fallback`, where that is given.

    Raises:
        InvalidDefinition: it cannot be used, a value does not fit or is missing, or a reference leads nowhere.
    """
    found, absent = _resolve_known(entry, library, aliases, parameters, fallback)
    if absent:
        raise absent[0]
    return found


def _resolve_known(
    entry: PolicyDocument,
    library: Library,
    aliases: AliasCatalog,
    parameters: ParameterValues,
    fallback: AliasCatalog | None,
) -> tuple[tuple[EffectivePolicy, ...], list[InvalidDefinition]]:
    """Return the policies, and an error for each member that is a built-in definition without a document."""

    def compiled(tree: Definition, values: ParameterValues) -> Policy:
        try:
            return compile_tree(tree, aliases, values)
        except InvalidDefinition:
            if fallback is None or fallback is aliases:
                raise
        return compile_tree(tree, fallback, values)

    absent: list[InvalidDefinition] = []
    return _resolve(entry, library, compiled, parameters, absent), absent


def _resolve(
    entry: PolicyDocument,
    library: Library,
    compiled: CompileDefinition,
    parameters: ParameterValues,
    absent: list[InvalidDefinition],
) -> tuple[EffectivePolicy, ...]:
    library = library.seen_from(entry.folder)
    if entry.shape is DocumentShape.ASSIGNMENT:
        return tuple(_assigned(entry, library, compiled, parameters, absent))
    found = library.read(entry)
    if isinstance(found, Definition):
        return (EffectivePolicy(compiled(_named(found, entry), parameters), values=parameters),)
    return tuple(_members(found, entry, library, compiled, values=found.values(parameters), absent=absent))


def _named(tree: Definition, entry: PolicyDocument) -> Definition:
    return tree if tree.name or tree.id else replace(tree, name=entry.name)


def _members(
    tree: Initiative,
    entry: PolicyDocument,
    library: Library,
    compiled: CompileDefinition,
    *,
    values: ParameterValues,
    absent: list[InvalidDefinition],
) -> Iterator[EffectivePolicy]:
    if len(tree.members) > INITIATIVE_MEMBERS:
        message = f"there are {len(tree.members):,} members, {INITIATIVE_MEMBERS:,} are allowed"
        raise InvalidDefinition(message, path="$.policyDefinitions")
    # Names are compared without case, as overrides, exemptions and messages refer to them.
    seen: set[str] = set()
    for each in tree.members:
        if each.label.lower() in seen:
            path = f"{each.path}.policyDefinitionReferenceId"
            raise InvalidDefinition(f"{each.label!r} names two members", path=path, offending=each.label)
        seen.add(each.label.lower())
        found = _definition(each, library)
        if isinstance(found, InvalidDefinition):
            absent.append(found)
            continue
        try:
            # Wrapped as assignments write values, so that an object with the single key `value` is not unwrapped.
            given = {name: {"value": value} for name, value in each.arguments(values).items()}
            policy = compiled(found, given)
        except InvalidDefinition as error:
            raise _at_member(each, error) from None
        if policy.missing:
            message = f"{each.label!r} needs values for {', '.join(policy.missing[:10])}"
            raise InvalidDefinition(message, path=f"{each.path}.parameters", offending=policy.missing[0])
        yield EffectivePolicy(policy, None, each.label, entry.id or entry.name, values=given)


def _definition(member: InitiativeMember, library: Library) -> Definition | InvalidDefinition:
    """Return the definition of a member; the error for a built-in one that the library lacks."""
    entry = library.find(member.definition, DocumentShape.DEFINITION)
    if entry is None:
        missing = _missing(member.definition, f"{member.path}.policyDefinitionId", library, DocumentShape.DEFINITION)
        if is_built_in(member.definition):
            return missing
        raise missing
    try:
        found = library.read(entry)
    except InvalidDefinition as error:
        raise _at_member(member, error) from None
    assert isinstance(found, Definition)  # it was asked for
    return _named(found, entry)


def _missing(identity: str, path: str, library: Library, *shapes: DocumentShape) -> InvalidDefinition:
    """Return the error for a reference that leads nowhere."""
    if is_built_in(identity):  # which is called by a GUID that tells nobody anything
        return InvalidDefinition("it refers to a built-in definition without a file here", path=path)
    what = " or ".join(shapes)
    return InvalidDefinition(
        f"there is no {what} {name_from_id(identity)[:80]!r}",
        path=path,
        offending=identity,
        suggestion=library.near(identity, *shapes),
    )


def _at_member(member: InitiativeMember, error: InvalidDefinition) -> InvalidDefinition:
    """Return an error about a member's definition as one of the member, at its argument where the argument is wrong."""
    path = error.path or "$"
    message = error.message.partition("; did you mean")[0]
    if path.startswith((member.path, "$.parameters.")):
        message = message.removeprefix(f"{path}: ")
        path = path if path.startswith(member.path) else member.path + path[1:]
    else:
        path = member.path
    return InvalidDefinition(
        f"{member.label!r}: {message}", path=path, offending=error.offending, suggestion=error.suggestion
    )


def _assigned(
    entry: PolicyDocument,
    library: Library,
    compiled: CompileDefinition,
    parameters: ParameterValues,
    absent: list[InvalidDefinition],
) -> Iterator[EffectivePolicy]:
    tree = parse_assignment(entry.source)
    tree = tree if tree.name else replace(tree, name=entry.name)
    target = library.find(tree.definition, DocumentShape.DEFINITION, DocumentShape.INITIATIVE)
    if target is None:
        shapes = (DocumentShape.DEFINITION, DocumentShape.INITIATIVE)
        raise _missing(tree.definition, "$.policyDefinitionId", library, *shapes)
    # Values from outside come last and win, whatever the case of their names.
    given = {name.lower(): (name, each) for name, each in [*tree.parameters.items(), *parameters.items()]}
    if entry.selective:
        declared = library.read(target).parameters
        given = {low: each for low, each in given.items() if low in declared}
    for found in _resolve(target, library, compiled, dict(given.values()), absent):
        if found.policy.missing:
            message = f"the assignment {tree.name!r} needs values for {', '.join(found.policy.missing[:10])}"
            raise InvalidDefinition(message, path="$.parameters", offending=found.policy.missing[0])
        yield replace(found, assignment=tree, overrides=dict(_overrides(found, tree, compiled)))


def _overrides(found: EffectivePolicy, tree: Assignment, compiled: CompileDefinition) -> Iterator[tuple[str, Policy]]:
    """Yield the policy with each effect that an override may put in place of its own."""
    policy, seen = found.policy, set[str]()
    for at, each in enumerate(tree.overrides):
        if each.version:
            continue
        path, effect = f"$.overrides[{at}].value", EFFECTS.get(each.effect.lower())
        if effect is None:
            raise unknown_word("effect", each.effect, EFFECTS.values(), path=path)
        if effect not in seen and each.may_select(found.reference):
            seen.add(effect)
            # Compiled again, as the details have to suit the other effect too.
            definition = replace(policy.definition, effect=Literal(effect))
            try:
                yield effect.lower(), compiled(definition, found.values)
            except InvalidDefinition as error:
                raise InvalidDefinition(f"{found.name!r} cannot have it: {error}", path=path) from None
