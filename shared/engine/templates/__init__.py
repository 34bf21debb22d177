"""Templates of deployments: what deployIfNotExists would deploy, computed as Resource Manager does."""

from shared.engine.templates.expansion import evaluate_expression, expand_template

__all__ = ["evaluate_expression", "expand_template"]
