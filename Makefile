# Two commands do it all on a machine with Python 3.11+, git and make: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: mypy basedpyright ministack screenshots docs benchmark benchmark-find benchmark-closed-loop benchmark-fit benchmark-forecast demo test check lint unit scenarios compose protos lock clean help

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(READY)   ## emulator + server + two workers + a plan that crosses a quota, on this machine
	@$(BIN)/burstline demo

test: check      ## every check of the project: what .ci/run runs

check: lint unit

lint: $(READY)   ## formatting, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target mypy basedpyright

mypy basedpyright: $(READY)
	$(BIN)/$@

docs: $(READY)   ## every command of README, docs and --help, run against servers and a practice AWS here (3 min)
	$(BIN)/pytest tests/integration/test_docs_commands.py tests/integration/test_docs_first_run.py -m "slow or not slow"

unit: $(READY)   ## the tests
	$(BIN)/pytest

scenarios: $(READY) ## the faults with real processes, also those that take minutes (some need root)
	$(BIN)/pytest tests/scenarios -m "not compose"

compose: $(READY) ## docker-compose.yml with a worker killed, and the pods of deploy/kubernetes (needs a Docker engine)
	$(BIN)/pytest tests/scenarios/test_compose.py tests/scenarios/test_pods.py -m compose -s

ministack: $(READY) ## the AWS code against an emulator by others, in an environment of its own (2 min)
	$(BIN)/pytest tests/scenarios/ministack -m ministack

fuzz: $(READY)   ## 20,000 mutated plans and messages, at a server and at a worker (5 min)
	BURSTLINE_FUZZ=10000 $(BIN)/pytest tests/integration/server/test_server_fuzz.py tests/integration/workers/test_worker_fuzz.py

benchmark-many-workers: $(READY)  ## one server, 500 workers' windows a second: CPU and memory over 10 minutes
	@$(BIN)/python benchmarks/many_workers.py --seconds 600

protos: $(READY) ## write the stubs anew from the .proto files
	$(BIN)/python protos/generate.py

screenshots: $(READY) ## the README's pictures, and the pages and the report as people see them, in reports/screenshots (1 min)
	@$(BIN)/python docs/screenshots.py reports/screenshots

benchmark-forecast: $(READY)   ## forecast against replays on fresh seeds: coverage, errors, speed, memory (5 min)
	@$(BIN)/python benchmarks/forecast.py

benchmark-forecast-emulator: $(READY)   ## forecast against what the emulator counts, fresh seeds; virtual time and HTTP (8 min)
	@$(BIN)/python benchmarks/forecast_emulator.py

benchmark: $(READY)   ## the engine beside other load tools; writes docs/performance.md (PEERS="--k6 PATH ...")
	@$(BIN)/python -m benchmarks.engine.install
	@$(BIN)/python -m benchmarks.engine --write $(PEERS)

benchmark-fit: $(READY)   ## the fit on fresh hidden accounts: truth, estimate, interval
	@$(BIN)/python benchmarks/fit.py --count 150 --extra 25

benchmark-find: $(READY)  ## the search on fresh accounts: its error, and its requests against a linear ramp's
	@$(BIN)/python benchmarks/find.py --count 60

benchmark-closed-loop: $(READY)  ## run, apply the advice, run again, on fresh accounts
	@$(BIN)/python benchmarks/closed_loop.py --count 110

# What is locked stays as it is: `make lock LOCK=--upgrade` raises versions. What the image is built with and runs with
# are parts of the one lock, hence the copies: uv keeps the hashes that it finds in its output file.
COMPILE := uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header
lock:            ## requirements.lock, and its parts for the image, from pyproject.toml (needs uv)
	$(COMPILE) $(LOCK) pyproject.toml --extra traces --group dev -o requirements.lock
	cp requirements.lock deploy/image/runtime.lock && cp requirements.lock deploy/image/build.lock
	$(COMPILE) pyproject.toml --extra traces -o deploy/image/runtime.lock
	$(COMPILE) --group build -o deploy/image/build.lock

$(READY): requirements.lock pyproject.toml
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "burstline needs Python 3.11 or later; this is %s. Try: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

clean:           ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
