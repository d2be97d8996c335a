# make help lists the targets. All that is built goes to bin/ and .venv/, all that is recorded to out/.
.POSIX:

# The interpreter that .venv is made with: 3.10 or newer.
PYTHON ?= python3
# What make run does.
SCRIPT ?= scripts/myroi.py 100 120 64
RUN_FLAGS ?= -w 2 --events 200
# What make bench passes on, how long each fuzz target runs, and how many hours make soak takes, 0.1 too.
BENCH_FLAGS ?=
FUZZTIME ?= 10s
# What make chaos passes on, and how long it fuzzes each parser.
CHAOS_FUZZTIME ?= 60s
CHAOS_FLAGS ?=
# How many seeds make sim tries.
SEEDS ?= 10000
HOURS ?= 24
SOAK_FLAGS ?=

GOLANGCI_VERSION = 2.15.0
GOLANGCI = bin/tools/golangci-lint-$(GOLANGCI_VERSION)
VENV = .venv/bin/python
# Tests find the interpreter as users' programs do.
IN_VENV = VIRTUAL_ENV="$$PWD/.venv" PATH="$$PWD/.venv/bin:$$PATH"

# The headers of CUDA, and its compiler in a library: their wheels need no GPU, no driver and no toolkit. CUDA_INCLUDE names
# the folder of another cuda.h of CUDA 12.
CUDA_WHEELS = nvidia-cuda-runtime-cu12==12.6.77 nvidia-cuda-nvrtc-cu12==12.6.85
CUDA = $(CURDIR)/bin/cuda
CUDA_INCLUDE ?= $(CUDA)/nvidia/cuda_runtime/include
IN_CUDA = CGO_ENABLED=1 CGO_CFLAGS="-I$(CUDA_INCLUDE)" CGO_LDFLAGS="-L$(CUDA)/link"
# What the linker notes, as a line of the shell that sets the variable stamp.
STAMP = version=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' python/src/drp/_version.py) && \
	commit=$$(git describe --always --dirty --exclude '*' 2>/dev/null | sed 's/^/+g/') ; \
	stamp="-X main.version=$$version$$commit"

.PHONY: help run build cuda cuda-check ptx test test-go test-vet test-ready test-race test-checked test-python check check-go check-python \
	bench chaos fuzz soak sim wheel clean web web-check web-test

help:
	@echo 'make run     set up what is missing, build bin/drp, and run a script on the simulated camera'
	@echo 'make test    run all tests; those on real files when ../shared/data (or $$DRP_TESTDATA) is there'
	@echo 'make check   run formatters, linters and the type checker'
	@echo 'make bench   measure the hand-off to Python (BENCH_FLAGS="--json", "--check")'
	@echo 'make chaos   make every fault of the catalogue, with real processes (CHAOS_FLAGS="-seed 7 -row F1")'
	@echo 'make fuzz    fuzz every parser (FUZZTIME=10s each)'
	@echo 'make soak    run for HOURS=24 with faults, and look whether anything grows; report in out/soak.md'
	@echo 'make build   build bin/drp only'
	@echo 'make cuda    build bin/drp-cuda, which finds hits on a GPU (make cuda-check: and look at it without one)'
	@echo 'make ptx     compile the kernels for GPUs anew, after a change of hit/cuda/kernels'
	@echo 'make web     build the page of --http into web/dist (make web-check: check its sources, and that web/dist is what they give)'
	@echo 'make web-test  click through the page in a Chromium, on a run and on a replay; screenshots in out/web'
	@echo 'make sim     run the pipeline in a simulated world (SEEDS=100000)'
	@echo 'make wheel   build the Python package into python/dist'
	@echo 'make clean   remove what was built; .venv and the files recorded in out/ stay'
	@echo
	@echo 'PYTHON=python3.12 chooses the interpreter for .venv; it is made once.'

