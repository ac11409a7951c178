# Everything a fresh machine needs: Python 3.11 or newer, make and git. Try `make help`.

PYTHON ?= python3
# Where the demo keeps its jobs.
DEMO_STORE ?= sqlite:///demo.db
# More arguments for pytest, such as `make test ARGS=-x`.
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
CODE := $(wildcard src tests bench examples scripts hatch_build.py)

export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD = 1
# Images for containers often set this: each of the many processes would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup dev demo test test-unit test-long check format bench docs screenshots lock system clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.project ## Make .venv, with the jobdeck command in it

demo: setup ## Run the dashboard and a worker pool with example pipelines
	@env JOBDECK_STORE="$(DEMO_STORE)" $(VENV)/bin/jobdeck up --demo

test: ## Run every check that CI runs
	@$(MAKE) --no-print-directory -j2 system check
	$(PY) -m pytest -n auto $(ARGS)

test-unit: dev ## Run the quick tests only
	$(PY) -m pytest tests/unit $(ARGS)

test-long: system dev ## Run the tests that take an hour: crashes, random operations
	$(PY) -m pytest -n0 -m long -rA tests/proof tests/browser $(ARGS)

check: dev ## Lint, types and import contracts
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy $(CODE)
	$(VENV)/bin/lint-imports

format: dev ## Format the code and mend what ruff can
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format

bench: dev ## Measure against the budgets
	$(PY) -m bench $(ARGS)

docs: dev ## Write the reference pages from the code, and check all pages
	$(PY) -m scripts.reference
	$(PY) -m pytest -n0 -q tests/unit/test_docs.py

screenshots: system dev ## Take the pictures in the documentation
	$(PY) scripts/screenshots.py

lock: dev ## Lock the dependencies (UPGRADE=1 takes the newest)
	$(PY) -m scripts.lock $(if $(UPGRADE),--upgrade)

clean: ## Remove .venv and everything built, but no data
	rm -rf $(VENV) build dist node_modules src/jobdeck/web/static/vendor
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# What pip cannot bring.
system:
	@sh scripts/system-packages.sh

dev: $(VENV)/.dev

$(PY):
	@sh scripts/make-venv.sh "$(PYTHON)" $(VENV)

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt | $(PY)
	@echo "Installing what Jobdeck needs ..."
	@$(PIP) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@touch $@

# Without build isolation, so that what builds it is locked too.
$(VENV)/.project: $(VENV)/.runtime pyproject.toml hatch_build.py package.json package-lock.json \
		requirements/node.txt
	@echo "Installing Jobdeck and its browser assets ..."
	@if [ -n "$$($(PY) hatch_build.py)" ]; then \
		$(PIP) --require-hashes -r requirements/node.txt; fi
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.project
	@echo "Installing what the checks need ..."
	@$(PIP) --no-compile --require-hashes -r requirements/dev.txt
	@$(PY) hatch_build.py npm ci --ignore-scripts --loglevel=error || \
		echo "There is no npm: the pages' accessibility will not be tested."
	@touch $@
