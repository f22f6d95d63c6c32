#!/bin/bash
# Installs what is built in BUILD. Meson's own word for a place that may not be written is a traceback;
# here it is a line.
set -u

if said=$(meson install -C "${BUILD:-build}" --no-rebuild --quiet 2>&1 </dev/null); then
	exit 0
fi
# PermissionError: [Errno 13] Permission denied: '/usr/local/lib/libreeve.so.0'
fault=$(sed -nE "s/^[A-Za-z]*Error: \[Errno [0-9]+\] ([^:]*): '([^']*)'.*/\2: \1/p" <<<"$said" | head -n 1)
if [ -n "$fault" ]; then
	printf 'install: cannot write %s; do it as root, or elsewhere: make install PREFIX=DIRECTORY\n' \
		"$fault" >&2
else
	printf '%s\n' "$said" >&2
fi
exit 1
