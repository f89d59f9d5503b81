# Everything that is done to this checkout. `make` alone lists the targets.
# What a target needs, it installs first, into .venv and .cache and nowhere else.

BIN := .venv/bin
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_CACHE_DIR := $(CURDIR)/.cache/uv

# The first of these that is Python 3.11 or later and can make a virtual environment.
# Another one: make setup PYTHON=/path/to/python
PYTHON ?= python3 python3.13 python3.12 python3.11
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

# All that the acceptance tests need beyond .venv, and that may take the network.
FOR_ACCEPTANCE := sam emulator .cache/wheels/host/.made

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check fmt soak mutants cover bench bench-peers lock audit-deps clean
.PHONY: build deploy stage acceptance destroy validate sam emulator peers

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: .venv/installed ## make .venv with janitor in it; does nothing if nothing changed

# A new lock makes a new environment, so that nothing of the old one is left in it. The stamp is
# a copy of the lock: a file that is newer but says the same changes nothing. The lock is complete, so
# pip is to look for nothing else: an old one takes an extra (coverage[toml]) for unpinned as soon as
# there is a newer release, and gives up.
.venv/locked: requirements/dev.txt
	@set -e; if cmp -s $< $@; then touch $@; exit 0; fi; \
	for python in $(PYTHON) ''; do \
	  if [ -z "$$python" ]; then \
	    echo "janitor needs Python 3.11 or later with venv; tried: $(PYTHON)." \
	      "Install one, or name it: make setup PYTHON=/path/to/python" >&2; exit 1; fi; \
	  if "$$python" -c '$(USABLE)' >/dev/null 2>&1; then break; fi; \
	done; \
	echo "setting up .venv with $$("$$python" --version)"; \
	"$$python" -m venv --clear .venv; \
	$(BIN)/python -m pip install -qq --no-deps --require-hashes --only-binary :all: -r $<; \
	cp $< $@

# Metadata and the script only: the sources are used where they stand.
.venv/installed: .venv/locked pyproject.toml src/janitor/__init__.py
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --no-index --editable .
	@touch $@

demo: setup ## play ten days of a development account on an embedded AWS
	@$(BIN)/janitor demo

# The tests of an acceptance file share a deployment, and they mostly wait: by file, after the others.
# -rs says at the end what was left out and why: without Chromium the tests in a browser are.
# Whoever is through with its share takes from the other's: a few tests take a minute each.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
ACCEPTANCE := tests/acceptance --dist loadfile --no-loadscope-reorder
test: setup $(FOR_ACCEPTANCE) ## run all tests
	@$(PYTEST) -rs --ignore tests/acceptance
	@$(PYTEST) $(ACCEPTANCE)

check: setup $(FOR_ACCEPTANCE) validate ## format, lint, types, layering, tests: what CI runs
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(PYTEST) -n 0 tests/project/test_layering.py
	@$(PYTEST) -rs --ignore tests/acceptance
	@$(PYTEST) $(ACCEPTANCE)

fmt: setup ## format the code and repair what the linter can
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

soak: setup ## the property tests, much longer; SOAK=5 is five times as long again
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -n 2 -m soak

mutants: setup ## break the code on purpose, line by line, and see that the invariants' tests notice
	@$(BIN)/python tests/application/mutations.py

cover: setup ## run the tests and show the branches that none of them took
	@$(PYTEST) --ignore tests/acceptance --cov --cov-report=term-missing:skip-covered

.PHONY: screenshots
screenshots: setup ## take the pictures of the extension page in docs/images anew (needs Chromium)
	@PYTHONPATH=. $(BIN)/python tools/screenshots.py

.PHONY: rights taggable
rights: setup ## write anew what the sweep may tag, from the schemas of types that cfn-lint ships
	@$(BIN)/python tools/tagging_rights.py

taggable: setup ## say by which way stacks of your templates would be tagged, or why not (TEMPLATES=directory)
	@$(BIN)/python tools/taggable.py $(TEMPLATES)

bench: setup ## measure calls, time and memory; results and machine go to a file
	@$(BIN)/python bench/run.py

bench-peers: setup peers ## mark and delete 2,000 stacks beside Cloud Custodian (PEERS_STACKS=500)
	@$(BIN)/python bench/peers.py

