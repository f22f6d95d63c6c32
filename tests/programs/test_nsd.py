"""nsd and unbound: a zone's server, its secondary, and a resolver in front of them.

Run: nsd with two processes and a zone; a second nsd that transfers the zone; unbound with two
threads that asks the first for it; dig by UDP and TCP, a transfer with dig.
Must come out: every record of the transfer, the secondary's own answer, an answer that is cut by
UDP and whole by TCP, what unbound got.
Limits: none known.
"""

PACKAGES = ["bind9-dnsutils", "nsd", "unbound"]
VERSION = ["nsd", "-v"]
HOSTS = 4

NSD = """
server:
    ip-address: 0.0.0.0
    server-count: 2
    username: ""
    chroot: ""
    pidfile: ""
    database: ""
    zonesdir: "{directory}"
    zonelistfile: "{directory}/zones"
    xfrdfile: "{directory}/xfrd"
    xfrdir: "{directory}"
remote-control:
    control-enable: no
zone:
    name: "zone.example"
    zonefile: "zone"
    {more}
"""
UNBOUND = """
server:
    interface: 0.0.0.0
    access-control: 0.0.0.0/0 allow
    num-threads: 2
    do-daemonize: no
    use-syslog: no
    username: ""
    chroot: ""
    directory: "{directory}"
    pidfile: ""
    module-config: "iterator"
    local-zone: "example." transparent
remote-control:
    control-enable: no
forward-zone:
    name: "zone.example"
    forward-addr: {address}
"""


def nsd(site, host, more):
    directory = site.scratch / host
    directory.mkdir()
    (directory / "conf").write_text(NSD.format(directory=directory, more=more))
    return lambda: site.serve(host, "nsd", "-d", "-c", directory / "conf", ports=[53])


def test_zone(site, need):
    need("nsd", "unbound", "dig")
    start = nsd(site, "one", "provide-xfr: 0.0.0.0/0 NOKEY")
    long = "\n".join(f'long TXT "{i:03} {"x" * 200}"' for i in range(20))
    (site.scratch / "one" / "zone").write_text(
        "$ORIGIN zone.example.\n$TTL 60\n@ SOA ns root 1 60 60 600 60\n@ NS ns\nns A 192.0.2.53\n"
        + long + "\n" + "\n".join(f"h{i} A 192.0.2.{i}" for i in range(1, 251)) + "\n")
    start()
    address = site.address("one")
    nsd(site, "two", f"request-xfr: AXFR {address} NOKEY\n    allow-notify: 0.0.0.0/0 NOKEY")()
    (site.scratch / "unbound.conf").write_text(
        UNBOUND.format(directory=site.scratch, address=address))
    site.serve("resolver", "unbound", "-d", "-c", site.scratch / "unbound.conf", ports=[53])

    def dig(*query):
        return site.client("c", "dig", "+time=5", "+tries=2", *query)

    assert len(dig("@one", "+short", "zone.example", "axfr").splitlines()) == 2 + 1 + 1 + 20 + 250
    until = "until dig +short +time=1 +tries=1 @two h7.zone.example | grep -x 192.0.2.7; do :; done"
    assert site.client("c", "bash", "-c", until) == "192.0.2.7\n"
    for server in "one", "two", "resolver":
        for how in "+notcp", "+tcp":
            assert dig(f"@{server}", "+short", how, "h250.zone.example") == "192.0.2.250\n"
        assert "status: NXDOMAIN" in dig(f"@{server}", "none.zone.example")
        got = dig(f"@{server}", "+bufsize=512", "long.zone.example", "txt")
        assert "Truncated, retrying in TCP mode" in got and got.count('"0') == 20
