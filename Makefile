# Everything that is done to this checkout. `make` alone lists the targets.
# What a target needs, it installs first, into .venv and .cache and nowhere else.

BIN := .venv/bin
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_CACHE_DIR := $(CURDIR)/.cache/uv

# The first of these that is Python 3.11 or later and can make a virtual environment.
# Another one: make setup PYTHON=/path/to/python
PYTHON ?= python3 python3.13 python3.12 python3.11
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check fmt soak mutants cover bench lock audit-deps clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: .venv/installed ## make .venv with janitor in it; does nothing if nothing changed

# A new lock makes a new environment, so that nothing of the old one is left in it. The stamp is
# a copy of the lock: a file that is newer but says the same changes nothing.
.venv/locked: requirements/dev.txt
	@set -e; if cmp -s $< $@; then touch $@; exit 0; fi; \
	for python in $(PYTHON) ''; do \
	  if [ -z "$$python" ]; then \
	    echo "janitor needs Python 3.11 or later with venv; tried: $(PYTHON)." \
	      "Install one, or name it: make setup PYTHON=/path/to/python" >&2; exit 1; fi; \
	  if "$$python" -c '$(USABLE)' >/dev/null 2>&1; then break; fi; \
	done; \
	echo "setting up .venv with $$("$$python" --version)"; \
	"$$python" -m venv --clear .venv; \
	$(BIN)/python -m pip install -qq --require-hashes --only-binary :all: -r $<; \
	cp $< $@

# Metadata and the script only: the sources are used where they stand.
.venv/installed: .venv/locked pyproject.toml src/janitor/__init__.py
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --no-index --editable .
	@touch $@

demo: setup ## play ten days of a development account on an embedded AWS
	@$(BIN)/janitor demo

test: setup ## run all tests
	@$(BIN)/python -m pytest -n 2

check: setup ## format, lint, types, layering, tests: what CI runs
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/unit/test_layering.py
	@$(BIN)/python -m pytest -n 2

fmt: setup ## format the code and repair what the linter can
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

soak: setup ## the property tests, much longer; SOAK=5 is five times as long again
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -n 2 -m soak

mutants: setup ## break each invariant on purpose, in a copy, and see that its test notices
	@$(BIN)/python tests/journeys/mutations.py

cover: setup ## run all tests and show the branches that none of them took
	@$(BIN)/python -m pytest -n 2 --cov --cov-report=term-missing:skip-covered

bench: setup ## measure calls, time and memory; results and machine go to a file
	@$(BIN)/python bench/run.py

# Two passes: the runtime pins are those that the tests ran with. `make lock UPGRADE=--upgrade`
# takes the newest of everything; without it only what pyproject.toml asks for changes.
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet $(UPGRADE) --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
lock: setup ## write requirements/*.txt anew from pyproject.toml
	@$(COMPILE) --extra demo --extra lambda --group dev --output-file requirements/dev.txt
	@$(COMPILE) --constraints requirements/dev.txt --output-file requirements/runtime.txt

audit-deps: setup ## ask for known vulnerabilities in what is pinned (needs the network)
	@$(BIN)/pip-audit --require-hashes --disable-pip --requirement requirements/dev.txt \
	  --requirement requirements/runtime.txt --cache-dir .cache/pip-audit --progress-spinner off --strict

clean: ## remove everything that make made
	@rm -rf .venv .cache .hypothesis .*_cache .coverage* htmlcov build dist
	@find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
