#!/bin/bash
# Formatting, static analysis, man pages and the syntax of scripts. Silent about what is right.
#
#	BUILD=build tools/lint.sh [--format]		--format: put the formatting right instead
#
# clang-tidy reads how each file is compiled from the build directory.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

jobs=$(nproc)
failed=0

mapfile -t sources < <(find include src tests bench examples -name '*.[ch]' | sort)

if [ "${1:-}" = --format ]; then
	exec clang-format -i "${sources[@]}"
fi

result()
{
	if [ "$1" -eq 0 ]; then
		printf 'lint: %-14s ok\n' "$2"
	else
		printf 'lint: %-14s FAILED\n' "$2"
		failed=1
	fi
}

clang-format --dry-run -Werror "${sources[@]}"
result $? clang-format

# Test programs that are compiled while the tests run have no entry, and are formatted only.
compiled=$(jq -r '.[] | .directory + "/" + .file' "${BUILD:-build}/compile_commands.json" |
	xargs -r realpath -qe | sort -u)
root=$(pwd -P)
grep -E "^$root/(src|tests|bench|examples)/" <<<"$compiled" |
	xargs -P "$jobs" -n 1 clang-tidy --quiet -p "${BUILD:-build}" \
		--extra-arg=-Wno-unknown-warning-option 2>/dev/null
result $? clang-tidy

mandoc -T lint -W warning man/*.[1-9]
result $? mandoc

status=0
while read -r script; do
	bash -n "$script" || status=1
done < <(grep -lIrE '^#!/bin/(ba)?sh' tools bench tests .ci)
result $status shell

find tools bench tests -name '*.py' -print0 |
	xargs -0 -r /usr/bin/python3 -c '
import ast, sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as source:
        ast.parse(source.read(), path)'
result $? python

exit $failed
