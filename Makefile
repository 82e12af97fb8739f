# One venv for everything; each stamp says which groups of pyproject.toml it holds.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A plain path file instead of setuptools' import hook, which every start of `mns` would wait for.
INSTALL := $(PIP) install -c infra/constraints.txt --config-settings editable_mode=compat -e
PINS := requirements.txt pyproject.toml infra/constraints.txt
ARGS ?=

.PHONY: run test check lint bench costs scaling package deploy destroy format clean help

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.local: $(PINS) | $(BIN)/python
	@echo "setting up $(VENV) (once)"
	@$(INSTALL) '.[local]'
	@touch $@

$(VENV)/.test: $(PINS) | $(BIN)/python
	@echo "setting up $(VENV) with the test tools (once)"
	@$(INSTALL) '.[local,aws,test]'
	@touch $@ $(VENV)/.local $(VENV)/.aws

$(VENV)/.aws: $(PINS) | $(BIN)/python
	@echo "setting up $(VENV) with the deployment's tools (once)"
	@$(INSTALL) '.[local,aws]'
	@touch $@ $(VENV)/.local

$(VENV)/.lint: $(PINS) | $(VENV)/.test
	@$(INSTALL) '.[local,aws,test,lint]'
	@touch $@

$(VENV)/.bench: $(PINS) | $(BIN)/python
	@$(INSTALL) '.[local,aws,bench]'
	@touch $@

run: $(VENV)/.local  ## start OpenMNS on http://127.0.0.1:8000 (ARGS='--port 9000' for more)
	@exec $(BIN)/mns serve $(ARGS)

# The Node client and dynalite; without npm the tests that need them skip, and fail in CI.
tests/node/node_modules/.package-lock.json: tests/node/package-lock.json
	@if command -v npm >/dev/null; then \
		cd tests/node && npm ci --silent --no-audit --no-fund --ignore-scripts && touch node_modules/.package-lock.json; \
	fi

test: $(VENV)/.test tests/node/node_modules/.package-lock.json  ## run the tests (ARGS='-k name' for some of them)
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.lint  ## formatting, lint, types and import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test  ## everything that CI runs

bench: $(VENV)/.bench  ## measure OpenMNS and its peers, writes docs/performance.md (ARGS='--quick' for less)
	@$(BIN)/python -m infra.bench --report docs/performance.md $(ARGS)

costs: $(VENV)/.local  ## what a deployment costs, from counted units; writes docs/costs.md (ARGS='--json' for more)
	@$(BIN)/python -m infra.bench.costs --report docs/costs.md $(ARGS)

scaling: $(VENV)/.bench  ## a model of many clients on one queue, in virtual time; writes docs/scaling.md
	@$(BIN)/python -m infra.bench.contention --report docs/scaling.md $(ARGS)

STAGE ?= dev
DOOR ?=

package: $(VENV)/.aws  ## what is deployed to AWS, into build/STAGE (STAGE=dev|prod|private DOOR=rest|http|url)
	@$(BIN)/mns aws package --stage $(STAGE) $(if $(DOOR),--door $(DOOR)) $(ARGS)

deploy: $(VENV)/.aws  ## deploy it to the account and region that your AWS configuration names (ARGS='--help' for more)
	@$(BIN)/mns aws deploy --stage $(STAGE) $(if $(DOOR),--door $(DOOR)) $(ARGS)

destroy: $(VENV)/.aws  ## take a stage down; its tables stay unless ARGS='--delete-data'
	@$(BIN)/mns aws destroy --stage $(STAGE) $(ARGS)

format: $(VENV)/.lint  ## put the code into shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:  ## remove the venv and all caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/node/node_modules *.egg-info
