"""Judges a collection of cases with known outcomes: `python -m benchmarks.conformance [DIR]`."""

from benchmarks.conformance.collection import Tables
from benchmarks.conformance.function import run_functions
from benchmarks.conformance.oracle import run_oracle
from benchmarks.conformance.score import run_cases

__all__ = ["Tables", "run_cases", "run_functions", "run_oracle"]
