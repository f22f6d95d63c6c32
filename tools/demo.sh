#!/bin/bash
# Two web servers on port 80 of two hosts, and a client on a third: what `make demo` shows.
#
# Works as root and as anybody else; keeps to a network and a directory of its own, and leaves
# neither behind, also when it is interrupted.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

build=$(realpath "${BUILD:-build}")
PATH=$build/src/cli:$PATH:/usr/sbin:/sbin
export REEVE_NETWORK=demo-$$ LC_ALL=C.UTF-8
networks=${XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/reeve}
networks=${networks:-/tmp/reeve-$(id -u)}
bytes=100000000

say()
{
	printf '\n\033[1m%s\033[0m\n' "$*"
}
[ -t 1 ] || say()
{
	printf '\n%s\n' "$*"
}

# Whoever is interrupted has nothing to complain of.
fail()
{
	[ $? -ne 130 ] || exit 130
	printf 'demo: %s\n' "$*" >&2
	cat "$scratch"/*.log >&2 2>/dev/null
	exit 1
}

# A command as a user would type it, and what it prints.
show()
{
	printf '$ %s\n' "$*"
	"$@"
}

servers=()
clean()
{
	trap '' INT TERM HUP
	{
		[ ${#servers[@]} -eq 0 ] || kill "${servers[@]}"
		reeve down
		wait
	} >/dev/null 2>&1
	rm -rf "$scratch" "${networks:?}/$REEVE_NETWORK"
}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/reeve-demo.XXXXXX") || exit 1
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
chmod 755 "$scratch"

command -v reeve >/dev/null || fail "there is no $build/src/cli/reeve: run make demo"
command -v nginx >/dev/null || fail 'nginx is not installed: run tools/packages.sh'

# serve HOST: an nginx of its own on port 80 of the host. Its paths are relative to its directory.
serve()
{
	mkdir -p "$1/pages"
	printf 'Hello from %s, port 80.\n' "$1" >"$1/pages/index.html"
	cat >"$1/nginx.conf" <<-END
		daemon off;
		worker_processes 1;
		pid pid;
		error_log stderr warn;
		events { }
		http {
			access_log off;
			sendfile on;
			client_body_temp_path body;
			proxy_temp_path proxy;
			fastcgi_temp_path fastcgi;
			uwsgi_temp_path uwsgi;
			scgi_temp_path scgi;
			server {
				listen 80;
				root pages;
			}
		}
	END
	printf '$ reeve run --host %s nginx -e stderr -p %s -c nginx.conf &\n' "$1" "$1"
	reeve run --host "$1" nginx -e stderr -p "$1" -c nginx.conf >"$1.log" 2>&1 </dev/null &
	servers+=($!)
}

cd "$scratch" || exit 1
say 'Two web servers, both on port 80, each on a host of its own'
serve web
serve web2
head -c $bytes /dev/urandom >web2/pages/file
for host in web web2; do
	until [ "$(reeve ports "$host" -l --json 2>/dev/null | jq length)" -gt 0 ] 2>/dev/null; do
		for server in "${servers[@]}"; do
			kill -0 "$server" 2>/dev/null || fail "the server on $host has ended"
		done
		[ $SECONDS -lt 15 ] || fail "the server on $host does not listen"
		sleep 0.05
	done
done

say 'A third host looks them up, and fetches a page from each'
for host in web web2; do
	show reeve run --host client getent hosts "$host" || fail "$host is not found"
done
for host in web web2; do
	page=$(show reeve run --host client curl -sS "http://$host/") || fail "no page from $host"
	printf '%s\n' "$page"
	[ "${page##*$'\n'}" = "Hello from $host, port 80." ] || fail "the wrong page from $host"
done

say 'It downloads 100 MB from web2; the sums are compared'
from=$(date +%s%N)
show reeve run --host client curl -sS -o copy http://web2/file ||
	fail 'the download failed'
took=$((($(date +%s%N) - from) / 1000000))
sum=$(sha256sum <web2/pages/file)
[ "$sum" = "$(sha256sum <copy)" ] || fail 'what came is not what was sent'
printf 'SHA-256 %s, the same on both sides, in %d.%02d s\n' "${sum%% *}" $((took / 1000)) \
	$((took % 1000 / 10))

say 'Which socket belongs to which program'
show reeve ports || fail 'reeve ports failed'

say 'What web serves'
show reeve services --host web || fail 'reeve services failed'

say "Shown: port 80 served twice on one machine by unmodified programs of $(id -un 2>/dev/null ||
	id -u), found by name, and $((bytes / 1000000)) MB carried whole by Reeve's own TCP."
