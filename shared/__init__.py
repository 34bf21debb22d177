"""The product itself, below the functions that the host calls; docs/architecture.md describes its packages."""
