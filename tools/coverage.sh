#!/bin/bash
# How much of src/wire, src/port and src/stack the tests that do no I/O reach, and the fuzzers'
# corpora with them: fails below 90 % of lines or 80 % of branches in any of the three.
#
# Branches at check() are left out: the other way is a fault of ours, and ends the test.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

build=${COVERAGE_BUILD:-build-coverage}
if [ ! -e "$build/build.ninja" ]; then
	meson setup -Db_coverage=true --buildtype=debug "$build" >/dev/null || exit 1
fi
find "$build" -name '*.gcda' -delete

suites=()
for suite in base wire port stack tcp script sim fuzz; do
	suites+=(--suite "$suite")
done
# A hundred seeds reach all that thousands do.
REEVE_SIM_SEEDS=${SEEDS:-100} meson test -C "$build" --quiet --print-errorlogs -t 5 \
	"${suites[@]}" >"$build/tests.log" 2>&1 || {
	tail -n 40 "$build/tests.log"
	exit 1
}

for part in wire port stack; do
	gcovr --root . --object-directory "$build" --filter "src/$part/" \
		--exclude-branches-by-pattern '^\s*check\(' \
		--json-summary "$build/$part.json" "$build" \
		2>"$build/gcovr.log" || cat "$build/gcovr.log" >&2
	jq -r --arg part "$part" '
		(.files[] | [.filename, .line_covered, .line_total, .branch_covered, .branch_total]),
		["src/" + $part + ", all", .line_covered, .line_total, .branch_covered, .branch_total]
		| @tsv' "$build/$part.json"
done | awk -F '\t' '
	BEGIN { printf "%-36s %17s %17s\n", "", "lines", "branches" }
	{ printf "%-36s %5d/%5d %4.1f %% %5d/%5d %4.1f %%\n", $1, $2, $3, $3 ? 100 * $2 / $3 : 100,
		$4, $5, $5 ? 100 * $4 / $5 : 100 }
	/, all/ && ($2 < 0.9 * $3 || $4 < 0.8 * $5) { print "coverage: too little of " $1; bad = 1 }
	END { exit bad }'
