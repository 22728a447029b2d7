# Everything a newcomer needs, with nothing but Python (>= 3.11) and make.
#
#   make compare      train baseline and candidate on Fashion-MNIST, measure, and say whether the small one may ship;
#                     once more it goes on where it was stopped, or shows the answer again (OUT=FOLDER for a new one)
#   make test         the quick tests              make test-slow    the long ones
#   make lint         style, types, floors, tables make tables       rewrite the generated tables
#   make bench        the benchmarks               make clean        remove what make built
#   make executorch   $(EXECUTORCH)/bin/econet, which exports to ExecuTorch, in an environment of its own
#
# TORCH_INDEX=URL takes torch from that index, such as PyTorch's own CPU builds (smaller by gigabytes on Linux).

PYTHON ?= python3
TORCH_INDEX ?=
OUT ?= runs/fashion-mnist-compare
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt
SETUP := pyproject.toml constraints.txt

EXECUTORCH := .venv-executorch

.PHONY: compare test test-slow bench tables lint executorch clean

compare: $(VENV)/.train
	$(BIN)/econet compare fashion-mnist --out $(OUT) $(if $(wildcard $(OUT)/config.json),--resume) $(ARGS) || [ $$? -eq 1 ]

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow -n auto --dist worksteal

bench: $(VENV)/.train
	$(BIN)/python benchmarks/input_pipeline.py
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/image_stream.py
	$(BIN)/python benchmarks/two_devices.py

tables: $(VENV)/.train
	$(BIN)/python -m econet.jobs.tables

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	PYTHONPATH=src $(BIN)/lint-imports
	$(BIN)/python -m econet.jobs.tables --check

executorch: $(EXECUTORCH)/.made
	$(EXECUTORCH)/bin/python -m pytest tests/deployment/targets/to_executorch

# Its converter brings some fifty packages that nothing else here needs.
$(EXECUTORCH)/.made: $(SETUP)
	$(PYTHON) -m venv $(EXECUTORCH)
	$(if $(TORCH_INDEX),$(subst $(BIN),$(EXECUTORCH)/bin,$(PIP)) torch --index-url $(TORCH_INDEX))
	$(subst $(BIN),$(EXECUTORCH)/bin,$(PIP)) -e ".[train,executorch]" pytest
	@touch $@

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "EcoNet needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.train: $(VENV)/.made $(SETUP)
	@echo "Installing EcoNet with PyTorch into $(VENV)/ (some 250 MB to download with a CPU build of torch;"
	@echo "on Linux the default build brings about 3 GB of CUDA libraries: make TORCH_INDEX=... takes another)."
	$(if $(TORCH_INDEX),$(PIP) torch --index-url $(TORCH_INDEX))
	$(PIP) -e ".[train]"
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	$(PIP) -e ".[train,dev]"
	@touch $@

clean:
	rm -rf $(VENV) $(EXECUTORCH) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
