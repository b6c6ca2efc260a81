# The console's commands. `make run` is all that is needed to try it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 12

.PHONY: run
run: $(VENV)/.runtime ## Serve the console (the first time: install, migrate, create the sandbox workspace)
	@$(BIN)/python -m hoursmith_console.server.run

.PHONY: demo
demo: $(VENV)/.runtime ## Play two weeks of work in the sandbox, so that every page has something to show
	@$(BIN)/python -m hoursmith_console.server.run --demo $(ARGS)

.PHONY: telemetry
telemetry: $(VENV)/.telemetry ## Install what sends traces by OpenTelemetry

.PHONY: test
test: $(VENV)/.development ## Run every test in a random order (ARGS="--randomly-seed=…" repeats one)
	@# Hundreds of processes are started, and each would compile the product again where nothing compiled is kept.
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

# Where a pooler can matter: locks, LISTEN, cursors, timeouts and settings of sessions.
POOLED := tests/mcpbridge/audit/test_writer_faults.py tests/mcpbridge/activity/test_recorder_faults.py \
	tests/mcpbridge/activity/test_partitions.py tests/mcpbridge/auth/restrictions/test_store.py \
	tests/mcpbridge/db/test_timeouts.py tests/faults/test_approval_limit.py

.PHONY: test-pooled
test-pooled: $(VENV)/.development ## Run tests on PostgreSQL behind pgbouncer in transaction mode (ARGS="…" instead of the chosen ones)
	TEST_POOLER=transaction env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 3 --dist loadfile -k "not sqlite" $(or $(ARGS),$(POOLED))

# Where tests have PostgreSQL in their names, and files in which more of them use it.
HAVE_POSTGRES := tests/mcpbridge tests/hoursmith_console tests/faults tests/interop tests/upgrades tests/security \
	tests/test_secret_markers.py
ON_POSTGRES := $(POOLED) tests/faults/test_blocking.py tests/faults/test_database_restart.py tests/faults/test_grants.py \
	tests/faults/test_hammer.py tests/faults/test_monitoring.py tests/faults/test_restore.py \
	tests/faults/test_start_without_database.py tests/faults/test_two_nodes_under_load.py \
	tests/faults/test_unwritable_audit_log.py tests/mcpbridge/activity/test_order.py \
	tests/mcpbridge/activity/test_retention.py tests/mcpbridge/audit/anchors/test_crashes.py \
	tests/mcpbridge/calls/approvals/test_held_calls_and_health.py tests/mcpbridge/db

.PHONY: test-pooled-all
test-pooled-all: ## Run every test on PostgreSQL behind pgbouncer in transaction mode (half an hour, not part of CI)
	$(MAKE) test-pooled ARGS='-k "postgres and not sqlite" $(HAVE_POSTGRES)'
	$(MAKE) test-pooled ARGS='-k "not sqlite and not postgres" $(ON_POSTGRES)'

.PHONY: test-fast
test-fast: $(VENV)/.development ## Run the tests that start no process and walk no whole site (for every save)
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" --hypothesis-profile=fast $(ARGS)

.PHONY: check
check: $(VENV)/.development ## Lint, types, layers, deployment settings, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	PUBLIC_URL=https://console.example.com HOURSMITH_API_URL=https://hoursmith.app/api/v1 \
		SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')" AUDIT_SIGNING_KEY=x \
		$(MANAGE) check --deploy --fail-level WARNING
	SECRET_KEY=x AUDIT_SIGNING_KEY=x $(MANAGE) makemigrations --check --dry-run

.PHONY: bench
bench: bench/.venv/.contenders bench/node_modules/.contenders $(VENV)/.development ## Compare the bridge with others, as ratios from one run
	$(BIN)/python -m bench.run $(ARGS)

bench/.venv/.contenders: bench/requirements.txt
	$(PYTHON) -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@

bench/node_modules/.contenders: bench/package-lock.json
	@if command -v npm >/dev/null; \
	then cd bench && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules/.contenders; fi

.PHONY: wheel
wheel: $(VENV)/bin/python ## Build the wheel into dist/
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

.PHONY: release
release: $(VENV)/.development ## Build the files and notes of this version into dist/
	@$(BIN)/python -m release $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.fuzzing ## Fuzz untrusted-input parsers (SECONDS each, default 60); failures are saved as seeds
	$(BIN)/python -m tests.fuzz.run --seconds $(or $(SECONDS),60) $(ARGS)

.PHONY: audit-deps
audit-deps: .audit/bin/pip-audit ## Check the pinned packages against the advisory database (needs the internet)
	@if .audit/bin/python -c "import urllib.request as r; r.urlopen('https://api.osv.dev/v1/vulns/GHSA-3f6c-7fw2-ppm4', timeout=10)" 2>/dev/null; \
	then .audit/bin/pip-audit --vulnerability-service osv --disable-pip --require-hashes -r requirements.lock -r requirements-dev.lock; \
	else echo "Not checked: the advisory database (api.osv.dev) cannot be reached from here."; exit 2; fi

.audit/bin/pip-audit:
	$(PYTHON) -m venv .audit
	.audit/bin/pip install --quiet --disable-pip-version-check pip-audit

.PHONY: pictures
pictures: $(VENV)/.development ## Regenerate the screenshots in docs/images, with Chromium
	$(BIN)/python -m tests.browser.pictures

.PHONY: settings
settings: $(VENV)/.development ## Regenerate .env.example from the declared settings
	@$(PYTHON) -m hoursmith_console.command_line settings > .env.example

.PHONY: catalogue
catalogue: $(VENV)/.development ## Regenerate server.json, llms-install.md and the README's install links
	@SECRET_KEY=x AUDIT_SIGNING_KEY=x $(MANAGE) shell --verbosity 0 -c 'from tests.docs.catalogue_files import main; main()'

.PHONY: format
format: $(VENV)/.development ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: $(VENV)/.development ## Pin the newest versions that requirements*.txt allow
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url requirements.txt -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url requirements-dev.txt -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -c requirements.lock requirements-telemetry.txt -o requirements-telemetry.lock

.PHONY: clean
clean: ## Remove installed and built files; keep the runtime data in var/
	rm -rf $(VENV) .audit .fuzz .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.development: requirements-dev.lock | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@ $(VENV)/.runtime

$(VENV)/.telemetry: requirements-telemetry.lock $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-telemetry.lock
	@touch $@

$(VENV)/.fuzzing: tests/fuzz/requirements.txt $(VENV)/.development
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r tests/fuzz/requirements.txt
	@touch $@
