"""Verbs: plain functions that use ports."""
