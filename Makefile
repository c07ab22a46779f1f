# Every target is explained by the text after ##; `make` alone prints them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The pinned tools come first, so that tests that look for `aws` find the one they were written against.
export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/.tools/aws/bin:$(PATH)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
BUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'
PROGRAMS := $(notdir $(wildcard cmd/*))

# Packages where goroutines meet. The race detector costs five to ten times the
# CPU, so the rest goes without it; empty (make test RACE=) skips that pass.
RACE ?= $(patsubst %,./%/...,$(wildcard internal/agent internal/auth internal/cluster internal/engine internal/httpapi internal/mqtt internal/mqttapi internal/store/sqlite))

# What runs on SQLite and once more on PostgreSQL, but for tests that bring their own
# database; empty (make test BOTH=) skips that pass.
BOTH ?= ./internal/engine ./test/e2e

# test/ runs the built program, which the test cache knows nothing about: never answered from there.
UNITS := $(patsubst %,./%/...,$(wildcard cmd internal scripts))
SYSTEM := $(patsubst %,./%/...,$(wildcard test))

GO_FILES = git ls-files --cached --others --exclude-standard '*.go'

.PHONY: help run demo test test-long fuzz check fmt fmt-check vet lint verify generate bench build cross clean tools

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the server with its defaults (ARGS adds flags)
	go run ./cmd/muster serve $(ARGS)

demo: ## start a server with simulated devices and watch a job roll out (ARGS adds flags)
	go run ./cmd/muster demo $(ARGS)

test: ## run all tests; installs what they need (PostgreSQL, clients of AWS and MQTT, a C compiler) when it is missing
	@scripts/tools.sh aws mosquitto node pgbouncer postgres python $(if $(RACE),race)
	go run ./scripts/gotest -timeout=10m $(UNITS) \
	  $(if $(SYSTEM),-- -timeout=10m -count=1 $(SYSTEM)) \
	  $(if $(BOTH),-- MUSTER_TEST_STORE=postgres -timeout=10m -count=1 -skip='^Test(Node|Database|Bus|ThreeNodes|Migrate|Bridge)' $(BOTH)) \
	  $(if $(RACE),-- -timeout=10m -race $(RACE))

test-long: fuzz ## run every fuzz target for a minute (FUZZTIME=10s changes that)

fuzz:
	scripts/fuzz.sh

check: fmt-check vet lint test ## everything a change must pass: format, vet, lint, test

fmt: ## format the Go code
	@$(GO_FILES) | xargs -r gofmt -w

fmt-check:
	@unformatted=$$($(GO_FILES) | xargs -r gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi

vet:
	go vet ./...

lint: ## run the pinned golangci-lint; installs it into .tools when it is missing
	@scripts/tools.sh lint
	golangci-lint run ./...

verify: generate ## generate, then fail if that changed anything
	git diff --exit-code

generate: ## regenerate what is made from code, such as docs/coverage.md
	go generate ./...

bench: ## measure Muster against the raw limits of this machine, in one run
	go run ./test/bench $(ARGS)

build: ## build static programs into bin/
	@for p in $(PROGRAMS); do $(BUILD) -o bin/$$p ./cmd/$$p; echo bin/$$p; done

cross: ## compile for every supported platform into dist/
	@for target in linux/amd64 linux/arm64 linux/arm/7 darwin/arm64 windows/amd64; do \
	  IFS=/ read -r os arch arm <<<"$$target"; \
	  ext=; [ "$$os" = windows ] && ext=.exe; \
	  for p in $(PROGRAMS); do \
	    out=dist/$$p-$$os-$$arch$${arm:+v$$arm}$$ext; \
	    echo "$$out"; \
	    GOOS=$$os GOARCH=$$arch GOARM=$$arm $(BUILD) -o "$$out" "./cmd/$$p"; \
	  done; \
	done

tools: ## install the pinned tools into .tools
	@scripts/tools.sh aws mosquitto node pgbouncer postgres python race lint

clean: ## remove what was built; .tools and data stay
	rm -rf bin dist
