"""Lint policy files: small rules in a module for each subject, and `linter`, which holds them together."""

from shared.authoring.lint.linter import (
    ESCAPED,
    INVALID,
    OPEN,
    RULE_GROUPS,
    UNREADABLE,
    lint,
    lint_policies,
    lint_text,
    path_in,
    unreadable,
)

__all__ = [
    "ESCAPED",
    "INVALID",
    "OPEN",
    "RULE_GROUPS",
    "UNREADABLE",
    "lint",
    "lint_policies",
    "lint_text",
    "path_in",
    "unreadable",
]
