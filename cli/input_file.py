"""Files that commands read: policies one by one or in folders, the catalog, resources, alias catalogs."""

import json
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from cli.special_file import special_reason
from shared import bootstrap
from shared.authoring import library
from shared.authoring import lint as linter
from shared.authoring.filed_policy import FiledPolicy
from shared.authoring.library import DocumentShape, Library, PolicyDocument, document_of, shape_of
from shared.authoring.lint.subject import LintFacts
from shared.authoring.policy_file import has_policy, part_stem, read_json, read_policies, with_parameters
from shared.authoring.resolution import ResolvedPolicies, resolve_all
from shared.authoring.source_location import SourceLocations
from shared.domain import json_text, jsonc
from shared.domain.error import InvalidInput
from shared.engine import Context, InvalidDefinition
from shared.services.near_name import near_hint
from shared.services.policy import alias

CATALOG = "catalog"
POLICY_OPTION = "--policy"
PARAMETERS_PATH = "$.parameters"
_POLICY_KEY = re.compile(r'"(policy\w*|displayName|nodeName|if|then|allOf|anyOf)"\s*:', re.IGNORECASE)
POLICY_PATTERNS = ("*.json", "*.jsonc")
TEXT_FILE_BYTES = 64 << 20
"""Maximum bytes of a file that is read whole: a policy, test cases, the parameters of an option."""
Aliases = Annotated[
    Path | None,
    typer.Option(
        "--aliases",
        exists=True,
        dir_okay=False,
        help="file with more aliases: the output of `az provider list --expand resourceTypes/aliases`, plain or gzip",
    ),
]
PolicyName = Annotated[
    str,
    typer.Option(
        "--policy",
        help="a policy file or folder, a policy or initiative of the catalog, or `catalog` for its default assignment",
    ),
]
Parameters = Annotated[str, typer.Option(help="parameter values as a JSON object, or @FILE")]


