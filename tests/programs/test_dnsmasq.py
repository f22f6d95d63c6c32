"""dnsmasq: DNS by UDP and TCP, and TFTP.

Run: dnsmasq with names of its own, which forwards the rest to another dnsmasq on a second host;
dig by UDP and TCP, 100 queries at once, a file of 2 MB by TFTP with curl.
Must come out: the addresses, NXDOMAIN, an answer that is cut by UDP and whole by TCP, the same
file (TFTP answers from a port of its own).
Limits: DHCP needs raw sockets and is refused.
"""

PACKAGES = ["bind9-dnsutils", "dnsmasq-base"]
VERSION = ["dnsmasq", "--version"]
HOSTS = 3


def start(site, host, *options):
    site.serve(host, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
               "--no-hosts", "--user=root", "--group=root", "--pid-file", "--log-facility=-",
               *options, ports=[53])


def dig(site, server, *query):
    return site.client("c", "dig", f"@{server}", "+time=5", "+tries=2", *query)


def test_names(site, need):
    need("dnsmasq", "dig")
    many = [f"--host-record=many.example,192.0.2.{i}" for i in range(1, 201)]
    start(site, "up", "--address=/up.example/192.0.2.7",
          "--local=/test/")
    start(site, "s", "--address=/own.example/192.0.2.1", f"--server={site.address('up')}", *many)
    for how in "+notcp", "+tcp":
        assert dig(site, "s", "+short", how, "own.example") == "192.0.2.1\n"
        assert dig(site, "s", "+short", how, "x.up.example") == "192.0.2.7\n"
    assert "status: NXDOMAIN" in dig(site, "s", "none.up.test")
    assert ";; Truncated, retrying in TCP mode." in dig(site, "s", "+noedns", "many.example")
    assert len(dig(site, "s", "+short", "+noedns", "many.example").splitlines()) == 200
    names = site.scratch / "names"
    names.write_text("".join(f"n{i}.own.example\n" for i in range(100)))
    assert dig(site, "s", "+short", "-f", names) == "192.0.2.1\n" * 100


def test_tftp(site, need, data, same):
    need("dnsmasq", "curl")
    root = site.scratch / "tftp"
    root.mkdir()
    (root / "file").write_bytes(data(2_000_000))
    start(site, "s", "--enable-tftp", f"--tftp-root={root}")
    out = site.scratch / "out"
    site.client("c", "curl", "-sS", "--max-time", "60", "-o", out, "tftp://s/file")
    same(root / "file", out)
