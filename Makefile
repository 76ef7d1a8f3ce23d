# One virtual environment in .venv; every target sets it up by itself. Needs Python 3.11 or newer, nothing else.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SUBMISSIONS ?= 900
ROUNDS ?= 3
SECONDS ?= 30
RUNS ?= 500
SEED ?= 1
EVENTS ?=
TENANTS ?= 1 10 100
PARTITIONS ?= 6
HEAP ?= 1g
DIRECTORY ?= /dev/shm
.DEFAULT_GOAL := help

READER := examples/java/target/eltax-hub-reader.jar

.PHONY: help pictures demo hub images up down status load containers test story unit coverage soak attacks-long watch-long chaos test-cluster registry runbooks lint java bench capacity docs attacks fuzz machines mutate lock clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("eltax-hub needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv .venv || { echo "Python's venv module is missing (Debian: apt install python3-venv)"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## the whole hub on a real Kafka: submit, route, store, prove; then stop
	$(BIN)/eltax-hub demo --submissions $(SUBMISSIONS)

hub: $(READY) ## the same hub on this machine, without containers, staying up until Ctrl-C
	$(BIN)/eltax-hub up

images: ## build the images of hub, Kafka, registry and watch (HUB_BASE_IMAGE, deploy/site: docs/air-gapped.md)
	deploy/containers images

up: ## the hub in containers: three brokers, registry, roles, watch; without a Docker engine it says what else to do
	deploy/containers up

down: ## stop the containers; data and keys stay in .deployment
	deploy/containers down

status: ## which containers run, and whether they are healthy
	deploy/containers status

load: $(READY) ## SUBMISSIONS artificial ones through the running containers, reconciled
	deploy/containers load $(SUBMISSIONS)

containers: $(READY) ## the long test of the containers, where a Docker engine answers
	$(BIN)/python -m pytest -q -s -m soak --timeout 0 tests/deploy

test: $(READY) ## everything CI runs: lint, types, import contracts, the reader in Java, all tests but the long ones
	$(BIN)/python -m tests.run

story: $(READY) ## examples/story.sh: one filing from beginning to end, checked at every step
	$(BIN)/python -m pytest -q -m soak --timeout 420 tests/broker/test_story.py

unit: $(READY) ## the fast part only
	$(BIN)/python -m pytest tests/unit -q

coverage: $(READY) ## how much of the code the unit tests execute; 80 % at least
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -q -n 2 -m "not soak" tests/unit
	$(BIN)/python -m coverage combine --quiet && $(BIN)/python -m coverage report --fail-under=80 | tail -n 1

soak: $(READY) ## the long tests of the whole hub: tenants, letters, proofs
	$(BIN)/python -m pytest -q -m soak tests/broker

attacks-long: $(READY) ## the long attacks: every value of every byte, many machines
	$(BIN)/python -m pytest -q -m soak tests/attacks tests/unit --attacks-into=.attacks/long.jsonl

watch-long: $(READY) ## the long tests of the watch: a month of the operations log, every alert
	HUB_SOAK_EVENTS=$(or $(EVENTS),2000000) $(BIN)/python -m pytest -q -s -m soak --timeout 0 tests/watch

test-cluster: $(READY) ## the broker suite on three brokers, file by file; notes the result (FILES=… alone)
	$(BIN)/python -m tests.on_kafka cluster --report $(FILES)

registry: $(READY) ## publishing to Apicurio from its Maven archive (159 MB the first time)
	$(BIN)/python -m pytest -q -m soak tests/registry

runbooks: $(READY) ## the commands of docs/runbooks on running hubs: keys, certificates, backup, brokers, versions
	$(BIN)/python -m pytest -q -m soak --timeout 900 tests/runbooks

chaos: $(READY) ## a bad day on three brokers: SEED=1 EVENTS=20000; its report goes to docs/reports
	$(BIN)/python -m tests.chaos --seed $(SEED) --events $(or $(EVENTS),20000) $(if $(RATE),--rate $(RATE)) --report

lint: $(READY) ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

$(READER): examples/java/pom.xml $(shell find examples/java/src schemas/contracts schemas/ids.json -type f)
	@command -v mvn >/dev/null || { echo "Maven and a JDK are missing (Debian: apt install maven openjdk-17-jdk-headless)"; exit 1; }
	mvn --file examples/java/pom.xml --batch-mode --quiet package
	@touch $(READER)

java: $(READER) ## build the reader in Java, run its tests, and let it check the vectors
	java -jar $(READER) vectors tests/vectors

bench: $(READY) ## ratios against a bare relay, on this machine, in one run
	$(BIN)/python -m benchmarks --rounds $(ROUNDS)

capacity: $(READY) ## docs/capacity.md's figures: TENANTS="1 10 100" PARTITIONS=6 DIRECTORY=/dev/shm HEAP=1g; long
	$(BIN)/python -m benchmarks.tenants --tenants $(TENANTS) --partitions $(PARTITIONS) --heap $(HEAP) --directory $(DIRECTORY)
	$(BIN)/python -m benchmarks.scale_out --directory $(DIRECTORY)
	$(BIN)/python -m benchmarks.flood --directory $(DIRECTORY)

docs: $(READY) ## write the generated pages again
	$(BIN)/python -m monitoring.document
	$(BIN)/python -m monitoring.analysis.document
	$(BIN)/python -m monitoring.grafana
	$(BIN)/python -m monitoring.prometheus.rules
	$(BIN)/python -m monitoring.prometheus.runbooks
	$(BIN)/python -m monitoring.logging_duty
	$(BIN)/python -m tests.watch.rules.write
	$(BIN)/python -m schemas.document
	$(BIN)/python -m consumers.review.export.document
	$(BIN)/python -m topics.document
	$(BIN)/python -m deploy.write
	$(BIN)/python -m tests.unit.monitoring.report.artificial docs/examples

pictures: $(READY) ## draw docs/pictures from the queries of the dashboards: a hub at work for some minutes
	$(BIN)/python -m tests.watch.pictures

attacks: $(READY) ## take the attacks that the last `make test` saw into docs/attacks.md
	$(BIN)/python -m tests.attacking.page record .attacks/*.jsonl

fuzz: $(READY) ## SECONDS for each decoder with foreign bytes, or TARGET=x alone; REPORT=1 notes it in docs/reports
	$(BIN)/python -m tests.fuzz run $(or $(TARGET),all) --seconds $(SECONDS) $(if $(REPORT),--report)

machines: $(READY) ## the state machines, RUNS each with new choices (SEED=n: the same again)
	HUB_MACHINE_RUNS=$(RUNS) HUB_MACHINE_SEED=$(or $(SEED),0) $(BIN)/python -m pytest -q -s --timeout 0 -k "_model" \
	  tests/unit/producing/test_journal_model.py tests/unit/reading/test_sessions_model.py \
	  tests/unit/consumers/test_store_model.py tests/unit/consumers/test_audit_log_model.py

mutate: $(READY) ## small wrong changes in the code: does a test notice? FILES=hub/envelope/wire.py, else all; long
	$(BIN)/python -m tests.mutation.run $(FILES)
	$(BIN)/python -m tests.mutation.report record

lock: $(READY) ## resolve the dependencies again, with hashes and without naming a host
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --extra analysis --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-header --strip-extras --output-file requirements.lock pyproject.toml
	$(BIN)/python -m deploy.locks

clean: ## the environment and the state of the embedded hub
	rm -rf examples/java/target .venv .hub .fuzz .attacks .kafka .mutation .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
