# `make` alone lists the targets. Each one sets up what it needs in a virtual environment and reuses it while it is current.
#   VENV=folder       another place for the virtual environment       PYTHON=python3.12   another interpreter
#   DEMO_ARGS=--quick arguments for `outthink demo`                   TEST_ARGS="-k ess"  arguments for pytest
#   STEER_ARGS="--budget 640 --seed 2"  arguments for `outthink steer`
#   BENCH_ARGS=--quick  arguments for `outthink bench run`        DATA=folder         where `make bench` looks for files of tasks
VENV ?= .venv
DEMO_ARGS ?=
STEER_ARGS ?= --seed 1
BENCH_ARGS ?=
DATA ?= $(firstword $(wildcard data ../shared/data) data)
TEST_ARGS ?=
WORKERS ?= 2

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo demo-more steer-demo tune-demo bench test laws lint types docs clean set-up-demo set-up-steer set-up-tune set-up-bench set-up-dev

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

steer-demo: set-up-steer ## steer a digits model towards threes: best-of-n, a particle filter and a tree at one budget, a contact sheet each
	@for method in best-of-n particle-filter tree; do \
	  echo "steer-demo: outthink steer --reward class:3 --method $$method $(STEER_ARGS)"; \
	  $(BIN)/outthink steer --reward class:3 --method $$method --out steered/$$method $(STEER_ARGS) >/dev/null; done
	@echo "steer-demo: look at steered/*/sheet.png; outthink inspect last --picture tree.svg draws the last search"

tune-demo: set-up-tune ## find a better recipe for the laboratory's Countdown, judged on problems that it was not tuned on
	@echo "tune-demo: outthink tune countdown $(TUNE_ARGS)"
	@OMP_NUM_THREADS=1 $(BIN)/outthink tune countdown $(TUNE_ARGS)

# The laboratory's model is too small to gain from a second thread: the other core judges.
bench: set-up-bench ## compare methods on the laboratory model, then on SmolLM2; about an hour, goes on where it was stopped
	@export OUTTHINK_DATA="$(DATA)"; for grid in laboratory smollm2; do \
	  if [ $$grid = laboratory ]; then export OMP_NUM_THREADS=1; else unset OMP_NUM_THREADS; fi; \
	  folder=build/bench/$$grid$(if $(findstring --quick,$(BENCH_ARGS)),-quick); \
	  echo "bench: outthink bench run $$grid --folder $$folder $(BENCH_ARGS)"; \
	  $(BIN)/outthink bench run $$grid --folder $$folder $(BENCH_ARGS); \
	  $(BIN)/outthink bench report $$folder; done

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

set-up-steer:
	@scripts/set-up "$(VENV)" steer

set-up-tune:
	@scripts/set-up "$(VENV)" tune

set-up-bench:
	@scripts/set-up "$(VENV)" bench

set-up-dev:
	@scripts/set-up "$(VENV)" dev
