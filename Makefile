# `make check` is all that CI runs. Everything goes into a virtual environment of its own.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: check lint types layers test quick thorough docs bench-compare clean

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

# CPU times against another commit, BASE, which gets a checkout and an environment of its own below
# a temporary folder. CASES narrows it down, e.g. CASES='--case help --pairs 9'.
bench-compare: $(BIN)/farmsim
	@test -n '$(BASE)' || { echo 'usage: make bench-compare BASE=COMMIT'; exit 2; }
	set -e; other=$$(mktemp -d); \
	trap 'git worktree remove --force "$$other/farmsim"; rm -rf "$$other"' EXIT; \
	git worktree add --quiet --detach "$$other/farmsim" '$(BASE)'; \
	$(PYTHON) -m venv "$$other/venv"; \
	"$$other/venv/bin/pip" install --quiet --editable "$$other/farmsim"; \
	$(BIN)/python benchmarks/compare_speed.py "$$other/venv/bin/python" "$$other/farmsim" $(CASES)

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
