# Everything creates and reuses .venv by itself; nothing needs to be installed first but Python 3.13 and make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
READY := $(VENV)/.ready
PORT ?= 7071

.PHONY: help run test test-slow test-hosts test-browser test-emulators test-package check format lint types imports bench conformance mutation lock package infra openapi chaos simulation fuzz soak clean

help: ## print this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(RUNS): requirements.txt pyproject.toml scripts/python313 scripts/install
	@set -e; python=$$(scripts/python313); \
	 [ -x $(BIN)/python ] || { echo "Making $(VENV) with $$python …"; "$$python" -m venv $(VENV); }; \
	 scripts/install -r requirements.txt; \
	 scripts/install --editable '.[local]'; \
	 touch $(RUNS)

$(READY): $(RUNS)
	@scripts/install --group dev
	@touch $(READY)

run: $(RUNS) ## start the whole product with a sample estate (PORT=7071)
	@PORT=$(PORT) $(BIN)/cortex run

test: $(READY) ## run the tests
	@$(BIN)/pytest -q -n 2 --dist loadscope -m "not emulator and not package and not host and not browser and not slow"

test-slow: $(READY) ## run the tests that walk every function, delivered many times and at once
	@$(BIN)/pytest -q -n 2 -m slow

test-hosts: $(READY) ## run the tests that start a host: the product as processes, killed and disturbed
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "host and not emulator and not package and not browser" tests/local tests/product

test-browser: $(READY) ## run the tests that need a Chromium browser
	@$(BIN)/pytest -q -m browser tests/product

test-emulators: $(READY) ## run the tests that need Azurite and the Cosmos stand-in (Node)
	@scripts/install --group emulators
	@scripts/emulators
	@$(BIN)/pytest -q -m "emulator and not package" tests/adapters

test-package: $(READY) ## build what is deployed and the wheel, and run the product from both (the emulators need Node)
	@scripts/install --group emulators
	@scripts/emulators
	@$(BIN)/pytest -q -m package tests/product

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

mutation: $(READY) ## count which mutants of the policy engine its tests kill (MODULES="language.comparison value": only these)
	@scripts/install --group mutation
	@$(BIN)/python -m benchmarks.mutation $(MODULES)

lock: $(READY) ## compile requirements.txt anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --extra app --python-version 3.13 --no-annotate --quiet --generate-hashes \
	  --custom-compile-command "make lock" --output-file requirements.txt

package: $(RUNS) ## build what is deployed: build/package, and the same as build/package.zip
	@$(BIN)/python scripts/package.py

SECONDS ?= 60
SEED ?=
chaos: $(READY) ## disturb the running product with kills, pauses and faults; nothing may be lost, doubled or stuck (SECONDS=60 SEED=…)
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

STORMS ?= 30
simulation: $(READY) ## put remediations through storms of faults, each from a seed of its own (STORMS=30 SEED=0)
	@CORTEX_STORMS=$(STORMS) CORTEX_STORM_SEED=$(or $(SEED),0) $(BIN)/pytest -q tests/services/test_storm.py

INPUTS ?= 20000
fuzz: $(READY) ## give the policy engine random and hostile definitions and resources (INPUTS=20000 SEED=1)
	@$(BIN)/python -m benchmarks.fuzz $(INPUTS) $(or $(SEED),1)

soak: $(READY) ## run full counts of all that is sampled otherwise, for hours; what came of it stands in docs/proof.md (PART=…)
	@$(BIN)/python scripts/parts.py --soak $(PART)

infra: $(READY) ## check infra/ with checkov, in an environment of its own
	@scripts/checkov

openapi: $(READY) ## lint the OpenAPI document with the rules of two linters (Node)
	@scripts/install --group emulators
	@scripts/openapi

clean: ## remove what the commands made (.venv, .cortex, caches)
	@rm -rf $(VENV) .cortex .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
