# Two commands do everything: `make repro` and `make test`. Both first install what they need into .venv.

PYTHON ?= python3
PROFILE ?= standard
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export HF_HUB_OFFLINE := 1

# DVC refuses an archive that has no .git, unless it is told that there is none.
WITHOUT_GIT := git rev-parse --git-dir > /dev/null 2>&1 || dvc config --local core.no_scm true

.PHONY: help setup repro paper quick board test test-long speed scaling lock clean

help:
	@echo "make repro [PROFILE=smoke|quick|standard|paper]   run the benchmark through DVC: scores, leaderboard, figures"
	@echo "make paper   reproduce the paper: its whole grid, all figures and the report"
	@echo "make quick   a first look in three minutes, written to results/quick/board"
	@echo "make board TAG=board-1   build a released board again, from its own scores with its own code (docs/releases.md)"
	@echo "make test    lint, types and tests"
	@echo "make test-long   injected faults, long fuzz and other Pythons"
	@echo "make speed   how fast it is, beside naive loops"
	@echo "make scaling   what studies cost as they grow"

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo "make: $(PYTHON) not found. Install Python 3.11 or newer, or: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $$($(PYTHON) --version) is too old. Thrive needs Python 3.11 or newer: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "make: this Python has no venv. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

repro: setup
	sed -i.bak 's/^profile: .*/profile: $(PROFILE)/' params.yaml && rm params.yaml.bak
	@$(WITHOUT_GIT)
	dvc repro

paper: setup
	@$(WITHOUT_GIT)
	dvc repro paper/dvc.yaml

quick: setup
	thrive run --profile quick
	thrive score --profile quick
	thrive board --at results/quick/board
	thrive figures --at results/quick/board --to results/quick/board/figures

board: setup
	git worktree add --detach boards/$(TAG) $(TAG)
	cd boards/$(TAG) && PYTHONPATH=$(CURDIR)/boards/$(TAG) python -m thrive.cli board > /dev/null
	git -C boards/$(TAG) diff --exit-code --stat -- leaderboard

test: setup
	ruff check . && ruff format --check .
	lint-imports
	mypy
	zizmor --offline --no-progress --quiet .github/workflows
	python -m pytest --numprocesses 2 --dist loadscope

# Up to half an hour of CPU. Each test has its name in the output.
test-long: setup
	THRIVE_FUZZ=5 python -m pytest --verbose --numprocesses 2 --dist loadscope -m "long or fuzz"

# Speed, beside naive loops in the same process: minutes, and best on an idle machine.
speed: setup
	python -m pytest tests/speed -o addopts="-p no:cacheprovider -s" --benchmark-columns=min,rounds

# The numbers of docs/scaling.md, best on an idle machine.
scaling: setup
	python -m tests.speed.scaling

# Exact versions of all that is installed, for `make setup`.
lock: setup
	pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+cpu//' > requirements.lock

# Keeps cells/ and results/, which took hours: remove them yourself.
clean:
	rm -rf .venv
