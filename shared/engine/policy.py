"""A compiled policy: what a definition and its parameters come to, ready to judge resources."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain.resource import Json, Resource
from shared.engine import applicability
from shared.engine.alias import AliasCatalog
from shared.engine.clause import Clause, all_of
from shared.engine.compiler import compile_node
from shared.engine.context import EMPTY, Frame
from shared.engine.effect import EFFECTS, IF_NOT_EXISTS, Details, detail_keys, parse_details
from shared.engine.error import EvaluationError, InvalidDefinition, nearest
from shared.engine.evaluate import SURROUNDINGS, Computed, compile_operand
from shared.engine.expression import Access, Call, Literal
from shared.engine.operand import calls, inside
from shared.engine.parameter import bind, missing
from shared.engine.parser import parse_definition
from shared.engine.scope import Scope
from shared.engine.tree import Condition, Count, Definition, Field, Node, Operand, Value

_MOST_OPERANDS = 1_000
_MOST_PROGRAMS = 2_000
_MOST_COMPILED = 100_000
"""Conditions in the compiled programs that a policy keeps."""
_EVALUATED_MODES = frozenset({"All", "Indexed"})


@dataclass(frozen=True, slots=True)
class Program:
    """A rule compiled for the resources of one type: `rule` is its `if`, `applies` the applicability part of it."""

    rule: Clause
    applies: Clause | None
    existence: Clause | None


@dataclass(frozen=True, eq=False)
class Policy:
    """A definition compiled with parameter values. Frozen, picklable, safe to share between threads.

    `effect` is in its canonical spelling. `types` are the lower-case resource types it can match, None for any.
    `related` maps a lower-case type that auditIfNotExists or deployIfNotExists looks up to the types it is needed for.
    `missing` names required parameters without a value: evaluations that need one end in an error verdict.
    `not_evaluable` says why the policy cannot be judged here ("" when it can): data-plane modes, static placeholders.
    """

    definition: Definition
    parameters: Mapping[str, Json]
    catalog: AliasCatalog
    effect: str
    details: Details
    types: frozenset[str] | None
    missing: tuple[str, ...] = ()
    not_evaluable: str = ""
    enforcement_only: bool = False
    by_type: bool = False
    by_version: bool = False
    outline: Node | None = None
    filters: Node | None = None
    _programs: dict[Any, Program] = field(default_factory=dict, repr=False)
    _operands: dict[Any, Computed] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """The definition's id."""
        return self.definition.id

    @property
    def name(self) -> str:
        """The definition's name, else the last part of its id."""
        return self.definition.name or self.definition.id.rpartition("/")[2]

    @property
    def mode(self) -> str:
        """All, Indexed, or a data-plane mode as written."""
        return self.definition.mode

    @property
    def related(self) -> Mapping[str, frozenset[str] | None]:
        """The related type that is looked up, with the types it is needed for (None: any)."""
        return {self.details.type.lower(): self.types} if self.effect in IF_NOT_EXISTS and self.details.type else {}

    def program(self, resource_type: str, api_version: str | None = None) -> Program:
        """The compiled rule for a type (lower case); compiled on first use and kept."""
        key = (resource_type, api_version) if self.by_version else resource_type if self.by_type else None
        program = self._programs.get(key)
        if program is None:
            if len(self._programs) >= self._most_programs():
                self._programs.clear()
            program = self._programs[key] = self._compile(resource_type if self.by_type else None, api_version)
        return program

    def _most_programs(self) -> int:
        """How many programs are kept; fewer of a rule of many conditions."""
        size = sum(1 for _ in applicability.conditions(self.definition.condition))
        return min(_MOST_PROGRAMS, _MOST_COMPILED // size)

    def existence(self, api_version: str | None = None, origin: Frame | None = None) -> Clause | None:
        """The compiled existenceCondition, for resources of the related type; `origin` is what the `if` was about."""
        around = None if origin is None else (origin.type, origin.resource.api_version if self.by_version else None)
        key = ("existence", api_version if self.by_version else None, around)
        program = self._programs.get(key)
        if program is None:
            node = self.details.existence
            outer = None if around is None else Scope(self.catalog, self.parameters, *around)
            scope = Scope(self.catalog, self.parameters, self.details.type.lower(), api_version, origin=outer)
            clause = compile_node(node, scope) if node is not None else all_of("$", ())
            program = self._programs[key] = Program(clause, None, clause if node is not None else None)
        return program.existence

    def lookup(self, operand: Operand, resource_type: str, api_version: str | None) -> Computed:
        """An operand of the details compiled for a type (lower case); compiled on first use and kept."""
        key = ("operand", id(operand), resource_type, api_version if self.by_version else None)
        found = self._operands.get(key)
        if found is None:
            if len(self._operands) >= _MOST_OPERANDS:
                self._operands.clear()
            scope = Scope(self.catalog, self.parameters, resource_type, api_version)
            found = self._operands[key] = compile_operand(operand, scope)
        return found

    def _compile(self, resource_type: str | None, api_version: str | None) -> Program:
        scope = Scope(self.catalog, self.parameters, resource_type, api_version)
        applies = compile_node(self.filters, scope) if self.filters is not None else None
        return Program(compile_node(self.definition.condition, scope), applies, None)

    def may_apply_to(self, resource_type: str) -> bool:
        """Whether the policy can be about resources of a type (lower case), as far as the type tells."""
        if self.not_evaluable or self.effect == "disabled" or not applicability.is_evaluated(resource_type):
            return False
        if resource_type == _SUBSCRIPTION and self._is_located():
            return False
        if resource_type not in _MACHINES and self._sets_identity():
            return False
        if self.types is not None:
            return resource_type in self.types and self._supported(resource_type)
        return self._supported(resource_type) and applicability.may_match_type(
            self.outline, resource_type, self.parameters
        )

    def _is_located(self) -> bool:
        return applicability.has_location_condition(self.definition.condition, self.definition.details)

    def _sets_identity(self) -> bool:
        """Modify of identity.type, which is about virtual machines and scale sets only."""
        changes = self.details.changes if self.effect == "modify" else ()
        return any(_literal_name(each.field) == "identity.type" for each in changes)

    def _supported(self, resource_type: str) -> bool:
        """Mode Indexed: only types that support tags and location, as far as that is known."""
        if self.mode != "Indexed":
            return True
        known = self.catalog.capability(resource_type)
        return known.tags is not False and known.location is not False and resource_type not in _NEVER_INDEXED

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without compiled code, and with only the aliases in use."""
        state = dict(self.__dict__)
        state["_programs"], state["_operands"] = {}, {}
        names = names_used(self.parameters, self.definition.condition, self.details.existence)
        if names is not None:
            types = self.types if self.mode == "Indexed" else frozenset[str]()
            state["catalog"] = self.catalog.only(names | self.details.names(), types)
        return state


_SUBSCRIPTION = "microsoft.resources/subscriptions"
_MACHINES = frozenset({"microsoft.compute/virtualmachines", "microsoft.compute/virtualmachinescalesets"})
_NEVER_INDEXED = frozenset(
    {
        _SUBSCRIPTION,
        "microsoft.resources/subscriptions/resourcegroups",
        "microsoft.resources/resourcegroups",
    }
)


def _literal_name(operand: Operand) -> str:
    return str(operand.value).lower() if isinstance(operand, Literal) else ""


def names_used(parameters: Mapping[str, Json], *nodes: Node | None) -> set[str] | None:
    """The alias names in the rules (lower case) for these parameter values; None where a resource decides a name."""
    scope = Scope(AliasCatalog({}), parameters)
    conditions = (each for node in nodes if node is not None for each in applicability.conditions(node))
    found = {_constant(name, scope) for condition in conditions for name in _names(condition)}
    return None if None in found else {name for name in found if name is not None}


def _names(condition: Condition) -> Iterator[Operand]:
    """The operands that name a field, or what field() and current() are called with."""
    left = condition.left
    match left:
        case Field():
            yield left.name
            yield from _called(left.name)
        case Value():
            yield from _called(left.value)
        case Count(field=str(name)):
            yield Literal(name)
        case Count(value=value) if value is not None:
            yield from _called(value)
    yield from _called(condition.right)


def _called(operand: Operand) -> Iterator[Operand]:
    for each in calls(operand):
        if each.name.lower() in {"field", "current"} and each.arguments:
            yield each.arguments[0]


def _constant(operand: Operand, scope: Scope) -> str | None:
    """The text of an operand (lower case) where no resource decides it; "" where it fails for every resource."""
    if isinstance(operand, Literal):
        return str(operand.value).lower()
    if any(each.name.lower() in SURROUNDINGS for each in calls(operand)):
        return None
    computed = compile_operand(operand, scope)
    return str(computed.value).lower() if computed.fixed else ""


def compile_definition(
    definition: Mapping[str, Json], *, aliases: AliasCatalog, parameters: Mapping[str, Json] | None = None
) -> Policy:
    """Compile a policy definition in Azure Policy's JSON with the parameter values of an assignment.

    `definition` is {id?, name?, properties: {mode, parameters, policyRule, …}}, the bare properties, or a bare rule.

    Raises:
        InvalidDefinition: what the language does not allow, with `.path`, the offending text and a suggestion.
    """
    try:
        return compile_tree(parse_definition(definition), aliases, parameters)
    except RecursionError:
        raise InvalidDefinition("the definition or a parameter value nests too deeply", path="$") from None


def compile_tree(tree: Definition, aliases: AliasCatalog, parameters: Mapping[str, Json] | None) -> Policy:
    """Compile a parsed definition."""
    values = bind(tree.parameters, parameters, schemas=False)
    operands = _operands(tree)
    _check_references(tree, operands)
    effect = _effect(tree, values)
    details = parse_details(effect, tree.details, values, detail_keys(tree))
    _check_references(tree, _details_operands(details))
    _check_modifiable(effect, details, aliases)
    fields = applicability.relevant(tree.condition)
    outline = applicability.skeleton(tree.condition, frozenset({"type"}))
    filtered = fields & {"name", "kind"} and effect not in IF_NOT_EXISTS
    names = names_used(values, tree.condition, details.existence)
    return Policy(
        definition=tree,
        parameters=values,
        catalog=aliases,
        effect=effect,
        details=details,
        types=applicability.possible_types(outline, values),
        missing=missing(tree.parameters, values),
        not_evaluable=_not_evaluable(tree),
        enforcement_only=any(_mentions_identity(operand) for _, operand in operands),
        by_type=names is None or any(each in aliases for each in names),
        by_version=names is None or any(map(aliases.is_versioned, names)),
        outline=outline,
        filters=applicability.skeleton(tree.condition, fields) if filtered else None,
    )


def _effect(tree: Definition, values: Mapping[str, Json]) -> str:
    path = "$.policyRule.then.effect"
    try:
        computed = compile_operand(tree.effect, Scope(AliasCatalog({}), values))
        written = computed.value if computed.fixed else computed.read({}, Frame(Resource({}), EMPTY))
    except EvaluationError as error:
        if missing(tree.parameters, values):
            return "audit"  # the assignment has to say; the definition alone can still be judged
        raise InvalidDefinition(f"the effect cannot be computed: {error}", path=path) from None
    if not computed.fixed:
        raise InvalidDefinition("the effect cannot depend on the resource", path=path)
    found = EFFECTS.get(str(written).lower())
    if found is None:
        known = tuple(EFFECTS.values())
        message = f"unknown effect {str(written)[:60]!r}"
        raise InvalidDefinition(message, path=path, offending=str(written), suggestion=nearest(str(written), known))
    return found


def _not_evaluable(tree: Definition) -> str:
    if tree.static:
        return "a static definition is a placeholder for a control that its vendor attests; it has no rule"
    if tree.mode in _EVALUATED_MODES:
        return ""
    if not tree.mode.lower().endswith(".data"):
        return f"mode {tree.mode} is not known"
    return f"mode {tree.mode} is evaluated inside the data plane by the resource provider"


def _operands(tree: Definition) -> "list[tuple[str, Operand]]":
    return [("$.policyRule.then.effect", tree.effect), *_condition_operands(tree.condition)]


def _details_operands(details: Details) -> "list[tuple[str, Operand]]":
    found = [("$.policyRule.then.details", each) for each in details.operands()]
    return found + (_condition_operands(details.existence) if details.existence is not None else [])


def _condition_operands(node: Node) -> "list[tuple[str, Operand]]":
    found: list[tuple[str, Operand]] = []
    for each in applicability.conditions(node):
        found.append((each.path, each.right))
        match each.left:
            case Field():
                found.append((each.path, each.left.name))
            case Value():
                found.append((each.path, each.left.value))
            case Count() if each.left.value is not None:
                found.append((each.left.path, each.left.value))
            case _:
                pass
    return found


def _check_references(tree: Definition, operands: "list[tuple[str, Operand]]") -> None:
    """Every parameters('x') names a declared parameter."""
    for path, operand in operands:
        for each in calls(operand):
            if each.name.lower() != "parameters" or not isinstance(each.arguments[0], Literal):
                continue
            name = str(each.arguments[0].value)
            if name.lower() not in tree.parameters:
                known = tuple(parameter.name for parameter in tree.parameters.values())
                message = f"the parameter {name[:60]!r} is not declared"
                raise InvalidDefinition(message, path=path, offending=name, suggestion=nearest(name, known))


def _check_modifiable(effect: str, details: Details, aliases: AliasCatalog) -> None:
    """A modify operation may only change aliases that the catalog does not mark as not modifiable."""
    for at, each in enumerate(details.changes if effect == "modify" else ()):
        name = str(each.field.value) if isinstance(each.field, Literal) else ""
        rows = aliases.rows(name)
        if rows and all(row.modifiable is False for row in rows):
            path = f"$.policyRule.then.details.operations[{at}].field"
            raise InvalidDefinition(f"the alias {name!r} is not modifiable", path=path, offending=name)


def _mentions_identity(operand: Operand) -> bool:
    """Whether requestContext().identity is read, which exists only while a request is enforced."""
    if isinstance(operand, Access) and isinstance(operand.base, Call) and isinstance(operand.key, Literal):
        reads = (operand.base.name.lower(), str(operand.key.value).lower())
        if reads == ("requestcontext", "identity"):
            return True
    return any(_mentions_identity(each) for each in inside(operand))
