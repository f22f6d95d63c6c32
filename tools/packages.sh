#!/bin/bash
# Installs the Debian packages that Reeve is built and tested with; silent and quick when none is
# missing.
#
#	tools/packages.sh [GROUP...]
#
# packages.list beside this script has a package a line; one with a second word belongs to that
# group (lint, fuzz, coverage, bench, services, programs, and heavy: the programs that CI does without) and is
# wanted only when the group is named.
set -u

list="$(dirname "${BASH_SOURCE[0]}")/packages.list"

say()
{
	printf 'packages: %s\n' "$*" >&2
}

wanted=()
while read -r name group; do
	[ -n "$name" ] || continue
	if [ -z "${group:-}" ] || [[ " $* " == *" $group "* ]]; then
		wanted+=("$name")
	fi
done <"$list"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	say "not a Debian system, so nothing is installed; Reeve needs what Debian calls" \
		"${wanted[*]}"
	exit 0
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null)
missing=()
for name in "${wanted[@]}"; do
	[[ $'\n'"$installed"$'\n' == *$'\n'"installed $name"$'\n'* ]] || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	ask=-n
	[ -t 0 ] && ask=
	if command -v sudo >/dev/null && sudo $ask true 2>/dev/null; then
		exec sudo $ask "$(realpath "${BASH_SOURCE[0]}")" "$@"
	fi
	say "missing: ${missing[*]}; install them as root: apt-get install ${missing[*]}"
	exit 1
fi

say "installing ${missing[*]}"

# No service may start because its package is installed: invoke-rc.d and deb-systemd-invoke ask
# this program, and 101 means "forbidden".
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	trap 'exit 130' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
elif ! $policy nginx start >/dev/null 2>&1; then
	: # there is one, and it forbids already
else
	mv $policy $policy.reeve
	trap 'mv -f $policy.reeve $policy' EXIT
	trap 'exit 130' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
fi

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
log=$(mktemp)
if ! "${apt[@]}" update >"$log" 2>&1; then
	say "apt-get update failed ($(grep -m 1 -E '^(E|W|Err)' "$log")); going on without it"
fi
if ! "${apt[@]}" install --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null; then
	tail -n 15 "$log" >&2
	say "apt-get could not install: ${missing[*]}"
	rm -f "$log"
	exit 1
fi
rm -f "$log"
