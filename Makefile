# The two commands: `make repro` trains, evaluates and reports; `make test` proves it. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two worker processes; the tests of a file stay together, whole runs of the pipeline come first (tests/conftest.py).
TEST := pytest -n 2 --dist loadfile --no-loadscope-reorder
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: repro test unit pipeline lint lock smoke reproduce recover faults long docs dist setup clean

repro: $(READY)
	dvc repro

test: $(READY)
	$(TEST) --cov --cov-fail-under=80 --durations=20

unit: $(READY)
	$(TEST) -m "unit and not pipeline"

pipeline: $(READY)
	$(TEST) -m pipeline

lint: $(READY)
	ruff check .
	ruff format --check --quiet .
	mypy

# Does dvc.lock belong to this code and these parameters? Outputs are not needed; the text is read, since dvc's exit code is 0.
lock: $(READY)
	@said=$$(dvc repro --dry --allow-missing 2>&1); code=$$?; echo "$$said"; \
	if [ $$code -ne 0 ] || echo "$$said" | grep -q '^Running stage'; then echo 'dvc.lock is behind: dvc repro, or thce relock' >&2; exit 1; fi

# The whole pipeline at smoke size in a temporary clone, then with nothing to do: seconds and memory.
smoke: $(READY)
	python tests/smoke.py

# Does a fresh clone give the committed bytes? Takes as long as `dvc repro` does at the profile in params.yaml.
reproduce: $(READY)
	python tests/reproduce.py

# After a crash, a full disk, a damaged cache: whatever it was, this brings the tree back.
recover: $(READY)
	thce doctor --mend
	dvc repro

# Kills, full disks, damaged files: up to half an hour, not part of `make test`.
faults: $(READY)
	pytest -m faults

# The recipes of docs/experiments.md and of sharing, run for real; not part of `make test` either.
long: $(READY)
	pytest -m long

# The documentation as a site in site/; a broken link stops it. Nothing in it is fetched from another host.
docs: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet
	@echo 'site/index.html is there; for the search too: python -m http.server --directory site --bind 127.0.0.1'

# Wheel and sdist in dist/, built with the pinned setuptools of this environment.
dist: $(READY)
	python -m build --no-isolation --outdir dist

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) .checkpoints site dist
