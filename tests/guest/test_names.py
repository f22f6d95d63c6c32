"""Names of hosts through resolvers of all kinds, whatever /etc/resolv.conf says; and no other names."""

import os
import subprocess

import pytest
from conftest import COMMAND, WAIT
from needs import do_without, need

UNSHARE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]

LOOK_UP = """
import socket
def said(function, *arguments):
    try:
        return function(*arguments)
    except OSError as e:
        return type(e).__name__ + " " + str(e.errno)
def addresses(name, family=0):
    return sorted({a[4][0] for a in socket.getaddrinfo(name, 80, family, socket.SOCK_STREAM)})
"""


@pytest.fixture
def hosts(reeve):
    """Two hosts: their addresses by name."""
    found = {}
    for name in ("web", "db"):
        assert reeve.command("hosts", "add", name).returncode == 0
        found[name] = reeve.python(f"import socket; print(socket.gethostbyname({name!r}))").stdout.strip()
    assert found["web"].startswith("198.18.") and found["web"] != found["db"]
    return reeve, found


def test_names_and_addresses(hosts):
    reeve, found = hosts
    web = found["web"]
    code = LOOK_UP + f"""
for name in ("web", "WEB", "web.", "no-such-host", "web.no-such-domain", "gateway"):
    print(name, said(addresses, name), said(addresses, name, socket.AF_INET6))
for address in ({web!r}, "198.18.0.1", "198.18.200.200", "2001:db8::1"):
    print(said(lambda: socket.gethostbyaddr(address)[0]))
print(said(lambda: socket.getnameinfo(({web!r}, 80), 0)))
"""
    assert reeve.python(code).stdout.splitlines() == [
        f"web ['{web}'] gaierror -5", f"WEB ['{web}'] gaierror -5", f"web. ['{web}'] gaierror -5",
        "no-such-host gaierror -2 gaierror -2", "web.no-such-domain gaierror -2 gaierror -2",
        "gateway ['198.18.0.1'] gaierror -5", "web", "gateway", "herror 1", "herror 1", "('web', 'http')"]


@pytest.mark.parametrize("options", ["ndots:1", "ndots:5", "ndots:0 use-vc", "edns0", "single-request"])
def test_search_domains(hosts, options):
    """The C library asks for web.example.test first, or for web: both are answered so that it goes on."""
    reeve, found = hosts
    env = dict(reeve.env, LOCALDOMAIN="example.test other.test", RES_OPTIONS=options)
    code = LOOK_UP + "print(said(addresses, 'web'), said(addresses, 'nothing'))"
    r = subprocess.run([COMMAND, "run", "--", "/usr/bin/python3", "-c", code], env=env, capture_output=True,
                       text=True, timeout=WAIT)
    assert r.stdout == f"['{found['web']}'] gaierror -2\n", r.stderr


@pytest.mark.parametrize("question,status,answers", [
    ("web A", "NOERROR", ["web"]), ("web AAAA", "NOERROR", []), ("web MX", "NOERROR", []),
    ("web ANY", "NOERROR", ["web"]), ("web A +tcp", "NOERROR", ["web"]), ("web A +noedns", "NOERROR", ["web"]),
    ("web A +bufsize=512", "NOERROR", ["web"]), ("web A @127.0.0.53", "NOERROR", ["web"]),
    ("web A @127.0.0.1", "NOERROR", ["web"]), ("web A @203.0.113.53", "NOERROR", ["web"]),
    ("nothing A", "NXDOMAIN", []), ("web.example.test A", "NXDOMAIN", []), ("localhost A", "NOERROR", ["127.0.0.1"]),
    ("localhost AAAA", "NOERROR", ["::1"]), ("-x 127.0.0.1", "NOERROR", ["localhost."]),
    ("-x 198.18.0.1", "NOERROR", ["gateway."]), ("-x 198.18.9.9", "NXDOMAIN", []), ("-x 2001:db8::1", "NXDOMAIN", []),
    ("web CH TXT", "REFUSED", []), ("web A +edns=1 +noednsnegotiation", "BADVERS", [])])
def test_questions(hosts, question, status, answers):
    need("dig")
    reeve, found = hosts
    r = reeve.run("dig", *question.split(), "+noall", "+comments", "+answer", "+tries=1", "+time=10")
    assert f"status: {status}" in r.stdout, r.stdout
    got = [line.split()[-1] for line in r.stdout.splitlines() if line and not line.startswith(";")]
    assert got == [found.get(a, a) for a in answers]


def test_c_ares(hosts):
    """Node's dns.resolve is c-ares, its dns.lookup the C library."""
    need("node")
    reeve, found = hosts
    code = """const d = require("dns").promises;
const said = p => p.then(v => [].concat(v).map(x => x.address || x).join(), e => e.code);
(async () => { console.log(await said(d.resolve4("web")), await said(d.resolve6("web")), await said(d.resolve4("nothing")),
    await said(d.reverse("198.18.0.1")), await said(d.lookup("web"))); })()"""
    assert reeve.run("node", "-e", code).stdout.split() == [
        found["web"], "ENODATA", "ENOTFOUND", "gateway", found["web"]]