def load_facts(aliases: Path | None) -> LintFacts:
    """Return the aliases of the packaged catalog, and those that a file adds."""
    known = alias.packaged(bootstrap.catalog())
    if aliases is None:
        return known
    with aliases.open("rb") as file:
        return alias.merge(known, alias.read(file))


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy file and its policies; `problem` says why it has none."""

    path: Path
    text: str = ""
    policies: tuple[FiledPolicy, ...] = ()
    problem: InvalidInput | None = None
    parameters: "PolicyFile | None" = None

    def line(self, path: str) -> str:
        """Return the file and line of a JSON path."""
        if self.parameters and path.startswith(PARAMETERS_PATH):
            return self.parameters.line(path.replace(PARAMETERS_PATH, "$", 1))
        return f"{self.path}:{SourceLocations(self.text).find(path).line}"

    def documents(self) -> Iterator[PolicyDocument | InvalidInput]:
        """Yield its policies; for what is none, or known only when a template is deployed, the error that says so."""
        if self.problem:
            reason = self.problem.message
            # What cannot be opened has been named already.
            named = not isinstance(self.problem, InvalidDefinition)
            located = reason if named else f"{self.line(self.problem.path or '$')}: {reason}"
            yield InvalidInput(located, path=self.problem.path)
        told: set[tuple[str, str]] = set()
        for each in self.policies:
            if each.problem or each.unknown:
                reason = each.problem or f"known only when it is deployed: {each.unknown}"
                # A node of a tree may stand for many assignments.
                if (each.at, reason) not in told:
                    yield InvalidInput(f"{self.line(each.at)}: {reason}")
                told.add((each.at, reason))
            else:
                name = self.path.stem + each.at.removeprefix("$")
                found = document_of(name, each.source, partial(self._locate, each))
                folder = str(self.path.parent)
                yield replace(found, selective=each.selective, escaped=each.escaped, folder=folder)

    def _locate(self, policy: FiledPolicy, path: str) -> str:
        return self.line(policy.place(linter.path_in(policy.source, path)))


def read_policy_files(places: Iterable[Path]) -> Iterator[PolicyFile]:
    """Yield the named policy files, and the JSON files of folders that hold a policy or cannot be read.

    A folder without any is yielded itself, with that as its problem.
    """
    for place in places:
        if not place.is_dir():
            yield _read(place)
            continue
        paths = sorted(path for pattern in POLICY_PATTERNS for path in place.rglob(pattern) if not path.is_dir())
        read = zip(paths, map(_read_of_folder, paths), strict=True)
        # Parameters that cannot be read stand for their rule, and may be found a second time by themselves.
        inside = {each.path: each for path, each in read if each.path != path or _is_policy(each)}.values()
        wholes = {each.path for each in inside}
        found = [each for each in inside if not _is_part_of_whole(each, wholes)]
        reason = f"no policy is in the folder {place}: its JSON files hold no definition, initiative or assignment"
        yield from found or (PolicyFile(place, problem=InvalidInput(reason, path=str(place))),)


def _read_of_folder(path: Path) -> PolicyFile:
    reason = special_reason(path)
    return PolicyFile(path, problem=InvalidInput(reason, path=str(path))) if reason else _read(path)


def _read(path: Path) -> PolicyFile:
    text = ""
    try:
        text = read_file_text(path)
        policies = read_policies(text)
    except InvalidInput as error:
        return PolicyFile(path, text, problem=error)
    stem = part_stem(path.name)
    values = path.with_name(f"{stem}parameters{path.suffix}")
    if stem is None or not policies[0].is_part or not values.is_file():
        return PolicyFile(path, text, policies)
    return _with_parameters(PolicyFile(path, text, policies), values)


def _with_parameters(rule: PolicyFile, values: Path) -> PolicyFile:
    """Return the rule or the members of a policy with its parameters, which are the file next to it."""
    parameters = PolicyFile(values)
    try:
        parameters = replace(parameters, text=read_file_text(values))
        value = read_json(parameters.text)
    except InvalidInput as error:
        return replace(parameters, problem=error)
    return replace(rule, policies=(with_parameters(rule.policies[0], value),), parameters=parameters)


def _is_part_of_whole(file: PolicyFile, wholes: Container[Path]) -> bool:
    """Return whether a file repeats what the whole policy next to it has."""
    stem = part_stem(file.path.name)
    return bool(stem and file.policies and file.policies[0].is_part) and (
        file.path.with_name(f"{str(stem).rstrip('._-')}{file.path.suffix}") in wholes
    )


def _is_policy(file: PolicyFile) -> bool:
    """Return whether a file of a folder is meant as a policy, as it may be where it is not JSON: that is reported."""
    if file.problem is None:
        return any(each.problem or shape_of(each.source) is not None for each in file.policies)
    if '"policyrule"' in file.text.lower() or not isinstance(file.problem, InvalidDefinition):
        return True
    try:
        return has_policy(json_text.read(jsonc.plain_text(file.text), repeats=True))
    except json_text.Unreadable:
        return _POLICY_KEY.search(file.text) is not None and not file.text[_first_value_end(file.text) :].strip()


def _first_value_end(text: str) -> int:
    """Return where the first JSON value of a text ends, when it holds no policy and more follows it, as in a log."""
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return len(text)
    return len(text) if has_policy(value) else end


def catalog_library() -> Library:
    """Return the policies and initiatives of the packaged catalog."""
    held = bootstrap.catalog()
    return library.build_library(
        (
            *((entry.name, entry.definition) for entry in held.policies()),
            *((str(each["name"]), each) for each in held.initiatives()),
        )
    )


def build_library(files: Iterable[PolicyFile]) -> Library:
    """Return a library of policy files and the catalog; what cannot be read is left out."""
    found = (each for file in files for each in file.documents())
    return Library(tuple(each for each in found if isinstance(each, PolicyDocument)), catalog_library())


def read_file_text(path: Path) -> str:
    """Return the text of a file, in UTF-8 or as its byte order mark says.

    Raises:
        InvalidInput: it cannot be read, or has more than `TEXT_FILE_BYTES`.
    """
    try:
        with path.open("rb") as file:
            return read_text(file, str(path))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", path=str(path)) from None


def read_text(file: BinaryIO, name: str) -> str:
    """Return the text of an open file, which `name` is for people; InvalidInput as `read_file_text`."""
    # What is read is counted: a pipe or a device says no size, and a file may grow.
    raw = file.read(TEXT_FILE_BYTES + 1)
    if len(raw) > TEXT_FILE_BYTES:
        raise InvalidInput(f"{name} cannot be read: it has more than {TEXT_FILE_BYTES >> 20} MB", path=name)
    try:
        return json_text.text(raw)
    except json_text.Unreadable as error:
        raise InvalidInput(f"{name} cannot be read: {error.reason}", path=name) from None


def find_policy(policy: str) -> Iterator[PolicyDocument | InvalidInput]:
    """Yield the documents that a name means: a file, a folder, a policy or an initiative of the catalog.

    `catalog` means its default assignment. A file that cannot be used is yielded as the error that says why.
    """
    if policy == CATALOG:
        yield from (document_of(str(each["name"]), each) for each in bootstrap.catalog().assignments())
    elif Path(policy).exists():
        for each in read_policy_files([Path(policy)]):
            yield from each.documents()
    elif entry := catalog_library().find(policy, DocumentShape.DEFINITION, DocumentShape.INITIATIVE):
        yield entry
    else:
        hint = near_hint(policy, (each.name for each in catalog_library().entries))
        reason = f"'{policy}' is neither a file nor a folder, nor a policy or an initiative of the catalog{hint}"
        yield InvalidInput(reason, path=POLICY_OPTION)


def gather_policies(names: Iterable[str]) -> tuple[Library, tuple[InvalidInput, ...]]:
    """Return a library of the policies that names mean and of the catalog, and why the others cannot be read."""
    found = [each for name in names for each in find_policy(name)]
    refused = tuple(each for each in found if isinstance(each, InvalidInput))
    usable = (each for each in found if not isinstance(each, InvalidInput))
    return Library(tuple(_distinct(usable)), catalog_library()), refused


def _distinct(documents: Iterable[PolicyDocument]) -> Iterator[PolicyDocument]:
    """Yield each document once: the same policy may be a file of its own and part of a template next to it."""
    seen: defaultdict[tuple[DocumentShape, str], list[Mapping[str, Any]]] = defaultdict(list)
    for each in documents:
        alike = seen[each.shape, each.name.lower()]
        if each.source not in alike:
            alike.append(each.source)
            yield each


def effective_policies(names: Iterable[str], parameters: str, aliases: Path | None) -> ResolvedPolicies:
    """Return the policies that names mean, each where it is in force, with the parameter values that its file declares.

    Raises:
        BadParameter: what the names mean is not there.
        InvalidInput: none of the files can be used, or a value is for a parameter that none of them declares.
    """
    values, known = parse_object(parameters, "--parameters"), load_facts(aliases).aliases
    folder_library, unread = gather_policies(names)
    found = resolve_all(folder_library.entries, folder_library, aliases=known, parameters=values)
    refused = (*unread, *found.refused)
    if refused and not found.policies:
        if all(each.path == POLICY_OPTION for each in refused):
            raise typer.BadParameter("; ".join(each.message for each in refused), param_hint=POLICY_OPTION)
        raise refused[0] if len(refused) == 1 else InvalidInput("; ".join(each.message for each in refused))
    return replace(found, refused=refused)


def context() -> Context:
    """Return the context of an evaluation on this machine: the time."""
    return Context(now=datetime.now(UTC))


def parse_object(text: str, option: str) -> dict[str, Any]:
    """Return the JSON object of an option, or of the file that `@FILE` names."""
    written = read_file_text(Path(text[1:])) if text.startswith("@") else text
    try:
        loaded = json_text.read(written)
    except json_text.Unreadable as error:
        raise InvalidInput(f"{option} is not valid JSON: {error.message}", path=option) from None
    if not isinstance(loaded, dict):
        raise InvalidInput(f"{option} takes a JSON object", path=option)
    return loaded
