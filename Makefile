# The checks of a commit, one target each. `make check` runs those that .ci/run runs, in the same
# order; `make help` lists all. Only Go and a network to its module proxy are needed: what a
# target needs beyond that is named and left out where it is absent.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:

# Tools are run by version, so that nothing has to be installed.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# No stage but race needs cgo, and one setting for all lets each use what another has compiled.
export CGO_ENABLED := 0

# FUZZTIME is how long each fuzz target runs.
FUZZTIME ?= 2s

# The stages of .ci/run, cheapest first.
STAGES := format vet staticcheck cross test noasm generated arch vectors s3 race fuzz vuln sim localnet tutorial upgrade xla deploy

.PHONY: help check stages lint release reproducible bench $(STAGES)

help: ## list the targets
	grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

check: $(STAGES) ## run every stage, as .ci/run does

stages: ## print the stages in order
	echo $(STAGES)

format: ## gofmt leaves every file as it is
	unformatted=$$(gofmt -l .)
	if [ -n "$$unformatted" ]; then printf 'not formatted:\n%s\n' "$$unformatted"; exit 1; fi

vet: ## go vet
	go vet ./...

staticcheck: ## staticcheck
	go run $(STATICCHECK) ./...

lint: ## golangci-lint with .golangci.yml (builds the linter: minutes the first time; not in CI)
	go run $(GOLANGCI) run ./...

cross: ## other builds: pure Go, OpenBLAS, other architectures and systems
	go vet -tags noasm ./internal/kernel/... ./internal/engine/...
	go vet -tags openblas ./internal/kernel/... ./internal/engine/...
	# Only that it compiles is of interest, so nothing is optimised. Linux on arm64 is built by the stage arch.
	GOOS=darwin GOARCH=arm64 go build -gcflags 'all=-N -l' ./...
	GOOS=windows go build -gcflags 'all=-N -l' ./...

test: ## go test ./..., the command of the README
	go test ./...

noasm: ## the readable kernels, in place of the assembly
	go test -tags noasm ./internal/kernel/... ./internal/engine/... ./codec

generated: ## the committed files are what their generators write
	.ci/generated

arch: ## the same bits on arm64 and s390x, under emulation
	.ci/arch

vectors: ## the test vectors
	go run ./cmd/templar vectors verify testkit/vectors testkit/wire | tail -1

s3: ## the store's suite on a third-party S3 server
	go test -v ./internal/store/s3 -versitygw -run Versity | grep -vE '^ *(=== |--- PASS)' # what is skipped shows why

race: ## the race detector on everything that runs goroutines
	.ci/race

fuzz: ## each fuzz target for FUZZTIME
	.ci/fuzz $(FUZZTIME)

vuln: ## known vulnerabilities, where the database can be reached
	.ci/vuln $(GOVULNCHECK)

sim: ## a few seeds of the simulator
	go run ./cmd/templar sim --seeds 5 --windows 30 --aggregators 2

localnet: ## a short localnet, and a text from the model that it trains
	work=$$(mktemp -d)
	trap 'rm -rf "$$work"' EXIT
	go run ./cmd/templar localnet --windows 6 --no-live --data-dir "$$work/net" --json "$$work/report.json"
	go run ./cmd/templar generate --model "$$work/net/model" --prompt "Light is" --tokens 40

tutorial: ## the commands of docs/tutorial.md, on one machine and on two network namespaces
	go test -count=1 ./docs -run Tutorial -tutorial

upgrade: ## commits before the last changes of state files and of the protocol, beside this one
	go test -count=1 -v ./deploy -run Upgrade -upgrade -timeout 15m

xla: ## the engine of devices, on a CPU plug-in that pip downloads
	.ci/xla

deploy: ## the files of deploy/, and the network of compose.yaml from the image's contents
	.ci/deploy

release: ## archives of VERSION=v0.3.0 in dist/
	go run ./deploy/release -version "$(VERSION)" -out dist

reproducible: ## a release built twice, in two folders with empty caches, has the same bytes (minutes)
	.ci/reproducible

bench: ## every Go benchmark, once
	go test -run '^$$' -bench . -benchtime 1x ./...
