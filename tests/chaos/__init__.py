"""Chaos: the running product under kills, pauses, faults and parallel callers, and what must be true afterwards."""
