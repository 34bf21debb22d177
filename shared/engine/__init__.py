"""The policy engine."""

from shared.engine.alias import AliasCatalog
from shared.engine.context import Context
from shared.engine.error import InvalidDefinition
from shared.engine.judge import judge
from shared.engine.parser import load_definition
from shared.engine.policy import Policy, compile_definition
from shared.engine.policyset import PolicySet, compile_set

__all__ = [
    "AliasCatalog",
    "Context",
    "InvalidDefinition",
    "Policy",
    "PolicySet",
    "compile_definition",
    "compile_set",
    "judge",
    "load_definition",
]
