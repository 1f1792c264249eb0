# Every target sets up what it needs; nothing beyond Python >= 3.11 and make is expected.
.DEFAULT_GOAL := help
.PHONY: help demo test slow stock up check bench lock clean
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Maquette needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up .venv (a minute, once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/.ready  ## make a real video from a theme; ARGS='--theme "..." --language fr' changes the brief
	@$(BIN)/maquette demo $(ARGS)

test: .venv/.ready  ## run the test suite, all but the long tests
	@$(BIN)/python -m pytest -m "not slow and not stock" $(ARGS)

slow: .venv/.ready  ## run the long tests: whole stacks, killed and started again
	@$(BIN)/python -m pytest -m "slow and not stock" $(ARGS)

stock: .venv/.ready  ## run the scenarios of the warm worker's long tests under Prefect's own worker
	@$(BIN)/python -m pytest -m stock $(ARGS)

up: .venv/.ready  ## run server, worker and API together until Ctrl-C; ARGS='--port 8000 --prefect-port 4200'
	@$(BIN)/maquette up $(ARGS)

check: .venv/.ready  ## style, types, and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

# MoviePy wants an older Pillow than the product: the benches have an environment of their own.
.venv-bench/.ready: benchmarks/requirements.lock pyproject.toml
	@echo "Setting up .venv-bench (a minute, once) ..."
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/pip install -qq --disable-pip-version-check --require-hashes -r benchmarks/requirements.lock
	@.venv-bench/bin/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

bench: .venv-bench/.ready  ## measure, side by side; writes benchmarks/results/*.json
	@.venv-bench/bin/python -m benchmarks $(ARGS)

UV = .venv-lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet

lock:  ## write the lock files anew from pyproject.toml
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install -qq --disable-pip-version-check uv
	@$(UV) --extra dev --extra google -o requirements.lock
	@$(UV) --extra dev --extra bench -o benchmarks/requirements.lock
	@rm -rf .venv-lock

clean:  ## remove the environment and caches, not the home
	@rm -rf .venv .venv-bench .mypy_cache .pytest_cache .ruff_cache .hypothesis
