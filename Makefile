# A thin door to Meson: the build itself is in meson.build. `make help` says what there is.
#
# BUILD is where everything is built; a second user, or a tree that cannot be written, needs one of
# its own: make test BUILD=/tmp/reeve
#
# TESTS are names of tests, or any options of `meson test`.
BUILD ?= build
PREFIX ?= /usr/local
SEEDS ?= 10000
FUZZ_SECONDS ?= 60
TESTS ?=
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: help build demo services programs test check lint format bench fuzz coverage install

help:
	@echo 'make demo      two web servers on port 80 and a client, each on a host of its own'
	@echo 'make services  the ten classic services at once, on their well-known ports'
	@echo 'make programs  real programs on hosts of a network, all of them; writes docs/programs.md'
	@echo 'make test      build, and run every test (TESTS="NAME...": some of them)'
	@echo 'make check     the same with $(SEEDS) seeds of simulation (SEEDS=N)'
	@echo 'make lint      clang-format, clang-tidy, mandoc, shell and Python syntax'
	@echo 'make format    clang-format over all C files'
	@echo 'make bench     Reeve measured beside its peers'
	@echo 'make fuzz      each fuzzer for $(FUZZ_SECONDS) seconds (FUZZ_SECONDS=N)'
	@echo 'make coverage  what the tests and corpora reach of src/wire, src/port and src/stack'
	@echo 'make install   into $(PREFIX) (PREFIX=, DESTDIR=)'
	@echo
	@echo 'Everything is built in $(BUILD) (BUILD=).'

$(BUILD)/build.ninja:
	@meson setup --prefix $(PREFIX) $(BUILD) >/dev/null || \
		{ cat $(BUILD)/meson-logs/meson-log.txt >&2; exit 1; }

.PHONY: packages
packages:
	@tools/packages.sh

build: packages
	@if [ -e $(BUILD) ] && [ ! -w $(BUILD) ]; then \
		echo 'make: $(BUILD) belongs to another user; choose one: make BUILD=DIRECTORY' >&2; \
		exit 1; fi
	@$(MAKE) -s --no-print-directory $(BUILD)/build.ninja
	@ninja -n -C $(BUILD) | grep -q 'no work to do' || ninja -C $(BUILD)

demo: build
	@BUILD=$(BUILD) tools/demo.sh

services: build
	@tools/packages.sh services
	@BUILD=$(BUILD) /usr/bin/python3 -B tools/services

programs: build
	@tools/packages.sh programs services heavy
	@REEVE_COMMAND=$(abspath $(BUILD))/src/cli/reeve tests/programs/table.py $(TESTS)

test: build
	@meson test -C $(BUILD) --no-rebuild --print-errorlogs $(TESTS)

check: build
	@tools/packages.sh programs
	@REEVE_SIM_SEEDS=$(SEEDS) meson test -C $(BUILD) --no-rebuild --print-errorlogs -t 10 $(TESTS)

lint:
	@tools/packages.sh lint
	@$(MAKE) -s --no-print-directory $(BUILD)/build.ninja
	@BUILD=$(BUILD) tools/lint.sh

format:
	@tools/packages.sh lint
	@tools/lint.sh --format

bench: build
	@tools/packages.sh bench
	@BUILD=$(BUILD) bench/run

fuzz:
	@tools/packages.sh fuzz
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz.sh

coverage:
	@tools/packages.sh coverage
	@tools/coverage.sh

# Where what is built is to go may be said as late as now.
install: build
	@$(if $(filter-out file,$(origin PREFIX)),meson configure $(BUILD) -Dprefix=$(PREFIX) && \
		ninja -C $(BUILD) >/dev/null)
	@BUILD=$(BUILD) tools/install.sh
