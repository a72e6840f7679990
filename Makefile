# `make` alone lists the targets. Each one sets up what it needs in a virtual environment and reuses it while it is current.
#   VENV=folder       another place for the virtual environment       PYTHON=python3.12   another interpreter
#   DEMO_ARGS=--quick arguments for `outthink demo`                   TEST_ARGS="-k ess"  arguments for pytest
VENV ?= .venv
DEMO_ARGS ?=
TEST_ARGS ?=
WORKERS ?= 2

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo demo-more test laws lint types docs clean set-up-demo set-up-dev

BIN := $(VENV)/bin
export PYTHON
# The environment decides what is imported, not the caller's shell.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PYTHONNOUSERSITE := 1

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: set-up-demo ## set up, then solve real problems with the embedded model: greedy, vote, best-of-n and a particle filter
	@echo "demo: outthink demo $(DEMO_ARGS)"
	@$(BIN)/outthink demo $(DEMO_ARGS)

demo-more: set-up-demo ## the demo with further kinds of problems
	@echo "demo-more: outthink demo --more $(DEMO_ARGS)"
	@$(BIN)/outthink demo --more $(DEMO_ARGS)

test: set-up-dev ## set up, then run the tests, with the seconds of each test folder
	@echo "test: pytest with $(WORKERS) workers"
	@$(BIN)/python -m pytest -n $(WORKERS) $(TEST_ARGS)

laws: set-up-dev ## the statistical laws at their full size (long)
	@echo "laws: pytest -m laws at full size with $(WORKERS) workers"
	@OUTTHINK_LAWS=full $(BIN)/python -m pytest -n $(WORKERS) -m laws $(TEST_ARGS)

lint: set-up-dev ## check style and formatting
	@echo "lint: ruff check, ruff format --check"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: set-up-dev ## check types
	@echo "types: mypy --strict over src/"
	@$(BIN)/mypy

docs: set-up-dev ## build the documentation site into build/site (no network)
	@echo "docs: zensical build"
	@$(BIN)/zensical build --strict --clean

clean: ## remove the virtual environment, caches and build results
	@echo "clean: removing $(VENV), caches and build results"
	@if [ -d "$(VENV)" ] && [ "$(VENV)" != .venv ] && [ ! -f "$(VENV)/pyvenv.cfg" ]; then \
	  echo "clean: $(VENV) is not a virtual environment; left alone" >&2; exit 1; fi
	@rm -rf "$(VENV)" build dist .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

set-up-demo:
	@scripts/set-up "$(VENV)" demo

set-up-dev:
	@scripts/set-up "$(VENV)" dev
