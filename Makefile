# What a checkout can do. Needs python3 with venv (Debian: python3-venv); everything else goes into .venv.
#   make demo                     play the simulated drummer
#   make test EXTRAS=tensorflow   all checks, with the adapters of further extras
#   make soak SECONDS=600 SEED=2  ten minutes of faults; docs/soak.md

PYTHON ?= python3
EXTRAS ?=
SECONDS ?= 1800
SEED ?= 1

empty :=
comma := ,
space := $(empty) $(empty)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --progress-bar off
TEST_EXTRAS := $(subst $(space),$(comma),$(strip onnxruntime eval test $(EXTRAS)))
DEMO_EXTRAS := $(subst $(space),$(comma),$(strip eval $(EXTRAS)))

# A stamp per set of extras: pip runs only when pyproject.toml has changed, or for a set not yet installed.
DEMO_STAMP := $(VENV)/.installed-$(subst $(comma),-,$(DEMO_EXTRAS))
DOCS_STAMP := $(VENV)/.installed-docs
TEST_STAMP := $(VENV)/.installed-$(subst $(comma),-,$(TEST_EXTRAS))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help demo test lint types benchmarks soak deb clean install-service uninstall-service install-user-service uninstall-user-service

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1 \t/' | expand -t 32

demo: $(DEMO_STAMP) ## film a simulated drummer, play what the network sees; leaves its files in demo/
	@$(BIN)/lalelu demo --out demo

test: $(TEST_STAMP) ## lint, types and tests (EXTRAS="tensorflow ..." for more adapters)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --durations 20

.PHONY: test-system
test-system: deb $(TEST_STAMP) ## the package in a real Debian, in an emulator (root; docs/system-bench.md)
	$(BIN)/python tests/system/bench/run.py "$$(ls -t dist/lalelu_*.deb | head -n 1)"

lint: $(TEST_STAMP) ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(TEST_STAMP) ## mypy, strict
	$(BIN)/mypy

.PHONY: docs
docs: $(DOCS_STAMP) ## the documentation as a site: dist/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "dist/site/index.html" >&2

benchmarks: $(TEST_STAMP) ## measure this machine and write docs/benchmarks.md (EXTRAS="tensorflow litert torch")
	$(BIN)/python tools/benchmarks.py

soak: $(TEST_STAMP) ## play for half an hour, break something every 20 s, count (SECONDS=1800 SEED=1; jackd, root)
	$(BIN)/python tools/soak.py --seconds $(SECONDS) --seed $(SEED)

# Make hands PREFIX=, DESTDIR= and the other variables of systemd/service.sh on by itself.
install-service: ## lalelu as a service of this machine (root; PREFIX=/opt/lalelu, DESTDIR= for packages)
	@sh systemd/service.sh install system

uninstall-service: ## remove what install-service put there; configuration and ledgers stay
	@sh systemd/service.sh uninstall system

install-user-service: ## lalelu as a service of your desktop session
	@sh systemd/service.sh install user

uninstall-user-service: ## remove what install-user-service put there
	@sh systemd/service.sh uninstall user

deb: ## dist/lalelu_VERSION_ARCH.deb: a Debian package with the service and all it needs
	@sh packaging/deb.sh

clean: ## remove the environment, caches and the demo's files
	rm -rf $(VENV) demo dist .build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find lalelu tools tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import ensurepip, venv' || \
	    { echo "$(PYTHON) has no venv; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEMO_STAMP): pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV) (once) ..." >&2
	$(PIP) -e '.[$(DEMO_EXTRAS)]'
	@touch $@

$(DOCS_STAMP): pyproject.toml | $(BIN)/python
	$(PIP) -e '.[docs]'
	@touch $@

ifneq ($(TEST_STAMP),$(DEMO_STAMP))
$(TEST_STAMP): pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV) with $(TEST_EXTRAS) (once) ..." >&2
	$(PIP) -e '.[$(TEST_EXTRAS)]'
	@touch $@
endif
