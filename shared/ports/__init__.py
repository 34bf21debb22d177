"""Promises: one protocol per external system."""