def test_musl(hosts, tmp_path):
    need("musl-gcc")
    reeve, found = hosts
    source = tmp_path / "look.c"
    source.write_text("""
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
		char text[64];
		int r = getaddrinfo(argv[i], "80", &hints, &found);
		if (r == 0)
			getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), 0, 0, NI_NUMERICHOST);
		puts(r ? gai_strerror(r) : text);
	}
}
""")
    subprocess.run(["musl-gcc", "-static", "-o", tmp_path / "look", source], check=True, timeout=WAIT)
    r = reeve.run(str(tmp_path / "look"), "web", "nothing", "db")
    assert r.stdout.splitlines() == [found["web"], "Name does not resolve", found["db"]]


@pytest.fixture(scope="module")
def namespaces():
    if subprocess.run([*UNSHARE, "true"], capture_output=True).returncode != 0:
        do_without("a mount namespace needs root, or a user namespace", root=True)


def with_files(reeve, tmp_path, setup, *command):
    """Runs it on a network of its own, behind what the shell does to a file system of its own."""
    env = dict(reeve.env, REEVE_NETWORK="other")
    script = f"{setup}\n{COMMAND} hosts add web >/dev/null\n{COMMAND} run --host db \"$@\"; r=$?\n{COMMAND} down >/dev/null\nexit $r"
    return subprocess.run([*UNSHARE, "sh", "-c", script, "sh", *command], env=env, capture_output=True, text=True,
                          timeout=WAIT, cwd=tmp_path)


RESOLVERS = {
    "IPv4": "nameserver 203.0.113.53\n", "systemd-resolved": "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n",
    "IPv6 only": "nameserver 2001:db8::53\n", "IPv6 first": "nameserver 2001:db8::53\nnameserver 203.0.113.53\n",
    "two of IPv6": "nameserver 2001:db8::53\nnameserver 2001:db8::54\n", "loopback of IPv6": "nameserver ::1\n",
    "another loopback": "nameserver 127.0.1.1\n", "empty": "", "search": "search a.test b.test\nnameserver 203.0.113.53\n",
    "dots": "search a.test\noptions ndots:3\nnameserver 203.0.113.53\n"}


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("name", RESOLVERS)
def test_resolv_conf(reeve, tmp_path, name):
    (tmp_path / "resolv.conf").write_text(RESOLVERS[name])
    code = LOOK_UP + "print(said(addresses, 'web'), said(addresses, 'nothing'))"
    r = with_files(reeve, tmp_path, "mount --bind resolv.conf /etc/resolv.conf", "/usr/bin/python3", "-c", code)
    assert r.stdout == "['198.18.0.2'] gaierror -2\n", r.stderr


@pytest.mark.usefixtures("namespaces")
def test_name_services_are_out_of_reach(reeve, tmp_path):
    """One that listens where nscd does, and would be asked first."""
    code = """
import errno, os, socket, sys
def said(name, kind=socket.SOCK_STREAM):
    try:
        socket.socket(socket.AF_UNIX, kind).connect(name)
        return "connected"
    except OSError as e:
        return errno.errorcode[e.errno]
os.symlink("/run/nscd/socket", "link")
os.link("/run/nscd/socket", "/run/nscd/hard")
os.chdir("/run/nscd")
print(said("/run/nscd/socket"), said("socket"), said("../nscd/./socket"), said("/proc/self/root/run/nscd/socket"),
      said("/proc/self/cwd/socket"), said(sys.argv[1] + "/link"), said("hard"))
print(said("other"))
"""
    listeners = """
import socket, subprocess, sys
keep = []
for name in ("socket", "other"):
    keep.append(socket.socket(socket.AF_UNIX))
    keep[-1].bind("/run/nscd/" + name)
    keep[-1].listen()
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""
    script = f"mkdir -p /run/nscd 2>/dev/null; mount -t tmpfs tmpfs /run/nscd || mount -t tmpfs tmpfs /run && mkdir -p /run/nscd"
    (tmp_path / "listeners.py").write_text(listeners)
    (tmp_path / "look.py").write_text(code)
    setup = f"{script}\nset -- /usr/bin/python3 look.py {tmp_path}"
    env = dict(reeve.env, REEVE_NETWORK="other")
    shell = f"{setup}\n/usr/bin/python3 listeners.py {COMMAND} run \"$@\"; {COMMAND} down >/dev/null"
    r = subprocess.run([*UNSHARE, "sh", "-c", shell], env=env, capture_output=True, text=True, timeout=WAIT, cwd=tmp_path)
    assert r.stdout.splitlines() == [" ".join(["ENOENT"] * 7), "connected"], r.stderr
