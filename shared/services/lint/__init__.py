"""Lint policy files: small rules, a module for each of their chapters, and the rulebook that holds them together."""

from shared.services.lint.rulebook import CHAPTERS, INVALID, lint, lint_text

__all__ = ["CHAPTERS", "INVALID", "lint", "lint_text"]
