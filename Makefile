# Each target is one line of documentation; `make help` prints them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -I
PYTEST := $(VENV)/bin/python -m pytest

.PHONY: help venv demo test test-e2e acceptance interop lint format docs lock bench

help: ## print the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

venv: ## make the developers' environment in .venv, whole and by hash
	@$(PYTHON) -I src/aegis/startup/main.py venv >/dev/null

demo: venv ## run the example repository's workflows under act: code with and without an SDK, models signed and tampered with, a backup
	@$(RUN) scripts/demo.py

test: lint ## lint, unit, property and integration tests: needs PyPI and npm only
	$(PYTEST) -n 2 --dist loadgroup tests/unit tests/integration

test-e2e: venv ## what needs Go, a JDK or a whole workflow: act scenarios and foreign parsers
	go="$$($(RUN) scripts/e2e_tools.py)" && PATH="$$go:$$PATH" $(PYTEST) -n 2 --dist loadgroup tests/e2e

acceptance: venv ## check the runbook's acceptance criteria on this machine, with evidence in acceptance-evidence/: needs Go
	go="$$($(RUN) scripts/e2e_tools.py)" && PATH="$$go:$$PATH" $(VENV)/bin/aegis acceptance --mode local

interop: venv ## signing and verifying by a real Fulcio, Rekor v2 and timestamp authority, the overlays by OpenTofu; needs Go
	go="$$($(RUN) scripts/e2e_tools.py)" && PATH="$$go:$$PATH" $(PYTEST) tests/interop
	go="$$($(RUN) scripts/e2e_tools.py)" && PATH="$$go:$$PATH" AEGIS_TEST_TERRAFORM=opentofu $(PYTEST) tests/e2e/infra

lint: venv ## format, style, types, layers, workflows, generated files
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	PYTHONPATH=src $(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/zizmor --offline --no-progress --quiet --strict-collection --pedantic .
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-actions action.yml actions/*/action.yml
	$(RUN) scripts/generate.py --check
	$(RUN) scripts/scan_cloud_sdk_usage.py --strict

format: venv ## let ruff format the code and sort its imports
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

docs: venv ## write the generated files anew: schemas, reasons, catalogue, action tables, examples
	$(RUN) scripts/generate.py --write

lock: venv ## compile the locks anew from pyproject.toml
	$(RUN) scripts/lock.py

bench: venv ## print ratios beside peers (semgrep, ruff, pip, cosign, sigstore, obstore, boto3, pymerkle, joserfc, ...), on the same work in turn
	$(RUN) benchmarks/startup.py
	$(RUN) benchmarks/imports.py
	$(RUN) benchmarks/scan.py
	$(RUN) benchmarks/verify_peers.py --large
	$(RUN) benchmarks/verify_storage.py
	$(RUN) benchmarks/loader.py large small import
	$(RUN) benchmarks/audit.py
	$(RUN) benchmarks/jwt.py
	$(RUN) benchmarks/backup.py
	$(RUN) benchmarks/backup_check.py
	$(RUN) benchmarks/canary.py