run: build .venv/.installed
	@mkdir -p out && n=1 && \
	while ! mkdir out/run-$$n 2>/dev/null; do \
		[ -e out/run-$$n ] || { echo 'out/ cannot be written'; exit 1; }; \
		n=$$((n + 1)); \
	done && \
	set -- $(RUN_FLAGS) -p "$(SCRIPT)" -o out/run-$$n && \
	echo "bin/drp $(RUN_FLAGS) -p \"$(SCRIPT)\" -o out/run-$$n" && \
	bin/drp "$$@" && \
	echo && echo "bin/drp xtc ls out/run-$$n/*.xtc2" && \
	bin/drp xtc ls out/run-$$n/*.xtc2

# go knows best what is up to date.
build:
	@command -v go >/dev/null || { echo 'go is missing: install Go 1.26 or newer, https://go.dev/dl'; exit 1; }
	@command -v "$$(go env CC)" >/dev/null || \
		{ echo "the C compiler $$(go env CC) is missing: install gcc (shared memory is used through cgo)"; exit 1; }
	@$(STAMP); go build -trimpath -ldflags "$$stamp" -o bin/drp ./cmd/drp

# drp with the driver of a GPU; docs/gpu.md.
cuda: $(CUDA)/link/libcuda.so
	@$(STAMP); $(IN_CUDA) go build -trimpath -tags cuda -ldflags "$$stamp" -o bin/drp-cuda ./cmd/drp

$(CUDA)/link/libcuda.so: hit/cuda/device.go hit/cuda/link.sh go.mod | $(CUDA_INCLUDE)/cuda.h
	$(IN_CUDA) hit/cuda/link.sh $(CUDA)/link

$(CUDA)/nvidia/cuda_runtime/include/cuda.h: | .venv/bin/python
	$(VENV) -m pip install --quiet --disable-pip-version-check --no-deps --target $(CUDA) $(CUDA_WHEELS)

# Without a GPU: it builds, it is vetted, and where there is no GPU it says so.
cuda-check:
	@$(MAKE) --no-print-directory $(CUDA_INCLUDE)/cuda.h >/dev/null 2>&1 || \
		{ echo 'NOT CHECKED: drp-cuda, since the headers of CUDA are not there and cannot be fetched'; exit 0; } && \
	[ ! -f $(CUDA_INCLUDE)/cuda.h ] || $(MAKE) --no-print-directory cuda-checked

.PHONY: cuda-checked
cuda-checked: build cuda
	$(IN_CUDA) go vet -tags cuda ./hit/cuda/... ./cmd/drp
	@if says=$$(LD_LIBRARY_PATH=$(CUDA)/link bin/drp-cuda gpu-probe 2>&1) || ! echo "$$says" | grep -q NoDevice; then \
		echo "drp-cuda does not find out that there is no GPU: $$says"; exit 1; fi
	@echo 'drp-cuda is built and vetted; it was not run on a GPU'

ptx: | $(CUDA)/nvidia/cuda_runtime/include/cuda.h
	$(VENV) hit/cuda/kernels/ptx.py $(CUDA)

# The environment is made when it is missing, and filled again when the package says that it needs something else.
.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo '$(PYTHON) is missing: install Python 3.10 or newer'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) --version 2>&1): 3.10 or newer is needed, make PYTHON=... names another"; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo '$(PYTHON) cannot make .venv: install its venv module (Debian: python3-venv)'; exit 1; }

.venv/.installed: .venv/bin/python python/pyproject.toml
	$(VENV) -m pip install --quiet --disable-pip-version-check --editable ./python
	@touch $@

.venv/.tested: .venv/bin/python python/pyproject.toml
	$(VENV) -m pip install --quiet --disable-pip-version-check --editable './python[dev]'
	@touch $@ .venv/.installed

# Tests wait as often as they compute, so that two groups go on at a time, and in one two packages.
test:
	@$(MAKE) --no-print-directory -j 2 test-go test-python
	@if [ ! -d "$${DRP_TESTDATA:-../shared/data}/xtc2" ]; then \
		echo 'NOT TESTED: real files, since neither ../shared/data nor $$DRP_TESTDATA is there'; fi
	@echo 'all tests passed'

test-go: test-race test-checked test-vet

test-vet:
	go vet ./...

# Thousands of children import the package, which keeps nothing compiled where PYTHONDONTWRITEBYTECODE is set.
test-ready: build .venv/.tested
	@$(VENV) -m compileall -q python/src

# Which packages are tested in which build, and why: docs/testing.md. What takes longest comes first.
LONG = ./internal/e2e ./internal/chaos ./internal/soak ./bench ./page ./hit ./cmd/drp
CHECKED = ./drp ./fex
WHOLE = ./hit ./simtest
MEASURED = Allocates?Nothing
GO_TEST = $(IN_VENV) GORACE=atexit_sleep_ms=100 go test -vet=off -timeout 20m -json

test-race: test-ready
	@echo 'go test -race ./..., but $(CHECKED)'
	@$(GO_TEST) -p 2 -race $(LONG) $$(go list ./... | grep -v -x $(CHECKED:./%=-e drp/%)) | $(VENV) .ci/gotest

test-checked: test-ready
	@echo 'go test -race -tags invariants ./pebble $(CHECKED)'
	@$(GO_TEST) -race -tags invariants -skip '$(MEASURED)' ./pebble $(CHECKED) | $(VENV) .ci/gotest
	@echo 'go test -tags invariants $(WHOLE)'
	@$(GO_TEST) -tags invariants $(WHOLE) | $(VENV) .ci/gotest
	@echo "go test -run '$(MEASURED)|HitsOfRealFrames' $(CHECKED)"
	@$(GO_TEST) -run '$(MEASURED)|HitsOfRealFrames' $(CHECKED) | $(VENV) .ci/gotest

# It says all at once, since other tests may say something meanwhile.
test-python: test-ready
	@echo 'cd python && pytest -q -rs'
	@cd python && status=0 && said=$$(../$(VENV) -m pytest -q -rs 2>&1) || status=$$?; echo "$$said"; exit $$status

check: check-go check-python
	@echo 'all checks passed'

check-go: $(GOLANGCI)
	@bad=$$(gofmt -l .) && \
	if [ -n "$$bad" ]; then echo "not formatted, run gofmt -w on:"; echo "$$bad"; exit 1; fi
	go vet ./...
	$(GOLANGCI) run ./...

check-python: .venv/.tested
	cd python && ../$(VENV) -m ruff check . ../scripts ../.ci/gotest ../internal/soak ../hit/cuda
	cd python && ../$(VENV) -m ruff format --check . ../scripts ../.ci/gotest ../internal/soak ../hit/cuda
	cd python && ../$(VENV) -m mypy --strict

$(GOLANGCI):
	@echo 'building golangci-lint $(GOLANGCI_VERSION): this takes minutes, once'
	GOBIN="$$PWD/bin/tools" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_VERSION)
	@mv bin/tools/golangci-lint $@

bench: build .venv/.installed
	bin/drp bench handoff $(BENCH_FLAGS)

# Each row runs alone, so that what is measured counts; the table is printed at the end, also when a row fails.
chaos: .venv/.tested
	@rm -f out/chaos.md; \
	$(IN_VENV) go test -count=1 -timeout 90m ./internal/chaos -args -full -report out/chaos.md $(CHAOS_FLAGS); \
	status=$$?; [ ! -f out/chaos.md ] || cat out/chaos.md; exit $$status
	@$(MAKE) fuzz FUZZTIME=$(CHAOS_FUZZTIME)

fuzz:
	@for package in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$package || exit 1; \
		done; \
	done

# The page. Only these targets need Node; drp is built from web/dist, which is in the repository.
web: web/node_modules/.installed
	cd web && node build.mjs dist

web/node_modules/.installed: web/package.json web/package-lock.json
	@command -v npm >/dev/null || { echo 'npm is missing: install Node 20 or newer'; exit 1; }
	@if grep -n '"resolved"' web/package-lock.json; then echo 'web/package-lock.json names where packages come from'; exit 1; fi
	cd web && npm ci --ignore-scripts
	@touch $@

web-check: web/node_modules/.installed
	cd web && npx --no-install tsc --noEmit
	cd web && npm test
	cd web && node build.mjs node_modules/.again
	@diff -rq web/node_modules/.again web/dist || \
		{ echo 'web/dist is not what the sources give: run make web, and commit it'; exit 1; }

web-test: build .venv/.installed web/node_modules/.installed
	cd web && npm run --silent browser

sim: build
	bin/drp sim-test --seeds $(SEEDS)

soak: build .venv/.installed
	$(IN_VENV) go run ./internal/soak -hours $(HOURS) $(SOAK_FLAGS)

wheel: .venv/.tested
	$(VENV) -m build --wheel --outdir python/dist python

clean:
	rm -rf bin web/node_modules python/dist python/build python/.pytest_cache python/.mypy_cache python/.ruff_cache .ruff_cache .mypy_cache
	find python scripts -name __pycache__ -type d -exec rm -rf {} +