# Two passes: the runtime pins are those that the tests ran with. `make lock UPGRADE=--upgrade`
# takes the newest of everything; without it only what pyproject.toml asks for changes.
# Lambda brings boto3 itself; the rest of these is of the command line alone.
NOT_PACKAGED := boto3 botocore s3transfer python-dateutil six urllib3 \
  typer click colorama shellingham annotated-doc rich markdown-it-py mdurl pygments
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet $(UPGRADE) --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
lock: setup ## write requirements/*.txt anew from pyproject.toml
	@$(COMPILE) --extra demo --extra lambda --group dev --output-file requirements/dev.txt
	@$(COMPILE) --constraints requirements/dev.txt --output-file requirements/runtime.txt
	@$(COMPILE) --constraints requirements/dev.txt --extra lambda $(NOT_PACKAGED:%=--no-emit-package %) \
	  --output-file requirements/lambda.txt
	@$(subst pyproject.toml,requirements/sam.in,$(COMPILE)) --output-file requirements/sam.txt
	@$(subst pyproject.toml,requirements/emulator.in,$(COMPILE)) --output-file requirements/emulator.txt
	@$(subst pyproject.toml,requirements/peers.in,$(COMPILE)) --output-file requirements/peers.txt

audit-deps: setup ## ask for known vulnerabilities in what is pinned (needs the network)
	@$(BIN)/pip-audit --require-hashes --disable-pip --requirement requirements/dev.txt \
	  --requirement requirements/runtime.txt --cache-dir .cache/pip-audit --progress-spinner off --strict

# The deployed service ------------------------------------------------------------------------

# These have pins that clash with ours, so each has an environment of its own: the SAM command
# line, the AWS that `make acceptance` deploys to, which is ministack with SAM's translator, and
# Cloud Custodian.
# SAM keeps its own files there too, and does not ask for newer versions of itself.
SAM := SAM_CLI_TELEMETRY=0 __SAM_CLI_APP_DIR=$(CURDIR)/.cache/sam/home .cache/sam/bin/sam
sam emulator peers: %: .cache/%/locked
.cache/sam/locked .cache/emulator/locked .cache/peers/locked: .cache/%/locked: requirements/%.txt .venv/locked
	@if cmp -s $< $@; then touch $@; exit 0; fi; set -e; \
	$(BIN)/python -m venv --clear .cache/$*; \
	$(BIN)/uv pip install --quiet --python .cache/$* --require-hashes --only-binary :all: -r $<; \
	mkdir .cache/$*/home; echo '{"lastVersionCheck": 9999999999}' > .cache/$*/home/metadata.json; \
	cp $< $@

STAGE ?= dev
STACK = janitor-$(STAGE)

validate: setup sam ## lint template.yaml with SAM and with cfn-lint
	@$(SAM) validate --lint --region eu-central-1
	@$(BIN)/cfn-lint --region eu-central-1 --template template.yaml

BUILD_DIR ?= .aws-sam/build
TEMPLATE ?= template.yaml
build: setup sam ## build the functions into .aws-sam/build, for Lambda on arm64
	@$(SAM) build --template-file $(TEMPLATE) --build-in-source --build-dir $(BUILD_DIR) >.cache/sam-build.log 2>&1 \
	  || { cat .cache/sam-build.log >&2; exit 1; }
	@echo "built $(BUILD_DIR): $$(($$(find $(BUILD_DIR)/SweepFunction -type f -exec cat {} + | wc -c) / 1024)) KiB for each function"
	@test -d $(BUILD_DIR)/SweepFunction/janitor/__pycache__ || echo "without bytecode, as there is no" \
	  "Python 3.13 here: cold starts take half a second longer (PYTHON313=/path/to/python3.13)"

# SAM asks for these, one for each function; all of them have the same code. Wheels for the target
# without its interpreter, and times that are always the same. Left out is what no function
# imports: the policy is read by PyYAML's own loader, not libyaml's.
# BUILD_FOR=x86_64 goes with Architecture=x86_64; host is for an emulator that runs them here.
BUILD_FOR ?= aarch64
WHEELS_FOR_host := --python $(BIN)/python
WHEELS_FOR = $(or $(WHEELS_FOR_$*),--python-platform $*-manylinux2014 --python-version 3.13)
POWERTOOLS := $(addprefix aws_lambda_powertools/,event_handler logging/formatters/datadog.py \
  metrics/provider/datadog $(addprefix utilities/,auth_alpha circuit_breaker data_masking feature_flags \
  idempotency kafka parameters parser streaming validation $(patsubst %,data_classes/%_event.py,active_mq \
  api_gateway_authorizer appsync_authorizer cognito_user_pool iot_registry rabbit_mq s3_object)))
