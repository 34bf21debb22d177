"""A compiled policy: what a definition and its parameters come to, ready to judge resources."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain.resource import Json, Resource
from shared.engine.alias import AliasCatalog
from shared.engine.compile import applicability
from shared.engine.compile.clause import CompiledClause, all_of
from shared.engine.compile.compiler import compile_node
from shared.engine.compile.effect import EFFECTS, IF_NOT_EXISTS, DeclaredDetails, detail_keys, parse_details
from shared.engine.compile.evaluate import CONTEXT_FUNCTION_NAMES, CompiledOperand, compile_operand
from shared.engine.compile.exempt_type import exemption_of
from shared.engine.compile.scope import CompileScope
from shared.engine.context import EMPTY_CONTEXT, Frame
from shared.engine.error import EvaluationError, InvalidDefinition, nearest, unknown_word
from shared.engine.language.expression import FunctionCall, Literal, MemberAccess
from shared.engine.language.parameter import bind_values, missing_parameters
from shared.engine.language.parser import parse_definition
from shared.engine.language.traversal import condition_operands, function_calls, walk_conditions, walk_operand
from shared.engine.language.tree import Condition, CountExpression, Definition, Field, Node, Operand

_OPERAND_CACHE_ENTRIES = 1_000
_PROGRAM_CACHE_ENTRIES = 2_000
_COMPILED_CONDITIONS = 100_000
"""Conditions in all compiled programs that a policy keeps."""
_EVALUATED_MODES = frozenset({"All", "Indexed"})


@dataclass(frozen=True, slots=True)
class CompiledProgram:
    """A rule compiled for the resources of one type: `rule` is its `if`, `applies` the applicability part of it."""

    rule: CompiledClause
    applies: CompiledClause | None
    existence: CompiledClause | None


@dataclass(frozen=True, eq=False)
class Policy:
    """A definition compiled with parameter values. Frozen, picklable, safe to share between threads.

    `effect` is in its canonical spelling. `types` are the lower-case resource types it can match, None for any.
    `related` maps a lower-case type that auditIfNotExists or deployIfNotExists looks up to the types it is needed for.
    `missing` names required parameters without a value: evaluations that need one end in an error verdict.
    `not_evaluable` says why the policy cannot be judged here ("" when it can): data-plane modes, static placeholders.
    `undecided` says why every verdict is unknown ("" when it is not): the assignment asks for what is not read.
    `versions` are the api-versions at which paths of its aliases differ; None: any may be. `newest_without` is the
    newest one whose bodies do not have a property that it reads, "" where all may.
    """

    definition: Definition
    parameters: Mapping[str, Json]
    catalog: AliasCatalog
    effect: str
    details: DeclaredDetails
    types: frozenset[str] | None
    missing: tuple[str, ...] = ()
    not_evaluable: str = ""
    undecided: str = ""
    enforcement_only: bool = False
    by_type: bool = False
    versions: frozenset[str] | None = frozenset()
    newest_without: str = ""
    outline: Node | None = None
    filters: Node | None = None
    _programs: dict[Any, CompiledProgram] = field(default_factory=dict, repr=False)
    _operands: dict[Any, CompiledOperand] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """Return the definition's id."""
        return self.definition.id

    @property
    def name(self) -> str:
        """Return the definition's name, else the last part of its id."""
        return self.definition.name or self.definition.id.rpartition("/")[2]

    @property
    def mode(self) -> str:
        """Return All, Indexed, or a data-plane mode as written."""
        return self.definition.mode

    @property
    def related(self) -> Mapping[str, frozenset[str] | None]:
        """Return the related type that is looked up, with the types it is needed for (None: any)."""
        return {self.details.type.lower(): self.types} if self.effect in IF_NOT_EXISTS and self.details.type else {}

    def program(self, resource_type: str, api_version: str | None = None) -> CompiledProgram:
        """Return the compiled rule for a type (lower case); compiled on first use and kept."""
        # One program serves all types unless the rule reads aliases, and all api-versions unless their paths differ.
        version = self._version(api_version)
        key = (resource_type, version) if version else resource_type if self.by_type else None
        program = self._programs.get(key)
        if program is None:
            size = sum(1 for _ in walk_conditions(self.definition.condition))
            if len(self._programs) >= min(_PROGRAM_CACHE_ENTRIES, _COMPILED_CONDITIONS // size):
                self._programs.clear()
            scope = CompileScope(self.catalog, self.parameters, resource_type if self.by_type else None, version)
            applies = compile_node(self.filters, scope) if self.filters is not None else None
            program = CompiledProgram(compile_node(self.definition.condition, scope), applies, None)
            self._programs[key] = program
        return program

    def existence(self, api_version: str | None = None, origin: Frame | None = None) -> CompiledClause | None:
        """Return the existenceCondition compiled for the related type; `origin` is the evaluation of the `if`."""
        around = None if origin is None else (origin.type, self._version(origin.api_version))
        version = self._version(api_version)
        key = ("existence", version, around)
        program = self._programs.get(key)
        if program is None:
            node = self.details.existence
            outer = None if around is None else CompileScope(self.catalog, self.parameters, *around)
            scope = CompileScope(self.catalog, self.parameters, self.details.type.lower(), version, origin=outer)
            clause = compile_node(node, scope) if node is not None else all_of("$", ())
            program = self._programs[key] = CompiledProgram(clause, None, clause if node is not None else None)
        return program.existence

    def lookup(self, operand: Operand, resource_type: str, api_version: str | None) -> CompiledOperand:
        """Return an operand of the details compiled for a type (lower case); compiled on first use and kept."""
        # By identity: the details keep their operands alive, and comparing trees is slow.
        version = self._version(api_version)
        key = ("operand", id(operand), resource_type, version)
        found = self._operands.get(key)
        if found is None:
            if len(self._operands) >= _OPERAND_CACHE_ENTRIES:
                self._operands.clear()
            scope = CompileScope(self.catalog, self.parameters, resource_type, version)
            found = self._operands[key] = compile_operand(operand, scope)
        return found

    def _version(self, api_version: str | None) -> str | None:
        """Return an api-version whose paths may differ; None for any other."""
        if api_version is None or self.versions is None or api_version in self.versions:
            return api_version
        return api_version if api_version <= self.newest_without else None

    def may_apply_to(self, resource_type: str) -> bool:
        """Return whether the type (lower case) alone allows the policy to be about a resource."""
        if self.not_evaluable or self.effect == "disabled" or exemption_of(resource_type):
            return False
        rule, details = self.definition.condition, self.definition.details
        if resource_type == _SUBSCRIPTION_TYPE and applicability.has_location_condition(rule, details):
            return False
        if resource_type not in _VIRTUAL_MACHINE_TYPES and self._sets_identity():
            return False
        if self.types is not None:
            return resource_type in self.types and self._supported(resource_type)
        return self._supported(resource_type) and applicability.may_match_type(
            self.outline, resource_type, self.parameters
        )

    def _sets_identity(self) -> bool:
        """Return whether it modifies identity.type, which only virtual machines and scale sets have modified."""
        changes = self.details.changes if self.effect == "modify" else ()
        names = (each.field.value for each in changes if isinstance(each.field, Literal))
        return any(str(name).lower() == "identity.type" for name in names)

    def _supported(self, resource_type: str) -> bool:
        """Return whether the mode covers a type: Indexed only those that support tags and location, as far as known."""
        if self.mode != "Indexed":
            return True
        known = self.catalog.capability(resource_type)
        return known.tags is not False and known.location is not False and resource_type not in _NOT_INDEXED_TYPES

    def needs_tracked(self, resource_type: str) -> bool:
        """Return whether mode Indexed asks each resource: no table says whether the type (lower case) supports tags."""
        if self.mode != "Indexed" or self.types is not None or not resource_type or not self.catalog.has_types:
            return False
        return self.catalog.capability(resource_type).tags is None

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without compiled code, and with only the aliases in use."""
        state = dict(self.__dict__)
        state["_programs"], state["_operands"] = {}, {}
        names = alias_names_used(self.parameters, self.definition.condition, self.details.existence)
        if names is not None:
            types = self.types if self.mode == "Indexed" else frozenset[str]()
            state["catalog"] = self.catalog.only(names | self.details.names(), types)
        return state


_SUBSCRIPTION_TYPE = "microsoft.resources/subscriptions"
_VIRTUAL_MACHINE_TYPES = frozenset({"microsoft.compute/virtualmachines", "microsoft.compute/virtualmachinescalesets"})
_NOT_INDEXED_TYPES = frozenset(
    {
        _SUBSCRIPTION_TYPE,
        "microsoft.resources/subscriptions/resourcegroups",
        "microsoft.resources/resourcegroups",
    }
)


def alias_names_used(parameters: Mapping[str, Json], *nodes: Node | None) -> set[str] | None:
    """Return the alias names in the rules (lower case) for these values; None where a resource decides a name."""
    scope = CompileScope(AliasCatalog({}), parameters)
    conditions = (each for node in nodes if node is not None for each in walk_conditions(node))
    found = {_constant(name, scope) for condition in conditions for name in _names(condition)}
    return None if None in found else {name for name in found if name is not None}


def _names(condition: Condition) -> Iterator[Operand]:
    """Yield the operands that name a field, or what field() and current() are called with."""
    match condition.left:
        case Field(name=name):
            yield name
        case CountExpression(field=str(name)):
            yield Literal(name)
    for _, operand in condition_operands(condition):
        for each in function_calls(operand, "field", "current"):
            yield from each.arguments[:1]


def _constant(operand: Operand, scope: CompileScope) -> str | None:
    """Return the text of an operand (lower case) where no resource decides it; "" where it fails for every resource."""
    if isinstance(operand, Literal):
        return str(operand.value).lower()
    if any(function_calls(operand, *CONTEXT_FUNCTION_NAMES)):
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
    values = bind_values(tree.parameters, parameters, schemas=False)
    operands = [("$.policyRule.then.effect", tree.effect), *_rule_operands(tree.condition)]
    _check_references(tree, operands)
    effect = _effect(tree, values)
    details = parse_details(effect, tree.details, values, detail_keys(tree))
    _check_references(tree, [("$.policyRule.then.details", each) for each in details.operands()])
    _check_references(tree, _rule_operands(details.existence))
    _check_modifiable(effect, details, aliases)
    fields = applicability.applicability_fields(tree.condition)
    outline = applicability.restrict_to_fields(tree.condition, frozenset({"type"}))
    filtered = fields & {"name", "kind"} and effect not in IF_NOT_EXISTS
    names = alias_names_used(values, tree.condition, details.existence)
    return Policy(
        definition=tree,
        parameters=values,
        catalog=aliases,
        effect=effect,
        details=details,
        types=applicability.possible_types(outline, values),
        missing=missing_parameters(tree.parameters, values),
        not_evaluable=_not_evaluable(tree),
        enforcement_only=any(_mentions_identity(operand) for _, operand in operands),
        by_type=names is None or any(each in aliases for each in names),
        versions=None if names is None else frozenset().union(*map(aliases.versions, names)),
        newest_without=max(map(aliases.newest_without, names or ()), default=""),
        outline=outline,
        filters=applicability.restrict_to_fields(tree.condition, fields) if filtered else None,
    )


def _effect(tree: Definition, values: Mapping[str, Json]) -> str:
    path = "$.policyRule.then.effect"
    try:
        computed = compile_operand(tree.effect, CompileScope(AliasCatalog({}), values))
        written = computed.value if computed.fixed else computed.read({}, Frame(Resource({}), EMPTY_CONTEXT))
    except EvaluationError as error:
        if missing_parameters(tree.parameters, values):
            return "audit"  # the assignment has to say; the definition alone can still be judged
        raise InvalidDefinition(f"the effect cannot be computed: {error}", path=path) from None
    if not computed.fixed:
        raise InvalidDefinition("the effect cannot depend on the resource", path=path)
    found = EFFECTS.get(str(written).lower())
    if found is None:
        raise unknown_word("effect", str(written), EFFECTS.values(), path=path)
    return found


def _not_evaluable(tree: Definition) -> str:
    if tree.static:
        return "a static definition is a placeholder for a control that its vendor attests; it has no rule"
    if tree.mode in _EVALUATED_MODES:
        return ""
    if not tree.mode.lower().endswith(".data"):
        return f"mode {tree.mode} is not known"
    return f"mode {tree.mode} is evaluated inside the data plane by the resource provider"


def _rule_operands(node: Node | None) -> Iterator[tuple[str, Operand]]:
    """Yield the operands of a rule, each with the path of its condition."""
    for each in walk_conditions(node) if node is not None else ():
        yield from ((each.path, operand) for _, operand in condition_operands(each))


def _check_references(tree: Definition, operands: Iterable[tuple[str, Operand]]) -> None:
    """Refuse parameters('x') where no parameter x is declared."""
    for path, operand in operands:
        for each in function_calls(operand, "parameters"):
            if not isinstance(each.arguments[0], Literal):
                continue
            name = str(each.arguments[0].value)
            if name.lower() not in tree.parameters:
                known = tuple(parameter.name for parameter in tree.parameters.values())
                message = f"the parameter {name[:60]!r} is not declared"
                raise InvalidDefinition(message, path=path, offending=name, suggestion=nearest(name, known))


def _check_modifiable(effect: str, details: DeclaredDetails, aliases: AliasCatalog) -> None:
    """Refuse a modify operation on an alias that the catalog marks as not modifiable."""
    for at, each in enumerate(details.changes if effect == "modify" else ()):
        name = str(each.field.value) if isinstance(each.field, Literal) else ""
        rows = aliases.rows(name)
        if rows and all(row.modifiable is False for row in rows):
            path = f"$.policyRule.then.details.operations[{at}].field"
            raise InvalidDefinition(f"the alias {name!r} is not modifiable", path=path, offending=name)


def _mentions_identity(operand: Operand) -> bool:
    """Return whether requestContext().identity is read, which exists only while a request is enforced."""
    return any(
        isinstance(each, MemberAccess)
        and isinstance(each.base, FunctionCall)
        and each.base.name.lower() == "requestcontext"
        and isinstance(each.key, Literal)
        and str(each.key.value).lower() == "identity"
        for each in walk_operand(operand)
    )
