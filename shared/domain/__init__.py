"""The vocabulary: models, tables of allowed moves, errors."""
