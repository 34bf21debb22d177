"""The HTTP API: one router per noun, problem+json errors, OpenAPI."""
