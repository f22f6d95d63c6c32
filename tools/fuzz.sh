#!/bin/bash
# Each fuzzer of tests/fuzz with libFuzzer and sanitizers, for FUZZ_SECONDS. What it finds new is
# kept in the build directory; what breaks is named, with the file that breaks it.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

build=${FUZZ_BUILD:-build-fuzz}
if [ ! -e "$build/build.ninja" ]; then
	CC=clang meson setup -Db_lundef=false -Db_sanitize=address,undefined -Dfuzz=true "$build" \
		>/dev/null || exit 1
fi
meson configure "$build" -Dfuzz=true || exit 1
mapfile -t fuzzers < <(cd tests/fuzz && ls fuzz_*.c | sed 's/\.c$//')
ninja --quiet -C "$build" "${fuzzers[@]/#/tests/fuzz/}" || exit 1

status=0
for fuzzer in "${fuzzers[@]}"; do
	mkdir -p "$build/corpus/$fuzzer" "$build/found"
	printf '== %s, %d s\n' "$fuzzer" "${FUZZ_SECONDS:-60}"
	"$build/tests/fuzz/$fuzzer" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 \
		-print_final_stats=1 -verbosity=0 -artifact_prefix="$build/found/$fuzzer-" \
		"$build/corpus/$fuzzer" "tests/fuzz/corpus/${fuzzer#fuzz_}" || status=1
done
exit $status
