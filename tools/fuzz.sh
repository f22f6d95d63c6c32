#!/bin/bash
# The fuzzers of tests/fuzz with libFuzzer and sanitizers, each for FUZZ_SECONDS.
#
#	tools/fuzz.sh [NAME...]       all of them, or some: pair, wire
#	tools/fuzz.sh --merge NAME... what was found new that reaches more goes into tests/fuzz/corpus
#
# What a fuzzer finds new is kept in the build directory; what breaks is named, with the file that
# breaks it. The file `executions` there counts how often each has run in all.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

build=${FUZZ_BUILD:-build-fuzz}
seconds=${FUZZ_SECONDS:-60}

# Most of an execution would else go to the allocator's quarantine, and to stacks of allocations.
# What breaks is run again with ASan's own options, and then says more.
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=1:thread_local_quarantine_size_kb=64:malloc_context_size=0}

# How long inputs get.
longest()
{
	case $1 in
	wire | text | ephemeral) echo 256 ;;
	dns | demux | space | policy) echo 600 ;;
	pair) echo 400 ;;
	segment | config) echo 4096 ;;
	*) echo 1500 ;;
	esac
}

options()
{
	printf '%s\n' -max_len="$(longest "$1")" -entropic=0 -verbosity=0 \
		-artifact_prefix="$build/found/$1-"
	[ ! -e "tests/fuzz/dictionary/$1" ] || echo "-dict=tests/fuzz/dictionary/$1"
}

# Adds to the count of a fuzzer, and prints both.
count()
{
	local all

	touch "$build/executions"
	all=$(awk -v name="$1" -v more="$2" '$1 == name { more += $2 } END { printf "%d", more }' \
		"$build/executions")
	awk -v name="$1" '$1 != name' "$build/executions" >"$build/executions.new"
	echo "$1 $all" >>"$build/executions.new"
	mv "$build/executions.new" "$build/executions"
	printf '%-10s %12d executions in %d s, %d in all\n' "$1" "$2" "$3" "$all"
}

run()
{
	local log began failed=0

	mkdir -p "$build/corpus/$1" "$build/found"
	log="$build/$1.log"
	began=$(date +%s)
	mapfile -t arguments < <(options "$1")
	"$build/tests/fuzz/fuzz_$1" "${arguments[@]}" -max_total_time="$seconds" \
		-print_final_stats=1 "$build/corpus/$1" "tests/fuzz/corpus/$1" >"$log" 2>&1 || failed=1
	count "$1" "$(awk '/number_of_executed_units/ { print $2; exit }' "$log" | grep . || echo 0)" \
		$(($(date +%s) - began))
	if [ $failed -ne 0 ]; then
		grep -E -A 30 '^==|ERROR|runtime error|Test unit written' "$log" | head -n 60
	fi
	return $failed
}

# Only files that reach what none of the corpus does, as small as they come.
merge()
{
	local more="$build/merge/$1"

	rm -rf "$more" && mkdir -p "$more"
	cp "tests/fuzz/corpus/$1/"* "$more/" 2>/dev/null
	mapfile -t arguments < <(options "$1")
	"$build/tests/fuzz/fuzz_$1" "${arguments[@]}" -merge=1 "$more" "$build/corpus/$1" \
		>"$build/$1.log" 2>&1 || return 1
	cp "$more/"* "tests/fuzz/corpus/$1/"
}

act=run
if [ "${1:-}" = --merge ]; then
	act=merge
	shift
fi
if [ ! -e "$build/build.ninja" ]; then
	CC=clang meson setup -Db_lundef=false -Db_sanitize=address,undefined -Dfuzz=true "$build" \
		>/dev/null || exit 1
fi
[ $# -gt 0 ] || mapfile -t arguments < <(cd tests/fuzz && ls fuzz_*.c)
[ $# -gt 0 ] || set -- $(printf '%s\n' "${arguments[@]}" | sed 's/^fuzz_//;s/\.c$//')
meson configure "$build" -Dfuzz=true || exit 1
ninja --quiet -C "$build" "${@/#/tests/fuzz/fuzz_}" || exit 1

status=0
for name; do
	$act "$name" || status=1
done
exit $status
