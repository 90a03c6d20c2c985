# Two commands: `make demo` shows a cited answer, `make test` runs all checks and tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .bench-venv
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps
LOCKED := $(PIP) --require-hashes -r
# The local version +cpu exists for the CPU build alone, so CUDA is never pulled.
TORCH := torch==2.13.0+cpu
DEMO := SUPPORTBOT_HOME=$(CURDIR)/.demo
ADDRESS := http://127.0.0.1:8080

.PHONY: demo test bench bench-runtimes bench-parsers check format lock clean

demo: $(VENV)/runtime
	@$(DEMO) $(BIN)/supportbot-ingest sync knowledge/articles --base-url $(ADDRESS)/help --quiet
	@$(DEMO) $(BIN)/supportbot ask "How do I connect the bot to Slack?"
	@echo
	@echo "Widget page:         $(DEMO) $(BIN)/supportbot serve   then open $(ADDRESS)/demo"
	@echo "Slack:               read knowledge/articles/connecting-slack.md, or ask the bot"
	@echo "Your own documents:  $(BIN)/supportbot-ingest sync FOLDER"

test: check
	@$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

# PAGES="50 462 967": on how many pages; beyond 462, they are repeated with other words.
PAGES ?= 50 462
bench: $(VENV)/runtime $(BENCH)/ready
	@$(BIN)/python -m tests.bench.measure --pages $(PAGES) --others $(BENCH)/bin/python

# What else could run the packaged model, and read pages and PDF files. DOCS=/ takes the installed
# documentation of Debian, another folder what was unpacked there; without, it is fetched.
bench-runtimes: $(BENCH)/ready
	@$(BENCH)/bin/python -m tests.bench.runtimes

bench-parsers: $(BENCH)/ready
	@$(BENCH)/bin/python -m tests.bench.parsers $(DOCS)

check: $(VENV)/development
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/development
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Writes the lock files anew from pyproject.toml.
LOCK := --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
lock: $(VENV)/development
	@echo '$(TORCH)' > $(VENV)/torch.txt
	$(BIN)/python -m piptools compile $(LOCK) --constraint $(VENV)/torch.txt \
		--output-file requirements.lock pyproject.toml
	$(BIN)/python -m piptools compile $(LOCK) --constraint $(VENV)/torch.txt \
		--constraint requirements.lock --extra dev --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) $(BENCH) .demo .mypy_cache .ruff_cache .pytest_cache

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	@$(PYTHON) -m venv $(VENV) || { echo "No virtual environment could be made; on Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/runtime: $(VENV)/python requirements.lock pyproject.toml
	@echo "Installing pinned dependencies into $(VENV) (about 2 GB, once) …"
	@$(LOCKED) requirements.lock || { echo "If pip found no $(TORCH): name PyTorch's index of CPU wheels in PIP_EXTRA_INDEX_URL and run make again"; exit 1; }
	@$(PIP) -e .
	@touch $@

$(VENV)/development: $(VENV)/runtime requirements-dev.lock
	@$(LOCKED) requirements-dev.lock
	@touch $@

$(BENCH)/ready: tests/bench/requirements.txt
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install -qq --disable-pip-version-check --no-deps -r $<
	@touch $@
