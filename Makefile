# `make check` is all that CI runs. Everything goes into a virtual environment of its own.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: check lint types layers test quick thorough docs clean

check: lint types layers test

$(BIN)/farmsim: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

lint: $(BIN)/farmsim
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/farmsim
	$(BIN)/mypy

layers: $(BIN)/farmsim
	$(BIN)/lint-imports

test: $(BIN)/farmsim
	$(BIN)/pytest

quick: $(BIN)/farmsim
	$(BIN)/pytest -m 'not slow and not browser and not thorough'

thorough: $(BIN)/farmsim
	$(BIN)/pytest -m thorough

docs: $(BIN)/farmsim
	$(BIN)/python docs/build.py

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
