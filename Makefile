# Every target does its own set-up and says how long it takes. Needs Debian 12/13 or Ubuntu 24.04, root, make, git, npm.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

# npm keeps the machine's own Node; everything else runs on the one of package-lock.json.
npm := PATH="$(PATH)" npm
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: demo
demo: setup ## Bring everything up and tell three stories in about 5 min (set-up once: 6-10 min); one only: args=first-server, scalable-site or redundant-site
	@node lab/demo/main.ts up $(args)

.PHONY: demo-down
demo-down: node_modules/.installed ## End and remove everything that demo made, except the cache in ~/.cache/ridgeline
	@node lab/demo/main.ts down

.PHONY: test
test: setup ## Run every test, on the lab too
	@node lab/main.ts ami build bookworm
	command -v aws >/dev/null || { echo 'Installing the AWS CLI, for the tests that type as a person would.'; apt-get install -y -qq --no-install-recommends awscli >/dev/null || true; }
	@node test/run.ts

.PHONY: check
check: node_modules/.installed ## Formatting, lint, types, dead code, generated files, unit tests: a few minutes, no root
	@$(npm) run --silent check

.PHONY: bench
bench: setup ## Boot 50 servers and report seconds, EC2 calls, memory and event-loop delay
	@node test/bench/main.ts

.PHONY: bench-fleet
bench-fleet: setup ## Bring 100 and 1,000 servers to a cloud without hosts and print time, EC2 calls, memory and the slope (args='--servers 100,1000 --rest 60 --profile DIR')
	@node test/bench/fleet.ts $(args)

.PHONY: bench-site
bench-site: setup ## Scale, roll, reload and cut the scalable site under wrk and print what it counted: 10 min (args='--parts scale,joins --frontends 8')
	command -v wrk >/dev/null || { echo 'Installing wrk, the load tool.'; apt-get install -y -qq wrk >/dev/null; }
	@node test/bench/scalable-site.ts $(args)

.PHONY: bench-switchovers
bench-switchovers: node_modules/.installed ## Change the primary of one MySQL cluster in memory 500 times; the last must be as fast as the first: 20 s, no root (args='--changes N')
	@node test/bench/switchovers.ts $(args)

.PHONY: chaos
chaos: node_modules/.installed ## Play random scenarios of faults, crashes and people from one seed: about 15 minutes, no root (args='--seed N --runs N --people N')
	@node test/chaos/main.ts $(args)

.PHONY: bench-failover
bench-failover: setup ## Let primaries die under writes, on real databases, and print what clients saw: 25 s per round (args='--replicas 1,4 --fault crash,cut-off --rounds 20 --results FILE'; --help has all)
	@node test/chaos/failovers.ts $(args)

.PHONY: setup
setup: node_modules/.installed ## Install packages and build the machine image and the control plane, once per machine
	@node lab/setup/main.ts

node_modules/.installed: package.json package-lock.json .npmrc
	@echo 'Installing npm packages: about 30 s.'
	command -v npm >/dev/null || { echo 'npm is missing: apt-get install -y npm'; exit 1; }
	$(npm) ci --no-progress --loglevel=error
	# Debian's npm 9 does not link programs of optional packages.
	(cd node_modules/.bin && ln -sf ../node-linux-*/bin/node node)
	if [[ "$$(node --version)" != v24.* ]]; then
		echo "npm did not install Node 24: node_modules/.bin/node is $$(node --version)."
		echo 'This project runs on Linux, x64 or arm64; npm must be allowed to install optional dependencies (npm config get omit).'
		exit 1
	fi
	touch $@