SLACK := $(addprefix slack_sdk/,http_retry/*async* models/dialogs models/dialoags.py audit_logs oauth rtm rtm_v2 scim socket_mode signature \
  web/async_*.py web/legacy_*.py webhook/async_client.py)
JINJA := $(addprefix jinja2/,ext.py meta.py nativetypes.py sandbox.py)
UNUSED := bin .lock *.dist-info/METADATA *.dist-info/RECORD *.dist-info/sboms slack $(POWERTOOLS) $(SLACK) $(JINJA) $(addprefix pydantic/,color.py experimental mypy.py v1) annotated_types/test_cases.py \
  tzdata/zoneinfo/*.zi tzdata/zoneinfo/*.tab yaml/_yaml.cpython-*
# Of ours, what the command line alone needs.
COMMAND_LINE := $(addprefix janitor/,entrypoints/cli entrypoints/demo audit_report \
  $(addprefix application/,audit/report.py audit/verify.py \
    $(addprefix operations/,breaker.py doctor.py explain.py local.py unmanage.py)) \
  $(addprefix domain/,$(addprefix journal/,archive_check.py csv_export.py event_filter.py history.py \
    statistics.py stream_check.py) $(addprefix planning/,earliest_deletion.py forecast.py policy_preview.py)))

# Lambda keeps no bytecode: what is packaged without it is compiled at every cold start, for half a
# second. Only the Python of the functions can make it, so one has to be here, or its path be given
# as PYTHON313; without one the package has none. Others' code goes as bytecode alone, for its size,
# as the wheels are of that one version anyway. Seed and paths make it the same on every machine.
PYTHON313 ?= python3.13 $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python3.13)
COMPILERS = $(if $(filter host,$(1)),$(abspath $(BIN)/python),$(PYTHON313))
# $(call compile,target,what and how,then)
compile = for python in $(call COMPILERS,$(1)); do if "$$python" -c '' 2>/dev/null; then \
    PYTHONHASHSEED=0 "$$python" -m compileall -q --invalidation-mode unchecked-hash \
      -s "$$PWD" -p /var/task $(2); $(3) break; fi; done
.cache/wheels/%/.made: requirements/lambda.txt .venv/locked Makefile
	@set -e; rm -rf $(@D); mkdir -p $(@D); \
	$(BIN)/uv pip install --quiet --no-deps --require-hashes --only-binary :all: --link-mode copy \
	  $(WHEELS_FOR) --target $(@D) -r requirements/lambda.txt; \
	cd $(@D); rm -rf $(UNUSED); find . \( -name __pycache__ -o -name "*.pyi" \) -prune -exec rm -rf {} +; \
	$(call compile,$*,-b "$$PWD",find . -name '*.py' -exec rm {} +;); touch .made
build-%Function: .cache/wheels/$(BUILD_FOR)/.made
	@set -e; cp -R .cache/wheels/$(BUILD_FOR)/. src/janitor "$(ARTIFACTS_DIR)"; cd "$(ARTIFACTS_DIR)"; \
	rm -r .made $(COMMAND_LINE); find janitor -name __pycache__ -type d -prune -exec rm -rf {} +; \
	$(call compile,$(BUILD_FOR),"$$PWD/janitor"); \
	chmod -R u=rwX,go=rX .; TZ=UTC find . -exec touch -h -t 198001010000 {} +

# A first deployment begins in mode observe. What a deployment is of comes from SAMCONFIG; AWS's
# own settings (AWS_PROFILE, AWS_REGION) say where it goes. No change is no failure.
SAMCONFIG ?= samconfig.toml
deploy: stage build ## deploy a stage: make deploy STAGE=dev; samconfig.toml has its settings
	@$(SAM) deploy --template-file $(BUILD_DIR)/template.yaml --config-file $(abspath $(SAMCONFIG)) \
	  --config-env $(STAGE) --stack-name $(STACK) --tags janitor:self=$(STAGE) \
	  --capabilities CAPABILITY_IAM --resolve-s3 --no-fail-on-empty-changeset
	@echo "$(STACK) is deployed; have a look at it: janitor doctor $(STACK)"
	@$(BIN)/python -m janitor.entrypoints.cli.who_hears $(STACK)

stage: setup
	@$(BIN)/python tools/new_stage.py $(SAMCONFIG) $(STAGE)

destroy: setup ## delete a stage, and say what of it stays and how to remove it
	@$(if $(filter file,$(origin STAGE)),echo "which stage? for instance: make destroy STAGE=dev" >&2; exit 2,\
	  $(BIN)/python -m janitor.entrypoints.cli.destroy $(STACK))

acceptance: setup $(FOR_ACCEPTANCE) ## deploy to an emulated AWS that enforces IAM, and play the whole life there
	@$(PYTEST) $(ACCEPTANCE)

# The pipeline ---------------------------------------------------------------------------------

.PHONY: audit-runtime smoke preview package
audit-runtime: setup ## fail half a year before AWS deprecates the runtime of the functions
	@$(BIN)/python tools/runtime_check.py

# Fresh, whenever it was deployed first: whether somebody subscribed, and whether it swept lately, no
# deployment changes; an alarm tells of the latter.
smoke: setup ## look at a stage that was just deployed, as `janitor doctor --fresh` does
	@$(BIN)/janitor doctor $(STACK) --fresh

# BRANCH, AUTHOR and NUMBER come from the environment and are other people's text: the shell gets
# them as its own variables, and only letters, digits and hyphens of them go on. The account's own
# janitor looks after this copy, so it is no `janitor:self`. Names stay short, as preflight.py demands.
# It is the evidence of nothing, so its tables and logs go with it: a DeletionPolicy cannot hang on
# a parameter without a macro that StackSets refuse, and so the built template is changed here.
preview: build ## deploy a pull request's own copy, for three days (BRANCH, AUTHOR, NUMBER)
	@set -e; plain() { printf '%s' "$$1" | tr -cs 'A-Za-z0-9' - | cut -c "-$$2" | sed 's/^-*//; s/-*$$//'; }; \
	number=$$(plain "$$NUMBER" 5); name="feat-$$(plain "$${BRANCH##*/}" 12)-$$number"; \
	sed 's/Policy: Retain$$/Policy: Delete/' $(BUILD_DIR)/template.yaml >$(BUILD_DIR)/preview.yaml; \
	$(SAM) deploy --template-file $(BUILD_DIR)/preview.yaml --stack-name "$$name" \
	  --resolve-s3 --capabilities CAPABILITY_IAM --no-confirm-changeset --no-fail-on-empty-changeset \
	  --tags janitor:ttl=3d "janitor:owner=$$(plain "$$AUTHOR" 39)" --parameter-overrides \
	    "Stage=pr-$$number" Mode=observe Canary=AllAtOnce TableDeletionProtection=false \
	    SetApiLogRole=false LogRetentionDays=7 Archive=off; \
	$(BIN)/janitor doctor "$$name" --fresh

PACKAGED := .aws-sam/packaged
package: build ## for StackSets: code and plain template into BUCKET (docs/several-accounts.md)
	@set -e; $(SAM) package --use-json --no-progressbar --s3-bucket "$(BUCKET)" --s3-prefix janitor \
	  --output-template-file $(PACKAGED).json >/dev/null; \
	.cache/sam/bin/python tools/plain_template.py $(PACKAGED).json >$(PACKAGED)-plain.json; \
	key="janitor/$$(cksum <$(PACKAGED)-plain.json | tr ' ' -).json"; \
	$(BIN)/python -c 'import boto3, sys; boto3.client("s3").upload_file(*sys.argv[1:])' \
	  $(PACKAGED)-plain.json "$(BUCKET)" "$$key"; \
	echo "TemplateUrl=https://$(BUCKET).s3.$${AWS_REGION:?}.amazonaws.com/$$key"

clean: ## remove everything that make made
	@rm -rf .venv .cache .aws-sam .hypothesis .*_cache .coverage* htmlcov build dist
	@find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +
