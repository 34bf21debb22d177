"""Runs the function app on one machine."""
