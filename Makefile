# Every target makes what it needs. `make demo` and `make test` work from a fresh clone.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check format lock wheel clean system help bench mutate chaos cuts fuzz soak examples branches
.DEFAULT_GOAL := help

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

demo: $(VENV)/run ## Ring the bell: a whole incident on 100 simulated devices, in build/demo
	@$(BIN)/tocsin demo --devices 100 --workspace build/demo $(ARGS)

# The pure rooms are held to their coverage by tests of their own; what runs whole programs is not traced.
PURE  := tests/keys tests/advisories tests/device_sim tests/gateway tests/hil tests/fuzz
WHOLE := tests/cli tests/flow $(wildcard tests/test_*.py)

PEERS := $(VENV)/smpmgr/bin/smpmgr $(VENV)/csaf-validator/package.json $(VENV)/homeassistant/.asked

test: system $(VENV)/dev $(PEERS) ## Run all tests; hold line and branch coverage of the pure rooms
	@mkdir -p build
	$(BIN)/pytest -n 2 --dist worksteal $(WHOLE) $(ARGS)
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=json:build/coverage.json $(PURE) $(ARGS)
	@$(BIN)/python .ci/coverage

examples: system $(VENV)/dev $(VENV)/csaf-validator/package.json ## Take ten advisories through everything, into build/examples
	@$(BIN)/python examples/make.py $(ARGS)

check: $(VENV)/dev ## Format, lint, types, floors, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/smp-table --check
	$(BIN)/python .ci/c-tables --check
	$(BIN)/python docs/check.py

bench: $(VENV)/dev ## Measure what verification and the serial line cost; fail when a limit is missed
	@$(BIN)/python -m bench.trust $(ARGS)
	@$(BIN)/python -m bench.hil
	@$(BIN)/python -m bench.advisories
	@$(BIN)/python -m bench.device
	@$(BIN)/python -m bench.gateway

chaos: system $(VENV)/dev ## Hunt for an hour: kills, power cuts, orders of events and months at random
	TOCSIN_KILLS=100 $(BIN)/pytest -q -s tests/flow/test_chaos.py
	TOCSIN_MOMENTS=50 $(BIN)/pytest -n 2 --dist worksteal tests/flow/test_interruptions.py
	TOCSIN_LIVES=5000 $(BIN)/pytest -n 2 tests/device_sim/core/test_machine.py -k lives
	for seed in 1 2 3 4; do $(BIN)/python -m tests.device_sim.month --devices 1000 --seed $$seed $(ARGS) || exit 1; done

fuzz: system $(VENV)/dev ## Hunt for ten minutes each in the C and the Python parsers, and compare 100,000 verdicts
	hil/refdevice/fuzz/run --seconds 600 --documents 100000 $(ARGS)

branches: system $(VENV)/dev ## Count the branches of the C core that tests and table take; fail below 95 in 100
	@$(BIN)/python .ci/c-coverage --clear
	TN_COVERAGE=1 $(BIN)/pytest -n 2 --dist worksteal tests/hil/refdevice tests/hil/conformance/test_boards.py \
		--ignore tests/hil/refdevice/cuts -k "refdevice or coverage" $(ARGS)
	@$(BIN)/python .ci/c-coverage

cuts: system $(VENV)/dev ## Let the power go at every change of the C device's flash, and kill QEMU in a download
	@$(BIN)/python -m tests.hil.refdevice.cuts $(ARGS)

soak: system $(VENV)/dev ## Pester a real device for a minute and see that it does not grow
	TOCSIN_SOAK=60 $(BIN)/pytest -q -s tests/flow/test_soak.py

mutate: $(VENV)/dev system ## Break keys/ in every small way; fail when tests notice fewer than nine in ten
	@$(BIN)/python .ci/mutants $(ARGS)

format: $(VENV)/dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

system: ## Install the system packages that tests use, where this user may
	@.ci/system

wheel: $(VENV)/dev ## Build the wheel into dist/
	rm -rf dist && $(BIN)/python -m hatchling build -t wheel -d dist

lock: ## Renew requirements*.lock from pyproject.toml (needs uv)
	uv pip compile -q --upgrade --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  pyproject.toml --extra hil --group build -o requirements.lock
	uv pip compile -q --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  pyproject.toml --extra hil --group dev -c requirements.lock -o requirements-dev.lock
	uv pip compile -q --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  --group device -c requirements.lock -o requirements-device.lock

$(VENV)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Tocsin needs Python 3.11 or newer; give it with 'make PYTHON=/path/to/python3 ...'."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing; install it (Debian, Ubuntu: apt-get install python3-venv)."; exit 2; }
	@touch $@

$(VENV)/run: requirements.lock pyproject.toml | $(VENV)/pip
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(BIN)/pip install -q --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev: requirements-dev.lock $(VENV)/run
	@echo "Installing the locked development tools into $(VENV) ..."
	@$(BIN)/pip install -q --require-hashes -r requirements-dev.lock
	@touch $@

# smpmgr wants an older typer than we do, and radios that no test has: a folder of its own, nothing but what it runs on.
$(VENV)/smpmgr/bin/smpmgr: tests/smpmgr.lock | $(VENV)/pip
	@$(PYTHON) -m venv $(VENV)/smpmgr
	@$(VENV)/smpmgr/bin/pip install -q --no-deps --require-hashes -r tests/smpmgr.lock
	@touch $@

# Home Assistant wants a newer Python than we do; where there is none, its tests are skipped.
$(VENV)/homeassistant/.asked: tests/homeassistant.lock | $(VENV)/pip
	@tests/device_sim/homeassistant/install $(VENV)/homeassistant
	@mkdir -p $(@D) && touch $@

# A second opinion on CSAF documents, by others and in another language; without npm its tests are skipped.
$(VENV)/csaf-validator/package.json: tests/csaf-validator/package-lock.json | $(VENV)/pip
	@if command -v npm >/dev/null; then tests/csaf-validator/install $(VENV)/csaf-validator; else \
	  echo "npm is missing: CSAF documents are held to one validator only."; fi

clean: ## Remove everything that was made
	rm -rf build dist $(VENV) .coverage* .*_cache
