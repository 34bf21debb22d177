# Everything creates and reuses .venv by itself; nothing needs to be installed first but Python 3.13 and make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
READY := $(VENV)/.ready
PORT ?= 7071

.PHONY: help run test test-emulators check format lint types imports bench conformance mutation lock clean

help: ## print this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(RUNS): requirements.txt pyproject.toml scripts/python313 scripts/install
	@set -e; python=$$(scripts/python313); \
	 [ -x $(BIN)/python ] || { echo "Making $(VENV) with $$python …"; "$$python" -m venv $(VENV); }; \
	 scripts/install -r requirements.txt; \
	 scripts/install --group local; \
	 scripts/install --no-deps --editable .; \
	 touch $(RUNS)

$(READY): $(RUNS)
	@scripts/install --group dev
	@touch $(READY)

run: $(RUNS) ## start the whole product with a sample estate (PORT=7071)
	@PORT=$(PORT) $(BIN)/cortex run

test: $(READY) ## run the tests
	@$(BIN)/pytest -q -n 2 --dist loadscope -m "not emulator"

test-emulators: $(READY) ## run the tests that need Azurite and the Cosmos stand-in (Node)
	@scripts/install --group emulators
	@scripts/emulators
	@$(BIN)/pytest -q -m emulator

check: format lint types imports test ## what CI runs: format, lint, types, imports, tests

format: $(READY)
	@$(BIN)/ruff format --check .

lint: $(READY)
	@$(BIN)/ruff check .

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports

bench: $(READY) ## measure: cold start, API, engine, scans
	@$(BIN)/python -m benchmarks

CASES ?= ../shared/policy-cases
conformance: $(READY) ## judge the collection of policy cases in CASES, and list every miss
	@$(BIN)/python -m benchmarks.conformance $(CASES)

mutation: $(READY) ## count which mutants of the policy engine its tests kill (MODULES="comparison value": only these)
	@scripts/install --group mutation
	@$(BIN)/python -m benchmarks.mutation $(MODULES)

lock: $(READY) ## compile requirements.txt anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --python-version 3.13 --no-annotate --quiet --generate-hashes \
	  --custom-compile-command "make lock" --output-file requirements.txt

clean: ## remove what the commands made (.venv, .cortex, caches)
	@rm -rf $(VENV) .cortex .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
