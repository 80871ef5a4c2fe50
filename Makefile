# Two commands for a newcomer: `make run` (the main job on the shipped example) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PROJECT ?= runs/support

.PHONY: setup run test lint bench clean lock

setup: $(STAMP)

# The lock pins every package; without it the package itself is added in editable form.
$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# Exit code 1 of `levers run` says that a target is missed, as the report does: no error of make's.
run: setup
	@test -e $(PROJECT)/levers.yaml || $(BIN)/levers init $(PROJECT) --example support
	$(BIN)/levers run $(PROJECT) || test $$? -eq 1

# The main job first and alone, on both cores; then everything else, a core each.
test: lint
	$(BIN)/python -m pytest tests/e2e
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/e2e tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks

# Refresh the lock from a working environment: exact versions, nothing about where they came from.
lock: setup
	$(BIN)/python recipes/lock.py > requirements.lock.new && mv requirements.lock.new requirements.lock

clean:
	rm -rf $(VENV) runs build dist .mypy_cache .ruff_cache .hypothesis .import_linter_cache
