# Every target needs only python3 (3.11 or newer), make and the internet for packages.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=
# What stands on make's own command line, as in make train model=resnet18, and is no variable of this file.
GIVEN = $(foreach name,$(filter-out ARGS PYTHON MAKEFLAGS,$(.VARIABLES)),$(if $(filter command line,$(origin $(name))),'$(name)=$(subst ','\'',$(value $(name)))'))
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup show train tune eval predict explain test check lab bench table tensorboard clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  Arguments: make train model=resnet18 data=cifar10; options: make train ARGS="-m seed=0,1"'

# An interrupted install leaves no stamp, and a changed pyproject.toml makes the stamp stale.
$(VENV)/stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cnnlab needs Python 3.11 or newer, got " + sys.version.split()[0] + "; choose one with make PYTHON=python3.x")'
	@$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/stamp-dev: $(VENV)/stamp
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

setup: $(VENV)/stamp-dev ## make the environment with all that training and tests need

show: $(VENV)/stamp ## look at the images before training: make show data=cifar10
	@$(PY) src/show.py $(GIVEN) $(ARGS)

train: $(VENV)/stamp ## train a network (LeNet-5 on digits unless ARGS says otherwise)
	@$(PY) src/train.py $(GIVEN) $(ARGS)

tune: $(VENV)/stamp-dev ## search hyperparameters: ARGS="search=adamw optimizer=adamw trials=30"
	@$(PY) src/tune.py $(or $(strip $(GIVEN) $(ARGS)),search=adamw optimizer=adamw)

eval: $(VENV)/stamp ## evaluate a checkpoint: make eval ARGS="checkpoint=PATH"
	@$(PY) src/eval.py $(GIVEN) $(ARGS)

predict: $(VENV)/stamp ## classify your images: make predict checkpoint=latest images=FOLDER
	@$(PY) src/predict.py $(GIVEN) $(ARGS)

explain: $(VENV)/stamp-dev ## where a network looks, what it has learned: make explain ARGS="checkpoint=PATH"
	@$(PY) src/explain.py $(GIVEN) $(ARGS)

test: $(VENV)/stamp-dev ## the fast tests: offline, about six minutes on two cores
	@$(PY) -m pytest $(ARGS)

check: $(VENV)/stamp-dev ## lint, types, and the layers of the packages
	@$(PY) -m ruff check src tests
	@$(PY) -m ruff format --check src tests
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo

lab: $(VENV)/stamp ## an experiment of the study notes: ARGS="lab=edges", or all of them
	@$(PY) src/lab.py $(or $(strip $(GIVEN) $(ARGS)),lab=all)

bench: $(VENV)/stamp ## time training here: ARGS="bench=train model=resnet18"
	@$(PY) src/benchmark.py $(GIVEN) $(ARGS)

table: $(VENV)/stamp ## a table of all runs below logs/, mean and spread over seeds
	@$(PY) src/report.py $(GIVEN) $(ARGS)

tensorboard: $(VENV)/stamp ## the curves of all runs on http://localhost:6006
	@$(PY) -m tensorboard.main --logdir logs $(ARGS)

clean: ## remove the environment and caches; runs and data stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
