"""Adapters over Azure's own services."""
