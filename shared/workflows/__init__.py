"""Plots: deterministic generators for Durable Functions."""
